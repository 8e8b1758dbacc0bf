/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot: puts kernel, command line, device tree and initramfs into guest RAM and makes the zero page,
 * page tables and entry state of the 64-bit boot protocol (Documentation/arch/x86/boot.rst).
 */
#ifndef FL_BOOT_H
#define FL_BOOT_H

#include "fl_diag.h"
#include "mmu_backing/gpa_map.h"
#include "vcpu/vcpu.h"
#include "vmm/dtb.h"

/* As many random bits as the kernel's generator has. */
#define FL_RNG_SEED_LEN 32u

struct fl_boot_opts {
	const char *kernel;  /* path */
	const char *cmdline; /* whole */
	const void *initrd;  /* bytes, or NULL */
	size_t initrd_len;
	struct fl_dtb_opts dtb;
	const void *rng_seed; /* FL_RNG_SEED_LEN random bytes that nobody else knows, or NULL */
	uint64_t ram_low_len, ram_high_len; /* below the device gap; from 4 GiB on */
};

/* Writes all of it; *entry is what vCPU 0 starts with. -ENOEXEC, -ENOSPC, -EINVAL, with the reason. */
FL_CHECKED_RESULT int fl_boot_load(const struct fl_boot_opts *opts, const struct fl_gpa_map *map,
				   struct fl_vcpu_entry *entry, struct fl_diag *diag);

#endif
