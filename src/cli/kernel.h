/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_KERNEL_H
#define FL_CLI_KERNEL_H

#include <limits.h>

#include "faultline/faultline.h"

struct fl_cli_kernel_places {
	const char *from_env;	/* $FAULTLINE_KERNEL, or NULL */
	const char *program;	/* this program's own path, or NULL */
	const char *system_dir; /* "/usr/lib/faultline" */
};

/*
 * The first guest kernel there is: from_env (which must exist if it is set), guest-kernel/bzImage in the
 * program's directory, bzImage in system_dir. *patched: it is one of the latter two, which are built with this
 * project's patches; of from_env nothing is known. 0; -ENOENT or -ENAMETOOLONG with a sentence.
 */
FL_CHECKED int fl_cli_find_kernel(const struct fl_cli_kernel_places *places, char path[PATH_MAX], bool *patched,
				  struct fl_diag *diag);

/* The same with this process's environment and /proc/self/exe. */
FL_CHECKED int fl_cli_default_kernel(char path[PATH_MAX], bool *patched, struct fl_diag *diag);

#endif
