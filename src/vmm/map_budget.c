/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/map_budget.h"

#include <inttypes.h>
#include <stdio.h>

/* For what begins later: threads (stack and guard), allocations, descriptors that are mapped, a caller's own. */
#define OTHERS 1024u

uint64_t fl_map_count_max(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	uint64_t count;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &count) != 1)
		count = 0;
	fclose(file);
	return count;
}

uint64_t fl_map_count(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	uint64_t count = 0;
	int c;

	if (!file)
		return 0;
	while ((c = getc_unlocked(file)) != EOF)
		count += c == '\n';
	fclose(file);
	return count;
}

int fl_check_map_budget(const struct fl_map_budget *budget, struct fl_diag *diag)
{
	uint64_t ranges = budget->windows / FL_RANGE_LEN;
	uint64_t needed = ranges * (budget->hides_ends ? 2 : 1) + budget->in_use + OTHERS;

	if (!budget->max || needed <= budget->max)
		return 0;
	return fl_diag(diag, -ENOSPC,
		       "windows of %" PRIu64 " MiB in all can need more mappings than a process may have "
		       "(vm.max_map_count is %" PRIu64 "), and then files of the guest cannot be mapped; "
		       "raise it with \"sysctl vm.max_map_count=%" PRIu64 "\", or give smaller windows (--dax-window)",
		       budget->windows >> 20, budget->max, needed);
}
