/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_PS_H
#define FL_CLI_PS_H

#include <stdio.h>

#include "faultline/faultline.h"

/*
 * Lists the guests of the directory of control sockets (below 0: there is none): a table, or an array of JSON objects.
 * Returns the exit status; 1 with a sentence.
 */
int fl_cli_ps(int dir_fd, bool json, FILE *out, struct fl_diag *diag);

/* Rows of fields with tabs between them, as columns two blanks apart. PURE but for out. */
void fl_cli_print_columns(char *const *rows, size_t count, FILE *out);

#endif
