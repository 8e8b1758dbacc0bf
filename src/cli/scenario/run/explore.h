/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The race finder: a case with a free moment ("after span 0..3ms") is run again and again with that moment walked over
 * its span: evenly first, and then between any two neighbours that came out differently, so that the borders between
 * outcomes are found more exactly than the first walk would. What a moment really was is measured each time, since a
 * host that is busy is late.
 */
#ifndef FL_SCN_EXPLORE_H
#define FL_SCN_EXPLORE_H

#include "cli/scenario/run/runner.h"

/* What came of the case at some moments: the same steps came out in the same ways. */
struct fl_scn_outcome {
	char *text;  /* a line for each way of each step, by lines of the scenario */
	char *key;   /* the same without what no two runs share: by this outcomes are told apart */
	bool failed; /* the case's expectations did not hold then */
	uint64_t runs;
	uint64_t from_ns, to_ns;       /* the least and the greatest moment, as it was measured */
	struct fl_scn_result *example; /* the first of these runs; belongs to the results */
};

struct fl_scn_explored {
	const struct fl_scn_case *scenario_case;
	struct fl_scn_outcome *outcomes; /* by their first moment */
	size_t outcomes_count;
	uint64_t runs, late_ns; /* late_ns: by which the latest moment came after the one that was asked for */
};

/* Gets each case when it has been walked; *explored is gone afterwards. */
typedef void (*fl_scn_explored_fn)(void *arg, size_t number, const struct fl_scn_explored *explored);

/*
 * Explores the cases that opts choose (repeat, jobs and moment are passed over), `points` moments at first, as many
 * again between them. results has the first run of each outcome of each case. Errors as fl_scn_run(); -EINVAL if a case
 * has no span.
 */
FL_CHECKED int fl_scn_explore(const struct fl_scn_runner_opts *opts, uint32_t points, fl_scn_explored_fn fn, void *arg,
			      struct fl_scn_results *results, struct fl_diag *diag);

#endif
