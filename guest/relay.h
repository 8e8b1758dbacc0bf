/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries a command's standard streams between pipes, or a terminal, and virtio-console ports until it has ended and
 * all its output is on its way. Binary-safe; nothing is read without room to put it, so a slow reader on
 * either side slows the writer down and no one else.
 */
#ifndef FL_RELAY_H
#define FL_RELAY_H

#include <sys/types.h>

#include "fl_diag.h"
#include "guest/orders.h"

struct fl_relay_opts {
	pid_t command;	/* a child of this process; all children are reaped meanwhile */
	int sigchld_fd; /* signalfd for SIGCHLD, non-blocking */
	int stdin_port; /* ports: non-blocking, stay open */
	int stdout_port;
	int stderr_port;
	int stdin_pipe; /* this side's ends of the command's pipes: become non-blocking, are closed */
	int stdout_pipe;
	int stderr_pipe;
	/*
	 * Instead of the pipes: the command's terminal, -1 for none, and this process's hold on its other side, which
	 * is let go when the command has ended. Both are closed. The end of fl.stdin is typed as the terminal's
	 * end-of-file character; a host that does not read any more hangs it up.
	 */
	int master, slave;
	int grace_ms;		  /* how long children left behind may keep the command's output open */
	int connect_ms;		  /* how long a port may look closed (POLLHUP) at first before that is believed */
	struct fl_orders *orders; /* done meanwhile; NULL: there are none */
};

/*
 * Returns when the command has ended and either its output has ended too (EOF) or grace_ms have passed
 * and all that it wrote before its end is written to the ports. *wait_status as from waitpid().
 */
FL_CHECKED_RESULT int fl_relay_run(const struct fl_relay_opts *opts, int *wait_status, struct fl_diag *diag);

#endif
