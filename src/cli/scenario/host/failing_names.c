/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/failing_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

int fl_scn_failing_lookup(struct fl_scn_failing_call *call)
{
	call->reply_len = sizeof(struct fuse_entry_out);
	return fl_scn_failing_enter(call, call->args, (void *)call->server->reply);
}

int fl_scn_failing_getattr(struct fl_scn_failing_call *call)
{
	struct fuse_attr_out *out = (void *)call->server->reply;

	*out = (struct fuse_attr_out){0};
	call->reply_len = sizeof(*out);
	return fl_scn_failing_attr(call->node, &out->attr);
}

static struct timespec time_to_set(uint32_t valid, uint32_t set, uint32_t now, uint64_t s, uint32_t ns)
{
	if (!(valid & set))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	if (valid & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return (struct timespec){.tv_sec = (time_t)s, .tv_nsec = ns};
}

static int set_owner(const struct fl_scn_failing_node *node, const struct fuse_setattr_in *in)
{
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

	return fchownat(node->fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* In the order of which none undoes another: a change of owner takes bits of the mode, one of length sets times. */
int fl_scn_failing_setattr(struct fl_scn_failing_call *call)
{
	const struct fuse_setattr_in *in = call->args;
	char path[FL_SCN_FAILING_PROC_LEN];
	int ret = 0;

	fl_scn_failing_proc_path(call->node->fd, path);
	if (in->valid & (FATTR_UID | FATTR_GID))
		ret = set_owner(call->node, in);
	if (ret == 0 && (in->valid & FATTR_SIZE) && truncate(path, (off_t)in->size) < 0)
		ret = -errno;
	if (ret == 0 && (in->valid & FATTR_MODE) && chmod(path, in->mode & 07777) < 0)
		ret = -errno;
	if (ret == 0 && (in->valid & (FATTR_ATIME | FATTR_MTIME))) {
		const struct timespec times[2] = {
			time_to_set(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
			time_to_set(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
		};

		if (utimensat(AT_FDCWD, path, times, 0) < 0)
			ret = -errno;
	}
	return ret < 0 ? ret : fl_scn_failing_getattr(call);
}

/* What was made belongs to who asked for it. */
static int enter_new(struct fl_scn_failing_call *call, const char *name)
{
	if (fchownat(call->node->fd, name, call->header->uid, call->header->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	call->reply_len = sizeof(struct fuse_entry_out);
	return fl_scn_failing_enter(call, name, (void *)call->server->reply);
}

int fl_scn_failing_mkdir(struct fl_scn_failing_call *call)
{
	const struct fuse_mkdir_in *in = call->args;
	const char *name = (const char *)(in + 1);

	return mkdirat(call->node->fd, name, in->mode & 07777) < 0 ? -errno : enter_new(call, name);
}

int fl_scn_failing_symlink(struct fl_scn_failing_call *call)
{
	const char *name = call->args;
	const char *target = name + strlen(name) + 1;

	return symlinkat(target, call->node->fd, name) < 0 ? -errno : enter_new(call, name);
}

int fl_scn_failing_link(struct fl_scn_failing_call *call)
{
	const struct fuse_link_in *in = call->args;
	const struct fl_scn_failing_node *old = fl_scn_failing_node_of(call->server, in->oldnodeid);
	const char *name = (const char *)(in + 1);
	char path[FL_SCN_FAILING_PROC_LEN];

	if (!old)
		return -ESTALE;
	if (linkat(AT_FDCWD, fl_scn_failing_proc_path(old->fd, path), call->node->fd, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	call->reply_len = sizeof(struct fuse_entry_out);
	return fl_scn_failing_enter(call, name, (void *)call->server->reply);
}

int fl_scn_failing_unlink(struct fl_scn_failing_call *call)
{
	return unlinkat(call->node->fd, call->args, 0) < 0 ? -errno : 0;
}

int fl_scn_failing_rmdir(struct fl_scn_failing_call *call)
{
	return unlinkat(call->node->fd, call->args, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int fl_scn_failing_rename(struct fl_scn_failing_call *call)
{
	const struct fuse_rename_in *in = call->args;
	const struct fl_scn_failing_node *to = fl_scn_failing_node_of(call->server, in->newdir);
	const char *old_name = (const char *)(in + 1);
	const char *new_name = old_name + strlen(old_name) + 1;

	if (!to)
		return -ESTALE;
	return renameat(call->node->fd, old_name, to->fd, new_name) < 0 ? -errno : 0;
}

int fl_scn_failing_readlink(struct fl_scn_failing_call *call)
{
	ssize_t len = readlinkat(call->node->fd, "", (char *)call->server->reply, FL_SCN_FAILING_DATA_LEN);

	if (len < 0)
		return -errno;
	call->reply_len = (size_t)len;
	return 0;
}

int fl_scn_failing_statfs(struct fl_scn_failing_call *call)
{
	struct fuse_statfs_out *out = (void *)call->server->reply;
	struct statfs status;

	if (fstatfs(call->node->fd, &status) < 0)
		return -errno;
	*out = (struct fuse_statfs_out){
		.st =
			{
				.blocks = status.f_blocks,
				.bfree = status.f_bfree,
				.bavail = status.f_bavail,
				.files = status.f_files,
				.ffree = status.f_ffree,
				.bsize = (uint32_t)status.f_bsize,
				.namelen = (uint32_t)status.f_namelen,
				.frsize = (uint32_t)status.f_frsize,
			},
	};
	call->reply_len = sizeof(*out);
	return 0;
}
