/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest knows has changed its kind, its place or its existence; or never was what the guest takes it for. */
#include "fs_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* Name operations with good arguments, in a directory that is none: path_resolution(7) has ENOTDIR for it. */
static void a_file_is_no_directory(void **state)
{
	static const struct {
		uint32_t opcode;
		uint32_t args_len;
	} ops[] = {
		{FUSE_LOOKUP, 0},  {FUSE_MKNOD, 16},   {FUSE_MKDIR, 8},	  {FUSE_UNLINK, 0},
		{FUSE_RMDIR, 0},   {FUSE_RENAME, 8},   {FUSE_LINK, 8},	  {FUSE_RENAME2, 16},
		{FUSE_CREATE, 16}, {FUSE_TMPFILE, 16}, {FUSE_SYMLINK, 0},
	};
	struct rig *rig = rig_new(0);
	uint64_t node, fh;

	(void)state;
	host_file(rig, "f", "x", 1);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	for (size_t i = 0; i < FL_ARRAY_SIZE(ops); i++) {
		uint64_t args[2] = {FUSE_ROOT_ID};

		if (ops[i].opcode == FUSE_LINK)
			args[0] = node;
		if (ops[i].opcode == FUSE_MKNOD || ops[i].opcode == FUSE_CREATE || ops[i].opcode == FUSE_TMPFILE)
			args[0] = ops[i].opcode == FUSE_MKNOD ? S_IFREG | 0644 : O_RDWR;
		rig_begin(rig, ops[i].opcode, node);
		rig_put(rig, args, ops[i].args_len);
		rig_put(rig, "one\0two", 8);
		assert_int_equal(rig_send(rig, RIG_ROOM), -ENOTDIR);
	}
	assert_int_equal(rig_opendir(rig, node, &fh), -ENOTDIR);
	rig_free(rig);
}

/* rmdir(2) of a directory that is in use: it is empty from then on, and nothing can be made in it. */
static void a_share_that_was_removed(void **state)
{
	struct fuse_mkdir_in in = {.mode = 0755};
	struct rig *rig = rig_new(0);
	struct fuse_entry_out entry;
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(rmdir(rig->dir), 0);
	assert_int_equal(rig_getattr(rig, FUSE_ROOT_ID, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "f", &entry), -ENOENT);
	assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &in, sizeof(in), "d"), -ENOENT);
	rig_free(rig);
}

/* The guest keeps what it knows, and cannot climb to where that is now. */
static void a_directory_that_was_moved_away(void **state)
{
	char away[] = "/tmp/fl-fs-away-XXXXXX";
	char place[64];
	struct rig *rig = rig_new(0);
	struct fuse_entry_out entry;
	uint64_t dir;

	(void)state;
	assert_non_null(mkdtemp(away));
	assert_int_equal(mkdirat(rig->dir_fd, "d", 0755), 0);
	host_file(rig, "d/inside", "x", 1);
	dir = rig_node(rig, FUSE_ROOT_ID, "d");
	snprintf(place, sizeof(place), "%s/d", away);
	assert_int_equal(renameat(rig->dir_fd, "d", AT_FDCWD, place), 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "d", &entry), -ENOENT);
	assert_int_equal(rig_lookup(rig, dir, "inside", &entry), 0);
	assert_int_equal(rig_lookup(rig, dir, "..", &entry), -EINVAL);
	assert_int_equal(renameat(AT_FDCWD, place, rig->dir_fd, "d"), 0);
	assert_int_equal(rmdir(away), 0);
	rig_free(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_file_is_no_directory),
	cmocka_unit_test(a_share_that_was_removed),
	cmocka_unit_test(a_directory_that_was_moved_away),
};
FL_TEST_MAIN(30, tests)
