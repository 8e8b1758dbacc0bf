/* SPDX-License-Identifier: Apache-2.0 */
/* An open file's handle is the number of the server's descriptor. */
#include "cli/scenario/host/failing_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the kernel's getdents64(2), which has no declaration. */
struct host_entry {
	uint64_t ino;
	int64_t next; /* offset of the entry behind it */
	uint16_t len;
	uint8_t type;
	char name[];
};

/*
 * A file that fails is opened without FOPEN_KEEP_CACHE: then the kernel drops all its pages, mapped ones too
 * (fuse_open() in fs/fuse/file.c). close(2) sends nothing: nobody's end waits for a server that is frozen.
 */
static void tell_opened(const struct fl_scn_failing_node *node, int fd, struct fuse_open_out *out)
{
	*out = (struct fuse_open_out){
		.fh = (uint64_t)fd,
		.open_flags = FOPEN_NOFLUSH | (node->fails ? 0u : FOPEN_KEEP_CACHE),
	};
}

/* The kernel appends, and reads past the cache, by itself; the offsets that it sends are what counts. */
static int host_flags(uint32_t flags)
{
	return (int)(flags & (O_ACCMODE | O_TRUNC | O_EXCL)) | O_CLOEXEC | O_NONBLOCK;
}

int fl_scn_failing_open(struct fl_scn_failing_call *call)
{
	const struct fuse_open_in *in = call->args;
	char path[FL_SCN_FAILING_PROC_LEN];
	int fd = open(fl_scn_failing_proc_path(call->node->fd, path), host_flags(in->flags));

	if (fd < 0)
		return -errno;
	tell_opened(call->node, fd, (void *)call->server->reply);
	call->reply_len = sizeof(struct fuse_open_out);
	return 0;
}

int fl_scn_failing_opendir(struct fl_scn_failing_call *call)
{
	int fd = openat(call->node->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*(struct fuse_open_out *)(void *)call->server->reply = (struct fuse_open_out){.fh = (uint64_t)fd};
	call->reply_len = sizeof(struct fuse_open_out);
	return 0;
}

int fl_scn_failing_create(struct fl_scn_failing_call *call)
{
	const struct fuse_create_in *in = call->args;
	const char *name = (const char *)(in + 1);
	struct fuse_entry_out *entry = (void *)call->server->reply;
	int fd = openat(call->node->fd, name, host_flags(in->flags) | O_CREAT | O_NOFOLLOW, in->mode & 07777);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (fchown(fd, call->header->uid, call->header->gid) < 0)
		ret = -errno;
	if (ret == 0)
		ret = fl_scn_failing_enter(call, name, entry);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	tell_opened(&call->server->nodes[entry->nodeid - FUSE_ROOT_ID], fd, (void *)(entry + 1));
	call->reply_len = sizeof(*entry) + sizeof(struct fuse_open_out);
	return 0;
}

int fl_scn_failing_release(struct fl_scn_failing_call *call)
{
	const struct fuse_release_in *in = call->args;

	close((int)in->fh);
	return 0;
}

static size_t shorter(uint32_t len)
{
	return len < FL_SCN_FAILING_DATA_LEN ? len : FL_SCN_FAILING_DATA_LEN;
}

int fl_scn_failing_read(struct fl_scn_failing_call *call)
{
	const struct fuse_read_in *in = call->args;

	if (call->node->fails)
		return -EIO;
	ssize_t len = pread((int)in->fh, call->server->reply, shorter(in->size), (off_t)in->offset);

	if (len < 0)
		return -errno;
	call->reply_len = (size_t)len;
	return 0;
}

int fl_scn_failing_write(struct fl_scn_failing_call *call)
{
	const struct fuse_write_in *in = call->args;
	size_t left = call->args_len - sizeof(*in);
	ssize_t len = pwrite((int)in->fh, in + 1, in->size < left ? in->size : left, (off_t)in->offset);

	if (len < 0)
		return -errno;
	*(struct fuse_write_out *)(void *)call->server->reply = (struct fuse_write_out){.size = (uint32_t)len};
	call->reply_len = sizeof(struct fuse_write_out);
	return 0;
}

/* What does not fit any more is asked for again, from where the last one that did says. */
static size_t put_entries(const uint8_t *from, size_t from_len, uint8_t *out, size_t out_len)
{
	size_t filled = 0;

	for (size_t at = 0; at < from_len;) {
		const struct host_entry *entry = (const void *)(from + at);
		struct fuse_dirent *put = (void *)(out + filled);
		size_t name_len = strlen(entry->name);
		size_t len = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + name_len);

		if (len > out_len - filled)
			break;
		memset(put, 0, len);
		put->ino = entry->ino;
		put->off = (uint64_t)entry->next;
		put->namelen = (uint32_t)name_len;
		put->type = entry->type;
		memcpy(put->name, entry->name, name_len);
		filled += len;
		at += entry->len;
	}
	return filled;
}

int fl_scn_failing_readdir(struct fl_scn_failing_call *call)
{
	const struct fuse_read_in *in = call->args;
	int fd = (int)in->fh;
	_Alignas(8) uint8_t entries[4096];

	if (lseek(fd, (off_t)in->offset, SEEK_SET) < 0)
		return -errno;
	long len = syscall(SYS_getdents64, fd, entries, sizeof(entries));

	if (len < 0)
		return -errno;
	call->reply_len = put_entries(entries, (size_t)len, call->server->reply, shorter(in->size));
	return 0;
}

int fl_scn_failing_fsync(struct fl_scn_failing_call *call)
{
	const struct fuse_fsync_in *in = call->args;
	int failed = in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync((int)in->fh) : fsync((int)in->fh);

	return failed ? -errno : 0;
}

int fl_scn_failing_fallocate(struct fl_scn_failing_call *call)
{
	const struct fuse_fallocate_in *in = call->args;

	return fallocate((int)in->fh, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0 ? -errno : 0;
}

int fl_scn_failing_lseek(struct fl_scn_failing_call *call)
{
	const struct fuse_lseek_in *in = call->args;
	off_t offset = lseek((int)in->fh, (off_t)in->offset, (int)in->whence);

	if (offset < 0)
		return -errno;
	*(struct fuse_lseek_out *)(void *)call->server->reply = (struct fuse_lseek_out){.offset = (uint64_t)offset};
	call->reply_len = sizeof(struct fuse_lseek_out);
	return 0;
}
