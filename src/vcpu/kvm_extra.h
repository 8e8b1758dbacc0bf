/* SPDX-License-Identifier: Apache-2.0 */
/* What linux/kvm.h of older distributions (Debian 12: 6.1) does not have yet. Numbers: Linux 6.8 uapi. */
#ifndef FL_KVM_EXTRA_H
#define FL_KVM_EXTRA_H

#include <linux/kvm.h>

#define FL_KVM_CAP_MEMORY_FAULT_INFO 232
#define FL_KVM_EXIT_MEMORY_FAULT     39

/* The member `memory_fault` of the union in struct kvm_run. */
struct fl_kvm_memory_fault {
	__u64 flags;
	__u64 gpa;
	__u64 size;
};

static inline void fl_kvm_read_memory_fault(const struct kvm_run *run, struct fl_kvm_memory_fault *fault)
{
	/* hw is the first member of the union; all members start where it does */
	__builtin_memcpy(fault, &run->hw, sizeof(*fault));
}

#endif
