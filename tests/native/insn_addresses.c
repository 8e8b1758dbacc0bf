/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/native/insn_cases.h"

#define FS 0x64
#define GS 0x65

static const struct insn_address modrm64[] = {
	{"[rbx]", RBX, NO_REG, 1, 0, 0, false, false, false},
	{"[rbx+d8]", RBX, NO_REG, 1, 1, 0, false, false, false},
	{"[rbx+d32]", RBX, NO_REG, 1, 4, 0, false, false, false},
	{"[rbp+d8]", RBP, NO_REG, 1, 1, 0, false, false, false},
	{"[r13+d8]", R13, NO_REG, 1, 1, 0, false, false, false},
	{"[r12+d32]", R12, NO_REG, 1, 4, 0, false, false, false},
	{"[rsp+d32]", RSP, NO_REG, 1, 4, 0, false, false, false},
	{"[rsp+d8]", RSP, NO_REG, 1, 1, 0, false, false, false},
	{"[rbx+r14]", RBX, R14, 1, 0, 0, false, false, false},
	{"[r9+rsi*2+d8]", R9, RSI, 2, 1, 0, false, false, false},
	{"[r8+r14*4]", R8, R14, 4, 0, 0, false, false, false},
	{"[rbp+r12*8+d32]", RBP, R12, 8, 4, 0, false, false, false},
	{"[r15*8+d32]", NO_REG, R15, 8, 4, 0, false, false, true},
	{"[d32]", NO_REG, NO_REG, 1, 4, 0, false, false, true},
	{"[rip+d32]", NO_REG, NO_REG, 1, 4, 0, false, true, true},
	{"67 [ebx+d8]", RBX, NO_REG, 1, 1, 0, true, false, true},
	{"67 [r8d+esi*4+d32]", R8, RSI, 4, 4, 0, true, false, true},
	{"67 [eip+d32]", NO_REG, NO_REG, 1, 4, 0, true, true, true},
	{"gs:[rbx]", RBX, NO_REG, 1, 0, GS, false, false, false},
	{"gs:[rbx+r14*2+d32]", RBX, R14, 2, 4, GS, false, false, false},
	{"fs:[rbx+d8]", RBX, NO_REG, 1, 1, FS, false, false, false},
	{"67 gs:[ebx+d32]", RBX, NO_REG, 1, 4, GS, true, false, true},
	{"ds:[rsp+d32]", RSP, NO_REG, 1, 4, 0x3e, false, false, false}, /* ignored in 64-bit code */
};

static const struct insn_address sib64[] = {
	{"[rbx+r14]", RBX, R14, 1, 0, 0, false, false, false},
	{"[rbp+r14+d32]", RBP, R14, 1, 4, 0, false, false, false},
	{"gs:[rbx+r14*1+d8]", RBX, R14, 1, 1, GS, false, false, false},
	{"67 [ebx+r14d*1+d32]", RBX, R14, 1, 4, 0, true, false, true},
};

/* index: vector register 7 */
static const struct insn_address vsib64[] = {
	{"[rbx+v7]", RBX, 7, 1, 0, 0, false, false, false},
	{"[rbx+v7*4+d32]", RBX, 7, 4, 4, 0, false, false, false},
	{"[r13+v7*8+d32]", R13, 7, 8, 4, 0, false, false, false},
	{"[v7*2+d32]", NO_REG, 7, 2, 4, 0, false, false, true},
	{"gs:[rbp+v7*2+d32]", RBP, 7, 2, 4, GS, false, false, false},
	{"67 [ebx+v7+d32]", RBX, 7, 1, 4, 0, true, false, true},
};

/* Instructions whose addresses are in fixed registers: prefixes remain. */
static const struct insn_address fixed64[] = {
	{"fixed", NO_REG, NO_REG, 1, 0, 0, false, false, false},
	{"gs: fixed", NO_REG, NO_REG, 1, 0, GS, false, false, false},
	{"67 fixed", NO_REG, NO_REG, 1, 0, 0, true, false, true},
};

static const struct insn_address modrm32[] = {
	{"[ebx]", RBX, NO_REG, 1, 0, 0, false, false, true},
	{"[ebp+d8]", RBP, NO_REG, 1, 1, 0, false, false, true},
	{"[esi+d32]", RSI, NO_REG, 1, 4, 0, false, false, true},
	{"[esp+d32]", RSP, NO_REG, 1, 4, 0, false, false, true},
	{"[ebx+edi*4+d8]", RBX, RDI, 4, 1, 0, false, false, true},
	{"[ebp+esi*8+d32]", RBP, RSI, 8, 4, 0, false, false, true},
	{"[esi*2+d32]", NO_REG, RSI, 2, 4, 0, false, false, true},
	{"[d32]", NO_REG, NO_REG, 1, 4, 0, false, false, true},
	{"gs:[ebx+d8]", RBX, NO_REG, 1, 1, GS, false, false, true},
	{"ss:[ebx+d8]", RBX, NO_REG, 1, 1, 0x36, false, false, true},
};

static const struct insn_address vsib32[] = {
	{"[ebx+v7]", RBX, 7, 1, 0, 0, false, false, true},
	{"[ebp+v7*4+d32]", RBP, 7, 4, 4, 0, false, false, true},
};

/* by prefix 67 in 32-bit code */
static const struct insn_address modrm16[] = {
	{"67 [bx+si]", RBX, RSI, 1, 0, 0, true, false, true},
	{"67 [bx+di+d8]", RBX, RDI, 1, 1, 0, true, false, true},
	{"67 [bp+si+d16]", RBP, RSI, 1, 2, 0, true, false, true},
	{"67 [bp+di]", RBP, RDI, 1, 0, 0, true, false, true},
	{"67 [si+d8]", RSI, NO_REG, 1, 1, 0, true, false, true},
	{"67 [di]", RDI, NO_REG, 1, 0, 0, true, false, true},
	{"67 [bp+d8]", RBP, NO_REG, 1, 1, 0, true, false, true},
	{"67 [bx+d16]", RBX, NO_REG, 1, 2, 0, true, false, true},
	{"67 [d16]", NO_REG, NO_REG, 1, 2, 0, true, false, true},
};

#define LIST(table)                                            \
	(struct insn_address_list)                             \
	{                                                      \
		.item = (table), .count = FL_ARRAY_SIZE(table) \
	}

static bool is_fixed(const struct insn_form *form)
{
	for (const char *at = form->code; *at; at++)
		if (at[0] == '/')
			return false;
	return true;
}

struct insn_address_list insn_addresses(const struct insn_form *form, enum insn_bits bits)
{
	struct insn_address_list list;

	if (is_fixed(form)) {
		list = LIST(fixed64);
		/* prefixes mean nothing where only the stack or an immediate address is used */
		if (!(form->flags & (F_RSI | F_RDI | F_RAX | F_XLAT)))
			list.count = 1;
		else if (bits != BITS_64)
			list.count = 2;
		if (bits == BITS_32_ADDRESS16)
			list = (struct insn_address_list){.item = &fixed64[2], .count = 1};
		return list;
	}
	if (bits == BITS_32_ADDRESS16)
		return LIST(modrm16);
	if (form->flags & F_VSIB)
		return bits == BITS_64 ? LIST(vsib64) : LIST(vsib32);
	if (form->flags & F_SIB)
		return LIST(sib64);
	return bits == BITS_64 ? LIST(modrm64) : LIST(modrm32);
}
