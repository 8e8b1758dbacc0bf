/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_signals.h"

#include <stdio.h>
#include <unistd.h>

/* As if nobody had asked for it: whoever waits for this process learns of which signal it ended. */
static void die_of(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	(void)kill(getpid(), number);
}

static void *watch(void *arg)
{
	struct fl_scn_signals *signals = arg;
	int number;

	while (sigwait(&signals->set, &number) == 0 && !atomic_load(&signals->over)) {
		if (atomic_load(&signals->first)) {
			die_of(number);
			continue;
		}
		atomic_store(&signals->first, number);
		fprintf(stderr,
			"\nfaultline: a signal: the cases that run are ended; a second one ends all at once.\n");
	}
	return NULL;
}

void fl_scn_signals_start(struct fl_scn_signals *signals)
{
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals->set);
	sigaddset(&signals->set, SIGINT);
	sigaddset(&signals->set, SIGTERM);
	sigaddset(&signals->set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
	signals->has_thread = pthread_create(&signals->thread, NULL, watch, signals) == 0;
	/* without it they do what they do to any program */
	if (!signals->has_thread)
		pthread_sigmask(SIG_UNBLOCK, &signals->set, NULL);
}

void fl_scn_signals_stop(struct fl_scn_signals *signals)
{
	if (!signals->has_thread)
		return;
	atomic_store(&signals->over, true);
	pthread_kill(signals->thread, SIGTERM);
	pthread_join(signals->thread, NULL);
	signals->has_thread = false;
}
