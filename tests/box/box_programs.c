/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real programs at work on a writable share with DAX; they and their libraries are mapped from the read-only root. What
 * must come out is what comes out on this host itself: programs.sh runs here first, then in the guest.
 *
 * usage: box_programs LAUNCHER PROGRAMS_SH [TEST]
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/box/guest_run.h"

#define MISSING	     77 /* status of programs.sh */
#define TIME_LIMIT_S "600"

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void make_dir(const struct bench *bench, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%.4000s/%s", bench->data, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void run_here(const struct bench *bench, const char *name, struct transcript *transcript)
{
	char dir[PATH_MAX];
	/* the guest's programs do not get this environment either */
	const char *const argv[] = {"/usr/bin/env", "-i", "/bin/bash", bench->program, name, dir, NULL};

	make_dir(bench, "here", dir);
	run_command(bench, argv, transcript);
}

static void run_there(const struct bench *bench, const char *name, struct transcript *transcript)
{
	char dir[PATH_MAX], data[PATH_MAX + 16], bin[PATH_MAX + 16], script[PATH_MAX];
	const char *const options[] = {"--rwdir", data, "--rodir", bin, NULL};
	const char *const command[] = {"/bin/bash", script, name, "/tmp/data/there", NULL};

	make_dir(bench, "there", dir);
	snprintf(data, sizeof(data), "/tmp/data=%s", bench->data);
	snprintf(bin, sizeof(bin), "/tmp/bin=%s", bench->program_dir);
	snprintf(script, sizeof(script), "/tmp/bin/%.1000s", strrchr(bench->program, '/') + 1);
	run_guest(bench, options, command, name, transcript);
}

static void assert_same(const struct bench *bench, const char *name)
{
	struct transcript here, there;
	double began = now_s();

	run_here(bench, name, &here);
	if (here.status == MISSING) {
		char what[128];

		snprintf(what, sizeof(what), "%s", here.out);
		transcript_free(&here);
		SKIP_FOR("%.*s", (int)strcspn(what, "\n"), what);
	}
	if (here.status != 0)
		show("here", &here);
	assert_int_equal(here.status, 0);
	double between = now_s();

	run_there(bench, name, &there);
	printf("# %.1f s here, %.1f s in the guest\n", between - began, now_s() - between);
	if (there.status != 0)
		show("guest", &there);
	bool same = same_lines(here.out, there.out);

	fflush(stdout);
	assert_int_equal(there.status, 0);
	assert_true(same);
	/* otherwise nothing was tested */
	assert_true(here.out_len > 0);
	transcript_free(&here);
	transcript_free(&there);
}

static void a_project_of_200_files_is_compiled(void **state)
{
	assert_same(*state, "compile");
}

static void a_repository_is_cloned_packed_and_checked(void **state)
{
	assert_same(*state, "repository");
}

static void a_database_is_written_and_read_at_once(void **state)
{
	assert_same(*state, "database");
}

static void a_package_is_unpacked(void **state)
{
	assert_same(*state, "package");
}

static void archives_come_back_the_same(void **state)
{
	assert_same(*state, "archives");
}

static void a_virtual_environment_works(void **state)
{
	assert_same(*state, "environment");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_project_of_200_files_is_compiled),
	cmocka_unit_test(a_repository_is_cloned_packed_and_checked),
	cmocka_unit_test(a_database_is_written_and_read_at_once),
	cmocka_unit_test(a_package_is_unpacked),
	cmocka_unit_test(archives_come_back_the_same),
	cmocka_unit_test(a_virtual_environment_works),
};

int main(int argc, char **argv)
{
	/* these take longer than others, and run twice */
	setenv(GUEST_TIME_LIMIT_VARIABLE, TIME_LIMIT_S, 0);
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
