/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of the page of marks (guest/scenario_wire.h). It is a file that actors map, and may truncate, so the
 * host never touches it but with pread() and pwrite(): these see the same pages, and cannot be hit by a signal. What is
 * read is the guest's word. All errors are -errno; -EIO: the file does not have its length any more. Any thread: marks
 * are independent of one another.
 */
#ifndef FL_SCN_PAGE_H
#define FL_SCN_PAGE_H

#include "cli/scenario/language/scenario.h"

#define FL_SCN_PAGE_NAME "page" /* in its directory; FL_SCN_PAGE_PATH ends so */

struct fl_scn_page_file {
	int fd;
	char *path;
	uint64_t guest_minus_host_ns; /* the host's own: what stands in the page may be changed there */
};

/* Makes a new file in `dir`, which must not have one. */
FL_CHECKED int fl_scn_page_new(const char *dir, struct fl_scn_page_file *page, struct fl_diag *diag);
void fl_scn_page_free(struct fl_scn_page_file *page); /* also removes the file; zero-filled with fd -1 is allowed */

/* For a new case, while no actor runs: no mark is set, nothing stopped. The deadline is the host's CLOCK_MONOTONIC. */
FL_CHECKED int fl_scn_page_begin(struct fl_scn_page_file *page, uint64_t deadline_ns);
FL_CHECKED int fl_scn_page_set_clock(struct fl_scn_page_file *page, uint64_t guest_minus_host_ns);
/* Ends every wait and loop of the actors. */
FL_CHECKED int fl_scn_page_stop(struct fl_scn_page_file *page);

/* The host sets a mark, which it does once: at `ns` of its CLOCK_MONOTONIC. Only its first setting counts. */
FL_CHECKED int fl_scn_page_set_mark(struct fl_scn_page_file *page, uint32_t mark, uint64_t ns);
/* 1: it is set, *ns is when on the host's clock, as far as the guest's can be converted; 0: it is not. */
FL_CHECKED int fl_scn_page_read_mark(const struct fl_scn_page_file *page, uint32_t mark, uint64_t *ns);
/*
 * One of the host's parties has come to a barrier: host_arrived of them by now, whom the caller counts under a lock.
 * Returns 1 if all parties of both sides are there, and sets the mark then; 0 if not.
 */
FL_CHECKED int fl_scn_page_arrive(struct fl_scn_page_file *page, uint32_t mark, uint32_t host_arrived, uint32_t parties,
				  uint64_t ns);
/* How many of the guest's parties have come to a barrier, as the guest says; 0 where that cannot be read. */
uint32_t fl_scn_page_read_arrived(const struct fl_scn_page_file *page, uint32_t mark);
/* How far an actor of that number on the wire is. */
FL_CHECKED int fl_scn_page_read_progress(const struct fl_scn_page_file *page, uint32_t actor,
					 struct fl_scn_progress *progress);

#endif
