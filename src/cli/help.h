/* SPDX-License-Identifier: Apache-2.0 */
/* --help, from the table of verbs. Each text is at most 80 columns wide, and all but --help=all 24 lines long. */
#ifndef FL_CLI_HELP_H
#define FL_CLI_HELP_H

#include <stdio.h>

#include "cli/verbs.h"

/* What there is: the verbs. */
void fl_cli_print_help(FILE *out);

/* One verb. all: with the options that --help leaves out. */
void fl_cli_print_verb_help(FILE *out, const struct fl_cli_verb *verb, bool all);

#endif
