/* SPDX-License-Identifier: Apache-2.0 */
/* Directories: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "virtiofs/fuse_ops.h"

int fl_op_opendir(struct fl_fs_call *call)
{
	struct fl_handle handle = {.fd = -1, .kind = FL_HANDLE_DIR, .nodeid = call->header.nodeid};
	struct fuse_open_out out = {0};
	struct fl_inode *inode;
	int error = fl_fs_get(call, call->header.nodeid, &inode);

	if (error)
		return error;
	handle.sealed = inode->sealed;
	if (inode->type != S_IFDIR)
		error = -ENOTDIR;
	else if (!inode->sealed)
		error = fl_export_reopen(&call->fs->fs_export, inode->fd, O_RDONLY | O_DIRECTORY, &handle.fd);
	fl_fs_put(call->fs, inode);
	if (!error)
		error = fl_fs_add_handle(call->fs, &handle, &out.fh);
	return error ? error : fl_fs_reply(call, &out, sizeof(out));
}

int fl_op_releasedir(struct fl_fs_call *call)
{
	struct fuse_release_in in;
	struct fl_handle *handle;
	int error = fl_fs_take_dir(call, &in, sizeof(in), &handle);

	if (!error)
		fl_handle_close(&call->fs->handles, in.fh);
	return error;
}

/* Makes the stream stand at offset, a cookie of an earlier reply. What was read ahead is kept if it fits. */
static int seek_stream(struct fl_handle_table *handles, struct fl_handle *handle, uint64_t offset)
{
	int error = fl_handle_use_stream(handles, handle);

	if (error)
		return error;
	/* a new stream stands at 0: to the descriptor that means nothing */
	if (offset && offset == handle->dir->next_off)
		return 0;
	/* also for 0 where it stands at 0: rewinddir(3) is to see what is new */
	if (offset > INT64_MAX)
		return -EINVAL;
	handle->dir->pos = 0;
	handle->dir->len = 0;
	handle->dir->next_off = offset;
	return lseek(handle->fd, (off_t)offset, SEEK_SET) < 0 ? -errno : 0;
}

/* The entry that the stream stands at; NULL at the end. */
static int peek_entry(struct fl_handle *handle, struct dirent64 **entry)
{
	struct fl_dir_stream *dir = handle->dir;

	if (dir->pos >= dir->len) {
		ssize_t len = getdents64(handle->fd, dir->data, sizeof(dir->data));

		if (len < 0)
			return -errno;
		dir->pos = 0;
		dir->len = (uint32_t)len;
	}
	*entry = dir->pos < dir->len ? (struct dirent64 *)(void *)(dir->data + dir->pos) : NULL;
	return 0;
}

static void pass_entry(struct fl_dir_stream *dir, const struct dirent64 *entry)
{
	dir->next_off = (uint64_t)entry->d_off;
	dir->pos += entry->d_reclen;
}

static bool is_dot_name(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/*
 * What the guest may learn of an entry on the way. A nodeid of 0 says nothing (fs/fuse/readdir.c fuse_direntplus_link);
 * so it is with the roots of other mounts, and when no more inodes can be held.
 * False: the entry has gone.
 */
static bool learn_entry(struct fl_fs_call *call, const struct fl_inode *dir, const struct dirent64 *entry,
			struct fuse_entry_out *out)
{
	bool may_be_dir = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
	const char *name = entry->d_name;
	struct fl_fs *fs = call->fs;
	struct statx stx;
	int error;
	int fd;

	*out = (struct fuse_entry_out){0};
	if (is_dot_name(name))
		return true;
	if (fl_export_knows(&fs->fs_export, dir, entry->d_ino, may_be_dir) &&
	    fl_fs_make_entry_again(fs, dir, name, out))
		return true;
	error = fl_export_open_child(dir->fd, name, &fd);
	if (error)
		return error != -ENOENT;
	error = fl_export_stat(fd, &stx);
	if (error || stx.stx_mnt_id != dir->key.mnt_id) {
		close(fd);
		return true;
	}
	if (fl_fs_make_entry_stat(fs, dir, fd, &stx, out))
		*out = (struct fuse_entry_out){0};
	if (out->attr.flags & FUSE_ATTR_SUBMOUNT) {
		(void)fl_inode_forget(&fs->fs_export.inodes, out->nodeid, 1);
		*out = (struct fuse_entry_out){0};
	}
	return true;
}

/* One entry into the reply at *used; false if it does not fit. The lookup happens only if it does. */
static bool put_entry(struct fl_fs_call *call, const struct fl_inode *dir, bool plus, const struct dirent64 *entry,
		      size_t cap, size_t *used)
{
	size_t name_len = strlen(entry->d_name);
	size_t fixed_len = plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
	size_t len = FUSE_REC_ALIGN(fixed_len + name_len);
	struct fuse_dirent dirent = {
		.ino = entry->d_ino,
		.off = (uint64_t)entry->d_off,
		.namelen = (uint32_t)name_len,
		.type = entry->d_type,
	};
	uint8_t *out = call->fs->body + *used;

	if (len > cap - *used)
		return false;
	memset(out, 0, len);
	if (plus) {
		struct fuse_entry_out entry_out;

		if (!learn_entry(call, dir, entry, &entry_out))
			return true;
		memcpy(out, &entry_out, sizeof(entry_out));
	}
	memcpy(out + fixed_len - FUSE_NAME_OFFSET, &dirent, FUSE_NAME_OFFSET);
	memcpy(out + fixed_len, entry->d_name, name_len);
	*used += len;
	return true;
}

static int fill(struct fl_fs_call *call, const struct fl_inode *dir, bool plus, struct fl_handle *handle, size_t cap)
{
	struct dirent64 *entry = NULL;
	size_t used = 0;
	int error;

	for (;;) {
		error = peek_entry(handle, &entry);
		if (error || !entry)
			break;
		/* longer names than Linux takes can come from no file system that is mounted in it */
		if (strlen(entry->d_name) <= FL_FUSE_NAME_MAX && !put_entry(call, dir, plus, entry, cap, &used)) {
			error = used ? 0 : -EINVAL; /* an empty reply would mean the end */
			break;
		}
		pass_entry(handle->dir, entry);
	}
	call->body_len = used;
	return used ? 0 : error; /* entries that are in the reply have been learnt: they must arrive */
}

static int read_directory(struct fl_fs_call *call, bool plus)
{
	struct fl_handle *handle;
	struct fuse_read_in in;
	struct fl_inode *inode;
	size_t cap;
	int error = fl_fs_take_dir(call, &in, sizeof(in), &handle);

	if (error || handle->sealed)
		return error;
	error = fl_fs_get(call, call->header.nodeid, &inode);
	if (error)
		return error;
	cap = (size_t)FL_MIN(FL_MIN((uint64_t)in.size, call->room), (uint64_t)FL_FUSE_BODY_MAX);
	error = seek_stream(&call->fs->handles, handle, in.offset);
	if (!error)
		error = fill(call, inode, plus, handle, cap);
	fl_fs_put(call->fs, inode);
	return error;
}

int fl_op_readdir(struct fl_fs_call *call)
{
	return read_directory(call, false);
}

int fl_op_readdirplus(struct fl_fs_call *call)
{
	return read_directory(call, true);
}
