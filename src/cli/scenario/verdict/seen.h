/* SPDX-License-Identifier: Apache-2.0 */
/* What came of the steps of a case, on both sides, as it is collected while it runs. Times: host's CLOCK_MONOTONIC. */
#ifndef FL_SCN_SEEN_H
#define FL_SCN_SEEN_H

#include "cli/scenario/language/scenario.h"

/* One way in which a step came out. */
struct fl_scn_seen {
	enum fl_scn_outcome_kind kind;
	int32_t code;
	uint64_t value, addr;
	uint32_t map;	     /* that addr lies in, FL_SCN_NO_MAP: none */
	uint64_t offset;     /* of addr in it */
	bool has_records;    /* in its machine; then what the one said that came with the signal */
	enum fl_cause cause; /* FL_CAUSE_NONE: none came */
	enum fl_access access;
	uint64_t begin_ns, end_ns; /* of the first time */
	uint64_t last_ns, longest_ns;
	uint64_t count;
};

struct fl_scn_step_seen {
	struct fl_scn_seen *all;
	uint32_t count;
};

struct fl_scn_actor_seen {
	struct fl_scn_step_seen *steps; /* as many as the actor has */
	bool done;			/* it has ended */
	uint32_t signal;		/* that ended its process; 0: none */
	uint32_t next_step;		/* where it ended */
	uint64_t turns;			/* of its loops */
	uint64_t clock_error_ns;	/* by which its times may be off */
};

/* Makes room for all steps of all actors of a case; NULL without memory. */
struct fl_scn_actor_seen *fl_scn_seen_new(const struct fl_scn_case *scenario_case);
void fl_scn_seen_free(struct fl_scn_actor_seen *seen, const struct fl_scn_case *scenario_case); /* NULL allowed */

/*
 * Adds one that is the step's `number`-th way, from 0, or counts the one that is there. -EINVAL: numbers that do not
 * follow one another, or beyond FL_SCN_OUTCOMES_MAX; -ENOMEM.
 */
FL_CHECKED int fl_scn_seen_add(struct fl_scn_step_seen *step, uint32_t number, const struct fl_scn_seen *seen);
/* Adds it to the one that is like it, or as a new one; more than FL_SCN_OUTCOMES_MAX are counted in the last. */
FL_CHECKED int fl_scn_seen_count(struct fl_scn_step_seen *step, const struct fl_scn_seen *seen);

#endif
