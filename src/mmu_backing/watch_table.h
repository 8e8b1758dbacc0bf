/* SPDX-License-Identifier: Apache-2.0 */
/* watch_table: the files that a watch follows, found by identity and by inotify watch descriptor. No locks. */
#ifndef FL_WATCH_TABLE_H
#define FL_WATCH_TABLE_H

#include "mmu_backing/backing.h"

struct fl_window;

/* A window that maps the file. */
struct fl_follower {
	struct fl_window *window;
	uint64_t count;	 /* of adds without a remove */
	uint64_t called; /* the last round it was called in */
	struct fl_follower *next;
};

struct fl_watched {
	struct fl_backing *backing; /* our reference; its descriptor is what the length is read from */
	int wd;			    /* -1: its event has come, no other will until it is armed again */
	bool stays;		    /* armed once for all events, since arming may have to wait for a server */
	bool due;		    /* in a list of those to be looked at */
	struct fl_follower *followers;
	struct fl_watched *next_by_id, *next_by_wd, *next_due;
};

#define FL_WATCH_BUCKETS 4096u
struct fl_watch_table {
	uint64_t count;
	struct fl_watched *by_id[FL_WATCH_BUCKETS], *by_wd[FL_WATCH_BUCKETS];
};

struct fl_watched *fl_watch_table_find(const struct fl_watch_table *table, dev_t dev, ino_t ino);
/* One with that wd; two files have the same only if dev and ino deceive us. */
struct fl_watched *fl_watch_table_find_wd(const struct fl_watch_table *table, int wd);
struct fl_watched *fl_watch_table_next_wd(const struct fl_watched *file); /* another one with the same */
/* Takes a reference of its own of backing. NULL: no memory. */
struct fl_watched *fl_watch_table_add(struct fl_watch_table *table, struct fl_backing *backing, int wd);
/* Frees it; its reference of the backing is the caller's. */
FL_CHECKED_RESULT struct fl_backing *fl_watch_table_remove(struct fl_watch_table *table, struct fl_watched *file);
void fl_watch_table_set_wd(struct fl_watch_table *table, struct fl_watched *file, int wd);

#endif
