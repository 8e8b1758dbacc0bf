/* SPDX-License-Identifier: Apache-2.0 */
/* stretch: what a window maps, in as few pieces as there are. */
#ifndef FL_STRETCH_H
#define FL_STRETCH_H

#include "mmu_backing/window.h"

/* Pages of a window that are of one kind and follow one another in one file. */
struct fl_stretch {
	uint64_t start, end;	    /* window offsets */
	struct fl_window_view view; /* of the first byte */
};

/*
 * The next stretch of the window from *offset on, which is moved behind it; what maps nothing is passed over. False:
 * there is none. Release with fl_window_view_put(). Any thread; the window may change between any two pages.
 */
bool fl_stretch_next(struct fl_window *window, uint64_t *offset, struct fl_stretch *stretch);

#endif
