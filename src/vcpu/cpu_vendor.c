/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/cpu_vendor.h"

#include <cpuid.h>
#include <string.h>

#define LEAF_HYPERVISOR	     0x40000000u
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define NAME_LEN	     12u

static bool is_emulated(void)
{
	unsigned int eax, ecx, words[3];

	if (!__get_cpuid(1, &eax, &words[0], &ecx, &words[1]) || !(ecx & LEAF1_ECX_HYPERVISOR))
		return false;
	__cpuid(LEAF_HYPERVISOR, eax, words[0], words[1], words[2]);
	return memcmp(words, "TCGTCGTCGTCG", NAME_LEN) == 0;
}

bool fl_cpu_is_amd(void)
{
	unsigned int eax, words[3]; /* the name's parts are in EBX, EDX, ECX */

	if (!__get_cpuid(0, &eax, &words[0], &words[2], &words[1]))
		return false;
	return memcmp(words, "AuthenticAMD", NAME_LEN) == 0 && !is_emulated();
}
