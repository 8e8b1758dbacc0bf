/* SPDX-License-Identifier: Apache-2.0 */
/* The host's files of a case, and what the host does to them, on a directory of the test's own. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/scenario/host/content.h"
#include "cli/scenario/host/host_files.h"

#define NUMBER 7 /* of the case */

struct world {
	char parent[32];
	struct fl_scn_dir dirs[1];
	struct fl_scn_file files[4];
	struct fl_scn_case scenario_case;
	struct fl_scn_workdir *workdir;
	struct fl_scn_op_row row;
	struct fl_scn_step step;
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct fl_diag diag;

	strcpy(world->parent, "/tmp/fl-scn-XXXXXX");
	assert_non_null(mkdtemp(world->parent));
	world->dirs[0].name = "data";
	world->files[0] = (struct fl_scn_file){.path = "log", .len = 20000, .mode = 0640};
	world->files[1] = (struct fl_scn_file){
		.path = "deep/er/text", .len = 5, .content = FL_SCN_FILE_TEXT, .text = "hello", .mode = 0600};
	world->files[2] = (struct fl_scn_file){.path = "link", .content = FL_SCN_FILE_LINK, .text = "log"};
	world->files[3] = (struct fl_scn_file){.path = "code", .len = 4096, .content = FL_SCN_FILE_CODE, .mode = 0700};
	world->scenario_case =
		(struct fl_scn_case){.dirs = world->dirs, .dirs_count = 1, .files = world->files, .files_count = 4};
	assert_int_equal(fl_scn_workdir_new(world->parent, &world->workdir, &diag), 0);
	assert_int_equal(fl_scn_workdir_begin(world->workdir, &world->scenario_case, NUMBER, &diag), 0);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	fl_scn_workdir_end(world->workdir, &world->scenario_case, NUMBER, false);
	fl_scn_workdir_free(world->workdir, false);
	assert_int_equal(rmdir(world->parent), 0); /* nothing is left */
	free(world);
	return 0;
}

static const char *path_of(struct world *world, const char *rest, char path[PATH_MAX])
{
	assert_int_equal(fl_scn_workdir_file(world->workdir, &world->dirs[0], NUMBER, rest, path), 0);
	return path;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int do_step(struct world *world, uint32_t op, const char *path, uint64_t second, uint64_t third)
{
	struct fl_scn_host_place place = {world->workdir, &world->scenario_case, NUMBER, NULL, NULL};
	uint64_t value;

	world->row.op = op;
	world->step.row = &world->row;
	world->step.operands[0].text = path;
	world->step.operands[1].n = second;
	world->step.operands[2].n = third;
	return fl_scn_host_file_step(&place, &world->step, now_ns() + 5000000000u, &value);
}

static uint64_t len_of(struct world *world, const char *rest)
{
	char path[PATH_MAX];
	struct stat status;

	assert_int_equal(lstat(path_of(world, rest, path), &status), 0);
	return (uint64_t)status.st_size;
}

static uint8_t byte_of(struct world *world, const char *rest, uint64_t offset)
{
	char path[PATH_MAX];
	uint8_t byte = 0;
	int fd = open(path_of(world, rest, path), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
	close(fd);
	return byte;
}

/* As guest/scenario_wire.h has it: each 8 bytes are one number, the lowest byte first. */
static uint8_t pattern_byte(uint64_t offset)
{
	return (uint8_t)(fl_scn_pattern(offset / 8 * 8) >> (offset % 8 * 8));
}

static void files_are_made(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX], target[16] = "";
	struct stat status;

	assert_int_equal(len_of(world, "log"), 20000);
	for (uint64_t offset = 0; offset < 20000; offset += 997)
		assert_int_equal(byte_of(world, "log", offset), pattern_byte(offset));
	assert_int_equal(stat(path_of(world, "log", path), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(byte_of(world, "deep/er/text", 4), 'o');
	assert_int_equal(readlink(path_of(world, "link", path), target, sizeof(target) - 1), 3);
	assert_string_equal(target, "log");
}

/* mov $3, %eax; ret */
static void code_is_code(void **state)
{
	static const uint8_t third[6] = {0xb8, 3, 0, 0, 0, 0xc3};

	for (size_t i = 0; i < sizeof(third); i++)
		assert_int_equal(byte_of(*state, "code", 48 + i), third[i]);
}

static void a_file_is_cut_and_grows(void **state)
{
	struct world *world = *state;

	assert_int_equal(do_step(world, FL_SCN_HOST_TRUNCATE, "log", 5000, 0), 0);
	assert_int_equal(len_of(world, "log"), 5000);
	assert_int_equal(do_step(world, FL_SCN_HOST_APPEND, "log", 3000, 0), 0);
	assert_int_equal(len_of(world, "log"), 8000);
	assert_int_equal(byte_of(world, "log", 7999), pattern_byte(7999));
	assert_int_equal(do_step(world, FL_SCN_HOST_TRUNCATE, "nowhere", 0, 0), -ENOENT);
}

static void a_hole_is_zeros(void **state)
{
	struct world *world = *state;

	assert_int_equal(do_step(world, FL_SCN_HOST_PUNCH, "log", 4096, 4096), 0);
	assert_int_equal(len_of(world, "log"), 20000);
	assert_int_equal(byte_of(world, "log", 5000), 0);
	assert_int_equal(byte_of(world, "log", 8192), pattern_byte(8192));
	assert_int_equal(do_step(world, FL_SCN_HOST_WRITE, "log", 4096, 4096), 0);
	assert_int_equal(byte_of(world, "log", 5000), pattern_byte(5000));
}

static void a_replaced_file_is_another_one(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX];
	struct stat before, after;

	assert_int_equal(stat(path_of(world, "log", path), &before), 0);
	assert_int_equal(do_step(world, FL_SCN_HOST_REPLACE, "log", 100, FL_SCN_FILE_PATTERN), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino != after.st_ino);
	assert_true(before.st_mode == after.st_mode);
	assert_int_equal(after.st_size, 100);
}

static void a_name_goes(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX];

	assert_int_equal(do_step(world, FL_SCN_HOST_CHMOD, "log", 0400, 0), 0);
	assert_int_equal(do_step(world, FL_SCN_HOST_UNLINK, "log", 0, 0), 0);
	assert_int_equal(access(path_of(world, "log", path), F_OK), -1);
	assert_int_equal(do_step(world, FL_SCN_HOST_UNLINK, "log", 0, 0), -ENOENT);
}

static int run(struct world *world, const char *const *words, uint64_t limit_ns, uint64_t *value)
{
	struct fl_scn_host_place place = {world->workdir, &world->scenario_case, NUMBER, NULL, NULL};

	world->row.op = FL_SCN_HOST_RUN;
	world->step.row = &world->row;
	world->step.operands[0].words = words;
	return fl_scn_host_file_step(&place, &world->step, now_ns() + limit_ns, value);
}

static void a_program_gets_the_hosts_paths(void **state)
{
	static const char *const words[] = {"truncate", "-s", "12", "data/log", NULL};
	static const char *const fails[] = {"sh", "-c", "exit 9", NULL};
	static const char *const dies[] = {"sh", "-c", "kill -9 $$", NULL};
	uint64_t value;

	assert_int_equal(run(*state, words, 5000000000u, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(len_of(*state, "log"), 12);
	assert_int_equal(run(*state, fails, 5000000000u, &value), 0);
	assert_int_equal(value, 9);
	assert_int_equal(run(*state, dies, 5000000000u, &value), 0);
	assert_int_equal(value, 128 + 9);
}

static void a_program_that_hangs_is_killed(void **state)
{
	static const char *const words[] = {"sh", "-c", "sleep 1000 & sleep 1000", NULL};
	uint64_t begin_ns = now_ns(), value;

	assert_int_equal(run(*state, words, 200000000u, &value), -ETIMEDOUT);
	assert_true(now_ns() - begin_ns < 5000000000u);
}

static void contents_are_compared_from_the_start(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX];
	uint64_t same;
	int fd = open(path_of(world, "log", path), O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fl_scn_content_compare(fd, FL_SCN_FILE_PATTERN, NULL, 20000, &same), 0);
	assert_int_equal(same, 20000);
	uint8_t wrong = (uint8_t)~pattern_byte(12345);

	assert_int_equal(pwrite(fd, &wrong, 1, 12345), 1);
	assert_int_equal(fl_scn_content_compare(fd, FL_SCN_FILE_PATTERN, NULL, 20000, &same), 0);
	assert_int_equal(same, 12345);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(files_are_made),
	TEST(code_is_code),
	TEST(a_file_is_cut_and_grows),
	TEST(a_hole_is_zeros),
	TEST(a_replaced_file_is_another_one),
	TEST(a_name_goes),
	TEST(a_program_gets_the_hosts_paths),
	TEST(a_program_that_hangs_is_killed),
	TEST(contents_are_compared_from_the_start),
};

FL_TEST_MAIN(30, tests)
