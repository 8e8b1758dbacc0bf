/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_DRY_RUN_H
#define FL_CLI_DRY_RUN_H

#include <stdio.h>

#include "cli/options.h"

/*
 * Writes what these options come to in the form of faultline.conf(5), the kernel that was found included, and the
 * command in a comment. 0; -ENOENT with a sentence: there is no kernel.
 */
FL_CHECKED int fl_cli_dry_run(const struct fl_cli_options *options, FILE *out, struct fl_diag *diag);

#endif
