/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_loop.h"

#include <poll.h>

#define SOURCES_MAX 16
#define POSTS_MAX   64
#define IO_MAX	    256

struct source {
	unsigned int id; /* 0: free */
	int fd;
	uint32_t events;
	fl_loop_fd_fn fn;
	fl_loop_post_fn event_fn; /* an event source's, which has no fn */
	void *arg;
};

struct post {
	fl_loop_post_fn fn;
	void *arg;
};

struct fl_loop {
	bool in_callback;
	unsigned int last_id;
	unsigned int post_count, io_count;
	struct source sources[SOURCES_MAX];
	struct post posts[POSTS_MAX];
	struct fl_loop_io io[IO_MAX];
	struct fl_loop_later *later;
};

int fl_loop_new(const char *name, uint32_t flags, struct fl_loop **loop, struct fl_diag *diag)
{
	(void)name;
	(void)flags;
	*loop = calloc(1, sizeof(**loop));
	return *loop ? 0 : fl_diag(diag, -ENOMEM, "no memory");
}

int fl_loop_start(struct fl_loop *loop, struct fl_diag *diag)
{
	(void)loop;
	(void)diag;
	return 0;
}

static void run_posts(struct fl_loop *loop)
{
	for (unsigned int i = 0; i < loop->post_count; i++)
		loop->posts[i].fn(loop->posts[i].arg);
	loop->post_count = 0;
}

void fl_loop_later(struct fl_loop *loop, struct fl_loop_later *later)
{
	if (later->waits)
		return;
	later->waits = true;
	later->next = loop->later;
	loop->later = later;
}

static void run_later(struct fl_loop *loop)
{
	while (loop->later) {
		struct fl_loop_later *later = loop->later;

		loop->later = later->next;
		later->waits = false;
		later->fn(later->arg);
	}
}

static void finish_io(struct fl_loop *loop, unsigned int which)
{
	struct fl_loop_io io = loop->io[which];

	loop->io[which] = loop->io[--loop->io_count];
	io.fn(io.arg, fl_loop_run_io(&io));
}

unsigned int fuzz_loop_io_count(const struct fl_loop *loop)
{
	return loop->io_count;
}

void fuzz_loop_do_io(struct fl_loop *loop, unsigned int which)
{
	if (!loop->io_count)
		return;
	loop->in_callback = true;
	finish_io(loop, which % loop->io_count);
	run_later(loop);
	loop->in_callback = false;
}

void fl_loop_finish_io(struct fl_loop *loop)
{
	while (loop->io_count)
		finish_io(loop, 0);
	run_later(loop);
}

void fl_loop_on_stall(struct fl_loop *loop, int interval_ms, fl_loop_stall_fn fn, void *arg)
{
	(void)loop;
	(void)interval_ms;
	(void)fn;
	(void)arg;
}

/* The posted first: it finds the I/O in flight, as on a loop with a thread. */
static void settle(struct fl_loop *loop)
{
	loop->in_callback = true;
	run_posts(loop);
	fl_loop_finish_io(loop);
	run_posts(loop);
	loop->in_callback = false;
}

void fl_loop_stop(struct fl_loop *loop)
{
	settle(loop);
}

void fl_loop_free(struct fl_loop *loop)
{
	if (loop)
		fl_loop_stop(loop);
	free(loop);
}

bool fl_loop_uses_uring(const struct fl_loop *loop)
{
	(void)loop;
	return false;
}

static int add_source(struct fl_loop *loop, struct source source, unsigned int *id)
{
	for (unsigned int i = 0; i < SOURCES_MAX; i++) {
		if (loop->sources[i].id)
			continue;
		*id = source.id = ++loop->last_id;
		loop->sources[i] = source;
		return 0;
	}
	return -ENOSPC;
}

int fl_loop_add_fd(struct fl_loop *loop, int fd, uint32_t events, fl_loop_fd_fn fn, void *arg, unsigned int *id)
{
	return add_source(loop, (struct source){.fd = fd, .events = events, .fn = fn, .arg = arg}, id);
}

int fl_loop_add_event(struct fl_loop *loop, int event_fd, fl_loop_post_fn fn, void *arg, unsigned int *id)
{
	return add_source(loop, (struct source){.fd = event_fd, .events = POLLIN, .event_fn = fn, .arg = arg}, id);
}

void fl_loop_remove_fd(struct fl_loop *loop, unsigned int id)
{
	for (unsigned int i = 0; i < SOURCES_MAX; i++) {
		if (loop->sources[i].id == id)
			loop->sources[i] = (struct source){0};
	}
}

int fl_loop_post(struct fl_loop *loop, fl_loop_post_fn fn, void *arg)
{
	if (loop->post_count == POSTS_MAX)
		return -ENOMEM;
	loop->posts[loop->post_count++] = (struct post){.fn = fn, .arg = arg};
	if (!loop->in_callback)
		settle(loop);
	return 0;
}

int fl_loop_submit(struct fl_loop *loop, const struct fl_loop_io *io)
{
	if (loop->io_count == IO_MAX)
		return -EAGAIN;
	loop->io[loop->io_count++] = *io;
	return 0;
}

unsigned int fuzz_loop_turn(struct fl_loop *loop)
{
	unsigned int served = 0;

	loop->in_callback = true;
	for (unsigned int i = 0; i < SOURCES_MAX; i++) {
		struct source source = loop->sources[i];
		struct pollfd poll_fd = {.fd = source.fd, .events = (short)source.events};

		uint64_t count;

		if (!source.id || poll(&poll_fd, 1, 0) <= 0)
			continue;
		if (source.fn)
			source.fn(source.arg, source.fd, (uint16_t)poll_fd.revents);
		else if (read(source.fd, &count, sizeof(count)) == sizeof(count))
			source.event_fn(source.arg);
		served++;
	}
	run_posts(loop);
	run_later(loop);
	loop->in_callback = false;
	return served;
}
