/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that runs, for "faultline ps, status, inspect": as text and as JSON (docs/control.md). */
#ifndef FL_CLI_DESCRIBE_H
#define FL_CLI_DESCRIBE_H

#include "cli/control_server.h"
#include "cli/options.h"

struct fl_cli_described {
	struct fl_vm *vm;
	const struct fl_cli_options *options;
	const char *kernel; /* path */
	uint32_t pid;
};

/* For people, a line or a page; ps as "NAME\tPID\tSTATE\tUP\tCPUS\tMEMORY\tFAULTS\tCOMMAND". 0; -errno with a sentence.
 */
FL_CHECKED int fl_cli_describe_text(const struct fl_cli_described *described, enum fl_cli_control_what what, FILE *out,
				    struct fl_diag *diag);

/* One object on one line; ps and status are the same. */
FL_CHECKED int fl_cli_describe_json(const struct fl_cli_described *described, enum fl_cli_control_what what, FILE *out,
				    struct fl_diag *diag);

#endif
