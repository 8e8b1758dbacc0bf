/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/ram_budget.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PROMISES_NO_MORE "2" /* Documentation/mm/overcommit-accounting.rst */

static bool overcommits_never(void)
{
	FILE *file = fopen("/proc/sys/vm/overcommit_memory", "re");
	char mode[8] = "";

	if (!file)
		return false;
	if (!fgets(mode, sizeof(mode), file))
		mode[0] = '\0';
	fclose(file);
	return strcmp(mode, PROMISES_NO_MORE "\n") == 0;
}

struct meminfo {
	uint64_t total, swap, limit, committed; /* bytes */
};

static void read_meminfo(struct meminfo *info)
{
	const struct {
		const char *name;
		uint64_t *value;
	} wanted[] = {
		{"MemTotal:", &info->total},
		{"SwapTotal:", &info->swap},
		{"CommitLimit:", &info->limit},
		{"Committed_AS:", &info->committed},
	};
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128], name[64];
	uint64_t kib;

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		for (size_t i = 0; i < FL_ARRAY_SIZE(wanted); i++)
			if (sscanf(line, "%63s %" SCNu64, name, &kib) == 2 && strcmp(name, wanted[i].name) == 0)
				*wanted[i].value = kib * 1024;
	fclose(file);
}

void fl_ram_budget_read(struct fl_ram_budget *budget)
{
	struct meminfo info = {0};

	read_meminfo(&info);
	budget->host_len = info.total + info.swap;
	budget->promises = info.limit && overcommits_never();
	budget->promise_len = info.limit > info.committed ? info.limit - info.committed : 0;
}

int fl_check_ram_budget(const struct fl_ram_budget *budget, struct fl_diag *diag)
{
	if (budget->promises && budget->ram_len > budget->promise_len)
		return fl_diag(diag, -ENOMEM,
			       "guest memory of %" PRIu64 " MiB is more than this host may still promise, %" PRIu64
			       " MiB (vm.overcommit_memory is 2); give less --memory, or let the host overcommit with "
			       "\"sysctl vm.overcommit_memory=0\"",
			       budget->ram_len >> 20, budget->promise_len >> 20);
	if (budget->host_len && budget->ram_len > budget->host_len)
		return fl_diag(
			diag, -ENOSPC,
			"guest memory of %" PRIu64 " MiB is more than this host has, %" PRIu64
			" MiB with its swap: if the guest uses it all, the host's kernel ends processes for want "
			"of memory, this one perhaps; give less --memory, or add swap",
			budget->ram_len >> 20, budget->host_len >> 20);
	return 0;
}
