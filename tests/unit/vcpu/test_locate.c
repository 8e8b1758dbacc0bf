/* SPDX-License-Identifier: Apache-2.0 */
/* Which byte failed: an instruction, registers, a little memory and some bad pages. */
#include "tests/lib/fl_test.h"

#include "tests/unit/vcpu/fake_world.h"
#include "tests/unit/vcpu/insn_regs.h"

#define CODE   UINT64_C(0x400000)
#define DATA   UINT64_C(0x7f0000001000) /* two pages that follow each other, but not in guest-physical space */
#define OTHER  UINT64_C(0x7f0000009000)
#define DATA_A (FAKE_WINDOW + 0x5000)
#define DATA_B (FAKE_WINDOW + 0x2000)
#define RAM    UINT64_C(0x9000)

struct setup {
	struct fake_world world;
	struct fake_page *code, *a, *b, *ram;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct fl_pieces pieces;
	struct fl_location at;
};

static int set_up(void **state)
{
	struct setup *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->code = fake_add(&s->world, CODE, 0x3000);
	s->a = fake_add(&s->world, DATA, DATA_A);
	s->b = fake_add(&s->world, DATA + 0x1000, DATA_B);
	s->ram = fake_add(&s->world, OTHER, RAM);
	s->regs = test_regs();
	s->sregs = test_sregs();
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static enum fl_locate_result locate_in(struct setup *s, const struct fl_intake *in)
{
	struct fl_locate_ops ops = fake_ops(&s->world);
	struct fl_cpu_view cpu = {.regs = &s->regs, .sregs = &s->sregs};

	fl_locate_pieces(&ops, &cpu, &s->pieces);
	return fl_locate(&ops, in, &s->pieces, &s->at);
}

static enum fl_locate_result locate(struct setup *s)
{
	static const struct fl_intake bare = {.kind = FL_INTAKE_FAULT, .shape = FL_SHAPE_EFAULT};

	return locate_in(s, &bare);
}

#define SET_CODE(s, bytes_) memcpy((s)->code->bytes, bytes_, sizeof(bytes_) - 1)

static void check_at(const struct setup *s, uint64_t gva, uint64_t gpa, enum fl_access access)
{
	assert_true(s->at.gpa_valid);
	assert_true(s->at.gva_valid);
	assert_int_equal(s->at.gva, gva);
	assert_int_equal(s->at.gpa, gpa);
	assert_int_equal(s->at.access, access);
}

static void test_load(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x48\x8b\x03"); /* mov (%rbx),%rax */
	s->regs.rbx = DATA + 0x123;
	s->a->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0x123, DATA_A + 0x123, FL_ACCESS_READ);
}

static void test_load_crossing_into_a_bad_page(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x48\x8b\x03");
	s->regs.rbx = DATA + 0xffd;
	s->b->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0x1000, DATA_B, FL_ACCESS_READ);
}

static void test_load_crossing_out_of_a_bad_page(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x48\x8b\x03");
	s->regs.rbx = DATA + 0xffd;
	s->a->bad_for_load = s->b->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0xffd, DATA_A + 0xffd, FL_ACCESS_READ);
}

/* 32 bytes from 16 before the page's end. */
static void test_avx_store_crossing(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xc5\xfe\x7f\x03"); /* vmovdqu %ymm0,(%rbx) */
	s->regs.rbx = DATA + 0xff0;
	s->b->bad_for_store = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0x1000, DATA_B, FL_ACCESS_WRITE);
}

/* A page that only stores fail on: the load of the same address is healthy, the read-modify-write is not. */
static void test_bad_for_stores_only(void **state)
{
	struct setup *s = *state;

	s->regs.rbx = DATA + 8;
	s->a->bad_for_store = true;
	SET_CODE(s, "\x48\x8b\x03");
	assert_int_equal(locate(s), FL_LOCATE_HEALTHY);
	SET_CODE(s, "\xf0\x48\x83\x03\x01"); /* lock addq $1,(%rbx) */
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 8, DATA_A + 8, FL_ACCESS_WRITE);
}

static void test_movs_source_and_destination(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xf3\xa4"); /* rep movsb */
	s->regs.rsi = DATA + 0x10;
	s->regs.rdi = DATA + 0x1020;
	s->b->bad_for_store = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0x1020, DATA_B + 0x20, FL_ACCESS_WRITE);
	s->a->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0x10, DATA_A + 0x10, FL_ACCESS_READ);
	s->regs.rflags |= 0x400;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0x10, DATA_A + 0x10, FL_ACCESS_READ);
	assert_true(s->pieces.repeats);
}

static void test_push_and_call(void **state)
{
	struct setup *s = *state;

	s->regs.rsp = DATA + 0x1004;
	s->a->bad_for_load = true;
	SET_CODE(s, "\x50"); /* push %rax */
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0xffc, DATA_A + 0xffc, FL_ACCESS_WRITE);
	SET_CODE(s, "\xe8\x00\x00\x00\x00"); /* call .+5 */
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0xffc, DATA_A + 0xffc, FL_ACCESS_WRITE);
}

static void test_fetch(void **state)
{
	struct setup *s = *state;

	s->regs.rip = DATA + 0x77;
	s->a->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0x77, DATA_A + 0x77, FL_ACCESS_FETCH);
}

/* The first byte is on a good page, the second one would have to come from a bad one. */
static void test_fetch_straddling(void **state)
{
	struct setup *s = *state;

	s->regs.rip = DATA + 0xfff;
	s->a->bytes[0xfff] = 0x48; /* a REX prefix: there must be more */
	s->b->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0x1000, DATA_B, FL_ACCESS_FETCH);
}

/* An instruction that ends with the page does not fetch from the next one. */
static void test_fetch_not_straddling(void **state)
{
	struct setup *s = *state;

	s->regs.rip = DATA + 0xffd;
	memcpy(&s->a->bytes[0xffd], "\x48\x8b\x03", 3);
	s->regs.rbx = OTHER;
	s->b->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_HEALTHY); /* the code itself lies in a window */
}

static void test_healthy(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x48\x8b\x03");
	s->regs.rbx = DATA;
	assert_int_equal(locate(s), FL_LOCATE_HEALTHY);
}

/* Nothing that can fail: the access that did fail is not known. */
static void test_unknown(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x48\x8b\x03");
	s->regs.rbx = OTHER;
	assert_int_equal(locate(s), FL_LOCATE_UNKNOWN);
	SET_CODE(s, "\x06"); /* no instruction */
	assert_int_equal(locate(s), FL_LOCATE_UNKNOWN);
	s->regs.rip = 0x123456789000; /* not mapped */
	assert_int_equal(locate(s), FL_LOCATE_UNKNOWN);
	assert_false(s->at.gpa_valid);
}

/* The guest's own page tables stop an access before the host can fail it. */
static void test_unmapped_operand_is_skipped(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\xf3\xa4");
	s->regs.rsi = 0x666000;
	s->regs.rdi = DATA;
	s->a->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA, DATA_A, FL_ACCESS_WRITE);
}

static void test_lea_touches_nothing(void **state)
{
	struct setup *s = *state;

	SET_CODE(s, "\x48\x8d\x03"); /* lea (%rbx),%rax */
	s->regs.rbx = DATA;
	s->a->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_UNKNOWN);
}

static void test_gather_asks_for_vectors(void **state)
{
	struct setup *s = *state;
	const uint32_t index = 0x404, selected = 0x80000000;

	SET_CODE(s, "\xc4\xe2\x75\x92\x1c\x93"); /* vgatherdps %ymm1,(%rbx,%ymm2,4),%ymm3 */
	s->regs.rbx = DATA;
	memcpy(&s->world.vectors.zmm[2][3 * 4], &index, 4);
	memcpy(&s->world.vectors.zmm[1][3 * 4], &selected, 4);
	s->a->bad_for_load = s->b->bad_for_load = true;
	assert_int_equal(locate(s), FL_LOCATE_BAD);
	check_at(s, DATA + 0x1010, DATA_B + 0x10, FL_ACCESS_READ);
}

/* KVM named byte and direction; the linear address comes from the operand that leads there. */
static void test_exact(void **state)
{
	struct setup *s = *state;
	struct fl_intake in = {.kind = FL_INTAKE_FAULT,
			       .shape = FL_SHAPE_MMIO,
			       .gpa_valid = true,
			       .gpa_exact = true,
			       .gpa = DATA_B,
			       .len = 5,
			       .access = FL_ACCESS_READ};

	SET_CODE(s, "\x48\x8b\x03");
	s->regs.rbx = DATA + 0xffd;
	assert_int_equal(locate_in(s, &in), FL_LOCATE_BAD);
	check_at(s, DATA + 0x1000, DATA_B, FL_ACCESS_READ);
	in.gpa = FAKE_WINDOW + 0x777000; /* no operand leads there: the gpa stands, without a linear address */
	assert_int_equal(locate_in(s, &in), FL_LOCATE_BAD);
	assert_int_equal(s->at.gpa, FAKE_WINDOW + 0x777000);
	assert_false(s->at.gva_valid);
	assert_int_equal(s->at.access, FL_ACCESS_READ);
}

/* An annotated exit names the page: the byte comes from the operand, other bad pages do not count. */
static void test_annotated(void **state)
{
	struct setup *s = *state;
	struct fl_intake in = {.kind = FL_INTAKE_FAULT, .shape = FL_SHAPE_ANNOTATED, .gpa_valid = true, .gpa = DATA_B};

	SET_CODE(s, "\xf3\xa4");
	s->regs.rsi = DATA + 0x10;
	s->regs.rdi = DATA + 0x1020;
	s->a->bad_for_load = s->b->bad_for_load = true;
	assert_int_equal(locate_in(s, &in), FL_LOCATE_BAD);
	check_at(s, DATA + 0x1020, DATA_B + 0x20, FL_ACCESS_WRITE);
	in.gpa = FAKE_WINDOW + 0x777000;
	assert_int_equal(locate_in(s, &in), FL_LOCATE_BAD);
	assert_int_equal(s->at.gpa, FAKE_WINDOW + 0x777000);
	assert_int_equal(s->at.access, FL_ACCESS_UNKNOWN);
	assert_false(s->at.gva_valid);
}

/* The facts of the named page did not settle: the byte and the access are known all the same, for who looks next. */
static void test_annotated_and_not_seen_bad(void **state)
{
	struct setup *s = *state;
	struct fl_intake in = {.kind = FL_INTAKE_FAULT, .shape = FL_SHAPE_MCEERR, .gpa_valid = true, .gpa = DATA_B};

	SET_CODE(s, "\x48\x89\x03"); /* mov %rax,(%rbx) */
	s->regs.rbx = DATA + 0x1123;
	assert_int_equal(locate_in(s, &in), FL_LOCATE_BAD);
	check_at(s, DATA + 0x1123, DATA_B + 0x123, FL_ACCESS_WRITE);
	assert_true(s->at.unsettled);
	s->b->bad_for_load = s->b->bad_for_store = true;
	assert_int_equal(locate_in(s, &in), FL_LOCATE_BAD);
	check_at(s, DATA + 0x1123, DATA_B + 0x123, FL_ACCESS_WRITE);
	assert_false(s->at.unsettled);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	TEST(test_load),
	TEST(test_load_crossing_into_a_bad_page),
	TEST(test_load_crossing_out_of_a_bad_page),
	TEST(test_avx_store_crossing),
	TEST(test_bad_for_stores_only),
	TEST(test_movs_source_and_destination),
	TEST(test_push_and_call),
	TEST(test_fetch),
	TEST(test_fetch_straddling),
	TEST(test_fetch_not_straddling),
	TEST(test_healthy),
	TEST(test_unknown),
	TEST(test_unmapped_operand_is_skipped),
	TEST(test_lea_touches_nothing),
	TEST(test_gather_asks_for_vectors),
	TEST(test_exact),
	TEST(test_annotated),
	TEST(test_annotated_and_not_seen_bad),
};

FL_TEST_MAIN(30, tests)
