/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One case, from its files to its verdict: what is said of it is in fl_scn_case, who lives where is in fl_scn_guests,
 * which the caller has made.
 */
#ifndef FL_SCN_CASE_RUN_H
#define FL_SCN_CASE_RUN_H

#include "cli/scenario/guests/guests.h"
#include "cli/scenario/results/result.h"

struct fl_scn_case_opts {
	const struct fl_scn_case *scenario_case;
	struct fl_scn_workdir *workdir;
	struct fl_scn_guests *const *guests; /* of each machine of the case */
	unsigned int number;		     /* counts the cases of this run, from 1 */
	uint64_t seed;
	unsigned int slowness; /* of the host: times that are stated are so many times as long at most */
	bool native;
	bool by_instructions; /* times are of instructions: of all threads on one CPU, and of nothing but them */
	bool keep;	      /* its files */
	bool has_span;	      /* a time of kind span is span_ns */
	uint64_t span_ns;
	bool (*cancelled)(void *arg); /* it is to end, without a verdict */
	void *cancelled_arg;
};

/*
 * Runs it. result: zero-filled but for what is known of it before; the verdict, what was seen, and why. 0; -errno only
 * without memory. Guests that are of no use afterwards say so (fl_scn_guests_live()).
 */
FL_CHECKED int fl_scn_case_run(const struct fl_scn_case_opts *opts, struct fl_scn_result *result);

/* How long it may take in all. */
uint64_t fl_scn_case_limit_ns(const struct fl_scn_case_opts *opts);

/* A number below `limit`, made of the case's seed and a place in it: the same each time. limit 0: any. Pure. */
uint64_t fl_scn_draw(uint64_t seed, uint64_t place, uint64_t limit);

#endif
