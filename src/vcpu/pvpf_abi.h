/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PVPF, the paravirtual page fault, version 1: what host and guest agree on. docs/abi.md explains
 * it and is the authority; the guest's copy is arch/x86/include/uapi/asm/pvpf.h in
 * guest-kernel-patches/, and a unit test compares the two, number by number.
 */
#ifndef FL_PVPF_ABI_H
#define FL_PVPF_ABI_H

#include <stdint.h>

/* CPUID leaf B+0, B found by its signature "PVPageFault\0" in EBX, ECX, EDX. */
#define PVPF_CPUID_SIG_EBX 0x61505650u /* "PVPa" */
#define PVPF_CPUID_SIG_ECX 0x61466567u /* "geFa" */
#define PVPF_CPUID_SIG_EDX 0x00746c75u /* "ult\0" */

#define PVPF_ABI_VERSION 1u

/* Leaf B+1, EBX */
#define PVPF_FEAT_ERRORS (1u << 0)     /* errors are delivered */
#define PVPF_FEAT_GVA (1u << 1)	       /* records may carry the linear address */
#define PVPF_FEAT_HWPOISON (1u << 2)   /* host memory failure is delivered too */
#define PVPF_FEAT_IDLE (1u << 3)       /* PVPF_MSR_IDLE exists */
#define PVPF_FEAT_SUBSTITUTE (1u << 4) /* PVPF_MSR_SUBSTITUTE exists */

/* MSRs, relative to the index in leaf B+1, ECX */
#define PVPF_MSR_CTL 0u
#define PVPF_MSR_IDLE 1u
#define PVPF_MSR_SUBSTITUTE 2u

#define PVPF_CTL_ENABLE 0x1ull
#define PVPF_CTL_CPL0 0x2ull
#define PVPF_CTL_GPA_MASK (~0xffull)

#define PVPF_AREA_LEN 256u
#define PVPF_RECORDS 4u

#define PVPF_RECORD_FREE 0u
#define PVPF_RECORD_POSTED 1u

#define PVPF_CAUSE_TRUNCATED 1u
#define PVPF_CAUSE_NO_SPACE 2u
#define PVPF_CAUSE_IO_ERROR 3u
#define PVPF_CAUSE_MEMORY_FAILURE 4u
#define PVPF_CAUSE_UNMAPPED 5u
#define PVPF_CAUSE_NOT_PERMITTED 6u
#define PVPF_CAUSE_UNKNOWN 7u

#define PVPF_ACCESS_READ 1u
#define PVPF_ACCESS_WRITE 2u
#define PVPF_ACCESS_FETCH 4u

#define PVPF_FLAG_GVA 1u

struct pvpf_record {
	uint32_t state;
	uint32_t cause;
	uint32_t access;
	uint32_t flags;
	uint64_t gpa;
	uint64_t gva;
	uint64_t size;
	uint64_t seq;
	uint64_t rip;
	uint64_t reserved;
};

/* The host's choices, announced in CPUID: not part of the ABI. */
#define PVPF_HOST_CPUID_BASE 0x40000100u
#define PVPF_HOST_MSR_BASE 0x50564600u
#define PVPF_HOST_VECTOR 11u

_Static_assert(sizeof(struct pvpf_record) == 64, "a PVPF record is 64 bytes");
_Static_assert(sizeof(struct pvpf_record) * PVPF_RECORDS == PVPF_AREA_LEN, "the area holds the records");

#endif
