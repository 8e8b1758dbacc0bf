/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_TAKE_OPTION_H
#define FL_CLI_TAKE_OPTION_H

#include "cli/options.h"

/* What is there without any option. 0; -ENOMEM, or -EINVAL if "/" cannot be shared. */
FL_CHECKED int fl_cli_set_defaults(struct fl_cli_options *options, struct fl_diag *diag);

/* A fl_cli_take_fn (cli/parse.h) for the options of "run"; text must outlive options. */
FL_CHECKED int fl_cli_take_option(void *options, int value, const char *text, const char *next, bool *took_next,
				  struct fl_diag *diag);

#endif
