/* SPDX-License-Identifier: Apache-2.0 */
/* The scenarios of a command line: files, and what directories have. */
#ifndef FL_SCN_SCENARIO_READ_H
#define FL_SCN_SCENARIO_READ_H

#include "cli/scenario/language/scenario.h"

struct fl_scn_readings {
	struct fl_scn_reading **all;
	const struct fl_scn_text **texts; /* of all */
	size_t count;
};

/*
 * Reads each file, and each *.scn below each directory, by name. Errors in a scenario are printed to standard error as
 * PATH:LINE:COLUMN: sentence. 0; -EINVAL if there were errors (nothing is to be run then); -errno with a sentence in
 * diag, which is empty otherwise.
 */
FL_CHECKED int fl_scn_read_paths(char *const *paths, struct fl_scn_readings *readings, struct fl_diag *diag);
void fl_scn_readings_fini(struct fl_scn_readings *readings);

#endif
