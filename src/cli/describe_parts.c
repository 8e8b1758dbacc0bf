/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/describe_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diag.h"
#include "cli/machine.h"

#define MAPPINGS_AT_ONCE 16u

int fl_cli_get_info(const struct fl_cli_described *described, struct fl_vm_info *info, struct fl_diag *diag)
{
	int ret = fl_vm_get_info(described->vm, info);

	return ret < 0 ? fl_cli_diag(diag, ret, "The guest cannot be looked at: %s.", strerror(-ret)) : 0;
}

const char *fl_cli_region_name(const struct fl_cli_described *described, const struct fl_region_info *region)
{
	return region->type == FL_REGION_TYPE_SHARE ? fl_cli_mount_of(described->options, region->name) : region->name;
}

int fl_cli_for_each_mapping(struct fl_vm *vm, uint32_t index, const struct fl_region_info *region,
			    fl_cli_mapping_fn show, void *arg, bool *more)
{
	struct fl_mapping *mappings = calloc(MAPPINGS_AT_ONCE, sizeof(*mappings));
	uint64_t cursor = 0;
	uint32_t shown = 0;
	int got = 0;

	*more = false;
	if (!mappings)
		return -ENOMEM;
	mappings[0].size = sizeof(*mappings);
	while (shown < FL_CLI_MAPPINGS_SHOWN &&
	       (got = fl_vm_read_mappings(vm, index, &cursor, mappings, MAPPINGS_AT_ONCE)) > 0)
		for (int i = 0; i < got; i++, shown++)
			show(arg, region, &mappings[i]);
	*more = got > 0;
	free(mappings);
	return got < 0 ? got : 0;
}
