/* SPDX-License-Identifier: Apache-2.0 */
/* What both descriptions of a guest need (cli/describe.h). */
#ifndef FL_CLI_DESCRIBE_PARTS_H
#define FL_CLI_DESCRIBE_PARTS_H

#include "cli/describe.h"

#define FL_CLI_MAPPINGS_SHOWN 4096u /* of each window */

FL_CHECKED int fl_cli_get_info(const struct fl_cli_described *described, struct fl_vm_info *info, struct fl_diag *diag);

/* A share's mount in the guest; what the region is called otherwise. */
const char *fl_cli_region_name(const struct fl_cli_described *described, const struct fl_region_info *region);

typedef void (*fl_cli_mapping_fn)(void *arg, const struct fl_region_info *region, const struct fl_mapping *mapping);

/* For the first FL_CLI_MAPPINGS_SHOWN mappings of a region. *more: there are more. 0; -ENOMEM, or of
 * fl_vm_read_mappings(). */
FL_CHECKED int fl_cli_for_each_mapping(struct fl_vm *vm, uint32_t index, const struct fl_region_info *region,
				       fl_cli_mapping_fn show, void *arg, bool *more);

#endif
