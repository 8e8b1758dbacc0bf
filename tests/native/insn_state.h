/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of one program, in the architecture's order, and what became of an instruction. */
#ifndef FL_INSN_STATE_H
#define FL_INSN_STATE_H

#include "vcpu/operands.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

#define INSN_CS_64     0x33u /* Linux's __USER_CS */
#define INSN_CS_32     0x23u /* and __USER32_CS */
#define INSN_FLAGS_DF  0x400u
#define INSN_CODE_ROOM 64u

struct insn_state {
	uint64_t gpr[16];
	uint64_t rip, rflags;
	uint16_t cs, ss, ds, es;
	uint16_t gs; /* 0: 64-bit code, where only the base counts */
	uint64_t fs_base, gs_base;
	uint64_t xinuse; /* components that are not in their initial state */
	struct fl_vectors vectors;
};

/* How an instruction ended. */
enum insn_end {
	INSN_END_DONE,	/* it retired: the next instruction raised something, or the jump went elsewhere */
	INSN_END_FAULT, /* a page was lost or not writable: address and access are the CPU's own words */
	INSN_END_OTHER, /* another exception, signal and trap number say which */
};

struct insn_outcome {
	enum insn_end end;
	uint64_t address;
	enum fl_access access;
	int signal;
	unsigned int trap;
	struct insn_state state; /* at the fault */
};

#endif
