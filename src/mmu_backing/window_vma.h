/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window_vma: the system calls behind a window, and a look at what the kernel made of them. No
 * state; the caller holds the window's lock where the address is inside one.
 */
#ifndef FL_WINDOW_VMA_H
#define FL_WINDOW_VMA_H

#include "mmu_backing/backing.h"

/* All return 0 or -errno. len: bytes, whole pages. */

/*
 * What stands for "nothing" is an empty memfd mapped PROT_NONE: unlike anonymous memory it can be
 * told in /proc/self/maps from what others reserve. Window address a has its byte a - origin.
 */
struct fl_vma_none {
	int fd;
	uint64_t ino;
	uint8_t *origin;
};

/*
 * What stands for a substituted page is a private mapping of a memfd of one zero page that is sealed against every
 * change: it reads as zeros, what is written goes to a copy, and it too can be told from the memory of others.
 */
struct fl_vma_zero {
	int fd;
	uint64_t ino;
};

/* Address space for len bytes at a multiple of alignment, filled with a new none. */
FL_CHECKED_RESULT int fl_vma_reserve(uint64_t len, uint64_t alignment, struct fl_vma_none *none, uint8_t **hva);
FL_CHECKED_RESULT int fl_vma_make_zero(struct fl_vma_zero *zero);
/* Could fl_vma_put_file() work? Asked at another address, so that nothing can be harmed. */
FL_CHECKED_RESULT int fl_vma_try_file(uint64_t len, int prot, const struct fl_backing *backing, uint64_t file_offset);
/* Replace what is at hva in one step. On failure the old may stand, or there is a hole. */
FL_CHECKED_RESULT int fl_vma_put_file(uint8_t *hva, uint64_t len, int prot, const struct fl_backing *backing,
				      uint64_t file_offset);
/*
 * Maps pages of a file, as loads would, in pages of 2 MiB if its file system has or makes such. Its own pages are
 * populated as far as that can be done: nobody needs to know how far that is.
 */
void fl_vma_populate(uint8_t *hva, uint64_t len);
FL_CHECKED_RESULT int fl_vma_put_none(uint8_t *hva, uint64_t len, const struct fl_vma_none *none);
FL_CHECKED_RESULT int fl_vma_put_zero(uint8_t *hva, const struct fl_vma_zero *zero); /* one page, writable */
/* none where nothing is; -EEXIST if anything is there. */
FL_CHECKED_RESULT int fl_vma_fill_none(uint8_t *hva, uint64_t len, const struct fl_vma_none *none);

/* One line of /proc/PID/maps (proc(5)). */
struct fl_vma {
	uint64_t start, end;
	char perms[5]; /* "rw-s" */
	uint64_t file_offset;
	uint64_t ino; /* 0: no file */
};

/* False ends the walk. */
typedef bool (*fl_vma_fn)(void *arg, const struct fl_vma *vma);

/*
 * Calls fn for each mapping that overlaps [start, end), in order of address. maps_fd: an open
 * /proc/self/maps. Allocates nothing: an allocation could itself land in a hole that is looked for.
 */
FL_CHECKED_RESULT int fl_vma_walk(int maps_fd, uint64_t start, uint64_t end, fl_vma_fn fn, void *arg);

#endif
