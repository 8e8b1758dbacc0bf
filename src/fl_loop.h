/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fl_loop: one wait point for a device thread and its file I/O, on liburing (multishot polls, READV/WRITEV/FSYNC...),
 * with poll(2) and some threads where io_uring is forbidden.
 *
 * Ownership: a loop has one thread of its own, made by fl_loop_start() and ended by
 * fl_loop_stop(). Sources are added before fl_loop_start(), or later from callbacks on the loop's
 * thread (fl_loop_post() brings a function there). Callbacks run on that thread only, so what they
 * own needs no lock.
 */
#ifndef FL_LOOP_H
#define FL_LOOP_H

#include <sys/uio.h>

#include "fl_diag.h"

struct fl_loop;

typedef void (*fl_loop_fd_fn)(void *arg, int fd, uint32_t events);
typedef void (*fl_loop_post_fn)(void *arg);
/* result: bytes, or -errno, as io_uring and the system call give it */
typedef void (*fl_loop_io_fn)(void *arg, int64_t result);
typedef void (*fl_loop_stall_fn)(void *arg, unsigned int in_flight);

#define FL_LOOP_NO_URING    1u	 /* use poll(2) even where io_uring works (for tests) */
#define FL_LOOP_SOURCES_MAX 512	 /* descriptors watched at a time */
#define FL_LOOP_IO_MAX	    1024 /* I/O in flight */
#define FL_LOOP_WORKERS	    16	 /* threads of a loop, made when they are needed, for I/O that blocks */

/* name: at most 15 bytes, becomes the thread's name. */
FL_CHECKED_RESULT int fl_loop_new(const char *name, uint32_t flags, struct fl_loop **loop, struct fl_diag *diag);
FL_CHECKED_RESULT int fl_loop_start(struct fl_loop *loop, struct fl_diag *diag);
/*
 * Ends the thread after the callback it is in, waits for I/O in flight, however long that takes (fl_loop_on_stall()).
 * Idempotent. Not from the loop's own thread.
 * The callbacks of that I/O and all functions posted before still run, on the loop's thread (on the
 * caller's if the loop was never started): who waits for one of them does not wait in vain.
 */
void fl_loop_stop(struct fl_loop *loop);
void fl_loop_free(struct fl_loop *loop); /* stops it; NULL allowed; does not close the fds */
bool fl_loop_uses_uring(const struct fl_loop *loop);

/*
 * Calls fn whenever fd has one of events (POLLIN, POLLOUT...) or POLLERR, POLLHUP, level-triggered, until
 * removed; poll(2) has seen the events that fn is given immediately before the round of callbacks.
 * A descriptor that cannot be watched is reported once, with POLLNVAL. id: for removal, never 0; removal
 * is allowed from any callback, before the descriptor is closed. -EINVAL, -ENOSPC (FL_LOOP_SOURCES_MAX).
 */
FL_CHECKED_RESULT int fl_loop_add_fd(struct fl_loop *loop, int fd, uint32_t events, fl_loop_fd_fn fn, void *arg,
				     unsigned int *id);
void fl_loop_remove_fd(struct fl_loop *loop, unsigned int id); /* id 0 is ignored */

/*
 * Calls fn after the eventfd was written to, once for several writes, and now and then without one. Only the loop may
 * read the eventfd, and on io_uring it does not: that costs neither a poll(2) nor a read(2). For the rest as
 * fl_loop_add_fd(), and removed in the same way.
 */
FL_CHECKED_RESULT int fl_loop_add_event(struct fl_loop *loop, int event_fd, fl_loop_post_fn fn, void *arg,
					unsigned int *id);

/* Runs fn(arg) on the loop's thread soon. Any thread. -ENOMEM, -ESHUTDOWN. */
FL_CHECKED_RESULT int fl_loop_post(struct fl_loop *loop, fl_loop_post_fn fn, void *arg);

/*
 * Runs later->fn once on the loop's thread, at the end of the round of callbacks that it is called in. Loop's thread
 * only. Nothing happens for one that waits already.
 */
struct fl_loop_later {
	struct fl_loop_later *next;
	fl_loop_post_fn fn;
	void *arg;
	bool waits;
};
void fl_loop_later(struct fl_loop *loop, struct fl_loop_later *later);

/*
 * Starts file I/O, which does not hold up the loop; fn is called once on the loop's thread when it is done (never from
 * inside the call). What is in flight is done in any order. iov and what it names must live until then, and so must the
 * descriptors: they may be looked up late. Done by the kernel's threads for io_uring or by the loop's own, at most
 * FL_LOOP_WORKERS of each at a time (what io_uring can do without a thread is not limited); the rest waits.
 * Loop's thread only. -ENOMEM, -ESHUTDOWN, -EAGAIN (FL_LOOP_IO_MAX in flight, no thread): fn is not called.
 */
enum fl_loop_op {
	FL_LOOP_READV,
	FL_LOOP_WRITEV,
	FL_LOOP_FSYNC,
	FL_LOOP_FDATASYNC,
	FL_LOOP_FALLOCATE, /* mode, offset, len */
	FL_LOOP_SYNCFS,
	FL_LOOP_COPY, /* copy_file_range(2): fd, offset, to_fd, to_offset, len */
};
struct fl_loop_io {
	enum fl_loop_op op;
	int fd;
	const struct iovec *iov;
	unsigned int iov_count;
	int rw_flags; /* RWF_* */
	bool blocks;  /* known to find nothing without waiting: it is not tried first */
	int mode;
	int to_fd;
	uint64_t offset, to_offset;
	uint64_t len;
	fl_loop_io_fn fn;
	void *arg;
};
FL_CHECKED_RESULT int fl_loop_submit(struct fl_loop *loop, const struct fl_loop_io *io);
/* The same on the calling thread, which waits for it: the result that fn would get. Any thread, no loop needed. */
int64_t fl_loop_run_io(const struct fl_loop_io *io);

/* Waits for all I/O in flight and runs its callbacks, and nothing else. Loop's thread only. */
void fl_loop_finish_io(struct fl_loop *loop);
/*
 * Calls fn on the loop's thread after each interval in which fl_loop_finish_io() or fl_loop_stop() has waited and no
 * I/O was done: a file system that does not answer cannot be given up, since it may write to the buffers later, but
 * somebody should know. Before fl_loop_start().
 */
void fl_loop_on_stall(struct fl_loop *loop, int interval_ms, fl_loop_stall_fn fn, void *arg);

#endif
