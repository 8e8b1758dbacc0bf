/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/verdict/seen.h"

#include <errno.h>
#include <stdlib.h>

struct fl_scn_actor_seen *fl_scn_seen_new(const struct fl_scn_case *scenario_case)
{
	struct fl_scn_actor_seen *seen = calloc(scenario_case->actors_count + 1, sizeof(*seen));

	for (uint32_t i = 0; seen && i < scenario_case->actors_count; i++) {
		seen[i].steps = calloc(scenario_case->actors[i].steps_count + 1, sizeof(*seen[i].steps));
		if (!seen[i].steps) {
			fl_scn_seen_free(seen, scenario_case);
			return NULL;
		}
	}
	return seen;
}

void fl_scn_seen_free(struct fl_scn_actor_seen *seen, const struct fl_scn_case *scenario_case)
{
	for (uint32_t i = 0; seen && i < scenario_case->actors_count; i++) {
		for (uint32_t step = 0; seen[i].steps && step < scenario_case->actors[i].steps_count; step++)
			free(seen[i].steps[step].all);
		free(seen[i].steps);
	}
	free(seen);
}

int fl_scn_seen_add(struct fl_scn_step_seen *step, uint32_t number, const struct fl_scn_seen *seen)
{
	if (number > step->count || number >= FL_SCN_OUTCOMES_MAX)
		return -EINVAL;
	if (number == step->count) {
		struct fl_scn_seen *all = realloc(step->all, (number + 1) * sizeof(*all));

		if (!all)
			return -ENOMEM;
		step->all = all;
		step->count++;
		all[number] = *seen;
	} else {
		step->all[number].count += seen->count;
		step->all[number].last_ns = seen->last_ns;
		if (seen->longest_ns > step->all[number].longest_ns)
			step->all[number].longest_ns = seen->longest_ns;
	}
	return 0;
}

static bool is_like(const struct fl_scn_seen *a, const struct fl_scn_seen *b)
{
	return a->kind == b->kind && a->value == b->value && a->code == b->code && a->map == b->map &&
	       a->cause == b->cause && a->access == b->access &&
	       (a->map == FL_SCN_NO_MAP ? a->addr == b->addr : a->offset == b->offset);
}

int fl_scn_seen_count(struct fl_scn_step_seen *step, const struct fl_scn_seen *seen)
{
	uint32_t number = 0;

	while (number < step->count && !is_like(&step->all[number], seen))
		number++;
	return fl_scn_seen_add(step, number < FL_SCN_OUTCOMES_MAX ? number : FL_SCN_OUTCOMES_MAX - 1, seen);
}
