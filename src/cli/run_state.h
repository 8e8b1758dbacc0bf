/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "faultline run" while it runs, for its parts:
 *
 *	run.c		from the options to the exit status
 *	run_end.c	waits for the end: of the guest, the time limit, somebody's patience
 *	run_control.c	what the control socket can ask for
 *	run_tell.c	the events of the start and the end
 */
#ifndef FL_CLI_RUN_STATE_H
#define FL_CLI_RUN_STATE_H

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "cli/control_server.h"
#include "cli/describe.h"
#include "cli/machine.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/passt.h"
#include "cli/terminal.h"

/* How other threads tell the main thread; the library's own kick is a real-time signal. */
#define FL_CLI_ENDED_SIGNAL SIGUSR2 /* the guest has ended */
#define FL_CLI_STOP_SIGNAL  SIGUSR1 /* "faultline stop" */

struct fl_cli_run_state {
	const struct fl_cli_options *options;
	const struct fl_cli_kernel *kernel;
	struct fl_cli_output output;
	struct fl_cli_passt passt;
	struct fl_vm *vm;
	struct fl_cli_terminal *terminal; /* NULL: this program has none, or the command needs none */
	struct fl_cli_streams streams;
	pthread_t main_thread;
	sigset_t signals; /* blocked in all threads, taken by sigtimedwait() */
	int64_t started_ms;
	int64_t deadline_ms; /* of --timeout; 0: none */
	bool interrupted;    /* by a signal or that limit, whose handling is the default's from then on */
	int wait_error;
	struct fl_result result;
	struct fl_cli_control *control; /* NULL: there is none */
	struct fl_cli_described described;
	atomic_uint stop_timeout_s; /* of "faultline stop" */
	atomic_bool stop_asked;	    /* by it */
	atomic_uint told_size;	    /* by the control socket: rows << 16 | columns */
};

/* CLOCK_MONOTONIC */
int64_t fl_cli_now_ms(void);

/* A sentence on standard error. The library's have no full stop, the launcher's own have one. */
void fl_cli_say(const char *text);

/* The signal that came; 0 after the time limit. deadline_ms: 0 for none. */
int fl_cli_run_next_signal(const sigset_t *signals, int64_t deadline_ms);

/* Waits until the guest has ended, says why if that needs words, and returns the exit status. */
int fl_cli_run_judge(struct fl_cli_run_state *run);

/* SIGWINCH: the guest's terminal becomes as large as the launcher's, or as the control socket has told. */
void fl_cli_run_resize(struct fl_cli_run_state *run);

/* The launcher's terminal is as it was; what is said from then on has ordinary lines. May be repeated. */
void fl_cli_run_leave_terminal(struct fl_cli_run_state *run);

/* A guest can do without a control socket, so only a name that somebody chose is worth an error. */
FL_CHECKED int fl_cli_run_open_control(struct fl_cli_run_state *run, struct fl_diag *diag);

/* Before the start, so that it comes before the first fault. */
void fl_cli_run_tell_start(struct fl_cli_run_state *run);
void fl_cli_run_tell_end(struct fl_cli_run_state *run, int status, const char *text);

#endif
