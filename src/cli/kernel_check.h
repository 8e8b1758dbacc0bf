/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for one run: found, looked at, and told of. */
#ifndef FL_CLI_KERNEL_CHOICE_H
#define FL_CLI_KERNEL_CHOICE_H

#include "cli/kernel.h"
#include "cli/options.h"
#include "cli/output.h"

struct fl_cli_kernel_choice {
	struct fl_cli_kernel kernel;
	bool patched; /* it idles by PVPF's exit */
};

/*
 * Chooses the kernel and warns of what the guest has to do without; with -v a line says which it is and why. 0; -errno
 * with a sentence if there is none, or if its configuration says that the guest could not work.
 */
FL_CHECKED int fl_cli_choose_kernel(const struct fl_cli_options *options, struct fl_cli_output *output,
				    struct fl_cli_kernel_choice *choice, struct fl_diag *diag);

#endif
