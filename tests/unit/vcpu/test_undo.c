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

/* ---- bytes before the store that could be its prefixes ---- */

/* A function's code as a compiler writes it, then one more instruction, then the store. */
static void put_store(struct setup *s, const char *last, size_t last_len, const char *store, size_t store_len)
{
	static const char code[] = "\x55"	      /* push %rbp */
				   "\x48\x89\xe5"     /* mov %rsp,%rbp */
				   "\x53"	      /* push %rbx */
				   "\x48\x83\xec\x18" /* sub $24,%rsp */
				   "\x48\x89\xfb"     /* mov %rdi,%rbx */
				   "\x31\xc0"	      /* xor %eax,%eax */
				   "\x85\xf6"	      /* test %esi,%esi */
				   "\x7e\x2a"	      /* jle .+44 */
				   "\x48\x8b\x43\x08" /* mov 8(%rbx),%rax */
				   "\x48\x01\xf0"     /* add %rsi,%rax */
				   "\x0f\xb6\x4b\x10" /* movzbl 16(%rbx),%ecx */
				   "\x83\xc1\x01"     /* add $1,%ecx */
				   "\x89\x4d\xec";    /* mov %ecx,-20(%rbp) */
	uint8_t *at = s->code->bytes + 0x100;

	memcpy(at, store, store_len);
	memcpy(at - last_len, last, last_len);
	for (size_t i = 1; i <= 0x80; i++)
		at[-(ptrdiff_t)(last_len + i)] = (uint8_t)code[sizeof(code) - 2 - (i - 1) % (sizeof(code) - 1)];
	s->before.rbx = DATA + 0x10;
	s->before.rax = 0x1122334455667788;
	s->after = s->before;
	s->after.rip += store_len;
}

#define PUT_STORE(s, code, store) put_store(s, code, sizeof(code) - 1, store, sizeof(store) - 1)

/* The last byte of what is before it is a displacement, whatever it looks like. */
static void test_prefix_of_nothing(void **state)
{
	static const char looks[] = "\x26\x2e\x36\x3e\x65\x66\x67\xf2\xf3\x40\x41\x44\x48\x4f";
	char load[] = "\x48\x8b\x43\x2e"; /* mov 0x2e(%rbx),%rax */
	struct setup *s = *state;

	for (size_t i = 0; i < sizeof(looks) - 1; i++) {
		load[3] = looks[i];
		put_store(s, load, sizeof(load) - 1, "\x48\x89\x03", 3); /* mov %rax,(%rbx) */
		check(s, GPA + 0x10, 8, 0x1122334455667788);
	}
}

/* The same where it changes what the instruction means, but not what came of it: %sil and %dh are equal. */
static void test_prefix_of_nothing_that_matters(void **state)
{
	struct setup *s = *state;

	PUT_STORE(s, "\x48\x8b\x43\x40", "\x88\x33"); /* mov 0x40(%rbx),%rax; mov %dh,(%rbx) */
	s->before.rsi = s->after.rsi = 0x77;
	s->before.rdx = s->after.rdx = 0x7700;
	check(s, GPA + 0x10, 1, 0x77);
}

/* Assemblers pad with prefixes; the code before ends where the first of them is. */
static void test_prefix_without_effect(void **state)
{
	struct setup *s = *state;

	PUT_STORE(s, "\x48\x8b\x43\x08", "\x2e\x48\x89\x03"); /* mov 8(%rbx),%rax; cs mov %rax,(%rbx) */
	check(s, GPA + 0x10, 8, 0x1122334455667788);
	PUT_STORE(s, "\x48\x8b\x43\x08", "\x66\x66\x2e\x48\x89\x03");
	check(s, GPA + 0x10, 8, 0x1122334455667788);
}

/* What linkers make of a call through a table: addr32 call. */
static void test_call_with_prefix(void **state)
{
	struct setup *s = *state;

	PUT_STORE(s, "\x48\x8b\x43\x08", "\x67\xe8\x00\x02\x00\x00");
	s->before.rsp = DATA + 0x108;
	s->after = s->before;
	s->after.rip += 6 + 0x200;
	s->after.rsp -= 8;
	check(s, GPA + 0x100, 8, s->before.rip + 6);
	PUT_STORE(s, "\x48\x8b\x43\x67", "\xe8\x00\x02\x00\x00");
	s->before.rsp = DATA + 0x108;
	s->after = s->before;
	s->after.rip += 5 + 0x200;
	s->after.rsp -= 8;
	check(s, GPA + 0x100, 8, s->before.rip + 5);
}

/* At the first bytes of a page behind which nothing can be read nothing can be said of the code before. */
static void test_no_code_before(void **state)
{
	struct setup *s = *state;

	memcpy(s->code->bytes, "\x2e\x48\x89\x03", 4);
	s->before.rip = CODE + 1;
	s->before.rbx = DATA + 0x10;
	s->before.rax = 0x1122334455667788;
	s->after = s->before;
	s->after.rip = CODE + 4;
	check(s, GPA + 0x10, 8, 0x1122334455667788); /* the same store either way: the shortest */
	memcpy(s->code->bytes, "\x40\x88\x33", 3);   /* mov %sil,(%rbx) or mov %dh,(%rbx) */
	s->after.rip = CODE + 3;
	s->after.rsi = 0x77;
	s->after.rdx = 0x7700;
	assert_int_equal(undo(s, GPA + 0x10, 1, 0x77), -ENOENT);
	s->after.rdx = 0x7800; /* the data tells */
	s->before = s->after;
	s->before.rip = CODE;
	check(s, GPA + 0x10, 1, 0x77);
}

/* One iteration of what is at RIP, or what is before it? */
static void test_repeated_or_not(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xaa\xf3\xaa"); /* stosb; rep stosb */
	s->after = s->before;
	s->after.rdi = DATA + 0x21;
	s->after.rip += 1;
	assert_int_equal(undo(s, GPA + 0x20, 1, 0x10), -ENOENT);
}

static void test_constants(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x48\xc7\x03\xfe\xff\xff\xff"); /* movq $-2,(%rbx) */
	s->before.rbx = DATA + 0x10;
	s->after = s->before;
	s->after.rip += 7;
	check(s, GPA + 0x10, 8, UINT64_C(0xfffffffffffffffe));
	assert_int_equal(undo(s, GPA + 0x10, 8, 0xfffffffe), -ENOENT);
	SET_CODE(s, "\x6a\xfe"); /* push $-2 */
	s->before.rsp = DATA + 0x108;
	s->after = s->before;
	s->after.rip += 2;
	s->after.rsp -= 8;
	check(s, GPA + 0x100, 8, UINT64_C(0xfffffffffffffffe));
	assert_int_equal(undo(s, GPA + 0x100, 8, 0xfffffffe), -ENOENT);
}

/* Only the part of a store behind a page's end: its length is known, too. */
static void test_second_part(void **state)
{
	struct setup *s = *state;

	fake_add(&s->world, DATA + 0x1000, GPA + 0x9000);
	SET_CODE(s, "\x48\x89\x03");
	s->before.rbx = DATA + 0xffd;
	s->after = s->before;
	s->after.rip += 3;
	check(s, GPA + 0x9000, 5, 0);
	assert_int_equal(undo(s, GPA + 0x9000, 4, 0), -ENOENT);
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
	TEST(test_prefix_of_nothing),
	TEST(test_prefix_of_nothing_that_matters),
	TEST(test_prefix_without_effect),
	TEST(test_call_with_prefix),
	TEST(test_no_code_before),
	TEST(test_repeated_or_not),
	TEST(test_constants),
	TEST(test_second_part),
};

FL_TEST_MAIN(30, tests)
