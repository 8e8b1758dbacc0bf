/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operands: which linear addresses an instruction accesses, given the registers before it. Pure.
 *
 * Zydis names the operands; what is added here are the rules of the manuals that it leaves to its user:
 * where a push really lands, the order of accesses, masked and gathered elements.
 */
#ifndef FL_OPERANDS_H
#define FL_OPERANDS_H

#include <Zydis/Zydis.h>
#include <linux/kvm.h>

#include "faultline/faultline.h"
#include "fl_base.h"
#include "vcpu/xsave_layout.h"

#define FL_INSN_LEN_MAX 15u

/* Extended state; only gathers, masked accesses, tiles and the XSAVE family need it. */
struct fl_vectors {
	uint8_t zmm[32][64];
	uint64_t k[8];
	uint8_t tile_config[64];	     /* as LDTILECFG reads it; all zero: no palette */
	const struct fl_xsave_layout *xsave; /* NULL: not known; then the extended region is left out */
	uint64_t xcr0;
};

/* One vCPU's registers before the instruction. */
struct fl_cpu_view {
	const struct kvm_regs *regs;
	const struct kvm_sregs *sregs;
	const struct fl_vectors *vectors; /* NULL: not fetched; then masks count as all ones */
	bool amd; /* fl_cpu_is_amd(): what a CPU needs of memory is a matter of its maker, too */
};

struct fl_insn {
	ZydisDecodedInstruction head;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	bool long_mode; /* 64-bit code */
};

struct fl_operand_access {
	uint64_t linear;
	uint32_t len;
	enum fl_access access; /* read-modify-write counts as write */
};

#define FL_ACCESSES_MAX 80
struct fl_access_list {
	unsigned int count;
	struct fl_operand_access item[FL_ACCESSES_MAX]; /* in the order in which the CPU makes them */
};

/* -EINVAL: no instruction. -EAGAIN: more than len bytes are needed to tell. */
FL_CHECKED_RESULT int fl_insn_decode(const uint8_t *bytes, size_t len, const struct kvm_sregs *sregs,
				     struct fl_insn *insn);

bool fl_insn_needs_vectors(const struct fl_insn *insn);
bool fl_insn_repeats(const struct fl_insn *insn); /* a string instruction with a REP prefix */

/* Linear address of the instruction that the registers point at. */
uint64_t fl_insn_linear(const struct fl_cpu_view *cpu);

/* The data accesses of one instruction; of one iteration, if it repeats (none when its count is 0). */
void fl_operands_list(const struct fl_insn *insn, const struct fl_cpu_view *cpu, struct fl_access_list *list);

/* Value of a general-purpose register as the instruction names it (width and all). */
uint64_t fl_insn_register(const struct fl_insn *insn, ZydisRegister reg, const struct fl_cpu_view *cpu);

/* operands_state.c: the accesses of the XSAVE family and of tiles; false: it is none of these. */
bool fl_operands_state(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
		       enum fl_access access, struct fl_access_list *list);
bool fl_insn_is_state(const struct fl_insn *insn);
/* operands_stack.c: of what uses the stack in its own order; false: it is none of these. */
bool fl_operands_stack(const struct fl_insn *insn, const struct fl_cpu_view *cpu, struct fl_access_list *list);
/* operands_amd.c: of what AMD's CPUs have alone; false: it is none of these. */
bool fl_operands_amd(const struct fl_insn *insn, const struct fl_cpu_view *cpu, struct fl_access_list *list);
/* Linear address of an offset into a segment; SDM vol. 1, 3.3.7.1: it wraps at width bits, then the base is added. */
uint64_t fl_insn_to_linear(const struct fl_insn *insn, ZydisRegister segment, uint64_t offset, unsigned int width,
			   const struct fl_cpu_view *cpu);
/* operands_vector.c: the accesses of a gather, scatter or masked operand; false: it is none of these. */
bool fl_operands_vector(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
			enum fl_access access, struct fl_access_list *list);
/* Linear address of a memory operand without its index vector; extra: an index to add (scaled already). */
uint64_t fl_operand_linear(const struct fl_insn *insn, const ZydisDecodedOperand *operand,
			   const struct fl_cpu_view *cpu, uint64_t extra);
void fl_access_add(struct fl_access_list *list, uint64_t linear, uint32_t len, enum fl_access access);

#endif
