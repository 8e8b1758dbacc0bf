/* SPDX-License-Identifier: Apache-2.0 */
/* cell_trouble: brings about each cause of fault_cells.h under a mini guest, and takes it back. */
#ifndef FL_CELL_TROUBLE_H
#define FL_CELL_TROUBLE_H

#include "tests/kvm/bad_access.h"
#include "tests/kvm/fault_cells.h"

struct trouble {
	enum cell_trouble kind;
	bool for_fetch; /* what is at BAD_OFFSET when all is well jumps to mini_done */
	int dir, file;	/* file: what is mapped, after trouble_heal() too */
	struct bad_fuse *fuse;
};

/* The host's side of it; all is still well. Skips where the host lacks what it needs. */
struct trouble *trouble_new(enum cell_trouble kind, bool for_fetch);
/* The window's first range shows the file. */
void trouble_map(struct trouble *trouble, struct mini_vm *vm);
/* From now on the page at BAD_PAGE cannot be had. */
void trouble_strike(struct trouble *trouble, struct mini_vm *vm);
void trouble_heal(struct trouble *trouble, struct mini_vm *vm);
void trouble_free(struct trouble *trouble);

/* What a report says of the file. */
bool trouble_has_file(const struct trouble *trouble);
uint64_t trouble_file_len(const struct trouble *trouble);
/* What 8 bytes at BAD_OFFSET are when all is well. */
uint64_t trouble_good64(const struct trouble *trouble);

#endif
