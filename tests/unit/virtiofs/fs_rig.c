/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_rig.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

static int64_t buf_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	const struct rig *rig = arg;
	size_t copied = offset < rig->in_len ? FL_MIN(rig->in_len - offset, len) : 0;

	memcpy(buf, rig->in + offset, copied);
	return (int64_t)copied;
}

static int64_t buf_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	struct rig *rig = arg;
	size_t copied = offset < rig->writable_len ? FL_MIN(rig->writable_len - offset, len) : 0;

	memcpy(rig->out + offset, buf, copied);
	return (int64_t)copied;
}

/* Two pieces, so that payloads are never in one. */
static int buf_iov(void *arg, bool writable, uint64_t offset, uint64_t len, struct iovec *iov, unsigned int cap,
		   unsigned int *count)
{
	struct rig *rig = arg;
	uint8_t *at = rig->payload ? rig->payload : (writable ? rig->out : rig->in) + offset;

	if (!fl_range_fits(offset, len, writable ? rig->writable_len : rig->in_len))
		return -EINVAL;
	if (cap < 2)
		return -E2BIG;
	iov[0] = (struct iovec){at, len / 2};
	iov[1] = (struct iovec){at + len / 2, len - len / 2};
	*count = 2;
	return 0;
}

static const struct fl_fuse_io buf_io = {.read = buf_read, .write = buf_write, .iov = buf_iov};

struct rig *rig_new_with(uint32_t flags, struct fl_fs_opts opts)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	strcpy(rig->dir, "/tmp/fl-fs-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	rig->dir_fd = open(rig->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(rig->dir_fd >= 0);
	rig->in = malloc(RIG_IN_LEN);
	rig->out = malloc(RIG_OUT_LEN);
	assert_non_null(rig->in);
	assert_non_null(rig->out);
	if (flags & RIG_WINDOW)
		assert_int_equal(fl_window_new(UINT64_C(64) << 20, &rig->window, NULL), 0);
	opts.root_fd = rig->dir_fd;
	opts.writable = !(flags & RIG_READ_ONLY);
	opts.window = rig->window;
	rig->as_users = opts.as_users;
	assert_int_equal(fl_fs_new(&opts, &rig->fs, NULL), 0);
	assert_int_equal(fl_fs_prepare_thread(), 0);
	if (!(flags & RIG_NO_INIT))
		assert_int_equal(rig_init(rig, RIG_OFFER_ALL, NULL), 0);
	return rig;
}

struct rig *rig_new(uint32_t flags)
{
	return rig_new_with(flags, (struct fl_fs_opts){.attr_timeout_ms = 1500, .entry_timeout_ms = 2250});
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void rig_free(struct rig *rig)
{
	fl_fs_free(rig->fs);
	fl_window_free(rig->window);
	close(rig->dir_fd);
	nftw(rig->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(rig->in);
	free(rig->out);
	free(rig);
}

void rig_begin(struct rig *rig, uint32_t opcode, uint64_t nodeid)
{
	struct fuse_in_header header = {
		.opcode = opcode, .nodeid = nodeid, .unique = ++rig->unique, .uid = rig->uid, .gid = rig->gid};

	memcpy(rig->in, &header, sizeof(header));
	rig->in_len = sizeof(header);
	rig_header(rig)->len = sizeof(header);
}

struct fuse_in_header *rig_header(struct rig *rig)
{
	return (struct fuse_in_header *)(void *)rig->in;
}

void rig_put(struct rig *rig, const void *bytes, size_t len)
{
	assert_true(rig->in_len + len <= RIG_IN_LEN);
	if (len)
		memcpy(rig->in + rig->in_len, bytes, len);
	rig->in_len += len;
	rig_header(rig)->len = (uint32_t)rig->in_len;
}

void rig_put_string(struct rig *rig, const char *string)
{
	rig_put(rig, string, strlen(string) + 1);
}

/* Between requests the thread is root, with all its rights, and masks nothing. */
static void assert_is_itself(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {0};

	assert_int_equal(umask(0), 0);
	assert_int_equal(setfsuid((uid_t)-1), geteuid());
	assert_int_equal(setfsgid((gid_t)-1), getegid());
	assert_int_equal(syscall(SYS_capget, &header, sets), 0);
	assert_int_equal(sets[0].effective, sets[0].permitted);
	assert_int_equal(sets[1].effective, sets[1].permitted);
}

int rig_send(struct rig *rig, size_t room)
{
	struct fl_fuse_request request = {.io = &buf_io, .arg = rig, .readable_len = rig->in_len, .writable_len = room};
	struct fuse_out_header header;

	assert_true(room <= RIG_OUT_LEN);
	rig->writable_len = room;
	/* what is written past the room is seen */
	memset(rig->out, 0x5a, FL_MIN(room + 64, (size_t)RIG_OUT_LEN));
	rig->used = fl_fs_handle(rig->fs, &request);
	if (rig->as_users)
		assert_is_itself();
	rig->body_len = 0;
	for (size_t i = room; i < FL_MIN(room + 64, (size_t)RIG_OUT_LEN); i++)
		assert_int_equal(rig->out[i], 0x5a);
	if (rig->used < 0) {
		assert_int_equal(rig->used, -EPROTO);
		return BROKEN;
	}
	if (!rig->used)
		return NO_REPLY;
	memcpy(&header, rig->out, sizeof(header));
	assert_in_range(rig->used, sizeof(header), room);
	assert_int_equal(header.len, rig->used);
	assert_int_equal(header.unique, rig_header(rig)->unique);
	assert_true(header.error <= 0 && header.error > -511);
	if (header.error)
		assert_int_equal(header.len, sizeof(header));
	rig->body = rig->out + sizeof(header);
	rig->body_len = header.len - sizeof(header);
	return header.error;
}

int rig_init(struct rig *rig, uint64_t flags, struct fuse_init_out *out)
{
	struct fuse_init_in in = {
		.major = 7,
		.minor = 41,
		.max_readahead = 128 << 10,
		.flags = (uint32_t)flags,
		.flags2 = (uint32_t)(flags >> 32),
	};
	int error;

	rig_begin(rig, FUSE_INIT, 0);
	rig_put(rig, &in, sizeof(in));
	error = rig_send(rig, RIG_ROOM);
	if (!error && out) {
		assert_int_equal(rig->body_len, sizeof(*out));
		memcpy(out, rig->body, sizeof(*out));
	}
	return error;
}

int rig_name(struct rig *rig, uint32_t opcode, uint64_t dir, const void *args, size_t args_len, const char *name)
{
	rig_begin(rig, opcode, dir);
	rig_put(rig, args, args_len);
	rig_put_string(rig, name);
	return rig_send(rig, RIG_ROOM);
}

int rig_lookup(struct rig *rig, uint64_t dir, const char *name, struct fuse_entry_out *entry)
{
	int error = rig_name(rig, FUSE_LOOKUP, dir, NULL, 0, name);

	if (error)
		return error;
	assert_int_equal(rig->body_len, sizeof(*entry));
	memcpy(entry, rig->body, sizeof(*entry));
	return entry->nodeid ? 0 : -ENOENT; /* how Linux takes it, fs/fuse/dir.c fuse_lookup */
}

uint64_t rig_node(struct rig *rig, uint64_t dir, const char *name)
{
	struct fuse_entry_out entry = {0};

	assert_int_equal(rig_lookup(rig, dir, name, &entry), 0);
	return entry.nodeid;
}

int rig_forget(struct rig *rig, uint64_t nodeid, uint64_t nlookup)
{
	struct fuse_forget_in in = {.nlookup = nlookup};

	rig_begin(rig, FUSE_FORGET, nodeid);
	rig_put(rig, &in, sizeof(in));
	return rig_send(rig, 0);
}

int rig_getattr(struct rig *rig, uint64_t nodeid, struct fuse_attr *attr)
{
	struct fuse_getattr_in in = {0};
	int error;

	rig_begin(rig, FUSE_GETATTR, nodeid);
	rig_put(rig, &in, sizeof(in));
	error = rig_send(rig, RIG_ROOM);
	if (!error) {
		struct fuse_attr_out out;

		assert_int_equal(rig->body_len, sizeof(out));
		memcpy(&out, rig->body, sizeof(out));
		*attr = out.attr;
	}
	return error;
}

static int open_with(struct rig *rig, uint32_t opcode, uint64_t nodeid, uint32_t flags, uint64_t *fh)
{
	struct fuse_open_in in = {.flags = flags};
	int error;

	rig_begin(rig, opcode, nodeid);
	rig_put(rig, &in, sizeof(in));
	error = rig_send(rig, RIG_ROOM);
	if (!error) {
		assert_int_equal(rig->body_len, sizeof(struct fuse_open_out));
		memcpy(fh, rig->body, sizeof(*fh));
	}
	return error;
}

int rig_open(struct rig *rig, uint64_t nodeid, uint32_t flags, uint64_t *fh)
{
	return open_with(rig, FUSE_OPEN, nodeid, flags, fh);
}

int rig_opendir(struct rig *rig, uint64_t nodeid, uint64_t *fh)
{
	return open_with(rig, FUSE_OPENDIR, nodeid, 0, fh);
}

int rig_release(struct rig *rig, uint64_t nodeid, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};

	rig_begin(rig, FUSE_RELEASE, nodeid);
	rig_put(rig, &in, sizeof(in));
	return rig_send(rig, RIG_ROOM);
}

int rig_read(struct rig *rig, uint64_t nodeid, uint64_t fh, uint64_t offset, uint32_t size)
{
	struct fuse_read_in in = {.fh = fh, .offset = offset, .size = size};

	rig_begin(rig, FUSE_READ, nodeid);
	rig_put(rig, &in, sizeof(in));
	return rig_send(rig, sizeof(struct fuse_out_header) + FL_MIN(size, 1u << 20));
}

int rig_write(struct rig *rig, uint64_t nodeid, uint64_t fh, uint64_t offset, const void *data, uint32_t size,
	      uint32_t flags)
{
	struct fuse_write_in in = {.fh = fh, .offset = offset, .size = size, .flags = flags};
	struct fuse_write_out out;
	int error;

	rig_begin(rig, FUSE_WRITE, nodeid);
	rig_put(rig, &in, sizeof(in));
	rig_put(rig, data, size);
	error = rig_send(rig, RIG_ROOM);
	if (error)
		return error;
	assert_int_equal(rig->body_len, sizeof(out));
	memcpy(&out, rig->body, sizeof(out));
	assert_int_equal(out.size, size);
	return 0;
}

void host_file(struct rig *rig, const char *name, const void *data, size_t len)
{
	int fd = openat(rig->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	if (len)
		assert_int_equal(write(fd, data, len), len);
	close(fd);
}

struct stat host_stat(struct rig *rig, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(rig->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

size_t host_read(struct rig *rig, const char *name, void *buf, size_t cap)
{
	int fd = openat(rig->dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	assert_true(fd >= 0);
	len = read(fd, buf, cap);
	assert_true(len >= 0);
	close(fd);
	return (size_t)len;
}

bool can_open_by_handle(const char *dir)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int mount_id, fd = -1;

	handle->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(dir_fd, "", handle, &mount_id, AT_EMPTY_PATH) == 0)
		fd = open_by_handle_at(dir_fd, handle, O_PATH | O_CLOEXEC);
	free(handle);
	close(dir_fd);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
