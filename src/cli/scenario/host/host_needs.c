/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/host_needs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/host.h"

/* Where guests and native actors look; a guest has the host's own. */
static const char *const places[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

static bool has_program(const char *name)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[PATH_MAX];
		int len = snprintf(path, sizeof(path), "%s/%s", places[i], name);

		if (len > 0 && (size_t)len < sizeof(path) && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* A page of memory is a small loss for a host, but nobody gives it back before the next boot. */
static bool may_poison(void)
{
	const char *allowed = getenv("FAULTLINE_POISON");

	return fl_cli_in_box() || (allowed && allowed[0]);
}

/* Without a machine of its own a guest can be bound to no CPU but the host's. */
static bool has_cpus(const struct fl_scn_case *of)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	for (uint32_t i = 0; i < of->actors_count; i++)
		if (of->actors[i].cpu >= cpus)
			return false;
	return true;
}

int fl_scn_check_needs(const struct fl_scn_case *of, bool native, struct fl_diag *diag)
{
	if (native && !has_cpus(of))
		return fl_cli_diag(diag, -ENOTSUP,
				   "This host has %ld CPUs, which are fewer than its guests are bound to.",
				   sysconf(_SC_NPROCESSORS_CONF));
	for (uint32_t i = 0; i < of->needs_count; i++)
		if (!has_program(of->needs[i]))
			return fl_cli_diag(diag, -ENOENT, "There is no program %s in %s or the like: install it.",
					   of->needs[i], places[3]);
	if (of->poisons && !may_poison())
		return fl_cli_diag(diag, -EPERM,
				   "It takes memory from this host until it is booted anew: run it in the box with "
				   "--host=box, or set FAULTLINE_POISON=1.");
	return 0;
}
