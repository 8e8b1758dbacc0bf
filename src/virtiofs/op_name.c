/* SPDX-License-Identifier: Apache-2.0 */
/* Names in directories: LOOKUP, FORGET, and what makes, moves and removes entries. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "virtiofs/fs_mounts.h"
#include "virtiofs/fuse_ops.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1u << 0)
#define RENAME_EXCHANGE	 (1u << 1)
#define RENAME_WHITEOUT	 (1u << 2)
#endif

/* fs/namei.c: a symbolic link's target with its NUL fits a page */
#define FL_SYMLINK_MAX 4095u

static void fill_entry(struct fl_fs *fs, struct fl_inode *inode, const struct statx *stx, bool submount,
		       struct fuse_entry_out *entry)
{
	/*
	 * Generation 0: the nodeid holds one already and is never given twice. And the guest gives the inode
	 * of a mount point none (fs/fuse/inode.c fuse_iget, S_AUTOMOUNT), so that another number would make
	 * fuse_stale_inode() drop it, with all that is mounted there, at every revalidation.
	 */
	*entry = (struct fuse_entry_out){.nodeid = inode->nodeid, .generation = 0};
	fl_fs_timeout(fs->entry_timeout_ms, &entry->entry_valid, &entry->entry_valid_nsec);
	fl_fs_timeout(fs->attr_timeout_ms, &entry->attr_valid, &entry->attr_valid_nsec);
	fl_fs_attr(fs, inode, stx, submount, &entry->attr);
}

int fl_fs_make_entry_stat(struct fl_fs *fs, const struct fl_inode *parent, int fd, const struct statx *stx,
			  struct fuse_entry_out *entry)
{
	struct fl_inode *inode;
	bool submount;
	int error = fl_export_learn(&fs->fs_export, parent, fd, stx, &inode, &submount);

	if (!error)
		fill_entry(fs, inode, stx, submount, entry);
	return error;
}

int fl_fs_make_entry(struct fl_fs *fs, const struct fl_inode *parent, int fd, struct fuse_entry_out *entry)
{
	FL_CLOSE int own_fd = fd;
	struct statx stx;
	int error = fl_export_stat(own_fd, &stx);

	return error ? error : fl_fs_make_entry_stat(fs, parent, fl_steal_fd(&own_fd), &stx, entry);
}

bool fl_fs_make_entry_again(struct fl_fs *fs, const struct fl_inode *parent, const char *name,
			    struct fuse_entry_out *entry)
{
	struct fl_inode *inode;
	struct statx stx;

	if (!fl_export_learn_again(&fs->fs_export, parent, name, &stx, &inode))
		return false;
	fill_entry(fs, inode, &stx, false, entry);
	return true;
}

int fl_fs_lookup(struct fl_fs *fs, const struct fl_inode *parent, const char *name, struct fuse_entry_out *entry)
{
	struct fl_seen_name *seen;
	int error;
	int fd;

	if (fl_export_has_seen(&fs->fs_export, parent->nodeid, name, &seen) &&
	    fl_fs_make_entry_again(fs, parent, name, entry))
		return 0;
	error = fl_export_open_child(parent->fd, name, &fd);
	if (!error)
		error = fl_fs_make_entry(fs, parent, fd, entry);
	/* not of a submount, which takes the long way each time */
	seen->nodeid = error || entry->attr.flags & FUSE_ATTR_SUBMOUNT ? 0 : entry->nodeid;
	return error;
}

static int reply_child(struct fl_fs_call *call, const struct fl_inode *dir, const char *name)
{
	struct fuse_entry_out entry;
	int error = fl_fs_act_as_self(call);

	if (!error)
		error = fl_fs_lookup(call->fs, dir, name, &entry);
	return error ? error : fl_fs_reply(call, &entry, sizeof(entry));
}

/* A name that is not there, which the guest may believe for as long as one that is. */
static int reply_absent(struct fl_fs_call *call)
{
	struct fuse_entry_out entry = {0};

	if (!call->fs->entry_timeout_ms)
		return -ENOENT;
	fl_fs_timeout(call->fs->entry_timeout_ms, &entry.entry_valid, &entry.entry_valid_nsec);
	return fl_fs_reply(call, &entry, sizeof(entry));
}

int fl_op_lookup(struct fl_fs_call *call)
{
	struct fl_inode *dir;
	const char *name;
	int error = fl_fuse_take_name(&call->args, &name);

	if (!error)
		error = fl_fs_get_dir(call, call->header.nodeid, &dir);
	if (error == -EPERM)
		return reply_absent(call); /* sealed: empty */
	if (error)
		return error;
	error = reply_child(call, dir, name);
	if (error == -ENOENT)
		error = reply_absent(call);
	fl_fs_put(call->fs, dir);
	return error;
}

static void forget(struct fl_fs *fs, uint64_t nodeid, uint64_t nlookup)
{
	if (!fl_inode_forget(&fs->fs_export.inodes, nodeid, nlookup))
		atomic_fetch_add_explicit(&fs->counters.proto_errors, 1, memory_order_relaxed);
}

int fl_op_forget(struct fl_fs_call *call)
{
	struct fuse_forget_in in;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	forget(call->fs, call->header.nodeid, in.nlookup);
	return 0;
}

int fl_op_batch_forget(struct fl_fs_call *call)
{
	struct fuse_batch_forget_in in;
	struct fuse_forget_one one;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	/* as many as were sent, whatever count says */
	for (uint32_t i = 0; i < in.count && fl_fuse_take(&call->args, &one, sizeof(one)); i++)
		forget(call->fs, one.nodeid, one.nlookup);
	return 0;
}

int fl_op_readlink(struct fl_fs_call *call)
{
	char target[FL_SYMLINK_MAX + 1];
	struct fl_inode *inode;
	ssize_t len;
	int error = fl_fs_get(call, call->header.nodeid, &inode);

	if (error)
		return error;
	if (inode->type == S_IFLNK) {
		len = readlinkat(inode->fd, "", target, FL_SYMLINK_MAX);
		error = len < 0 ? -errno : fl_fs_reply(call, target, (size_t)len);
	} else {
		error = -EINVAL;
	}
	fl_fs_put(call->fs, inode);
	return error;
}

/*
 * The directory that something is about to be made in. -ENFILE if there is no room for its inode: it would be there,
 * though the guest was told that it could not be made.
 */
static int get_dir_to_fill(struct fl_fs_call *call, struct fl_inode **dir)
{
	if (fl_slot_table_is_full(&call->fs->fs_export.inodes.slots))
		return -ENFILE;
	return fl_fs_get_dir(call, call->header.nodeid, dir);
}

int fl_op_symlink(struct fl_fs_call *call)
{
	struct fl_inode *dir;
	const char *target = NULL;
	const char *name;
	size_t len;
	int error = fl_fuse_take_name(&call->args, &name);

	if (!error)
		target = fl_fuse_take_string(&call->args, &len);
	if (!error && (!target || !len))
		error = -EINVAL;
	if (!error && len > FL_SYMLINK_MAX)
		error = -ENAMETOOLONG;
	if (!error)
		error = get_dir_to_fill(call, &dir);
	if (error)
		return error;
	/* the target is the guest's own text: the host never follows it on the guest's behalf */
	error = symlinkat(target, dir->fd, name) ? -errno : reply_child(call, dir, name);
	fl_fs_put(call->fs, dir);
	return error;
}

/*
 * A device node made on the host would name a device of the host; but for the one that there is not, by which an
 * overlayfs says that a name of its lower layer is gone, and which anybody may make (fs/namei.c vfs_mknod).
 */
static int check_type(const struct fl_fs_call *call, const struct fuse_mknod_in *in)
{
	if (S_ISREG(in->mode) || S_ISFIFO(in->mode) || S_ISSOCK(in->mode))
		return 0;
	if (S_ISCHR(in->mode) && in->rdev == 0 && call->fs->keeps_changes)
		return 0;
	return S_ISCHR(in->mode) || S_ISBLK(in->mode) ? -EPERM : -EINVAL;
}

int fl_op_mknod(struct fl_fs_call *call)
{
	struct fuse_mknod_in in;
	struct fl_inode *dir;
	const char *name;
	int error;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	error = fl_fuse_take_name(&call->args, &name);
	if (error)
		return error;
	error = check_type(call, &in);
	if (!error)
		error = get_dir_to_fill(call, &dir);
	if (error)
		return error;
	error = mknodat(dir->fd, name, (in.mode & S_IFMT) | fl_fs_begin_make(call, in.mode, in.umask), 0) ? -errno : 0;
	fl_fs_end_make(call);
	if (!error)
		error = reply_child(call, dir, name);
	fl_fs_put(call->fs, dir);
	return error;
}

int fl_op_mkdir(struct fl_fs_call *call)
{
	struct fuse_mkdir_in in;
	struct fl_inode *dir;
	const char *name;
	int error;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	error = fl_fuse_take_name(&call->args, &name);
	if (!error)
		error = get_dir_to_fill(call, &dir);
	if (error)
		return error;
	error = mkdirat(dir->fd, name, fl_fs_begin_make(call, in.mode, in.umask)) ? -errno : 0;
	fl_fs_end_make(call);
	if (!error)
		error = reply_child(call, dir, name);
	fl_fs_put(call->fs, dir);
	return error;
}

static int remove_name(struct fl_fs_call *call, int flags)
{
	struct fl_inode *dir;
	const char *name;
	int error = fl_fuse_take_name(&call->args, &name);

	if (!error)
		error = fl_fs_get_dir(call, call->header.nodeid, &dir);
	if (error)
		return error;
	error = unlinkat(dir->fd, name, flags) ? -errno : 0;
	fl_fs_put(call->fs, dir);
	return error;
}

int fl_op_unlink(struct fl_fs_call *call)
{
	return remove_name(call, 0);
}

int fl_op_rmdir(struct fl_fs_call *call)
{
	return remove_name(call, AT_REMOVEDIR);
}

static int rename_names(struct fl_fs_call *call, uint64_t new_dir_id, uint32_t flags)
{
	struct fl_inode *old_dir;
	struct fl_inode *new_dir;
	const char *old_name;
	const char *new_name;
	int error = fl_fuse_take_name(&call->args, &old_name);

	if (!error)
		error = fl_fuse_take_name(&call->args, &new_name);
	if (!error)
		error = fl_fs_get_dir(call, call->header.nodeid, &old_dir);
	if (error)
		return error;
	error = fl_fs_get_dir(call, new_dir_id, &new_dir);
	if (!error) {
		error = renameat2(old_dir->fd, old_name, new_dir->fd, new_name, flags) ? -errno : 0;
		fl_fs_put(call->fs, new_dir);
	}
	fl_fs_put(call->fs, old_dir);
	return error;
}

int fl_op_rename(struct fl_fs_call *call)
{
	struct fuse_rename_in in;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	return rename_names(call, in.newdir, 0);
}

int fl_op_rename2(struct fl_fs_call *call)
{
	uint32_t known = RENAME_NOREPLACE | RENAME_EXCHANGE;
	struct fuse_rename2_in in;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	/* it makes a character device: see check_type() */
	if (call->fs->keeps_changes)
		known |= RENAME_WHITEOUT;
	if (in.flags & ~known)
		return -EINVAL;
	return rename_names(call, in.newdir, in.flags);
}

/* link(2) wants both on one mount, but a file that is on several alike is known by one of them. */
static int open_beside(struct fl_fs_call *call, struct fl_inode *inode, const struct fl_inode *dir, int *fd)
{
	if (inode->key.mnt_id == dir->key.mnt_id ||
	    inode->key.mnt_id != fl_export_file_mount(&call->fs->fs_export, dir->key.mnt_id))
		return 0;
	return fl_fs_open_on(call, inode, dir->key.mnt_id, fd);
}

static int link_inode(struct fl_fs_call *call, struct fl_inode *inode, const struct fl_inode *dir, const char *name)
{
	char proc_name[FL_PROC_NAME_LEN];
	FL_CLOSE int fd = -1;
	int error;

	if (inode->type == S_IFDIR)
		return -EPERM;
	error = open_beside(call, inode, dir, &fd);
	if (error)
		return error;
	/* AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH */
	fl_export_proc_name(fd < 0 ? inode->fd : fd, proc_name);
	if (linkat(call->fs->fs_export.proc_fd, proc_name, dir->fd, name, AT_SYMLINK_FOLLOW))
		return -errno;
	return reply_child(call, dir, name);
}

int fl_op_link(struct fl_fs_call *call)
{
	struct fuse_link_in in;
	struct fl_inode *inode;
	struct fl_inode *dir;
	const char *name;
	int error;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	error = fl_fuse_take_name(&call->args, &name);
	if (!error)
		error = fl_fs_get_dir(call, call->header.nodeid, &dir);
	if (error)
		return error;
	error = fl_fs_get(call, in.oldnodeid, &inode);
	if (!error) {
		error = link_inode(call, inode, dir, name);
		fl_fs_put(call->fs, inode);
	}
	fl_fs_put(call->fs, dir);
	return error;
}
