/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the kernel that was found will do for one run. */
#ifndef FL_CLI_KERNEL_CHECK_H
#define FL_CLI_KERNEL_CHECK_H

#include "cli/kernel.h"
#include "cli/options.h"
#include "cli/output.h"

/*
 * Warns of what the guest has to do without; with -v a line says which kernel it is and why. *patched: it idles by
 * PVPF's exit. 0; -errno with a sentence if its configuration says that the guest could not work.
 */
FL_CHECKED int fl_cli_check_kernel(const struct fl_cli_kernel *kernel, const struct fl_cli_options *options,
				   struct fl_cli_output *output, bool *patched, struct fl_diag *diag);

#endif
