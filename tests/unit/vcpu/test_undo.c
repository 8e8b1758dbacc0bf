/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores that KVM's emulator has retired: the registers of before are found again. Each case states the
 * registers before and after as the manuals define the instruction.
 */
#include "tests/lib/fl_test.h"

#include "tests/unit/vcpu/fake_world.h"
#include "tests/unit/vcpu/insn_regs.h"
#include "vcpu/undo.h"

#define CODE UINT64_C(0x400000)
#define DATA UINT64_C(0x7f0000001000)
#define GPA  (FAKE_WINDOW + 0x5000)

struct setup {
	struct fake_world world;
	struct fake_page *code;
	struct kvm_regs before, after, found;
	struct kvm_sregs sregs;
};

static int set_up(void **state)
{
	struct setup *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->code = fake_add(&s->world, CODE, 0x3000);
	fake_add(&s->world, DATA, GPA);
	s->sregs = test_sregs();
	s->before = test_regs();
	s->before.rip = CODE + 0x100;
	memset(s->code->bytes, 0x90, sizeof(s->code->bytes));
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static int undo(struct setup *s, uint64_t gpa, uint32_t len, uint64_t data)
{
	const struct fl_intake in = {.kind = FL_INTAKE_FAULT,
				     .shape = FL_SHAPE_MMIO,
				     .gpa_valid = true,
				     .gpa_exact = true,
				     .gpa = gpa,
				     .len = len,
				     .write = true,
				     .access = FL_ACCESS_WRITE};
	const struct fl_cpu_view after = {.regs = &s->after, .sregs = &s->sregs};
	struct fl_locate_ops ops = fake_ops(&s->world);

	return fl_undo_store(&ops, &after, &in, data, &s->found);
}

#define SET_CODE(s, bytes_) memcpy((s)->code->bytes + 0x100, bytes_, sizeof(bytes_) - 1)

static void check(struct setup *s, uint64_t gpa, uint32_t len, uint64_t data)
{
	assert_int_equal(undo(s, gpa, len, data), 0);
	assert_memory_equal(&s->found, &s->before, sizeof(s->found));
}

static void test_mov(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x48\x89\x03"); /* mov %rax,(%rbx) */
	s->before.rbx = DATA + 0x10;
	s->before.rax = 0x1122334455667788;
	s->after = s->before;
	s->after.rip += 3;
	check(s, GPA + 0x10, 8, 0x1122334455667788);
}

/* The same bytes without REX.W are another store: length and data tell them apart. */
static void test_mov_short(void **state)
{
	struct setup *s = *state;

	memcpy(s->code->bytes + 0xff, "\x48\x89\x03", 3);
	s->before.rbx = DATA + 0x10;
	s->before.rax = 0x1122334455667788;
	s->after = s->before;
	s->after.rip += 2;
	check(s, GPA + 0x10, 4, 0x55667788);
}

static void test_mov_indexed(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x66\x42\x89\x8c\xe3\x00\x01\x00\x00"); /* mov %cx,0x100(%rbx,%r12,8) */
	s->before.rbx = DATA;
	s->before.r12 = 4;
	s->before.rcx = 0xabcd;
	s->after = s->before;
	s->after.rip += 9;
	check(s, GPA + 0x120, 2, 0xabcd);
}

static void test_mov_high_byte(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x88\x23"); /* mov %ah,(%rbx) */
	s->before.rbx = DATA;
	s->before.rax = 0x5a00;
	s->after = s->before;
	s->after.rip += 2;
	check(s, GPA, 1, 0x5a);
}

static void test_push(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x50"); /* push %rax */
	s->before.rsp = DATA + 0x108;
	s->after = s->before;
	s->after.rip += 1;
	s->after.rsp -= 8;
	check(s, GPA + 0x100, 8, s->before.rax);
}

static void test_call_relative(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xe8\x00\x02\x00\x00"); /* call .+0x205 */
	s->before.rsp = DATA + 0x108;
	s->after = s->before;
	s->after.rip += 5 + 0x200;
	s->after.rsp -= 8;
	check(s, GPA + 0x100, 8, s->before.rip + 5);
}

static void test_call_register(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xff\xd1"); /* call *%rcx */
	s->before.rsp = DATA + 0x108;
	s->before.rcx = CODE + 0x800;
	s->after = s->before;
	s->after.rip = CODE + 0x800;
	s->after.rsp -= 8;
	check(s, GPA + 0x100, 8, s->before.rip + 2);
}

static void test_stosb(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xaa");
	s->before.rdi = DATA + 0x20;
	s->after = s->before;
	s->after.rip += 1;
	s->after.rdi += 1;
	check(s, GPA + 0x20, 1, 0x10);
}

/* The emulator stays at a repeated instruction, with one iteration done. */
static void test_rep_movsl_backwards(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xf3\xa5"); /* rep movsl */
	s->before.rflags |= 0x400;
	s->before.rdi = DATA + 0x20;
	s->before.rsi = CODE + 0x40;
	s->before.rcx = 7;
	s->after = s->before;
	s->after.rdi -= 4;
	s->after.rsi -= 4;
	s->after.rcx = 6;
	check(s, GPA + 0x20, 4, 0);
}

static void test_rep_stosq_last(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xf3\x48\xab"); /* rep stosq */
	s->before.rdi = DATA + 0x20;
	s->before.rcx = 1;
	s->after = s->before;
	s->after.rdi += 8;
	s->after.rcx = 0;
	check(s, GPA + 0x20, 8, 0x10);
}

static void test_pop_to_memory(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x8f\x03"); /* pop (%rbx) */
	s->before.rbx = DATA + 0x20;
	s->before.rsp = CODE + 0x10;
	s->after = s->before;
	s->after.rip += 2;
	s->after.rsp += 8;
	check(s, GPA + 0x20, 8, 0);
}

static void test_enter(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xc8\x10\x00\x00"); /* enter $16,$0 */
	s->before.rsp = DATA + 0x108;
	s->after = s->before;
	s->after.rip += 4;
	s->after.rbp = DATA + 0x100;
	s->after.rsp = DATA + 0x100 - 16;
	check(s, GPA + 0x100, 8, s->before.rbp);
}

static void test_status_words(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xd9\x3b"); /* fnstcw (%rbx) */
	s->before.rbx = DATA + 0x20;
	s->after = s->before;
	s->after.rip += 2;
	check(s, GPA + 0x20, 2, 0x37f);
	SET_CODE(s, "\xdd\x3b"); /* fnstsw (%rbx) */
	check(s, GPA + 0x20, 2, 0);
}

/* A 16-byte store is reported in parts of 8. */
static void test_sse_store(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x0f\x29\x0b"); /* movaps %xmm1,(%rbx) */
	s->before.rbx = DATA + 0x20;
	s->after = s->before;
	s->after.rip += 3;
	check(s, GPA + 0x20, 8, 0);
}

/* What was lost cannot be guessed: xchg has overwritten its register, add the flags. */
static void test_not_a_plain_store(void **state)
{
	struct setup *s = *state;

	s->before.rbx = DATA + 0x20;
	s->after = s->before;
	s->after.rip += 3;
	SET_CODE(s, "\x48\x87\x03"); /* xchg %rax,(%rbx) */
	assert_int_equal(undo(s, GPA + 0x20, 8, 0), -ENOENT);
	SET_CODE(s, "\x48\x01\x03"); /* add %rax,(%rbx) */
	assert_int_equal(undo(s, GPA + 0x20, 8, 0), -ENOENT);
}

static void test_no_store_leads_there(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x48\x89\x03");
	s->before.rbx = DATA + 0x10;
	s->after = s->before;
	s->after.rip += 3;
	assert_int_equal(undo(s, GPA + 0x18, 8, 0x10), -ENOENT);
	assert_int_equal(undo(s, GPA + 0x10, 2, 0x10), -ENOENT);
	assert_int_equal(undo(s, GPA + 0x10, 8, 0x11), -ENOENT);
	s->after.rip = 0x123456789000;
	assert_int_equal(undo(s, GPA + 0x10, 8, 0x10), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	TEST(test_mov),
	TEST(test_mov_short),
	TEST(test_mov_indexed),
	TEST(test_mov_high_byte),
	TEST(test_push),
	TEST(test_call_relative),
	TEST(test_call_register),
	TEST(test_stosb),
	TEST(test_rep_movsl_backwards),
	TEST(test_rep_stosq_last),
	TEST(test_pop_to_memory),
	TEST(test_enter),
	TEST(test_status_words),
	TEST(test_sse_store),
	TEST(test_not_a_plain_store),
	TEST(test_no_store_leads_there),
};

FL_TEST_MAIN(30, tests)
