/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that the guest has looked up before, for which the server takes a shorter way: whatever the host does to
 * them meanwhile, the guest gets what is there now, and the count of its lookups is right.
 */
#include "fs_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>

static struct fuse_entry_out look(struct rig *rig, const char *name)
{
	struct fuse_entry_out entry = {0};

	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, name, &entry), 0);
	return entry;
}

/* What READDIRPLUS says of a name; nodeid 0: nothing. */
static struct fuse_entry_out read_entry(struct rig *rig, const char *name)
{
	struct fuse_read_in in = {.size = 4096};
	struct fuse_entry_out found = {0};
	struct fuse_direntplus plus;

	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &in.fh), 0);
	rig_begin(rig, FUSE_READDIRPLUS, FUSE_ROOT_ID);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	for (size_t at = 0; at < rig->body_len; at += (152 + plus.dirent.namelen + 7) & ~7u) {
		memcpy(&plus, rig->body + at, 152);
		if (plus.dirent.namelen == strlen(name) && !memcmp(rig->body + at + 152, name, strlen(name)))
			found = plus.entry_out;
	}
	return found;
}

static void a_known_file_has_its_attributes_of_now(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t nodeid;

	(void)state;
	host_file(rig, "a", "1", 1);
	nodeid = look(rig, "a").nodeid;
	for (size_t len = 1; len < 4; len++) {
		host_file(rig, "a", "12345", len);
		assert_int_equal(look(rig, "a").nodeid, nodeid);
		assert_int_equal(look(rig, "a").attr.size, len);
		assert_int_equal(read_entry(rig, "a").nodeid, nodeid);
		assert_int_equal(read_entry(rig, "a").attr.size, len);
	}
	rig_free(rig);
}

static void a_name_that_means_something_else_by_now(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_entry_out entry;
	uint64_t a, b;

	(void)state;
	host_file(rig, "a", "a", 1);
	host_file(rig, "b", "bb", 2);
	a = look(rig, "a").nodeid;
	b = look(rig, "b").nodeid;
	assert_int_equal(renameat2(rig->dir_fd, "a", rig->dir_fd, "b", RENAME_EXCHANGE), 0);
	assert_int_equal(look(rig, "a").nodeid, b);
	assert_int_equal(look(rig, "b").nodeid, a);
	assert_int_equal(read_entry(rig, "a").nodeid, b);
	assert_int_equal(read_entry(rig, "b").nodeid, a);

	assert_int_equal(unlinkat(rig->dir_fd, "a", 0), 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "a", &entry), -ENOENT);
	assert_int_equal(read_entry(rig, "a").nodeid, 0);

	/* which the guest still knows by its number */
	assert_int_equal(symlinkat("b", rig->dir_fd, "a"), 0);
	entry = look(rig, "a");
	assert_true(S_ISLNK(entry.attr.mode));
	assert_true(entry.nodeid != a && entry.nodeid != b);
	assert_int_equal(read_entry(rig, "a").nodeid, entry.nodeid);
	assert_int_equal(unlinkat(rig->dir_fd, "a", 0), 0);
	assert_int_equal(mkdirat(rig->dir_fd, "a", 0755), 0);
	assert_true(S_ISDIR(look(rig, "a").attr.mode));
	assert_true(S_ISDIR(read_entry(rig, "a").attr.mode));
	rig_free(rig);
}

/* With no descriptor left nothing can be opened: what is answered then took the short way. */
static void it_takes_no_descriptor(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_entry_out entry;
	struct rlimit limit, none;
	int next;

	(void)state;
	host_file(rig, "a", "1", 1);
	host_file(rig, "b", "1", 1);
	(void)look(rig, "a");
	next = dup(rig->dir_fd);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "a", &entry), 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "b", &entry), -ENFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	rig_free(rig);
}

static void every_answer_counts_as_a_lookup(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t nodeid;

	(void)state;
	host_file(rig, "a", "1", 1);
	nodeid = look(rig, "a").nodeid;
	for (int i = 0; i < 3; i++)
		assert_int_equal(look(rig, "a").nodeid, nodeid);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_entry(rig, "a").nodeid, nodeid);
	assert_int_equal(rig_forget(rig, nodeid, 6), NO_REPLY);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 1);
	assert_int_equal(look(rig, "a").nodeid, nodeid);
	assert_int_equal(rig_forget(rig, nodeid, 2), NO_REPLY);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 0);
	assert_int_equal(fl_fs_counters(rig->fs)->proto_errors, 0);
	/* and is learnt anew, by a number that was never given before */
	assert_true(look(rig, "a").nodeid != nodeid);
	rig_free(rig);
}

/* More names than are remembered, and more files than may be held open. */
static void names_that_are_no_longer_remembered(void **state)
{
	enum { FILES = 5000 };
	uint64_t *nodes;
	struct rig *rig;
	char name[16];

	(void)state;
	SKIP_WITHOUT_HANDLES();
	rig = rig_new_with(0, (struct fl_fs_opts){.open_max = 64});
	nodes = calloc(FILES, sizeof(*nodes));
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < FILES; i++) {
			snprintf(name, sizeof(name), "f%u", i);
			if (!round) {
				host_file(rig, name, "", 0);
				nodes[i] = look(rig, name).nodeid;
			}
			assert_int_equal(look(rig, name).nodeid, nodes[i]);
		}
	}
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, FILES);
	free(nodes);
	rig_free(rig);
}

static void what_is_mounted_over_a_known_directory_is_seen(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_entry_out before, over;
	char path[96];

	(void)state;
	assert_int_equal(mkdirat(rig->dir_fd, "d", 0755), 0);
	snprintf(path, sizeof(path), "%s/d", rig->dir);
	before = look(rig, "d");
	assert_int_equal(look(rig, "d").nodeid, before.nodeid);
	if (mount("t", path, "tmpfs", 0, NULL)) {
		rig_free(rig);
		SKIP_FOR("may not mount");
	}
	over = look(rig, "d");
	assert_true(over.nodeid != before.nodeid);
	assert_int_equal(over.attr.flags & FUSE_ATTR_SUBMOUNT, FUSE_ATTR_SUBMOUNT);
	over = look(rig, "d");
	assert_true(over.nodeid != before.nodeid);
	assert_int_equal(over.attr.flags & FUSE_ATTR_SUBMOUNT, FUSE_ATTR_SUBMOUNT);
	assert_int_equal(read_entry(rig, "d").nodeid, 0);
	fl_fs_reset(rig->fs);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
	rig_free(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_known_file_has_its_attributes_of_now),
	cmocka_unit_test(a_name_that_means_something_else_by_now),
	cmocka_unit_test(it_takes_no_descriptor),
	cmocka_unit_test(every_answer_counts_as_a_lookup),
	cmocka_unit_test(names_that_are_no_longer_remembered),
	cmocka_unit_test(what_is_mounted_over_a_known_directory_is_seen),
};

FL_TEST_MAIN(60, tests)
