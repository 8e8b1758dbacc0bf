/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/operands.h"

#define CR0_PE		    (1ull << 0)
#define EFER_LMA	    (1ull << 10)
#define RFLAGS_VM	    (1ull << 17)
#define FAR_POINTER_AMD_LEN 6u
#define LOW_BITS(len)	    ((len) >= 64 ? UINT64_MAX : (UINT64_C(1) << (len)) - 1)

static ZydisMachineMode machine_mode(const struct kvm_sregs *sregs)
{
	if (sregs->efer & EFER_LMA) {
		if (sregs->cs.l)
			return ZYDIS_MACHINE_MODE_LONG_64;
		return sregs->cs.db ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32 : ZYDIS_MACHINE_MODE_LONG_COMPAT_16;
	}
	if (!(sregs->cr0 & CR0_PE))
		return ZYDIS_MACHINE_MODE_REAL_16;
	return sregs->cs.db ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16;
}

static ZydisStackWidth stack_width(ZydisMachineMode mode, const struct kvm_sregs *sregs)
{
	if (mode == ZYDIS_MACHINE_MODE_LONG_64)
		return ZYDIS_STACK_WIDTH_64;
	return sregs->ss.db && mode != ZYDIS_MACHINE_MODE_REAL_16 ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16;
}

int fl_insn_decode(const uint8_t *bytes, size_t len, const struct kvm_sregs *sregs, struct fl_insn *insn)
{
	ZydisMachineMode mode = machine_mode(sregs);
	ZydisDecoder decoder;
	ZyanStatus status;

	if (!ZYAN_SUCCESS(ZydisDecoderInit(&decoder, mode, stack_width(mode, sregs))))
		return -EINVAL;
	status = ZydisDecoderDecodeFull(&decoder, bytes, len, &insn->head, insn->operands);
	insn->long_mode = mode == ZYDIS_MACHINE_MODE_LONG_64;
	if (status == ZYDIS_STATUS_NO_MORE_DATA)
		return len < FL_INSN_LEN_MAX ? -EAGAIN : -EINVAL;
	return ZYAN_SUCCESS(status) ? 0 : -EINVAL;
}

uint64_t fl_insn_linear(const struct fl_cpu_view *cpu)
{
	if (machine_mode(cpu->sregs) == ZYDIS_MACHINE_MODE_LONG_64)
		return cpu->regs->rip;
	return (cpu->sregs->cs.base + cpu->regs->rip) & UINT32_MAX;
}

bool fl_insn_repeats(const struct fl_insn *insn)
{
	return insn->head.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

static uint64_t gpr64(const struct kvm_regs *regs, unsigned int id)
{
	const uint64_t values[16] = {
		regs->rax, regs->rcx, regs->rdx, regs->rbx, regs->rsp, regs->rbp, regs->rsi, regs->rdi,
		regs->r8,  regs->r9,  regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15,
	};

	return values[id & 15];
}

uint64_t fl_insn_register(const struct fl_insn *insn, ZydisRegister reg, const struct fl_cpu_view *cpu)
{
	uint64_t next = cpu->regs->rip + insn->head.length;
	ZyanI8 id = ZydisRegisterGetId(reg);
	uint64_t value;

	switch (ZydisRegisterGetClass(reg)) {
	case ZYDIS_REGCLASS_GPR64:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR16:
		value = gpr64(cpu->regs, (unsigned int)id);
		break;
	case ZYDIS_REGCLASS_GPR8: /* Zydis numbers AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B... */
		if (id >= 4 && id < 8)
			return gpr64(cpu->regs, (unsigned int)id - 4) >> 8 & 0xff;
		value = gpr64(cpu->regs, (unsigned int)(id < 4 ? id : id - 4));
		break;
	case ZYDIS_REGCLASS_IP:
		value = next;
		break;
	default:
		return 0; /* none */
	}
	return value & LOW_BITS(ZydisRegisterGetWidth(insn->head.machine_mode, reg));
}

static uint64_t segment_base(const struct fl_insn *insn, ZydisRegister segment, const struct kvm_sregs *sregs)
{
	if (insn->long_mode && segment != ZYDIS_REGISTER_FS && segment != ZYDIS_REGISTER_GS)
		return 0;
	switch (segment) {
	case ZYDIS_REGISTER_CS:
		return sregs->cs.base;
	case ZYDIS_REGISTER_DS:
		return sregs->ds.base;
	case ZYDIS_REGISTER_ES:
		return sregs->es.base;
	case ZYDIS_REGISTER_SS:
		return sregs->ss.base;
	case ZYDIS_REGISTER_FS:
		return sregs->fs.base;
	case ZYDIS_REGISTER_GS:
		return sregs->gs.base;
	default:
		return 0;
	}
}

uint64_t fl_insn_to_linear(const struct fl_insn *insn, ZydisRegister segment, uint64_t offset, unsigned int width,
			   const struct fl_cpu_view *cpu)
{
	uint64_t linear = (offset & LOW_BITS(width)) + segment_base(insn, segment, cpu->sregs);

	return insn->long_mode ? linear : linear & UINT32_MAX;
}

/* The destination of a 64-byte direct store is in ES whatever the prefix (SDM vol. 2B MOVDIR64B, ENQCMD). */
static ZydisRegister operand_segment(const struct fl_insn *insn, const ZydisDecodedOperand *operand)
{
	switch (insn->head.mnemonic) {
	case ZYDIS_MNEMONIC_MOVDIR64B:
	case ZYDIS_MNEMONIC_ENQCMD:
	case ZYDIS_MNEMONIC_ENQCMDS:
		return operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? ZYDIS_REGISTER_ES : operand->mem.segment;
	default:
		return operand->mem.segment;
	}
}

uint64_t fl_operand_linear(const struct fl_insn *insn, const ZydisDecodedOperand *operand,
			   const struct fl_cpu_view *cpu, uint64_t extra)
{
	const ZydisDecodedOperandMem *mem = &operand->mem;
	uint64_t offset = (uint64_t)mem->disp.value + extra + fl_insn_register(insn, mem->base, cpu) +
			  fl_insn_register(insn, mem->index, cpu) * mem->scale;

	return fl_insn_to_linear(insn, operand_segment(insn, operand), offset, insn->head.address_width, cpu);
}

void fl_access_add(struct fl_access_list *list, uint64_t linear, uint32_t len, enum fl_access access)
{
	if (len && list->count < FL_ACCESSES_MAX)
		list->item[list->count++] = (struct fl_operand_access){.linear = linear, .len = len, .access = access};
}

static bool touches_nothing(const struct fl_insn *insn)
{
	switch (insn->head.meta.category) {
	case ZYDIS_CATEGORY_PREFETCH:
	case ZYDIS_CATEGORY_PREFETCHWT1:
	case ZYDIS_CATEGORY_WIDENOP:
	case ZYDIS_CATEGORY_NOP:
	case ZYDIS_CATEGORY_CLDEMOTE:
		return true;
	default:
		return insn->head.mnemonic == ZYDIS_MNEMONIC_INVLPG;
	}
}

static bool is_hidden_stack(const ZydisDecodedOperand *operand)
{
	return operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && operand->mem.segment == ZYDIS_REGISTER_SS &&
	       ZydisRegisterGetId(operand->mem.base) == ZydisRegisterGetId(ZYDIS_REGISTER_RSP);
}

static uint64_t bit_offset(const struct fl_insn *insn, const ZydisDecodedOperand *bits, const struct fl_cpu_view *cpu)
{
	unsigned int width = bits->size;
	int64_t index;

	index = (int64_t)(fl_insn_register(insn, bits->reg.value, cpu) << (64 - width)) >> (64 - width);
	return (uint64_t)(index >> (width == 64 ? 6 : width == 32 ? 5 : 4)) * (width / 8);
}

/* What the address is more than base + index * scale + displacement. */
static uint64_t extra_offset(const struct fl_insn *insn, const ZydisDecodedOperand *operand,
			     const struct fl_cpu_view *cpu)
{
	const ZydisDecodedOperand *second = &insn->operands[1];

	switch (insn->head.mnemonic) {
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC: /* the register selects a bit of a string, SDM vol. 2A BT */
		return second->type == ZYDIS_OPERAND_TYPE_REGISTER && second->size >= 16 ? bit_offset(insn, second, cpu)
											 : 0;
	case ZYDIS_MNEMONIC_XLAT:
		return cpu->regs->rax & 0xff;
	case ZYDIS_MNEMONIC_POP: /* a destination based on RSP is computed after the increment, SDM vol. 2B POP */
		if (!is_hidden_stack(operand) &&
		    ZydisRegisterGetId(operand->mem.base) == ZydisRegisterGetId(ZYDIS_REGISTER_RSP))
			return insn->head.operand_width / 8;
		return 0;
	default:
		return 0;
	}
}

/* AMD's CPUs have no far pointers with offsets of 64 bits (APM vol. 3, LDS and JMP (Far)): REX.W changes nothing. */
static uint32_t far_pointer_len(const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu)
{
	uint32_t len = operand->size / 8;

	return cpu->amd ? FL_MIN(len, FAR_POINTER_AMD_LEN) : len;
}

static uint32_t access_len(const struct fl_insn *insn, const ZydisDecodedOperand *operand,
			   const struct fl_cpu_view *cpu)
{
	switch (insn->head.mnemonic) {
	case ZYDIS_MNEMONIC_LFS:
	case ZYDIS_MNEMONIC_LGS:
	case ZYDIS_MNEMONIC_LSS:
		return far_pointer_len(operand, cpu);
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_JMP:
		return insn->head.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ? far_pointer_len(operand, cpu)
									    : operand->size / 8;
	case ZYDIS_MNEMONIC_CLFLUSH: /* a line is named by one of its bytes, which is all that is checked */
	case ZYDIS_MNEMONIC_CLFLUSHOPT:
	case ZYDIS_MNEMONIC_CLWB:
		return 1;
	default:
		return operand->size / 8;
	}
}

static void add_stack(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
		      enum fl_access access, struct fl_access_list *list)
{
	uint32_t len = operand->size / 8;
	uint64_t offset = cpu->regs->rsp;

	if (access == FL_ACCESS_WRITE)
		offset -= len;
	fl_access_add(list, fl_insn_to_linear(insn, ZYDIS_REGISTER_SS, offset, insn->head.stack_width, cpu), len,
		      access);
}

static void add_operand(const struct fl_insn *insn, const ZydisDecodedOperand *operand, const struct fl_cpu_view *cpu,
			enum fl_access access, struct fl_access_list *list)
{
	if (is_hidden_stack(operand)) {
		add_stack(insn, operand, cpu, access, list);
		return;
	}
	if (fl_operands_vector(insn, operand, cpu, access, list) || fl_operands_state(insn, operand, cpu, access, list))
		return;
	fl_access_add(list, fl_operand_linear(insn, operand, cpu, extra_offset(insn, operand, cpu)),
		      access_len(insn, operand, cpu), access);
}

static bool is_memory(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       (operand->mem.type == ZYDIS_MEMOP_TYPE_MEM || operand->mem.type == ZYDIS_MEMOP_TYPE_VSIB);
}

static enum fl_access operand_access(const ZydisDecodedOperand *operand)
{
	if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		return FL_ACCESS_WRITE;
	return operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ ? FL_ACCESS_READ : FL_ACCESS_UNKNOWN;
}

/* CMPS reads its second operand first: no manual says so, tests/native shows it. */
static bool is_backwards(const struct fl_insn *insn)
{
	switch (insn->head.mnemonic) {
	case ZYDIS_MNEMONIC_CMPSB:
	case ZYDIS_MNEMONIC_CMPSW:
	case ZYDIS_MNEMONIC_CMPSD:
	case ZYDIS_MNEMONIC_CMPSQ:
		return true;
	default:
		return false;
	}
}

static void add_operands(const struct fl_insn *insn, const struct fl_cpu_view *cpu, enum fl_access access,
			 struct fl_access_list *list)
{
	unsigned int count = insn->head.operand_count;

	for (unsigned int i = 0; i < count; i++) {
		const ZydisDecodedOperand *operand = &insn->operands[is_backwards(insn) ? count - 1 - i : i];

		if (is_memory(operand) && operand_access(operand) == access)
			add_operand(insn, operand, cpu, access, list);
	}
}

static bool count_is_zero(const struct fl_insn *insn, const struct fl_cpu_view *cpu)
{
	return fl_insn_repeats(insn) && (cpu->regs->rcx & LOW_BITS(insn->head.address_width)) == 0;
}

static void add_rpl(const struct fl_insn *insn, const struct fl_cpu_view *cpu, struct fl_access_list *list)
{
	if (!is_memory(&insn->operands[0]))
		return;
	add_operand(insn, &insn->operands[0], cpu, FL_ACCESS_READ, list);
	add_operand(insn, &insn->operands[0], cpu, FL_ACCESS_WRITE, list);
}

/* Whatever is read is read before anything is stored (movs, push [m], call [m], pop [m]). */
void fl_operands_list(const struct fl_insn *insn, const struct fl_cpu_view *cpu, struct fl_access_list *list)
{
	list->count = 0;
	if (touches_nothing(insn) || count_is_zero(insn, cpu))
		return;
	if (fl_operands_stack(insn, cpu, list) || fl_operands_amd(insn, cpu, list))
		return;
	if (insn->head.mnemonic == ZYDIS_MNEMONIC_ARPL) { /* reads, and stores only if the RPL is too low */
		add_rpl(insn, cpu, list);
		return;
	}
	add_operands(insn, cpu, FL_ACCESS_READ, list);
	add_operands(insn, cpu, FL_ACCESS_WRITE, list);
}
