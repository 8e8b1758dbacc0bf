/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/undo.h"

#include <string.h>

#include "vcpu/code_before.h"

#define RFLAGS_DF     (1ull << 10)
#define NOTHING	      (-1)
#define MMIO_PART_MAX 8u /* struct kvm_run: mmio.data */

struct attempt {
	const struct fl_locate_ops *ops;
	const struct fl_cpu_view *after;
	const struct fl_intake *in;
	uint64_t data;
	struct kvm_regs before;
	struct fl_insn insn;
};

/* Decodes at try->before.rip; len is exact unless 0. */
static bool decode(struct attempt *try, size_t len)
{
	const struct fl_cpu_view cpu = {.regs = &try->before, .sregs = try->after->sregs};
	uint8_t bytes[FL_INSN_LEN_MAX];
	size_t known = len ? len : 1;

	for (; known <= sizeof(bytes); known++) {
		int result;

		if (!fl_code_read(try->ops, fl_insn_linear(&cpu), bytes, known))
			return false;
		result = fl_insn_decode(bytes, known, try->after->sregs, &try->insn);
		if (result != -EAGAIN || len)
			return result == 0 && (!len || try->insn.head.length == len);
	}
	return false;
}

/* KVM stores eight bytes of a segment register under REX.W (em_store_sreg()), where the CPU stores two. */
static uint64_t emulated_len(const struct fl_insn *insn, const struct fl_operand_access *item)
{
	const ZydisDecodedOperand *source = &insn->operands[1];

	if (insn->head.mnemonic == ZYDIS_MNEMONIC_MOV && source->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    ZydisRegisterGetClass(source->reg.value) == ZYDIS_REGCLASS_SEGMENT &&
	    insn->head.attributes & ZYDIS_ATTRIB_HAS_REX && insn->head.raw.rex.W)
		return 8;
	return item->len;
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
		uint64_t len = emulated_len(&try->insn, item);
		uint64_t gpa;

		if (item->access != FL_ACCESS_WRITE)
			continue;
		if (try->ops->translate(try->ops->arg, item->linear, &gpa) && gpa == try->in->gpa)
			return try->in->len == FL_MIN(FL_MIN(room, len), MMIO_PART_MAX);
		if (room < len && try->ops->translate(try->ops->arg, item->linear + room, &gpa) && gpa == try->in->gpa)
			return try->in->len == FL_MIN(len - room, MMIO_PART_MAX);
	}
	return false;
}

static bool is_string_store(const struct fl_insn *insn)
{
	return insn->head.meta.category == ZYDIS_CATEGORY_STRINGOP &&
	       insn->operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       (insn->operands[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
}

/* What the instruction stores, if it says so itself: a register, which is still what it was, or a constant. */
static const ZydisDecodedOperand *stored_operand(const struct fl_insn *insn)
{
	if (insn->head.mnemonic == ZYDIS_MNEMONIC_MOV)
		return &insn->operands[1];
	if (insn->head.meta.category == ZYDIS_CATEGORY_PUSH)
		return &insn->operands[0];
	if (is_string_store(insn) && insn->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER)
		return &insn->operands[1];
	return NULL;
}

/* Bytes of it that memory gets. */
static uint32_t stored_len(const struct fl_insn *insn)
{
	for (unsigned int i = 0; i < insn->head.operand_count; i++)
		if (insn->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (insn->operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			return insn->operands[i].size / 8;
	return 0;
}

static bool explains_data(const struct attempt *try)
{
	const struct fl_cpu_view cpu = {.regs = &try->before, .sregs = try->after->sregs};
	const ZydisDecodedOperand *source = stored_operand(&try->insn);
	uint64_t mask = try->in->len >= 8 ? UINT64_MAX : (UINT64_C(1) << (try->in->len * 8)) - 1;

	if (!source || try->in->len != stored_len(&try->insn))
		return true;
	if (source->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return ((source->imm.value.u ^ try->data) & mask) == 0;
	if (source->type != ZYDIS_OPERAND_TYPE_REGISTER)
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
	return explains_address(try) && explains_data(try);
}

/* The pushed return address says where the call ended. */
static bool try_call(struct attempt *try, uint64_t len)
{
	const struct fl_cpu_view cpu = {.regs = &try->before, .sregs = try->after->sregs};
	const ZydisDecodedOperand *target = &try->insn.operands[0];

	if (!try->after->sregs->cs.l || try->in->len != 8)
		return false;
	try->before = *try->after->regs;
	try->before.rip = try->data - len;
	try->before.rsp += 8;
	if (!decode(try, len) || try->insn.head.mnemonic != ZYDIS_MNEMONIC_CALL || !explains_address(try))
		return false;
	if (target->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return try->data + target->imm.value.u == try->after->regs->rip;
	if (target->type == ZYDIS_OPERAND_TYPE_REGISTER)
		return fl_insn_register(&try->insn, target->reg.value, &cpu) == try->after->regs->rip;
	return true;
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

static bool is_same_operand(const ZydisDecodedOperand *a, const ZydisDecodedOperand *b)
{
	if (a->type != b->type || a->actions != b->actions)
		return false;
	if (a->type == ZYDIS_OPERAND_TYPE_REGISTER)
		return a->reg.value == b->reg.value;
	/* where memory is, and how much, comes with the list of accesses */
	return a->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || a->imm.value.u == b->imm.value.u;
}

/* Do they do the same, so that only prefixes without effect tell them apart? */
static bool is_same_store(const struct attempt *a, const struct attempt *b)
{
	const struct fl_cpu_view cpu_a = {.regs = &a->before, .sregs = a->after->sregs};
	const struct fl_cpu_view cpu_b = {.regs = &b->before, .sregs = b->after->sregs};
	struct fl_access_list list_a, list_b;
	struct kvm_regs moved = a->before;

	moved.rip = b->before.rip;
	if (memcmp(&moved, &b->before, sizeof(moved)) != 0 || a->insn.head.mnemonic != b->insn.head.mnemonic ||
	    a->insn.head.operand_count != b->insn.head.operand_count)
		return false;
	for (unsigned int i = 0; i < a->insn.head.operand_count; i++)
		if (!is_same_operand(&a->insn.operands[i], &b->insn.operands[i]))
			return false;
	fl_operands_list(&a->insn, &cpu_a, &list_a);
	fl_operands_list(&b->insn, &cpu_b, &list_b);
	if (list_a.count != list_b.count)
		return false;
	for (unsigned int i = 0; i < list_a.count; i++)
		if (list_a.item[i].linear != list_b.item[i].linear || list_a.item[i].len != list_b.item[i].len)
			return false;
	return true;
}

/* What has been found of one kind: instructions that end at the same byte. */
struct findings {
	struct fl_code_starts starts;
	struct attempt shortest;
	bool differ; /* in more than prefixes without effect */
};

static void find(struct attempt *try, bool (*explains)(struct attempt *try, uint64_t len), struct findings *found)
{
	for (uint8_t len = 1; len <= FL_INSN_LEN_MAX; len++) {
		if (!explains(try, len))
			continue;
		if (!found->starts.count)
			found->shortest = *try;
		else if (!is_same_store(&found->shortest, try))
			found->differ = true;
		found->starts.len[found->starts.count++] = len;
	}
}

/* The one that the code before speaks for; where it does not say, any one if all do the same. */
static bool choose(struct attempt *try, bool (*explains)(struct attempt *try, uint64_t len), struct findings *found)
{
	const struct fl_cpu_view cpu = {.regs = &found->shortest.before, .sregs = try->after->sregs};
	int best = NOTHING;

	if (found->starts.count > 1) {
		found->starts.end = fl_insn_linear(&cpu) + found->starts.len[0];
		best = fl_code_before(try->ops, try->after->sregs, &found->starts);
	}
	if (best != NOTHING)
		return explains(try, found->starts.len[best]);
	*try = found->shortest;
	return !found->differ;
}

int fl_undo_store(const struct fl_locate_ops *ops, const struct fl_cpu_view *after, const struct fl_intake *in,
		  uint64_t data, struct kvm_regs *before)
{
	struct attempt try = {.ops = ops, .after = after, .in = in, .data = data};
	struct findings stores = {0}, calls = {0};
	bool repeated = try_repeated(&try), found;

	if (repeated)
		*before = try.before;
	find(&try, try_before, &stores);
	find(&try, try_call, &calls);
	/* explanations of different kinds leave different registers */
	if (repeated + (stores.starts.count != 0) + (calls.starts.count != 0) != 1)
		return -ENOENT;
	if (repeated)
		return 0;
	found = stores.starts.count ? choose(&try, try_before, &stores) : choose(&try, try_call, &calls);
	if (!found)
		return -ENOENT;
	*before = try.before;
	return 0;
}
