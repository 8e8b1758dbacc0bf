/* SPDX-License-Identifier: Apache-2.0 */
/* A 64-bit CPU's registers for tests, all different and easy to recognise. */
#ifndef FL_TEST_INSN_REGS_H
#define FL_TEST_INSN_REGS_H

#include <linux/kvm.h>
#include <stdint.h>

#define FS_BASE UINT64_C(0x7fff00000000)
#define GS_BASE UINT64_C(0xffff888000000000)

static inline struct kvm_regs test_regs(void)
{
	return (struct kvm_regs){
		.rax = 0x10,
		.rcx = 0x4,
		.rdx = 0x30,
		.rbx = 0x2000,
		.rsp = 0x9000,
		.rbp = 0x8000,
		.rsi = 0x6000,
		.rdi = 0x7000,
		.r8 = 0x8008,
		.rip = 0x400000,
		.rflags = 0x202,
	};
}

static inline struct kvm_sregs test_sregs(void)
{
	return (struct kvm_sregs){
		.cr0 = 0x80000011,
		.efer = 0x500,
		.cs = {.l = 1, .present = 1, .s = 1},
		/* bases of these count for nothing in 64-bit mode */
		.ds = {.base = 0x11111000},
		.ss = {.base = 0x22222000, .db = 1},
		.fs = {.base = FS_BASE},
		.gs = {.base = GS_BASE},
	};
}

#endif
