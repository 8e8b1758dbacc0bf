/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ram_budget: can the host back the guest's memory? It is spent when the guest first touches a page, so more than there
 * is may do for long; where the host's kernel promises no more than it has, it is known beforehand that it does not.
 */
#ifndef FL_RAM_BUDGET_H
#define FL_RAM_BUDGET_H

#include "fl_diag.h"

struct fl_ram_budget {
	uint64_t ram_len;
	uint64_t host_len;    /* MemTotal and SwapTotal; 0: not known */
	bool promises;	      /* vm.overcommit_memory is 2: memory is counted when it is asked for */
	uint64_t promise_len; /* then: CommitLimit less Committed_AS */
};

/* As the host says now; ram_len is the caller's. What it does not tell is no reason to refuse anything. */
void fl_ram_budget_read(struct fl_ram_budget *budget);

/*
 * -ENOMEM: it cannot be had. -ENOSPC: it may not be there when the guest uses it all. diag says so, and what to do.
 * PURE.
 */
FL_CHECKED_RESULT int fl_check_ram_budget(const struct fl_ram_budget *budget, struct fl_diag *diag);

#endif
