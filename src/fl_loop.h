/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fl_loop: one wait point for a device thread, on liburing (multishot polls, READV/WRITEV/FSYNC),
 * with a poll(2) fall-back where io_uring is forbidden.
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

#define FL_LOOP_NO_URING    1u	 /* use poll(2) even where io_uring works (for tests) */
#define FL_LOOP_SOURCES_MAX 512	 /* descriptors watched at a time */
#define FL_LOOP_IO_MAX	    1024 /* I/O in flight */

/* name: at most 15 bytes, becomes the thread's name. */
FL_CHECKED_RESULT int fl_loop_new(const char *name, uint32_t flags, struct fl_loop **loop, struct fl_diag *diag);
FL_CHECKED_RESULT int fl_loop_start(struct fl_loop *loop, struct fl_diag *diag);
/*
 * Ends the thread after the callback it is in, waits for I/O in flight. Idempotent. Not from the loop's own thread.
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
 * Starts file I/O; fn is called once on the loop's thread when it is done (never from inside the
 * call). iov must live until then. With the fall-back the call blocks the loop's thread. Loop's thread only.
 * -ENOMEM, -ESHUTDOWN, -EAGAIN (FL_LOOP_IO_MAX in flight): fn is not called.
 */
enum fl_loop_op { FL_LOOP_READV, FL_LOOP_WRITEV, FL_LOOP_FSYNC, FL_LOOP_FDATASYNC };
struct fl_loop_io {
	enum fl_loop_op op;
	int fd;
	const struct iovec *iov;
	unsigned int iov_count;
	int rw_flags; /* RWF_* */
	uint64_t offset;
	fl_loop_io_fn fn;
	void *arg;
};
FL_CHECKED_RESULT int fl_loop_submit(struct fl_loop *loop, const struct fl_loop_io *io);

#endif
