/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_DRY_RUN_H
#define FL_CLI_DRY_RUN_H

#include <stdio.h>

#include "cli/kernel.h"
#include "cli/options.h"

/*
 * Writes what these options come to in the form of faultline.conf(5), with the kernel that was found, and the command
 * in a comment.
 */
void fl_cli_dry_run(const struct fl_cli_options *options, const struct fl_cli_kernel *kernel, FILE *out);

#endif
