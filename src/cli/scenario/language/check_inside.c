/* SPDX-License-Identifier: Apache-2.0 */
/* What the host does inside faults: each is asked about by somebody's policy, is begun once, and is answered. */
#include <inttypes.h>
#include <string.h>

#include "cli/scenario/language/build.h"

static const struct fl_scn_share *find_asking(const struct fl_scn_machine *machine)
{
	for (uint32_t i = 0; i < machine->shares_count; i++)
		for (uint32_t j = 0; j < FL_POLICY_MAX; j++)
			if (machine->shares[i].policy.action[j] == FL_ACTION_ASK)
				return &machine->shares[i];
	return NULL;
}

/* The first step inside this fault; number 0: inside any of the machine's. */
static const struct fl_scn_step *find_inside(const struct fl_scn_build *build, uint64_t machine, uint64_t number)
{
	for (uint32_t i = 0; i < build->made->actors_count; i++)
		for (uint32_t j = 0; j < build->actors[i].steps_count; j++) {
			const struct fl_scn_step *step = &build->steps[i][j];

			if (step->row->op == FL_SCN_HOST_INSIDE && step->operands[1].n == machine &&
			    (number == 0 || step->operands[0].n == number))
				return step;
		}
	return NULL;
}

static bool check_begin(struct fl_scn_build *build, const struct fl_scn_step *step, const struct fl_scn_step *held)
{
	uint64_t number = step->operands[0].n;
	const struct fl_scn_machine *machine = &build->machines[step->operands[1].n];
	const struct fl_scn_step *first = find_inside(build, step->operands[1].n, number);

	if (held)
		return fl_scn_wrong(
			build->reader, step->pos,
			"A CPU is still held, inside the fault of line %u: put an \"answer\" before this step.",
			held->pos.line);
	if (number == 0)
		return fl_scn_wrong(build->reader, step->pos, "Faults are counted from 1: this one never comes.");
	if (first != step)
		return fl_scn_wrong(build->reader, step->pos,
				    "The steps behind line %u are inside this fault already: take another one.",
				    first->pos.line);
	if (!find_asking(machine))
		return fl_scn_wrong(
			build->reader, step->pos,
			"No share of the machine %s asks what is to be done with a fault: give one a policy "
			"like ask,reflect,stop.",
			machine->name);
	return true;
}

/* Steps that have no place between the two, or none in a loop. */
static bool check_place(struct fl_scn_build *build, const struct fl_scn_step *step, const struct fl_scn_step *held,
			uint32_t depth)
{
	uint32_t op = step->row->op;

	if (depth && (op == FL_SCN_HOST_INSIDE || op == FL_SCN_HOST_ANSWER))
		return fl_scn_wrong(build->reader, step->pos,
				    "A fault comes once: put this step before or behind the loop.");
	if (held && (op == FL_SCN_HOST_PAUSE || op == FL_SCN_HOST_RESUME) && step->operands[0].n == held->operands[1].n)
		return fl_scn_wrong(
			build->reader, step->pos,
			"A machine with a CPU that is held inside a fault, in line %u, cannot be paused: put "
			"this before it, or behind its answer.",
			held->pos.line);
	return true;
}

static bool check_answer(struct fl_scn_build *build, struct fl_scn_step *step, const struct fl_scn_step *held)
{
	if (!held)
		return fl_scn_wrong(build->reader, step->pos,
				    "No CPU is held here: put a step like \"inside fault 1\" before this one.");
	step->operands[1].n = held->operands[0].n;
	step->operands[2].n = held->operands[1].n;
	return true;
}

static bool check_host(struct fl_scn_build *build, uint32_t actor)
{
	const struct fl_scn_step *held = NULL;
	uint32_t depth = 0;
	bool good = true;

	for (uint32_t i = 0; i < build->actors[actor].steps_count; i++) {
		struct fl_scn_step *step = &build->steps[actor][i];

		depth += step->row->op == FL_SCN_OP_LOOP;
		depth -= step->row->op == FL_SCN_OP_END;
		good &= check_place(build, step, held, depth);
		if (step->row->op == FL_SCN_HOST_INSIDE) {
			good &= check_begin(build, step, held);
			held = step;
		} else if (step->row->op == FL_SCN_HOST_ANSWER) {
			good &= check_answer(build, step, held);
			held = NULL;
		}
	}
	return !held ? good
		     : fl_scn_wrong(
			       build->reader, held->pos,
			       "The CPU is never let go on: put a step like \"answer retry\" behind those that are "
			       "inside the fault.");
}

bool fl_scn_check_inside(struct fl_scn_build *build)
{
	bool good = true;

	for (uint32_t i = 0; i < build->made->actors_count; i++)
		good &= !build->actors[i].by_host || check_host(build, i);
	for (uint32_t i = 0; i < build->made->machines_count; i++) {
		const struct fl_scn_share *asking = find_asking(&build->machines[i]);

		if (asking && !find_inside(build, i, 0))
			good &= fl_scn_wrong(build->reader, asking->pos,
					     "Nobody answers what this policy asks: put steps \"inside fault 1\" and "
					     "\"answer retry\" into a host, or take ask away.");
	}
	return good;
}
