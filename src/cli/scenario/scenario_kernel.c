/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/kernel_config.h"
#include "cli/scenario/scenario_small.h"

static bool is_patched(const struct fl_cli_kernel *kernel)
{
	struct fl_cli_kernel_config config;

	if (kernel->config[0] && fl_cli_read_kernel_config(kernel->config, kernel->release, &config) == 0)
		return fl_cli_kernel_is_patched(&config);
	return kernel->ours;
}

static int find_patched(const char *asked, char path[PATH_MAX], bool *idles_politely, struct fl_diag *diag)
{
	struct fl_cli_kernel kernel;
	int ret = fl_cli_default_kernel(asked, &kernel, diag);

	if (ret < 0)
		return ret;
	if (!is_patched(&kernel))
		return fl_cli_diag(diag, -ENOTSUP,
				   "%s is not known to have Faultline's patches: name one that has with --kernel.",
				   kernel.path);
	memcpy(path, kernel.path, sizeof(kernel.path));
	*idles_politely = true;
	return 0;
}

static bool is_there(char path[PATH_MAX], const char *dir, int dir_len)
{
	int len = snprintf(path, PATH_MAX, "%.*s/bzImage-stock", dir_len, dir);

	return len > 0 && len < PATH_MAX && access(path, R_OK) == 0;
}

static int find_stock(char path[PATH_MAX], struct fl_diag *diag)
{
	const char *from_env = getenv("FAULTLINE_KERNEL_STOCK");
	char program[PATH_MAX + 16];
	ssize_t len = readlink("/proc/self/exe", program, PATH_MAX - 1);

	if (from_env && from_env[0]) {
		if (snprintf(path, PATH_MAX, "%s", from_env) < PATH_MAX && access(path, R_OK) == 0)
			return 0;
		return fl_cli_diag(diag, -ENOENT, "FAULTLINE_KERNEL_STOCK: %s cannot be read: %s.", from_env,
				   strerror(errno));
	}
	if (len > 0) {
		program[len] = '\0';
		char *slash = strrchr(program, '/');

		if (slash) {
			strcpy(slash, "/guest-kernel");
			if (is_there(path, program, (int)strlen(program)))
				return 0;
		}
	}
	if (is_there(path, FL_GUEST_KERNEL_DIR, (int)strlen(FL_GUEST_KERNEL_DIR)))
		return 0;
	return fl_cli_diag(
		diag, -ENOTSUP,
		"There is no kernel without Faultline's patches: build one with scripts/guest-kernel --stock in "
		"Faultline's sources, or name one with FAULTLINE_KERNEL_STOCK.");
}

int fl_scn_find_kernel(const char *asked, const struct fl_scn_machine *machine, char path[PATH_MAX],
		       bool *idles_politely, struct fl_diag *diag)
{
	*idles_politely = false;
	switch (machine->kernel) {
	case FL_SCN_KERNEL_STOCK:
		return find_stock(path, diag);
	case FL_SCN_KERNEL_FILE:
		if (snprintf(path, PATH_MAX, "%s", machine->kernel_path) < PATH_MAX && access(path, R_OK) == 0)
			return 0;
		return fl_cli_diag(diag, -ENOENT, "The kernel %s of line %u cannot be read: %s.", machine->kernel_path,
				   machine->pos.line, strerror(errno));
	case FL_SCN_KERNEL_SMALL:
		*idles_politely = true;
		return fl_scn_small_kernel(path, diag);
	case FL_SCN_KERNEL_PATCHED:
	default:
		return find_patched(asked, path, idles_politely, diag);
	}
}
