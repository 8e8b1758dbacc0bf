/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_MACHINE_H
#define FL_CLI_MACHINE_H

#include "cli/kernel.h"
#include "cli/options.h"
#include "cli/output.h"

/* The command's standard streams; in_fd is to be closed after the end if it is not standard input. */
struct fl_cli_streams {
	int in_fd; /* -1: none */
	bool tty;
	uint16_t rows, cols; /* of it */
};

/* Makes the VM that the options describe, ready to be started. On failure *vm is NULL or to be freed. */
FL_CHECKED int fl_cli_make_vm(const struct fl_cli_options *options, const struct fl_cli_kernel *kernel,
			      const struct fl_cli_streams *streams, struct fl_cli_output *output, struct fl_vm **vm,
			      struct fl_diag *diag);

/*
 * The variables for the command: those of the options, and for a terminal TERM as it is here, unless they have it. To
 * be freed alone, without its strings, but for *term. NULL and no error: none. 0; -ENOMEM.
 */
FL_CHECKED int fl_cli_command_env(const struct fl_cli_options *options, bool tty, const char ***env, char **term);

#define FL_CLI_TAG_ROOM 36

/* The tag of options->shares[index], in tag. */
const char *fl_cli_make_tag(char tag[FL_CLI_TAG_ROOM], size_t index);

/* Where the share with that tag is mounted in the guest; the tag itself if there is none. */
const char *fl_cli_mount_of(const struct fl_cli_options *options, const char *tag);

#endif
