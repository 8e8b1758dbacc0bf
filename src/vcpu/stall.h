/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stall: what makes the watchdog suspect a vCPU. Pure.
 *
 * A vCPU that KVM lets try for ever takes a page fault again and again that comes to nothing: neither fixed nor
 * emulated (kvm_mmu_page_fault(), RET_PF_RETRY). Nothing else that goes on for long does: a halted vCPU takes none, a
 * busy one's are fixed. The two that come near it, a page that is being read from a slow disk and a range whose
 * mappings change all the time, are told apart later, by probing the page.
 */
#ifndef FL_STALL_H
#define FL_STALL_H

#include <linux/kvm.h>

#include "fl_base.h"

/* A vCPU, as it found itself when it was asked. */
struct fl_look {
	bool valid;
	int64_t unresolved; /* fl_kvm_stats_unresolved() when it was asked */
	struct kvm_regs regs;
};

/* All but RFLAGS: whether RF is set there depends on how the vCPU was left. */
bool fl_stall_same_place(const struct kvm_regs *a, const struct kvm_regs *b);

/* before, now: counts of unresolved faults, one tick apart. */
bool fl_stall_suspect(int64_t before, int64_t now, uint64_t tick_ms);

/*
 * One more look. True: nothing has moved since the last one, and yet page faults were taken in between, so the
 * instruction at RIP is what faults. last becomes this look.
 */
bool fl_stall_look(struct fl_look *last, const struct kvm_regs *regs, int64_t unresolved);

#endif
