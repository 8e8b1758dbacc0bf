/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of the table of verbs in mdoc(7). */
#ifndef FL_CLI_MDOC_H
#define FL_CLI_MDOC_H

#include <stdio.h>

#include "cli/verbs.h"

/*
 * Prose, each sentence on lines of its own. Names of options are set as such, and so are the words that argument has
 * (NULL: none). capital: the first letter becomes one. Ends with a newline.
 */
void fl_cli_mdoc_text(FILE *out, const char *text, const char *argument, bool capital);

/* "[GUESTPATH=]WHICH", as part of a macro's line. */
void fl_cli_mdoc_argument(FILE *out, const char *argument);

/* What the option is for, and what it is where nothing is said, if the table knows. */
void fl_cli_mdoc_brief(FILE *out, const struct fl_cli_option *option);
void fl_cli_mdoc_default(FILE *out, const struct fl_cli_option *option);

/* One item of a list of options, with its choices. */
void fl_cli_mdoc_option(FILE *out, const struct fl_cli_option *option);

/* The whole list. */
void fl_cli_mdoc_exits(FILE *out, const struct fl_cli_exit_row *row);

#endif
