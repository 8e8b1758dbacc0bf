/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/watch_priv.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

/* Between two rounds: bounds what a storm of events can cost, and is the delay that it can cause. */
#define REST_NS 1000000
/* The same while files that inotify does not take have to be looked at without an event. */
#define POLL_NS 5000000

#define READS_MAX 32 /* a round: as much as the kernel queues by default, and more (fs.inotify.max_queued_events) */

/* ---- events ----------------------------------------------------------------------------- */

static void make_due(struct fl_watch *watch, struct fl_watched *file)
{
	if (file->due)
		return;
	file->due = true;
	file->next_due = watch->due;
	watch->due = file;
}

static void make_all_due(struct fl_watch *watch)
{
	for (size_t i = 0; i < FL_WATCH_BUCKETS; i++)
		for (struct fl_watched *file = watch->table.by_id[i]; file; file = file->next_by_id)
			make_due(watch, file);
}

/* The kernel has let go of the inode, having said why (IN_ONESHOT) or not (IN_IGNORED alone), unless it stays. */
static void mark(struct fl_watch *watch, const struct inotify_event *event)
{
	struct fl_watched *file, *next;

	if (event->mask & IN_Q_OVERFLOW)
		make_all_due(watch);
	if (event->wd < 0)
		return;
	/* none: the event is of before a removal, or it is the IN_IGNORED that follows each IN_MODIFY */
	for (file = fl_watch_table_find_wd(&watch->table, event->wd); file; file = next) {
		next = fl_watch_table_next_wd(file);
		if (!file->stays || event->mask & IN_IGNORED)
			fl_watch_table_set_wd(&watch->table, file, -1);
		make_due(watch, file);
	}
}

/* False when there are no more. */
static bool read_events(struct fl_watch *watch)
{
	ssize_t len = read(watch->inotify_fd, watch->events, sizeof(watch->events));
	const struct inotify_event *event;

	if (len <= 0)
		return false;
	FL_LOCKED(&watch->lock);
	for (const char *at = watch->events; at < watch->events + len; at += sizeof(*event) + event->len) {
		event = (const struct inotify_event *)(const void *)at;
		watch->stats.events++;
		mark(watch, event);
	}
	return true;
}

/* The next window that follows the file and was not called in this round. */
static struct fl_window *next_to_call(struct fl_watch *watch, dev_t dev, ino_t ino)
{
	struct fl_watched *file = fl_watch_table_find(&watch->table, dev, ino);
	struct fl_follower *follower = file ? file->followers : NULL;

	while (follower && follower->called == watch->round)
		follower = follower->next;
	if (!follower)
		return NULL;
	follower->called = watch->round;
	return follower->window;
}

static void call_windows(struct fl_watch *watch, const struct fl_backing *backing, uint64_t file_len)
{
	struct fl_window *window;

	pthread_mutex_lock(&watch->lock);
	while ((window = next_to_call(watch, backing->dev, backing->ino))) {
		watch->calling = window;
		pthread_mutex_unlock(&watch->lock);
		fl_window_follow_file(window, backing->dev, backing->ino, file_len);
		pthread_mutex_lock(&watch->lock);
		watch->calling = NULL;
		pthread_cond_broadcast(&watch->called);
	}
	pthread_mutex_unlock(&watch->lock);
}

/* Before it is looked at; if no event will tell of it, it is to be looked at in the next round too. */
static void arm_again(struct fl_watch *watch, struct fl_watched *file)
{
	int wd = file->wd;

	if (!file->stays) {
		wd = fl_watch_arm(watch, file->backing);
		fl_watch_table_set_wd(&watch->table, file, wd < 0 ? -1 : wd);
		if (wd < 0)
			fl_watch_say_cannot_follow(watch, wd);
	}
	if (wd >= 0)
		return;
	file->due = true;
	file->next_due = watch->unarmed;
	watch->unarmed = file;
}

/* The next file to be looked at, with a reference of the caller's, or NULL. */
static struct fl_backing *take_due(struct fl_watch *watch)
{
	struct fl_watched *file;

	FL_LOCKED(&watch->lock);
	file = watch->due;
	if (!file)
		return NULL;
	watch->due = file->next_due;
	file->due = false;
	arm_again(watch, file);
	watch->round++; /* of this file's windows: another number for every look */
	watch->stats.looks++;
	return fl_backing_ref(file->backing);
}

/* True if there is something to be done in the next round, event or not. */
static bool end_round(struct fl_watch *watch)
{
	struct fl_watched *last;

	FL_LOCKED(&watch->lock);
	watch->stats.rounds++;
	last = watch->unarmed;
	while (last && last->next_due)
		last = last->next_due;
	if (last) {
		last->next_due = watch->due;
		watch->due = watch->unarmed;
		watch->unarmed = NULL;
	}
	return watch->due != NULL;
}

static void on_poll(void *arg);

static void do_round(struct fl_watch *watch)
{
	struct timespec rest = {.tv_nsec = REST_NS};
	struct fl_backing *backing;
	uint64_t len;

	for (unsigned int i = 0; i < READS_MAX && read_events(watch); i++)
		;
	while (!atomic_load(&watch->stopping) && (backing = take_due(watch))) {
		if (!fl_backing_get_len(backing, &len))
			call_windows(watch, backing, len);
		fl_backing_unref(backing);
	}
	if (end_round(watch)) {
		rest.tv_nsec = POLL_NS;
		if (!watch->poll_posted)
			watch->poll_posted = fl_loop_post(watch->loop, on_poll, watch) == 0;
	}
	nanosleep(&rest, NULL);
}

static void on_poll(void *arg)
{
	struct fl_watch *watch = arg;

	watch->poll_posted = false;
	if (!atomic_load(&watch->stopping))
		do_round(watch);
}

static void on_events(void *arg, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	do_round(arg);
}

/* ---- life ------------------------------------------------------------------------------- */

/* inotify_init1(2) says EMFILE for two limits; only one of them keeps other descriptors from being opened. */
static int diag_no_instance(struct fl_diag *diag, int error)
{
	FL_CLOSE int other = open("/", O_PATH | O_CLOEXEC);

	if (error == -EMFILE && other >= 0)
		return fl_diag(diag, error,
			       "cannot follow files: all inotify instances of this user are in use; raise the sysctl "
			       "fs.inotify.max_user_instances");
	return fl_diag(diag, error, "cannot follow files: inotify_init1: %s", strerror(-error));
}

static int init(struct fl_watch *watch, struct fl_diag *diag)
{
	unsigned int id;
	int error;

	watch->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->inotify_fd < 0)
		return diag_no_instance(diag, -errno);
	error = fl_loop_new("fl-watch", 0, &watch->loop, diag);
	if (error)
		return error;
	error = fl_loop_add_fd(watch->loop, watch->inotify_fd, POLLIN, on_events, watch, &id);
	return error ? fl_diag(diag, error, "cannot watch an inotify descriptor") : 0;
}

static void release(struct fl_watch *watch)
{
	if (atomic_fetch_sub(&watch->holders, 1) != 1)
		return;
	fl_loop_free(watch->loop);
	fl_close(&watch->inotify_fd);
	pthread_cond_destroy(&watch->called);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

int fl_watch_new(const struct fl_log *log, struct fl_watch **watch, struct fl_diag *diag)
{
	struct fl_watch *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return fl_diag(diag, -ENOMEM, "no memory to follow files with");
	made->log = log;
	made->inotify_fd = -1;
	atomic_init(&made->holders, 1);
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->called, NULL);
	error = init(made, diag);
	if (error) {
		release(made);
		return error;
	}
	*watch = made;
	return 0;
}

int fl_watch_start(struct fl_watch *watch, struct fl_diag *diag)
{
	return fl_loop_start(watch->loop, diag);
}

void fl_watch_stop(struct fl_watch *watch)
{
	atomic_store(&watch->stopping, true);
	fl_loop_stop(watch->loop);
}

void fl_watch_free(struct fl_watch *watch)
{
	if (!watch)
		return;
	fl_watch_stop(watch);
	pthread_mutex_lock(&watch->lock);
	watch->freed = true;
	pthread_mutex_unlock(&watch->lock);
	release(watch);
}

struct fl_watch *fl_watch_attach(struct fl_watch *watch)
{
	atomic_fetch_add(&watch->holders, 1);
	return watch;
}

void fl_watch_detach(struct fl_watch *watch, struct fl_window *window)
{
	pthread_mutex_lock(&watch->lock);
	while (watch->calling == window)
		pthread_cond_wait(&watch->called, &watch->lock);
	pthread_mutex_unlock(&watch->lock);
	release(watch);
}

void fl_watch_get_stats(struct fl_watch *watch, struct fl_watch_stats *stats)
{
	FL_LOCKED(&watch->lock);
	*stats = watch->stats;
	stats->files = watch->table.count;
}
