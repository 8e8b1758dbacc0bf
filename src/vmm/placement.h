/* SPDX-License-Identifier: Apache-2.0 */
/* placement: where in guest-physical address space memory and windows lie. PURE. */
#ifndef FL_PLACEMENT_H
#define FL_PLACEMENT_H

#include "fl_diag.h"

struct fl_extent {
	uint64_t gpa, len;
};

struct fl_placement {
	uint64_t ram_low_len, ram_high_len; /* from 0, and from FL_GAP_END on */
	uint64_t limit;			    /* the first address that guests cannot have */
};

void fl_place_ram(struct fl_placement *placement, uint64_t ram_len, uint32_t phys_bits);

/* -EINVAL: there is more memory than addresses below the limit, which is at least 2^32. */
FL_CHECKED_RESULT int fl_check_ram(const struct fl_placement *placement, struct fl_diag *diag);

/*
 * May [gpa, gpa+len) be a window that the caller has placed? taken: the others' places. -EINVAL: it meets memory,
 * the devices, one of these, or the limit; diag says which, beginning with name.
 */
FL_CHECKED_RESULT int fl_check_place(const struct fl_placement *placement, const struct fl_extent *window,
				     const char *name, const struct fl_extent *taken, unsigned int taken_count,
				     struct fl_diag *diag);

/* The lowest place for len bytes from *gpa on, above memory and around what is taken. -ENOSPC: none below the limit. */
FL_CHECKED_RESULT int fl_find_place(const struct fl_placement *placement, uint64_t len, const struct fl_extent *taken,
				    unsigned int taken_count, uint64_t *gpa);

#endif
