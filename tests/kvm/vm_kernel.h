/* SPDX-License-Identifier: Apache-2.0 */
/* Guests of a few instructions that a VM boots in place of a kernel. */
#ifndef FL_VM_KERNEL_H
#define FL_VM_KERNEL_H

#include <stdint.h>

#define VM_CODE_GPA	   UINT64_C(0x1000000) /* where they run */
#define VM_KERNEL_PATH_LEN 64

/* Labels of vm_guest.S. */
extern const uint8_t vm_guest_start[], vm_guest_end[], vm_far_guest_start[], vm_far_guest_end[];
/* Labels of pause_guest.S. */
extern const uint8_t pause_guest_start[], pause_guest_end[];

/* Writes a bzImage of what is between start and end to a new file, whose path comes back; to be unlinked. */
void vm_kernel_write(char path[VM_KERNEL_PATH_LEN], const uint8_t *start, const uint8_t *end);

#endif
