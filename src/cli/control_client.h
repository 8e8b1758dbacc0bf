/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a guest's control socket (cli/control_server.h). */
#ifndef FL_CLI_CONTROL_CLIENT_H
#define FL_CLI_CONTROL_CLIENT_H

#include <stdio.h>

#include "faultline/faultline.h"

/*
 * Sends the request, without its newline, to the guest of that name and waits patience_ms (-1: for ever) for the first
 * line of the answer. 0, and *reply has what follows it, for the caller to close; -ENOENT: no such guest runs;
 * -ETIMEDOUT; -ECONNRESET: it ended before it answered; -EREMOTEIO: it refused. All with a sentence.
 */
FL_CHECKED int fl_cli_ask(int dir_fd, const char *name, const char *request, int patience_ms, FILE **reply,
			  struct fl_diag *diag);

#endif
