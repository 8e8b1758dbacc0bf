/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SETUPMAPPING and REMOVEMAPPING: the guest's kernel places 2 MiB pieces of files in the window
 * (fs/fuse/dax.c). All numbers are the guest's: checked here against overflow, the window checks them again.
 *
 * Never answered with -EAGAIN, on which __fuse_dax_fault() loops for ever, nor with -ENOMEM, which its
 * caller takes for an out-of-memory fault and repeats.
 */
#include <fcntl.h>
#include <string.h>

#include "virtiofs/fs_mappable.h"
#include "virtiofs/fs_warn.h"

#define FL_SETUPMAPPING_KNOWN (FUSE_SETUPMAPPING_FLAG_READ | FUSE_SETUPMAPPING_FLAG_WRITE)

static int dax_error(int error)
{
	switch (error) {
	case -ENOMEM:
	case -ENFILE:
	case -EMFILE:
		return -ENOSPC;
	case -EAGAIN:
	case -EINTR:
	case -ENOTRECOVERABLE:
		return -EIO;
	default:
		return error;
	}
}

/* Keeps inodes' own hold on descriptors bounded; what is mapped lives on by the window's references. */
static void bound_backings(struct fl_fs *fs)
{
	struct fl_inode_table *inodes = &fs->fs_export.inodes;

	while (inodes->with_backing_count > fs->backings_max)
		fl_inode_drop_backing(inodes, TAILQ_FIRST(&inodes->with_backing));
}

static int open_backing(struct fl_fs *fs, struct fl_inode *inode, bool writable, struct fl_backing **backing)
{
	struct fl_inode_table *inodes = &fs->fs_export.inodes;
	FL_CLOSE int fd = -1;
	int error = fl_export_reopen(&fs->fs_export, inode->fd, writable ? O_RDWR : O_RDONLY, &fd);

	if (!error)
		error = fl_backing_new(fd, writable, backing);
	if (error)
		return error;
	fl_steal_fd(&fd);
	if (!inode->backing_ro && !inode->backing_rw) {
		TAILQ_INSERT_TAIL(&inodes->with_backing, inode, backing_link);
		inodes->with_backing_count++;
	}
	return 0;
}

/* A reference of the caller's. A writable one serves reading mappings too. */
static int backing_for(struct fl_fs *fs, struct fl_inode *inode, bool writable, struct fl_backing **backing)
{
	struct fl_backing **slot = writable ? &inode->backing_rw : &inode->backing_ro;
	struct fl_backing *fresh;
	int error;

	if (inode->backing_rw)
		slot = &inode->backing_rw;
	if (!*slot) {
		error = open_backing(fs, inode, writable, &fresh);
		if (error)
			return error;
		*slot = fresh;
	}
	*backing = fl_backing_ref(*slot);
	bound_backings(fs);
	return 0;
}

static int check_range(const struct fl_window *window, uint64_t moffset, uint64_t len)
{
	if (!len || !fl_is_aligned(moffset, FL_RANGE_LEN) || !fl_is_aligned(len, FL_RANGE_LEN))
		return -EINVAL;
	return fl_range_fits(moffset, len, fl_window_len(window)) ? 0 : -EINVAL;
}

/*
 * in->fh is all ones from Linux and says nothing. A range beyond the end of the file is mapped in full: the
 * guest does not ask again when the file grows.
 */
static int check_setup(const struct fl_fs *fs, const struct fuse_setupmapping_in *in)
{
	uint64_t end;
	int error = check_range(fs->window, in->moffset, in->len);

	if (error)
		return error;
	if (!fl_is_aligned(in->foffset, FL_RANGE_LEN) || fl_add_overflows(in->foffset, in->len, &end) ||
	    end > INT64_MAX)
		return -EINVAL;
	if (!in->flags || in->flags & ~(uint64_t)FL_SETUPMAPPING_KNOWN)
		return -EINVAL;
	if (in->flags & FUSE_SETUPMAPPING_FLAG_WRITE && !fs->fs_export.writable)
		return -EROFS;
	return 0;
}

static int map_inode(struct fl_fs *fs, struct fl_inode *inode, const struct fuse_setupmapping_in *in)
{
	bool writable = in->flags & FUSE_SETUPMAPPING_FLAG_WRITE;
	struct fl_backing *backing;
	int error;

	if (inode->type != S_IFREG)
		return inode->type == S_IFDIR ? -EISDIR : -EINVAL;
	error = backing_for(fs, inode, writable, &backing);
	if (error)
		return error;
	error = fl_window_map(fs->window, in->moffset, in->len, backing, in->foffset, writable);
	fl_backing_unref(backing);
	fl_export_note_map_error(&fs->fs_export, inode, error);
	if (error)
		fl_fs_warn_of_unmappable(fs, inode);
	if (error == -ENOTRECOVERABLE)
		fl_log(fs->log, FL_LOG_ERROR,
		       "share %s: the window is broken: mapping at %#llx failed and could not be repaired", fs->title,
		       (unsigned long long)in->moffset);
	return error;
}

int fl_op_setupmapping(struct fl_fs_call *call)
{
	struct fl_fs *fs = call->fs;
	struct fuse_setupmapping_in in;
	struct fl_inode *inode;
	int error;

	if (!fs->window)
		return -EOPNOTSUPP;
	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	error = check_setup(fs, &in);
	if (error)
		return error;
	/* this too can run out of memory or descriptors: a closed inode is opened again */
	error = fl_fs_get(call, call->header.nodeid, &inode);
	if (!error) {
		error = map_inode(fs, inode, &in);
		fl_fs_put(fs, inode);
	}
	fl_fs_warn_of_shortage(fs, error);
	error = dax_error(error);
	if (!error)
		atomic_fetch_add_explicit(&fs->counters.setup_mappings, 1, memory_order_relaxed);
	return error;
}

static int remove_one(struct fl_fs *fs, const struct fuse_removemapping_one *one)
{
	int error = check_range(fs->window, one->moffset, one->len);

	if (!error)
		error = fl_window_unmap(fs->window, one->moffset, one->len);
	if (!error)
		atomic_fetch_add_explicit(&fs->counters.remove_mappings, 1, memory_order_relaxed);
	return error;
}

int fl_op_removemapping(struct fl_fs_call *call)
{
	struct fuse_removemapping_one one;
	struct fuse_removemapping_in in;
	int first_error = 0;

	if (!call->fs->window)
		return -EOPNOTSUPP;
	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	if (!in.count || call->args.left != (uint64_t)in.count * sizeof(one))
		return -EINVAL;
	/* all of them, even if one fails: the guest only warns, and uses the ranges again */
	while (fl_fuse_take(&call->args, &one, sizeof(one))) {
		int error = remove_one(call->fs, &one);

		if (!first_error)
			first_error = error;
	}
	return dax_error(first_error);
}
