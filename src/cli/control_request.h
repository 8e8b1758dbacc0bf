/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a control socket is asked, one line (docs/control.md):
 *
 *	ps|status|inspect text|json
 *	faults text|json [follow]
 *	console [follow]
 *	pause | resume
 *	stop SECONDS		0: at once
 *	terminal ROWS COLUMNS
 *
 * PURE.
 */
#ifndef FL_CLI_CONTROL_REQUEST_H
#define FL_CLI_CONTROL_REQUEST_H

#include "cli/control_server.h"

enum fl_cli_control_verb {
	FL_CLI_CONTROL_DESCRIBE,
	FL_CLI_CONTROL_FAULTS,
	FL_CLI_CONTROL_CONSOLE,
	FL_CLI_CONTROL_PAUSE,
	FL_CLI_CONTROL_RESUME,
	FL_CLI_CONTROL_STOP,
	FL_CLI_CONTROL_TERMINAL,
};

#define FL_CLI_CONTROL_STOP_MAX_S 86400u

struct fl_cli_control_request {
	enum fl_cli_control_verb verb;
	enum fl_cli_control_what what; /* of FL_CLI_CONTROL_DESCRIBE */
	bool json, follow;
	uint32_t timeout_s;
	uint32_t rows, columns; /* 65535 at most */
};

/* line: without its newline. -EINVAL with a sentence. */
FL_CHECKED int fl_cli_control_parse(const char *line, struct fl_cli_control_request *request, struct fl_diag *diag);

#endif
