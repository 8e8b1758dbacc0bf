/* SPDX-License-Identifier: Apache-2.0 */
/* The control MSR's rules and the stack of records (docs/abi.md). */
#include "tests/lib/fl_test.h"

#include "mmu_backing/guest_ram.h"
#include "vcpu/pvpf.h"

#define AREA	   UINT64_C(0x1f00)
#define WINDOW_GPA UINT64_C(0x40000000)

struct setup {
	struct fl_guest_ram ram;
	struct fl_gpa_map map;
	struct fl_pvpf pvpf;
};

static int set_up(void **state)
{
	struct setup *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	assert_int_equal(fl_guest_ram_init(&s->ram, FL_RANGE_LEN, NULL), 0);
	s->map.count = 2;
	s->map.regions[0] = (struct fl_region){.kind = FL_REGION_RAM, .len = FL_RANGE_LEN, .hva = s->ram.hva};
	/* its memory is never looked at */
	s->map.regions[1] = (struct fl_region){.kind = FL_REGION_WINDOW, .gpa = WINDOW_GPA, .len = FL_RANGE_LEN};
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct setup *s = *state;

	fl_guest_ram_fini(&s->ram);
	free(s);
	return 0;
}

static int write_ctl(struct setup *s, uint64_t value)
{
	return fl_pvpf_write_ctl(&s->pvpf, &s->map, value);
}

static void test_good_values(void **state)
{
	static const uint64_t values[] = {AREA | 1, AREA | 3, AREA | 2, AREA, 0, 0x1fff01, 1};
	struct setup *s = *state;

	for (size_t i = 0; i < FL_ARRAY_SIZE(values); i++) {
		assert_int_equal(write_ctl(s, values[i]), 0);
		assert_int_equal(s->pvpf.ctl, values[i]);
	}
}

static void test_bad_values_change_nothing(void **state)
{
	static const uint64_t values[] = {
		AREA | 1 | 0x04, AREA | 1 | 0x08, AREA | 1 | 0x10, AREA | 1 | 0x20, AREA | 1 | 0x40,	AREA | 1 | 0x80,
		WINDOW_GPA | 1,	 WINDOW_GPA,	  0x200001,	   0x300000001,	    0xffffffffffffff03,
	};
	struct setup *s = *state;

	assert_int_equal(write_ctl(s, AREA | 3), 0);
	for (size_t i = 0; i < FL_ARRAY_SIZE(values); i++) {
		assert_int_equal(write_ctl(s, values[i]), -EINVAL);
		assert_int_equal(s->pvpf.ctl, AREA | 3);
		assert_true(fl_pvpf_wants_record(&s->pvpf, 0));
	}
}

static void test_who_gets_a_record(void **state)
{
	struct setup *s = *state;

	assert_false(fl_pvpf_wants_record(&s->pvpf, 3));
	assert_int_equal(write_ctl(s, AREA | 2), 0);
	assert_false(fl_pvpf_wants_record(&s->pvpf, 3));
	assert_false(fl_pvpf_wants_record(&s->pvpf, 0));
	assert_int_equal(write_ctl(s, AREA | 1), 0);
	assert_true(fl_pvpf_wants_record(&s->pvpf, 3));
	assert_false(fl_pvpf_wants_record(&s->pvpf, 0));
	assert_int_equal(write_ctl(s, AREA | 3), 0);
	assert_true(fl_pvpf_wants_record(&s->pvpf, 3));
	assert_true(fl_pvpf_wants_record(&s->pvpf, 0));
}

static uint8_t *record(struct setup *s, unsigned int slot)
{
	return s->ram.hva + AREA + slot * 64;
}

static uint64_t field(struct setup *s, unsigned int slot, unsigned int offset, unsigned int len)
{
	uint64_t value = 0;

	memcpy(&value, record(s, slot) + offset, len);
	return value;
}

static void set_state(struct setup *s, unsigned int slot, uint32_t value)
{
	memcpy(record(s, slot), &value, sizeof(value));
}

static void test_record_contents(void **state)
{
	struct setup *s = *state;
	const struct fl_pvpf_content content = {
		.cause = FL_CAUSE_NO_SPACE,
		.access = FL_ACCESS_WRITE,
		.gpa = 0x40001238,
		.gva = 0x7f0012345238,
		.gva_valid = true,
		.bad_len = 0xdc8,
		.rip = 0x401000,
	};

	assert_int_equal(write_ctl(s, AREA | 3), 0);
	memset(record(s, 0), 0xee, 256);
	for (unsigned int i = 0; i < 4; i++)
		set_state(s, i, 0);
	assert_int_equal(fl_pvpf_free_slot(&s->pvpf), 0);
	assert_int_equal(fl_pvpf_post(&s->pvpf, 0, &content), 1);
	assert_int_equal(field(s, 0, 0, 4), 1);
	assert_int_equal(field(s, 0, 4, 4), 2);
	assert_int_equal(field(s, 0, 8, 4), 2);
	assert_int_equal(field(s, 0, 12, 4), 1);
	assert_int_equal(field(s, 0, 16, 8), 0x40001238);
	assert_int_equal(field(s, 0, 24, 8), 0x7f0012345238);
	assert_int_equal(field(s, 0, 32, 8), 0xdc8);
	assert_int_equal(field(s, 0, 40, 8), 1);
	assert_int_equal(field(s, 0, 48, 8), 0x401000);
	assert_int_equal(field(s, 0, 56, 8), 0);
	assert_int_equal(record(s, 1)[63], 0xee);
}

static void test_unknown_address(void **state)
{
	struct setup *s = *state;
	const struct fl_pvpf_content content = {.cause = FL_CAUSE_UNKNOWN, .gva = 0x666, .bad_len = 1, .rip = 5};

	assert_int_equal(write_ctl(s, AREA | 1), 0);
	fl_pvpf_post(&s->pvpf, 0, &content);
	assert_int_equal(field(s, 0, 4, 4), 7);
	assert_int_equal(field(s, 0, 8, 4), 0);
	assert_int_equal(field(s, 0, 12, 4), 0);
	assert_int_equal(field(s, 0, 24, 8), 0);
	assert_int_equal(field(s, 0, 32, 8), 1);
}

/* The lowest record above every posted one, whatever is free below. */
static void test_stack_discipline(void **state)
{
	static const struct {
		uint32_t posted[4];
		int slot;
	} table[] = {
		{{0, 0, 0, 0}, 0}, {{1, 0, 0, 0}, 1},	       {{1, 1, 0, 0}, 2},	{{1, 1, 1, 0}, 3},
		{{0, 1, 0, 0}, 2}, {{0, 0, 1, 0}, 3},	       {{1, 1, 1, 1}, -ENOSPC}, {{0, 0, 0, 1}, -ENOSPC},
		{{1, 0, 1, 0}, 3}, {{0x80000000, 0, 0, 0}, 1},
	};
	struct setup *s = *state;

	assert_int_equal(write_ctl(s, AREA | 3), 0);
	for (size_t i = 0; i < FL_ARRAY_SIZE(table); i++) {
		for (unsigned int slot = 0; slot < 4; slot++)
			set_state(s, slot, table[i].posted[slot]);
		assert_int_equal(fl_pvpf_free_slot(&s->pvpf), table[i].slot);
	}
}

static void test_sequence(void **state)
{
	struct setup *s = *state;
	const struct fl_pvpf_content content = {.cause = FL_CAUSE_TRUNCATED, .bad_len = 1};

	assert_int_equal(write_ctl(s, AREA | 3), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(fl_pvpf_free_slot(&s->pvpf), (int)i);
		assert_int_equal(fl_pvpf_post(&s->pvpf, (int)i, &content), i + 1);
		assert_int_equal(field(s, i, 40, 8), i + 1);
	}
	fl_pvpf_unpost(&s->pvpf, 2);
	assert_int_equal(fl_pvpf_free_slot(&s->pvpf), 2);
	assert_int_equal(fl_pvpf_post(&s->pvpf, 2, &content), 3);
	/* the count goes on over a change of the area */
	assert_int_equal(write_ctl(s, 0), 0);
	assert_int_equal(write_ctl(s, 0x3001), 0);
	assert_int_equal(fl_pvpf_post(&s->pvpf, 0, &content), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	TEST(test_good_values),	    TEST(test_bad_values_change_nothing), TEST(test_who_gets_a_record),
	TEST(test_record_contents), TEST(test_unknown_address),		  TEST(test_stack_discipline),
	TEST(test_sequence),
};

FL_TEST_MAIN(30, tests)
