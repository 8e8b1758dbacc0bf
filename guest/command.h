/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the command of a configuration, with pipes or a terminal for its standard streams. */
#ifndef FL_COMMAND_H
#define FL_COMMAND_H

#include <signal.h>
#include <sys/types.h>

#include "guest/conf_parse.h"

/* As a shell would say it; FL_EXIT_SETUP: what has to be there before the command is not. */
#define FL_EXIT_SETUP	       125
#define FL_EXIT_NOT_EXECUTABLE 126
#define FL_EXIT_NOT_FOUND      127

struct fl_child {
	pid_t pid;
	int pipes[3]; /* this side of its standard streams, the caller's to close; -1 each with a terminal */
	int master;   /* of its terminal, and the other side, which keeps the terminal from looking closed too early */
	int slave;    /* both the caller's to close; -1 without a terminal */
};

/*
 * mask: the signals that the command blocks. On failure nothing is left, and *exit_code says what to report.
 */
FL_CHECKED_RESULT int fl_command_start(const struct fl_conf *conf, const sigset_t *mask, struct fl_child *child,
				       int *exit_code, struct fl_diag *diag);

#endif
