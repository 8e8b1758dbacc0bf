/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dtb: the device tree that describes the machine to the guest; there is no firmware, ACPI or PCI.
 * Bindings: Documentation/devicetree/bindings/x86/ce4100.txt, virtio/mmio.yaml,
 * power/reset/syscon-poweroff.yaml; read by arch/x86/kernel/devicetree.c.
 */
#ifndef FL_DTB_H
#define FL_DTB_H

#include "fl_diag.h"

struct fl_dtb_virtio {
	uint64_t gpa;
	uint32_t gsi; /* = IO-APIC pin */
};

struct fl_dtb_opts {
	unsigned int cpu_count; /* APIC ids 0..n-1 */
	const struct fl_dtb_virtio *virtio;
	unsigned int virtio_count;
};

/* PURE: writes a finished blob of at most buf_len bytes into buf; *used: its length. -ENOSPC. */
FL_CHECKED_RESULT int fl_dtb_build(const struct fl_dtb_opts *opts, void *buf, size_t buf_len, size_t *used);

#endif
