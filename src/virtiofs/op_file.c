/* SPDX-License-Identifier: Apache-2.0 */
/* Open files without their data: OPEN, CREATE, TMPFILE, RELEASE, FLUSH, FSYNC, SYNCFS, FALLOCATE, LSEEK... */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "virtiofs/fuse_flight.h"

/* Of a guest's open flags these mean something on the host. O_APPEND comes with each WRITE. */
#define FL_OPEN_FLAGS_PASSED (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC | O_NOATIME)
#define FL_FMODE_EXEC	     0x20u /* include/linux/fs.h */
/* One COPY_FILE_RANGE copies at most this much, which a reset has to wait for; the guest asks again for the rest. */
#define FL_COPY_MAX (UINT64_C(8) << 20)

static int host_flags(const struct fl_fs *fs, uint32_t guest_flags, int *flags)
{
	int passed = (int)(guest_flags & FL_OPEN_FLAGS_PASSED);

	if ((passed & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (!fs->fs_export.writable && ((passed & O_ACCMODE) != O_RDONLY || passed & O_TRUNC))
		return -EROFS;
	*flags = passed;
	return 0;
}

static int open_error(uint32_t type)
{
	switch (type) {
	case S_IFDIR:
		return -EISDIR;
	case S_IFLNK:
		return -ELOOP;
	default:
		return -ENXIO; /* the guest's kernel serves devices, FIFOs and sockets itself */
	}
}

static int open_inode(const struct fl_fs *fs, const struct fl_inode *inode, int flags, int *fd)
{
	int error;

	if (inode->type != S_IFREG)
		return open_error(inode->type);
	error = fl_export_reopen(&fs->fs_export, inode->fd, flags, fd);
	/* O_NOATIME is for the file's owner on the host, who need not be us */
	if (error == -EPERM && flags & O_NOATIME)
		error = fl_export_reopen(&fs->fs_export, inode->fd, flags & ~O_NOATIME, fd);
	return error;
}

static struct fl_handle file_handle(int fd, uint64_t nodeid, int flags)
{
	return (struct fl_handle){
		.fd = fd,
		.kind = FL_HANDLE_FILE,
		.nodeid = nodeid,
		.readable = (flags & O_ACCMODE) != O_WRONLY,
		.writable = (flags & O_ACCMODE) != O_RDONLY,
	};
}

static uint32_t open_reply_flags(bool dax, int flags)
{
	uint32_t reply = 0;

	/*
	 * With DAX the guest's mappings are the host's pages: without KEEP_CACHE every open would tear
	 * down all of them (fs/fuse/file.c fuse_open, invalidate_inode_pages2).
	 */
	if (dax)
		reply |= FOPEN_KEEP_CACHE;
	if ((flags & O_ACCMODE) == O_RDONLY)
		reply |= FOPEN_NOFLUSH;
	return reply;
}

/*
 * Whoever may execute a file need not be able to read it: that the guest's kernel does (fs/exec.c do_open_execat, fs.h
 * __FMODE_EXEC, which comes along with the flags).
 */
static int open_for_exec(struct fl_fs_call *call, const struct fl_inode *inode)
{
	if (faccessat(inode->fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS))
		return -errno;
	return fl_fs_act_as_self(call);
}

int fl_op_open(struct fl_fs_call *call)
{
	struct fuse_open_out out = {0};
	struct fl_handle handle;
	struct fuse_open_in in;
	struct fl_inode *inode;
	int error;
	int flags;
	int fd;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	error = host_flags(call->fs, in.flags, &flags);
	if (error)
		return error;
	error = fl_fs_get(call, call->header.nodeid, &inode);
	if (error)
		return error;
	if (call->as_user && in.flags & FL_FMODE_EXEC && inode->type == S_IFREG && flags == O_RDONLY)
		error = open_for_exec(call, inode);
	if (!error)
		error = open_inode(call->fs, inode, flags, &fd);
	if (!error)
		error = fl_fs_act_as_self(call);
	if (!error)
		out.open_flags = open_reply_flags(fl_fs_is_dax(call->fs, inode), flags);
	fl_fs_put(call->fs, inode);
	if (error)
		return error;
	handle = file_handle(fd, call->header.nodeid, flags);
	error = fl_fs_add_handle(call->fs, &handle, &out.fh);
	return error ? error : fl_fs_reply(call, &out, sizeof(out));
}

/*
 * Makes the file, and never opens one that came to be there since the guest looked: Linux would take it for new and
 * check no permission (fs/namei.c do_open, FMODE_CREATED), and it could be a FIFO or a device. ESTALE makes the guest
 * look the name up anew and open what is there (fs/namei.c do_filp_open, LOOKUP_REVAL).
 */
static int create_file(const struct fl_inode *dir, const char *name, uint32_t mode, uint32_t guest_flags, int flags,
		       int *fd)
{
	*fd = openat(dir->fd, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode);
	if (*fd >= 0)
		return 0;
	return errno == EEXIST && !(guest_flags & O_EXCL) ? -ESTALE : -errno;
}

/* The reply of CREATE and TMPFILE: an entry and a handle, both or none. fd is taken over. */
static int reply_created(struct fl_fs_call *call, const struct fl_inode *dir, int created_fd, int flags)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {0};
	FL_CLOSE int fd = created_fd;
	struct fl_handle handle;
	int path_fd;
	int error = fl_fs_act_as_self(call);

	_Static_assert(sizeof(out) == 144, "CREATE's reply");
	if (!error)
		error = fl_export_reopen(&call->fs->fs_export, fd, O_PATH, &path_fd);
	if (!error)
		error = fl_fs_make_entry(call->fs, dir, path_fd, &out.entry);
	if (error)
		return error;
	handle = file_handle(fl_steal_fd(&fd), out.entry.nodeid, flags);
	error = fl_fs_add_handle(call->fs, &handle, &out.open.fh);
	if (error) {
		(void)fl_inode_forget(&call->fs->fs_export.inodes, out.entry.nodeid, 1);
		return error;
	}
	/* what was just made has nothing in the guest's cache: only mappings are worth keeping */
	out.open.open_flags = open_reply_flags(call->fs->flags & FUSE_MAP_ALIGNMENT, flags);
	return fl_fs_reply(call, &out, sizeof(out));
}

/* Asked before anything is made: a file whose creation fails would be there all the same. */
static bool has_room_for_a_file(const struct fl_fs *fs)
{
	return !fl_slot_table_is_full(&fs->fs_export.inodes.slots) && !fl_slot_table_is_full(&fs->handles.slots);
}

int fl_op_create(struct fl_fs_call *call)
{
	struct fuse_create_in in;
	struct fl_inode *dir;
	const char *name;
	int error;
	int flags;
	int fd;

	if (!fl_fuse_take(&call->args, &in, sizeof(in)))
		return -EINVAL;
	error = fl_fuse_take_name(&call->args, &name);
	if (!error)
		error = host_flags(call->fs, in.flags, &flags);
	if (!error)
		error = fl_fs_get_dir(call, call->header.nodeid, &dir);
	if (error)
		return error;
	error = has_room_for_a_file(call->fs) ? 0 : -ENFILE;
	if (!error) {
		error = create_file(dir, name, fl_fs_begin_make(call, in.mode, in.umask), in.flags, flags, &fd);
		fl_fs_end_make(call);
	}
	if (!error)
		error = reply_created(call, dir, fd, flags);
	fl_fs_put(call->fs, dir);
	return error;
}

int fl_op_tmpfile(struct fl_fs_call *call)
{
	char proc_name[FL_PROC_NAME_LEN];
	struct fuse_create_in in;
	struct fl_inode *dir;
	size_t name_len;
	int error;
	int flags;
	int fd;

	/* The name is no name: Linux sends that of the nameless dentry, "/" (fs/namei.c vfs_tmpfile). */
	if (!fl_fuse_take(&call->args, &in, sizeof(in)) || !fl_fuse_take_string(&call->args, &name_len))
		return -EINVAL;
	error = host_flags(call->fs, in.flags, &flags);
	if (!error)
		error = fl_fs_get_dir(call, call->header.nodeid, &dir);
	if (error)
		return error;
	fl_export_proc_name(dir->fd, proc_name);
	fd = openat(call->fs->fs_export.proc_fd, proc_name, (flags & ~O_TRUNC) | O_TMPFILE | O_NONBLOCK | O_CLOEXEC,
		    fl_fs_begin_make(call, in.mode, in.umask));
	fl_fs_end_make(call);
	error = fd < 0 ? -errno : reply_created(call, dir, fd, flags);
	fl_fs_put(call->fs, dir);
	return error;
}

int fl_op_release(struct fl_fs_call *call)
{
	struct fuse_release_in in;
	struct fl_handle *handle;
	int error = fl_fs_take_file(call, &in, sizeof(in), &handle);

	if (!error)
		fl_handle_close(&call->fs->handles, in.fh);
	return error;
}

int fl_op_flush(struct fl_fs_call *call)
{
	struct fuse_flush_in in;
	struct fl_handle *handle;

	/* Nothing is buffered here. Host file systems that write back at close(2) tell of errors at FSYNC. */
	return fl_fs_take_file(call, &in, sizeof(in), &handle);
}

static int start_sync(struct fl_fs_call *call, struct fl_handle *handle, uint32_t fsync_flags)
{
	const struct fl_fs_work work = {
		.io = {.op = fsync_flags & FUSE_FSYNC_FDATASYNC ? FL_LOOP_FDATASYNC : FL_LOOP_FSYNC, .fd = handle->fd},
		.handle = handle,
		.own_fd = -1,
		.finish = fl_fs_finish_plain,
	};

	return fl_fs_start(call, &work);
}

int fl_op_fsync(struct fl_fs_call *call)
{
	struct fuse_fsync_in in;
	struct fl_handle *handle;
	int error = fl_fs_take_file(call, &in, sizeof(in), &handle);

	/* Stores through DAX have dirtied the host's page cache: any descriptor of the file will do. */
	return error ? error : start_sync(call, handle, in.fsync_flags);
}

int fl_op_fsyncdir(struct fl_fs_call *call)
{
	struct fuse_fsync_in in;
	struct fl_handle *handle;
	int error = fl_fs_take_dir(call, &in, sizeof(in), &handle);

	if (error || handle->sealed)
		return error;
	return start_sync(call, handle, in.fsync_flags);
}

/* The guest's sync(2). It has nothing to make durable on an export it cannot write. */
int fl_op_syncfs(struct fl_fs_call *call)
{
	struct fl_fs_work work = {.io = {.op = FL_LOOP_SYNCFS}, .own_fd = -1, .finish = fl_fs_finish_plain};
	struct fl_inode *dir;
	int error = fl_fs_get_dir(call, call->header.nodeid, &dir);

	if (error)
		return error;
	if (call->fs->fs_export.writable)
		error = fl_export_reopen(&call->fs->fs_export, dir->fd, O_RDONLY | O_DIRECTORY, &work.own_fd);
	fl_fs_put(call->fs, dir);
	work.io.fd = work.own_fd;
	return work.own_fd < 0 ? error : fl_fs_start(call, &work);
}

/* COLLAPSE and INSERT would move pages that the guest has mapped. */
static bool fallocate_mode_is_known(uint32_t mode)
{
	return mode == 0 || mode == FALLOC_FL_KEEP_SIZE || mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) ||
	       mode == FALLOC_FL_ZERO_RANGE || mode == (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
}

int fl_op_fallocate(struct fl_fs_call *call)
{
	struct fl_fs_work work = {.io = {.op = FL_LOOP_FALLOCATE}, .own_fd = -1, .finish = fl_fs_finish_plain};
	struct fuse_fallocate_in in;
	struct fl_handle *handle;
	uint64_t end;
	int error = fl_fs_take_file(call, &in, sizeof(in), &handle);

	if (error)
		return error;
	if (!handle->writable)
		return -EBADF;
	if (!fallocate_mode_is_known(in.mode))
		return -EOPNOTSUPP;
	if (!in.length || fl_add_overflows(in.offset, in.length, &end) || end > INT64_MAX)
		return -EINVAL;
	work.handle = handle;
	work.io.fd = handle->fd;
	work.io.mode = (int)in.mode;
	work.io.offset = in.offset;
	work.io.len = in.length;
	return fl_fs_start(call, &work);
}

int fl_op_lseek(struct fl_fs_call *call)
{
	struct fuse_lseek_out out = {0};
	struct fuse_lseek_in in;
	struct fl_handle *handle;
	off_t found;
	int error = fl_fs_take_file(call, &in, sizeof(in), &handle);

	if (error)
		return error;
	if (in.whence != SEEK_DATA && in.whence != SEEK_HOLE)
		return -EINVAL;
	if (in.offset > INT64_MAX)
		return -ENXIO; /* a negative offset, of which the host's file systems say so */
	/* moves the descriptor's offset, which nothing else uses */
	found = lseek(handle->fd, (off_t)in.offset, (int)in.whence);
	if (found < 0)
		return -errno;
	out.offset = (uint64_t)found;
	return fl_fs_reply(call, &out, sizeof(out));
}

static int finish_copy(struct fl_fs_call *call, int64_t copied)
{
	struct fuse_write_out out = {.size = (uint32_t)copied};

	return copied < 0 ? (int)copied : fl_fs_reply(call, &out, sizeof(out));
}

int fl_op_copy_file_range(struct fl_fs_call *call)
{
	struct fl_fs_work work = {.io = {.op = FL_LOOP_COPY}, .own_fd = -1, .finish = finish_copy};
	struct fuse_copy_file_range_in in;
	struct fl_handle *from;
	struct fl_handle *to;
	int error = fl_fs_take_file(call, &in, sizeof(in), &from);

	if (error)
		return error;
	to = fl_handle_find(&call->fs->handles, in.fh_out, in.nodeid_out, FL_HANDLE_FILE);
	if (!to || !to->writable || !from->readable)
		return -EBADF;
	if (in.flags || in.off_in > INT64_MAX || in.off_out > INT64_MAX)
		return -EINVAL;
	work.handle = from;
	work.other = to;
	work.io.fd = from->fd;
	work.io.offset = in.off_in;
	work.io.to_fd = to->fd;
	work.io.to_offset = in.off_out;
	work.io.len = FL_MIN(in.len, FL_COPY_MAX);
	return fl_fs_start(call, &work);
}

int fl_op_ioctl(struct fl_fs_call *call)
{
	(void)call;
	/*
	 * None is passed on: what a number does is up to the host's file system. This is ioctl(2)'s answer to one that
	 * a file does not know; -ENOSYS is turned into it by new kernels only (fs/fuse/ioctl.c fuse_send_ioctl).
	 */
	return -ENOTTY;
}
