/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window: a stretch of guest-physical address space into which pages of host files are mapped, in
 * ranges of 2 MiB. One memslot over the whole window; what is not mapped is PROT_NONE, so that a
 * stray guest access fails at once and nothing of ours can ever be there.
 *
 * Threads: map and unmap are called by device threads and take the window's lock; lookup is called
 * by vCPU threads and takes it too, briefly (a fault is never a fast path).
 *
 * The invariant that everything rests on: between hva and hva+len every byte belongs to a mapping
 * made here. A failing mmap(MAP_FIXED) may leave a hole (mm/vma.h vms_abort_munmap_vmas), into
 * which an unrelated mmap would land: what cannot be mapped is therefore found out elsewhere first (once for a file and
 * its rights, on file systems that do not change their mind), and a failure in place is repaired before the lock is
 * dropped.
 *
 * What a mapping costs besides its mmap: a trial now and then, the lock, and one statx, since whoever reports a lost
 * page says how long the file was when it was mapped, and windows that hide ends have to know.
 *
 * A mapped range shows the file page by page, but for pages that are hidden (PROT_NONE: the file ended before them) or
 * substituted (private memory). Where a repair cannot bring back a mapping it leaves the pages hidden; the next look
 * at the file (fl_window_follow_file(), which a probe of the page also calls) tries again.
 */
#ifndef FL_WINDOW_H
#define FL_WINDOW_H

#include "mmu_backing/backing.h"

struct fl_window;

enum fl_range_state {
	FL_RANGE_RESERVED = 0, /* PROT_NONE */
	FL_RANGE_MAPPED_RO = 1,
	FL_RANGE_MAPPED_RW = 2,
	FL_RANGE_BROKEN = 3, /* repair failed: the VM must be stopped */
};

/* What stands behind one window address. backing is a reference of the caller's when not NULL. */
struct fl_window_view {
	enum fl_range_state state;
	struct fl_backing *backing;
	uint64_t file_offset;	  /* of the address asked for */
	uint64_t mapped_file_len; /* the file's length when the range was mapped */
	bool hidden; /* the page is PROT_NONE: beyond the end of the file when last looked at, or the kernel refused it
		      */
	bool substituted; /* the page is a private one, detached from the file */
	uint64_t seq;	  /* another one after every change of the range */
	uint64_t run_len; /* for so many bytes all of this is true, at least; to the end of the range at most */
};

/* len: multiple of 2 MiB, not 0, at most 64 GiB. Reserves address space, 1 GiB-congruent to gpa 0. */
FL_CHECKED_RESULT int fl_window_new(uint64_t len, struct fl_window **window, struct fl_diag *diag);
void fl_window_free(struct fl_window *window); /* no vCPU may run any more; NULL allowed */

uint8_t *fl_window_hva(const struct fl_window *window);
uint64_t fl_window_len(const struct fl_window *window);

/*
 * Maps backing from file_offset at [offset, offset+len), replacing what is there in one step (a
 * vCPU sees the old or the new mapping). All three multiples of 2 MiB; the file may be shorter:
 * what lies beyond its end faults until it grows. Takes its own references.
 * -EINVAL, -EACCES (writable on a read-only backing), or why the file cannot be mapped; the old
 * mapping then still stands (or, if the kernel dropped it and will not have it back, its pages are hidden). In a
 * window that hides ends also why the file cannot be followed (-ENOSPC) or its end not be hidden (-ENOMEM,
 * vm.max_map_count); in the latter case nothing is mapped there any more (or, if there is no mapping left even for
 * that, the file as it is, and its end is hidden at the next look).
 * -ENOTRECOVERABLE: the window is broken, see fl_window_is_broken().
 */
FL_CHECKED_RESULT int fl_window_map(struct fl_window *window, uint64_t offset, uint64_t len, struct fl_backing *backing,
				    uint64_t file_offset, bool writable);
/*
 * Back to PROT_NONE. -EINVAL outside the window or unaligned; -ENOMEM when the process has too many
 * mappings to split one more (vm.max_map_count): the old one still stands. -ENOTRECOVERABLE as above.
 */
FL_CHECKED_RESULT int fl_window_unmap(struct fl_window *window, uint64_t offset, uint64_t len);
void fl_window_unmap_all(struct fl_window *window); /* what is broken stays so */

/*
 * From now on fl_window_map() reads the pages of the file that it has mapped, FL_WINDOW_PREFAULT_LEN at most (so a
 * guest cannot make it long), before it returns, but without the lock; what cannot be read is left to the guest's own
 * faults. Nothing is written, and no holes are filled, but on tmpfs, where reading a mapped hole takes memory for it.
 * Only while nothing is mapped.
 */
#define FL_WINDOW_PREFAULT_LEN FL_RANGE_LEN
void fl_window_set_prefault(struct fl_window *window, bool prefault);

/* What was found wrong with a page, as far as it can have changed before a substitute is put there. */
struct fl_window_loss {
	struct fl_backing *backing; /* of the caller's fl_window_view; NULL: whatever is mapped there */
	uint64_t file_offset;	    /* the same; of a byte of the page */
	bool ended;		    /* the file ended at or before the page */
};

/*
 * Puts a private zero page, readable and writable, in place of the page at offset (page-aligned, in a mapped range). It
 * stays until the range is mapped or unmapped, or the file, having been seen to end at or before it, grows
 * over it. 0 also if it is there already. -EAGAIN: the loss is no more, since another part of a file is mapped there by
 * now or the file has grown over the page: look again. -EINVAL: nothing is mapped there. -ENOSPC:
 * FL_WINDOW_SUBSTITUTES_MAX of them are there (each may cost two mappings of the process). Errors otherwise as
 * fl_window_unmap().
 */
#define FL_WINDOW_SUBSTITUTES_MAX 4096u
FL_CHECKED_RESULT int fl_window_substitute(struct fl_window *window, uint64_t offset,
					   const struct fl_window_loss *loss);

/*
 * Brings what is mapped of the file (dev, ino) in step with its length: pages that a substitute stands for and that
 * the file has grown over are the file's again; in a window that hides ends (below), pages wholly beyond the
 * end become PROT_NONE, and the file's again when it grows. file_len is what made the caller think that there is
 * something to do: if it is not news nothing is done, else the length is read again under the window's lock, so
 * that a late caller undoes nobody's work. What fails is tried again at the next call. Any thread.
 */
void fl_window_follow_file(struct fl_window *window, dev_t dev, ino_t ino, uint64_t file_len);

/*
 * From now on every file that needs it is followed by watch (watch.h): all files if hide_ends, else those with
 * substituted pages. Takes a reference of its own. Only while nothing is mapped. NULL: who calls
 * fl_window_follow_file() is the caller's affair.
 */
struct fl_watch;
void fl_window_set_watch(struct fl_window *window, struct fl_watch *watch, bool hide_ends);

/* What is behind window offset `offset`; false outside the window. Release with fl_window_view_put(). */
bool fl_window_look(struct fl_window *window, uint64_t offset, struct fl_window_view *view);
void fl_window_view_put(struct fl_window_view *view);

bool fl_window_is_broken(struct fl_window *window);
/*
 * fn is called at once, on the thread that found it and with the window's lock held (it must not call back into the
 * window), when a broken window may show the guest memory that is not its own: stop the VM.
 */
void fl_window_set_on_broken(struct fl_window *window, void (*fn)(void *arg), void *arg);

struct fl_window_stats {
	uint64_t ranges_total, ranges_mapped;	/* now */
	uint64_t ranges_most;			/* mapped at any time */
	uint64_t nearly_full, no_mappings;	/* how often: enum fl_window_trouble */
	uint64_t maps, unmaps;			/* calls that succeeded */
	uint64_t repairs;			/* holes that a failing mmap left and that were closed */
	uint64_t substitutes;			/* pages now */
	uint64_t substituted, hidden, restored; /* pages, ever: detached; taken away beyond an end; the file's again */
};
void fl_window_get_stats(struct fl_window *window, struct fl_window_stats *stats);

/*
 * fn is told of trouble, for each kind at most once in FL_WINDOW_TELL_NS, on the thread that maps and without the
 * window's lock. stats: of the moment when it came. Only while nothing is mapped.
 */
#define FL_WINDOW_TELL_NS UINT64_C(60000000000)
typedef void (*fl_window_trouble_fn)(void *arg, enum fl_window_trouble trouble, const struct fl_window_stats *stats);
void fl_window_set_on_trouble(struct fl_window *window, fl_window_trouble_fn fn, void *arg);

#endif
