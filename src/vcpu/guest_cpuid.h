/* SPDX-License-Identifier: Apache-2.0 */
/* guest_cpuid: what the guest is told about its CPU. */
#ifndef FL_GUEST_CPUID_H
#define FL_GUEST_CPUID_H

#include <linux/kvm.h>

#include "fl_diag.h"

#define FL_CPUID_ENTRIES_MAX 256

/* struct kvm_cpuid2 with room for its entries; on the heap, it is 10 KiB. */
struct fl_cpuid {
	uint32_t nent;
	uint32_t padding;
	struct kvm_cpuid_entry2 room[FL_CPUID_ENTRIES_MAX];
};

struct fl_cpuid_facts {
	uint32_t apic_id;
	uint32_t vcpu_count;
	bool tsc_deadline; /* the timer works: KVM has it and knows the TSC's frequency */
	bool strict;	   /* HLT does not exit */
	bool offer_pvpf;
	bool offer_substitute; /* some window's policy allows it */
};

_Static_assert(offsetof(struct fl_cpuid, room) == offsetof(struct kvm_cpuid2, entries), "the kernel's layout");

/* KVM_GET_SUPPORTED_CPUID; it takes long where CPUID itself is intercepted. *cpuid is the caller's, for free(). */
FL_CHECKED_RESULT int fl_cpuid_supported(int kvm_fd, struct fl_cpuid **cpuid, struct fl_diag *diag);
/* Pure: turns the host's table into the guest's. -E2BIG: no room for the entries to add. */
FL_CHECKED_RESULT int fl_cpuid_shape(struct fl_cpuid *cpuid, const struct fl_cpuid_facts *facts);
/* Pure: guest-physical address bits. */
uint32_t fl_cpuid_phys_bits(struct fl_cpuid *cpuid);

#endif
