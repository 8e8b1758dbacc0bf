/* SPDX-License-Identifier: Apache-2.0 */
/*
 * READ and WRITE. File data goes between the file and the guest's memory without a stop in ours: the guest's buffers
 * may be window pages, which can vanish at any time, and only a system call meets that without a signal
 * (it moves less, or answers EFAULT).
 */
#include <fcntl.h>

#include "virtiofs/fuse_ops.h"

/* One transfer, as preadv2/pwritev2 or an fl_loop_io take it. */
struct data_op {
	int fd;
	bool write;
	uint64_t offset; /* in the file */
	int rw_flags;	 /* RWF_* */
	const struct iovec *iov;
	unsigned int iov_count;
};

/* Bytes, or -errno. Runs on the loop's thread and blocks it. */
static int64_t run_data_op(const struct data_op *op)
{
	ssize_t moved;

	do {
		moved = op->write ? pwritev2(op->fd, op->iov, (int)op->iov_count, (off_t)op->offset, op->rw_flags)
				  : preadv2(op->fd, op->iov, (int)op->iov_count, (off_t)op->offset, op->rw_flags);
	} while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

/* fills op's iov with len bytes of the request at stream_offset; -EFAULT: guest addresses that are nothing */
static int map_payload(struct fl_fs_call *call, uint64_t stream_offset, uint64_t len, struct data_op *op)
{
	const struct fl_fuse_request *request = call->request;
	int error = request->io->iov(request->arg, !op->write, stream_offset, len, call->fs->iov, FL_FUSE_IOV_MAX,
				     &op->iov_count);

	op->iov = call->fs->iov;
	return error == -E2BIG ? -EINVAL : error;
}

static int check_place(uint64_t offset, uint64_t len)
{
	uint64_t end;

	return fl_add_overflows(offset, len, &end) || end > INT64_MAX ? -EINVAL : 0;
}

int fl_op_read(struct fl_fs_call *call)
{
	struct fuse_read_in in;
	struct fl_handle *handle;
	struct data_op op = {0};
	uint64_t len;
	int64_t moved;
	int error = fl_fs_take_file(call, &in, sizeof(in), &handle);

	if (error)
		return error;
	if (!handle->readable)
		return -EBADF;
	len = FL_MIN(FL_MIN((uint64_t)in.size, call->room), (uint64_t)FL_FUSE_DATA_MAX);
	if (!len)
		return 0;
	op.fd = handle->fd;
	op.offset = in.offset;
	error = check_place(in.offset, len);
	if (!error)
		error = map_payload(call, FL_FUSE_OUT_HEADER_LEN, len, &op);
	if (error)
		return error;
	moved = run_data_op(&op);
	if (moved < 0)
		return (int)moved;
	call->body_len = (uint64_t)moved;
	call->body_in_place = true;
	return 0;
}

int fl_op_write(struct fl_fs_call *call)
{
	struct fuse_write_out out = {0};
	struct data_op op = {.write = true};
	struct fl_handle *handle;
	struct fuse_write_in in;
	int64_t moved;
	int error = fl_fs_take_file(call, &in, sizeof(in), &handle);

	if (error)
		return error;
	if (!handle->writable)
		return -EBADF;
	if (in.size > call->args_len - sizeof(in) || in.size > FL_FUSE_DATA_MAX)
		return -EINVAL;
	if (!in.size)
		return fl_fs_reply(call, &out, sizeof(out));
	op.fd = handle->fd;
	op.offset = in.offset;
	/*
	 * The guest appends at the size it knows, which the host may have passed. Data from its page
	 * cache, though, belongs where it was cached.
	 */
	if (in.flags & O_APPEND && !(in.write_flags & FUSE_WRITE_CACHE))
		op.rw_flags = RWF_APPEND;
	error = check_place(in.offset, in.size);
	if (!error)
		error = map_payload(call, FL_FUSE_IN_HEADER_LEN + sizeof(in), in.size, &op);
	if (error)
		return error;
	moved = run_data_op(&op);
	if (moved < 0)
		return (int)moved;
	out.size = (uint32_t)moved;
	return fl_fs_reply(call, &out, sizeof(out));
}
