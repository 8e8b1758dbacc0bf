/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's terminal for a command in the box. The one outside makes it raw, passes on its keys, and says how
 * large it is in the environment, and later by the guest's control socket; the one inside, which has only pipes, takes
 * that for a terminal of its own.
 */
#ifndef FL_CLI_BOX_TERMINAL_H
#define FL_CLI_BOX_TERMINAL_H

#include "cli/options.h"

/*
 * Runs the box as a child, with this program's standard input and output being terminals, and passes on signals; name:
 * the guest's, for its control socket. 0, and *status is what this program is to end with; -errno with a sentence.
 * There must be no other threads.
 */
FL_CHECKED int fl_cli_run_box_at_terminal(char *const *command, const char *name, int *status, struct fl_diag *diag);

/* Inside: was there a terminal, and how large? Outside, and without one: false. */
bool fl_cli_box_terminal(uint16_t *rows, uint16_t *cols);

/* Outside, where there is none. */
void fl_cli_forget_box_terminal(void);

#endif
