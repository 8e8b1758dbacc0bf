/* SPDX-License-Identifier: Apache-2.0 */
/* Which host a guest runs on: this one, or the box (cli/box.h). */
#ifndef FL_CLI_HOST_H
#define FL_CLI_HOST_H

#include "cli/box.h"
#include "cli/kernel.h"

/*
 * Becomes the box, which runs the same command line (argv[0] is "run"), if options ask for it, or leave it open and
 * this host cannot run Linux guests. Then it does not return. 0: the guest is to run here; *checked: and this host was
 * seen to be able to. -errno with a sentence. There must be no other threads.
 */
FL_CHECKED int fl_cli_enter_box(const struct fl_cli_options *options, const struct fl_cli_kernel *kernel, int argc,
				char **argv, bool *checked, struct fl_diag *diag);

/*
 * Can this host run Linux guests? One that cannot would not fail but hang: its guest never gets as far as to say
 * anything. 0, or -errno with a sentence.
 */
FL_CHECKED int fl_cli_check_host(struct fl_diag *diag);

/* The box of this program, by its environment and /proc/self/exe: as fl_cli_find_box(). */
FL_CHECKED int fl_cli_default_box(char path[PATH_MAX], struct fl_diag *diag);

/* Where this program is. 0; -errno with a sentence. */
FL_CHECKED int fl_cli_own_path(char path[PATH_MAX], struct fl_diag *diag);

/* Is this already inside? */
bool fl_cli_in_box(void);

#endif
