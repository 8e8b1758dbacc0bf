/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/fault_site.h"

static bool substitute_cures(enum fl_cause cause)
{
	switch (cause) {
	case FL_CAUSE_TRUNCATED:
	case FL_CAUSE_NO_SPACE:
	case FL_CAUSE_IO_ERROR:
	case FL_CAUSE_MEMORY_FAILURE:
		return true;
	case FL_CAUSE_NONE:
	case FL_CAUSE_UNMAPPED:
	case FL_CAUSE_NOT_PERMITTED:
	case FL_CAUSE_UNKNOWN:
		break;
	}
	return false;
}

bool fl_action_is_possible(enum fl_action action, const struct fl_region *region, const struct fl_finding *finding,
			   const struct fl_possible *possible)
{
	switch (action) {
	case FL_ACTION_STOP:
		return true;
	case FL_ACTION_REFLECT:
		return possible->reflect && region->kind == FL_REGION_WINDOW;
	case FL_ACTION_SUBSTITUTE:
		return possible->substitute && substitute_cures(finding->cause);
	case FL_ACTION_ASK:
		return possible->ask;
	case FL_ACTION_RETRY:
	case FL_ACTION_NEXT:
		break;
	}
	return false;
}

enum fl_action fl_decide(const struct fl_region *region, const struct fl_finding *finding,
			 const struct fl_possible *possible, unsigned int *at)
{
	if (!region || finding->verdict == FL_VERDICT_HOLE)
		return FL_ACTION_STOP;
	while (*at < FL_POLICY_MAX) {
		enum fl_action action = region->policy.action[(*at)++];

		if (fl_action_is_possible(action, region, finding, possible))
			return action;
	}
	return FL_ACTION_STOP;
}

bool fl_policy_has(const struct fl_policy *policy, enum fl_action action)
{
	for (unsigned int i = 0; i < FL_POLICY_MAX && policy->action[i] != FL_ACTION_STOP; i++)
		if (policy->action[i] == action)
			return true;
	return false;
}
