/* SPDX-License-Identifier: Apache-2.0 */
/* Page tables laid out by hand as SDM vol. 3A, figures 4-8 to 4-11 and tables 4-15 to 4-20 say. */
#include "tests/lib/fl_test.h"

#include "vcpu/page_walk.h"

#define MEMORY_LEN 0x8000u

static int read_bytes(void *arg, uint64_t gpa, void *buf, size_t len)
{
	if (!fl_range_fits(gpa, len, MEMORY_LEN))
		return -EFAULT;
	memcpy(buf, (uint8_t *)arg + gpa, len);
	return 0;
}

static void put(uint8_t *memory, uint64_t gpa, uint64_t entry)
{
	memcpy(memory + gpa, &entry, sizeof(entry));
}

static const struct kvm_sregs long_mode = {.cr0 = 0x80000001, .cr3 = 0x1000, .efer = 0x500};

/* linear 0x0000_7f80_ccaf_b053 = indexes 255, 3, 101, 251 and offset 0x053 */
#define LINEAR UINT64_C(0x00007f80ccafb053)

static void make_four_levels(uint8_t *memory)
{
	memset(memory, 0, MEMORY_LEN);
	put(memory, 0x1000 + 255 * 8, 0x2007);
	put(memory, 0x2000 + 3 * 8, 0x3007);
	put(memory, 0x3000 + 101 * 8, 0x4007);
	put(memory, 0x4000 + 251 * 8, UINT64_C(0x8000000123456027)); /* XD and accessed set */
}

static void test_small_page(void **state)
{
	uint8_t memory[MEMORY_LEN];
	uint64_t gpa = 0;

	(void)state;
	make_four_levels(memory);
	assert_int_equal(fl_page_walk(read_bytes, memory, &long_mode, LINEAR, &gpa), FL_PAGE_WALK_MAPPED);
	assert_int_equal(gpa, 0x123456053);
}

static void test_large_pages(void **state)
{
	uint8_t memory[MEMORY_LEN];
	uint64_t gpa = 0;

	(void)state;
	make_four_levels(memory);
	put(memory, 0x3000 + 101 * 8, 0x40200000 | 0x87);
	assert_int_equal(fl_page_walk(read_bytes, memory, &long_mode, LINEAR, &gpa), FL_PAGE_WALK_MAPPED);
	assert_int_equal(gpa, 0x40200000 + (LINEAR & 0x1fffff));
	put(memory, 0x2000 + 3 * 8, UINT64_C(0x140000000) | 0x87);
	assert_int_equal(fl_page_walk(read_bytes, memory, &long_mode, LINEAR, &gpa), FL_PAGE_WALK_MAPPED);
	assert_int_equal(gpa, UINT64_C(0x140000000) + (LINEAR & 0x3fffffff));
}

static void test_five_levels(void **state)
{
	struct kvm_sregs sregs = long_mode;
	uint8_t memory[MEMORY_LEN];
	uint64_t gpa = 0, high = UINT64_C(1) << 48 | LINEAR;

	(void)state;
	make_four_levels(memory);
	put(memory, 0x5000 + 1 * 8, 0x1007);
	sregs.cr4 = 1 << 12;
	sregs.cr3 = 0x5000;
	assert_int_equal(fl_page_walk(read_bytes, memory, &sregs, high, &gpa), FL_PAGE_WALK_MAPPED);
	assert_int_equal(gpa, 0x123456053);
	/* the same address is not canonical with four levels */
	assert_int_equal(fl_page_walk(read_bytes, memory, &long_mode, high, &gpa), FL_PAGE_WALK_UNMAPPED);
}

static void test_cr3_flags_are_not_part_of_the_address(void **state)
{
	struct kvm_sregs sregs = long_mode;
	uint8_t memory[MEMORY_LEN];
	uint64_t gpa = 0;

	(void)state;
	make_four_levels(memory);
	sregs.cr3 |= 0x005; /* a PCID */
	assert_int_equal(fl_page_walk(read_bytes, memory, &sregs, LINEAR, &gpa), FL_PAGE_WALK_MAPPED);
	assert_int_equal(gpa, 0x123456053);
}

static void test_what_is_not_present(void **state)
{
	static const uint64_t entries[] = {0x1000 + 255 * 8, 0x2000 + 3 * 8, 0x3000 + 101 * 8, 0x4000 + 251 * 8};
	uint8_t memory[MEMORY_LEN];
	uint64_t gpa = 0;

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(entries); i++) {
		make_four_levels(memory);
		memory[entries[i]] &= 0xfe;
		assert_int_equal(fl_page_walk(read_bytes, memory, &long_mode, LINEAR, &gpa), FL_PAGE_WALK_UNMAPPED);
	}
	make_four_levels(memory);
	put(memory, 0x2000 + 3 * 8, UINT64_C(0x7000000007)); /* a table where no memory is */
	assert_int_equal(fl_page_walk(read_bytes, memory, &long_mode, LINEAR, &gpa), FL_PAGE_WALK_UNMAPPED);
}

static void test_a_table_that_points_to_itself_ends(void **state)
{
	uint8_t memory[MEMORY_LEN];
	uint64_t gpa = 0;

	(void)state;
	memset(memory, 0, sizeof(memory));
	for (unsigned int i = 0; i < 512; i++)
		put(memory, 0x1000 + i * 8, 0x1007);
	assert_int_equal(fl_page_walk(read_bytes, memory, &long_mode, LINEAR, &gpa), FL_PAGE_WALK_MAPPED);
	assert_int_equal(gpa, 0x1053);
}

static void test_other_paging_modes_are_left_to_kvm(void **state)
{
	struct kvm_sregs sregs = long_mode;
	uint64_t gpa = 0;

	(void)state;
	sregs.efer = 0;
	assert_int_equal(fl_page_walk(read_bytes, NULL, &sregs, LINEAR, &gpa), FL_PAGE_WALK_NOT_LONG);
	sregs = long_mode;
	sregs.cr0 = 1;
	assert_int_equal(fl_page_walk(read_bytes, NULL, &sregs, LINEAR, &gpa), FL_PAGE_WALK_NOT_LONG);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_small_page),
	cmocka_unit_test(test_large_pages),
	cmocka_unit_test(test_five_levels),
	cmocka_unit_test(test_cr3_flags_are_not_part_of_the_address),
	cmocka_unit_test(test_what_is_not_present),
	cmocka_unit_test(test_a_table_that_points_to_itself_ends),
	cmocka_unit_test(test_other_paging_modes_are_left_to_kvm),
};
FL_TEST_MAIN(20, tests)
