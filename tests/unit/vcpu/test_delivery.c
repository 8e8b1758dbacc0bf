/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the CPU touches to deliver an event in 64-bit mode. Expected: SDM vol. 3A, 6.14 (IDT entry, figure 6-8; the
 * frame and its alignment, 6.14.2; the stack switch and IST, 6.14.4 and 6.14.5) and figure 8-11 (the TSS).
 */
#include "tests/lib/fl_test.h"

#include "fake_world.h"
#include "vcpu/delivery.h"

#define IDT   UINT64_C(0xfffffe0000000000)
#define GDT   UINT64_C(0xfffffe0000001000)
#define TSS   UINT64_C(0xfffffe0000003000)
#define STACK UINT64_C(0xffffc90000008000) /* and the page after it */
#define LOW   (FAKE_WINDOW + 0x5000)	   /* gpa of STACK's page, in the window */

/* in the order in which set_up() adds them */
enum { IDT_PAGE, GDT_PAGE, TSS_PAGE, STACK_PAGE };

struct fixture {
	struct fake_world world;
	struct fl_locate_ops ops;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	struct fl_delivery delivery;
	struct fl_pieces pieces;
};

static void put64(struct fixture *f, uint64_t linear, uint64_t value)
{
	for (unsigned int i = 0; i < f->world.count; i++)
		if (f->world.page[i].linear == (linear & ~0xfffull))
			memcpy(f->world.page[i].bytes + (linear & 0xfff), &value, sizeof(value));
}

/* A present interrupt gate to selector, by way of stack ist (0: none). */
static void put_gate(struct fixture *f, unsigned int vector, uint16_t selector, unsigned int ist)
{
	put64(f, IDT + vector * 16, (uint64_t)selector << 16 | (uint64_t)ist << 32 | UINT64_C(0x8e) << 40);
	put64(f, IDT + vector * 16 + 8, 0xffffffff);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fake_add(&f->world, IDT, 0x10000);
	fake_add(&f->world, GDT, 0x11000);
	fake_add(&f->world, TSS, 0x12000);
	fake_add(&f->world, STACK, LOW);
	fake_add(&f->world, STACK + 0x1000, LOW + 0x1000);
	f->ops = fake_ops(&f->world);
	f->regs.rsp = STACK + 0x1018;
	f->sregs.idt = (struct kvm_dtable){.base = IDT, .limit = 0xfff};
	f->sregs.gdt = (struct kvm_dtable){.base = GDT, .limit = 0x7f};
	f->sregs.tr.base = TSS;
	f->sregs.efer = 0xd01; /* NX, LMA, LME, SCE */
	f->delivery = (struct fl_delivery){.regs = &f->regs, .sregs = &f->sregs, .events = &f->events};
	put64(f, GDT + 0x10, 0x00af9b000000ffff); /* 64-bit code, DPL 0 */
	put64(f, GDT + 0x18, 0x00af9f000000ffff); /* the same, conforming */
	put64(f, TSS + 4, STACK + 0x1000);	  /* RSP0 */
	put64(f, TSS + 0x24, STACK + 0x800);	  /* IST1 */
	put64(f, TSS + 0x54, STACK + 0x400);	  /* IST7 */
	put_gate(f, 14, 0x10, 0);
	put_gate(f, 2, 0x10, 7);
	put_gate(f, 8, 0x10, 1);
	put_gate(f, 0x40, 0x10, 0);
	put_gate(f, 0x41, 0x1b, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static void inject_page_fault(struct fixture *f)
{
	f->events.exception.injected = 1;
	f->events.exception.nr = 14;
	f->events.exception.has_error_code = 1;
}

static void assert_piece(const struct fixture *f, unsigned int at, uint64_t linear, uint32_t len, enum fl_access access)
{
	assert_true(at < f->pieces.count);
	assert_int_equal(f->pieces.item[at].linear, linear);
	assert_int_equal(f->pieces.item[at].len, len);
	assert_int_equal(f->pieces.item[at].access, access);
}

/* words: pushed from top (aligned) downwards, as pieces from `at` on, which are the last ones. */
static void assert_frame(const struct fixture *f, unsigned int at, uint64_t top, unsigned int words)
{
	for (unsigned int i = 0; i < words; i++)
		assert_piece(f, at + i, top - 8 * (i + 1), 8, FL_ACCESS_WRITE);
	assert_int_equal(f->pieces.count, at + words);
}

static void list(struct fixture *f)
{
	assert_true(fl_delivery_pieces(&f->ops, &f->delivery, &f->pieces));
}

static void test_same_level(void **state)
{
	struct fixture *f = *state;

	inject_page_fault(f);
	assert_int_equal(fl_delivery_vector(&f->events), 14);
	list(f);
	assert_piece(f, 0, IDT + 14 * 16, 16, FL_ACCESS_READ);
	assert_piece(f, 1, GDT + 0x10, 8, FL_ACCESS_READ);
	assert_frame(f, 2, STACK + 0x1010, 6); /* RSP aligned to 16, with an error code */
}

static void test_from_user_mode(void **state)
{
	struct fixture *f = *state;

	f->delivery.cpl = 3;
	inject_page_fault(f);
	list(f);
	assert_piece(f, 2, TSS + 4, 8, FL_ACCESS_READ);
	assert_frame(f, 3, STACK + 0x1000, 6);
}

static void test_interrupt_has_no_error_code(void **state)
{
	struct fixture *f = *state;

	f->delivery.cpl = 3;
	f->events.interrupt.injected = 1;
	f->events.interrupt.nr = 0x40;
	assert_int_equal(fl_delivery_vector(&f->events), 0x40);
	list(f);
	assert_piece(f, 0, IDT + 0x40 * 16, 16, FL_ACCESS_READ);
	assert_frame(f, 3, STACK + 0x1000, 5);
}

static void test_stack_of_the_gate(void **state)
{
	struct fixture *f = *state;

	f->events.nmi.injected = 1;
	assert_int_equal(fl_delivery_vector(&f->events), 2);
	list(f);
	assert_piece(f, 2, TSS + 0x54, 8, FL_ACCESS_READ);
	assert_frame(f, 3, STACK + 0x400, 5);

	f->events.exception.injected = 1;
	f->events.exception.nr = 8;
	f->events.exception.has_error_code = 1;
	list(f);
	assert_piece(f, 2, TSS + 0x24, 8, FL_ACCESS_READ);
	assert_frame(f, 3, STACK + 0x800, 6);
}

/* A conforming segment runs at the level of whoever is interrupted: no other stack. */
static void test_conforming(void **state)
{
	struct fixture *f = *state;

	f->delivery.cpl = 3;
	f->events.interrupt.injected = 1;
	f->events.interrupt.nr = 0x41;
	list(f);
	assert_piece(f, 1, GDT + 0x18, 8, FL_ACCESS_READ);
	assert_frame(f, 2, STACK + 0x1010, 5);
}

static enum fl_locate_result locate(struct fixture *f, struct fl_location *location)
{
	const struct fl_intake in = {.kind = FL_INTAKE_FAULT, .shape = FL_SHAPE_EFAULT};

	list(f);
	return fl_locate(&f->ops, &in, &f->pieces, location);
}

/* The frame begins on a good page: what fails is the first word on the bad one, from above. */
static void test_lost_stack(void **state)
{
	struct fixture *f = *state;
	struct fl_location location;

	inject_page_fault(f);
	assert_int_equal(locate(f, &location), FL_LOCATE_HEALTHY);
	f->world.page[STACK_PAGE].bad_for_store = true;
	assert_int_equal(locate(f, &location), FL_LOCATE_BAD);
	assert_true(location.gva_valid);
	assert_int_equal(location.gva, STACK + 0xff8);
	assert_int_equal(location.gpa, LOW + 0xff8);
	assert_int_equal(location.access, FL_ACCESS_WRITE);
}

static void check_lost_table(struct fixture *f, unsigned int page, uint64_t gva, unsigned int pieces)
{
	struct fl_location location;

	f->world.page[page].bad_for_load = true;
	assert_int_equal(locate(f, &location), FL_LOCATE_BAD);
	assert_int_equal(location.gva, gva);
	assert_int_equal(location.access, FL_ACCESS_READ);
	assert_int_equal(f->pieces.count, pieces); /* nothing is guessed from what could not be read */
	f->world.page[page].bad_for_load = false;
}

static void test_lost_tables(void **state)
{
	struct fixture *f = *state;

	f->delivery.cpl = 3;
	inject_page_fault(f);
	check_lost_table(f, IDT_PAGE, IDT + 14 * 16, 1);
	check_lost_table(f, GDT_PAGE, GDT + 0x10, 2);
	check_lost_table(f, TSS_PAGE, TSS + 4, 3);
}

static void test_table_not_mapped(void **state)
{
	struct fixture *f = *state;
	struct fl_location location;

	inject_page_fault(f);
	f->sregs.idt.base = 0x1000;
	assert_int_equal(locate(f, &location), FL_LOCATE_UNKNOWN);
	assert_int_equal(f->pieces.count, 1);
}

static void test_nothing_to_deliver(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_delivery_vector(&f->events), -1);
	assert_false(fl_delivery_pieces(&f->ops, &f->delivery, &f->pieces));
	f->events.nmi.pending = 1; /* its turn has not come */
	assert_false(fl_delivery_pieces(&f->ops, &f->delivery, &f->pieces));
	inject_page_fault(f);
	f->sregs.efer = 0;
	assert_false(fl_delivery_pieces(&f->ops, &f->delivery, &f->pieces));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	CASE(test_same_level),	      CASE(test_from_user_mode),   CASE(test_interrupt_has_no_error_code),
	CASE(test_stack_of_the_gate), CASE(test_conforming),	   CASE(test_lost_stack),
	CASE(test_lost_tables),	      CASE(test_table_not_mapped), CASE(test_nothing_to_deliver),
};

FL_TEST_MAIN(30, tests)
