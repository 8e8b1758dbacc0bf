/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/stall.h"

#include <string.h>

/*
 * A vCPU that does nothing else makes 7000 rounds a second where KVM itself is emulated and more than 20000 elsewhere
 * (tests/kvm/test_kvm_watchdog.c prints it); one that waits for a slow disk makes one for each of the guest's timer
 * ticks. In between, and low, since a guest's scheduler may give the process that hangs a small part of the time.
 */
#define UNRESOLVED_PER_S UINT64_C(250)
#define UNRESOLVED_MIN	 UINT64_C(4)

bool fl_stall_same_place(const struct kvm_regs *a, const struct kvm_regs *b)
{
	return memcmp(a, b, offsetof(struct kvm_regs, rflags)) == 0;
}

bool fl_stall_suspect(int64_t before, int64_t now, uint64_t tick_ms)
{
	uint64_t enough = FL_MAX(UNRESOLVED_PER_S * tick_ms / 1000, UNRESOLVED_MIN);

	return now > before && (uint64_t)now - (uint64_t)before >= enough;
}

bool fl_stall_look(struct fl_look *last, const struct kvm_regs *regs, int64_t unresolved)
{
	bool stalled = last->valid && unresolved > last->unresolved && fl_stall_same_place(&last->regs, regs);

	*last = (struct fl_look){.valid = true, .unresolved = unresolved, .regs = *regs};
	return stalled;
}
