/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fuse_user.h"

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

/* False: they are the user's already. */
static bool add_group_of(struct fl_fs_call *call, uint64_t nodeid)
{
	struct fl_inode *inode;
	struct statx stx;
	bool added = false;

	if (fl_fs_get(call, nodeid, &inode))
		return false;
	if (!fl_export_stat(inode->fd, &stx))
		added = fl_user_add_group(&call->user, stx.stx_gid);
	fl_fs_put(call->fs, inode);
	return added;
}

static bool add_groups_of_nodes(struct fl_fs_call *call)
{
	unsigned int count = call->node_count;
	bool added = false;

	for (unsigned int i = 0; i < count; i++)
		added |= add_group_of(call, call->nodes[i]);
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

static int take_groups(struct fl_fs_call *call, struct fl_fuse_cursor groups)
{
	struct fl_fuse_supp_groups head;
	uint32_t gid;

	if (!fl_fuse_take(&groups, &head, sizeof(head)) || head.nr_groups > FL_USER_GROUPS_MAX / 2)
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
