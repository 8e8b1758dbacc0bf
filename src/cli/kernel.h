/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernel the guest gets, and where its configuration is. */
#ifndef FL_CLI_KERNEL_H
#define FL_CLI_KERNEL_H

#include <limits.h>

#include "faultline/faultline.h"

struct fl_cli_kernel_places {
	const char *asked;	 /* of --kernel: a file, a directory, or a release; NULL: none */
	const char *from_env;	 /* $FAULTLINE_KERNEL, the same; NULL or "": none */
	const char *working_dir; /* perhaps the top of a kernel tree */
	const char *program;	 /* this program's own path, or NULL */
	const char *system_dir;	 /* where an installed guest kernel is */
	const char *boot_dir;	 /* "/boot": the distribution's kernels */
	const char *modules_dir; /* "/lib/modules", the same */
};

struct fl_cli_kernel {
	char path[PATH_MAX];
	char config[PATH_MAX]; /* of this very image; "": not known */
	char release[128];     /* "": the image does not say */
	const char *why;       /* where it was found, in a few words */
	bool ours;	       /* from a place that only this project puts kernels into */
};

/*
 * The first kernel there is: `asked`, `from_env` (what is named must be there), the image of the kernel tree that
 * working_dir is, guest-kernel/bzImage in the program's directory, bzImage in system_dir. 0; -ENOENT, -ENAMETOOLONG or
 * fl_kernel_probe()'s errors with a sentence.
 */
FL_CHECKED int fl_cli_find_kernel(const struct fl_cli_kernel_places *places, struct fl_cli_kernel *kernel,
				  struct fl_diag *diag);

/* The same with this process's environment, working directory and /proc/self/exe. */
FL_CHECKED int fl_cli_default_kernel(const char *asked, struct fl_cli_kernel *kernel, struct fl_diag *diag);

#endif
