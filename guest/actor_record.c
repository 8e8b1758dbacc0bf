/* SPDX-License-Identifier: Apache-2.0 */
/* What came of an actor's steps, in memory that the manager reads while it is written. */
#include "guest/actor_script.h"

/* How many of a kind are told apart: the shares of scenario_wire.h. */
static uint32_t share_of(enum fl_scn_outcome_kind kind)
{
	switch (kind) {
	case FL_SCN_DID:
		return FL_SCN_OUTCOMES_DID;
	case FL_SCN_ERROR:
		return FL_SCN_OUTCOMES_ERROR;
	case FL_SCN_SIGNAL:
		return FL_SCN_OUTCOMES_SIGNAL;
	case FL_SCN_KILLED:
	case FL_SCN_LATE:
	case FL_SCN_CANNOT:
	default:
		return FL_SCN_OUTCOMES_SPECIAL;
	}
}
_Static_assert(FL_SCN_OUTCOMES_DID + FL_SCN_OUTCOMES_ERROR + FL_SCN_OUTCOMES_SIGNAL + 3 * FL_SCN_OUTCOMES_SPECIAL ==
		       FL_SCN_OUTCOMES_MAX,
	       "every kind finds room");

static bool is_same(const struct fl_actor_outcome *a, const struct fl_actor_outcome *b)
{
	if (a->kind != b->kind || a->value != b->value || a->code != b->code || a->map != b->map ||
	    a->cause != b->cause || a->access != b->access)
		return false;
	/* a mapping that is made anew may lie elsewhere */
	return a->map == FL_SCN_NO_MAP ? a->addr == b->addr : a->offset == b->offset;
}

static void count(struct fl_actor_outcomes *outcomes, uint32_t number, const struct fl_actor_outcome *outcome)
{
	struct fl_actor_outcome *counted = &outcomes->each[number];
	uint64_t took = outcome->end_ns - outcome->begin_ns;

	counted->count++;
	counted->last_ns = outcome->end_ns;
	if (took > counted->longest_ns)
		counted->longest_ns = took;
	outcomes->last = number;
}

/* The one that it is, or is counted as; outcomes->count if there is room for a new one. */
static uint32_t find(const struct fl_actor_outcomes *outcomes, const struct fl_actor_outcome *outcome)
{
	uint32_t of_kind = 0, last_of_kind = 0;

	for (uint32_t i = 0; i < outcomes->count; i++) {
		if (is_same(&outcomes->each[i], outcome))
			return i;
		if (outcomes->each[i].kind != outcome->kind)
			continue;
		of_kind++;
		last_of_kind = i;
	}
	return of_kind < share_of(outcome->kind) ? outcomes->count : last_of_kind;
}

bool fl_actor_record(struct fl_actor *actor, uint32_t step, const struct fl_actor_outcome *outcome)
{
	struct fl_actor_outcomes *outcomes = &actor->outcomes[step];
	uint32_t number;

	if (outcomes->count && is_same(&outcomes->each[outcomes->last], outcome)) {
		count(outcomes, outcomes->last, outcome);
		return false;
	}
	number = find(outcomes, outcome);
	if (number < outcomes->count) {
		count(outcomes, number, outcome);
		return false;
	}
	outcomes->each[number] = *outcome;
	outcomes->each[number].count = 0;
	count(outcomes, number, outcome);
	outcomes->count++;
	fl_actor_log(actor, step | number << 8);
	return true;
}

void fl_actor_log(struct fl_actor *actor, uint32_t entry)
{
	uint32_t len = actor->log_len;

	if (len == FL_ACTOR_LOG_MAX)
		return;
	actor->log[len] = (uint16_t)entry;
	__atomic_store_n(&actor->log_len, len + 1, __ATOMIC_RELEASE);
}
