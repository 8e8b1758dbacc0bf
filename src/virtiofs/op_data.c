/* SPDX-License-Identifier: Apache-2.0 */
/*
 * READ and WRITE. File data goes between the file and the guest's memory without a stop in ours: the guest's buffers
 * may be window pages, which can vanish at any time, and only a system call meets that without a signal
 * (it moves less, or answers EFAULT).
 *
 * What is in the page cache is moved at once, by RWF_NOWAIT: a system call less than in flight, and no thread is
 * woken. What would have to be waited for goes on in flight. Of the file systems of Linux 6.12 ext4, xfs, btrfs, f2fs
 * and ocfs2 know RWF_NOWAIT, for buffered writes only xfs and btrfs; with all others every transfer is in flight. Those
 * that are memory know it neither, and do not need it. ext4's buffered writes seldom need it: they wait when the disk
 * is far behind. A flight costs more than such a write, so they are made at once until one of the handle's has lasted
 * long.
 */
#include <fcntl.h>

#include "virtiofs/fuse_flight.h"

struct transfer {
	struct fl_handle *handle;
	bool write;
	uint64_t offset; /* in the file */
	uint64_t len;
	uint64_t moved;
	int rw_flags; /* RWF_* */
	struct iovec *iov;
	unsigned int iov_count;
};

/* fills the transfer's iov with the request's bytes from stream_offset on; -EFAULT: guest addresses that are nothing */
static int map_payload(struct fl_fs_call *call, uint64_t stream_offset, struct transfer *transfer)
{
	const struct fl_fuse_request *request = call->request;
	int error = request->io->iov(request->arg, !transfer->write, stream_offset, transfer->len, call->fs->iov,
				     FL_FUSE_IOV_MAX, &transfer->iov_count);

	transfer->iov = call->fs->iov;
	return error == -E2BIG ? -EINVAL : error;
}

static int check_place(uint64_t offset, uint64_t len)
{
	uint64_t end;

	return fl_add_overflows(offset, len, &end) || end > INT64_MAX ? -EINVAL : 0;
}

/* What a write to a file that is open for that does not come back before is no matter of the page cache. */
static bool writes_wait(const struct fl_handle *handle)
{
	int flags = fcntl(handle->fd, F_GETFL);

	return flags < 0 || flags & O_DSYNC; /* of which O_SYNC is a part */
}

static enum fl_data_way way_to_write(const struct fl_handle *handle, enum fl_storage storage)
{
	if (storage == FL_STORAGE_MEMORY)
		return FL_DATA_AT_ONCE;
	if (writes_wait(handle))
		return FL_DATA_IN_FLIGHT;
	return storage == FL_STORAGE_DISK ? FL_DATA_WHILE_QUICK : FL_DATA_TRY;
}

static void find_ways(struct fl_fs_call *call, struct fl_handle *handle)
{
	struct fl_inode_table *inodes = &call->fs->fs_export.inodes;
	struct fl_inode *inode = fl_inode_get(inodes, handle->nodeid); /* NULL: forgotten, though it is open */
	enum fl_storage storage = inode ? fl_inode_storage(inodes, inode) : FL_STORAGE_OTHER;

	fl_inode_put(inodes, inode);
	handle->reading = storage == FL_STORAGE_MEMORY ? FL_DATA_AT_ONCE : FL_DATA_TRY;
	handle->writing = way_to_write(handle, storage);
}

/* The part that has been moved is no longer there. */
static void advance(struct transfer *transfer, uint64_t moved)
{
	transfer->moved += moved;
	while (moved) {
		struct iovec *first = transfer->iov;
		uint64_t part = FL_MIN(moved, (uint64_t)first->iov_len);

		first->iov_base = (uint8_t *)first->iov_base + part;
		first->iov_len -= part;
		moved -= part;
		if (!first->iov_len) {
			transfer->iov++;
			transfer->iov_count--;
		}
	}
}

static ssize_t move_now(const struct transfer *transfer)
{
	off_t offset = (off_t)(transfer->offset + transfer->moved);
	int count = (int)transfer->iov_count;
	int flags = transfer->rw_flags | RWF_NOWAIT;

	return transfer->write ? pwritev2(transfer->handle->fd, transfer->iov, count, offset, flags)
			       : preadv2(transfer->handle->fd, transfer->iov, count, offset, flags);
}

/* Moves what need not be waited for. True: that was all that can be, and *result says how it ended. */
static bool try_now(struct transfer *transfer, int64_t *result)
{
	enum fl_data_way *way = transfer->write ? &transfer->handle->writing : &transfer->handle->reading;

	/* in each round something is moved; a short one is at the end of the file, of the cache, or of the buffer */
	for (;;) {
		ssize_t moved = move_now(transfer);

		if (moved < 0 && errno == EINTR)
			continue;
		if (moved < 0 && errno == EAGAIN)
			return false;
		if (moved < 0 && errno == EOPNOTSUPP) {
			*way = FL_DATA_IN_FLIGHT;
			return false;
		}
		*result = moved < 0 ? -errno : 0;
		if (moved > 0)
			advance(transfer, (uint64_t)moved);
		if (moved <= 0 || transfer->moved == transfer->len)
			break;
	}
	if (transfer->moved)
		*result = (int64_t)transfer->moved;
	return true;
}

/* May anything be moved before it is known whether all can be? What is appended in two parts may come apart. */
static bool tries_now(const struct fl_fs_call *call, const struct transfer *transfer)
{
	enum fl_data_way way = transfer->write ? transfer->handle->writing : transfer->handle->reading;

	return way == FL_DATA_TRY && !(transfer->rw_flags & RWF_APPEND) && fl_fs_can_fly(call);
}

static int64_t write_while_quick(const struct fl_fs *fs, struct fl_handle *handle, const struct fl_loop_io *io)
{
	uint64_t began_ns = fl_now_ns(CLOCK_MONOTONIC);
	int64_t result = fl_loop_run_io(io);

	if (fl_now_ns(CLOCK_MONOTONIC) - began_ns > fs->quick_ns)
		handle->writing = FL_DATA_IN_FLIGHT;
	return result;
}

static int move(struct fl_fs_call *call, struct transfer *transfer, int (*finish)(struct fl_fs_call *, int64_t))
{
	struct fl_handle *handle = transfer->handle;
	struct fl_fs_work work = {.handle = handle, .own_fd = -1, .finish = finish};
	enum fl_data_way way;
	int64_t result;

	if (handle->reading == FL_DATA_UNKNOWN)
		find_ways(call, handle);
	if (tries_now(call, transfer) && try_now(transfer, &result))
		return finish(call, result);
	work.moved = transfer->moved;
	work.io = (struct fl_loop_io){
		.op = transfer->write ? FL_LOOP_WRITEV : FL_LOOP_READV,
		.fd = handle->fd,
		.iov = transfer->iov,
		.iov_count = transfer->iov_count,
		.rw_flags = transfer->rw_flags,
		.offset = transfer->offset + transfer->moved,
		/* what io_uring does without a thread is a read of a file that knows NOWAIT */
		.blocks = transfer->write || handle->reading == FL_DATA_IN_FLIGHT,
	};
	way = transfer->write ? handle->writing : handle->reading;
	if (way == FL_DATA_AT_ONCE)
		return finish(call, fl_loop_run_io(&work.io));
	if (way == FL_DATA_WHILE_QUICK)
		return finish(call, write_while_quick(call->fs, handle, &work.io));
	return fl_fs_start(call, &work);
}

static int finish_read(struct fl_fs_call *call, int64_t moved)
{
	if (moved < 0)
		return (int)moved;
	call->body_len = (uint64_t)moved;
	call->body_in_place = true;
	return 0;
}

int fl_op_read(struct fl_fs_call *call)
{
	struct transfer transfer = {0};
	struct fuse_read_in in;
	int error = fl_fs_take_file(call, &in, sizeof(in), &transfer.handle);

	if (error)
		return error;
	if (!transfer.handle->readable)
		return -EBADF;
	transfer.offset = in.offset;
	transfer.len = FL_MIN(FL_MIN((uint64_t)in.size, call->room), (uint64_t)FL_FUSE_DATA_MAX);
	if (!transfer.len)
		return 0;
	error = check_place(in.offset, transfer.len);
	if (!error)
		error = map_payload(call, FL_FUSE_OUT_HEADER_LEN, &transfer);
	return error ? error : move(call, &transfer, finish_read);
}

static int finish_write(struct fl_fs_call *call, int64_t moved)
{
	struct fuse_write_out out = {.size = (uint32_t)moved};

	return moved < 0 ? (int)moved : fl_fs_reply(call, &out, sizeof(out));
}

int fl_op_write(struct fl_fs_call *call)
{
	struct transfer transfer = {.write = true};
	struct fuse_write_in in;
	int error = fl_fs_take_file(call, &in, sizeof(in), &transfer.handle);

	if (error)
		return error;
	if (!transfer.handle->writable)
		return -EBADF;
	if (in.size > call->args_len - sizeof(in) || in.size > FL_FUSE_DATA_MAX)
		return -EINVAL;
	if (!in.size)
		return finish_write(call, 0);
	transfer.offset = in.offset;
	transfer.len = in.size;
	/*
	 * The guest appends at the size it knows, which the host may have passed. Data from its page
	 * cache, though, belongs where it was cached.
	 */
	if (in.flags & O_APPEND && !(in.write_flags & FUSE_WRITE_CACHE))
		transfer.rw_flags = RWF_APPEND;
	error = check_place(in.offset, in.size);
	if (!error)
		error = map_payload(call, FL_FUSE_IN_HEADER_LEN + sizeof(in), &transfer);
	return error ? error : move(call, &transfer, finish_write);
}
