/* SPDX-License-Identifier: Apache-2.0 */
/* What the library says while a guest runs, on standard error. The functions are the library's callbacks. */
#ifndef FL_CLI_OUTPUT_H
#define FL_CLI_OUTPUT_H

#include <pthread.h>
#include <stdio.h>

#include "cli/events.h"
#include "cli/options.h"
#include "cli/ring.h"

#define FL_CLI_CONSOLE_TAIL_LEN 2048

/* What is kept for "faultline console" and "faultline faults". */
#define FL_CLI_CONSOLE_LEN ((size_t)64 << 10)
#define FL_CLI_FAULTS_LEN  ((size_t)256 << 10)

/* Lines about faults: so many at once, and so many a second from then on. */
#define FL_CLI_FAULT_LINES_BURST 50u
#define FL_CLI_FAULT_LINES_RATE	 10u

struct fl_cli_output {
	FILE *out;
	const char *_Atomic line_end; /* "\n"; "\r\n" while the terminal is raw. Changed while the guest does not run */
	const struct fl_cli_options *options; /* what the tags of shares stand for; NULL: for themselves */
	FILE *console_out;		      /* where the console is shown: out, until somebody changes it */
	bool show_console;		      /* else the end of it is shown of a guest that dies */
	struct fl_cli_events events;
	struct fl_cli_ring console, faults_text, faults_json;
	pthread_mutex_t lock;	 /* guards the rest: vCPU threads write, the main thread reads */
	uint64_t fault_lines_ns; /* CLOCK_MONOTONIC: until when the lines said so far use the rate up */
	uint64_t fault_lines_left_out;
};

void fl_cli_output_init(struct fl_cli_output *output, FILE *out, bool show_console);
void fl_cli_output_fini(struct fl_cli_output *output);

void fl_cli_on_log(void *output, enum fl_log_level level, const char *text);
void fl_cli_on_fault(void *output, const struct fl_fault *fault);
void fl_cli_on_window(void *output, const struct fl_window_event *event);
void fl_cli_on_console(void *output, const void *bytes, size_t len);

/*
 * Is there room for one more line at now_ns, of which `rate` a second are allowed after a burst? *busy_ns: 0 at
 * first; moved on by a line that has room. PURE.
 */
bool fl_cli_line_has_room(uint64_t *busy_ns, uint64_t now_ns, uint32_t burst, uint32_t rate);

/* Says how many faults had no line since the last one that had, if any. */
void fl_cli_print_left_out(struct fl_cli_output *output);

/* The last lines of the guest's console, indented, unless they were shown all the time. */
void fl_cli_print_console_tail(struct fl_cli_output *output);

#endif
