/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's guest-physical address map, in one place. */
#ifndef FL_LAYOUT_H
#define FL_LAYOUT_H

#include <stdint.h>

/* Low memory, below the kernel */
#define FL_GDT_GPA	  UINT64_C(0x6000)
#define FL_ZERO_PAGE_GPA  UINT64_C(0x7000)
#define FL_STACK_TOP_GPA  UINT64_C(0x9000)
#define FL_PML4_GPA	  UINT64_C(0x9000) /* then one PDPT and four page directories */
#define FL_CMDLINE_GPA	  UINT64_C(0x20000)
#define FL_CMDLINE_MAX	  4096u
#define FL_SETUP_DATA_GPA UINT64_C(0x30000) /* struct setup_data with the device tree */
#define FL_SETUP_DATA_MAX 0x10000u
#define FL_RNG_SEED_GPA	  UINT64_C(0x40000) /* struct setup_data with a seed for the guest's random numbers */
#define FL_LOW_RAM_END	  UINT64_C(0x9fc00)
#define FL_HIGH_RAM_START UINT64_C(0x100000)

/* RAM leaves a gap below 4 GiB for devices */
#define FL_GAP_START	  UINT64_C(0xc0000000)
#define FL_GAP_END	  UINT64_C(0x100000000)
#define FL_SYSCON_GPA	  UINT64_C(0xd0000000)
#define FL_SYSCON_LEN	  UINT64_C(0x1000)
#define FL_POWEROFF_VALUE 0x5555u	       /* written to the first word of the syscon */
#define FL_VIRTIO_GPA	  UINT64_C(0xd0010000) /* a page per device */
#define FL_IOAPIC_GPA	  UINT64_C(0xfec00000)
#define FL_LAPIC_GPA	  UINT64_C(0xfee00000)

/* Windows lie above RAM, each aligned to this */
#define FL_WINDOW_ALIGN (UINT64_C(1) << 30)

#define FL_VIRTIO_DEVICES_MAX 19u /* console, shares, entropy, network; each has an IO-APIC pin (devices.c) */
#define FL_SERIAL_PORT	      0x3f8u
#define FL_SERIAL_GSI	      4u
#define FL_I8042_PORT	      0x64u
#define FL_I8042_RESET	      0xfeu

#endif
