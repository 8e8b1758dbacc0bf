/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch: follows the lengths of files by inotify (IN_MODIFY, which truncation, growth and writes raise, on the inode:
 * renames and unlinking do not matter), and tells the windows that map them: fl_window_follow_file().
 *
 * One per VM, with a loop thread of its own. The first event of a burst is acted upon at once; then the thread rests
 * a millisecond between rounds, each of which looks once at each file that changed, and only then lets inotify tell of
 * the next change. So a change is followed within some milliseconds, and whoever writes to a followed file, however
 * fast, costs us some percent of a CPU (tests/unit/mmu_backing/test_watch_load.c measures both).
 *
 * Blind to what other machines do to network file systems, to stores through mappings (which change no length), since
 * Linux 6.14 to growth of a memfd by writes to its own descriptor (a fault on the hidden page makes its probe look, so
 * only a substituted page stays longer), and to everything but lengths: the vCPUs' watchdog (vcpu/watchdog.h) is for
 * those. Needs /proc.
 *
 * Locks: the window's may be held when add and remove are called; the watch's own is taken inside it, and never held
 * while a window is called, nor while a server may be waited for.
 */
#ifndef FL_WATCH_H
#define FL_WATCH_H

#include "fl_log.h"
#include "mmu_backing/backing.h"
#include "mmu_backing/window.h"

struct fl_watch;

/* -EMFILE, -ENOSPC and the like when the limits of inotify (/proc/sys/fs/inotify) are used up: diag names them. */
FL_CHECKED_RESULT int fl_watch_new(const struct fl_log *log, struct fl_watch **watch, struct fl_diag *diag);
FL_CHECKED_RESULT int fl_watch_start(struct fl_watch *watch, struct fl_diag *diag);
void fl_watch_stop(struct fl_watch *watch); /* idempotent; no window is called afterwards */
/* NULL allowed. No window follows a file any more; those that are attached may be freed before or after. */
void fl_watch_free(struct fl_watch *watch);

/* ---- for window.c ---- */

/* A window that will add files holds the watch; the watch itself. */
struct fl_watch *fl_watch_attach(struct fl_watch *watch);
/*
 * window, which has removed all its files, lets go: it is not being called when this returns, and never again.
 * Not with the window's lock held.
 */
void fl_watch_detach(struct fl_watch *watch, struct fl_window *window);

/*
 * window maps backing's file from now on (may be called several times, counted), or has stopped mapping one. Add
 * first, then look at the file's length: what happens in between is an event. Waits, on network file systems and FUSE,
 * for their server if the file is not followed already. -ENOSPC: no inotify watch is left (the
 * log says what to do); -ESHUTDOWN: the watch has been freed.
 */
FL_CHECKED_RESULT int fl_watch_add(struct fl_watch *watch, struct fl_window *window, struct fl_backing *backing);
void fl_watch_remove(struct fl_watch *watch, struct fl_window *window, dev_t dev, ino_t ino);

struct fl_watch_stats {
	uint64_t files;	 /* followed now */
	uint64_t events; /* read from inotify */
	uint64_t looks;	 /* at a file's length */
	uint64_t rounds; /* of reading events and looking */
};
void fl_watch_get_stats(struct fl_watch *watch, struct fl_watch_stats *stats);

#endif
