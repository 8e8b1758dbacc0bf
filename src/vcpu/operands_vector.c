/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element: gathers, scatters, and operands under a mask. Elements that are masked out are not touched. */
#include <string.h>

#include "vcpu/operands.h"

static bool index_is_qword(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_VGATHERQPS:
	case ZYDIS_MNEMONIC_VGATHERQPD:
	case ZYDIS_MNEMONIC_VPGATHERQD:
	case ZYDIS_MNEMONIC_VPGATHERQQ:
	case ZYDIS_MNEMONIC_VSCATTERQPS:
	case ZYDIS_MNEMONIC_VSCATTERQPD:
	case ZYDIS_MNEMONIC_VPSCATTERQD:
	case ZYDIS_MNEMONIC_VPSCATTERQQ:
		return true;
	default:
		return false;
	}
}

static bool is_masked_move(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_VMASKMOVPS:
	case ZYDIS_MNEMONIC_VMASKMOVPD:
	case ZYDIS_MNEMONIC_VPMASKMOVD:
	case ZYDIS_MNEMONIC_VPMASKMOVQ:
		return true;
	default:
		return false;
	}
}

static bool has_opmask(const struct fl_insn *insn)
{
	return insn->head.avx.mask.reg > ZYDIS_REGISTER_K0 && insn->head.avx.mask.reg <= ZYDIS_REGISTER_K7;
}

static bool is_vsib(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.type == ZYDIS_MEMOP_TYPE_VSIB;
}

bool fl_insn_needs_vectors(const struct fl_insn *insn)
{
	for (unsigned int i = 0; i < insn->head.operand_count; i++)
		if (is_vsib(&insn->operands[i]))
			return true;
	return has_opmask(insn) || is_masked_move(insn->head.mnemonic) || fl_insn_is_state(insn);
}

/* Little-endian element of a vector register, sign-extended. */
static int64_t element(const struct fl_vectors *vectors, ZydisRegister reg, unsigned int number, unsigned int bytes)
{
	const uint8_t *from = vectors->zmm[(unsigned int)ZydisRegisterGetId(reg) & 31];
	uint64_t value = 0;

	if ((number + 1) * bytes > sizeof(vectors->zmm[0]))
		return 0;
	memcpy(&value, from + number * bytes, bytes);
	return bytes == 4 ? (int32_t)(uint32_t)value : (int64_t)value;
}

/* The register whose sign bits are the mask: the last operand of an AVX2 gather, the second of a masked move. */
static ZydisRegister sign_mask(const struct fl_insn *insn)
{
	if (is_masked_move(insn->head.mnemonic))
		return insn->operands[1].reg.value;
	return insn->operands[2].reg.value;
}

static bool is_selected(const struct fl_insn *insn, const struct fl_vectors *vectors, unsigned int number,
			unsigned int bytes)
{
	if (has_opmask(insn))
		return vectors->k[(unsigned int)ZydisRegisterGetId(insn->head.avx.mask.reg) & 7] >> (number & 63) & 1;
	return element(vectors, sign_mask(insn), number, bytes) < 0;
}

static unsigned int data_bits(const struct fl_insn *insn)
{
	const ZydisDecodedOperand *first = &insn->operands[0];

	/* gathers begin with the destination; scatters end with the source */
	return first->type == ZYDIS_OPERAND_TYPE_REGISTER ? first->size : insn->operands[2].size;
}

static void add_gather(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
		       enum fl_access access, struct fl_access_list *list)
{
	unsigned int bytes = operand->element_size / 8u;
	unsigned int index_bytes = index_is_qword(insn->head.mnemonic) ? 8 : 4;
	unsigned int index_bits = ZydisRegisterGetWidth(insn->head.machine_mode, operand->mem.index);
	unsigned int count;

	if (!cpu->vectors || !bytes)
		return;
	count = FL_MIN(data_bits(insn) / 8 / bytes, index_bits / 8 / index_bytes);
	for (unsigned int i = 0; i < count; i++) {
		int64_t index = element(cpu->vectors, operand->mem.index, i, index_bytes);
		uint64_t scaled = (uint64_t)index * operand->mem.scale;

		if (is_selected(insn, cpu->vectors, i, bytes))
			fl_access_add(list, fl_operand_linear(insn, operand, cpu, scaled), bytes, access);
	}
}

static void add_masked(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
		       enum fl_access access, struct fl_access_list *list)
{
	uint64_t start = fl_operand_linear(insn, operand, cpu, 0);
	unsigned int bytes = operand->element_size / 8u;

	for (unsigned int i = 0; i < operand->element_count; i++)
		if (is_selected(insn, cpu->vectors, i, bytes))
			fl_access_add(list, start + i * bytes, bytes, access);
}

/* SDM vol. 2A, 2.8: the classes "NF" do not suppress the faults of elements that are masked out. */
static bool suppresses_faults(const struct fl_insn *insn)
{
	switch (insn->head.meta.exception_class) {
	case ZYDIS_EXCEPTION_CLASS_E1NF:
	case ZYDIS_EXCEPTION_CLASS_E2NF:
	case ZYDIS_EXCEPTION_CLASS_E3NF:
	case ZYDIS_EXCEPTION_CLASS_E4NF:
	case ZYDIS_EXCEPTION_CLASS_E5NF:
	case ZYDIS_EXCEPTION_CLASS_E6NF:
	case ZYDIS_EXCEPTION_CLASS_E9NF:
	case ZYDIS_EXCEPTION_CLASS_E10NF:
	case ZYDIS_EXCEPTION_CLASS_E11NF:
		return false;
	default:
		return true;
	}
}

static bool is_packed(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_VCOMPRESSPS:
	case ZYDIS_MNEMONIC_VCOMPRESSPD:
	case ZYDIS_MNEMONIC_VPCOMPRESSB:
	case ZYDIS_MNEMONIC_VPCOMPRESSW:
	case ZYDIS_MNEMONIC_VPCOMPRESSD:
	case ZYDIS_MNEMONIC_VPCOMPRESSQ:
	case ZYDIS_MNEMONIC_VEXPANDPS:
	case ZYDIS_MNEMONIC_VEXPANDPD:
	case ZYDIS_MNEMONIC_VPEXPANDB:
	case ZYDIS_MNEMONIC_VPEXPANDW:
	case ZYDIS_MNEMONIC_VPEXPANDD:
	case ZYDIS_MNEMONIC_VPEXPANDQ:
		return true;
	default:
		return false;
	}
}

/* The opmask's bits for count elements. */
static uint64_t opmask(const struct fl_insn *insn, const struct fl_vectors *vectors, unsigned int count)
{
	uint64_t mask = vectors->k[(unsigned int)ZydisRegisterGetId(insn->head.avx.mask.reg) & 7];

	return count >= 64 ? mask : mask & ((UINT64_C(1) << count) - 1);
}

/* Compressing and expanding: as many elements as the mask has bits, side by side. */
static void add_packed(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
		       enum fl_access access, struct fl_access_list *list)
{
	unsigned int bytes = operand->element_size / 8u, count = bytes ? data_bits(insn) / 8 / bytes : 0;
	unsigned int chosen = (unsigned int)__builtin_popcountll(opmask(insn, cpu->vectors, count));

	fl_access_add(list, fl_operand_linear(insn, operand, cpu, 0), chosen * bytes, access);
}

/* Broadcasts: an element is read if any of the places that it goes to is selected. */
static void add_broadcast(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
			  enum fl_access access, struct fl_access_list *list)
{
	uint64_t start = fl_operand_linear(insn, operand, cpu, 0);
	unsigned int bytes = operand->element_size / 8u, elements = bytes ? operand->size / 8u / bytes : 0;
	unsigned int places = bytes ? data_bits(insn) / 8 / bytes : 0;
	uint64_t mask = opmask(insn, cpu->vectors, places);

	for (unsigned int i = 0; i < elements; i++) {
		bool wanted = false;

		for (unsigned int place = i; place < places; place += elements)
			wanted = wanted || (mask >> place & 1);
		if (wanted)
			fl_access_add(list, start + (uint64_t)i * bytes, bytes, access);
	}
}

bool fl_operands_vector(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
			enum fl_access access, struct fl_access_list *list)
{
	if (is_vsib(operand)) {
		add_gather(insn, operand, cpu, access, list);
		return true;
	}
	if (!cpu->vectors || !(has_opmask(insn) || is_masked_move(insn->head.mnemonic)) || !suppresses_faults(insn))
		return false;
	if (is_packed(insn->head.mnemonic))
		add_packed(insn, operand, cpu, access, list);
	else if (insn->head.avx.broadcast.mode != ZYDIS_BROADCAST_MODE_INVALID)
		add_broadcast(insn, operand, cpu, access, list);
	else if (operand->element_size >= 8 && operand->element_size * operand->element_count == operand->size)
		add_masked(insn, operand, cpu, access, list);
	else
		return false;
	return true;
}
