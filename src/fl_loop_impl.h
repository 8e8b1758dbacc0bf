/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside fl_loop: the source table and what a way of waiting (io_uring or poll(2)) has to offer.
 *
 * Level-triggered on top of edges: the ring's multishot polls only say that a source *may* be ready
 * ("hot"). poll(2) with no timeout then tells what is true now, before every callback, so that a
 * callback never meets a descriptor that somebody else has emptied meanwhile. A source stays hot
 * until poll(2) finds it idle. The fall-back is the same with all sources hot for ever and a poll(2)
 * that waits.
 *
 * An event source (fl_loop_add_event()) is served by the edge alone: each write to an eventfd makes one, also while its
 * counter is not 0, and arming a poll tells of a counter that is not 0 already. Only the fall-back has to empty it.
 */
#ifndef FL_LOOP_IMPL_H
#define FL_LOOP_IMPL_H

#include <liburing.h>
#include <poll.h>
#include <stdatomic.h>

#include "fl_loop.h"

struct fl_loop_source {
	unsigned int id; /* 0: the slot is free */
	int fd;
	uint32_t events;
	fl_loop_fd_fn fn;
	fl_loop_post_fn event_fn; /* an event source's, which has no fn */
	void *arg;
	bool armed; /* the ring tells of the next edge */
	bool hot;   /* may be ready: poll(2) has to look */
	bool dead;  /* not a descriptor that can be watched; fn has been told so with POLLNVAL */
};

struct fl_loop_post {
	struct fl_loop_post *next;
	fl_loop_post_fn fn;
	void *arg;
};

/* One I/O between fl_loop_submit() and its callback. */
struct fl_loop_pending {
	struct fl_loop_pending *next; /* the worker threads' */
	struct fl_loop_io io;
	int64_t result; /* of a worker */
};

struct fl_loop_pending_list {
	struct fl_loop_pending *first, *last;
};

/* fl_loop_workers.c. The lock is innermost: nothing is called with it but fl_loop_wake(). */
struct fl_loop_workers {
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* todo or ending */
	struct fl_loop_pending_list todo, done;
	unsigned int todo_count, idle;
	unsigned int count; /* of threads; changes on the loop's thread, and when that is gone */
	bool ending;
	pthread_t threads[FL_LOOP_WORKERS];
};

/* What one round looks at: callbacks may add and remove sources meanwhile, so slots are named with their ids. */
struct fl_loop_round {
	unsigned int count;
	struct pollfd fds[FL_LOOP_SOURCES_MAX];
	struct {
		unsigned int slot, id;
	} of[FL_LOOP_SOURCES_MAX];
};

enum fl_loop_state { FL_LOOP_NEW, FL_LOOP_RUNNING, FL_LOOP_STOPPED };

struct fl_loop_backend {
	/*
	 * Finds out which sources may be ready (hot) and runs the callbacks of finished I/O. Returns the
	 * milliseconds that poll(2) may wait on the hot sources.
	 */
	int (*wait)(struct fl_loop *loop);
	/* source leaves the table; its descriptor may be closed next */
	void (*forget)(struct fl_loop *loop, unsigned int slot);
	int (*submit)(struct fl_loop *loop, const struct fl_loop_io *io, struct fl_loop_pending *pending);
	/* Runs the callbacks of the I/O that is done, but for what workers did. Returns a descriptor that becomes
	 * readable when there is more, or -1. */
	int (*reap)(struct fl_loop *loop);
};

struct fl_loop {
	char name[16];
	const struct fl_loop_backend *backend;
	int wake_fd; /* eventfd: a post or a stop is there */

	/* The loop's thread only (before the start and after the stop: the owner's). */
	struct fl_loop_source sources[FL_LOOP_SOURCES_MAX];
	unsigned int slot_limit; /* slots from here on are free */
	unsigned int last_id;
	struct fl_loop_round round;
	unsigned int io_count; /* in flight, at most FL_LOOP_IO_MAX */
	struct fl_loop_later *later_first, *later_last;
	struct fl_loop_workers workers;
	struct io_uring ring;

	int stall_ms; /* constant once started */
	fl_loop_stall_fn stall_fn;
	void *stall_arg;

	pthread_mutex_t post_lock; /* posts; and stopping changes under it, so that no accepted post is left behind */
	struct fl_loop_post *post_first, *post_last;
	atomic_bool stopping;

	pthread_mutex_t control_lock; /* state, thread: start and stop against each other; outside post_lock */
	enum fl_loop_state state;
	pthread_t thread;
};

/* -errno: io_uring or something that we need of it is missing here. */
FL_CHECKED_RESULT int fl_loop_uring_init(struct fl_loop *loop);
void fl_loop_uring_fini(struct fl_loop *loop);
extern const struct fl_loop_backend fl_loop_uring;
extern const struct fl_loop_backend fl_loop_poll;

void fl_loop_wake(struct fl_loop *loop); /* any thread */

/* -EAGAIN: there is no thread. */
FL_CHECKED_RESULT int fl_loop_workers_submit(struct fl_loop *loop, const struct fl_loop_io *io,
					     struct fl_loop_pending *pending);
void fl_loop_workers_reap(struct fl_loop *loop); /* runs the callbacks of what is done */
void fl_loop_workers_end(struct fl_loop *loop);	 /* no I/O is in flight; nobody else uses the loop */

/* Calls back and frees. */
void fl_loop_io_done(struct fl_loop *loop, struct fl_loop_pending *pending, int64_t result);

#endif
