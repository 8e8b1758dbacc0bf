/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/watch_priv.h"

#include <stdio.h>
#include <string.h>

/* Of adding a remote file, while others are removed. */
#define ADD_TRIES 4

int fl_watch_arm(const struct fl_watch *watch, const struct fl_backing *backing)
{
	char path[32];
	int wd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", backing->fd);
	wd = inotify_add_watch(watch->inotify_fd, path, IN_MODIFY | (backing->remote ? 0 : IN_ONESHOT));
	return wd < 0 ? -errno : wd;
}

void fl_watch_say_cannot_follow(struct fl_watch *watch, int error)
{
	fl_log_limited(watch->log, &watch->add_limit, FL_LOG_WARN,
		       "watch: the length of a file cannot be followed: %s%s", strerror(-error),
		       error == -ENOSPC ? "; raise the sysctl fs.inotify.max_user_watches" : "");
}

static struct fl_follower *follower_of(const struct fl_watched *file, const struct fl_window *window)
{
	struct fl_follower *follower = file->followers;

	while (follower && follower->window != window)
		follower = follower->next;
	return follower;
}

static void unlink_due(struct fl_watched **at, const struct fl_watched *file)
{
	while (*at && *at != file)
		at = &(*at)->next_due;
	if (*at)
		*at = file->next_due;
}

static void disarm(struct fl_watch *watch, int wd)
{
	if (wd < 0 || fl_watch_table_find_wd(&watch->table, wd))
		return;
	inotify_rm_watch(watch->inotify_fd, wd);
	watch->removals++;
}

/* No window follows it any more. */
static struct fl_backing *drop(struct fl_watch *watch, struct fl_watched *file)
{
	struct fl_backing *backing;
	int wd = file->wd;

	if (file->due) {
		unlink_due(&watch->due, file);
		unlink_due(&watch->unarmed, file);
	}
	backing = fl_watch_table_remove(&watch->table, file);
	disarm(watch, wd);
	return backing;
}

static int follow_new(struct fl_watch *watch, struct fl_backing *backing, int wd, struct fl_watched **file)
{
	if (wd < 0)
		wd = fl_watch_arm(watch, backing);
	if (wd < 0)
		return wd;
	*file = fl_watch_table_add(&watch->table, backing, wd);
	if (*file)
		return 0;
	disarm(watch, wd);
	return -ENOMEM;
}

/* wd: it is armed already, unless that is negative. */
static int add_locked(struct fl_watch *watch, struct fl_window *window, struct fl_backing *backing, int wd)
{
	struct fl_watched *file = fl_watch_table_find(&watch->table, backing->dev, backing->ino);
	struct fl_follower *follower = file ? follower_of(file, window) : NULL;
	int error;

	if (follower) {
		follower->count++;
		return 0;
	}
	follower = malloc(sizeof(*follower));
	if (!follower)
		return -ENOMEM;
	error = file ? 0 : follow_new(watch, backing, wd, &file);
	if (error) {
		free(follower);
		return error;
	}
	*follower = (struct fl_follower){.window = window, .count = 1, .next = file->followers};
	file->followers = follower;
	return 0;
}

/* False: it has to be armed first, and what was armed counts if nothing is removed meanwhile. */
static bool try_add(struct fl_watch *watch, struct fl_window *window, struct fl_backing *backing, int wd,
		    uint64_t *removals, int *error)
{
	FL_LOCKED(&watch->lock);
	if (!watch->freed && !fl_watch_table_find(&watch->table, backing->dev, backing->ino) &&
	    (wd < 0 || *removals != watch->removals)) {
		*removals = watch->removals;
		return false;
	}
	*error = watch->freed ? -ESHUTDOWN : add_locked(watch, window, backing, wd);
	if (*error)
		disarm(watch, wd);
	return true;
}

/* Where arming may have to wait. */
static int add_remote(struct fl_watch *watch, struct fl_window *window, struct fl_backing *backing)
{
	uint64_t removals = 0;
	int error, wd = -1;

	for (unsigned int i = 0; i < ADD_TRIES; i++) {
		if (try_add(watch, window, backing, wd, &removals, &error))
			return error;
		wd = fl_watch_arm(watch, backing);
		if (wd < 0)
			return wd;
	}
	FL_LOCKED(&watch->lock);
	return watch->freed ? -ESHUTDOWN : add_locked(watch, window, backing, -1);
}

static int add_local(struct fl_watch *watch, struct fl_window *window, struct fl_backing *backing)
{
	FL_LOCKED(&watch->lock);
	return watch->freed ? -ESHUTDOWN : add_locked(watch, window, backing, -1);
}

int fl_watch_add(struct fl_watch *watch, struct fl_window *window, struct fl_backing *backing)
{
	int error = backing->remote ? add_remote(watch, window, backing) : add_local(watch, window, backing);

	if (error) {
		FL_LOCKED(&watch->lock);
		fl_watch_say_cannot_follow(watch, error);
	}
	return error;
}

/* The backing that it was followed by, if nobody does any more. */
static struct fl_backing *remove_follower(struct fl_watch *watch, const struct fl_window *window, dev_t dev, ino_t ino)
{
	struct fl_follower **at, *follower;
	struct fl_watched *file;

	FL_LOCKED(&watch->lock);
	file = fl_watch_table_find(&watch->table, dev, ino);
	follower = file ? follower_of(file, window) : NULL;
	if (!follower || --follower->count)
		return NULL;
	at = &file->followers;
	while (*at != follower)
		at = &(*at)->next;
	*at = follower->next;
	free(follower);
	return file->followers ? NULL : drop(watch, file);
}

void fl_watch_remove(struct fl_watch *watch, struct fl_window *window, dev_t dev, ino_t ino)
{
	/* without the lock: closing a file may wait for its server */
	fl_backing_unref(remove_follower(watch, window, dev, ino));
}
