/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are too short, lie, come out of turn; and what INIT agrees to. */
#include "fs_rig.h"

#include <fcntl.h>

#define UNKNOWN_NODE 0xdeadbeef00000007ull

/* include/uapi/linux/fuse.h: the fixed part after the header; names count with one byte and the NUL. */
static const struct {
	uint32_t opcode;
	uint32_t min_in;
	uint32_t min_out; /* after the reply's header */
} shapes[] = {
	{FUSE_LOOKUP, 2, 128},	    {FUSE_GETATTR, 16, 104},	{FUSE_SETATTR, 88, 104},  {FUSE_SYMLINK, 4, 128},
	{FUSE_MKNOD, 18, 128},	    {FUSE_MKDIR, 10, 128},	{FUSE_UNLINK, 2, 0},	  {FUSE_RMDIR, 2, 0},
	{FUSE_RENAME, 12, 0},	    {FUSE_LINK, 10, 128},	{FUSE_OPEN, 8, 16},	  {FUSE_READ, 40, 0},
	{FUSE_WRITE, 40, 8},	    {FUSE_RELEASE, 24, 0},	{FUSE_FSYNC, 16, 0},	  {FUSE_SETXATTR, 10, 0},
	{FUSE_GETXATTR, 10, 0},	    {FUSE_LISTXATTR, 8, 0},	{FUSE_REMOVEXATTR, 2, 0}, {FUSE_FLUSH, 24, 0},
	{FUSE_INIT, 16, 64},	    {FUSE_OPENDIR, 8, 16},	{FUSE_READDIR, 40, 0},	  {FUSE_RELEASEDIR, 24, 0},
	{FUSE_FSYNCDIR, 16, 0},	    {FUSE_ACCESS, 8, 0},	{FUSE_CREATE, 18, 144},	  {FUSE_FALLOCATE, 32, 0},
	{FUSE_READDIRPLUS, 40, 0},  {FUSE_RENAME2, 20, 0},	{FUSE_LSEEK, 24, 8},	  {FUSE_COPY_FILE_RANGE, 56, 8},
	{FUSE_SETUPMAPPING, 40, 0}, {FUSE_REMOVEMAPPING, 4, 0}, {FUSE_SYNCFS, 8, 0},	  {FUSE_TMPFILE, 17, 144},
	{52 /* STATX */, 24, 288},  {FUSE_IOCTL, 32, 0},
};

static const uint8_t zeros[8192];

static void one_byte_short_is_refused(void **state)
{
	struct rig *rig = rig_new(RIG_WINDOW);

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(shapes); i++) {
		rig_begin(rig, shapes[i].opcode, FUSE_ROOT_ID);
		rig_put(rig, zeros, shapes[i].min_in - 1);
		assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
		/* nothing at all */
		rig_begin(rig, shapes[i].opcode, FUSE_ROOT_ID);
		assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	}
	assert_int_equal(fl_fs_counters(rig->fs)->proto_errors, 2 * FL_ARRAY_SIZE(shapes));
	rig_free(rig);
}

/* No room for the fixed reply: refused before anything is done. */
static void one_byte_of_room_short_is_refused(void **state)
{
	struct rig *rig = rig_new(RIG_WINDOW);

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(shapes); i++) {
		if (!shapes[i].min_out)
			continue;
		rig_begin(rig, shapes[i].opcode, FUSE_ROOT_ID);
		rig_put(rig, zeros, shapes[i].min_in);
		assert_int_equal(rig_send(rig, 16 + shapes[i].min_out - 1), -EINVAL);
	}
	rig_free(rig);
}

static void a_creation_without_room_for_its_reply_does_nothing(void **state)
{
	struct fuse_create_in in = {.flags = O_RDWR, .mode = S_IFREG | 0644};
	struct rig *rig = rig_new(0);
	struct stat st;

	(void)state;
	rig_begin(rig, FUSE_CREATE, FUSE_ROOT_ID);
	rig_put(rig, &in, sizeof(in));
	rig_put_string(rig, "file");
	assert_int_equal(rig_send(rig, 16 + 143), -EINVAL);
	assert_int_equal(fstatat(rig->dir_fd, "file", &st, 0), -1);
	rig_free(rig);
}

static void zeroed_arguments_never_succeed_on_an_unknown_node(void **state)
{
	struct rig *rig = rig_new(RIG_WINDOW);

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(shapes); i++) {
		if (shapes[i].opcode == FUSE_INIT)
			continue;
		rig_begin(rig, shapes[i].opcode, UNKNOWN_NODE);
		rig_put(rig, zeros, shapes[i].min_in);
		assert_true(rig_send(rig, RIG_ROOM) < 0);
	}
	rig_free(rig);
}

static void unknown_nodes_are_stale(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_entry_out entry;
	struct fuse_attr attr;
	uint64_t fh;

	(void)state;
	assert_int_equal(rig_lookup(rig, UNKNOWN_NODE, "x", &entry), -ESTALE);
	assert_int_equal(rig_getattr(rig, UNKNOWN_NODE, &attr), -ESTALE);
	assert_int_equal(rig_getattr(rig, 0, &attr), -ESTALE);
	assert_int_equal(rig_open(rig, UNKNOWN_NODE, O_RDONLY, &fh), -ESTALE);
	assert_int_equal(rig_opendir(rig, UNKNOWN_NODE, &fh), -ESTALE);
	assert_int_equal(rig_name(rig, FUSE_UNLINK, UNKNOWN_NODE, NULL, 0, "x"), -ESTALE);
	rig_free(rig);
}

static void no_whole_header_breaks_the_device(void **state)
{
	struct rig *rig = rig_new(0);

	(void)state;
	rig_begin(rig, FUSE_STATFS, FUSE_ROOT_ID);
	rig->in_len = 39;
	assert_int_equal(rig_send(rig, RIG_ROOM), BROKEN);
	rig->in_len = 0;
	assert_int_equal(rig_send(rig, RIG_ROOM), BROKEN);
	rig_free(rig);
}

static void lying_lengths_are_refused(void **state)
{
	struct fuse_getattr_in in = {0};
	struct rig *rig = rig_new(0);
	static const uint32_t lies[] = {0, 39, 57, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(lies); i++) {
		rig_begin(rig, FUSE_GETATTR, FUSE_ROOT_ID);
		rig_put(rig, &in, sizeof(in));
		rig_header(rig)->len = lies[i];
		assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	}
	/* extensions longer than the request; and ones that leave too little of it */
	for (uint16_t words = 1; words; words = (uint16_t)(words * 2)) {
		rig_begin(rig, FUSE_GETATTR, FUSE_ROOT_ID);
		rig_put(rig, &in, sizeof(in));
		rig_header(rig)->total_extlen = words;
		assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	}
	rig_free(rig);
}

static void no_room_for_a_reply_gets_none(void **state)
{
	struct fuse_mkdir_in in = {.mode = 0755};
	struct rig *rig = rig_new(0);
	struct stat st;

	(void)state;
	for (size_t room = 0; room < 16; room++) {
		rig_begin(rig, FUSE_MKDIR, FUSE_ROOT_ID);
		rig_put(rig, &in, sizeof(in));
		rig_put_string(rig, "dir");
		assert_int_equal(rig_send(rig, room), NO_REPLY);
	}
	assert_int_equal(fstatat(rig->dir_fd, "dir", &st, 0), -1);
	rig_free(rig);
}

static void oversized_arguments_are_refused(void **state)
{
	struct rig *rig = rig_new(0);

	(void)state;
	rig_begin(rig, FUSE_LOOKUP, FUSE_ROOT_ID);
	for (int i = 0; i < 20; i++)
		rig_put(rig, zeros, sizeof(zeros));
	assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	rig_free(rig);
}

static const struct {
	uint32_t opcode;
	uint32_t args_len;
} name_ops[] = {
	{FUSE_LOOKUP, 0}, {FUSE_MKNOD, 16},   {FUSE_MKDIR, 8}, {FUSE_UNLINK, 0},  {FUSE_RMDIR, 0},
	{FUSE_RENAME, 8}, {FUSE_RENAME2, 16}, {FUSE_LINK, 8},  {FUSE_CREATE, 16}, {FUSE_SYMLINK, 0},
};

/* Bad first names with a good second one behind them, for those that take two. */
static int send_name(struct rig *rig, size_t op, const char *name, size_t len)
{
	/* a mode that MKNOD takes, so that only the name can be wrong */
	static const uint32_t mknod_in[4] = {S_IFREG | 0644};

	rig_begin(rig, name_ops[op].opcode, FUSE_ROOT_ID);
	rig_put(rig, name_ops[op].opcode == FUSE_MKNOD ? (const void *)mknod_in : zeros, name_ops[op].args_len);
	rig_put(rig, name, len);
	return rig_send(rig, RIG_ROOM);
}

static void bad_names_are_refused_by_every_operation(void **state)
{
	static const char *const bad[] = {"", ".", "..", "/", "a/b", "../x", "/etc/passwd", "dir/"};
	struct rig *rig = rig_new(0);
	char too_long[300];

	(void)state;
	memset(too_long, 'x', sizeof(too_long));
	too_long[256] = 0;
	for (size_t op = 0; op < FL_ARRAY_SIZE(name_ops); op++) {
		for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++) {
			char bytes[64] = {0};

			/* NUL, then "second" and its NUL */
			strcpy(bytes, bad[i]);
			strcpy(bytes + strlen(bad[i]) + 1, "second");
			assert_int_equal(send_name(rig, op, bytes, strlen(bad[i]) + 8), -EINVAL);
		}
		assert_int_equal(send_name(rig, op, "nonul", 5), -EINVAL);
		memcpy(too_long + 257, "second", 7);
		assert_int_equal(send_name(rig, op, too_long, 264), -ENAMETOOLONG);
	}
	rig_free(rig);
}

static void bad_second_names_are_refused(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "../up"};
	struct fuse_rename_in rename_in = {.newdir = FUSE_ROOT_ID};
	struct fuse_rename2_in rename2_in = {.newdir = FUSE_ROOT_ID};
	struct rig *rig = rig_new(0);

	(void)state;
	host_file(rig, "old", "x", 1);
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++) {
		rig_begin(rig, FUSE_RENAME, FUSE_ROOT_ID);
		rig_put(rig, &rename_in, sizeof(rename_in));
		rig_put_string(rig, "old");
		rig_put_string(rig, bad[i]);
		assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
		rig_begin(rig, FUSE_RENAME2, FUSE_ROOT_ID);
		rig_put(rig, &rename2_in, sizeof(rename2_in));
		rig_put_string(rig, "old");
		rig_put_string(rig, bad[i]);
		assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	}
	host_stat(rig, "old");
	rig_free(rig);
}

static void a_handle_serves_only_its_own_node(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t a, b, dir_fh, fh;

	(void)state;
	host_file(rig, "a", "aaaa", 4);
	host_file(rig, "b", "bbbb", 4);
	a = rig_node(rig, FUSE_ROOT_ID, "a");
	b = rig_node(rig, FUSE_ROOT_ID, "b");
	assert_int_equal(rig_open(rig, a, O_RDWR, &fh), 0);
	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &dir_fh), 0);
	assert_int_equal(rig_read(rig, b, fh, 0, 4), -EBADF);
	assert_int_equal(rig_read(rig, a, fh + 1, 0, 4), -EBADF);
	assert_int_equal(rig_read(rig, FUSE_ROOT_ID, dir_fh, 0, 4), -EBADF);
	assert_int_equal(rig_write(rig, b, fh, 0, "x", 1, 0), -EBADF);
	assert_int_equal(rig_release(rig, b, fh), -EBADF);
	assert_int_equal(rig_release(rig, FUSE_ROOT_ID, dir_fh), -EBADF);
	assert_int_equal(rig_release(rig, a, fh), 0);
	assert_int_equal(rig_read(rig, a, fh, 0, 4), -EBADF);
	assert_int_equal(rig_release(rig, a, fh), -EBADF);
	rig_free(rig);
}

static void nothing_is_served_before_init(void **state)
{
	struct rig *rig = rig_new(RIG_NO_INIT | RIG_WINDOW);

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(shapes); i++) {
		if (shapes[i].opcode == FUSE_INIT)
			continue;
		rig_begin(rig, shapes[i].opcode, FUSE_ROOT_ID);
		rig_put(rig, zeros, shapes[i].min_in);
		assert_int_equal(rig_send(rig, RIG_ROOM), -EIO);
	}
	assert_int_equal(rig_forget(rig, 5, 5), NO_REPLY);
	rig_free(rig);
}

static void destroy_ends_what_init_began(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_attr attr;
	uint64_t node, fh;

	(void)state;
	host_file(rig, "a", "aaaa", 4);
	node = rig_node(rig, FUSE_ROOT_ID, "a");
	assert_int_equal(rig_open(rig, node, O_RDONLY, &fh), 0);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 1);
	assert_int_equal(fl_fs_counters(rig->fs)->handles, 1);
	rig_begin(rig, FUSE_DESTROY, 0);
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 0);
	assert_int_equal(fl_fs_counters(rig->fs)->handles, 0);
	assert_int_equal(rig_getattr(rig, FUSE_ROOT_ID, &attr), -EIO);
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL, NULL), 0);
	assert_int_equal(rig_getattr(rig, FUSE_ROOT_ID, &attr), 0);
	assert_int_equal(rig_getattr(rig, node, &attr), -ESTALE);
	rig_free(rig);
}

static void a_second_init_starts_afresh(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_attr attr;
	uint64_t node, fh;

	(void)state;
	host_file(rig, "a", "aaaa", 4);
	node = rig_node(rig, FUSE_ROOT_ID, "a");
	assert_int_equal(rig_open(rig, node, O_RDONLY, &fh), 0);
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL, NULL), 0);
	assert_int_equal(fl_fs_counters(rig->fs)->handles, 0);
	assert_int_equal(rig_getattr(rig, node, &attr), -ESTALE);
	rig_free(rig);
}

/* fs/overlayfs/namei.c ovl_lookup_single gives EREMOTE for a directory that would be mounted when it is entered. */
static void no_submounts_below_an_overlay(void **state)
{
	struct rig *rig = rig_new_with(RIG_NO_INIT, (struct fl_fs_opts){.below_overlay = true});
	struct fuse_init_out out;

	(void)state;
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL, &out), 0);
	assert_int_equal(out.flags & FUSE_SUBMOUNTS, 0);
	rig_free(rig);
}

static void init_takes_what_it_should(void **state)
{
	const uint64_t taken = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_AUTO_INVAL_DATA |
			       FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES |
			       FUSE_SUBMOUNTS | FUSE_INIT_EXT;
	const uint64_t refused = FUSE_WRITEBACK_CACHE | FUSE_HANDLE_KILLPRIV | FUSE_HANDLE_KILLPRIV_V2 |
				 FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS | FUSE_EXPORT_SUPPORT | FUSE_EXPLICIT_INVAL_DATA |
				 FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT | FUSE_POSIX_ACL | FUSE_SETXATTR_EXT |
				 FUSE_SECURITY_CTX | (1u << 31);
	const uint64_t dax = FUSE_MAP_ALIGNMENT | FUSE_HAS_INODE_DAX;

	(void)state;
	for (int with_window = 0; with_window < 2; with_window++) {
		struct rig *rig = rig_new(RIG_NO_INIT | (with_window ? RIG_WINDOW : 0));
		struct fuse_init_out out;
		uint64_t flags;

		assert_int_equal(rig_init(rig, RIG_OFFER_ALL, &out), 0);
		flags = (uint64_t)out.flags2 << 32 | out.flags;
		assert_int_equal(flags & taken, taken);
		assert_int_equal(flags & refused, 0);
		assert_int_equal(flags & dax, with_window ? dax : 0);
		assert_int_equal(out.major, 7);
		assert_int_equal(out.minor, 38);
		/* fs/fuse/inode.c: max_write beyond max_pages would be cut; the window maps 2 MiB ranges */
		assert_int_equal(out.max_pages, 256);
		assert_int_equal(out.max_write, 256 * 4096);
		assert_int_equal(out.map_alignment, with_window ? 21 : 0);
		assert_int_equal(out.time_gran, 1);
		assert_true(out.max_background > 12 && out.congestion_threshold <= out.max_background);
		rig_free(rig);
	}
}

static void init_takes_nothing_that_was_not_offered(void **state)
{
	struct rig *rig = rig_new(RIG_NO_INIT | RIG_WINDOW);
	struct fuse_init_out out;

	(void)state;
	assert_int_equal(rig_init(rig, 0, &out), 0);
	assert_int_equal(out.flags, 0);
	assert_int_equal(out.flags2, 0);
	assert_int_equal(out.max_write, 32 * 4096);
	/* flags2 without FUSE_INIT_EXT is not read */
	assert_int_equal(rig_init(rig, FUSE_HAS_INODE_DAX, &out), 0);
	assert_int_equal(out.flags2, 0);
	rig_free(rig);
}

static void init_of_other_versions(void **state)
{
	static const struct {
		uint32_t major, minor, reply_minor;
		int error;
	} cases[] = {
		{7, 31, 31, 0}, {7, 38, 38, 0}, {7, 45, 38, 0}, {8, 0, 0, 0}, {6, 40, 0, -EPROTO}, {7, 30, 0, -EPROTO},
	};
	struct rig *rig = rig_new(RIG_NO_INIT);

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(cases); i++) {
		/* 16 bytes: as before FUSE_INIT_EXT */
		const uint32_t in[4] = {cases[i].major, cases[i].minor, 0, 0};
		struct fuse_init_out out;
		struct fuse_attr attr;

		rig_begin(rig, FUSE_INIT, 0);
		rig_put(rig, in, sizeof(in));
		assert_int_equal(rig_send(rig, RIG_ROOM), cases[i].error);
		if (cases[i].error)
			continue;
		memcpy(&out, rig->body, sizeof(out));
		assert_int_equal(out.major, 7);
		assert_int_equal(out.minor, cases[i].reply_minor);
		/* a newer major has to ask again first */
		assert_int_equal(rig_getattr(rig, FUSE_ROOT_ID, &attr), cases[i].major == 7 ? 0 : -EIO);
	}
	rig_free(rig);
}

static void unknown_operations_are_enosys(void **state)
{
	static const uint32_t never[] = {FUSE_GETLK, FUSE_SETLK, FUSE_SETLKW, FUSE_BMAP, FUSE_POLL,  0,
					 7,	     19,	 53,	      1000,	 UINT32_MAX, CUSE_INIT};
	struct rig *rig = rig_new(0);

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(never); i++) {
		rig_begin(rig, never[i], FUSE_ROOT_ID);
		rig_put(rig, zeros, 64);
		assert_int_equal(rig_send(rig, RIG_ROOM), -ENOSYS);
	}
	rig_free(rig);
}

/* ioctl(2): "The specified operation does not apply to the kind of object that the file descriptor references." */
static void no_ioctl_applies(void **state)
{
	const struct fuse_ioctl_in in = {.cmd = 0x80086601 /* FS_IOC_GETFLAGS */, .out_size = 8};
	struct rig *rig = rig_new(0);

	(void)state;
	rig_begin(rig, FUSE_IOCTL, FUSE_ROOT_ID);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), -ENOTTY);
	rig_free(rig);
}

static void one_way_requests_get_no_reply(void **state)
{
	static const uint32_t one_way[] = {FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT, FUSE_NOTIFY_REPLY};
	struct rig *rig = rig_new(0);

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(one_way); i++) {
		for (size_t len = 0; len < 48; len += 7) {
			rig_begin(rig, one_way[i], FUSE_ROOT_ID);
			rig_put(rig, zeros, len);
			assert_int_equal(rig_send(rig, 0), NO_REPLY);
			/* also where there would be room: FORGET on a request queue */
			assert_int_equal(rig_send(rig, RIG_ROOM), NO_REPLY);
		}
	}
	rig_free(rig);
}

/* Everything that changes something, with arguments that are otherwise good. */
static void a_read_only_export_cannot_be_changed(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY);
	struct fuse_setattr_in setattr = {.valid = FATTR_MODE, .mode = 0600};
	struct fuse_rename_in rename_in = {.newdir = FUSE_ROOT_ID};
	struct fuse_setxattr_in xattr = {.size = 1};
	struct fuse_mkdir_in mkdir_in = {.mode = 0755};
	struct fuse_create_in create = {.flags = O_RDWR, .mode = 0644};
	struct fuse_access_in access_in = {.mask = W_OK};
	struct stat before, after;
	uint64_t node, fh;

	(void)state;
	host_file(rig, "f", "data", 4);
	before = host_stat(rig, "f");
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_WRONLY, &fh), -EROFS);
	assert_int_equal(rig_open(rig, node, O_RDWR, &fh), -EROFS);
	assert_int_equal(rig_open(rig, node, O_RDONLY | O_TRUNC, &fh), -EROFS);
	assert_int_equal(rig_open(rig, node, O_RDONLY, &fh), 0);
	assert_int_equal(rig_write(rig, node, fh, 0, "x", 1, 0), -EROFS);
	rig_begin(rig, FUSE_SETATTR, node);
	rig_put(rig, &setattr, sizeof(setattr));
	assert_int_equal(rig_send(rig, RIG_ROOM), -EROFS);
	assert_int_equal(rig_name(rig, FUSE_UNLINK, FUSE_ROOT_ID, NULL, 0, "f"), -EROFS);
	assert_int_equal(rig_name(rig, FUSE_RMDIR, FUSE_ROOT_ID, NULL, 0, "f"), -EROFS);
	assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &mkdir_in, 8, "d"), -EROFS);
	assert_int_equal(rig_name(rig, FUSE_CREATE, FUSE_ROOT_ID, &create, 16, "f"), -EROFS);
	assert_int_equal(rig_name(rig, FUSE_TMPFILE, FUSE_ROOT_ID, &create, 16, "/"), -EROFS);
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, zeros, 16, "n"), -EROFS);
	assert_int_equal(rig_name(rig, FUSE_LINK, FUSE_ROOT_ID, &node, 8, "l"), -EROFS);
	assert_int_equal(rig_name(rig, FUSE_SYMLINK, FUSE_ROOT_ID, "l", 2, "target"), -EROFS);
	assert_int_equal(rig_name(rig, FUSE_REMOVEXATTR, node, NULL, 0, "user.x"), -EROFS);
	rig_begin(rig, FUSE_RENAME, FUSE_ROOT_ID);
	rig_put(rig, &rename_in, sizeof(rename_in));
	rig_put(rig, "f\0g", 4);
	assert_int_equal(rig_send(rig, RIG_ROOM), -EROFS);
	rig_begin(rig, FUSE_SETXATTR, node);
	rig_put(rig, &xattr, 8);
	rig_put(rig, "user.x\0v", 8);
	assert_int_equal(rig_send(rig, RIG_ROOM), -EROFS);
	rig_begin(rig, FUSE_FALLOCATE, node);
	rig_put(rig, zeros, 32);
	assert_int_equal(rig_send(rig, RIG_ROOM), -EROFS);
	rig_begin(rig, FUSE_ACCESS, node);
	rig_put(rig, &access_in, sizeof(access_in));
	assert_int_equal(rig_send(rig, RIG_ROOM), -EROFS);
	after = host_stat(rig, "f");
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
	assert_int_equal(after.st_nlink, 1);
	rig_free(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_byte_short_is_refused),
	cmocka_unit_test(one_byte_of_room_short_is_refused),
	cmocka_unit_test(a_creation_without_room_for_its_reply_does_nothing),
	cmocka_unit_test(zeroed_arguments_never_succeed_on_an_unknown_node),
	cmocka_unit_test(unknown_nodes_are_stale),
	cmocka_unit_test(no_whole_header_breaks_the_device),
	cmocka_unit_test(lying_lengths_are_refused),
	cmocka_unit_test(no_room_for_a_reply_gets_none),
	cmocka_unit_test(oversized_arguments_are_refused),
	cmocka_unit_test(bad_names_are_refused_by_every_operation),
	cmocka_unit_test(bad_second_names_are_refused),
	cmocka_unit_test(a_handle_serves_only_its_own_node),
	cmocka_unit_test(nothing_is_served_before_init),
	cmocka_unit_test(destroy_ends_what_init_began),
	cmocka_unit_test(a_second_init_starts_afresh),
	cmocka_unit_test(init_takes_what_it_should),
	cmocka_unit_test(no_submounts_below_an_overlay),
	cmocka_unit_test(init_takes_nothing_that_was_not_offered),
	cmocka_unit_test(init_of_other_versions),
	cmocka_unit_test(unknown_operations_are_enosys),
	cmocka_unit_test(no_ioctl_applies),
	cmocka_unit_test(one_way_requests_get_no_reply),
	cmocka_unit_test(a_read_only_export_cannot_be_changed),
};
FL_TEST_MAIN(30, tests)
