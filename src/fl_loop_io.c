/* SPDX-License-Identifier: Apache-2.0 */
/* File I/O as system calls, on whatever thread may wait for them. */
#include "fl_loop.h"

#include <fcntl.h>

/* An offset of -1 is "where the descriptor is" for the calls with arrays alone. */
static bool is_plain(const struct fl_loop_io *io)
{
	return io->iov_count == 1 && !io->rw_flags && io->offset != UINT64_MAX;
}

static int64_t run_once(const struct fl_loop_io *io)
{
	off_t from = (off_t)io->offset, to = (off_t)io->to_offset;

	switch (io->op) {
	case FL_LOOP_READV:
		if (is_plain(io)) /* the kernel has no array to fetch then */
			return pread(io->fd, io->iov->iov_base, io->iov->iov_len, (off_t)io->offset);
		return preadv2(io->fd, io->iov, (int)io->iov_count, (off_t)io->offset, io->rw_flags);
	case FL_LOOP_WRITEV:
		if (is_plain(io))
			return pwrite(io->fd, io->iov->iov_base, io->iov->iov_len, (off_t)io->offset);
		return pwritev2(io->fd, io->iov, (int)io->iov_count, (off_t)io->offset, io->rw_flags);
	case FL_LOOP_FSYNC:
		return fsync(io->fd);
	case FL_LOOP_FDATASYNC:
		return fdatasync(io->fd);
	case FL_LOOP_SYNCFS:
		return syncfs(io->fd);
	case FL_LOOP_FALLOCATE:
		return fallocate(io->fd, io->mode, (off_t)io->offset, (off_t)io->len);
	case FL_LOOP_COPY:
		return copy_file_range(io->fd, &from, io->to_fd, &to, io->len, 0);
	default:
		errno = EINVAL;
		return -1;
	}
}

int64_t fl_loop_run_io(const struct fl_loop_io *io)
{
	int64_t result;

	do {
		result = run_once(io);
	} while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}
