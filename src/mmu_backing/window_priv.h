/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window_priv: what window.c (the interface), window_range.c (the pages of a range), window_repair.c (after a
 * failing mmap) and window_files.c (which ranges show a file) share. All but fl_window_new() and what never changes
 * needs the window's lock.
 */
#ifndef FL_WINDOW_PRIV_H
#define FL_WINDOW_PRIV_H

#include <sys/mman.h>

#include "mmu_backing/page_set.h"
#include "mmu_backing/watch.h"
#include "mmu_backing/window.h"
#include "mmu_backing/window_vma.h"

/* What a page of a mapped range is. */
enum fl_page_kind {
	FL_PAGE_FILE,
	FL_PAGE_HIDDEN, /* PROT_NONE */
	FL_PAGE_SUBSTITUTE,
};

struct fl_range {
	enum fl_range_state state;
	struct fl_backing *backing; /* our reference; NULL unless mapped, as all that follows but seq */
	uint64_t file_offset;	    /* of the range's first byte */
	uint64_t mapped_file_len;
	struct fl_window_file *file;
	struct fl_range *next, **link; /* in file->ranges */
	/* disjoint; what is in neither is the file's */
	struct fl_page_set hidden, substituted;
	struct fl_page_set ended; /* substituted ones that the file was seen to end before since */
	uint64_t seq;		  /* changes of the range so far, mapped or not */
};

/* One file of which at least one range is mapped, so that an event touches that file's ranges alone. */
struct fl_window_file {
	dev_t dev;
	ino_t ino;
	struct fl_range *ranges;
	uint64_t len;	      /* its ranges are in step with this length, if... */
	bool behind;	      /* ...no step failed: look at all of them again */
	bool watched;	      /* the watch follows it for us */
	bool tried[2];	      /* it could be mapped: for reading; for writing as well */
	uint64_t substitutes; /* pages */
	struct fl_window_file *next_in_bucket;
};

#define FL_WINDOW_FILE_BUCKETS 1024u

struct fl_window {
	uint8_t *hva;
	uint64_t len;
	struct fl_vma_none none;
	struct fl_vma_zero zero;
	int maps_fd;		/* /proc/self/maps, opened beforehand: in trouble there may be no descriptor left */
	struct fl_watch *watch; /* our reference; set before the first mapping; may be NULL */
	bool hide_ends;		/* as watch */
	bool prefault;		/* as watch */
	fl_window_trouble_fn on_trouble; /* as watch; may be NULL */
	void *on_trouble_arg;

	pthread_mutex_t lock; /* guards all below, and the address space at hva */
	bool broken;
	void (*on_broken)(void *arg);
	void *on_broken_arg;
	struct fl_window_stats stats;
	bool nearly_full;				      /* and not since at most 7/8 */
	uint64_t may_tell_from_ns[FL_WINDOW_NO_MAPPINGS + 1]; /* CLOCK_MONOTONIC; by enum fl_window_trouble */
	struct fl_backing *unused; /* to be closed without the lock, since a server may have to be waited for */
	struct fl_window_file *files[FL_WINDOW_FILE_BUCKETS];
	struct fl_range ranges[];
};

/* A run of a window's pages. */
struct fl_span {
	uint64_t first, count;
};

static inline uint8_t *fl_span_hva(const struct fl_window *window, struct fl_span span)
{
	return window->hva + span.first * FL_PAGE_LEN;
}

static inline uint64_t fl_span_len(struct fl_span span)
{
	return span.count * FL_PAGE_LEN;
}

static inline bool fl_range_is_mapped(const struct fl_range *range)
{
	return range->state == FL_RANGE_MAPPED_RO || range->state == FL_RANGE_MAPPED_RW;
}

static inline int fl_range_prot(enum fl_range_state state)
{
	return state == FL_RANGE_MAPPED_RW ? PROT_READ | PROT_WRITE : PROT_READ;
}

/* ---- window_range.c ---- */

/* Gives the range its new entry; takes over the reference of entry.backing. entry.file: NULL unless mapped. */
void fl_range_set(struct fl_window *window, struct fl_range *range, struct fl_range entry);
void fl_window_set_reserved(struct fl_window *window, struct fl_span span); /* whole ranges */
enum fl_page_kind fl_range_page_kind(const struct fl_range *range, unsigned int page);
/* The end of the run that page begins and that one mapping can make; a substitute stands alone. */
unsigned int fl_range_run_end(const struct fl_range *range, unsigned int page);
struct fl_span fl_range_span(const struct fl_window *window, const struct fl_range *range, unsigned int first,
			     unsigned int end);
/* The system call alone: [first, end) become kind. */
FL_CHECKED_RESULT int fl_range_put(struct fl_window *window, const struct fl_range *range, unsigned int first,
				   unsigned int end, enum fl_page_kind kind);
/* The table alone. */
void fl_range_mark(struct fl_window *window, struct fl_range *range, unsigned int first, unsigned int end,
		   enum fl_page_kind kind);
/* Both, recovering from a failure. */
FL_CHECKED_RESULT int fl_range_change(struct fl_window *window, struct fl_range *range, unsigned int first,
				      unsigned int end, enum fl_page_kind kind);
/* Brings one range in step with the file's length. An error leaves the rest of it as it was. */
FL_CHECKED_RESULT int fl_range_follow(struct fl_window *window, struct fl_range *range, uint64_t file_len);

/* ---- window_trouble.c ---- */

/* What is to be told, and to be closed, when the lock has been dropped. */
struct fl_window_note {
	struct fl_backing *unused;
	enum fl_window_trouble trouble;
	struct fl_window_stats stats; /* if there is any */
};
/* After a map or an unmap that ended with error. */
struct fl_window_note fl_window_note(struct fl_window *window, int error);
void fl_window_pass_on(struct fl_window *window, const struct fl_window_note *note); /* without the lock */

/* ---- window_repair.c ---- */

/*
 * A replacing mmap of span failed. Early failures leave the old mappings; one from the file's own ->mmap
 * leaves a hole (mm/vma.h vms_abort_munmap_vmas), which must be closed before anything else is
 * done: no allocation, no other system call.
 */
void fl_window_recover(struct fl_window *window, struct fl_span span);

/* ---- window_files.c ---- */

struct fl_window_file *fl_window_file_find(const struct fl_window *window, dev_t dev, ino_t ino);
/* Finds or makes it; NULL: no memory. To be settled if it ends up without a range. */
struct fl_window_file *fl_window_file_get(struct fl_window *window, const struct fl_backing *backing);
void fl_window_file_link(struct fl_window_file *file, struct fl_range *range);
void fl_window_file_unlink(struct fl_range *range);
/* Lets go of what the file needs no longer: the watch, its entry. file may be gone afterwards. */
void fl_window_file_settle(struct fl_window *window, struct fl_window_file *file);
/* Could len bytes of it be mapped with the rights of state? Asked of the kernel, at another address, unless known. */
FL_CHECKED_RESULT int fl_window_file_try(const struct fl_window *window, struct fl_window_file *file,
					 const struct fl_backing *backing, uint64_t len, uint64_t file_offset,
					 enum fl_range_state state);
/*
 * Without the window's lock, before a mapping: where following a file may wait for a server it is followed beforehand,
 * so that nobody waits when it is done again with the lock. *watched: it is, which the caller has to undo afterwards.
 */
FL_CHECKED_RESULT int fl_window_file_watch_before(struct fl_window *window, struct fl_backing *backing, bool *watched);
FL_CHECKED_RESULT int fl_window_file_watch(struct fl_window *window, struct fl_window_file *file,
					   struct fl_backing *backing);
/*
 * Brings the file's ranges in step with file_len, which was just read; only [fresh, fresh + fresh_count) if the
 * others are already. The first error among the fresh ones. After any error the file is behind: the next call
 * looks at all its ranges again.
 */
FL_CHECKED_RESULT int fl_window_file_follow(struct fl_window *window, struct fl_window_file *file, uint64_t file_len,
					    struct fl_range *fresh, size_t fresh_count);

#endif
