/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fuse_user.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <endian.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* Linux sends one (fs/fuse/dir.c get_create_supp_group). */
#define FL_EXT_GROUPS_MAX 4u
/* Linux reads ACLs of a page (fs/fuse/acl.c __fuse_get_acl). */
#define FL_ACL_LEN_MAX 4096u

static int come_back(struct fl_fs_call *call)
{
	struct fl_fs *fs = call->fs;
	int error = fl_user_become(&fs->self);

	call->as_user = false;
	fs->stranded = error;
	return error ? -EIO : 0;
}

static int go(struct fl_fs_call *call)
{
	int error = fl_user_become(&call->user);

	call->as_user = true;
	if (error)
		(void)come_back(call); /* remembered */
	return error;
}

bool fl_fs_is_itself(struct fl_fs *fs)
{
	if (fs->stranded)
		fs->stranded = fl_user_become(&fs->self);
	return !fs->stranded;
}

int fl_fs_act_as_self(struct fl_fs_call *call)
{
	return call->as_user ? come_back(call) : 0;
}

int fl_fs_join_group(struct fl_fs_call *call, uint32_t gid)
{
	if (!call->as_user || !fl_user_add_group(&call->user, gid))
		return 0;
	return go(call);
}

/* CAP_DAC_READ_SEARCH, which opening by handle takes, is the VMM's. */
int fl_fs_open_inode(struct fl_fs_call *call, struct fl_inode *inode)
{
	bool as_user = call->as_user && inode->fd < 0;
	int error = as_user ? come_back(call) : 0;

	if (!error)
		error = fl_inode_open(&call->fs->fs_export.inodes, inode);
	return as_user && !error ? go(call) : error;
}

int fl_fs_open_on(struct fl_fs_call *call, struct fl_inode *inode, uint64_t mnt_id, int *fd)
{
	FL_CLOSE int opened = -1;
	bool as_user = call->as_user;
	int error = as_user ? come_back(call) : 0;

	if (!error)
		error = fl_inode_open_on(&call->fs->fs_export.inodes, inode, mnt_id, &opened);
	if (as_user && !call->fs->stranded && go(call))
		return -EPERM;
	if (!error)
		*fd = fl_steal_fd(&opened);
	return error;
}

/* The groups that a file's ACL names. */
static bool add_groups_of_acl(struct fl_user *user, const struct fl_inode *inode)
{
	uint8_t acl[FL_ACL_LEN_MAX];
	char path[FL_PROC_PATH_LEN];
	struct posix_acl_xattr_entry entry;
	bool added = false;
	ssize_t len;

	fl_export_proc_path(inode->fd, path);
	len = getxattr(path, XATTR_NAME_POSIX_ACL_ACCESS, acl, sizeof(acl));
	if (len < 0)
		return false;
	for (size_t at = sizeof(struct posix_acl_xattr_header); at + sizeof(entry) <= (size_t)len;
	     at += sizeof(entry)) {
		memcpy(&entry, acl + at, sizeof(entry));
		if (le16toh(entry.e_tag) == ACL_GROUP)
			added |= fl_user_add_group(user, le32toh(entry.e_id));
	}
	return added;
}

/* False: they are the user's already. */
static bool add_groups_of(struct fl_fs_call *call, uint64_t nodeid)
{
	struct fl_inode *inode;
	struct statx stx;
	bool added = false;

	if (fl_fs_get(call, nodeid, &inode))
		return false;
	if (!fl_export_stat(inode->fd, &stx))
		added = fl_user_add_group(&call->user, stx.stx_gid);
	if (call->fs->flags & FUSE_POSIX_ACL)
		added |= add_groups_of_acl(&call->user, inode);
	fl_fs_put(call->fs, inode);
	return added;
}

static bool add_groups_of_nodes(struct fl_fs_call *call)
{
	unsigned int count = call->node_count;
	bool added = false;

	for (unsigned int i = 0; i < count; i++)
		added |= add_groups_of(call, call->nodes[i]);
	return added;
}

int fl_fs_serve_as_user(struct fl_fs_call *call, fl_fs_op_fn handler)
{
	const struct fl_fuse_cursor args = call->args;
	int error;

	call->user.uid = call->header.uid;
	call->user.gid = call->header.gid;
	/* root in the guest is root here, with all that the VMM may do */
	if (call->user.uid == call->fs->self.uid && call->user.gid == call->fs->self.gid)
		return handler(call);
	error = go(call);
	if (!error)
		error = handler(call);
	/* as_user: it has not got as far as to change anything */
	if (error == -EACCES && call->as_user && add_groups_of_nodes(call)) {
		call->args = args;
		error = go(call);
		if (!error)
			error = handler(call);
	}
	if (call->as_user && come_back(call))
		error = -EIO;
	return error;
}

mode_t fl_fs_begin_make(struct fl_fs_call *call, uint32_t mode, uint32_t mask)
{
	if (!(call->fs->flags & FUSE_DONT_MASK))
		return mode & 07777 & ~mask;
	umask(mask & 0777);
	return mode & 07777;
}

void fl_fs_end_make(struct fl_fs_call *call)
{
	if (call->fs->flags & FUSE_DONT_MASK)
		umask(0);
}

static int take_groups(struct fl_fs_call *call, struct fl_fuse_cursor groups)
{
	struct fl_fuse_supp_groups head;
	uint32_t gid;

	if (!fl_fuse_take(&groups, &head, sizeof(head)) || head.nr_groups > FL_EXT_GROUPS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < head.nr_groups; i++) {
		if (!fl_fuse_take(&groups, &gid, sizeof(gid)))
			return -EINVAL;
		(void)fl_user_add_group(&call->user, gid);
	}
	return 0;
}

int fl_fs_take_groups(struct fl_fs_call *call, struct fl_fuse_cursor ext)
{
	struct fuse_ext_header head;
	int error = 0;

	while (!error && ext.left) {
		if (!fl_fuse_take(&ext, &head, sizeof(head)) || head.size < sizeof(head) ||
		    head.size - sizeof(head) > ext.left)
			return -EINVAL;
		struct fl_fuse_cursor one = {.pos = ext.pos, .left = head.size - sizeof(head)};

		if (head.type == FL_FUSE_EXT_GROUPS)
			error = take_groups(call, one);
		ext.pos += one.left;
		ext.left -= one.left;
	}
	return error;
}
