/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_test.h"

static struct fl_region ram_at(uint64_t gpa, uint64_t len)
{
	/* never dereferenced: the map only does arithmetic */
	return (struct fl_region){
		.kind = FL_REGION_RAM, .gpa = gpa, .len = len, .hva = (uint8_t *)(uintptr_t)0x10000000, .name = "ram"};
}

static int add(struct fl_gpa_map *map, uint64_t gpa, uint64_t len)
{
	struct fl_region region = ram_at(gpa, len);

	return fl_gpa_map_add(map, &region, NULL);
}

static void test_sorted_whatever_the_order(void **state)
{
	struct fl_gpa_map map = {0};
	(void)state;

	assert_int_equal(add(&map, 4 * RANGE, RANGE), 0);
	assert_int_equal(add(&map, 0, RANGE), 0);
	assert_int_equal(add(&map, 2 * RANGE, RANGE), 0);
	assert_int_equal(map.count, 3);
	assert_int_equal(map.regions[0].gpa, 0);
	assert_int_equal(map.regions[1].gpa, 2 * RANGE);
	assert_int_equal(map.regions[2].gpa, 4 * RANGE);
}

static void test_find_at_the_edges(void **state)
{
	struct fl_gpa_map map = {0};
	(void)state;

	assert_null(fl_gpa_map_find(&map, 0));
	assert_int_equal(add(&map, RANGE, RANGE), 0);
	assert_int_equal(add(&map, 2 * RANGE, PAGE), 0);
	assert_null(fl_gpa_map_find(&map, RANGE - 1));
	assert_ptr_equal(fl_gpa_map_find(&map, RANGE), &map.regions[0]);
	assert_ptr_equal(fl_gpa_map_find(&map, 2 * RANGE - 1), &map.regions[0]);
	assert_ptr_equal(fl_gpa_map_find(&map, 2 * RANGE), &map.regions[1]);
	assert_ptr_equal(fl_gpa_map_find(&map, 2 * RANGE + PAGE - 1), &map.regions[1]);
	assert_null(fl_gpa_map_find(&map, 2 * RANGE + PAGE));
	assert_null(fl_gpa_map_find(&map, UINT64_MAX));
}

static void test_overlaps_are_refused(void **state)
{
	static const struct {
		uint64_t gpa, len;
	} over[] = {
		{10 * PAGE, 4 * PAGE}, /* the same */
		{11 * PAGE, PAGE},     /* inside */
		{8 * PAGE, 8 * PAGE},  /* around */
		{9 * PAGE, 2 * PAGE},  /* over the start */
		{13 * PAGE, 2 * PAGE}, /* over the end */
		{0, 100 * PAGE},
	};
	struct fl_gpa_map map = {0};
	(void)state;

	assert_int_equal(add(&map, 10 * PAGE, 4 * PAGE), 0);
	assert_int_equal(add(&map, 50 * PAGE, PAGE), 0);
	for (size_t i = 0; i < FL_ARRAY_SIZE(over); i++)
		assert_int_equal(add(&map, over[i].gpa, over[i].len), -EEXIST);
	assert_int_equal(map.count, 2);
	/* neighbours are none */
	assert_int_equal(add(&map, 9 * PAGE, PAGE), 0);
	assert_int_equal(add(&map, 14 * PAGE, PAGE), 0);
}

static void test_bad_regions_are_refused_with_a_reason(void **state)
{
	struct fl_gpa_map map = {0};
	struct fl_diag diag = {0};
	struct fl_region region = ram_at(0, PAGE);
	(void)state;

	assert_int_equal(add(&map, 0, 0), -EINVAL);
	assert_int_equal(add(&map, 1, PAGE), -EINVAL);
	assert_int_equal(add(&map, 0, PAGE + 1), -EINVAL);
	assert_int_equal(add(&map, UINT64_MAX - PAGE + 1, 2 * PAGE), -EINVAL);
	region.hva = NULL;
	assert_int_equal(fl_gpa_map_add(&map, &region, &diag), -EINVAL);
	assert_int_equal(diag.error, -EINVAL);
	assert_non_null(strstr(diag.text, "ram"));
	region = ram_at(0, PAGE);
	region.kind = FL_REGION_WINDOW; /* without a window */
	assert_int_equal(fl_gpa_map_add(&map, &region, NULL), -EINVAL);
	assert_int_equal(map.count, 0);
}

static void test_full_map(void **state)
{
	struct fl_gpa_map map = {0};
	struct fl_diag diag = {0};
	struct fl_region region = ram_at(1000 * RANGE, RANGE);
	(void)state;

	for (uint64_t i = 0; i < FL_GPA_REGIONS_MAX; i++)
		assert_int_equal(add(&map, (FL_GPA_REGIONS_MAX - i) * RANGE, RANGE), 0);
	assert_int_equal(fl_gpa_map_add(&map, &region, &diag), -ENOSPC);
	assert_true(strlen(diag.text) > 0);
	for (uint64_t i = 0; i < FL_GPA_REGIONS_MAX; i++)
		assert_int_equal(map.regions[i].gpa, (i + 1) * RANGE);
}

static void test_install_names_what_failed(void **state)
{
	struct fl_gpa_map map = {0};
	struct fl_diag diag = {0};
	int fd = test_memfd(0);
	(void)state;

	assert_int_equal(add(&map, RANGE, RANGE), 0);
	assert_int_equal(fl_gpa_map_install(&map, fd, &diag), -ENOTTY);
	assert_int_equal(diag.error, -ENOTTY);
	assert_non_null(strstr(diag.text, "ram"));
	assert_non_null(strstr(diag.text, "0x200000"));
	close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_sorted_whatever_the_order),
	cmocka_unit_test(test_find_at_the_edges),
	cmocka_unit_test(test_overlaps_are_refused),
	cmocka_unit_test(test_bad_regions_are_refused_with_a_reason),
	cmocka_unit_test(test_full_map),
	cmocka_unit_test(test_install_names_what_failed),
};

FL_TEST_MAIN(30, tests)
