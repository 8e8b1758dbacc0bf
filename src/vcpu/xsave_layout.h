/* SPDX-License-Identifier: Apache-2.0 */
/* Where the XSAVE area keeps the extended components (from 2 on): CPUID leaf 0xD, the same on all CPUs of a host. */
#ifndef FL_XSAVE_LAYOUT_H
#define FL_XSAVE_LAYOUT_H

#include "fl_base.h"

#define FL_XSAVE_COMPONENTS 32u

struct fl_xsave_layout {
	struct {
		uint32_t offset; /* in the standard format; 0: it is in the compacted one only */
		uint32_t len;	 /* 0: there is no such component */
		bool aligned;	 /* to 64 bytes in the compacted format */
	} component[FL_XSAVE_COMPONENTS];
};

/* Asks the CPU, which is slow in a virtual machine: once. */
void fl_xsave_layout_init(struct fl_xsave_layout *layout);

#endif
