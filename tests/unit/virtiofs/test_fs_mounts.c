/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts below the shared directory: other file systems, and the same one a second time. */
#include "fs_rig.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

struct place {
	struct rig *rig;
	char a[80], b[80]; /* directories of the share, with a file f in a */
	uint64_t a_node;
};

/* False: this process may not mount. */
static bool open_place(struct place *place)
{
	place->rig = rig_new(0);
	snprintf(place->a, sizeof(place->a), "%s/a", place->rig->dir);
	snprintf(place->b, sizeof(place->b), "%s/b", place->rig->dir);
	assert_int_equal(mkdir(place->a, 0755), 0);
	assert_int_equal(mkdir(place->b, 0755), 0);
	host_file(place->rig, "a/f", "x", 1);
	place->a_node = rig_node(place->rig, FUSE_ROOT_ID, "a");
	if (mount(place->a, place->b, NULL, MS_BIND, NULL) == 0)
		return true;
	rig_free(place->rig);
	return false;
}

static void close_place(struct place *place)
{
	fl_fs_reset(place->rig->fs);
	assert_int_equal(umount2(place->b, MNT_DETACH), 0);
	rig_free(place->rig);
}

static void a_file_of_two_mounts_is_one_node(void **state)
{
	struct fuse_entry_out b = {0};
	struct place place;
	uint64_t f;

	(void)state;
	if (!open_place(&place))
		SKIP_FOR("may not mount");
	assert_int_equal(rig_lookup(place.rig, FUSE_ROOT_ID, "b", &b), 0);
	/* a directory has one place in the guest's tree */
	assert_int_not_equal(b.nodeid, place.a_node);
	/* st_dev is the same on the host */
	assert_int_equal(b.attr.flags & FUSE_ATTR_SUBMOUNT, 0);
	f = rig_node(place.rig, b.nodeid, "f");
	/* also by names that are known */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_node(place.rig, place.a_node, "f"), f);
		assert_int_equal(rig_node(place.rig, b.nodeid, "f"), f);
	}
	close_place(&place);
}

/* Files on it are opened by handle, which takes a descriptor on the mount. */
static void a_mount_that_was_looked_into_is_busy_until_a_reset(void **state)
{
	struct place place;

	(void)state;
	SKIP_WITHOUT_HANDLES();
	if (!open_place(&place))
		SKIP_FOR("may not mount");
	rig_forget(place.rig, rig_node(place.rig, FUSE_ROOT_ID, "b"), 1);
	assert_int_equal(umount2(place.b, 0), -1);
	assert_int_equal(errno, EBUSY);
	fl_fs_reset(place.rig->fs);
	assert_int_equal(umount2(place.b, 0), 0);
	rig_free(place.rig);
}

static int link_to(struct rig *rig, uint64_t file, uint64_t dir, const char *name)
{
	struct fuse_link_in in = {.oldnodeid = file};

	return rig_name(rig, FUSE_LINK, dir, &in, sizeof(in), name);
}

/* link(2) on the host wants one mount, whichever the file was first seen by. */
static void it_is_linked_in_either_mount(void **state)
{
	struct place place;
	uint64_t f, b;

	(void)state;
	if (!open_place(&place))
		SKIP_FOR("may not mount");
	f = rig_node(place.rig, place.a_node, "f");
	b = rig_node(place.rig, FUSE_ROOT_ID, "b");
	assert_int_equal(rig_node(place.rig, b, "f"), f);
	assert_int_equal(link_to(place.rig, f, place.a_node, "g"), 0);
	assert_int_equal(link_to(place.rig, f, b, "h"), 0);
	assert_int_equal(host_stat(place.rig, "a/h").st_ino, host_stat(place.rig, "a/f").st_ino);
	assert_int_equal(host_stat(place.rig, "a/f").st_nlink, 3);
	close_place(&place);
}

/* A mount that forbids what another permits does so whichever the file was first seen by. */
static void a_read_only_mount_has_its_own_files(void **state)
{
	for (unsigned int b_first = 0; b_first < 2; b_first++) {
		struct place place;
		uint64_t nodes[2], fh, b;

		(void)state;
		if (!open_place(&place))
			SKIP_FOR("may not mount");
		assert_int_equal(mount(NULL, place.b, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
		b = rig_node(place.rig, FUSE_ROOT_ID, "b");
		for (unsigned int i = 0; i < 2; i++)
			nodes[i ^ b_first] = rig_node(place.rig, i ^ b_first ? b : place.a_node, "f");
		assert_int_not_equal(nodes[0], nodes[1]);
		assert_int_equal(rig_open(place.rig, nodes[0], O_RDWR, &fh), 0);
		assert_int_equal(rig_open(place.rig, nodes[1], O_RDWR, &fh), -EROFS);
		close_place(&place);
	}
}

/* A user namespace in which root is 1000 of outside; the child lives in it until it is killed. */
static int make_user_namespace(pid_t *child)
{
	static const char map[] = "0 1000 10";
	int ready[2];
	char path[64], byte = 0;
	int fd;

	assert_int_equal(pipe(ready), 0);
	*child = fork();
	if (*child == 0) {
		if (unshare(CLONE_NEWUSER) == 0 && write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		close(ready[0]);
		return -1;
	}
	close(ready[0]);
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%cid_map", (int)*child, "ug"[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		assert_int_equal(write(fd, map, sizeof(map) - 1), sizeof(map) - 1);
		close(fd);
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)*child);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Mounts `from` at `at` with owners shifted by 1000. */
static bool mount_idmapped(const char *from, const char *at)
{
	pid_t child;
	int users = make_user_namespace(&child);
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned int)users};
	bool done = users >= 0 && tree >= 0 &&
		    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0 &&
		    syscall(SYS_move_mount, tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) == 0;

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(users);
	close(tree);
	return done;
}

/* The same file has two owners then. */
static void a_mount_with_other_owners_has_its_own_files(void **state)
{
	struct fuse_entry_out f = {0};
	struct place place;
	uint64_t b;

	(void)state;
	if (!open_place(&place))
		SKIP_FOR("may not mount");
	assert_int_equal(umount(place.b), 0);
	if (!mount_idmapped(place.a, place.b)) {
		assert_int_equal(mount(place.a, place.b, NULL, MS_BIND, NULL), 0);
		close_place(&place);
		SKIP_FOR("no idmapped mounts here");
	}
	b = rig_node(place.rig, FUSE_ROOT_ID, "b");
	assert_int_equal(rig_lookup(place.rig, b, "f", &f), 0);
	assert_int_equal(f.attr.uid, host_stat(place.rig, "b/f").st_uid);
	assert_int_equal(f.attr.uid, 1000);
	assert_int_not_equal(rig_node(place.rig, place.a_node, "f"), f.nodeid);
	close_place(&place);
}

static void another_file_system_is_marked(void **state)
{
	struct fuse_entry_out b = {0};
	struct place place;

	(void)state;
	if (!open_place(&place))
		SKIP_FOR("may not mount");
	assert_int_equal(umount(place.b), 0);
	assert_int_equal(mount("t", place.b, "tmpfs", 0, NULL), 0);
	host_file(place.rig, "b/f", "x", 1);
	assert_int_equal(rig_lookup(place.rig, FUSE_ROOT_ID, "b", &b), 0);
	assert_int_equal(b.attr.flags & FUSE_ATTR_SUBMOUNT, FUSE_ATTR_SUBMOUNT);
	assert_int_equal(link_to(place.rig, rig_node(place.rig, b.nodeid, "f"), place.a_node, "g"), -EXDEV);
	close_place(&place);
}

static void assert_is_empty(struct rig *rig, uint64_t dir)
{
	struct fuse_mkdir_in mkdir_in = {.mode = 0755};
	struct fuse_read_in in = {.size = 4096};

	assert_int_equal(rig_opendir(rig, dir, &in.fh), 0);
	rig_begin(rig, FUSE_READDIR, dir);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_int_equal(rig->body_len, 0);
	assert_int_equal(rig_name(rig, FUSE_MKDIR, dir, &mkdir_in, sizeof(mkdir_in), "d"), -EPERM);
}

static void hidden_mounts_are_empty_directories(void **state)
{
	struct fuse_entry_out entry = {0}, none;
	struct fl_fs_opts opts = {.writable = true, .one_mount = true};
	struct place place;

	(void)state;
	if (!open_place(&place))
		SKIP_FOR("may not mount");
	opts.root_fd = place.rig->dir_fd;
	fl_fs_free(place.rig->fs);
	assert_int_equal(fl_fs_new(&opts, &place.rig->fs, NULL), 0);
	assert_int_equal(rig_init(place.rig, RIG_OFFER_ALL, NULL), 0);
	/* twice: what is known already is sealed, too */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_lookup(place.rig, FUSE_ROOT_ID, "b", &entry), 0);
		assert_int_equal(entry.attr.flags & FUSE_ATTR_SUBMOUNT, 0);
	}
	assert_int_equal(rig_lookup(place.rig, entry.nodeid, "f", &none), -ENOENT);
	assert_is_empty(place.rig, entry.nodeid);
	(void)rig_node(place.rig, rig_node(place.rig, FUSE_ROOT_ID, "a"), "f");
	close_place(&place);
}

/* What of /proc/filesystems is storage, and what takes controllers away from the host's own cgroups when it is mounted.
 */
static bool is_left_out(const char *type)
{
	static const char *const types[] = {"tmpfs",   "ramfs",	 "devtmpfs", "hugetlbfs",
					    "overlay", "rootfs", "cgroup",   "cpuset"};

	for (size_t i = 0; i < FL_ARRAY_SIZE(types); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

/* Whatever else this kernel can mount without a device. */
static void interfaces_of_the_kernel_are_empty_directories(void **state)
{
	FILE *list = fopen("/proc/filesystems", "re");
	unsigned int mounted = 0;
	struct place place;
	char line[128], type[64];

	(void)state;
	assert_non_null(list);
	if (!open_place(&place)) {
		fclose(list);
		SKIP_FOR("may not mount");
	}
	while (fgets(line, sizeof(line), list)) {
		if (sscanf(line, "nodev %63s", type) != 1 || is_left_out(type) || mount("x", place.a, type, 0, NULL))
			continue;
		print_message("# %s\n", type);
		assert_is_empty(place.rig, rig_node(place.rig, FUSE_ROOT_ID, "a"));
		fl_fs_reset(place.rig->fs);
		assert_int_equal(rig_init(place.rig, RIG_OFFER_ALL, NULL), 0);
		assert_int_equal(umount2(place.a, MNT_DETACH), 0);
		mounted++;
	}
	fclose(list);
	assert_true(mounted > 0);
	close_place(&place);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_file_of_two_mounts_is_one_node),
	cmocka_unit_test(a_mount_that_was_looked_into_is_busy_until_a_reset),
	cmocka_unit_test(it_is_linked_in_either_mount),
	cmocka_unit_test(a_read_only_mount_has_its_own_files),
	cmocka_unit_test(a_mount_with_other_owners_has_its_own_files),
	cmocka_unit_test(another_file_system_is_marked),
	cmocka_unit_test(hidden_mounts_are_empty_directories),
	cmocka_unit_test(interfaces_of_the_kernel_are_empty_directories),
};
FL_TEST_MAIN(30, tests)
