/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/diag.h"

static int join(const char *dir, size_t dir_len, const char *name, char path[PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "%.*s/%s", (int)dir_len, dir, name);

	return len >= 0 && len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int fl_cli_find_kernel(const struct fl_cli_kernel_places *places, char path[PATH_MAX], bool *patched,
		       struct fl_diag *diag)
{
	const char *slash = places->program ? strrchr(places->program, '/') : NULL;

	*patched = false;
	if (places->from_env && places->from_env[0]) {
		if (access(places->from_env, R_OK) < 0)
			return fl_cli_diag(diag, -ENOENT,
					   "The guest kernel %s that FAULTLINE_KERNEL names cannot be read: %s.",
					   places->from_env, strerror(errno));
		if (snprintf(path, PATH_MAX, "%s", places->from_env) < PATH_MAX)
			return 0;
		return fl_cli_diag(diag, -ENAMETOOLONG, "The path in FAULTLINE_KERNEL is too long.");
	}
	*patched = true;
	if (slash && join(places->program, (size_t)(slash - places->program), "guest-kernel/bzImage", path) == 0 &&
	    access(path, R_OK) == 0)
		return 0;
	if (join(places->system_dir, strlen(places->system_dir), "bzImage", path) == 0 && access(path, R_OK) == 0)
		return 0;
	*patched = false;
	return fl_cli_diag(
		diag, -ENOENT,
		"No guest kernel was found: build one with scripts/guest-kernel and name it with --kernel FILE "
		"or FAULTLINE_KERNEL.");
}

int fl_cli_default_kernel(char path[PATH_MAX], bool *patched, struct fl_diag *diag)
{
	char program[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	struct fl_cli_kernel_places places = {
		.from_env = getenv("FAULTLINE_KERNEL"),
		.program = len > 0 ? program : NULL,
		.system_dir = "/usr/lib/faultline",
	};

	if (len > 0)
		program[len] = '\0';
	return fl_cli_find_kernel(&places, path, patched, diag);
}
