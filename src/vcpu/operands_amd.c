/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that only AMD's CPUs have, and whose accesses the decoder does not name. */
#include "vcpu/operands.h"

#define LINE_LEN 64u

/* The segment that a prefix names: of several the last. */
static ZydisRegister prefixed_segment(const struct fl_insn *insn)
{
	ZydisRegister segment = ZYDIS_REGISTER_DS;

	for (unsigned int i = 0; i < insn->head.raw.prefix_count; i++)
		switch (insn->head.raw.prefixes[i].value) {
		case 0x26:
			segment = ZYDIS_REGISTER_ES;
			break;
		case 0x2e:
			segment = ZYDIS_REGISTER_CS;
			break;
		case 0x36:
			segment = ZYDIS_REGISTER_SS;
			break;
		case 0x3e:
			segment = ZYDIS_REGISTER_DS;
			break;
		case 0x64:
			segment = ZYDIS_REGISTER_FS;
			break;
		case 0x65:
			segment = ZYDIS_REGISTER_GS;
			break;
		default:
			break;
		}
	return segment;
}

/* CLZERO stores to the whole line that rAX points into, and a fault names its start (AMD APM vol. 3; tests/native). */
bool fl_operands_amd(const struct fl_insn *insn, const struct fl_cpu_view *cpu, struct fl_access_list *list)
{
	uint64_t linear;

	if (insn->head.mnemonic != ZYDIS_MNEMONIC_CLZERO)
		return false;
	linear = fl_insn_to_linear(insn, prefixed_segment(insn), cpu->regs->rax, insn->head.address_width, cpu);
	fl_access_add(list, linear & ~(uint64_t)(LINE_LEN - 1), LINE_LEN, FL_ACCESS_WRITE);
	return true;
}
