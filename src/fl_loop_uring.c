/* SPDX-License-Identifier: Apache-2.0 */
#include "fl_loop_impl.h"

#include <string.h>
#include <sys/eventfd.h>

#define SQ_ENTRIES  256
#define CQ_ENTRIES  4096 /* all I/O that may be in flight, and room for several edges of every source */
#define REAP_MAX    256	 /* completions in one round, so that sources get their turn */
#define TROUBLED_MS 100	 /* how often poll(2) looks when the ring cannot wait */

/* user_data: an I/O is its pointer (low bits clear), a poll its id, slot and tag. */
#define TAG_MASK    UINT64_C(3)
#define TAG_POLL    UINT64_C(1)
#define TAG_IGNORED UINT64_C(2)

static uint64_t poll_tag(const struct fl_loop *loop, unsigned int slot)
{
	return (uint64_t)loop->sources[slot].id << 32 | (uint64_t)slot << 2 | TAG_POLL;
}

/* A submission entry, making room by submitting; NULL if the kernel takes none now. */
static struct io_uring_sqe *get_sqe(struct fl_loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (!sqe && io_uring_submit(&loop->ring) > 0)
		sqe = io_uring_get_sqe(&loop->ring);
	return sqe;
}

/* Every idle source that no poll stands behind; those that do not get an entry now get one in the next round. */
static bool arm_sources(struct fl_loop *loop)
{
	bool any_hot = false;

	for (unsigned int slot = 0; slot < loop->slot_limit; slot++) {
		struct fl_loop_source *source = &loop->sources[slot];
		struct io_uring_sqe *sqe;

		if (!source->id || source->dead)
			continue;
		if (source->hot || source->armed) {
			any_hot |= source->hot;
			continue;
		}
		sqe = get_sqe(loop);
		if (!sqe)
			return true;
		io_uring_prep_poll_multishot(sqe, source->fd, source->events);
		io_uring_sqe_set_data64(sqe, poll_tag(loop, slot));
		source->armed = true;
	}
	return any_hot;
}

static void on_poll(struct fl_loop *loop, const struct io_uring_cqe *cqe)
{
	unsigned int slot = (uint32_t)cqe->user_data >> 2;
	struct fl_loop_source *source;

	/* of a source that has been removed since */
	if (slot >= FL_LOOP_SOURCES_MAX || cqe->user_data != poll_tag(loop, slot))
		return;
	source = &loop->sources[slot];
	if (!(cqe->flags & IORING_CQE_F_MORE))
		source->armed = false;
	if (cqe->res >= 0 || cqe->res == -ECANCELED) {
		source->hot = true;
		return;
	}
	/* To arm it again would fail again, for ever. */
	source->dead = true;
	source->hot = false;
	if (source->fn)
		source->fn(source->arg, source->fd, POLLNVAL);
}

static void reap(struct fl_loop *loop)
{
	struct io_uring_cqe *next;

	for (unsigned int i = 0; i < REAP_MAX && io_uring_peek_cqe(&loop->ring, &next) == 0; i++) {
		struct io_uring_cqe cqe = {.user_data = next->user_data, .res = next->res, .flags = next->flags};

		io_uring_cqe_seen(&loop->ring, next);
		if ((cqe.user_data & TAG_MASK) == TAG_POLL)
			on_poll(loop, &cqe);
		else if ((cqe.user_data & TAG_MASK) == 0)
			fl_loop_io_done(loop, (struct fl_loop_pending *)(uintptr_t)cqe.user_data, cqe.res);
	}
}

static int uring_wait(struct fl_loop *loop)
{
	bool any_hot = arm_sources(loop);
	int rc = any_hot ? io_uring_submit(&loop->ring) : io_uring_submit_and_wait(&loop->ring, 1);

	reap(loop);
	if (rc >= 0 || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY)
		return 0;
	/* The ring does not wait any more: let poll(2) look at everything now and then. */
	for (unsigned int slot = 0; slot < loop->slot_limit; slot++)
		loop->sources[slot].hot = loop->sources[slot].id && !loop->sources[slot].dead;
	return TROUBLED_MS;
}

/* The poll holds the file open; without an entry for its removal it goes with the thread, and its edges are ignored. */
static void uring_forget(struct fl_loop *loop, unsigned int slot)
{
	struct io_uring_sqe *sqe = loop->sources[slot].armed ? get_sqe(loop) : NULL;

	if (!sqe)
		return;
	io_uring_prep_poll_remove(sqe, poll_tag(loop, slot));
	io_uring_sqe_set_data64(sqe, TAG_IGNORED);
}

/* False: io_uring has no such operation. */
static bool prepare(struct io_uring_sqe *sqe, const struct fl_loop_io *io)
{
	switch (io->op) {
	case FL_LOOP_READV:
		io_uring_prep_readv2(sqe, io->fd, io->iov, io->iov_count, io->offset, io->rw_flags);
		return true;
	case FL_LOOP_WRITEV:
		io_uring_prep_writev2(sqe, io->fd, io->iov, io->iov_count, io->offset, io->rw_flags);
		return true;
	case FL_LOOP_FSYNC:
		io_uring_prep_fsync(sqe, io->fd, 0);
		return true;
	case FL_LOOP_FDATASYNC:
		io_uring_prep_fsync(sqe, io->fd, IORING_FSYNC_DATASYNC);
		return true;
	case FL_LOOP_FALLOCATE:
		io_uring_prep_fallocate(sqe, io->fd, io->mode, (off_t)io->offset, (off_t)io->len);
		return true;
	case FL_LOOP_SYNCFS:
	case FL_LOOP_COPY:
	default:
		return false;
	}
}

static int uring_submit(struct fl_loop *loop, const struct fl_loop_io *io, struct fl_loop_pending *pending)
{
	struct io_uring_sqe prepared = {0};
	struct io_uring_sqe *sqe;

	if (!prepare(&prepared, io))
		return fl_loop_workers_submit(loop, io, pending);
	sqe = get_sqe(loop);
	if (!sqe)
		return -EAGAIN;
	*sqe = prepared;
	/*
	 * Straight to a thread: besides sparing the attempt, it is the only way for files that are O_NONBLOCK and know
	 * no NOWAIT, on which io_uring answers EAGAIN instead of waiting (io_uring/rw.c, REQ_F_NOWAIT).
	 */
	if (io->blocks)
		io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	io_uring_sqe_set_data64(sqe, (uintptr_t)pending);
	return 0;
}

static int uring_reap(struct fl_loop *loop)
{
	/* what is refused now stays in the queue */
	(void)io_uring_submit(&loop->ring);
	reap(loop);
	return loop->ring.ring_fd;
}

/* Tries a multishot poll for real: kernels before 5.13 take the operation and ignore the flag. */
static int try_multishot(struct io_uring *ring)
{
	FL_CLOSE int fd = eventfd(1, EFD_CLOEXEC);
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	bool works;

	if (fd < 0 || !sqe)
		return -ENOMEM;
	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, TAG_IGNORED | 4);
	if (io_uring_submit(ring) != 1 || io_uring_peek_cqe(ring, &cqe))
		return -ENOTSUP;
	works = cqe->res > 0 && (cqe->flags & IORING_CQE_F_MORE);
	io_uring_cqe_seen(ring, cqe);
	if (!works)
		return -ENOTSUP;
	sqe = io_uring_get_sqe(ring);
	if (!sqe)
		return -ENOTSUP;
	io_uring_prep_poll_remove(sqe, TAG_IGNORED | 4);
	io_uring_sqe_set_data64(sqe, TAG_IGNORED);
	return io_uring_submit(ring) == 1 ? 0 : -ENOTSUP;
}

static bool has_operations(struct io_uring *ring)
{
	static const int needed[] = {IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE, IORING_OP_READV,
				     IORING_OP_WRITEV,	 IORING_OP_FSYNC,	IORING_OP_FALLOCATE};
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	bool all = probe != NULL;

	for (size_t i = 0; all && i < FL_ARRAY_SIZE(needed); i++)
		all = io_uring_opcode_supported(probe, needed[i]);
	io_uring_free_probe(probe);
	return all;
}

int fl_loop_uring_init(struct fl_loop *loop)
{
	/* COOP_TASKRUN (5.19): completions wait for our next system call instead of interrupting a callback. */
	static const unsigned int flags[] = {IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN, IORING_SETUP_CQSIZE};
	unsigned int workers[2] = {FL_LOOP_WORKERS, 0}; /* for files, and (as it is) for the rest */
	int rc = -EINVAL;

	for (size_t i = 0; i < FL_ARRAY_SIZE(flags) && rc == -EINVAL; i++) {
		struct io_uring_params params = {.flags = flags[i], .cq_entries = CQ_ENTRIES};

		rc = io_uring_queue_init_params(SQ_ENTRIES, &loop->ring, &params);
	}
	if (rc)
		return rc;
	/* Since 5.15; without it the kernel takes 4 for each CPU (io_uring/io-wq.c), which a slow file system has soon.
	 */
	(void)io_uring_register_iowq_max_workers(&loop->ring, workers);
	/* NODROP: a full completion queue delays, it never loses a completion. */
	if (!(loop->ring.features & IORING_FEAT_NODROP) || !has_operations(&loop->ring))
		rc = -ENOTSUP;
	else
		rc = try_multishot(&loop->ring);
	if (!rc)
		rc = io_uring_ring_dontfork(&loop->ring);
	if (rc)
		fl_loop_uring_fini(loop);
	return rc;
}

void fl_loop_uring_fini(struct fl_loop *loop)
{
	io_uring_queue_exit(&loop->ring);
}

const struct fl_loop_backend fl_loop_uring = {
	.wait = uring_wait,
	.forget = uring_forget,
	.submit = uring_submit,
	.reap = uring_reap,
};
