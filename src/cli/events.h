/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file or pipe that --events names. Lines are taken on any thread, which never waits, and written by a thread of
 * this one's own, each in one write(2). A reader that is too slow loses lines, which are counted; whatever goes
 * wrong is said once, and the guest goes on.
 */
#ifndef FL_CLI_EVENTS_H
#define FL_CLI_EVENTS_H

#include <pthread.h>
#include <stdio.h>

#include "faultline/faultline.h"

#define FL_CLI_EVENTS_ROOM (4u << 20) /* bytes that wait for a slow reader */

struct fl_cli_events {
	int fd; /* -1: there are none */
	FILE *complaints;
	const char *where;
	pthread_t thread;
	int wake_fd; /* eventfd: the thread should look */

	pthread_mutex_t lock; /* guards the rest */
	char *waiting;
	size_t waiting_len, waiting_size;
	size_t taken_len; /* of what the thread has taken to write, and not written yet */
	uint64_t lost;
	bool failed;
	bool closing;
};

/* The place for events that where, as below, means. A descriptor; -errno with a sentence. */
FL_CHECKED int fl_cli_open_events(const char *where, struct fl_diag *diag);

/* where: "FILE" (made anew) or "fd:N"; must outlive events. 0; -errno with a sentence, and nothing to close. */
FL_CHECKED int fl_cli_events_open(struct fl_cli_events *events, const char *where, FILE *complaints,
				  struct fl_diag *diag);

/* For one that was never opened. */
void fl_cli_events_none(struct fl_cli_events *events);

/* line: without a newline; NULL: there was no memory for it, it is lost. last: taken even where there is no room any
 * more. */
void fl_cli_events_put(struct fl_cli_events *events, const char *line, size_t len, bool last);

uint64_t fl_cli_events_lost(struct fl_cli_events *events);

/* Writes what is waiting, for patience_ms at most, and closes it. Also of one that has none. */
void fl_cli_events_close(struct fl_cli_events *events, int patience_ms);

#endif
