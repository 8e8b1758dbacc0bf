/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/fault_site.h"

enum fl_action fl_decide(const struct fl_region *region, const struct fl_finding *finding, bool can_reflect)
{
	if (!region || region->kind != FL_REGION_WINDOW || finding->verdict == FL_VERDICT_HOLE)
		return FL_ACTION_STOP;
	for (unsigned int i = 0; i < FL_POLICY_MAX; i++) {
		switch (region->policy.action[i]) {
		case FL_ACTION_STOP:
			return FL_ACTION_STOP;
		case FL_ACTION_REFLECT:
			if (can_reflect)
				return FL_ACTION_REFLECT;
			break;
		default:
			break;
		}
	}
	return FL_ACTION_STOP;
}
