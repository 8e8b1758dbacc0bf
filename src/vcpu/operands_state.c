/* SPDX-License-Identifier: Apache-2.0 */
/* Areas whose extent registers decide: the XSAVE family (SDM vol. 1, chapter 13) and tiles (vol. 1, chapter 18). */
#include "vcpu/operands.h"

#define XSAVE_HEADER	 512u
#define XSAVE_HEADER_LEN 64u
#define XSAVE_MXCSR	 24u
#define XSAVE_MXCSR_LEN	 8u
#define XSAVE_X87	 32u
#define XSAVE_X87_LEN	 128u
#define XSAVE_XMM	 160u
#define XSAVE_XMM_LEN	 256u
#define XSAVE_FIRST	 2u		   /* component of the extended region */
#define XSAVE_SUPERVISOR UINT64_C(0x1f900) /* PT, PASID, CET, HDC, UINTR, LBR, HWP: IA32_XSS has them, not XCR0 */
#define TILE_COLSB	 16u
#define TILE_ROWS	 48u
#define TILE_ROWS_MAX	 16u
#define TILE_ROW_LEN_MAX 64u

enum xsave_kind { XSAVE_NONE, XSAVE_STANDARD, XSAVE_COMPACTED, XSAVE_SUPERVISOR_TOO };

static enum xsave_kind xsave_kind(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_XSAVE:
	case ZYDIS_MNEMONIC_XSAVE64:
	case ZYDIS_MNEMONIC_XSAVEOPT:
	case ZYDIS_MNEMONIC_XSAVEOPT64:
	case ZYDIS_MNEMONIC_XRSTOR: /* of an area in the compacted format, it needs less */
	case ZYDIS_MNEMONIC_XRSTOR64:
		return XSAVE_STANDARD;
	case ZYDIS_MNEMONIC_XSAVEC:
	case ZYDIS_MNEMONIC_XSAVEC64:
		return XSAVE_COMPACTED;
	case ZYDIS_MNEMONIC_XSAVES:
	case ZYDIS_MNEMONIC_XSAVES64:
	case ZYDIS_MNEMONIC_XRSTORS:
	case ZYDIS_MNEMONIC_XRSTORS64:
		return XSAVE_SUPERVISOR_TOO;
	default:
		return XSAVE_NONE;
	}
}

static bool is_tile(ZydisMnemonic mnemonic)
{
	return mnemonic == ZYDIS_MNEMONIC_TILELOADD || mnemonic == ZYDIS_MNEMONIC_TILELOADDT1 ||
	       mnemonic == ZYDIS_MNEMONIC_TILESTORED;
}

bool fl_insn_is_state(const struct fl_insn *insn)
{
	return is_tile(insn->head.mnemonic) || xsave_kind(insn->head.mnemonic) != XSAVE_NONE;
}

/*
 * What is not in use need not be written (SDM vol. 1, 13.4.4), but CPUs check the room for it all the same; see
 * tests/native. Tile data that IA32_XFD disables is an exception that is not worth a look at that MSR: a
 * page that is listed in vain is not what has failed, and stands behind what has.
 */
static uint64_t chosen(const struct fl_cpu_view *cpu, enum xsave_kind kind)
{
	uint64_t wanted = (cpu->regs->rdx << 32) | (cpu->regs->rax & UINT32_MAX);
	uint64_t enabled = cpu->vectors ? cpu->vectors->xcr0 : UINT64_MAX;

	return wanted & (kind == XSAVE_SUPERVISOR_TOO ? enabled | XSAVE_SUPERVISOR : enabled);
}

/* SDM vol. 1, 13.5.1, 13.5.2 and 13.7: x87 leaves room for MXCSR, which goes with SSE or, in the standard format, AVX.
 */
static void add_legacy(uint64_t start, uint64_t wanted, bool compacted, enum fl_access access,
		       struct fl_access_list *list)
{
	if (wanted & 1)
		fl_access_add(list, start, XSAVE_MXCSR, access);
	if (wanted & (compacted ? 2 : 6))
		fl_access_add(list, start + XSAVE_MXCSR, XSAVE_MXCSR_LEN, access);
	if (wanted & 1)
		fl_access_add(list, start + XSAVE_X87, XSAVE_X87_LEN, access);
	if (wanted & 2)
		fl_access_add(list, start + XSAVE_XMM, XSAVE_XMM_LEN, access);
}

/* The components of the extended region that are wanted, from start on; returns where the last of them ends. */
static uint64_t add_extended(uint64_t start, uint64_t wanted, bool compacted, const struct fl_xsave_layout *layout,
			     enum fl_access access, struct fl_access_list *list)
{
	uint64_t next = XSAVE_HEADER + XSAVE_HEADER_LEN, end = next;

	for (unsigned int i = XSAVE_FIRST; layout && i < FL_XSAVE_COMPONENTS; i++) {
		uint32_t len = layout->component[i].len;
		uint64_t offset = layout->component[i].offset;

		if (!len || !(wanted >> i & 1))
			continue;
		if (compacted) {
			offset = layout->component[i].aligned ? fl_align_up(next, 64) : next;
			next = offset + len;
		}
		if (!offset)
			continue;
		fl_access_add(list, start + offset, len, access);
		end = FL_MAX(end, offset + len);
	}
	return end;
}

static void add_xsave(enum xsave_kind kind, uint64_t start, const struct fl_cpu_view *cpu, enum fl_access access,
		      struct fl_access_list *list)
{
	bool compacted = kind == XSAVE_COMPACTED || kind == XSAVE_SUPERVISOR_TOO;
	uint64_t wanted = chosen(cpu, kind), end;
	unsigned int before = list->count;

	add_legacy(start, wanted, compacted, access, list);
	fl_access_add(list, start + XSAVE_HEADER, XSAVE_HEADER_LEN, access);
	end = add_extended(start, wanted, compacted, cpu->vectors ? cpu->vectors->xsave : NULL, access, list);
	if (!cpu->amd)
		return;
	/* AMD's CPUs want all from the start to the last byte of what is wanted last, gaps included: see tests/native
	 */
	list->count = before;
	fl_access_add(list, start, (uint32_t)end, access);
}

/* Row by row from start_row on; a fault leaves its number there (SDM vol. 2B TILELOADD). */
static void add_tile(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
		     enum fl_access access, struct fl_access_list *list)
{
	const ZydisDecodedOperand *tile = &insn->operands[operand == &insn->operands[0] ? 1 : 0];
	unsigned int number = (unsigned int)ZydisRegisterGetId(tile->reg.value) & 7;
	uint64_t stride = fl_insn_register(insn, operand->mem.index, cpu) * operand->mem.scale;
	const uint8_t *config;
	uint32_t len, rows;

	if (!cpu->vectors)
		return;
	config = cpu->vectors->tile_config;
	len = FL_MIN((uint32_t)config[TILE_COLSB + 2 * number], TILE_ROW_LEN_MAX);
	rows = FL_MIN((uint32_t)config[TILE_ROWS + number], TILE_ROWS_MAX);
	for (uint32_t row = config[1]; row < rows; row++) /* the operand's own address has one stride in it */
		fl_access_add(list, fl_operand_linear(insn, operand, cpu, (row - UINT64_C(1)) * stride), len, access);
}

bool fl_operands_state(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
		       enum fl_access access, struct fl_access_list *list)
{
	enum xsave_kind kind = xsave_kind(insn->head.mnemonic);

	if (is_tile(insn->head.mnemonic)) {
		add_tile(insn, operand, cpu, access, list);
		return true;
	}
	if (kind == XSAVE_NONE)
		return false;
	add_xsave(kind, fl_operand_linear(insn, operand, cpu, 0), cpu, access, list);
	return true;
}
