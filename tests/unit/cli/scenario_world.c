/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cli/scenario_world.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>

uint64_t scn_world_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void init(struct scn_world *world)
{
	struct fl_diag diag;

	strcpy(world->parent, "/tmp/fl-scn-XXXXXX");
	assert_non_null(mkdtemp(world->parent));
	world->dirs[SCN_WORLD_FAILING] = (struct fl_scn_dir){.name = "data", .kind = FL_SCN_DIR_FAILING};
	world->dirs[SCN_WORLD_SMALL] = (struct fl_scn_dir){.name = "small", .kind = FL_SCN_DIR_TMPFS, .len = 1 << 20};
	world->files[0] =
		(struct fl_scn_file){.dir = SCN_WORLD_FAILING, .path = "log", .len = SCN_WORLD_FILE_LEN, .mode = 0644};
	world->files[1] = (struct fl_scn_file){
		.dir = SCN_WORLD_FAILING, .path = "other", .len = SCN_WORLD_FILE_LEN, .mode = 0644};
	world->scenario_case = (struct fl_scn_case){
		.dirs = world->dirs, .dirs_count = SCN_WORLD_DIRS, .files = world->files, .files_count = 2};
	assert_int_equal(fl_scn_workdir_new(world->parent, &world->workdir, &diag), 0);
}

/* A mount namespace of the test's own: nothing of it is left, and nobody sees it. */
int scn_world_setup(void **state)
{
	struct scn_world *world = calloc(1, sizeof(*world));
	struct fl_diag diag;

	*state = world;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 0;
	init(world);
	int ret = fl_scn_workdir_begin(world->workdir, &world->scenario_case, SCN_WORLD_NUMBER, &diag);

	if (ret == -EPERM || ret == -ENOENT || ret == -ENODEV) {
		print_message("# %s\n", diag.text);
		fl_scn_workdir_free(world->workdir, false);
		world->workdir = NULL;
		(void)rmdir(world->parent);
		return 0;
	}
	assert_int_equal(ret, 0);
	return 0;
}

int scn_world_teardown(void **state)
{
	struct scn_world *world = *state;

	if (world->workdir) {
		fl_scn_workdir_end(world->workdir, &world->scenario_case, SCN_WORLD_NUMBER, false);
		fl_scn_workdir_free(world->workdir, false);
		assert_int_equal(rmdir(world->parent), 0); /* nothing is left */
	}
	free(world);
	return 0;
}

struct scn_world *scn_world_of(void **state)
{
	struct scn_world *world = *state;

	if (!world->workdir)
		SKIP_FOR("no FUSE file system can be mounted here: root and /dev/fuse are needed");
	return world;
}

const char *scn_world_path_of(struct scn_world *world, uint32_t dir, const char *rest, char path[PATH_MAX])
{
	assert_int_equal(fl_scn_workdir_file(world->workdir, &world->dirs[dir], SCN_WORLD_NUMBER, rest, path), 0);
	return path;
}

int scn_world_do_step(struct scn_world *world, uint32_t op, uint32_t dir, const char *path, uint64_t second)
{
	const struct fl_scn_host_place place = {world->workdir, &world->scenario_case, SCN_WORLD_NUMBER, NULL, NULL};
	const struct fl_scn_op_row row = {.op = op};
	const struct fl_scn_step step = {
		.row = &row,
		.operands = {{.dir = dir, .n = dir, .text = path}, {.n = second}},
	};
	uint64_t value;

	return fl_scn_host_file_step(&place, &step, scn_world_now_ns() + SCN_WORLD_SOON_NS, &value);
}

int scn_world_fail_reads(struct scn_world *world, const char *path)
{
	return scn_world_do_step(world, FL_SCN_HOST_FAIL_READS, SCN_WORLD_FAILING, path, 0);
}

int scn_world_heal(struct scn_world *world, const char *path)
{
	return scn_world_do_step(world, FL_SCN_HOST_HEAL, SCN_WORLD_FAILING, path, 0);
}

int scn_world_open_in(struct scn_world *world, const char *rest, int flags)
{
	char path[PATH_MAX];
	int fd = open(scn_world_path_of(world, SCN_WORLD_FAILING, rest, path), flags | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	return fd;
}

uint8_t *scn_world_map_file(struct scn_world *world, const char *rest)
{
	int fd = scn_world_open_in(world, rest, O_RDWR);
	uint8_t *map = mmap(NULL, SCN_WORLD_FILE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(map != MAP_FAILED);
	close(fd);
	return map;
}

/* As guest/scenario_wire.h has it: each 8 bytes are one number, the lowest byte first. */
uint8_t scn_world_pattern_byte(uint64_t offset)
{
	return (uint8_t)(fl_scn_pattern(offset / 8 * 8) >> (offset % 8 * 8));
}
