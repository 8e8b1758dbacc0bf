/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_budget: mappings (VMAs) of the process, of which vm.max_map_count is the most that it may have. All windows of
 * all its VMs take from it, each as much as its guest asks for; they do not divide it beforehand, since a window
 * rarely needs all that it could.
 */
#ifndef FL_MAP_BUDGET_H
#define FL_MAP_BUDGET_H

#include "fl_diag.h"

struct fl_map_budget {
	uint64_t max;	  /* 0: not known */
	uint64_t in_use;  /* when the VM is started */
	uint64_t windows; /* bytes of all of them */
	bool hides_ends;  /* watch mode: where a file ends inside a range there are two mappings */
};

/* vm.max_map_count, and how many there are; 0 if /proc does not tell. */
uint64_t fl_map_count_max(void);
uint64_t fl_map_count(void);

/*
 * Can the windows have all that they may ask for? -ENOSPC if not; diag says so, and what to do. What is only found out
 * by lost pages is not reckoned with: substitutes, and files that end in many places. PURE.
 */
FL_CHECKED_RESULT int fl_check_map_budget(const struct fl_map_budget *budget, struct fl_diag *diag);

#endif
