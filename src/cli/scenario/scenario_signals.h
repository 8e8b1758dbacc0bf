/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT, SIGTERM and SIGHUP while scenarios run: the first asks for an end, the second is one. */
#ifndef FL_SCN_SIGNALS_H
#define FL_SCN_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

struct fl_scn_signals {
	sigset_t set;
	pthread_t thread;
	bool has_thread;
	atomic_bool over;
	atomic_int first; /* number of the signal that came; 0: none */
};

/* To be called before other threads are started: these inherit what is blocked. */
void fl_scn_signals_start(struct fl_scn_signals *signals);
void fl_scn_signals_stop(struct fl_scn_signals *signals);

#endif
