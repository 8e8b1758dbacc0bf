/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket of a guest: answers "faultline ps, status, inspect, faults, console, pause, resume, stop", on a
 * thread of its own. docs/control.md has the protocol: one line asks, the answer begins with a line "ok" or
 * "error SENTENCE", and ends with the connection.
 */
#ifndef FL_CLI_CONTROL_SERVER_H
#define FL_CLI_CONTROL_SERVER_H

#include <stdio.h>

#include "cli/ring.h"

#define FL_CLI_CONTROL_CLIENTS_MAX 16
#define FL_CLI_CONTROL_REQUEST_MAX 256 /* bytes, with the newline */

enum fl_cli_control_what { FL_CLI_CONTROL_PS, FL_CLI_CONTROL_STATUS, FL_CLI_CONTROL_INSPECT };

/* All are called on the server's thread, one at a time; those that can fail return -errno with a sentence. */
struct fl_cli_control_ops {
	int (*describe)(void *arg, enum fl_cli_control_what what, bool json, FILE *out, struct fl_diag *diag);
	int (*pause)(void *arg, struct fl_diag *diag);
	int (*resume)(void *arg, struct fl_diag *diag);
	/* asks for the guest's end, within timeout_s or at once; returns without waiting for it */
	void (*stop)(void *arg, uint32_t timeout_s);
	int (*resize)(void *arg, uint16_t rows, uint16_t columns, struct fl_diag *diag);
	void *arg;
	struct fl_cli_ring *console, *faults_text, *faults_json; /* outlive the server */
};

struct fl_cli_control;

/* Listens under that name. 0; -errno with a sentence, and nothing is left. The caller closes *control. */
FL_CHECKED int fl_cli_control_open(const char *name, const struct fl_cli_control_ops *ops,
				   struct fl_cli_control **control, struct fl_diag *diag);

/*
 * The guest has ended: tells those who wait for that, gives those who follow patience_ms to take the rest, and frees
 * all. NULL is allowed.
 */
void fl_cli_control_close(struct fl_cli_control *control, int patience_ms);

#endif
