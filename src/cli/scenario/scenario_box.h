/* SPDX-License-Identifier: Apache-2.0 */
/* Where this host runs no Linux guests, or is not the one that is wanted, the same command line is run in the box. */
#ifndef FL_SCN_BOX_H
#define FL_SCN_BOX_H

#include "cli/scenario/scenario_options.h"
#include "cli/scenario/scenario_read.h"

/*
 * 0: the scenarios are to be run here. -errno with a sentence; -EINVAL: the options cannot be had together. Does not
 * return where the box takes over.
 */
FL_CHECKED int fl_scn_enter_box(const struct fl_scn_options *options, const struct fl_scn_readings *readings,
				char **argv, struct fl_diag *diag);

/* Of the box that this is in; NULL: it is in none, or in one that does not say so. */
const char *fl_scn_box_kernel(void);
/* Is time in this box the count of its instructions? */
bool fl_scn_box_counts(void);

#endif
