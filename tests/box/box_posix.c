/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What POSIX and Linux say of files, on a share: guest_posix runs on this host's file system, then in a guest on the
 * same one, and must say the same.
 *
 * usage: box_posix LAUNCHER GUEST_POSIX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/stat.h>

#include "tests/box/guest_run.h"

static void make_dir(const struct bench *bench, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%.4000s/%s", bench->data, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

/*
 * option: of the share, with its value. Attributes are not kept: with DAX a guest does not know that a store has made a
 * block, until it asks again (docs/virtiofs.md).
 */
static void expect_the_same(const struct bench *bench, const char *name, const char *option, const char *value)
{
	char here_dir[PATH_MAX], there_dir[PATH_MAX], data[PATH_MAX + 16], bin[PATH_MAX + 16], program[PATH_MAX];
	const char *const options[] = {"--rwdir", data, "--rodir", bin, "--attr-timeout", "0", option, value, NULL};
	const char *const command[] = {program, "/tmp/data", NULL};
	const char *const on_host[] = {bench->program, here_dir, NULL};
	struct transcript here, there;

	make_dir(bench, "here", here_dir);
	make_dir(bench, "there", there_dir);
	snprintf(data, sizeof(data), "/tmp/data=%s", there_dir);
	snprintf(bin, sizeof(bin), "/tmp/bin=%s", bench->program_dir);
	snprintf(program, sizeof(program), "/tmp/bin/%.1000s", strrchr(bench->program, '/') + 1);
	run_command(bench, on_host, &here);
	assert_int_equal(here.status, 0);
	assert_int_equal(lines_with(here.out, "done"), 1);
	run_guest(bench, options, command, name, &there);
	if (there.status != 0)
		show("guest", &there);
	assert_true(same_lines(here.out, there.out));
	assert_int_equal(there.status, 0);
	transcript_free(&here);
	transcript_free(&there);
}

static void a_share_with_dax_is_a_file_system(void **state)
{
	expect_the_same(*state, "posix-dax", "--dax", "/tmp/data=always");
}

static void a_share_without_dax_is_a_file_system(void **state)
{
	expect_the_same(*state, "posix-plain", "--dax", "/tmp/data=never");
}

static void a_share_of_the_hosts_users_is_a_file_system(void **state)
{
	if (geteuid() != 0)
		SKIP_FOR("only root can act as the guest's users");
	expect_the_same(*state, "posix-users", "--map", "/tmp/data=host");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_share_with_dax_is_a_file_system),
	cmocka_unit_test(a_share_without_dax_is_a_file_system),
	cmocka_unit_test(a_share_of_the_hosts_users_is_a_file_system),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
