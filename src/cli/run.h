/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_RUN_H
#define FL_CLI_RUN_H

#include "cli/kernel.h"
#include "cli/options.h"

/* What the launcher exits with for a VM that ended so; *text gets the sentence to say, "" for none. */
int fl_cli_exit_status(const struct fl_result *result, char *text, size_t text_len);

/* Runs the guest and returns the launcher's exit status. Blocks signals and ignores SIGPIPE: for main() alone. */
int fl_cli_run(const struct fl_cli_options *options, const struct fl_cli_kernel *kernel);

/* "faultline run"; argv[0] is the verb. Returns the exit status. */
int fl_cli_run_main(int argc, char **argv);

#endif
