/* SPDX-License-Identifier: Apache-2.0 */
#include "fl_loop_impl.h"

#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

/* ---- posts ---- */

void fl_loop_wake(struct fl_loop *loop)
{
	const uint64_t one = 1;

	/* EAGAIN means that the counter is full: awake enough */
	while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

int fl_loop_post(struct fl_loop *loop, fl_loop_post_fn fn, void *arg)
{
	struct fl_loop_post *post = malloc(sizeof(*post));

	if (!post)
		return -ENOMEM;
	*post = (struct fl_loop_post){.fn = fn, .arg = arg};
	pthread_mutex_lock(&loop->post_lock);
	if (atomic_load(&loop->stopping)) {
		pthread_mutex_unlock(&loop->post_lock);
		free(post);
		return -ESHUTDOWN;
	}
	if (loop->post_last)
		loop->post_last->next = post;
	else
		loop->post_first = post;
	loop->post_last = post;
	pthread_mutex_unlock(&loop->post_lock);
	fl_loop_wake(loop);
	return 0;
}

/* Only what was there at the beginning: posts that post again do not keep the descriptors waiting. */
static void run_posts(struct fl_loop *loop)
{
	struct fl_loop_post *post;

	pthread_mutex_lock(&loop->post_lock);
	post = loop->post_first;
	loop->post_first = NULL;
	loop->post_last = NULL;
	pthread_mutex_unlock(&loop->post_lock);
	while (post) {
		struct fl_loop_post *next = post->next;

		post->fn(post->arg);
		free(post);
		post = next;
	}
}

static void on_wake(void *arg, int fd, uint32_t events)
{
	struct fl_loop *loop = arg;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	run_posts(loop);
	fl_loop_workers_reap(loop);
}

void fl_loop_later(struct fl_loop *loop, struct fl_loop_later *later)
{
	if (later->waits)
		return;
	later->waits = true;
	later->next = NULL;
	if (loop->later_last)
		loop->later_last->next = later;
	else
		loop->later_first = later;
	loop->later_last = later;
}

static void run_later(struct fl_loop *loop)
{
	while (loop->later_first) {
		struct fl_loop_later *later = loop->later_first;

		loop->later_first = later->next;
		if (!loop->later_first)
			loop->later_last = NULL;
		later->waits = false;
		later->fn(later->arg);
	}
}

/* ---- sources ---- */

static unsigned int free_slot(const struct fl_loop *loop)
{
	unsigned int slot = 0;

	while (slot < FL_LOOP_SOURCES_MAX && loop->sources[slot].id)
		slot++;
	return slot;
}

static int add_source(struct fl_loop *loop, struct fl_loop_source source, unsigned int *id)
{
	unsigned int slot = free_slot(loop);

	if (slot == FL_LOOP_SOURCES_MAX)
		return -ENOSPC;
	if (++loop->last_id == 0)
		loop->last_id = 1;
	source.id = loop->last_id;
	loop->sources[slot] = source;
	loop->slot_limit = FL_MAX(loop->slot_limit, slot + 1);
	*id = loop->last_id;
	return 0;
}

int fl_loop_add_fd(struct fl_loop *loop, int fd, uint32_t events, fl_loop_fd_fn fn, void *arg, unsigned int *id)
{
	const struct fl_loop_source source = {.fd = fd, .events = events, .fn = fn, .arg = arg, .hot = true};

	return fd < 0 || !fn || (events & ~0x7fffu) ? -EINVAL : add_source(loop, source, id);
}

int fl_loop_add_event(struct fl_loop *loop, int event_fd, fl_loop_post_fn fn, void *arg, unsigned int *id)
{
	const struct fl_loop_source source = {
		.fd = event_fd, .events = POLLIN, .event_fn = fn, .arg = arg, .hot = loop->backend == &fl_loop_poll};

	return event_fd < 0 || !fn ? -EINVAL : add_source(loop, source, id);
}

void fl_loop_remove_fd(struct fl_loop *loop, unsigned int id)
{
	for (unsigned int slot = 0; id && slot < loop->slot_limit; slot++) {
		if (loop->sources[slot].id != id)
			continue;
		loop->backend->forget(loop, slot);
		loop->sources[slot] = (struct fl_loop_source){0};
		while (loop->slot_limit && !loop->sources[loop->slot_limit - 1].id)
			loop->slot_limit--;
		return;
	}
}

static void collect_hot(struct fl_loop *loop)
{
	struct fl_loop_round *round = &loop->round;

	round->count = 0;
	for (unsigned int slot = 0; slot < loop->slot_limit; slot++) {
		const struct fl_loop_source *source = &loop->sources[slot];

		if (!source->id || !source->hot || (source->event_fn && loop->backend != &fl_loop_poll))
			continue;
		round->fds[round->count] = (struct pollfd){.fd = source->fd, .events = (short)source->events};
		round->of[round->count].slot = slot;
		round->of[round->count].id = source->id;
		round->count++;
	}
}

static void serve_one(struct fl_loop *loop, unsigned int slot, uint32_t found)
{
	struct fl_loop_source *source = &loop->sources[slot];
	uint64_t count;

	if (!found) {
		source->hot = loop->backend == &fl_loop_poll;
		return;
	}
	if (found & POLLNVAL) {
		source->dead = true;
		source->hot = false;
	}
	if (source->fn)
		source->fn(source->arg, source->fd, found);
	else if (found & POLLIN && read(source->fd, &count, sizeof(count)) == sizeof(count))
		source->event_fn(source->arg);
}

/* What edges have told of, which the fall-back has none of. */
static void serve_events(struct fl_loop *loop)
{
	for (unsigned int slot = 0; slot < loop->slot_limit && !atomic_load(&loop->stopping); slot++) {
		struct fl_loop_source *source = &loop->sources[slot];

		if (!source->id || !source->hot || !source->event_fn)
			continue;
		source->hot = false;
		source->event_fn(source->arg);
	}
}

static void serve(struct fl_loop *loop, int timeout_ms)
{
	struct fl_loop_round *round = &loop->round;

	if (loop->backend != &fl_loop_poll)
		serve_events(loop);
	collect_hot(loop);
	if (!round->count || poll(round->fds, round->count, timeout_ms) < 0)
		return;
	for (unsigned int i = 0; i < round->count && !atomic_load(&loop->stopping); i++) {
		if (loop->sources[round->of[i].slot].id == round->of[i].id)
			serve_one(loop, round->of[i].slot, (uint16_t)round->fds[i].revents);
	}
}

/* ---- I/O ---- */

int fl_loop_submit(struct fl_loop *loop, const struct fl_loop_io *io)
{
	struct fl_loop_pending *pending;
	int rc;

	if (atomic_load(&loop->stopping))
		return -ESHUTDOWN;
	if (loop->io_count >= FL_LOOP_IO_MAX)
		return -EAGAIN;
	pending = malloc(sizeof(*pending));
	if (!pending)
		return -ENOMEM;
	*pending = (struct fl_loop_pending){.io = *io};
	rc = loop->backend->submit(loop, io, pending);
	if (rc) {
		free(pending);
		return rc;
	}
	loop->io_count++;
	return 0;
}

void fl_loop_io_done(struct fl_loop *loop, struct fl_loop_pending *pending, int64_t result)
{
	loop->io_count--;
	pending->io.fn(pending->io.arg, result);
	free(pending);
}

void fl_loop_finish_io(struct fl_loop *loop)
{
	while (loop->io_count) {
		unsigned int before = loop->io_count;
		struct pollfd fds[2] = {{.fd = loop->wake_fd, .events = POLLIN}, {.events = POLLIN}};
		uint64_t count;

		fds[1].fd = loop->backend->reap(loop);
		/* read first, so that a worker that is done from here on is heard by poll(2) */
		if (read(loop->wake_fd, &count, sizeof(count)) < 0)
			count = 0;
		fl_loop_workers_reap(loop);
		run_later(loop);
		if (loop->io_count != before || !loop->io_count)
			continue;
		if (poll(fds, 2, loop->stall_fn ? loop->stall_ms : -1) == 0)
			loop->stall_fn(loop->stall_arg, loop->io_count);
	}
	fl_loop_wake(loop); /* for posts whose wake-up was read here */
}

void fl_loop_on_stall(struct fl_loop *loop, int interval_ms, fl_loop_stall_fn fn, void *arg)
{
	loop->stall_ms = interval_ms;
	loop->stall_fn = fn;
	loop->stall_arg = arg;
}

/* ---- life ---- */

static void finish(struct fl_loop *loop)
{
	fl_loop_finish_io(loop);
	run_posts(loop);
	run_later(loop);
}

static void *loop_main(void *arg)
{
	struct fl_loop *loop = arg;

	pthread_setname_np(pthread_self(), loop->name);
	while (!atomic_load(&loop->stopping)) {
		int timeout_ms = loop->backend->wait(loop);

		run_later(loop);
		if (!atomic_load(&loop->stopping))
			serve(loop, timeout_ms);
		run_later(loop);
	}
	finish(loop);
	return NULL;
}

static int loop_init(struct fl_loop *loop, uint32_t flags, struct fl_diag *diag)
{
	unsigned int id;
	int rc;

	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return fl_diag(diag, -errno, "cannot make an eventfd for thread %s: %s", loop->name, strerror(errno));
	loop->backend = &fl_loop_poll;
	if (!(flags & FL_LOOP_NO_URING) && !fl_loop_uring_init(loop))
		loop->backend = &fl_loop_uring;
	rc = fl_loop_add_fd(loop, loop->wake_fd, POLLIN, on_wake, loop, &id);
	return rc ? fl_diag(diag, rc, "cannot watch the eventfd of thread %s", loop->name) : 0;
}

int fl_loop_new(const char *name, uint32_t flags, struct fl_loop **loop_out, struct fl_diag *diag)
{
	struct fl_loop *loop;
	int rc;

	if (!name || strlen(name) >= sizeof(loop->name) || (flags & ~FL_LOOP_NO_URING))
		return fl_diag(diag, -EINVAL, "a loop needs a thread name of at most 15 bytes and known flags");
	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return fl_diag(diag, -ENOMEM, "no memory for thread %s", name);
	memcpy(loop->name, name, strlen(name));
	pthread_mutex_init(&loop->post_lock, NULL);
	pthread_mutex_init(&loop->control_lock, NULL);
	pthread_mutex_init(&loop->workers.lock, NULL);
	pthread_cond_init(&loop->workers.wanted, NULL);
	rc = loop_init(loop, flags, diag);
	if (rc) {
		fl_loop_free(loop);
		return rc;
	}
	*loop_out = loop;
	return 0;
}

int fl_loop_start(struct fl_loop *loop, struct fl_diag *diag)
{
	FL_LOCKED(&loop->control_lock);
	sigset_t all, old;
	int rc;

	if (loop->state != FL_LOOP_NEW)
		return fl_diag(diag, -EBUSY, "thread %s was started before", loop->name);
	/* A new thread inherits the mask: none of the embedder's handlers ever runs on ours. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(&loop->thread, NULL, loop_main, loop);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return fl_diag(diag, -rc, "cannot start thread %s: %s", loop->name, strerror(rc));
	loop->state = FL_LOOP_RUNNING;
	return 0;
}

void fl_loop_stop(struct fl_loop *loop)
{
	FL_LOCKED(&loop->control_lock);

	if (loop->state == FL_LOOP_STOPPED)
		return;
	pthread_mutex_lock(&loop->post_lock);
	atomic_store(&loop->stopping, true);
	pthread_mutex_unlock(&loop->post_lock);
	if (loop->state == FL_LOOP_RUNNING) {
		fl_loop_wake(loop);
		pthread_join(loop->thread, NULL);
	} else {
		finish(loop);
	}
	fl_loop_workers_end(loop);
	/* the kernel has dropped the polls of the thread that is gone */
	for (unsigned int slot = 0; slot < loop->slot_limit; slot++)
		loop->sources[slot].armed = false;
	loop->state = FL_LOOP_STOPPED;
}

void fl_loop_free(struct fl_loop *loop)
{
	if (!loop)
		return;
	if (loop->backend)
		fl_loop_stop(loop);
	if (loop->backend == &fl_loop_uring)
		fl_loop_uring_fini(loop);
	fl_close(&loop->wake_fd);
	pthread_mutex_destroy(&loop->post_lock);
	pthread_mutex_destroy(&loop->control_lock);
	pthread_cond_destroy(&loop->workers.wanted);
	pthread_mutex_destroy(&loop->workers.lock);
	free(loop);
}

bool fl_loop_uses_uring(const struct fl_loop *loop)
{
	return loop->backend == &fl_loop_uring;
}
