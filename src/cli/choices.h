/* SPDX-License-Identifier: Apache-2.0 */
/* The words that some options of "run" take. They stand in its table alone (cli/run_table.c). PURE. */
#ifndef FL_CLI_CHOICES_H
#define FL_CLI_CHOICES_H

#include "cli/verbs.h"

#define FL_CLI_CHOICES_TEXT_LEN 128

/* option: one of FL_CLI_OPTION_* that has choices. All return 0 or -EINVAL. */

/* The value of a word of len bytes. */
FL_CHECKED int fl_cli_find_choice(int option, const char *word, size_t len, unsigned int *value);

/* The same, with a sentence that names what can be said. */
FL_CHECKED int fl_cli_parse_choice(int option, const char *word, unsigned int *value, struct fl_diag *diag);

/* The word for a value; "?" if there is none. */
const char *fl_cli_choice_word(int option, unsigned int value);

/* "auto, always or never" */
const char *fl_cli_choices_text(const struct fl_cli_choice *choices, char text[FL_CLI_CHOICES_TEXT_LEN]);

#endif
