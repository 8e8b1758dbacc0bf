/* SPDX-License-Identifier: Apache-2.0 */
/* Names, and what this CPU has: SDM vol. 2A CPUID, APM vol. 3 appendix E for AMD's. */
#include <cpuid.h>
#include <string.h>

#include "tests/native/insn_form.h"
#include "tests/native/native_run.h"

enum { EAX, EBX, ECX, EDX };

struct need {
	const char *name;
	uint32_t leaf, subleaf;
	uint8_t reg, bit;
};

static const struct need needs[NEED_COUNT] = {
	[NEED_MOVBE] = {"MOVBE", 1, 0, ECX, 22},
	[NEED_POPCNT] = {"POPCNT", 1, 0, ECX, 23},
	[NEED_BMI] = {"BMI2", 7, 0, EBX, 8},
	[NEED_ADX] = {"ADX", 7, 0, EBX, 19},
	[NEED_CX16] = {"CMPXCHG16B", 1, 0, ECX, 13},
	[NEED_SSE42] = {"SSE4.2", 1, 0, ECX, 20},
	[NEED_AES] = {"AES-NI", 1, 0, ECX, 25},
	[NEED_F16C] = {"F16C", 1, 0, ECX, 29},
	[NEED_FMA] = {"FMA", 1, 0, ECX, 12},
	[NEED_AVX] = {"AVX", 1, 0, ECX, 28},
	[NEED_AVX2] = {"AVX2", 7, 0, EBX, 5},
	[NEED_AVX512] = {"AVX-512BW", 7, 0, EBX, 30},
	[NEED_VBMI2] = {"AVX-512 VBMI2", 7, 0, ECX, 6},
	[NEED_AMX] = {"AMX", 7, 0, EDX, 24},
	[NEED_XSAVE] = {"XSAVE", 1, 0, ECX, 27},
	[NEED_XSAVEOPT] = {"XSAVEOPT", 0xd, 1, EAX, 0},
	[NEED_XSAVEC] = {"XSAVEC", 0xd, 1, EAX, 1},
	[NEED_CLFLUSHOPT] = {"CLFLUSHOPT", 7, 0, EBX, 23},
	[NEED_CLWB] = {"CLWB", 7, 0, EBX, 24},
	[NEED_CLDEMOTE] = {"CLDEMOTE", 7, 0, ECX, 25},
	[NEED_CLZERO] = {"CLZERO", 0x80000008, 0, EBX, 0},
	[NEED_MOVDIRI] = {"MOVDIRI", 7, 0, ECX, 27},
	[NEED_MOVDIR64B] = {"MOVDIR64B", 7, 0, ECX, 28},
	[NEED_MONITORX] = {"MONITORX", 0x80000001, 0, ECX, 29},
	[NEED_WAITPKG] = {"WAITPKG", 7, 0, ECX, 5},
	[NEED_ENQCMD] = {"ENQCMD", 7, 0, ECX, 29},
	[NEED_SSE4A] = {"SSE4A", 0x80000001, 0, ECX, 6},
	[NEED_NO_UMIP] = {"SGDT and the like without UMIP", 7, 0, ECX, 2},
	[NEED_FAR] = {"far returns with the rights of user code", 0, 0, 0, 0},
};

static bool has_bit(const struct need *need)
{
	unsigned int reg[4];

	return __get_cpuid_count(need->leaf, need->subleaf, &reg[EAX], &reg[EBX], &reg[ECX], &reg[EDX]) &&
	       (reg[need->reg] >> need->bit & 1);
}

bool insn_cpu_is_software(void)
{
	unsigned int eax, name[3];

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return memcmp(name, "TCGTCGTCGTCG", sizeof(name)) == 0;
}

bool insn_cpu_has(enum insn_need need)
{
	switch (need) {
	case NEED_NOTHING:
		return true;
	case NEED_AMX:
		return native_has_amx();
	case NEED_NO_UMIP: /* where it is, Linux uses it, and emulates the instructions in user mode */
		return !has_bit(&needs[need]);
	case NEED_FAR: /* QEMU uses the stack of LRET, IRET and LCALL with the kernel's rights, which dies of it */
		return !insn_cpu_is_software();
	case NEED_AVX:
	case NEED_AVX2:
	case NEED_AVX512:
		return has_bit(&needs[need]) && has_bit(&(struct need){"OSXSAVE", 1, 0, ECX, 27});
	default:
		return has_bit(&needs[need]);
	}
}

const char *insn_need_name(enum insn_need need)
{
	return needs[need].name;
}

const char *insn_class_name(enum insn_class class)
{
	static const char *const names[CLASS_COUNT] = {
		[CLASS_MOVE] = "moves",
		[CLASS_ALU] = "arithmetic reads",
		[CLASS_RMW] = "read-modify-write",
		[CLASS_BIT_STRING] = "bit strings",
		[CLASS_STACK] = "stack",
		[CLASS_BRANCH] = "branches, far pointers",
		[CLASS_STRING] = "strings",
		[CLASS_X87] = "x87",
		[CLASS_STATE] = "saved state",
		[CLASS_SSE] = "MMX, SSE",
		[CLASS_AVX] = "AVX, AVX2",
		[CLASS_AVX_MASKED] = "AVX masked moves",
		[CLASS_AVX512] = "AVX-512",
		[CLASS_AVX512_MASKED] = "AVX-512 masked",
		[CLASS_COMPRESS] = "compress, expand",
		[CLASS_GATHER] = "gathers",
		[CLASS_SCATTER] = "scatters",
		[CLASS_AMX] = "AMX",
		[CLASS_CACHE] = "cache lines, no access",
		[CLASS_SYSTEM] = "descriptor tables",
		[CLASS_FETCH] = "instruction fetch",
		[CLASS_COMPAT] = "32-bit code",
		[CLASS_COMPAT_SEGMENT] = "32-bit, segment bases",
		[CLASS_REAL_ADDRESS] = "32-bit, 16-bit addresses",
	};

	return names[class];
}
