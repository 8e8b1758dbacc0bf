/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_walk: linear to guest-physical, by the guest's own page tables (SDM vol. 3A, 4.5: 4-level and
 * 5-level paging), whatever the access rights say.
 *
 * KVM_TRANSLATE is not enough: it walks as an explicit supervisor read, which SMAP forbids on user pages
 * while RFLAGS.AC is clear (arch/x86/kvm/mmu.h permission_fault), so that with a guest kernel that uses SMAP it
 * cannot translate a single address of a user process. PURE.
 */
#ifndef FL_PAGE_WALK_H
#define FL_PAGE_WALK_H

#include <linux/kvm.h>

#include "fl_base.h"

/* Reads len bytes of guest-physical memory; 0 or -EFAULT. */
typedef int (*fl_page_walk_read_fn)(void *arg, uint64_t gpa, void *buf, size_t len);

enum fl_page_walk {
	FL_PAGE_WALK_MAPPED,	/* *gpa is the byte's address */
	FL_PAGE_WALK_UNMAPPED,	/* not present, not canonical, or a table that is not in memory */
	FL_PAGE_WALK_NOT_LONG,	/* no 4- or 5-level paging: ask KVM */
};

enum fl_page_walk fl_page_walk(fl_page_walk_read_fn read, void *arg, const struct kvm_sregs *sregs, uint64_t linear,
			       uint64_t *gpa);

#endif
