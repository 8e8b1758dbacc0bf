/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's own events as lines of JSON: docs/events.md. */
#ifndef FL_CLI_EVENT_LINES_H
#define FL_CLI_EVENT_LINES_H

#include "cli/options.h"

struct fl_cli_start_event {
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint32_t pid;
	const char *name;
	uint32_t vcpus;
	uint64_t ram_len;
	const struct fl_vm_status *status;
	const struct fl_cli_options *options; /* whose shares are told of; NULL: none */
};

struct fl_cli_end_event {
	uint64_t time_ns;
	enum fl_end end;
	int code;
	int status;	  /* the launcher's exit status */
	const char *text; /* "": nothing to add */
	const struct fl_counters *counters;
	uint64_t lost_events;
};

/* A line without a newline, for the caller to free(), and its length; NULL and 0: no memory. */
char *fl_cli_start_line(const struct fl_cli_start_event *event, size_t *len);
char *fl_cli_window_line(const struct fl_window_event *event, size_t *len);
char *fl_cli_end_line(const struct fl_cli_end_event *event, size_t *len);

#endif
