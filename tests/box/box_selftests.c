/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The selftests of the guest kernel series (tools/testing/selftests/pvpf), in a guest that has one directory of
 * this host twice. What they print is TAP already, so each of their results is one here.
 *
 * usage: box_selftests LAUNCHER GUEST_DAX PROGRAM [CASE...]
 *
 * The programs are beside the kernel that the launcher takes, where scripts/guest-kernel puts them, or in
 * $FAULTLINE_SELFTESTS.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/box/guest_run.h"

/* False if there are none: a kernel without the series, or one that was named by hand. */
static bool find_selftests(const struct bench *bench, char dir[PATH_MAX])
{
	const char *named = getenv("FAULTLINE_SELFTESTS"), *kernel = getenv("FAULTLINE_KERNEL");
	char link[PATH_MAX + 32], real[PATH_MAX];
	int dir_len = (int)(strrchr(bench->launcher, '/') - bench->launcher);

	if (named)
		return realpath(named, dir) != NULL;
	snprintf(link, sizeof(link), "%.*s/guest-kernel/bzImage", dir_len, bench->launcher);
	if (!realpath(kernel ? kernel : link, real))
		return false;
	snprintf(dir, PATH_MAX, "%.*s/selftests", (int)(strrchr(real, '/') - real), real);
	return access(dir, R_OK) == 0;
}

/* What a program needs of the launcher, or of the share, beside what all do. */
static const struct special {
	const char *program;
	const char *on_fault;
	const char *dax_window;
	const char *mount_options;
} specials[] = {
	{"substitute", "reflect,substitute,stop", NULL, NULL},
	{"window", NULL, "64M", NULL},
	{"nospace", NULL, NULL, "size=4m"},
};

static struct special special_of(const char *program)
{
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (!strcmp(specials[i].program, program))
			return specials[i];
	return (struct special){0};
}

/* In the guest: the directory at /run/dax, and what "the host" does to it at /run/host */
static void run_selftest(const struct bench *bench, const char *dir, char **arguments, struct transcript *guest)
{
	const struct special special = special_of(arguments[0]);
	char dax[PATH_MAX + 20], host[PATH_MAX + 20], bin[PATH_MAX + 20], program[PATH_MAX];
	const char *const options[] = {"-c",
				       "2",
				       "--on-fault",
				       special.on_fault ? special.on_fault : "reflect,stop",
				       "--dax-window",
				       special.dax_window ? special.dax_window : "512M",
				       "--rwdir",
				       dax,
				       "--rwdir",
				       host,
				       "--rodir",
				       bin,
				       NULL};
	const char *command[GUEST_ARGS_MAX] = {"/usr/bin/env", "PVPF_DAX=/run/dax", "PVPF_OTHER=/run/host", program};
	size_t argc = 4;

	snprintf(dax, sizeof(dax), "/run/dax=%s", bench->data);
	snprintf(host, sizeof(host), "/run/host=%s", bench->data);
	snprintf(bin, sizeof(bin), "/tmp/bin=%s", dir);
	snprintf(program, sizeof(program), "/tmp/bin/%.1000s", arguments[0]);
	while (arguments[argc - 3] && argc < GUEST_ARGS_MAX - 1) {
		command[argc] = arguments[argc - 3];
		argc++;
	}
	if (special.mount_options && mount("small", bench->data, "tmpfs", MS_NOSUID | MS_NODEV, special.mount_options))
		printf("# no file system of its own for the share: %s\n", strerror(errno));
	run_guest(bench, options, command, arguments[0], guest);
	if (special.mount_options)
		umount2(bench->data, MNT_DETACH);
}

int main(int argc, char **argv)
{
	struct bench bench;
	struct transcript guest;
	char reason[512], dir[PATH_MAX];

	alarm((unsigned int)atoi(guest_time_limit_s()) + AFTER_GUEST_S);
	if (argc < 4 || !bench_open(&bench, argv[1], argv[2])) {
		printf("Bail out! usage: %s LAUNCHER GUEST_DAX PROGRAM [CASE...]\n", argv[0]);
		return 1;
	}
	if (!bench_runs_linux(&bench, reason, sizeof(reason))) {
		printf("1..0 # SKIP no Linux guest can run here (%s); scripts/box makes a place where it can\n",
		       reason);
		bench_close(&bench);
		return 0;
	}
	if (!find_selftests(&bench, dir)) {
		printf("1..1\nnot ok 1 - no selftests beside the guest kernel: build it with scripts/guest-kernel\n");
		bench_close(&bench);
		return 1;
	}
	run_selftest(&bench, dir, argv + 3, &guest);
	fputs(guest.out, stdout);
	/* what the host saw is only of interest if the guest saw something else */
	if (guest.status != 0)
		show("launcher", &(struct transcript){.status = guest.status, .err = guest.err});
	int status = guest.status;

	transcript_free(&guest);
	bench_close(&bench);
	return status;
}
