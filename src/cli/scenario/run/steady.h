/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same moments each time, where time is counted in instructions (the box's --count-instructions, QEMU's -icount):
 * there is one CPU, for the guest too, and its clock goes by what it executes. Two things would make a moment come
 * later than it was said, by more the busier the machine around it is: another thread that has the CPU when the moment
 * comes, and a CPU that idles, whose clock then follows the machine's, and its timers.
 */
#ifndef FL_SCN_STEADY_H
#define FL_SCN_STEADY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* A thread that keeps a CPU from being idle, and runs only when nothing else would (SCHED_IDLE). */
struct fl_scn_filler {
	pthread_t thread;
	bool runs;
	atomic_bool stop;
};

/*
 * The calling thread comes before all others that are not as it is (SCHED_FIFO), or no longer. Whoever may not do that
 * goes on as before: root in the box may. It must not spin while it does, or nobody else runs.
 */
void fl_scn_come_first(bool first);

/* filler: zero-filled. Without threads it does not run. */
void fl_scn_filler_start(struct fl_scn_filler *filler);
void fl_scn_filler_stop(struct fl_scn_filler *filler);

#endif
