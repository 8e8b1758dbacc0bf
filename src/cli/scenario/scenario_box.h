/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios on an emulated host, where this one cannot run Linux guests. */
#ifndef FL_SCN_BOX_H
#define FL_SCN_BOX_H

#include "cli/scenario/scenario_options.h"

/*
 * Becomes the box, which runs the same command line, if the options ask for it, or leave it open and this host cannot
 * run Linux guests. Then it does not return. 0: they are to run here; -errno with a sentence. No other threads.
 */
FL_CHECKED int fl_scn_enter_box(const struct fl_scn_options *options, bool needs_linux, char **argv,
				struct fl_diag *diag);

#endif
