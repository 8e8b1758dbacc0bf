/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/run/steady.h"

#include <sched.h>

static void *fill(void *arg)
{
	struct fl_scn_filler *filler = arg;
	const struct sched_param none = {0};

	/* at any other priority it would take the CPU from the guest: then the machine's clock is the smaller evil */
	if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0)
		return NULL;
	while (!atomic_load_explicit(&filler->stop, memory_order_relaxed))
		;
	return NULL;
}

void fl_scn_come_first(bool first)
{
	const struct sched_param param = {.sched_priority = first ? 1 : 0};

	(void)pthread_setschedparam(pthread_self(), first ? SCHED_FIFO : SCHED_OTHER, &param);
}

void fl_scn_filler_start(struct fl_scn_filler *filler)
{
	filler->runs = pthread_create(&filler->thread, NULL, fill, filler) == 0;
}

void fl_scn_filler_stop(struct fl_scn_filler *filler)
{
	atomic_store_explicit(&filler->stop, true, memory_order_relaxed);
	if (filler->runs)
		pthread_join(filler->thread, NULL);
	filler->runs = false;
}
