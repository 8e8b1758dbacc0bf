/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/undo.h"

#include <string.h>

#define RFLAGS_DF     (1ull << 10)
#define MMIO_PART_MAX 8u /* struct kvm_run: mmio.data */

struct attempt {
	const struct fl_locate_ops *ops;
	const struct fl_cpu_view *after;
	const struct fl_intake *in;
	uint64_t data;
	struct kvm_regs before;
	struct fl_insn insn;
};

static bool read_code(const struct attempt *try, uint64_t linear, uint8_t *buf, size_t len)
{
	while (len) {
		size_t part = FL_MIN(len, (size_t)(FL_PAGE_LEN - (linear & (FL_PAGE_LEN - 1))));
		uint64_t gpa;

		if (!try->ops->translate(try->ops->arg, linear, &gpa) || try->ops->read(try->ops->arg, gpa, buf, part))
			return false;
		linear += part;
		buf += part;
		len -= part;
	}
	return true;
}

/* Decodes at try->before.rip; len is exact unless 0. */
static bool decode(struct attempt *try, size_t len)
{
	const struct fl_cpu_view cpu = {.regs = &try->before, .sregs = try->after->sregs};
	uint8_t bytes[FL_INSN_LEN_MAX];
	size_t known = len ? len : 1;

	for (; known <= sizeof(bytes); known++) {
		int result;

		if (!read_code(try, fl_insn_linear(&cpu), bytes, known))
			return false;
		result = fl_insn_decode(bytes, known, try->after->sregs, &try->insn);
		if (result != -EAGAIN || len)
			return result == 0 && (!len || try->insn.head.length == len);
	}
	return false;
}

/* Would the instruction, run with try->before, have stored to where the exit says? */
static bool explains_address(const struct attempt *try)
{
	const struct fl_cpu_view cpu = {.regs = &try->before, .sregs = try->after->sregs};
	struct fl_access_list list;

	fl_operands_list(&try->insn, &cpu, &list);
	for (unsigned int i = 0; i < list.count; i++) {
		const struct fl_operand_access *item = &list.item[i];
		uint64_t room = FL_PAGE_LEN - (item->linear & (FL_PAGE_LEN - 1));
		uint64_t gpa;

		if (item->access != FL_ACCESS_WRITE)
			continue;
		if (try->ops->translate(try->ops->arg, item->linear, &gpa) && gpa == try->in->gpa)
			return try->in->len == FL_MIN(FL_MIN(room, (uint64_t)item->len), MMIO_PART_MAX);
		if (room < item->len && try->ops->translate(try->ops->arg, item->linear + room, &gpa) &&
		    gpa == try->in->gpa)
			return true;
	}
	return false;
}

/* A stored general-purpose register is still what it was. */
static bool explains_data(const struct attempt *try)
{
	const struct fl_cpu_view cpu = {.regs = &try->before, .sregs = try->after->sregs};
	const ZydisDecodedOperand *source = &try->insn.operands[1];
	uint64_t mask = try->in->len >= 8 ? UINT64_MAX : (UINT64_C(1) << (try->in->len * 8)) - 1;

	if (try->insn.head.mnemonic != ZYDIS_MNEMONIC_MOV || source->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    source->size > 64 || try->in->len * 8 != source->size)
		return true;
	switch (ZydisRegisterGetClass(source->reg.value)) {
	case ZYDIS_REGCLASS_GPR8:
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
		return ((fl_insn_register(&try->insn, source->reg.value, &cpu) ^ try->data) & mask) == 0;
	default:
		return true;
	}
}

static bool is_string_store(const struct fl_insn *insn)
{
	return insn->head.meta.category == ZYDIS_CATEGORY_STRINGOP &&
	       insn->operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       (insn->operands[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
}

static void step_back(__u64 *reg, uint64_t step, unsigned int width)
{
	*reg = width == 64 ? *reg - step : (*reg - step) & UINT32_MAX;
}

static void step_string_back(struct attempt *try)
{
	unsigned int width = try->insn.head.address_width;
	uint64_t step = try->insn.operands[0].size / 8;

	if (try->before.rflags & RFLAGS_DF)
		step = -step;
	step_back(&try->before.rdi, step, width);
	if (try->insn.operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY)
		step_back(&try->before.rsi, step, width);
}

/* With REP the emulator stays at the instruction between iterations. */
static bool try_repeated(struct attempt *try)
{
	try->before = *try->after->regs;
	if (!decode(try, 0) || !fl_insn_repeats(&try->insn) || !is_string_store(&try->insn))
		return false;
	step_string_back(try);
	step_back(&try->before.rcx, (uint64_t)-1, try->insn.head.address_width);
	return explains_address(try);
}

/* The pushed return address says where the call ended. */
static bool try_call(struct attempt *try)
{
	const ZydisDecodedOperand *target = &try->insn.operands[0];

	if (!try->after->sregs->cs.l || try->in->len != 8)
		return false;
	for (uint64_t len = FL_INSN_LEN_MAX; len >= 2; len--) {
		const struct fl_cpu_view cpu = {.regs = &try->before, .sregs = try->after->sregs};

		try->before = *try->after->regs;
		try->before.rip = try->data - len;
		try->before.rsp += 8;
		if (!decode(try, len) || try->insn.head.mnemonic != ZYDIS_MNEMONIC_CALL || !explains_address(try))
			continue;
		if (target->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    try->data + target->imm.value.u != try->after->regs->rip)
			continue;
		if (target->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    fl_insn_register(&try->insn, target->reg.value, &cpu) != try->after->regs->rip)
			continue;
		return true;
	}
	return false;
}

static bool changes_flags(const struct fl_insn *insn)
{
	const ZydisAccessedFlags *flags = insn->head.cpu_flags;

	return flags && (flags->modified | flags->set_0 | flags->set_1 | flags->undefined);
}

/* Registers that the instruction wrote, beyond those that take_back() knows how to restore. */
static bool changes_registers(const struct fl_insn *insn)
{
	for (unsigned int i = 0; i < insn->head.operand_count; i++) {
		const ZydisDecodedOperand *operand = &insn->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    operand->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN)
			return true;
	}
	return false;
}

/* false: an instruction of a kind that is not known to be a plain store. */
static bool take_back(struct attempt *try)
{
	const struct fl_insn *insn = &try->insn;

	switch (insn->head.meta.category) {
	case ZYDIS_CATEGORY_PUSH:
		try->before.rsp += insn->head.operand_width / 8;
		return true;
	case ZYDIS_CATEGORY_POP:
		try->before.rsp -= insn->head.operand_width / 8;
		return insn->operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	case ZYDIS_CATEGORY_STRINGOP:
		step_string_back(try);
		return is_string_store(insn);
	case ZYDIS_CATEGORY_DATAXFER:
	case ZYDIS_CATEGORY_SETCC:
	case ZYDIS_CATEGORY_SYSTEM: /* sgdt, sidt, sldt, str, smsw */
		return true;
	default:
		break;
	}
	/* stores of status that leave all registers alone */
	if (insn->head.mnemonic == ZYDIS_MNEMONIC_FNSTCW || insn->head.mnemonic == ZYDIS_MNEMONIC_FNSTSW)
		return true;
	if (insn->head.mnemonic != ZYDIS_MNEMONIC_ENTER || insn->operands[1].imm.value.u != 0)
		return false;
	try->before.rsp = try->after->regs->rbp + 8;
	try->before.rbp = try->data;
	return insn->long_mode && try->in->len == 8;
}

static bool try_before(struct attempt *try, uint64_t len)
{
	try->before = *try->after->regs;
	try->before.rip -= len;
	return decode(try, len) && !fl_insn_repeats(&try->insn) && !changes_flags(&try->insn) &&
	       !changes_registers(&try->insn) && take_back(try) && explains_address(try) && explains_data(try);
}

int fl_undo_store(const struct fl_locate_ops *ops, const struct fl_cpu_view *after, const struct fl_intake *in,
		  uint64_t data, struct kvm_regs *before)
{
	struct attempt try = {.ops = ops, .after = after, .in = in, .data = data};
	bool found = try_repeated(&try);

	/* the longest: a prefix belongs to its instruction */
	for (uint64_t len = FL_INSN_LEN_MAX; !found && len > 0; len--)
		found = try_before(&try, len);
	if (!found)
		found = try_call(&try);
	if (!found)
		return -ENOENT;
	*before = try.before;
	return 0;
}
