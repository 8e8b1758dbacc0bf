/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that use the stack several times, or less of a slot than it has room for. */
#include "vcpu/operands.h"

#define SELECTOR_LEN 2u

static void add_at(const struct fl_insn *insn, const struct fl_cpu_view *cpu, uint64_t offset, uint32_t len,
		   enum fl_access access, struct fl_access_list *list)
{
	fl_access_add(list, fl_insn_to_linear(insn, ZYDIS_REGISTER_SS, offset, insn->head.stack_width, cpu), len,
		      access);
}

/*
 * ENTER with a nesting level copies frame pointers, and at last a store to the new top of the stack is tried
 * (SDM vol. 2A ENTER).
 */
static void add_enter(const struct fl_insn *insn, const struct fl_cpu_view *cpu, struct fl_access_list *list)
{
	uint64_t level = insn->operands[1].imm.value.u & 31, room = insn->operands[0].imm.value.u & 0xffff;
	uint32_t len = insn->head.operand_width / 8;

	for (uint64_t i = 0; i <= level; i++) {
		if (i && i < level)
			add_at(insn, cpu, cpu->regs->rbp - i * len, len, FL_ACCESS_READ, list);
		add_at(insn, cpu, cpu->regs->rsp - (i + 1) * len, len, FL_ACCESS_WRITE, list);
	}
	add_at(insn, cpu, cpu->regs->rsp - (level + 1) * len - room, 1, FL_ACCESS_WRITE, list);
}

/* PUSHA pushes EAX first and EDI last, POPA the reverse (SDM vol. 2B). */
static void add_all(const struct fl_insn *insn, const struct fl_cpu_view *cpu, uint32_t len, enum fl_access access,
		    struct fl_access_list *list)
{
	for (uint32_t i = 0; i < 8; i++)
		add_at(insn, cpu, access == FL_ACCESS_WRITE ? cpu->regs->rsp - (i + 1) * len : cpu->regs->rsp + i * len,
		       len, access, list);
}

/* Of a slot, Intel's CPUs use as much as a selector has, AMD's all. */
static uint32_t selector_len(const struct fl_cpu_view *cpu, uint32_t slot_len)
{
	return cpu->amd ? slot_len : SELECTOR_LEN;
}

/*
 * Far returns. The order (flags, CS, IP, then SP and SS; on AMD's CPUs SS and SP) is not in the manuals; tests/native
 * shows it. AMD's read SS and SP also where CS is not of the current privilege, before they look whether that may be:
 * these stand last, so that they are found only if nothing else was lost.
 */
static void add_far_return(const struct fl_insn *insn, const struct fl_cpu_view *cpu, struct fl_access_list *list)
{
	uint32_t len = insn->head.operand_width / 8;
	bool interrupt = insn->head.mnemonic != ZYDIS_MNEMONIC_RET;
	uint64_t rsp = cpu->regs->rsp, outer = rsp + (interrupt ? 3 : 2) * len;

	if (interrupt)
		add_at(insn, cpu, rsp + 2 * len, len, FL_ACCESS_READ, list);
	add_at(insn, cpu, rsp + len, selector_len(cpu, len), FL_ACCESS_READ, list);
	add_at(insn, cpu, rsp, len, FL_ACCESS_READ, list);
	if (cpu->amd) {
		add_at(insn, cpu, outer + len, len, FL_ACCESS_READ, list);
		add_at(insn, cpu, outer, len, FL_ACCESS_READ, list);
	} else if (interrupt && insn->long_mode) {
		add_at(insn, cpu, outer, len, FL_ACCESS_READ, list);
		add_at(insn, cpu, outer + len, SELECTOR_LEN, FL_ACCESS_READ, list);
	}
}

static bool moves_selector(const struct fl_insn *insn)
{
	return insn->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ZydisRegisterGetClass(insn->operands[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

bool fl_operands_stack(const struct fl_insn *insn, const struct fl_cpu_view *cpu, struct fl_access_list *list)
{
	uint32_t len = insn->head.operand_width / 8;

	switch (insn->head.mnemonic) {
	case ZYDIS_MNEMONIC_ENTER:
		add_enter(insn, cpu, list);
		return true;
	case ZYDIS_MNEMONIC_PUSHA:
	case ZYDIS_MNEMONIC_PUSHAD:
		add_all(insn, cpu, len, FL_ACCESS_WRITE, list);
		return true;
	case ZYDIS_MNEMONIC_POPA:
	case ZYDIS_MNEMONIC_POPAD:
		add_all(insn, cpu, len, FL_ACCESS_READ, list);
		return true;
	case ZYDIS_MNEMONIC_RET:
		if (insn->head.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR)
			return false;
		add_far_return(insn, cpu, list);
		return true;
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
		add_far_return(insn, cpu, list);
		return true;
	case ZYDIS_MNEMONIC_POP:
		if (!moves_selector(insn))
			return false;
		add_at(insn, cpu, cpu->regs->rsp, selector_len(cpu, len), FL_ACCESS_READ, list);
		return true;
	case ZYDIS_MNEMONIC_PUSH: /* SDM vol. 2B PUSH: with a 32-bit operand size only the selector may be written */
		if (cpu->amd || !moves_selector(insn) || insn->long_mode || len != 4)
			return false;
		add_at(insn, cpu, cpu->regs->rsp - len, SELECTOR_LEN, FL_ACCESS_WRITE, list);
		return true;
	default:
		return false;
	}
}
