/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/xsave_layout.h"

#include <cpuid.h>

#define LEAF_XSAVE	  0xdu
#define FIRST_EXTENDED	  2u
#define COMPONENT_LEN_MAX 16384u
/* SDM vol. 2A CPUID, sub-leaves of 0xD */
#define ECX_IN_XSS  (1u << 0)
#define ECX_ALIGNED (1u << 1)

void fl_xsave_layout_init(struct fl_xsave_layout *layout)
{
	unsigned int eax, ebx, ecx, edx;

	*layout = (struct fl_xsave_layout){0};
	for (unsigned int i = FIRST_EXTENDED; i < FL_XSAVE_COMPONENTS; i++) {
		if (!__get_cpuid_count(LEAF_XSAVE, i, &eax, &ebx, &ecx, &edx))
			return;
		layout->component[i].offset = ecx & ECX_IN_XSS ? 0 : ebx;
		layout->component[i].len = FL_MIN(eax, COMPONENT_LEN_MAX);
		layout->component[i].aligned = ecx & ECX_ALIGNED;
	}
}
