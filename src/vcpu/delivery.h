/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery: what the CPU touches to deliver an exception or interrupt, in the order in which it does (SDM vol.
 * 3A, 6.14: 64-bit mode). If one of these pages is lost, the event stays in flight: entering the guest again repeats
 * the same failure. PURE but for what it asks through ops.
 *
 * Not covered: 16- and 32-bit modes (no guest of ours stays there), shadow stacks, the tables that map these pages.
 */
#ifndef FL_DELIVERY_H
#define FL_DELIVERY_H

#include "vcpu/locate.h"

struct fl_delivery {
	const struct kvm_regs *regs;
	const struct kvm_sregs *sregs;
	const struct kvm_vcpu_events *events;
	unsigned int cpl;
};

/* The vector marked injected, -1 if there is none. */
int fl_delivery_vector(const struct kvm_vcpu_events *events);

/*
 * Lists the accesses, as far as they can be followed: what comes after a table entry that cannot be read is not known,
 * nor needed, since that entry's page is the bad one. False: nothing is being delivered, or not in long mode.
 */
bool fl_delivery_pieces(const struct fl_locate_ops *ops, const struct fl_delivery *delivery, struct fl_pieces *pieces);

#endif
