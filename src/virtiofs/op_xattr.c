/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes. "user." ones are the guest's to read and write. security.capability is read,
 * so that programs have their file capabilities in the guest, can be taken away, and is never set: it would be valid
 * on the host. ACLs are the guest's if its users are the host's.
 * Labels and "trusted." belong to the host and are not shown.
 *
 * Attributes are reached by a path, the only way for inodes that must not be opened.
 */
#include <linux/limits.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/xattr.h>

#include "virtiofs/fuse_ops.h"

#define FL_CAPABILITY "security.capability"

static bool is_acl(const struct fl_fs_call *call, const char *name)
{
	return call->fs->flags & FUSE_POSIX_ACL &&
	       (!strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) || !strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT));
}

static bool is_readable(const struct fl_fs_call *call, const char *name)
{
	return !strncmp(name, "user.", 5) || !strcmp(name, FL_CAPABILITY) || is_acl(call, name);
}

static int check_writable(const struct fl_fs_call *call, const char *name)
{
	if (!strncmp(name, "user.", 5) || is_acl(call, name))
		return 0;
	return strcmp(name, FL_CAPABILITY) ? -EOPNOTSUPP : -EPERM;
}

/* Linux takes a file's capabilities away before it writes to it, or does not write (fs/attr.c setattr_prepare). */
static int check_removable(const struct fl_fs_call *call, const char *name)
{
	return strcmp(name, FL_CAPABILITY) ? check_writable(call, name) : 0;
}

static int take_xattr_name(struct fl_fs_call *call, const char **name)
{
	size_t len;

	*name = fl_fuse_take_string(&call->args, &len);
	if (!*name || !len)
		return -EINVAL;
	return len > XATTR_NAME_MAX ? -ERANGE : 0;
}

static int get_inode(struct fl_fs_call *call, struct fl_inode **inode)
{
	int error = fl_fs_get(call, call->header.nodeid, inode);

	if (error)
		return error;
	if (!(*inode)->sealed)
		return 0;
	fl_fs_put(call->fs, *inode);
	return -EOPNOTSUPP;
}

/* size 0 asks how long it is */
static int reply_size(struct fl_fs_call *call, size_t len)
{
	struct fuse_getxattr_out out = {.size = (uint32_t)len};

	return fl_fs_reply(call, &out, sizeof(out));
}

/* Where the host's file system has no ACLs there is none: Linux takes any other error for a permission that is denied.
 */
static int no_acl(const struct fl_fs_call *call, const char *name, int error)
{
	return error == -EOPNOTSUPP && name && is_acl(call, name) ? -ENODATA : error;
}

int fl_op_getxattr(struct fl_fs_call *call)
{
	char path[FL_PROC_PATH_LEN];
	struct fuse_getxattr_in in;
	struct fl_inode *inode;
	const char *name;
	ssize_t len;
	size_t cap;
	int error;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	error = take_xattr_name(call, &name);
	if (!error && !is_readable(call, name))
		error = -EOPNOTSUPP;
	if (!error)
		error = get_inode(call, &inode);
	if (error)
		return no_acl(call, name, error);
	fl_export_proc_path(inode->fd, path);
	cap = FL_MIN((size_t)in.size, sizeof(call->fs->body));
	len = getxattr(path, name, call->fs->body, cap);
	error = len < 0 ? -errno : 0;
	fl_fs_put(call->fs, inode);
	if (error)
		return no_acl(call, name, error);
	if (!in.size)
		return reply_size(call, (size_t)len);
	if ((uint64_t)len > call->room)
		return -ERANGE;
	call->body_len = (uint64_t)len;
	return 0;
}

/* Moves the names that may be seen to the front; returns their length. */
static size_t filter_names(const struct fl_fs_call *call, char *names, size_t len)
{
	size_t kept = 0;

	for (size_t at = 0; at < len;) {
		size_t one = strnlen(names + at, len - at) + 1;

		if (one > len - at)
			break;
		if (is_readable(call, names + at)) {
			memmove(names + kept, names + at, one);
			kept += one;
		}
		at += one;
	}
	return kept;
}

int fl_op_listxattr(struct fl_fs_call *call)
{
	char *names = (char *)call->fs->body;
	char path[FL_PROC_PATH_LEN];
	struct fuse_getxattr_in in;
	struct fl_inode *inode;
	ssize_t len;
	size_t kept;
	int error;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	error = get_inode(call, &inode);
	if (error)
		return error;
	fl_export_proc_path(inode->fd, path);
	len = listxattr(path, names, sizeof(call->fs->body));
	error = len < 0 ? -errno : 0;
	fl_fs_put(call->fs, inode);
	if (error)
		return error;
	kept = filter_names(call, names, (size_t)len);
	if (!in.size)
		return reply_size(call, kept);
	if (kept > in.size || kept > call->room)
		return -ERANGE;
	call->body_len = kept;
	return 0;
}

/*
 * Setting an ACL drops the set-group-id bit for who is not of the file's group (fs/posix_acl.c posix_acl_update_mode),
 * which the guest's kernel tells.
 */
static int join_for_acl(struct fl_fs_call *call, const struct fl_inode *inode, uint32_t setxattr_flags)
{
	struct statx stx;
	int error;

	if (!call->as_user || setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID)
		return 0;
	error = fl_export_stat(inode->fd, &stx);
	return !error && stx.stx_mode & S_ISGID ? fl_fs_join_group(call, stx.stx_gid) : error;
}

int fl_op_setxattr(struct fl_fs_call *call)
{
	size_t in_len = call->fs->flags & FUSE_SETXATTR_EXT ? sizeof(struct fuse_setxattr_in) : FL_FUSE_SETXATTR_IN_LEN;
	struct fuse_setxattr_in in = {0};
	char path[FL_PROC_PATH_LEN];
	struct fl_inode *inode;
	const char *name;
	int error;

	if (!fl_fuse_take(&call->args, &in, in_len))
		return -EINVAL;
	error = take_xattr_name(call, &name);
	if (error)
		return error;
	if (in.size > call->args.left || in.flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	error = check_writable(call, name);
	if (!error)
		error = get_inode(call, &inode);
	if (error)
		return error;
	fl_export_proc_path(inode->fd, path);
	if (!strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS))
		error = join_for_acl(call, inode, in.setxattr_flags);
	if (!error)
		error = setxattr(path, name, call->args.pos, in.size, (int)in.flags) ? -errno : 0;
	fl_fs_put(call->fs, inode);
	return error;
}

int fl_op_removexattr(struct fl_fs_call *call)
{
	char path[FL_PROC_PATH_LEN];
	struct fl_inode *inode;
	const char *name;
	int error = take_xattr_name(call, &name);

	if (!error)
		error = check_removable(call, name);
	if (!error)
		error = get_inode(call, &inode);
	if (error)
		return error;
	/* the guest's kernel asks for that one when anybody writes to the file */
	if (!strcmp(name, FL_CAPABILITY))
		error = fl_fs_act_as_self(call);
	fl_export_proc_path(inode->fd, path);
	if (!error)
		error = removexattr(path, name) ? -errno : 0;
	fl_fs_put(call->fs, inode);
	return error;
}
