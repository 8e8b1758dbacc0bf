/* SPDX-License-Identifier: Apache-2.0 */
/* The dirs of scenarios that are file systems of their own: what holds them up, and what a case leaves to the next. */
#include "tests/unit/cli/scenario_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define PAGE 4096u

/* ---- it answers nothing ------------------------------------------------------------------- */

struct reader {
	const char *path;
	int ended[2]; /* a pipe: its error, when it has ended */
	pthread_t thread;
};

static void *read_one(void *arg)
{
	struct reader *reader = arg;
	uint8_t byte;
	int fd = open(reader->path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 || pread(fd, &byte, 1, PAGE) != 1 ? errno : 0;

	if (fd >= 0)
		close(fd);
	assert_int_equal(write(reader->ended[1], &error, sizeof(error)), sizeof(error));
	return NULL;
}

static void start_reader(struct reader *reader, const char *path)
{
	reader->path = path;
	assert_int_equal(pipe2(reader->ended, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&reader->thread, NULL, read_one, reader), 0);
}

static bool has_ended(struct reader *reader, int timeout_ms)
{
	struct pollfd ended = {.fd = reader->ended[0], .events = POLLIN};

	return poll(&ended, 1, timeout_ms) == 1;
}

static int join_reader(struct reader *reader)
{
	int error = -1;

	assert_true(has_ended(reader, (int)(SCN_WORLD_SOON_NS / 1000000)));
	assert_int_equal(read(reader->ended[0], &error, sizeof(error)), sizeof(error));
	pthread_join(reader->thread, NULL);
	close(reader->ended[0]);
	close(reader->ended[1]);
	return error;
}

static void a_frozen_server_answers_when_thawed(void **state)
{
	struct scn_world *world = scn_world_of(state);
	struct reader reader;
	char path[PATH_MAX];

	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FREEZE, SCN_WORLD_FAILING, NULL, 0), 0);
	start_reader(&reader, scn_world_path_of(world, SCN_WORLD_FAILING, "log", path));
	assert_false(has_ended(&reader, SCN_WORLD_QUIET_MS));
	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_THAW, SCN_WORLD_FAILING, NULL, 0), 0);
	assert_int_equal(join_reader(&reader), 0);
}

static void the_end_of_a_case_lets_go(void **state)
{
	struct scn_world *world = scn_world_of(state);
	struct reader reader;
	char path[PATH_MAX];

	assert_int_equal(scn_world_fail_reads(world, "log"), 0);
	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FREEZE, SCN_WORLD_FAILING, NULL, 0), 0);
	start_reader(&reader, scn_world_path_of(world, SCN_WORLD_FAILING, "log", path));
	assert_false(has_ended(&reader, SCN_WORLD_QUIET_MS));
	fl_scn_workdir_let_go(world->workdir, &world->scenario_case, SCN_WORLD_NUMBER);
	assert_int_equal(join_reader(&reader), 0);
	/* a step that comes too late must not hold up what follows */
	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FREEZE, SCN_WORLD_FAILING, NULL, 0), -ECANCELED);
}

static void free_does_not_wait_for_a_frozen_server(void **state)
{
	struct scn_world *world = scn_world_of(state);
	struct reader reader;
	char path[PATH_MAX];
	uint64_t begin_ns;

	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FREEZE, SCN_WORLD_FAILING, NULL, 0), 0);
	start_reader(&reader, scn_world_path_of(world, SCN_WORLD_FAILING, "log", path));
	assert_false(has_ended(&reader, SCN_WORLD_QUIET_MS));
	begin_ns = scn_world_now_ns();
	fl_scn_workdir_free(world->workdir, false);
	world->workdir = NULL;
	assert_int_equal(join_reader(&reader), ECONNABORTED);
	assert_true(scn_world_now_ns() - begin_ns < SCN_WORLD_SOON_NS);
	assert_int_equal(rmdir(world->parent), 0);
}

static bool ends_soon(pid_t pid, int *status)
{
	uint64_t begin_ns = scn_world_now_ns();

	while (waitpid(pid, status, WNOHANG) == 0) {
		if (scn_world_now_ns() - begin_ns > SCN_WORLD_SOON_NS)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

static void wait_in_a_page_fault(struct scn_world *own, int tell)
{
	struct fl_diag diag;

	if (fl_scn_workdir_new(own->parent, &own->workdir, &diag) < 0 ||
	    fl_scn_workdir_begin(own->workdir, &own->scenario_case, SCN_WORLD_NUMBER, &diag) < 0)
		_exit(1);
	uint8_t *map = scn_world_map_file(own, "log");

	/* whose pages are not cached */
	if (scn_world_fail_reads(own, "log") < 0 || scn_world_heal(own, "log") < 0 ||
	    scn_world_do_step(own, FL_SCN_HOST_FREEZE, SCN_WORLD_FAILING, NULL, 0) < 0 ||
	    write(tell, fl_scn_workdir_path(own->workdir), PATH_MAX) != PATH_MAX)
		_exit(2);
	_exit(3 + *(volatile uint8_t *)map);
}

/* Its server has ended with it: nobody answers, so that nobody waits. */
static void assert_not_served(const char *tree)
{
	char path[PATH_MAX + 64];
	struct stat status;

	snprintf(path, sizeof(path), "%s/dirs/data-failing-0/c0007", tree);
	assert_int_equal(stat(path, &status), -1);
	assert_true(errno == ENOTCONN || errno == ECONNABORTED);
}

static void clear_away(const char *tree)
{
	char command[3 * PATH_MAX + 64];

	snprintf(command, sizeof(command), "umount -l %s/dirs/data-failing-0 %s/dirs/small-*; rm -r %s", tree, tree,
		 tree);
	assert_int_equal(system(command), 0);
}

/* A runner that is killed while it waits for its own file system, in a page fault of all things, must end. */
static void a_runner_that_is_killed_ends(void **state)
{
	struct scn_world *world = scn_world_of(state);
	char tree[PATH_MAX];
	int status, pipes[2];

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid_t pid = fork();

	if (pid == 0)
		wait_in_a_page_fault(world, pipes[1]);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], tree, sizeof(tree)), sizeof(tree));
	close(pipes[0]);
	poll(NULL, 0, SCN_WORLD_QUIET_MS);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* it waits */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(ends_soon(pid, &status));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_not_served(tree);
	clear_away(tree);
}

/* ---- from case to case -------------------------------------------------------------------- */

struct next_case {
	struct scn_world *world;
	int begun[2];
	pthread_t thread;
};

static void *begin_next(void *arg)
{
	struct next_case *next = arg;
	struct fl_diag diag;
	int ret = fl_scn_workdir_begin(next->world->workdir, &next->world->scenario_case, SCN_WORLD_NUMBER + 1, &diag);

	assert_int_equal(write(next->begun[1], &ret, sizeof(ret)), sizeof(ret));
	return NULL;
}

static void a_file_system_is_one_cases_at_a_time(void **state)
{
	struct scn_world *world = scn_world_of(state);
	struct next_case next = {.world = world};
	int ret = -1;

	assert_int_equal(pipe2(next.begun, O_CLOEXEC), 0);
	struct pollfd begun = {.fd = next.begun[0], .events = POLLIN};

	assert_int_equal(pthread_create(&next.thread, NULL, begin_next, &next), 0);
	assert_int_equal(poll(&begun, 1, SCN_WORLD_QUIET_MS), 0);
	fl_scn_workdir_end(world->workdir, &world->scenario_case, SCN_WORLD_NUMBER, false);
	assert_int_equal(poll(&begun, 1, (int)(SCN_WORLD_SOON_NS / 1000000)), 1);
	assert_int_equal(read(next.begun[0], &ret, sizeof(ret)), sizeof(ret));
	assert_int_equal(ret, 0);
	pthread_join(next.thread, NULL);
	close(next.begun[0]);
	close(next.begun[1]);
	/* it can be frozen again in the new case, and what the old one leaves to say does not touch it */
	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FREEZE, SCN_WORLD_FAILING, NULL, 0), 0);
	fl_scn_workdir_let_go(world->workdir, &world->scenario_case, SCN_WORLD_NUMBER);
	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FREEZE, SCN_WORLD_FAILING, NULL, 0), 0);
	fl_scn_workdir_end(world->workdir, &world->scenario_case, SCN_WORLD_NUMBER + 1, false);
}

static void a_dir_is_as_new_for_the_next_case(void **state)
{
	struct scn_world *world = scn_world_of(state);
	char path[PATH_MAX];
	struct statvfs status;

	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FILL, SCN_WORLD_SMALL, NULL, 0), 0);
	assert_int_equal(statvfs(scn_world_path_of(world, SCN_WORLD_SMALL, "", path), &status), 0);
	assert_int_equal(status.f_bfree, 0);
	for (uint32_t dir = 0; dir < SCN_WORLD_DIRS; dir++) {
		assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_REMOUNT, dir, NULL, 0), 0);
		assert_int_equal(mkdir(scn_world_path_of(world, dir, "new", path), 0700), -1);
		assert_int_equal(errno, EROFS);
	}
	fl_scn_workdir_end(world->workdir, &world->scenario_case, SCN_WORLD_NUMBER, true);
	assert_int_equal(statvfs(scn_world_path_of(world, SCN_WORLD_SMALL, "", path), &status), 0);
	assert_true(status.f_bfree > status.f_blocks / 2);
	for (uint32_t dir = 0; dir < SCN_WORLD_DIRS; dir++)
		assert_int_equal(mkdir(scn_world_path_of(world, dir, "new", path), 0700), 0);
	for (uint32_t dir = 0; dir < SCN_WORLD_DIRS; dir++)
		assert_int_equal(rmdir(scn_world_path_of(world, dir, "new", path)), 0);
}

/* With "keep", what was stored through a mapping can be looked at behind the file system that is gone. */
static void what_is_kept_is_whole(void **state)
{
	struct scn_world *world = scn_world_of(state);
	char path[2 * PATH_MAX];
	uint8_t byte = 0;

	snprintf(path, sizeof(path), "%s/dirs/data-failing-0.behind/c%04u/log", fl_scn_workdir_path(world->workdir),
		 SCN_WORLD_NUMBER);
	uint8_t *map = scn_world_map_file(world, "log");

	map[5 * PAGE] = 0xa5;
	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FREEZE, SCN_WORLD_FAILING, NULL, 0), 0);
	fl_scn_workdir_end(world->workdir, &world->scenario_case, SCN_WORLD_NUMBER, true);
	char tree[PATH_MAX];

	snprintf(tree, sizeof(tree), "%s", fl_scn_workdir_path(world->workdir));
	fl_scn_workdir_free(world->workdir, true);
	world->workdir = NULL;
	munmap(map, SCN_WORLD_FILE_LEN);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, 5 * PAGE), 1);
	assert_int_equal(byte, 0xa5);
	close(fd);
	snprintf(path, sizeof(path), "rm -r %s", world->parent);
	assert_int_equal(system(path), 0);
}

/* ---- who may ------------------------------------------------------------------------------ */

static void without_root_a_sentence_says_so(void **state)
{
	struct scn_world *world = scn_world_of(state);
	char parent[sizeof(world->parent) + 8];
	int status;

	snprintf(parent, sizeof(parent), "%s/other", world->parent);
	assert_int_equal(mkdir(parent, 0700), 0);
	assert_int_equal(chown(parent, 65534, 65534), 0);
	assert_int_equal(chmod(world->parent, 0755), 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct fl_scn_workdir *workdir;
		struct fl_diag diag = {0};
		char path[PATH_MAX];

		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
		    fl_scn_workdir_new(parent, &workdir, &diag) < 0)
			_exit(1);
		int ret = fl_scn_workdir_dir(workdir, &world->dirs[SCN_WORLD_FAILING], path, &diag);

		fl_scn_workdir_free(workdir, false);
		_exit(ret == -EPERM ? strstr(diag.text, "run it as root") ? 0 : 3 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(rmdir(parent), 0); /* nothing of it is left, either */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scn_world_setup, scn_world_teardown)

static const struct CMUnitTest tests[] = {
	TEST(a_frozen_server_answers_when_thawed),
	TEST(the_end_of_a_case_lets_go),
	TEST(free_does_not_wait_for_a_frozen_server),
	TEST(a_runner_that_is_killed_ends),
	TEST(a_file_system_is_one_cases_at_a_time),
	TEST(a_dir_is_as_new_for_the_next_case),
	TEST(what_is_kept_is_whole),
	TEST(without_root_a_sentence_says_so),
};

FL_TEST_MAIN(60, tests)
