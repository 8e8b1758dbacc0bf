/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AMD's CPUs need of memory where others need something else. The expected values are those of a CPU of family 25,
 * model 17 (Zen 4): it was asked by tests/native, which asks whatever CPU it runs on.
 */
#include "tests/unit/vcpu/operands_setup.h"

static int set_up_amd(void **state)
{
	int ret = set_up(state);

	if (ret == 0)
		((struct setup *)*state)->cpu.amd = true;
	return ret;
}

/* All of a selector's slot; SS and SP, in this order, also where they will not be used. */
static void test_stack(void **state)
{
	static const struct expected table[] = {
		INSN("pop %gs", "\x0f\xa9", {0x9000, 8, R}),
		INSN("lretq", "\x48\xcb", {0x9008, 8, R}, {0x9000, 8, R}, {0x9018, 8, R}, {0x9010, 8, R}),
		INSN("iretq", "\x48\xcf", {0x9010, 8, R}, {0x9008, 8, R}, {0x9000, 8, R}, {0x9020, 8, R},
		     {0x9018, 8, R}),
	};
	struct setup *s = *state;

	check_all(table, FL_ARRAY_SIZE(table), &s->cpu);
}

static void test_stack_32(void **state)
{
	static const struct expected table[] = {
		INSN("push %ds", "\x1e", {0x8ffc, 4, W}),
		INSN("lret", "\xcb", {0x9004, 4, R}, {0x9000, 4, R}, {0x900c, 4, R}, {0x9008, 4, R}),
	};
	struct setup *s = *state;

	s->sregs.cs.l = 0;
	s->sregs.cs.db = 1;
	s->sregs.ss.base = 0;
	check_all(table, FL_ARRAY_SIZE(table), &s->cpu);
}

/* REX.W makes no offset of 64 bits of it. */
static void test_far_pointers(void **state)
{
	static const struct expected table[] = {
		INSN("lgs (%rbx),%rdx", "\x48\x0f\xb5\x13", {0x2000, 6, R}),
		INSN("rex.W ljmp *(%rbx)", "\x48\xff\x2b", {0x2000, 6, R}),
		INSN("jmp *(%rbx)", "\xff\x23", {0x2000, 8, R}),
	};
	struct setup *s = *state;

	check_all(table, FL_ARRAY_SIZE(table), &s->cpu);
}

/* From the first byte to the last one of what is wanted last, and of the header at least. */
static void test_xsave(void **state)
{
	static const struct expected nothing = INSN("xsave (%rbx)", "\x0f\xae\x23", {0x2000, 576, W});
	static const struct expected avx = INSN("xrstor (%rbx)", "\x0f\xae\x2b", {0x2000, 832, R});
	static const struct expected gap = INSN("xsaveopt (%rbx)", "\x0f\xae\x33", {0x2000, 2696, W});
	static const struct expected compacted = INSN("xsavec (%rbx)", "\x0f\xc7\x23", {0x2000, 584, W});
	struct setup *s = *state;

	s->layout.component[2].offset = 576;
	s->layout.component[2].len = 256;
	s->layout.component[9].offset = 2688;
	s->layout.component[9].len = 8;
	s->vectors.xsave = &s->layout;
	s->vectors.xcr0 = 0x207;
	s->regs.rdx = 0;
	s->regs.rax = 0;
	check(&nothing, &s->cpu);
	s->regs.rax = 4;
	check(&avx, &s->cpu);
	s->regs.rax = 0x200;
	check(&gap, &s->cpu);
	check(&compacted, &s->cpu);
}

/* The line that rAX points into, in the segment of the last prefix. */
static void test_clzero(void **state)
{
	static const struct expected plain = INSN("clzero", "\x0f\x01\xfc", {0x12340, 64, W});
	static const struct expected gs = INSN("gs clzero", "\x65\x0f\x01\xfc", {GS_BASE + 0x12340, 64, W});
	static const struct expected narrow = INSN("addr32 clzero", "\x67\x0f\x01\xfc", {0x12340, 64, W});
	struct setup *s = *state;

	s->regs.rax = 0x1237f;
	check(&plain, &s->cpu);
	check(&gs, &s->cpu);
	s->regs.rax = UINT64_C(0x100012345);
	check(&narrow, &s->cpu);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_amd, tear_down)
static const struct CMUnitTest tests[] = {
	TEST(test_stack), TEST(test_stack_32), TEST(test_far_pointers), TEST(test_xsave), TEST(test_clzero),
};
FL_TEST_MAIN(20, tests)
