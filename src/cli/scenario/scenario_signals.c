/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_signals.h"

#include <stdio.h>
#include <unistd.h>

#define WAKE_SIGNAL SIGURG /* which does nothing to anybody else */

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
		if (number == WAKE_SIGNAL)
			continue;
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

/* Whoever started this may want it to outlive some, as nohup(1) does. */
static bool is_ignored(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void fl_scn_signals_start(struct fl_scn_signals *signals)
{
	static const int enders[] = {SIGINT, SIGTERM, SIGHUP};

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals->set);
	sigaddset(&signals->set, WAKE_SIGNAL);
	for (size_t i = 0; i < sizeof(enders) / sizeof(enders[0]); i++)
		if (!is_ignored(enders[i]))
			sigaddset(&signals->set, enders[i]);
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
	pthread_kill(signals->thread, WAKE_SIGNAL);
	pthread_join(signals->thread, NULL);
	signals->has_thread = false;
}
