/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More inodes known than descriptors held: they are closed and opened again by handle. Opening by handle needs
 * CAP_DAC_READ_SEARCH and a file system with handles; without them these tests are skipped.
 */
#include "fs_rig.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define FILES	 200
#define OPEN_MAX 8
#define MAPPED	 20 /* of MAPPED + 2 * OPEN_MAX */

static struct rig *rig_with_open_max(uint32_t open_max)
{
	return rig_new_with(RIG_WINDOW, (struct fl_fs_opts){.open_max = open_max});
}

/* The effective CAP_DAC_READ_SEARCH of this thread; returns whether it was there. */
static bool set_search_capability(bool on)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	const uint32_t bit = 1u << CAP_DAC_READ_SEARCH;
	bool was;

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	was = data[0].effective & bit;
	data[0].effective = on ? data[0].effective | bit : data[0].effective & ~bit;
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
	return was;
}

static unsigned int open_descriptors(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static const char *file_name(unsigned int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "f%u", i);
	return name;
}

/* FILES files, each with its number in it; all known to the guest afterwards */
static void know_files(struct rig *rig, uint64_t *nodes)
{
	for (unsigned int i = 0; i < FILES; i++) {
		host_file(rig, file_name(i), &i, sizeof(i));
		nodes[i] = rig_node(rig, FUSE_ROOT_ID, file_name(i));
	}
}

static unsigned int number_in(struct rig *rig, uint64_t node)
{
	unsigned int number;
	uint64_t fh;

	assert_int_equal(rig_open(rig, node, O_RDONLY, &fh), 0);
	assert_int_equal(rig_read(rig, node, fh, 0, 4096), 0);
	assert_int_equal(rig->body_len, sizeof(number));
	memcpy(&number, rig->body, sizeof(number));
	assert_int_equal(rig_release(rig, node, fh), 0);
	return number;
}

static void all_are_known_with_few_descriptors(void **state)
{
	struct rig *rig;
	unsigned int before;
	uint64_t nodes[FILES];

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(OPEN_MAX);
	before = open_descriptors();
	know_files(rig, nodes);
	assert_true(open_descriptors() <= before + OPEN_MAX);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, FILES);
	for (unsigned int i = 0; i < FILES; i++) {
		struct fuse_attr attr;

		assert_int_equal(number_in(rig, nodes[i]), i);
		assert_int_equal(rig_getattr(rig, nodes[i], &attr), 0);
		assert_int_equal(attr.ino, host_stat(rig, file_name(i)).st_ino);
	}
	assert_true(open_descriptors() <= before + OPEN_MAX);
	rig_free(rig);
}

static void a_closed_inode_keeps_its_nodeid(void **state)
{
	struct rig *rig;
	uint64_t nodes[FILES];

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(OPEN_MAX);
	know_files(rig, nodes);
	for (unsigned int i = 0; i < FILES; i++)
		assert_int_equal(rig_node(rig, FUSE_ROOT_ID, file_name(i)), nodes[i]);
	for (unsigned int i = 0; i < FILES; i++)
		rig_forget(rig, nodes[i], 2);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 0);
	assert_int_equal(fl_fs_counters(rig->fs)->proto_errors, 0);
	rig_free(rig);
}

static void a_renamed_one_is_found(void **state)
{
	struct rig *rig;
	uint64_t nodes[FILES];

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(OPEN_MAX);
	know_files(rig, nodes);
	assert_int_equal(mkdirat(rig->dir_fd, "dir", 0755), 0);
	assert_int_equal(renameat(rig->dir_fd, "f0", rig->dir_fd, "dir/elsewhere"), 0);
	assert_int_equal(number_in(rig, nodes[0]), 0);
	rig_free(rig);
}

static void a_deleted_one_is_stale(void **state)
{
	struct rig *rig;
	struct fuse_attr attr;
	uint64_t nodes[FILES];

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(OPEN_MAX);
	know_files(rig, nodes);
	assert_int_equal(unlinkat(rig->dir_fd, "f0", 0), 0);
	assert_int_equal(rig_getattr(rig, nodes[0], &attr), -ESTALE);
	assert_int_equal(fl_fs_counters(rig->fs)->proto_errors, 0);
	rig_free(rig);
}

/* File systems give numbers out again: the new file must not come under the old one's nodeid. */
static void a_reused_inode_number_is_another_node(void **state)
{
	struct rig *rig;
	struct fuse_attr attr;
	uint64_t nodes[FILES];
	bool reused = false;
	ino_t old_ino;

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(OPEN_MAX);
	know_files(rig, nodes);
	old_ino = host_stat(rig, "f0").st_ino;
	assert_int_equal(unlinkat(rig->dir_fd, "f0", 0), 0);
	for (unsigned int i = 0; i < 1000 && !reused; i++) {
		char name[16];

		snprintf(name, sizeof(name), "new%u", i);
		host_file(rig, name, "other", 5);
		reused = host_stat(rig, name).st_ino == old_ino;
		if (reused)
			assert_int_not_equal(rig_node(rig, FUSE_ROOT_ID, name), nodes[0]);
	}
	assert_int_equal(rig_getattr(rig, nodes[0], &attr), -ESTALE);
	rig_free(rig);
	if (!reused)
		SKIP_FOR("the file system gives no number out again");
}

static void directories_and_links_come_back(void **state)
{
	struct rig *rig;
	uint64_t nodes[FILES];
	uint64_t dir, link;

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(OPEN_MAX);
	assert_int_equal(mkdirat(rig->dir_fd, "dir", 0755), 0);
	assert_int_equal(symlinkat("/etc", rig->dir_fd, "link"), 0);
	host_file(rig, "dir/inside", "x", 1);
	dir = rig_node(rig, FUSE_ROOT_ID, "dir");
	link = rig_node(rig, FUSE_ROOT_ID, "link");
	know_files(rig, nodes);
	rig_node(rig, dir, "inside");
	rig_begin(rig, FUSE_READLINK, link);
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_memory_equal(rig->body, "/etc", 4);
	rig_free(rig);
}

/* Mapped ones keep their descriptors, since reports tell their paths; mapping still works for all. */
static void mapped_inodes_are_left_alone(void **state)
{
	struct fuse_setupmapping_in in = {.fh = UINT64_MAX, .len = UINT64_C(2) << 20, .flags = 2};
	struct rig *rig;
	uint64_t nodes[FILES];
	unsigned int number;

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(OPEN_MAX);
	know_files(rig, nodes);
	for (unsigned int i = 0; i < 4; i++) {
		in.moffset = i * in.len;
		rig_begin(rig, FUSE_SETUPMAPPING, nodes[i]);
		rig_put(rig, &in, sizeof(in));
		assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	}
	for (unsigned int i = 0; i < FILES; i++)
		assert_int_equal(number_in(rig, nodes[i]), i);
	for (unsigned int i = 0; i < 4; i++) {
		memcpy(&number, fl_window_hva(rig->window) + i * in.len, sizeof(number));
		assert_int_equal(number, i);
	}
	rig_free(rig);
}

/* However many in a row are mapped, one that is not can be closed for the next. */
static void many_mapped_inodes_are_not_too_many(void **state)
{
	struct fuse_setupmapping_in in = {.fh = UINT64_MAX, .len = UINT64_C(2) << 20, .flags = 2};
	uint64_t nodes[MAPPED + 2 * OPEN_MAX];
	struct rig *rig;

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(MAPPED + OPEN_MAX);
	for (unsigned int i = 0; i < MAPPED + 2 * OPEN_MAX; i++) {
		host_file(rig, file_name(i), &i, sizeof(i));
		nodes[i] = rig_node(rig, FUSE_ROOT_ID, file_name(i));
		if (i >= MAPPED)
			continue;
		rig_begin(rig, FUSE_SETUPMAPPING, nodes[i]);
		rig_put(rig, &in, sizeof(in));
		assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	}
	for (unsigned int i = 0; i < MAPPED + 2 * OPEN_MAX; i++)
		assert_int_equal(number_in(rig, nodes[i]), i);
	rig_free(rig);
}

/* One descriptor for two directories that are needed at once: an error, and never the wrong directory. */
static void what_is_in_use_is_not_closed(void **state)
{
	struct rig *rig;
	struct fuse_rename_in in;
	uint64_t from;

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(1);
	assert_int_equal(mkdirat(rig->dir_fd, "from", 0755), 0);
	assert_int_equal(mkdirat(rig->dir_fd, "to", 0755), 0);
	host_file(rig, "from/x", "", 0);
	from = rig_node(rig, FUSE_ROOT_ID, "from");
	in.newdir = rig_node(rig, FUSE_ROOT_ID, "to");
	rig_begin(rig, FUSE_RENAME, from);
	rig_put(rig, &in, sizeof(in));
	rig_put(rig, "x\0y", 4);
	assert_int_equal(rig_send(rig, RIG_ROOM), -ENFILE);
	host_stat(rig, "from/x");
	/* the root's descriptor is not counted */
	in.newdir = FUSE_ROOT_ID;
	rig_begin(rig, FUSE_RENAME, from);
	rig_put(rig, &in, sizeof(in));
	rig_put(rig, "x\0y", 4);
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	host_stat(rig, "y");
	rig_free(rig);
}

/*
 * A page fault of the guest repeats a mapping for ever on -ENOMEM and -EAGAIN (fs/fuse/dax.c __fuse_dax_fault,
 * linux/mm.h vmf_error): all that can be short on the way to one is -ENOSPC.
 */
static void a_mapping_without_a_descriptor_left(void **state)
{
	struct fuse_setupmapping_in in = {.fh = UINT64_MAX, .len = UINT64_C(2) << 20, .flags = 2};
	uint64_t nodes[3];
	struct rig *rig;

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_with_open_max(2);
	for (unsigned int i = 0; i < 3; i++) {
		host_file(rig, file_name(i), &i, sizeof(i));
		nodes[i] = rig_node(rig, FUSE_ROOT_ID, file_name(i));
	}
	/* the last two are open, and mapped ones stay so */
	for (unsigned int i = 3; i-- > 0;) {
		in.moffset = i * in.len;
		rig_begin(rig, FUSE_SETUPMAPPING, nodes[i]);
		rig_put(rig, &in, sizeof(in));
		assert_int_equal(rig_send(rig, RIG_ROOM), i ? 0 : -ENOSPC);
	}
	rig_free(rig);
}

/* What is in a directory that cannot be opened any more is not known to be absent. */
static void a_capability_that_was_given_up(void **state)
{
	struct fuse_entry_out entry;
	struct rig *rig;
	uint64_t nodes[FILES];
	uint64_t dir;
	bool had;

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_new_with(
		0, (struct fl_fs_opts){.open_max = OPEN_MAX, .attr_timeout_ms = 1000, .entry_timeout_ms = 1000});
	assert_int_equal(mkdirat(rig->dir_fd, "dir", 0755), 0);
	host_file(rig, "dir/inside", "x", 1);
	dir = rig_node(rig, FUSE_ROOT_ID, "dir");
	know_files(rig, nodes);
	had = set_search_capability(false);
	rig_begin(rig, FUSE_LOOKUP, dir);
	rig_put_string(rig, "inside");
	assert_int_equal(rig_send(rig, RIG_ROOM), -EIO);
	if (had)
		set_search_capability(true);
	assert_int_equal(rig_lookup(rig, dir, "inside", &entry), 0);
	rig_free(rig);
}

/* Where nothing can be opened again, there is an end. */
static void without_handles_there_is_a_limit(void **state)
{
	bool had = set_search_capability(false);
	struct rig *rig = rig_with_open_max(2);
	struct fuse_entry_out entry;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		host_file(rig, file_name(i), "", 0);
		assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, file_name(i), &entry), i < 2 ? 0 : -ENFILE);
	}
	rig_free(rig);
	if (had)
		set_search_capability(true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_are_known_with_few_descriptors),
	cmocka_unit_test(a_closed_inode_keeps_its_nodeid),
	cmocka_unit_test(a_renamed_one_is_found),
	cmocka_unit_test(a_deleted_one_is_stale),
	cmocka_unit_test(a_reused_inode_number_is_another_node),
	cmocka_unit_test(directories_and_links_come_back),
	cmocka_unit_test(mapped_inodes_are_left_alone),
	cmocka_unit_test(many_mapped_inodes_are_not_too_many),
	cmocka_unit_test(what_is_in_use_is_not_closed),
	cmocka_unit_test(a_mapping_without_a_descriptor_left),
	cmocka_unit_test(a_capability_that_was_given_up),
	cmocka_unit_test(without_handles_there_is_a_limit),
};
FL_TEST_MAIN(30, tests)
