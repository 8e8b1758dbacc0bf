/* SPDX-License-Identifier: Apache-2.0 */
/*
 * insn_form: the instructions under test, in the notation of SDM vol. 2 ("66 0F 38 F0 /r",
 * "EVEX.512.F3.0F.W0 6F /r"), and an assembler for that notation. It knows nothing of the decoder under test.
 */
#ifndef FL_INSN_FORM_H
#define FL_INSN_FORM_H

#include "fl_base.h"

/* What is counted together in the table that the test prints. */
enum insn_class {
	CLASS_MOVE,
	CLASS_ALU,
	CLASS_RMW,
	CLASS_BIT_STRING,
	CLASS_STACK,
	CLASS_BRANCH,
	CLASS_STRING,
	CLASS_X87,
	CLASS_STATE,
	CLASS_SSE,
	CLASS_AVX,
	CLASS_AVX_MASKED,
	CLASS_AVX512,
	CLASS_AVX512_MASKED,
	CLASS_COMPRESS,
	CLASS_GATHER,
	CLASS_SCATTER,
	CLASS_AMX,
	CLASS_CACHE,
	CLASS_SYSTEM,
	CLASS_FETCH,
	CLASS_COMPAT,
	CLASS_COMPAT_SEGMENT,
	CLASS_REAL_ADDRESS,
	CLASS_COUNT,
};

/* What the CPU must have. */
enum insn_need {
	NEED_NOTHING,
	NEED_MOVBE,
	NEED_POPCNT,
	NEED_BMI,
	NEED_ADX,
	NEED_CX16,
	NEED_SSE42,
	NEED_AES,
	NEED_F16C,
	NEED_FMA,
	NEED_AVX,
	NEED_AVX2,
	NEED_AVX512,
	NEED_VBMI2,
	NEED_AMX,
	NEED_XSAVE,
	NEED_XSAVEOPT,
	NEED_XSAVEC,
	NEED_CLFLUSHOPT,
	NEED_CLWB,
	NEED_CLDEMOTE,
	NEED_CLZERO,
	NEED_MOVDIRI,
	NEED_MOVDIR64B,
	NEED_MONITORX,
	NEED_WAITPKG,
	NEED_ENQCMD,
	NEED_SSE4A,
	NEED_NO_UMIP,
	NEED_FAR,
	NEED_COUNT,
};

/* How the addresses of a form's operands get into registers; the ModRM operand is the first if there is one. */
enum {
	F_RSI = 1 << 0,	  /* first operand at RSI */
	F_RDI = 1 << 1,	  /* first operand at RDI */
	F_RDI2 = 1 << 2,  /* second operand at RDI */
	F_PUSH = 1 << 3,  /* first operand ends at RSP */
	F_POP = 1 << 4,	  /* first operand at RSP */
	F_PUSH2 = 1 << 5, /* the same for the second */
	F_POP2 = 1 << 6,
	F_RBP = 1 << 7,	 /* first operand at RBP */
	F_RAX = 1 << 8,	 /* first operand at RAX */
	F_REG2 = 1 << 9, /* second operand at the register of ModRM.reg */
	F_MOFFS = 1 << 10,
	F_REP = 1 << 11,  /* repeated: RCX > 1 */
	F_BITS = 1 << 12, /* ModRM.reg is a bit number beyond the operand */
	F_XLAT = 1 << 13,
	F_SIGNS = 1 << 14,  /* VEX.vvvv holds sign masks */
	F_OPMASK = 1 << 15, /* may have {k1} */
	F_VSIB = 1 << 16,
	F_SIB = 1 << 17, /* a SIB byte there must be */
	F_TILE = 1 << 18,
	F_XSAVE = 1 << 19,
	F_SCALED = 1 << 20, /* EVEX disp8 counts in units of len */
	F_ONLY64 = 1 << 21,
	F_ONLY32 = 1 << 22,
	F_IN32 = 1 << 23,    /* is tried in 32-bit code, too */
	F_WIDE = 1 << 24,    /* tried with all ways of addressing */
	F_QINDEX = 1 << 25,  /* VSIB indices of 64 bits */
	F_AREA = 1 << 28,    /* the CPU names a byte of its choice of what it needs */
	F_RAISES = 1 << 29,  /* #GP or #BR, once it has read the zeros that are there */
	F_PARTIAL = 1 << 30, /* registers may be loaded before a fault; running it again loads them again */
	F_TARGET = 1 << 27,  /* ModRM.reg holds a branch target */
	F_ENTER = 1 << 26,   /* the first operand is the frame pushed, the second the old frames at RBP */
};

struct insn_form {
	const char *name, *code;
	enum insn_class class;
	enum insn_need need;
	uint16_t len, len2; /* bytes of the first and the second operand */
	uint16_t align;
	uint16_t element_len; /* of what a mask selects */
	uint32_t flags;
};

extern const struct insn_form insn_forms_general[], insn_forms_vector[];
extern const size_t insn_forms_general_count, insn_forms_vector_count;
bool insn_cpu_has(enum insn_need need);
/* QEMU's TCG, which is an authority for less than a CPU is. */
bool insn_cpu_is_software(void);
const char *insn_need_name(enum insn_need need);
const char *insn_class_name(enum insn_class class);

#define NO_REG 0xff
/* A memory operand as ModRM and SIB say it. */
struct insn_address {
	const char *name;
	uint8_t base, index; /* NO_REG */
	uint8_t scale;	     /* 1, 2, 4, 8 */
	uint8_t disp_len;    /* 0, 1, 2, 4 */
	uint8_t segment;     /* the prefix byte or 0 */
	bool short_address;  /* prefix 67 */
	bool rip_relative;
	bool low; /* reaches the lower 2 GiB only */
};

struct insn_coding {
	const struct insn_form *form;
	const struct insn_address *address;
	int64_t disp; /* RIP-relative: the target */
	uint64_t rip;
	uint8_t reg, mask; /* ModRM.reg if the form leaves it open; opmask */
	bool legacy;	   /* 16- or 32-bit code */
	bool address16;
};

/* Bytes written, at most 15; 0: cannot be encoded so. */
size_t insn_encode(const struct insn_coding *coding, uint8_t *out);

#endif
