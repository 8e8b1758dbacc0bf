/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exerciser on this host alone. Its model must be right where nothing but the host's kernel is between the actors
 * and the files, and what is not in the plan must be found, or its silence elsewhere would say nothing.
 *
 * usage: test_exercise EXERCISE_ACTOR
 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/exercise/exercise_run.h"

#define OPS	     4000
#define MEDDLED_TURN 40 /* after so many, by when there is something in all files */

static const char *actor_program;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_scratch(const char *dir)
{
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool make_scratch(const char *where, char dir[PATH_MAX])
{
	snprintf(dir, PATH_MAX, "%.4000s/fl-exercise.XXXXXX", where);
	return mkdtemp(dir);
}

static bool make_any_scratch(char dir[PATH_MAX])
{
	return make_scratch("/dev/shm", dir) || make_scratch("/tmp", dir);
}

static struct ex_run three_on_the_host(const char *dir, uint64_t seed)
{
	return (struct ex_run){
		.config = {.seed = seed, .actors = 3, .files = 3, .max_len = 600 * EX_PAGE},
		.dir = dir,
		.actor = actor_program,
		.ops_max = OPS,
	};
}

static void show_difference(const struct ex_run *run)
{
	printf("# %s# %s\n", run->said ? run->said : "\n", run->errors ? run->errors : "");
	fflush(stdout);
}

static void assert_no_difference(const char *dir, uint64_t seed)
{
	struct ex_run run = three_on_the_host(dir, seed);
	bool good = ex_run(&run);

	if (!good)
		show_difference(&run);
	assert_true(good);
	assert_in_range(run.ops, OPS, OPS + 100);
	ex_run_free(&run);
}

static void the_model_is_right_in_memory(void **state)
{
	char dir[PATH_MAX];

	(void)state;
	assert_true(make_any_scratch(dir));
	assert_no_difference(dir, 1);
	remove_scratch(dir);
}

static void the_model_is_right_on_the_disk(void **state)
{
	char dir[PATH_MAX];

	(void)state;
	if (!make_scratch(".", dir))
		SKIP_FOR("the build directory cannot be written to");
	assert_no_difference(dir, 2);
	remove_scratch(dir);
}

struct meddler {
	struct ex_run *run;
	uint64_t wrong_offset;
	bool with_size;
};

static int open_longest(const char *dir, struct stat *st)
{
	char path[PATH_MAX], longest[PATH_MAX] = "";
	off_t size = -1;

	for (unsigned int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%.4000s/f%u", dir, i);
		assert_int_equal(stat(path, st), 0);
		if (st->st_size > size) {
			size = st->st_size;
			memcpy(longest, path, sizeof(longest));
		}
	}
	int fd = open(longest, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, st), 0);
	return fd;
}

/* The run ends with it: operations that follow might take the byte away before it is looked at. */
static void meddle(void *arg, uint64_t turn)
{
	struct meddler *meddler = arg;
	uint8_t byte = 0;
	struct stat st;

	if (turn != MEDDLED_TURN)
		return;
	int fd = open_longest(meddler->run->dir, &st);

	if (meddler->with_size) {
		assert_int_equal(ftruncate(fd, st.st_size + 1), 0);
	} else {
		meddler->wrong_offset = (uint64_t)st.st_size / 2;
		assert_int_equal(pread(fd, &byte, 1, (off_t)meddler->wrong_offset), 1);
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)meddler->wrong_offset), 1);
	}
	close(fd);
	meddler->run->ops_max = 0;
}

static void a_wrong_byte_is_found_and_named(void **state)
{
	char dir[PATH_MAX], place[40];

	(void)state;
	assert_true(make_any_scratch(dir));
	struct ex_run run = three_on_the_host(dir, 3);
	struct meddler meddler = {.run = &run};

	run.meddle = meddle;
	run.meddle_arg = &meddler;
	assert_false(ex_run(&run));
	assert_non_null(run.said);
	snprintf(place, sizeof(place), " at %" PRIu64 ": 0x", meddler.wrong_offset);
	if (!strstr(run.said, place))
		show_difference(&run);
	assert_non_null(strstr(run.said, place));
	assert_non_null(strstr(run.said, "the last that changed it:"));
	ex_run_free(&run);
	remove_scratch(dir);
}

static void a_wrong_size_is_found(void **state)
{
	char dir[PATH_MAX];

	(void)state;
	assert_true(make_any_scratch(dir));
	struct ex_run run = three_on_the_host(dir, 4);
	struct meddler meddler = {.run = &run, .with_size = true};

	run.meddle = meddle;
	run.meddle_arg = &meddler;
	assert_false(ex_run(&run));
	assert_non_null(run.said);
	ex_run_free(&run);
	remove_scratch(dir);
}

static void an_actor_that_dies_is_no_success(void **state)
{
	char dir[PATH_MAX];

	(void)state;
	assert_true(make_any_scratch(dir));
	struct ex_run run = three_on_the_host(dir, 5);

	run.actor = "/bin/false";
	assert_false(ex_run(&run));
	assert_non_null(run.said);
	ex_run_free(&run);
	remove_scratch(dir);
}

/* FNV-1a over all files */
static uint64_t digest(const char *dir)
{
	uint64_t sum = 0xcbf29ce484222325;
	char path[PATH_MAX];

	for (unsigned int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%.4000s/f%u", dir, i);
		FILE *file = fopen(path, "re");

		assert_non_null(file);
		for (int byte; (byte = fgetc(file)) != EOF;)
			sum = (sum ^ (uint64_t)byte) * 0x100000001b3;
		sum = (sum ^ (uint64_t)ftell(file)) * 0x100000001b3;
		fclose(file);
	}
	return sum;
}

static void the_same_seed_does_the_same(void **state)
{
	char dir[PATH_MAX];
	uint64_t sums[3];

	(void)state;
	assert_true(make_any_scratch(dir));
	for (unsigned int i = 0; i < 3; i++) {
		assert_no_difference(dir, i < 2 ? 6 : 7);
		sums[i] = digest(dir);
	}
	assert_true(sums[0] == sums[1]);
	assert_true(sums[0] != sums[2]);
	remove_scratch(dir);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_model_is_right_in_memory),	    cmocka_unit_test(the_model_is_right_on_the_disk),
		cmocka_unit_test(a_wrong_byte_is_found_and_named),  cmocka_unit_test(a_wrong_size_is_found),
		cmocka_unit_test(an_actor_that_dies_is_no_success), cmocka_unit_test(the_same_seed_does_the_same),
	};

	if (argc != 2)
		return 2;
	actor_program = argv[1];
	alarm(60);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
