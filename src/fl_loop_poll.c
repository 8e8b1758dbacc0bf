/* SPDX-License-Identifier: Apache-2.0 */
/* Where io_uring is forbidden: poll(2) over all sources, file I/O at once. */
#include "fl_loop_impl.h"

static void run_done(struct fl_loop *loop)
{
	struct fl_loop_pending *pending = loop->done_first;

	/* What callbacks submit from here on waits for the next round, after the descriptors. */
	loop->done_first = NULL;
	loop->done_last = NULL;
	while (pending) {
		struct fl_loop_pending *next = pending->next;

		fl_loop_io_done(loop, pending, pending->result);
		pending = next;
	}
}

static int poll_wait(struct fl_loop *loop)
{
	run_done(loop);
	return loop->done_first ? 0 : -1;
}

static void poll_forget(struct fl_loop *loop, unsigned int slot)
{
	(void)loop;
	(void)slot;
}

static int64_t do_io(const struct fl_loop_io *io)
{
	ssize_t rc = -1;

	switch (io->op) {
	case FL_LOOP_READV:
		rc = preadv2(io->fd, io->iov, (int)io->iov_count, (off_t)io->offset, io->rw_flags);
		break;
	case FL_LOOP_WRITEV:
		rc = pwritev2(io->fd, io->iov, (int)io->iov_count, (off_t)io->offset, io->rw_flags);
		break;
	case FL_LOOP_FSYNC:
		rc = fsync(io->fd);
		break;
	case FL_LOOP_FDATASYNC:
		rc = fdatasync(io->fd);
		break;
	default:
		errno = EINVAL;
	}
	return rc < 0 ? -errno : rc;
}

static int poll_submit(struct fl_loop *loop, const struct fl_loop_io *io, struct fl_loop_pending *pending)
{
	pending->result = do_io(io);
	if (loop->done_last)
		loop->done_last->next = pending;
	else
		loop->done_first = pending;
	loop->done_last = pending;
	return 0;
}

const struct fl_loop_backend fl_loop_poll = {
	.wait = poll_wait,
	.forget = poll_forget,
	.submit = poll_submit,
	.finish_io = run_done,
};
