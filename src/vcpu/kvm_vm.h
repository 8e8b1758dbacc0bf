/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm_vm: /dev/kvm and one KVM VM, PVPF's MSRs filtered to us, and if wanted set up so that every failed access comes
 * back from KVM_RUN by itself ("strict", ARCHITECTURE.md): HLT exits disabled; and then its in-kernel irqchip.
 */
#ifndef FL_KVM_VM_H
#define FL_KVM_VM_H

#include "fl_diag.h"

struct fl_cpuid;

struct fl_kvm_vm {
	int kvm_fd;
	int vm_fd;
	uint32_t vcpu_mmap_len; /* KVM_GET_VCPU_MMAP_SIZE */
	bool strict;		/* HLT exits are off: failed accesses never hide in KVM_RUN */
	bool can_annotate;	/* KVM_CAP_MEMORY_FAULT_INFO */
	uint32_t phys_bits;	/* guest-physical address bits that KVM takes (CPUID 80000008) */
	struct fl_cpuid *cpuid; /* what KVM supports, asked once for all vCPUs; constant */
};

/*
 * Opens /dev/kvm and makes a VM. want_strict: disable HLT exits if the host can (kvm->strict says whether).
 * -ENOENT, -EACCES, -ENODEV, -ENOTSUP: the sentence says what to do.
 */
FL_CHECKED_RESULT int fl_kvm_vm_init(struct fl_kvm_vm *kvm, bool want_strict, struct fl_diag *diag);
/*
 * Before the first vCPU, irqfd or ioeventfd, and after the memory: what joins KVM's I/O buses may start a grace period
 * that nobody hurries (kvm_io_bus_register_dev(); seen with Linux 6.18), and each KVM_SET_USER_MEMORY_REGION waits for
 * its end (kvm_swap_active_memslots()), some ms.
 */
FL_CHECKED_RESULT int fl_kvm_vm_add_irqchip(const struct fl_kvm_vm *kvm, struct fl_diag *diag);
/* Whether fl_kvm_vm_init() has all that it needs, by a VM without vCPUs: errors as there. *strict: as kvm->strict. */
FL_CHECKED_RESULT int fl_kvm_vm_try(bool *strict, struct fl_diag *diag);
/* Can a VM of this host be strict? kvm_fd: an open /dev/kvm, or a VM of it. */
bool fl_kvm_can_be_strict(int kvm_fd);
void fl_kvm_vm_fini(struct fl_kvm_vm *kvm);

#endif
