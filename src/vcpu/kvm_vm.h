/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm_vm: /dev/kvm and one KVM VM, set up so that every failed access comes back from KVM_RUN
 * ("strict", ARCHITECTURE.md): HLT exits disabled, in-kernel irqchip, PVPF's MSRs filtered to us.
 */
#ifndef FL_KVM_VM_H
#define FL_KVM_VM_H

#include "fl_diag.h"

struct fl_kvm_vm {
	int kvm_fd;
	int vm_fd;
	uint32_t vcpu_mmap_len;	 /* KVM_GET_VCPU_MMAP_SIZE */
	bool strict;		 /* HLT exits are off: failed accesses never hide in KVM_RUN */
	bool can_annotate;	 /* KVM_CAP_MEMORY_FAULT_INFO */
	uint32_t phys_bits;	 /* guest-physical address bits that KVM takes (CPUID 80000008) */
};

/* Opens /dev/kvm and makes a VM. -ENOENT, -EACCES, -ENODEV, -ENOTSUP: the sentence says what to do. */
FL_CHECKED_RESULT int fl_kvm_vm_init(struct fl_kvm_vm *kvm, struct fl_diag *diag);
void fl_kvm_vm_fini(struct fl_kvm_vm *kvm);

#endif
