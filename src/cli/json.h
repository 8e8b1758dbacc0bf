/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's own events as lines of JSON, without a newline: docs/events.md. PURE. */
#ifndef FL_CLI_JSON_H
#define FL_CLI_JSON_H

#include "faultline/faultline.h"

struct fl_cli_start_event {
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint32_t pid;
	const char *name;
	uint32_t vcpus;
	uint64_t ram_len;
	const struct fl_vm_status *status;
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

/* As snprintf(): the length that the whole line has; always NUL-terminated. */
int fl_cli_json_start(const struct fl_cli_start_event *event, char *buf, size_t buf_len);
int fl_cli_json_window(const struct fl_window_event *event, char *buf, size_t buf_len);
int fl_cli_json_end(const struct fl_cli_end_event *event, char *buf, size_t buf_len);

#endif
