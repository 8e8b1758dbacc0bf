/* SPDX-License-Identifier: Apache-2.0 */
/* What the library says while a guest runs, on standard error. The functions are the library's callbacks. */
#ifndef FL_CLI_OUTPUT_H
#define FL_CLI_OUTPUT_H

#include <pthread.h>
#include <stdio.h>

#include "faultline/faultline.h"

#define FL_CLI_CONSOLE_TAIL_LEN 2048

struct fl_cli_output {
	FILE *out;
	bool show_console;    /* else the end of it is kept, for a guest that dies */
	pthread_mutex_t lock; /* guards the tail: vCPU threads write, the main thread reads */
	size_t tail_used;
	char tail[FL_CLI_CONSOLE_TAIL_LEN];
};

void fl_cli_output_init(struct fl_cli_output *output, FILE *out, bool show_console);
void fl_cli_output_fini(struct fl_cli_output *output);

void fl_cli_on_log(void *output, enum fl_log_level level, const char *text);
void fl_cli_on_fault(void *output, const struct fl_fault *fault);
void fl_cli_on_console(void *output, const void *bytes, size_t len);

/* The last lines of the guest's console, indented, unless they were shown all the time. */
void fl_cli_print_console_tail(struct fl_cli_output *output);

#endif
