/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of scenarios in mdoc(7): what a manual page says of the table in scenario/ops.c. */
#ifndef FL_CLI_MANUAL_STEPS_H
#define FL_CLI_MANUAL_STEPS_H

#include <stdio.h>

#include "faultline/faultline.h"

#define FL_CLI_STEPS_MAX 128

struct fl_cli_steps_shown {
	bool any; /* the page has steps at all */
	bool shown[FL_CLI_STEPS_MAX];
};

/*
 * rest: "WHO NAME...", with both, guest or host: these steps of theirs; without a NAME, those that the page does not
 * have yet. -EINVAL with a sentence that names the line: there is no such step, or it is there already.
 */
FL_CHECKED int fl_cli_mdoc_steps(FILE *out, char *rest, struct fl_cli_steps_shown *shown, unsigned int line,
				 struct fl_diag *diag);
/* -EINVAL: the page has steps, but not all. */
FL_CHECKED int fl_cli_check_steps(const struct fl_cli_steps_shown *shown, struct fl_diag *diag);

#endif
