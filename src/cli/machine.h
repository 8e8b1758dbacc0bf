/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_MACHINE_H
#define FL_CLI_MACHINE_H

#include <limits.h>

#include "cli/options.h"
#include "cli/output.h"

/*
 * Makes the VM that the options describe, ready to be started, with the kernel whose path is then in kernel. On failure
 * *vm is NULL or to be freed.
 */
FL_CHECKED int fl_cli_make_vm(const struct fl_cli_options *options, struct fl_cli_output *output, struct fl_vm **vm,
			      char kernel[PATH_MAX], struct fl_diag *diag);

/* Where the share with that tag is mounted in the guest; the tag itself if there is none. */
const char *fl_cli_mount_of(const struct fl_cli_options *options, const char *tag);

#endif
