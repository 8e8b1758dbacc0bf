/* SPDX-License-Identifier: Apache-2.0 */
/* When windows together may need more mappings than the process can have. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/map_budget.h"

/* Linux's default, DEFAULT_MAX_MAP_COUNT */
#define DEFAULT_MAX 65530u

static bool fits(uint64_t max, uint64_t windows, bool hides_ends, struct fl_diag *diag)
{
	const struct fl_map_budget budget = {.max = max, .in_use = 200, .windows = windows, .hides_ends = hides_ends};
	int error = fl_check_map_budget(&budget, diag);

	assert_true(error == 0 || error == -ENOSPC);
	return error == 0;
}

static void a_large_window_fits_where_ends_are_not_hidden(void **state)
{
	(void)state;
	assert_true(fits(DEFAULT_MAX, 64 * FL_GIB, false, NULL));
	assert_false(fits(DEFAULT_MAX, 64 * FL_GIB, true, NULL));
	assert_true(fits(DEFAULT_MAX, 32 * FL_GIB, true, NULL));
	assert_false(fits(DEFAULT_MAX, 2 * 64 * FL_GIB, false, NULL));
}

static void each_range_is_a_mapping(void **state)
{
	const uint64_t others = 200 + 1024; /* in use, and for what comes later */

	(void)state;
	assert_true(fits(512 + others, FL_GIB, false, NULL));
	assert_false(fits(511 + others, FL_GIB, false, NULL));
	assert_true(fits(1024 + others, FL_GIB, true, NULL));
	assert_false(fits(1023 + others, FL_GIB, true, NULL));
	assert_true(fits(others, 0, false, NULL));
}

static void what_is_not_known_is_no_reason_to_complain(void **state)
{
	(void)state;
	assert_true(fits(0, UINT64_C(12) * 64 * FL_GIB, true, NULL));
}

static void the_sentence_says_what_to_do(void **state)
{
	struct fl_diag diag = {0};

	(void)state;
	assert_false(fits(DEFAULT_MAX, 128 * FL_GIB, false, &diag));
	assert_non_null(strstr(diag.text, "131072 MiB"));
	assert_non_null(strstr(diag.text, "65530"));
	/* 2^16 ranges, and what else there is */
	assert_non_null(strstr(diag.text, "vm.max_map_count=66760"));
	assert_non_null(strstr(diag.text, "--dax-window"));
}

static void the_host_is_asked(void **state)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	unsigned long long max;
	uint64_t before;
	void *page;

	(void)state;
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu", &max), 1);
	fclose(file);
	assert_int_equal(fl_map_count_max(), max);
	page = mmap(NULL, 3 * FL_PAGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	before = fl_map_count();
	assert_in_range(before, 5, max);
	/* its middle is one more, and so is its end */
	assert_int_equal(mprotect((char *)page + FL_PAGE_LEN, FL_PAGE_LEN, PROT_READ), 0);
	assert_int_equal(fl_map_count(), before + 2);
	munmap(page, 3 * FL_PAGE_LEN);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_large_window_fits_where_ends_are_not_hidden),
	cmocka_unit_test(each_range_is_a_mapping),
	cmocka_unit_test(what_is_not_known_is_no_reason_to_complain),
	cmocka_unit_test(the_sentence_says_what_to_do),
	cmocka_unit_test(the_host_is_asked),
};

FL_TEST_MAIN(30, tests)
