/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of inodes and of the file system: GETATTR, STATX, SETATTR, STATFS, ACCESS. */
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>

#include "virtiofs/fs_mappable.h"
#include "virtiofs/fs_warn.h"

#define FL_NS_PER_MS 1000000u
#define FL_NS_PER_S  1000000000u
#define FL_FATTR_KNOWN                                                                                              \
	(FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE | FATTR_ATIME | FATTR_MTIME | FATTR_FH | FATTR_ATIME_NOW | \
	 FATTR_MTIME_NOW | FATTR_LOCKOWNER | FATTR_CTIME | FATTR_KILL_SUIDGID)

void fl_fs_timeout(uint32_t timeout_ms, uint64_t *seconds, uint32_t *nanoseconds)
{
	*seconds = timeout_ms / 1000;
	*nanoseconds = timeout_ms % 1000 * FL_NS_PER_MS;
}

bool fl_fs_is_dax(struct fl_fs *fs, struct fl_inode *inode)
{
	if (inode->type != S_IFREG || !(fs->flags & FUSE_MAP_ALIGNMENT))
		return false;
	/* without per-file marks (dax=always) the guest maps what can be mapped and what cannot */
	if (!(fs->flags & FUSE_HAS_INODE_DAX) || fl_export_can_map(&fs->fs_export, inode))
		return true;
	fl_fs_warn_of_unmappable(fs, inode);
	return false;
}

static uint32_t attr_flags(struct fl_fs *fs, struct fl_inode *inode, bool submount)
{
	uint32_t flags = 0;

	if (submount && fs->flags & FUSE_SUBMOUNTS)
		flags |= FUSE_ATTR_SUBMOUNT;
	if (fs->flags & FUSE_HAS_INODE_DAX && fl_fs_is_dax(fs, inode))
		flags |= FUSE_ATTR_DAX;
	return flags;
}

void fl_fs_attr(struct fl_fs *fs, struct fl_inode *inode, const struct statx *stx, bool submount,
		struct fuse_attr *attr)
{
	if (fs->window && inode->type == S_IFREG)
		fl_window_follow_file(fs->window, inode->key.dev, inode->key.ino, stx->stx_size);
	fl_export_attr(inode, stx, attr_flags(fs, inode, submount), attr);
}

static int reply_attr(struct fl_fs_call *call, struct fl_inode *inode, int fd)
{
	struct fuse_attr_out out = {0};
	struct statx stx;
	int error = fl_export_stat(fd, &stx);

	if (error)
		return error;
	fl_fs_timeout(call->fs->attr_timeout_ms, &out.attr_valid, &out.attr_valid_nsec);
	fl_fs_attr(call->fs, inode, &stx, false, &out.attr);
	return fl_fs_reply(call, &out, sizeof(out));
}

/* The descriptor to ask: the handle's, if the guest names one, else the inode's. */
static int descriptor_for(struct fl_fs_call *call, const struct fl_inode *inode, uint32_t getattr_flags, uint64_t fh,
			  int *fd)
{
	struct fl_handle *handle;
	int error;

	*fd = inode->fd;
	if (!(getattr_flags & FUSE_GETATTR_FH) || inode->type != S_IFREG)
		return 0;
	error = fl_fs_file(call, fh, &handle);
	if (!error)
		*fd = handle->fd;
	return error;
}

/* What the guest's GETATTR and STATX want to know of the request's inode, told by reply. */
static int ask_inode(struct fl_fs_call *call, uint32_t getattr_flags, uint64_t fh,
		     int (*reply)(struct fl_fs_call *call, struct fl_inode *inode, int fd))
{
	struct fl_inode *inode;
	int error = fl_fs_get(call, call->header.nodeid, &inode);
	int fd;

	if (error)
		return error;
	error = descriptor_for(call, inode, getattr_flags, fh, &fd);
	if (!error)
		error = reply(call, inode, fd);
	fl_fs_put(call->fs, inode);
	return error;
}

int fl_op_getattr(struct fl_fs_call *call)
{
	struct fuse_getattr_in in;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	return ask_inode(call, in.getattr_flags, in.fh, reply_attr);
}

static struct fl_fuse_sx_time sx_time(const struct statx_timestamp *time)
{
	return (struct fl_fuse_sx_time){.tv_sec = time->tv_sec, .tv_nsec = time->tv_nsec};
}

/*
 * A reply to STATX has no place for FUSE_ATTR_DAX, so that Linux takes the file for one that is not to be mapped any
 * more, and drops its inode with all mappings when it is closed (fs/fuse/dir.c fuse_statx_to_attr, fuse_dax_dontcache).
 * It does so only if it is told all basic attributes: one that is there, but not said to be, keeps the inode.
 */
static uint32_t statx_mask(struct fl_fs *fs, struct fl_inode *inode, uint32_t host_mask)
{
	uint32_t mask = host_mask & (STATX_BASIC_STATS | STATX_BTIME);

	return fs->flags & FUSE_HAS_INODE_DAX && fl_fs_is_dax(fs, inode) ? mask & ~(uint32_t)STATX_BLOCKS : mask;
}

static int reply_statx(struct fl_fs_call *call, struct fl_inode *inode, int fd)
{
	struct fl_fuse_statx_out out = {0};
	struct fuse_attr attr;
	struct statx stx;
	int error = fl_export_stat(fd, &stx);

	if (error)
		return error;
	fl_fs_attr(call->fs, inode, &stx, false, &attr);
	fl_fs_timeout(call->fs->attr_timeout_ms, &out.attr_valid, &out.attr_valid_nsec);
	out.stat = (struct fl_fuse_statx){
		.mask = statx_mask(call->fs, inode, stx.stx_mask),
		.blksize = attr.blksize,
		.nlink = attr.nlink,
		.uid = attr.uid,
		.gid = attr.gid,
		.mode = stx.stx_mode,
		.ino = attr.ino,
		.size = attr.size,
		.blocks = attr.blocks,
		.atime = sx_time(&stx.stx_atime),
		.btime = sx_time(&stx.stx_btime),
		.ctime = sx_time(&stx.stx_ctime),
		.mtime = sx_time(&stx.stx_mtime),
		.rdev_major = stx.stx_rdev_major,
		.rdev_minor = stx.stx_rdev_minor,
		.dev_major = stx.stx_dev_major,
		.dev_minor = stx.stx_dev_minor,
	};
	return fl_fs_reply(call, &out, sizeof(out));
}

int fl_op_statx(struct fl_fs_call *call)
{
	struct fl_fuse_statx_in in;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	return ask_inode(call, in.getattr_flags, in.fh, reply_statx);
}

static int set_owner(struct fl_fs_call *call, const struct fl_inode *inode, const struct fuse_setattr_in *in)
{
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;
	/* one of the user's, or the guest's kernel would not ask (fs/attr.c chgrp_ok) */
	int error = in->valid & FATTR_GID ? fl_fs_join_group(call, in->gid) : 0;

	if (error)
		return error;
	if (!fchownat(inode->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return 0;
	/* or an overlayfs could not change any file that is not the VMM's: it copies files with their owners */
	return errno == EPERM && call->fs->keeps_changes && !call->fs->as_users ? 0 : -errno;
}

static int change_mode(const struct fl_export *fs_export, const struct fl_inode *inode, uint32_t mode)
{
	char name[FL_PROC_NAME_LEN];

	fl_export_proc_name(inode->fd, name);
	return fchmodat(fs_export->proc_fd, name, mode & 07777, 0) ? -errno : 0;
}

/* Does it take nothing away but set-id bits, and give nothing? */
static bool clears_set_id(uint32_t old_mode, uint32_t mode)
{
	return !((old_mode ^ mode) & 07777 & ~(uint32_t)(S_ISUID | S_ISGID)) && !(mode & ~old_mode & 07777);
}

static int set_mode(struct fl_fs_call *call, const struct fl_inode *inode, uint32_t mode)
{
	const struct fl_export *fs_export = &call->fs->fs_export;
	struct statx stx;
	int error;

	if (inode->type == S_IFLNK)
		return -EOPNOTSUPP;
	if (!call->as_user)
		return change_mode(fs_export, inode, mode);
	error = fl_export_stat(inode->fd, &stx);
	/* chmod(2) drops the bit for who is not of the file's group, and so has the guest's kernel (setattr_prepare) */
	if (!error && mode & S_ISGID)
		error = fl_fs_join_group(call, stx.stx_gid);
	if (!error)
		error = change_mode(fs_export, inode, mode);
	/* The guest's kernel takes these bits away when somebody else writes to the file (fs/fuse/dir.c fuse_setattr).
	 */
	if (error != -EPERM || !clears_set_id(stx.stx_mode, mode))
		return error;
	error = fl_fs_act_as_self(call);
	return error ? error : change_mode(fs_export, inode, mode);
}

static int set_size(struct fl_fs_call *call, const struct fl_inode *inode, const struct fuse_setattr_in *in)
{
	FL_CLOSE int opened = -1;
	struct fl_handle *handle;
	int error = 0;
	int fd;

	if (inode->type != S_IFREG)
		return inode->type == S_IFDIR ? -EISDIR : -EINVAL;
	if (in->size > INT64_MAX)
		return -EFBIG;
	if (in->valid & FATTR_FH) {
		error = fl_fs_file(call, in->fh, &handle);
		if (!error && !handle->writable)
			error = -EBADF;
		fd = error ? -1 : handle->fd;
	} else {
		error = fl_export_reopen(&call->fs->fs_export, inode->fd, O_WRONLY, &opened);
		fd = opened;
	}
	if (error)
		return error;
	return ftruncate(fd, (off_t)in->size) ? -errno : 0;
}

static int one_time(uint32_t valid, uint32_t set, uint32_t now, uint64_t seconds, uint32_t nanoseconds,
		    struct timespec *time)
{
	if (valid & now) {
		*time = (struct timespec){.tv_nsec = UTIME_NOW};
	} else if (valid & set) {
		if (nanoseconds >= FL_NS_PER_S)
			return -EINVAL;
		*time = (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds};
	} else {
		*time = (struct timespec){.tv_nsec = UTIME_OMIT};
	}
	return 0;
}

static int set_times(const struct fl_inode *inode, const struct fuse_setattr_in *in)
{
	struct timespec times[2];
	int error = one_time(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec, &times[0]);

	if (!error)
		error = one_time(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec, &times[1]);
	if (error)
		return error;
	return utimensat(inode->fd, "", times, AT_EMPTY_PATH) ? -errno : 0;
}

/* truncate(2) by who is not the owner: only the size's own change of mtime is meant, and that has been made. */
static bool times_are_set(const struct fuse_setattr_in *in)
{
	const uint32_t asked = in->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW);

	return in->valid & FATTR_SIZE && asked == (FATTR_MTIME | FATTR_MTIME_NOW);
}

/* chown(2) and truncate(2) clear set-id bits, so the mode comes after them; all change times, which come last. */
static int set_attributes(struct fl_fs_call *call, const struct fl_inode *inode, const struct fuse_setattr_in *in)
{
	int error = 0;

	if (in->valid & (FATTR_UID | FATTR_GID))
		error = set_owner(call, inode, in);
	if (!error && in->valid & FATTR_SIZE)
		error = set_size(call, inode, in);
	if (!error && in->valid & FATTR_MODE)
		error = set_mode(call, inode, in->mode);
	if (!error && !times_are_set(in) && in->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW))
		error = set_times(inode, in);
	return error;
}

int fl_op_setattr(struct fl_fs_call *call)
{
	struct fuse_setattr_in in;
	struct fl_inode *inode;
	int error;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)) || in.valid & ~(uint32_t)FL_FATTR_KNOWN)
		return -EINVAL;
	error = fl_fs_get(call, call->header.nodeid, &inode);
	if (error)
		return error;
	error = inode->sealed ? -EPERM : set_attributes(call, inode, &in);
	if (!error)
		error = fl_fs_act_as_self(call);
	if (!error)
		error = reply_attr(call, inode, inode->fd);
	fl_fs_put(call->fs, inode);
	return error;
}

int fl_op_statfs(struct fl_fs_call *call)
{
	struct fuse_statfs_out out = {0};
	struct fl_inode *inode;
	struct statfs sfs;
	int error = fl_fs_get(call, call->header.nodeid, &inode);

	if (error)
		return error;
	error = fstatfs(inode->fd, &sfs) ? -errno : 0;
	fl_fs_put(call->fs, inode);
	if (error)
		return error;
	out.st = (struct fuse_kstatfs){
		.blocks = sfs.f_blocks,
		.bfree = sfs.f_bfree,
		.bavail = sfs.f_bavail,
		.files = sfs.f_files,
		.ffree = sfs.f_ffree,
		.bsize = (uint32_t)sfs.f_bsize,
		.namelen = (uint32_t)FL_MIN((uint64_t)sfs.f_namelen, FL_FUSE_NAME_MAX),
		.frsize = (uint32_t)sfs.f_frsize,
	};
	return fl_fs_reply(call, &out, sizeof(out));
}

int fl_op_access(struct fl_fs_call *call)
{
	struct fuse_access_in in;
	struct fl_inode *inode;
	int error;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)) || in.mask & ~(uint32_t)(R_OK | W_OK | X_OK))
		return -EINVAL;
	error = fl_fs_get(call, call->header.nodeid, &inode);
	if (error)
		return error;
	if (in.mask & W_OK && !call->fs->fs_export.writable)
		error = -EROFS;
	else
		error = faccessat(inode->fd, "", (int)in.mask, AT_EMPTY_PATH | AT_EACCESS) ? -errno : 0;
	fl_fs_put(call->fs, inode);
	return error;
}
