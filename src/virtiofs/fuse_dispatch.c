/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fuse_dispatch.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "virtiofs/fs_warn.h"
#include "virtiofs/fuse_flight.h"
#include "virtiofs/fuse_user.h"

#define FL_OP_ONE_WAY	  1u /* no reply, ever */
#define FL_OP_CHANGES	  2u /* -EROFS on a read-only export */
#define FL_OP_BEFORE_INIT 4u /* may come outside INIT..DESTROY */
#define FL_OP_DATA	  8u /* bytes follow the arguments and stay where they are */
/*
 * Somebody is to be permitted it, or to own what is made. Not: what the guest's kernel asks for all its users and keeps
 * (names, attributes), and what works on something open.
 */
#define FL_OP_AS_USER 16u

/* Linux sends one group in 16 bytes (fs/fuse/dir.c get_create_supp_group). */
#define FL_EXTENSIONS_MAX 64u

struct op {
	const char *name;
	fl_fs_op_fn handler;
	uint16_t min_in;  /* bytes after the header, without what has no fixed length */
	uint16_t min_out; /* room that the reply's fixed part needs */
	uint32_t flags;
};

/* Shortest strings count 2 bytes for a name and its NUL; all lengths: include/uapi/linux/fuse.h. */
static const struct op ops[FL_FUSE_OPCODE_MAX + 1] = {
	[FUSE_LOOKUP] = {"LOOKUP", fl_op_lookup, 2, 128, 0},
	[FUSE_FORGET] = {"FORGET", fl_op_forget, 8, 0, FL_OP_ONE_WAY | FL_OP_BEFORE_INIT},
	[FUSE_GETATTR] = {"GETATTR", fl_op_getattr, 16, 104, 0},
	[FUSE_SETATTR] = {"SETATTR", fl_op_setattr, 88, 104, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_READLINK] = {"READLINK", fl_op_readlink, 0, 0, 0},
	[FUSE_SYMLINK] = {"SYMLINK", fl_op_symlink, 4, 128, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_MKNOD] = {"MKNOD", fl_op_mknod, 18, 128, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_MKDIR] = {"MKDIR", fl_op_mkdir, 10, 128, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_UNLINK] = {"UNLINK", fl_op_unlink, 2, 0, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_RMDIR] = {"RMDIR", fl_op_rmdir, 2, 0, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_RENAME] = {"RENAME", fl_op_rename, 12, 0, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_LINK] = {"LINK", fl_op_link, 10, 128, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_OPEN] = {"OPEN", fl_op_open, 8, 16, FL_OP_AS_USER},
	[FUSE_READ] = {"READ", fl_op_read, 40, 0, 0},
	[FUSE_WRITE] = {"WRITE", fl_op_write, 40, 8, FL_OP_CHANGES | FL_OP_DATA},
	[FUSE_STATFS] = {"STATFS", fl_op_statfs, 0, 80, 0},
	[FUSE_RELEASE] = {"RELEASE", fl_op_release, 24, 0, 0},
	[FUSE_FSYNC] = {"FSYNC", fl_op_fsync, 16, 0, 0},
	[FUSE_SETXATTR] = {"SETXATTR", fl_op_setxattr, 10, 0, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_GETXATTR] = {"GETXATTR", fl_op_getxattr, 10, 0, FL_OP_AS_USER},
	[FUSE_LISTXATTR] = {"LISTXATTR", fl_op_listxattr, 8, 0, 0},
	[FUSE_REMOVEXATTR] = {"REMOVEXATTR", fl_op_removexattr, 2, 0, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_FLUSH] = {"FLUSH", fl_op_flush, 24, 0, 0},
	[FUSE_INIT] = {"INIT", fl_op_init, 16, 64, FL_OP_BEFORE_INIT},
	[FUSE_OPENDIR] = {"OPENDIR", fl_op_opendir, 8, 16, FL_OP_AS_USER},
	[FUSE_READDIR] = {"READDIR", fl_op_readdir, 40, 0, 0},
	[FUSE_RELEASEDIR] = {"RELEASEDIR", fl_op_releasedir, 24, 0, 0},
	[FUSE_FSYNCDIR] = {"FSYNCDIR", fl_op_fsyncdir, 16, 0, 0},
	[FUSE_ACCESS] = {"ACCESS", fl_op_access, 8, 0, FL_OP_AS_USER},
	[FUSE_CREATE] = {"CREATE", fl_op_create, 18, 144, FL_OP_CHANGES | FL_OP_AS_USER},
	/* Linux's virtio_fs sends none; what is in flight could not be taken back anyway */
	[FUSE_INTERRUPT] = {"INTERRUPT", NULL, 8, 0, FL_OP_ONE_WAY},
	[FUSE_IOCTL] = {"IOCTL", fl_op_ioctl, 32, 0, FL_OP_DATA},
	[FUSE_DESTROY] = {"DESTROY", fl_op_destroy, 0, 0, FL_OP_BEFORE_INIT},
	[FUSE_NOTIFY_REPLY] = {"NOTIFY_REPLY", NULL, 0, 0, FL_OP_ONE_WAY | FL_OP_DATA},
	[FUSE_BATCH_FORGET] = {"BATCH_FORGET", fl_op_batch_forget, 8, 0, FL_OP_ONE_WAY | FL_OP_BEFORE_INIT},
	[FUSE_FALLOCATE] = {"FALLOCATE", fl_op_fallocate, 32, 0, FL_OP_CHANGES},
	[FUSE_READDIRPLUS] = {"READDIRPLUS", fl_op_readdirplus, 40, 0, 0},
	[FUSE_RENAME2] = {"RENAME2", fl_op_rename2, 20, 0, FL_OP_CHANGES | FL_OP_AS_USER},
	[FUSE_LSEEK] = {"LSEEK", fl_op_lseek, 24, 8, 0},
	[FUSE_COPY_FILE_RANGE] = {"COPY_FILE_RANGE", fl_op_copy_file_range, 56, 8, FL_OP_CHANGES},
	[FUSE_SETUPMAPPING] = {"SETUPMAPPING", fl_op_setupmapping, 40, 0, 0},
	[FUSE_REMOVEMAPPING] = {"REMOVEMAPPING", fl_op_removemapping, 4, 0, 0},
	[FUSE_SYNCFS] = {"SYNCFS", fl_op_syncfs, 8, 0, 0},
	[FUSE_TMPFILE] = {"TMPFILE", fl_op_tmpfile, 17, 144, FL_OP_CHANGES | FL_OP_AS_USER},
	[FL_FUSE_STATX] = {"STATX", fl_op_statx, 24, 288, 0},
};

static void proto_error(struct fl_fs *fs, const char *what, const struct fuse_in_header *header)
{
	const struct op *op = header->opcode <= FL_FUSE_OPCODE_MAX ? &ops[header->opcode] : NULL;

	atomic_fetch_add_explicit(&fs->counters.proto_errors, 1, memory_order_relaxed);
	fl_log_limited(fs->log, &fs->log_limit, FL_LOG_DEBUG, "share %s: the guest's %s (%u) of node %#llx: %s",
		       fs->title, op && op->name ? op->name : "request", header->opcode,
		       (unsigned long long)header->nodeid, what);
}

int fl_fs_reply(struct fl_fs_call *call, const void *body, size_t len)
{
	if (len > call->room || len > sizeof(call->fs->body))
		return -EINVAL;
	memcpy(call->fs->body, body, len);
	call->body_len = len;
	return 0;
}

int fl_fs_get(struct fl_fs_call *call, uint64_t nodeid, struct fl_inode **inode)
{
	struct fl_inode_table *inodes = &call->fs->fs_export.inodes;
	struct fl_inode *found = fl_inode_get(inodes, nodeid);
	int error;

	if (!found) {
		proto_error(call->fs, "no such node", &call->header);
		return -ESTALE;
	}
	error = fl_fs_open_inode(call, found);
	if (error) {
		fl_inode_put(inodes, found);
		return error;
	}
	if (call->node_count < FL_CALL_NODES_MAX)
		call->nodes[call->node_count++] = nodeid;
	*inode = found;
	return 0;
}

void fl_fs_put(struct fl_fs *fs, struct fl_inode *inode)
{
	fl_inode_put(&fs->fs_export.inodes, inode);
}

int fl_fs_get_dir(struct fl_fs_call *call, uint64_t nodeid, struct fl_inode **dir)
{
	struct fl_inode *inode;
	int error = fl_fs_get(call, nodeid, &inode);

	if (error)
		return error;
	if (inode->type != S_IFDIR)
		error = -ENOTDIR;
	else if (inode->sealed)
		error = -EPERM;
	if (error)
		fl_fs_put(call->fs, inode);
	else
		*dir = inode;
	return error;
}

static int find_handle(struct fl_fs_call *call, uint64_t fh, enum fl_handle_kind kind, struct fl_handle **handle)
{
	*handle = fl_handle_find(&call->fs->handles, fh, call->header.nodeid, kind);
	if (*handle)
		return 0;
	proto_error(call->fs, "no such handle", &call->header);
	return -EBADF;
}

int fl_fs_file(struct fl_fs_call *call, uint64_t fh, struct fl_handle **handle)
{
	return find_handle(call, fh, FL_HANDLE_FILE, handle);
}

#define FH_COMES_FIRST(type) _Static_assert(offsetof(struct type, fh) == 0, #type)
FH_COMES_FIRST(fuse_read_in);
FH_COMES_FIRST(fuse_write_in);
FH_COMES_FIRST(fuse_release_in);
FH_COMES_FIRST(fuse_flush_in);
FH_COMES_FIRST(fuse_fsync_in);
FH_COMES_FIRST(fuse_fallocate_in);
FH_COMES_FIRST(fuse_lseek_in);
_Static_assert(offsetof(struct fuse_copy_file_range_in, fh_in) == 0, "fuse_copy_file_range_in");

static int take_handle(struct fl_fs_call *call, void *in, size_t in_len, enum fl_handle_kind kind,
		       struct fl_handle **handle)
{
	uint64_t fh;

	if (!fl_fuse_take(&call->args, in, in_len))
		return -EINVAL;
	memcpy(&fh, in, sizeof(fh));
	return find_handle(call, fh, kind, handle);
}

int fl_fs_take_file(struct fl_fs_call *call, void *in, size_t in_len, struct fl_handle **handle)
{
	return take_handle(call, in, in_len, FL_HANDLE_FILE, handle);
}

int fl_fs_take_dir(struct fl_fs_call *call, void *in, size_t in_len, struct fl_handle **handle)
{
	return take_handle(call, in, in_len, FL_HANDLE_DIR, handle);
}

int fl_fs_add_handle(struct fl_fs *fs, const struct fl_handle *handle, uint64_t *fh)
{
	return fl_handle_add(&fs->handles, handle, fh);
}

/* What follows the arguments: supplementary groups, if those were agreed on. */
static int load_extensions(struct fl_fs_call *call, uint64_t len)
{
	uint8_t bytes[FL_EXTENSIONS_MAX];
	struct fl_fuse_cursor ext = {.pos = bytes, .left = len};

	if (!len || !(call->fs->flags & FL_FUSE_CREATE_SUPP_GROUP))
		return 0;
	if (len > sizeof(bytes))
		return -EINVAL;
	if (call->request->io->read(call->request->arg, FL_FUSE_IN_HEADER_LEN + call->args_len, bytes, len) !=
	    (int64_t)len)
		return -EFAULT;
	return fl_fs_take_groups(call, ext);
}

/* Bytes of arguments to be copied in, the extensions at their end left out. */
static int load_args(struct fl_fs_call *call, const struct op *op)
{
	const struct fuse_in_header *header = &call->header;
	struct fl_fs *fs = call->fs;
	uint64_t extensions = (uint64_t)header->total_extlen * 8;
	uint64_t copied;

	if (header->len < FL_FUSE_IN_HEADER_LEN || header->len > call->request->readable_len)
		return -EINVAL;
	call->args_len = header->len - FL_FUSE_IN_HEADER_LEN;
	if (extensions > call->args_len)
		return -EINVAL;
	call->args_len -= extensions;
	if (call->args_len < op->min_in)
		return -EINVAL;
	copied = op->flags & FL_OP_DATA ? op->min_in : call->args_len;
	if (copied > sizeof(fs->args))
		return -EINVAL;
	if (call->request->io->read(call->request->arg, FL_FUSE_IN_HEADER_LEN, fs->args, copied) != (int64_t)copied)
		return -EFAULT;
	call->args = (struct fl_fuse_cursor){.pos = fs->args, .left = copied};
	return load_extensions(call, extensions);
}

static int serve(struct fl_fs_call *call, const struct op *op)
{
	struct fl_fs *fs = call->fs;
	int error = load_args(call, op);

	if (!error && call->room < op->min_out)
		error = -EINVAL;
	if (!error && !fs->initialized && !(op->flags & FL_OP_BEFORE_INIT))
		error = -EIO;
	if (error) {
		proto_error(fs, "malformed or out of turn", &call->header);
		return error;
	}
	if (op->flags & FL_OP_CHANGES && !fs->fs_export.writable)
		return -EROFS;
	if (!op->handler)
		return 0;
	if (!fs->as_users)
		return op->handler(call);
	if (!fl_fs_is_itself(fs))
		return -EIO;
	return op->flags & FL_OP_AS_USER ? fl_fs_serve_as_user(call, op->handler) : op->handler(call);
}

/* The header goes last: until it is there, the request has not been answered. */
static int64_t write_reply(struct fl_fs_call *call, int error)
{
	const struct fl_fuse_request *request = call->request;
	struct fl_fs *fs = call->fs;
	uint64_t body_len = error ? 0 : call->body_len;
	struct fuse_out_header header = {
		.len = (uint32_t)(FL_FUSE_OUT_HEADER_LEN + body_len),
		.error = error,
		.unique = call->header.unique,
	};

	/* without its body a reply would be taken for one with whatever lies there */
	if (body_len && !call->body_in_place &&
	    request->io->write(request->arg, FL_FUSE_OUT_HEADER_LEN, fs->body, body_len) != (int64_t)body_len) {
		header.len = FL_FUSE_OUT_HEADER_LEN;
		header.error = error = -EFAULT;
	}
	if (request->io->write(request->arg, 0, &header, sizeof(header)) != sizeof(header)) {
		atomic_fetch_add_explicit(&fs->counters.lost_replies, 1, memory_order_relaxed);
		return 0;
	}
	if (error)
		atomic_fetch_add_explicit(&fs->counters.errors, 1, memory_order_relaxed);
	return header.len;
}

static void update_gauges(struct fl_fs *fs)
{
	atomic_store_explicit(&fs->counters.inodes, fs->fs_export.inodes.slots.used, memory_order_relaxed);
	atomic_store_explicit(&fs->counters.handles, fs->handles.slots.used, memory_order_relaxed);
}

int64_t fl_fs_answer(struct fl_fs_call *call, int error)
{
	update_gauges(call->fs);
	fl_fs_warn_of_shortage(call->fs, error);
	return write_reply(call, fl_fuse_error(error));
}

int64_t fl_fs_handle(struct fl_fs *fs, const struct fl_fuse_request *request)
{
	struct fl_fs_call call = {.fs = fs, .request = request};
	const struct op *op;
	int error;

	atomic_fetch_add_explicit(&fs->counters.requests, 1, memory_order_relaxed);
	if (request->readable_len < sizeof(call.header))
		return -EPROTO;
	/* the header's page has vanished: only this request is lost, and there is nobody to tell */
	if (request->io->read(request->arg, 0, &call.header, sizeof(call.header)) != sizeof(call.header)) {
		atomic_fetch_add_explicit(&fs->counters.lost_replies, 1, memory_order_relaxed);
		return 0;
	}
	op = call.header.opcode <= FL_FUSE_OPCODE_MAX ? &ops[call.header.opcode] : NULL;
	if (op && op->flags & FL_OP_ONE_WAY) {
		(void)serve(&call, op);
		update_gauges(fs);
		return 0;
	}
	if (request->writable_len < FL_FUSE_OUT_HEADER_LEN) {
		proto_error(fs, "no room for a reply", &call.header);
		return 0;
	}
	call.room = request->writable_len - FL_FUSE_OUT_HEADER_LEN;
	if (!op || !op->name)
		return write_reply(&call, -ENOSYS);
	error = serve(&call, op);
	return error == FL_FS_LATER ? FL_FS_LATER : fl_fs_answer(&call, error);
}

void fl_fs_quiesce(struct fl_fs *fs)
{
	if (fs->in_flight)
		fl_loop_finish_io(fs->loop);
}

void fl_fs_reset(struct fl_fs *fs)
{
	fl_fs_quiesce(fs);
	fs->initialized = false;
	fs->flags = 0;
	fl_handle_close_all(&fs->handles);
	fl_inode_forget_all(&fs->fs_export.inodes);
	if (fs->window)
		fl_window_unmap_all(fs->window);
	update_gauges(fs);
}

int fl_fs_new(const struct fl_fs_opts *opts, struct fl_fs **fs, struct fl_diag *diag)
{
	const struct fl_export_limits limits = {
		.inodes_max = opts->inodes_max, .open_max = opts->open_max, .exports = opts->shares};
	struct fl_fs *fresh = calloc(1, sizeof(*fresh));
	int error;

	if (!fresh)
		return fl_diag(diag, -ENOMEM, "no memory for a share");
	fresh->as_users = opts->as_users;
	fresh->keeps_changes = opts->keeps_changes;
	fresh->below_overlay = opts->below_overlay;
	fresh->self = fl_user_current();
	fresh->window = opts->window;
	fresh->loop = opts->loop;
	fresh->quick_ns = FL_QUICK_NS;
	fresh->log = opts->log;
	fresh->title = opts->title ? opts->title : "?";
	fresh->attr_timeout_ms = opts->attr_timeout_ms;
	fresh->entry_timeout_ms = opts->entry_timeout_ms;
	/* each may be open twice, for reading and for writing */
	fresh->backings_max = fl_export_share_of_descriptors(opts->shares, 16);
	fl_handle_table_init(&fresh->handles,
			     opts->handles_max ? opts->handles_max : fl_export_share_of_descriptors(opts->shares, 8));
	error = opts->as_users ? fl_user_check(fresh->title, diag) : 0;
	if (!error)
		error = fl_export_init(&fresh->fs_export, opts->root_fd, opts->writable, &limits, diag);
	if (error) {
		fl_fs_free(fresh);
		return error;
	}
	fresh->fs_export.one_mount = opts->one_mount;
	*fs = fresh;
	return 0;
}

void fl_fs_free(struct fl_fs *fs)
{
	if (!fs)
		return;
	fl_handle_table_fini(&fs->handles);
	fl_export_fini(&fs->fs_export);
	free(fs);
}

int fl_fs_prepare_thread(void)
{
	if (unshare(CLONE_FS))
		return -errno;
	umask(0);
	return 0;
}

const struct fl_fs_counters *fl_fs_counters(const struct fl_fs *fs)
{
	return &fs->counters;
}
