/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a verb on the command line, by its table (cli/verbs.h). */
#ifndef FL_CLI_PARSE_H
#define FL_CLI_PARSE_H

#include "cli/verbs.h"

/*
 * One option. text: its value, NULL where it has none; points into argv. next: the word behind it, or NULL; an option
 * without a value that takes it as one sets *took_next. 0; -errno with a sentence.
 */
typedef int (*fl_cli_take_fn)(void *target, int value, const char *text, const char *next, bool *took_next,
			      struct fl_diag *diag);

/*
 * argv[0] is the verb. *used: how many words of argv were options, the verb and a "--" counted; *separated: there was
 * that "--". Options end at the first word that is none. getopt_long() keeps its place in globals: only one thread may
 * parse. 0; -EINVAL, or what take returns, with a sentence.
 */
FL_CHECKED int fl_cli_take_options(const struct fl_cli_verb *verb, int argc, char **argv, fl_cli_take_fn take,
				   void *target, int *used, bool *separated, struct fl_diag *diag);

#endif
