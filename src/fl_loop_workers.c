/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of a loop for the file I/O that io_uring does not do: copies and syncfs, and all of it where io_uring is
 * forbidden. Made when there is work that no idle one takes, up to FL_LOOP_WORKERS, and ended with the loop.
 */
#include "fl_loop_impl.h"

#include <signal.h>
#include <stdio.h>

static struct fl_loop_pending *take(struct fl_loop_workers *workers)
{
	struct fl_loop_pending *pending = workers->todo.first;

	workers->todo_count--;
	workers->todo.first = pending->next;
	if (!workers->todo.first)
		workers->todo.last = NULL;
	return pending;
}

static void append(struct fl_loop_pending_list *list, struct fl_loop_pending *pending)
{
	pending->next = NULL;
	if (list->last)
		list->last->next = pending;
	else
		list->first = pending;
	list->last = pending;
}

static void *worker_main(void *arg)
{
	struct fl_loop *loop = arg;
	struct fl_loop_workers *workers = &loop->workers;

	char name[sizeof(loop->name)];

	snprintf(name, sizeof(name), "%.12s-io", loop->name);
	pthread_setname_np(pthread_self(), name);
	pthread_mutex_lock(&workers->lock);
	for (;;) {
		struct fl_loop_pending *pending;

		workers->idle++;
		while (!workers->todo.first && !workers->ending)
			pthread_cond_wait(&workers->wanted, &workers->lock);
		workers->idle--;
		if (!workers->todo.first)
			break;
		pending = take(workers);
		pthread_mutex_unlock(&workers->lock);
		pending->result = fl_loop_run_io(&pending->io);
		pthread_mutex_lock(&workers->lock);
		append(&workers->done, pending);
		fl_loop_wake(loop);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

/* With the lock. False: there are as many as may be, or the host makes no more. */
static bool add_worker(struct fl_loop *loop)
{
	struct fl_loop_workers *workers = &loop->workers;
	sigset_t all, old;
	int rc;

	if (workers->count == FL_LOOP_WORKERS)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(&workers->threads[workers->count], NULL, worker_main, loop);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	workers->count += !rc;
	return !rc;
}

int fl_loop_workers_submit(struct fl_loop *loop, const struct fl_loop_io *io, struct fl_loop_pending *pending)
{
	struct fl_loop_workers *workers = &loop->workers;

	pending->io = *io;
	FL_LOCKED(&workers->lock);
	append(&workers->todo, pending);
	workers->todo_count++;
	/* idle are also those that have been woken and have not come yet, and their work still counts as to be done */
	if (workers->todo_count > workers->idle && !add_worker(loop) && !workers->count) {
		workers->todo_count--;
		workers->todo = (struct fl_loop_pending_list){0};
		return -EAGAIN;
	}
	pthread_cond_signal(&workers->wanted);
	return 0;
}

void fl_loop_workers_reap(struct fl_loop *loop)
{
	struct fl_loop_workers *workers = &loop->workers;
	struct fl_loop_pending *pending;

	pthread_mutex_lock(&workers->lock);
	pending = workers->done.first;
	workers->done = (struct fl_loop_pending_list){0};
	pthread_mutex_unlock(&workers->lock);
	while (pending) {
		struct fl_loop_pending *next = pending->next;

		fl_loop_io_done(loop, pending, pending->result);
		pending = next;
	}
}

void fl_loop_workers_end(struct fl_loop *loop)
{
	struct fl_loop_workers *workers = &loop->workers;

	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->wanted);
	pthread_mutex_unlock(&workers->lock);
	while (workers->count)
		pthread_join(workers->threads[--workers->count], NULL);
}
