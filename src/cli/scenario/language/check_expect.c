/* SPDX-License-Identifier: Apache-2.0 */
/* Expectations: is there something that could fulfil them? */
#include <string.h>

#include "cli/scenario/language/build.h"

/* Whether some guest of the machine does one of two things; runs of programs can do anything. */
static bool somebody_does(const struct fl_scn_build *build, uint32_t machine, uint32_t op)
{
	for (uint32_t i = 0; i < build->made->actors_count; i++) {
		const struct fl_scn_actor *actor = &build->actors[i];

		for (uint32_t j = 0; !actor->by_host && actor->machine == machine && j < actor->steps_count; j++)
			if (actor->steps[j].row->op == op || actor->steps[j].row->op == FL_SCN_OP_RUN)
				return true;
	}
	return false;
}

static bool some_policy_has(const struct fl_scn_machine *machine, enum fl_action action)
{
	for (uint32_t i = 0; i < machine->shares_count; i++)
		for (uint32_t j = 0; machine->shares[i].mapped && j < FL_POLICY_MAX; j++)
			if (machine->shares[i].policy.action[j] == action)
				return true;
	return false;
}

static const struct fl_scn_share *share_of(const struct fl_scn_machine *machine, uint32_t dir)
{
	for (uint32_t i = 0; i < machine->shares_count; i++)
		if (machine->shares[i].dir == dir)
			return &machine->shares[i];
	return NULL;
}

/* Some policy has it, or some answer to one that asks. */
static bool can_come(const struct fl_scn_build *build, uint32_t machine, enum fl_action action)
{
	bool found = some_policy_has(&build->machines[machine], action);

	for (uint32_t i = 0; i < build->made->actors_count; i++)
		for (uint32_t j = 0; j < build->actors[i].steps_count; j++) {
			const struct fl_scn_step *step = &build->steps[i][j];

			found |= step->row->op == FL_SCN_HOST_ANSWER && step->operands[2].n == machine &&
				 step->operands[0].n == action;
		}
	return found;
}

static const char *why_no_outcome(const struct fl_scn_build *build, uint32_t index, enum fl_outcome outcome)
{
	const struct fl_scn_machine *machine = &build->machines[index];

	if (outcome == FL_OUTCOME_SUBSTITUTED && !can_come(build, index, FL_ACTION_SUBSTITUTE))
		return "no share of the machine has a policy with \"substitute\"";
	if ((outcome == FL_OUTCOME_RECORD || outcome == FL_OUTCOME_PLAIN) && !can_come(build, index, FL_ACTION_REFLECT))
		return "no share of the machine has a policy with \"reflect\"";
	if (outcome == FL_OUTCOME_RECORD && machine->kernel == FL_SCN_KERNEL_STOCK)
		return "a stock kernel takes no records: write \"plain\"";
	if (outcome == FL_OUTCOME_PLAIN && machine->kernel == FL_SCN_KERNEL_SMALL)
		return "the small kernel takes records: write \"record\"";
	return NULL;
}

/* Why there can be no such fault; NULL if there can. */
static const char *why_no_fault(const struct fl_scn_build *build, const struct fl_scn_expect *expect)
{
	const struct fl_scn_machine *machine = &build->machines[expect->machine];
	const struct fl_scn_share *share = share_of(machine, expect->dir);

	if (expect->most == 0)
		return NULL;
	if ((expect->fields & FL_SCN_FIELD_VCPU) && expect->vcpu >= machine->vcpus)
		return "the machine has fewer CPUs, which count from 0";
	if ((expect->fields & FL_SCN_FIELD_CPL) && expect->cpl == 0 && machine->kernel == FL_SCN_KERNEL_SMALL)
		return "all guests of the small kernel are at CPL 3";
	if ((expect->fields & FL_SCN_FIELD_ACCESS) && expect->access == FL_ACCESS_FETCH &&
	    !somebody_does(build, expect->machine, FL_SCN_OP_EXEC))
		return "no guest fetches code from a file: take a step \"exec\" or \"run\"";
	if ((expect->fields & FL_SCN_FIELD_PATH) && (!share || !share->mapped))
		return "the machine maps no files of that dir";
	if (expect->fields & FL_SCN_FIELD_OUTCOME)
		return why_no_outcome(build, expect->machine, expect->outcome);
	return NULL;
}

static bool check_fault(struct fl_scn_build *build, const struct fl_scn_expect *expect)
{
	const char *why = why_no_fault(build, expect);

	return !why || fl_scn_wrong(build->reader, expect->pos, "There can be no such fault: %s.", why);
}

static bool check_one_end(struct fl_scn_build *build, uint32_t index)
{
	const struct fl_scn_expect *expect = &build->expects[index];

	for (uint32_t i = 0; i < index; i++)
		if (build->expects[i].kind == FL_SCN_EXPECT_ENDS && build->expects[i].machine == expect->machine)
			return fl_scn_wrong(build->reader, expect->pos,
					    "Line %u says already how %s ends: take one of them away.",
					    build->expects[i].pos.line, build->machines[expect->machine].name);
	return true;
}

static bool check_mark(struct fl_scn_build *build, const struct fl_scn_expect *expect, uint32_t mark)
{
	const struct fl_scn_mark_uses *uses = &build->uses[mark];

	return uses->parties || uses->actor != FL_SCN_NOBODY ||
	       fl_scn_wrong(build->reader, expect->pos, "Nobody sets the mark %s: put a step \"mark %s\" into a block.",
			    build->marks[mark], build->marks[mark]);
}

static bool check_time(struct fl_scn_build *build, const struct fl_scn_expect *expect)
{
	if (expect->mark == expect->mark_end)
		return fl_scn_wrong(build->reader, expect->pos, "From a mark to itself is no time: name two marks.");
	bool good = check_mark(build, expect, expect->mark);

	return check_mark(build, expect, expect->mark_end) && good;
}

static bool check_turns(struct fl_scn_build *build, const struct fl_scn_expect *expect)
{
	const struct fl_scn_actor *actor = &build->actors[expect->actor];

	for (uint32_t i = 0; i < actor->steps_count; i++)
		if (actor->steps[i].row->op == FL_SCN_OP_LOOP)
			return true;
	return fl_scn_wrong(build->reader, expect->pos, "%s has no loop that could turn.", actor->name);
}

static bool check_file(struct fl_scn_build *build, const struct fl_scn_expect *expect)
{
	const struct fl_scn_machine *machine = &build->machines[expect->machine];

	return !expect->in_guest || share_of(machine, expect->dir) ||
	       fl_scn_wrong(build->reader, expect->pos,
			    "The machine %s has no share of %s: give it one, or look on the host.", machine->name,
			    build->dirs[expect->dir].name);
}

static bool check_expect(struct fl_scn_build *build, uint32_t index)
{
	const struct fl_scn_expect *expect = &build->expects[index];

	switch (expect->kind) {
	case FL_SCN_EXPECT_FAULT:
		return check_fault(build, expect);
	case FL_SCN_EXPECT_ENDS:
		return check_one_end(build, index);
	case FL_SCN_EXPECT_FILE:
		return check_file(build, expect);
	case FL_SCN_EXPECT_TIME:
		return check_time(build, expect);
	case FL_SCN_EXPECT_TURNS:
		return check_turns(build, expect);
	case FL_SCN_EXPECT_CONSOLE:
		return true;
	}
	return true;
}

bool fl_scn_check_expects(struct fl_scn_build *build)
{
	bool good = true;

	for (uint32_t i = 0; i < build->made->expects_count; i++)
		good &= check_expect(build, i);
	return good;
}
