/* SPDX-License-Identifier: Apache-2.0 */
/* Open files: data, creation, holes, copying; and extended attributes. */
#include "fs_rig.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "virtiofs/fuse_ops.h"

static void fill_pattern(uint8_t *data, size_t len)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24);
	}
}

static void reads_are_the_files_bytes(void **state)
{
	enum { LEN = (1 << 20) + 12345 };
	struct rig *rig = rig_new(RIG_READ_ONLY);
	uint8_t *data = malloc(LEN);
	uint64_t node, fh;

	(void)state;
	assert_non_null(data);
	fill_pattern(data, LEN);
	host_file(rig, "f", data, LEN);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_RDONLY, &fh), 0);
	assert_int_equal(rig_read(rig, node, fh, 0, 1 << 20), 0);
	assert_int_equal(rig->body_len, 1 << 20);
	assert_memory_equal(rig->body, data, 1 << 20);
	assert_int_equal(rig_read(rig, node, fh, 1 << 20, 65536), 0); /* to the end */
	assert_int_equal(rig->body_len, 12345);
	assert_memory_equal(rig->body, data + (1 << 20), 12345);
	assert_int_equal(rig_read(rig, node, fh, 777, 3), 0);
	assert_int_equal(rig->body_len, 3);
	assert_memory_equal(rig->body, data + 777, 3);
	assert_int_equal(rig_read(rig, node, fh, LEN, 10), 0);
	assert_int_equal(rig->body_len, 0);
	assert_int_equal(rig_read(rig, node, fh, 0, 0), 0);
	assert_int_equal(rig->body_len, 0);
	free(data);
	rig_free(rig);
}

static void absurd_reads_are_bounded(void **state)
{
	struct fuse_read_in in = {.size = UINT32_MAX};
	struct rig *rig = rig_new(RIG_READ_ONLY);
	uint64_t node;

	(void)state;
	host_file(rig, "f", "0123456789", 10);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_RDONLY, &in.fh), 0);
	rig_begin(rig, FUSE_READ, node);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, 16 + 4), 0); /* no more than there is room */
	assert_int_equal(rig->body_len, 4);
	assert_int_equal(rig_read(rig, node, in.fh, UINT64_MAX, 10), -EINVAL);
	assert_int_equal(rig_read(rig, node, in.fh, INT64_MAX, 10), -EINVAL);
	assert_int_equal(rig_read(rig, node, in.fh, UINT64_MAX - 5, 10), -EINVAL);
	rig_free(rig);
}

static void writes_arrive(void **state)
{
	enum { LEN = 100000 };
	struct rig *rig = rig_new(0);
	uint8_t *data = malloc(LEN);
	uint8_t *back = calloc(1, LEN + 10);
	uint64_t node, fh;

	(void)state;
	fill_pattern(data, LEN);
	host_file(rig, "f", "abcdef", 6);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_WRONLY, &fh), 0);
	assert_int_equal(rig_write(rig, node, fh, 3, data, LEN, 0), 0);
	assert_int_equal(host_read(rig, "f", back, LEN + 10), LEN + 3);
	assert_memory_equal(back, "abc", 3);
	assert_memory_equal(back + 3, data, LEN);
	assert_int_equal(rig_read(rig, node, fh, 0, 10), -EBADF); /* write-only */
	assert_int_equal(rig_write(rig, node, fh, 0, "", 0, 0), 0);
	free(data);
	free(back);
	rig_free(rig);
}

static void bad_writes_change_nothing(void **state)
{
	struct fuse_write_in in = {.size = 11};
	struct rig *rig = rig_new(0);
	uint64_t node, read_fh;

	(void)state;
	host_file(rig, "f", "abcdef", 6);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_RDWR, &in.fh), 0);
	assert_int_equal(rig_open(rig, node, O_RDONLY, &read_fh), 0);
	/* claims more data than it brings */
	rig_begin(rig, FUSE_WRITE, node);
	rig_put(rig, &in, sizeof(in));
	rig_put(rig, "0123456789", 10);
	assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	in.size = UINT32_MAX;
	rig_begin(rig, FUSE_WRITE, node);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	assert_int_equal(rig_write(rig, node, read_fh, 0, "x", 1, 0), -EBADF);
	assert_int_equal(rig_write(rig, node, in.fh, UINT64_MAX, "x", 1, 0), -EINVAL);
	assert_int_equal(rig_write(rig, node, in.fh, INT64_MAX, "x", 1, 0), -EINVAL);
	assert_int_equal(host_stat(rig, "f").st_size, 6);
	rig_free(rig);
}

/* The host has appended since the guest last looked: both must be there. */
static void appending_meets_the_hosts_end(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t node, fh;
	char back[32];

	(void)state;
	host_file(rig, "f", "abc", 3);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_WRONLY | O_APPEND, &fh), 0);
	host_file(rig, "f", "abcHOST", 7);
	assert_int_equal(rig_write(rig, node, fh, 3, "guest", 5, O_WRONLY | O_APPEND), 0);
	assert_int_equal(host_read(rig, "f", back, sizeof(back)), 12);
	assert_memory_equal(back, "abcHOSTguest", 12);
	rig_free(rig);
}

static void o_trunc_truncates(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t node, fh;

	(void)state;
	host_file(rig, "f", "abcdef", 6);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_RDWR, &fh), 0);
	assert_int_equal(host_stat(rig, "f").st_size, 6);
	assert_int_equal(rig_open(rig, node, O_RDWR | O_TRUNC, &fh), 0);
	assert_int_equal(host_stat(rig, "f").st_size, 0);
	assert_int_equal(rig_open(rig, node, 3, &fh), -EINVAL); /* no access mode */
	rig_free(rig);
}

/* O_PATH, O_DIRECTORY, O_CREAT and O_DIRECT of a guest are not the host's business. */
static void foreign_open_flags_are_dropped(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY);
	uint64_t node, fh;

	(void)state;
	host_file(rig, "f", "abcdef", 6);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_RDONLY | O_PATH | O_CREAT | O_NOFOLLOW | O_DIRECT | 0x20, &fh), 0);
	assert_int_equal(rig_read(rig, node, fh, 1, 2), 0);
	assert_memory_equal(rig->body, "bc", 2);
	rig_free(rig);
}

static int create(struct rig *rig, const char *name, uint32_t flags, uint32_t mode, uint64_t *node, uint64_t *fh)
{
	struct fuse_create_in in = {.flags = flags, .mode = mode, .umask = 022};
	int error = rig_name(rig, FUSE_CREATE, FUSE_ROOT_ID, &in, sizeof(in), name);

	if (!error) {
		assert_int_equal(rig->body_len, 144);
		memcpy(node, rig->body, sizeof(*node));
		memcpy(fh, rig->body + 128, sizeof(*fh));
	}
	return error;
}

static void create_makes_and_opens(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t node, fh;
	char back[8];

	(void)state;
	assert_int_equal(create(rig, "f", O_RDWR | O_CREAT | O_EXCL, S_IFREG | 0666, &node, &fh), 0);
	assert_int_equal(host_stat(rig, "f").st_mode, S_IFREG | 0644);
	assert_int_equal(rig_node(rig, FUSE_ROOT_ID, "f"), node);
	assert_int_equal(rig_write(rig, node, fh, 0, "data", 4, 0), 0);
	assert_int_equal(host_read(rig, "f", back, sizeof(back)), 4);
	assert_int_equal(create(rig, "f", O_RDWR | O_EXCL, S_IFREG | 0666, &node, &fh), -EEXIST);
	rig_free(rig);
}

/*
 * Linux checks no permission of what CREATE has opened, since it takes it for new (fs/namei.c do_open, FMODE_CREATED):
 * a file that the host has made since the guest looked is to be looked up and opened as any other, and so is all else.
 */
static void create_opens_nothing_that_is_there(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t node, fh;
	struct stat st;

	(void)state;
	assert_int_equal(mkfifoat(rig->dir_fd, "fifo", 0666), 0);
	assert_int_equal(symlinkat("/tmp/fl-fs-escape", rig->dir_fd, "link"), 0);
	host_file(rig, "private", "data", 4);
	assert_int_equal(create(rig, "private", O_RDWR, 0666, &node, &fh), -ESTALE);
	assert_int_equal(create(rig, "private", O_RDWR | O_TRUNC, 0666, &node, &fh), -ESTALE);
	assert_int_equal(create(rig, "private", O_RDWR | O_EXCL, 0666, &node, &fh), -EEXIST);
	assert_int_equal(host_stat(rig, "private").st_size, 4);
	assert_int_equal(create(rig, "fifo", O_RDWR, 0666, &node, &fh), -ESTALE);
	assert_int_equal(create(rig, "link", O_RDWR, 0666, &node, &fh), -ESTALE);
	assert_int_equal(stat("/tmp/fl-fs-escape", &st), -1);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 0);
	assert_int_equal(fl_fs_counters(rig->fs)->handles, 0);
	rig_free(rig);
}

static void a_failed_create_leaves_no_inode(void **state)
{
	struct rig *rig = rig_new_with(0, (struct fl_fs_opts){.handles_max = 1});
	uint64_t node, fh;

	(void)state;
	assert_int_equal(create(rig, "a", O_RDWR, 0644, &node, &fh), 0);
	assert_int_equal(create(rig, "b", O_RDWR, 0644, &node, &fh), -ENFILE);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 1);
	rig_free(rig);
}

static void a_tmpfile_can_be_linked(void **state)
{
	struct fuse_create_in in = {.flags = O_RDWR | O_TMPFILE, .mode = S_IFREG | 0640};
	struct rig *rig = rig_new(0);
	uint64_t node, fh;
	char back[8];
	int error;

	(void)state;
	/* Linux sends "/" as the name */
	error = rig_name(rig, FUSE_TMPFILE, FUSE_ROOT_ID, &in, sizeof(in), "/");
	if (error == -EOPNOTSUPP) {
		rig_free(rig);
		SKIP_FOR("no O_TMPFILE in /tmp");
	}
	assert_int_equal(error, 0);
	memcpy(&node, rig->body, sizeof(node));
	memcpy(&fh, rig->body + 128, sizeof(fh));
	assert_int_equal(rig_write(rig, node, fh, 0, "tmp", 3, 0), 0);
	assert_int_equal(rig_name(rig, FUSE_LINK, FUSE_ROOT_ID, &node, sizeof(node), "named"), 0);
	assert_int_equal(host_read(rig, "named", back, sizeof(back)), 3);
	assert_int_equal(host_stat(rig, "named").st_mode, S_IFREG | 0640);
	rig_free(rig);
}

static int lseek_op(struct rig *rig, uint64_t node, uint64_t fh, uint64_t offset, uint32_t whence, uint64_t *found)
{
	struct fuse_lseek_in in = {.fh = fh, .offset = offset, .whence = whence};
	int error;

	rig_begin(rig, FUSE_LSEEK, node);
	rig_put(rig, &in, sizeof(in));
	error = rig_send(rig, RIG_ROOM);
	if (!error)
		memcpy(found, rig->body, sizeof(*found));
	return error;
}

static void holes_are_where_the_host_has_them(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t node, fh, found = 0;
	int fd;

	(void)state;
	host_file(rig, "f", "x", 1);
	fd = openat(rig->dir_fd, "f", O_RDWR);
	assert_int_equal(pwrite(fd, "y", 1, 1 << 20), 1);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_RDONLY, &fh), 0);
	assert_int_equal(lseek_op(rig, node, fh, 0, SEEK_HOLE, &found), 0);
	assert_int_equal(found, lseek(fd, 0, SEEK_HOLE));
	assert_int_equal(lseek_op(rig, node, fh, found, SEEK_DATA, &found), 0);
	assert_int_equal(found, lseek(fd, lseek(fd, 0, SEEK_HOLE), SEEK_DATA));
	assert_int_equal(lseek_op(rig, node, fh, 2 << 20, SEEK_DATA, &found), -ENXIO);
	assert_int_equal(lseek_op(rig, node, fh, 0, SEEK_SET, &found), -EINVAL);
	/* -1: what lseek(2) says of it here */
	for (int whence = SEEK_DATA; whence <= SEEK_HOLE; whence++) {
		assert_int_equal(lseek(fd, -1, whence), -1);
		assert_int_equal(lseek_op(rig, node, fh, UINT64_MAX, (uint32_t)whence, &found), -errno);
	}
	close(fd);
	rig_free(rig);
}

static int fallocate_op(struct rig *rig, uint64_t node, uint64_t fh, uint64_t offset, uint64_t length, uint32_t mode)
{
	struct fuse_fallocate_in in = {.fh = fh, .offset = offset, .length = length, .mode = mode};

	rig_begin(rig, FUSE_FALLOCATE, node);
	rig_put(rig, &in, sizeof(in));
	return rig_send(rig, RIG_ROOM);
}

static void fallocate_and_what_it_refuses(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t node, fh, read_fh;
	uint8_t back[8192];

	(void)state;
	memset(back, 'x', sizeof(back));
	host_file(rig, "f", back, sizeof(back));
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_RDWR, &fh), 0);
	assert_int_equal(rig_open(rig, node, O_RDONLY, &read_fh), 0);
	assert_int_equal(fallocate_op(rig, node, fh, 0, 4096, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE), 0);
	assert_int_equal(host_read(rig, "f", back, sizeof(back)), sizeof(back));
	assert_int_equal(back[0], 0);
	assert_int_equal(back[4096], 'x');
	assert_int_equal(fallocate_op(rig, node, fh, 0, 20000, 0), 0);
	assert_int_equal(host_stat(rig, "f").st_size, 20000);
	assert_int_equal(fallocate_op(rig, node, fh, 0, 4096, FALLOC_FL_COLLAPSE_RANGE), -EOPNOTSUPP);
	assert_int_equal(fallocate_op(rig, node, fh, 0, 4096, FALLOC_FL_INSERT_RANGE), -EOPNOTSUPP);
	assert_int_equal(fallocate_op(rig, node, fh, UINT64_MAX, 2, 0), -EINVAL);
	assert_int_equal(fallocate_op(rig, node, fh, 0, UINT64_MAX, 0), -EINVAL);
	assert_int_equal(fallocate_op(rig, node, fh, 0, 0, 0), -EINVAL);
	assert_int_equal(fallocate_op(rig, node, read_fh, 0, 1, 0), -EBADF);
	assert_int_equal(host_stat(rig, "f").st_size, 20000);
	rig_free(rig);
}

static int copy_op(struct rig *rig, uint64_t node, const struct fuse_copy_file_range_in *in, uint32_t *copied)
{
	int error;

	rig_begin(rig, FUSE_COPY_FILE_RANGE, node);
	rig_put(rig, in, sizeof(*in));
	error = rig_send(rig, RIG_ROOM);
	if (!error)
		memcpy(copied, rig->body, sizeof(*copied));
	return error;
}

static void copy_file_range_copies(void **state)
{
	struct fuse_copy_file_range_in in = {.off_in = 2, .off_out = 1, .len = 4};
	struct rig *rig = rig_new(0);
	uint32_t copied = 0;
	uint64_t from, to;
	char back[16];

	(void)state;
	host_file(rig, "from", "abcdefgh", 8);
	host_file(rig, "to", "01", 2);
	from = rig_node(rig, FUSE_ROOT_ID, "from");
	to = rig_node(rig, FUSE_ROOT_ID, "to");
	assert_int_equal(rig_open(rig, from, O_RDONLY, &in.fh_in), 0);
	assert_int_equal(rig_open(rig, to, O_RDWR, &in.fh_out), 0);
	in.nodeid_out = to;
	assert_int_equal(copy_op(rig, from, &in, &copied), 0);
	assert_int_equal(copied, 4);
	assert_int_equal(host_read(rig, "to", back, sizeof(back)), 5);
	assert_memory_equal(back, "0cdef", 5);
	in.nodeid_out = from; /* fh_out is not of that node */
	assert_int_equal(copy_op(rig, from, &in, &copied), -EBADF);
	in.nodeid_out = to;
	in.flags = 1;
	assert_int_equal(copy_op(rig, from, &in, &copied), -EINVAL);
	in.flags = 0;
	in.off_in = UINT64_MAX;
	assert_int_equal(copy_op(rig, from, &in, &copied), -EINVAL);
	rig_free(rig);
}

static void syncing_and_flushing(void **state)
{
	struct fuse_fsync_in sync = {.fsync_flags = 1};
	struct fuse_flush_in flush = {0};
	struct rig *rig = rig_new(0);
	uint64_t node, zero = 0;

	(void)state;
	host_file(rig, "f", "x", 1);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_RDWR, &sync.fh), 0);
	flush.fh = sync.fh;
	rig_begin(rig, FUSE_FSYNC, node);
	rig_put(rig, &sync, sizeof(sync));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	rig_begin(rig, FUSE_FLUSH, node);
	rig_put(rig, &flush, sizeof(flush));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	rig_begin(rig, FUSE_FSYNCDIR, FUSE_ROOT_ID);
	rig_put(rig, &sync, sizeof(sync));
	assert_int_equal(rig_send(rig, RIG_ROOM), -EBADF); /* not a directory's handle */
	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &sync.fh), 0);
	rig_begin(rig, FUSE_FSYNCDIR, FUSE_ROOT_ID);
	rig_put(rig, &sync, sizeof(sync));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	rig_free(rig);
	rig = rig_new(RIG_READ_ONLY);
	rig_begin(rig, FUSE_SYNCFS, FUSE_ROOT_ID);
	rig_put(rig, &zero, sizeof(zero));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	rig_free(rig);
}

static int getxattr_op(struct rig *rig, uint64_t node, const char *name, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};

	rig_begin(rig, FUSE_GETXATTR, node);
	rig_put(rig, &in, sizeof(in));
	rig_put_string(rig, name);
	return rig_send(rig, RIG_ROOM);
}

static int setxattr_op(struct rig *rig, uint64_t node, const char *name, uint32_t claimed, const char *value)
{
	const uint32_t in[2] = {claimed, 0}; /* without FUSE_SETXATTR_EXT */

	rig_begin(rig, FUSE_SETXATTR, node);
	rig_put(rig, in, sizeof(in));
	rig_put_string(rig, name);
	rig_put(rig, value, strlen(value));
	return rig_send(rig, RIG_ROOM);
}

static uint32_t replied_size(const struct rig *rig)
{
	uint32_t size;

	assert_int_equal(rig->body_len, 8);
	memcpy(&size, rig->body, sizeof(size));
	return size;
}

static void user_attributes_pass(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t node;
	char path[128];
	char value[16];

	(void)state;
	host_file(rig, "f", "x", 1);
	snprintf(path, sizeof(path), "%s/f", rig->dir);
	if (setxattr(path, "user.host", "HOST", 4, 0)) {
		rig_free(rig);
		SKIP_FOR("no user attributes in /tmp");
	}
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(getxattr_op(rig, node, "user.host", 0), 0);
	assert_int_equal(replied_size(rig), 4);
	assert_int_equal(getxattr_op(rig, node, "user.host", 4), 0);
	assert_int_equal(rig->body_len, 4);
	assert_memory_equal(rig->body, "HOST", 4);
	assert_int_equal(getxattr_op(rig, node, "user.host", 3), -ERANGE);
	assert_int_equal(getxattr_op(rig, node, "user.none", 100), -ENODATA);
	assert_int_equal(setxattr_op(rig, node, "user.guest", 5, "GUEST"), 0);
	assert_int_equal(getxattr(path, "user.guest", value, sizeof(value)), 5);
	assert_memory_equal(value, "GUEST", 5);
	assert_int_equal(setxattr_op(rig, node, "user.lie", 6, "GUEST"), -EINVAL);
	assert_int_equal(rig_name(rig, FUSE_REMOVEXATTR, node, NULL, 0, "user.guest"), 0);
	assert_int_equal(getxattr(path, "user.guest", value, sizeof(value)), -1);
	rig_free(rig);
}

static void other_attributes_do_not_pass(void **state)
{
	static const char *const names[] = {"trusted.x", "security.selinux", "system.posix_acl_access", "usr.x",
					    "nodot"};
	struct rig *rig = rig_new(0);
	struct fuse_getxattr_in in = {.size = 1000};
	uint64_t node;
	char path[128];

	(void)state;
	host_file(rig, "f", "x", 1);
	snprintf(path, sizeof(path), "%s/f", rig->dir);
	if (setxattr(path, "user.host", "HOST", 4, 0)) {
		rig_free(rig);
		SKIP_FOR("no user attributes in /tmp");
	}
	if (geteuid() == 0)
		(void)!setxattr(path, "trusted.x", "T", 1, 0);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	for (size_t i = 0; i < FL_ARRAY_SIZE(names); i++) {
		assert_int_equal(getxattr_op(rig, node, names[i], 100), -EOPNOTSUPP);
		assert_int_equal(setxattr_op(rig, node, names[i], 1, "v"), -EOPNOTSUPP);
		assert_int_equal(rig_name(rig, FUSE_REMOVEXATTR, node, NULL, 0, names[i]), -EOPNOTSUPP);
	}
	assert_int_equal(setxattr_op(rig, node, "security.capability", 1, "v"), -EPERM);
	assert_int_equal(getxattr_op(rig, node, "security.capability", 100), -ENODATA);
	assert_int_equal(getxattr_op(rig, node, "", 100), -EINVAL);
	rig_begin(rig, FUSE_LISTXATTR, node);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_int_equal(rig->body_len, 10);
	assert_memory_equal(rig->body, "user.host", 10);
	in.size = 0;
	rig_begin(rig, FUSE_LISTXATTR, node);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_int_equal(replied_size(rig), 10);
	in.size = 9;
	rig_begin(rig, FUSE_LISTXATTR, node);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), -ERANGE);
	rig_free(rig);
}

/*
 * Linux removes them before a write and gives the write up if it cannot (fs/attr.c setattr_prepare). Setting them would
 * be valid on the host.
 */
static void file_capabilities_can_only_be_taken_away(void **state)
{
	struct vfs_cap_data caps = {.magic_etc = VFS_CAP_REVISION_2, .data = {{.permitted = 1u << CAP_NET_RAW}}};
	struct rig *rig = rig_new(0);
	uint64_t node;
	char path[128];

	(void)state;
	host_file(rig, "f", "x", 1);
	snprintf(path, sizeof(path), "%s/f", rig->dir);
	if (setxattr(path, "security.capability", &caps, XATTR_CAPS_SZ_2, 0)) {
		rig_free(rig);
		SKIP_FOR("no file capabilities can be set in /tmp");
	}
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(getxattr_op(rig, node, "security.capability", XATTR_CAPS_SZ_2), 0);
	assert_int_equal(rig->body_len, XATTR_CAPS_SZ_2);
	assert_int_equal(setxattr_op(rig, node, "security.capability", 1, "v"), -EPERM);
	assert_int_equal(rig_name(rig, FUSE_REMOVEXATTR, node, NULL, 0, "security.capability"), 0);
	assert_int_equal(getxattr(path, "security.capability", &caps, sizeof(caps)), -1);
	assert_int_equal(errno, ENODATA);
	rig_free(rig);
}

static enum fl_data_way way_to_write(const struct rig *rig, uint64_t node, uint64_t fh)
{
	return fl_handle_find(&rig->fs->handles, fh, node, FL_HANDLE_FILE)->writing;
}

static void writes_to_a_disk_are_at_once_while_they_are_quick(void **state)
{
	struct rig *rig = rig_new(0);
	struct statfs sfs;
	uint64_t node, fh, other, synced;

	(void)state;
	assert_int_equal(fstatfs(rig->dir_fd, &sfs), 0);
	if ((uint64_t)sfs.f_type != EXT4_SUPER_MAGIC) {
		rig_free(rig);
		SKIP_FOR("/tmp is not ext4");
	}
	host_file(rig, "f", "", 0);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(rig_open(rig, node, O_RDWR, &fh), 0);
	assert_int_equal(rig_open(rig, node, O_RDWR, &other), 0);
	assert_int_equal(rig_open(rig, node, O_RDWR | O_DSYNC, &synced), 0);
	rig->fs->quick_ns = UINT64_MAX; /* nothing is too slow, or all */
	assert_int_equal(rig_write(rig, node, fh, 0, "one", 3, 0), 0);
	assert_int_equal(rig_write(rig, node, other, 3, "two", 3, 0), 0);
	assert_int_equal(rig_write(rig, node, synced, 6, "three", 5, 0), 0);
	assert_int_equal(way_to_write(rig, node, fh), FL_DATA_WHILE_QUICK);
	assert_int_equal(way_to_write(rig, node, synced), FL_DATA_IN_FLIGHT);
	rig->fs->quick_ns = 0;
	assert_int_equal(rig_write(rig, node, fh, 11, "four", 4, 0), 0);
	assert_int_equal(way_to_write(rig, node, fh), FL_DATA_IN_FLIGHT);
	assert_int_equal(way_to_write(rig, node, other), FL_DATA_WHILE_QUICK);
	assert_int_equal(rig_read(rig, node, fh, 0, 100), 0);
	assert_int_equal(rig->body_len, 15);
	assert_memory_equal(rig->body, "onetwothreefour", 15);
	rig_free(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_are_the_files_bytes),
	cmocka_unit_test(absurd_reads_are_bounded),
	cmocka_unit_test(writes_arrive),
	cmocka_unit_test(bad_writes_change_nothing),
	cmocka_unit_test(appending_meets_the_hosts_end),
	cmocka_unit_test(writes_to_a_disk_are_at_once_while_they_are_quick),
	cmocka_unit_test(o_trunc_truncates),
	cmocka_unit_test(foreign_open_flags_are_dropped),
	cmocka_unit_test(create_makes_and_opens),
	cmocka_unit_test(create_opens_nothing_that_is_there),
	cmocka_unit_test(a_failed_create_leaves_no_inode),
	cmocka_unit_test(a_tmpfile_can_be_linked),
	cmocka_unit_test(holes_are_where_the_host_has_them),
	cmocka_unit_test(fallocate_and_what_it_refuses),
	cmocka_unit_test(copy_file_range_copies),
	cmocka_unit_test(syncing_and_flushing),
	cmocka_unit_test(user_attributes_pass),
	cmocka_unit_test(other_attributes_do_not_pass),
	cmocka_unit_test(file_capabilities_can_only_be_taken_away),
};
FL_TEST_MAIN(30, tests)
