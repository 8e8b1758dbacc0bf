/* SPDX-License-Identifier: Apache-2.0 */
/* watch_priv: what watch.c (events, rounds and life) and watch_files.c (which files are followed) share. */
#ifndef FL_WATCH_PRIV_H
#define FL_WATCH_PRIV_H

#include <stdatomic.h>
#include <sys/inotify.h>

#include "fl_loop.h"
#include "mmu_backing/watch.h"
#include "mmu_backing/watch_table.h"

#define FL_WATCH_READ_LEN 16384

struct fl_watch {
	const struct fl_log *log;
	struct fl_log_limit add_limit;
	atomic_uint holders;
	struct fl_loop *loop;
	int inotify_fd;
	atomic_bool stopping;
	/* the loop thread's */
	bool poll_posted;
	_Alignas(struct inotify_event) char events[FL_WATCH_READ_LEN];

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t called;
	bool freed;		    /* its owner has let go of it */
	struct fl_window *calling;  /* the window that the loop thread is calling */
	struct fl_watched *due;	    /* to be looked at in this round */
	struct fl_watched *unarmed; /* and in the next one, since no event will tell of them */
	uint64_t round;
	uint64_t removals; /* of inotify watches */
	struct fl_watch_stats stats;
	struct fl_watch_table table;
};

/* ---- watch_files.c ---- */

/*
 * For one event: then the kernel forgets the file until it is armed again, before its length is read. So however
 * fast somebody writes, there is one event to be read a file and round.
 *
 * But inotify_add_watch() wants permission to read, for which a server may have to be asked (fs/fuse/dir.c
 * fuse_permission, fs/nfs/dir.c nfs_permission). There it is called once, without a lock and by who adds the file, for
 * all events; a server also bounds how fast these can come.
 */
FL_CHECKED_RESULT int fl_watch_arm(const struct fl_watch *watch, const struct fl_backing *backing);
void fl_watch_say_cannot_follow(struct fl_watch *watch, int error); /* with the lock */

#endif
