/* SPDX-License-Identifier: Apache-2.0 */
/* The files that results are written to: opened before anything runs, so that a wrong path costs nobody a run. */
#ifndef FL_SCN_OUTPUTS_H
#define FL_SCN_OUTPUTS_H

#include "cli/scenario/results/result.h"
#include "cli/scenario/scenario_options.h"

#define FL_SCN_OUTPUTS 3u

struct fl_scn_outputs {
	int fds[FL_SCN_OUTPUTS]; /* of --junit, --json, --html, in this order; -1: not wanted */
};

/* The option of each, for messages, and its value; NULL: not wanted. */
const char *fl_scn_output_option(size_t index);
const char *fl_scn_output_path(const struct fl_scn_options *options, size_t index);

/* 0, or -errno with a sentence and nothing to close. */
FL_CHECKED int fl_scn_outputs_open(const struct fl_scn_options *options, struct fl_scn_outputs *outputs,
				   struct fl_diag *diag);
/* Writes and closes all. 0, or -errno with a sentence about the first that failed. */
FL_CHECKED int fl_scn_outputs_write(struct fl_scn_outputs *outputs, const struct fl_scn_options *options,
				    const struct fl_scn_results *results, struct fl_diag *diag);
void fl_scn_outputs_close(struct fl_scn_outputs *outputs);

#endif
