/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/page_walk.h"

#define CR0_PG	      (UINT64_C(1) << 31)
#define CR4_LA57      (UINT64_C(1) << 12)
#define EFER_LMA      (UINT64_C(1) << 10)
#define ENTRY_PRESENT UINT64_C(1)
#define ENTRY_LARGE   (UINT64_C(1) << 7) /* at the levels that may map a page: 1 GiB and 2 MiB */
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)
#define INDEX_BITS    9u
#define PAGE_SHIFT    12u

static bool is_canonical(uint64_t linear, unsigned int levels)
{
	unsigned int unused = 64 - (PAGE_SHIFT + levels * INDEX_BITS);

	return (uint64_t)((int64_t)(linear << unused) >> unused) == linear;
}

enum fl_page_walk fl_page_walk(fl_page_walk_read_fn read, void *arg, const struct kvm_sregs *sregs, uint64_t linear,
			       uint64_t *gpa)
{
	unsigned int level = sregs->cr4 & CR4_LA57 ? 5 : 4;
	uint64_t table = sregs->cr3 & ENTRY_ADDRESS;

	if (!(sregs->cr0 & CR0_PG) || !(sregs->efer & EFER_LMA))
		return FL_PAGE_WALK_NOT_LONG;
	if (!is_canonical(linear, level))
		return FL_PAGE_WALK_UNMAPPED;
	for (;; level--) {
		unsigned int shift = PAGE_SHIFT + (level - 1) * INDEX_BITS;
		uint64_t entry, offset = linear & ((UINT64_C(1) << shift) - 1);

		if (read(arg, table + ((linear >> shift) & 511) * sizeof(entry), &entry, sizeof(entry)) ||
		    !(entry & ENTRY_PRESENT))
			return FL_PAGE_WALK_UNMAPPED;
		table = entry & ENTRY_ADDRESS;
		if (level == 1 || (level <= 3 && entry & ENTRY_LARGE)) {
			*gpa = (table & ~((UINT64_C(1) << shift) - 1)) | offset;
			return FL_PAGE_WALK_MAPPED;
		}
	}
}
