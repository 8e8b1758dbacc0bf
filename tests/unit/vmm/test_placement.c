/* SPDX-License-Identifier: Apache-2.0 */
/* Where windows may lie: not on memory, devices or each other; shares' windows go around those that have a place. */
#include "tests/lib/fl_test.h"

#include <errno.h>

#include "vmm/placement.h"

#define G(n) (UINT64_C(n) << 30)
#define M(n) (UINT64_C(n) << 20)

static void memory_leaves_a_gap_below_4_gib(void **state)
{
	struct fl_placement p;

	(void)state;
	fl_place_ram(&p, G(1), 40);
	assert_int_equal(p.ram_low_len, G(1));
	assert_int_equal(p.ram_high_len, 0);
	assert_int_equal(p.limit, G(1024));
	fl_place_ram(&p, G(8), 52);
	assert_int_equal(p.ram_low_len, G(3));
	assert_int_equal(p.ram_high_len, G(5));
	fl_place_ram(&p, G(1), 64); /* whatever a host claims */
	assert_true(p.limit > G(1024));
}

static void expect(const struct fl_placement *p, uint64_t gpa, uint64_t len, const char *word)
{
	static const struct fl_extent taken[] = {{G(32), M(4)}, {G(33), M(2)}};
	struct fl_extent window = {gpa, len};
	struct fl_diag diag = {0};
	int ret = fl_check_place(p, &window, "w", taken, 2, &diag);

	assert_int_equal(ret, word ? -EINVAL : 0);
	if (word)
		assert_non_null(strstr(diag.text, word));
}

static void a_given_place_must_be_free(void **state)
{
	struct fl_placement p;

	(void)state;
	fl_place_ram(&p, G(8), 40); /* 0 to 3 GiB, 4 to 9 GiB */
	expect(&p, G(9), M(2), NULL);
	expect(&p, G(9) - M(2), M(2), "memory");
	expect(&p, G(9) - M(2), M(4), "memory");
	expect(&p, 0, M(2), "memory");
	expect(&p, G(3) - M(2), M(2), "memory");
	expect(&p, G(3), M(2), "devices");
	expect(&p, G(4) - M(2), M(2), "devices");
	expect(&p, G(2), G(10), "memory");
	expect(&p, G(1024) - M(2), M(2), NULL);
	expect(&p, G(1024) - M(2), M(4), "last address");
	expect(&p, G(1024), M(2), "last address");
	expect(&p, G(32) - M(2), M(2), NULL);
	expect(&p, G(32) - M(2), M(4), "another one");
	expect(&p, G(32) + M(2), M(2), "another one");
	expect(&p, G(32) + M(4), M(2), NULL);
	expect(&p, G(31), G(4), "another one");
}

static void little_memory_leaves_room_below_the_gap(void **state)
{
	struct fl_placement p;

	(void)state;
	fl_place_ram(&p, M(64), 40);
	expect(&p, M(64), M(2), NULL);
	expect(&p, M(62), M(2), "memory");
	expect(&p, G(4), M(2), NULL);
	expect(&p, G(3) - M(2), M(4), "devices");
	expect(&p, G(4) - M(2), M(4), "devices"); /* there is no memory above 4 GiB to lie on */
}

static void memory_ends_below_the_last_address(void **state)
{
	struct fl_placement p;
	struct fl_diag diag = {0};

	(void)state;
	fl_place_ram(&p, G(63), 36); /* 64 GiB, of which one is the devices' */
	assert_int_equal(fl_check_ram(&p, &diag), 0);
	fl_place_ram(&p, G(63) + M(2), 36);
	assert_int_equal(fl_check_ram(&p, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "at most 64512 MiB"));
	fl_place_ram(&p, G(2048), 40);
	assert_int_equal(fl_check_ram(&p, &diag), -EINVAL);
	fl_place_ram(&p, G(2048), 46);
	assert_int_equal(fl_check_ram(&p, &diag), 0);
}

static void a_found_place_goes_around_the_given_ones(void **state)
{
	static const struct fl_extent taken[] = {{G(12), M(2)}, {G(5), M(2)}, {G(6) + M(512), M(2)}, {G(64), G(1)}};
	struct fl_placement p;
	uint64_t gpa = 0;

	(void)state;
	fl_place_ram(&p, G(4), 40); /* up to 5 GiB */
	assert_int_equal(fl_find_place(&p, M(512), taken, 4, &gpa), 0);
	assert_int_equal(gpa, G(6)); /* touches the one at 6.5 GiB, does not meet it */
	gpa = 0;
	assert_int_equal(fl_find_place(&p, M(514), taken, 4, &gpa), 0);
	assert_int_equal(gpa, G(7));
	assert_int_equal(fl_find_place(&p, G(6), taken, 4, &gpa), 0);
	assert_int_equal(gpa, G(13));
	gpa = G(63) + 1;
	assert_int_equal(fl_find_place(&p, M(64), taken, 4, &gpa), 0);
	assert_int_equal(gpa, G(65));
	/* without any: right above memory, at a whole GiB */
	fl_place_ram(&p, G(4) + M(2), 40);
	gpa = 0;
	assert_int_equal(fl_find_place(&p, M(64), NULL, 0, &gpa), 0);
	assert_int_equal(gpa, G(6));
}

static void where_there_is_no_place_nothing_changes(void **state)
{
	static const struct fl_extent taken[] = {{G(4), G(60)}};
	struct fl_placement p;
	uint64_t gpa = 7;

	(void)state;
	fl_place_ram(&p, G(1), 36); /* 64 GiB */
	assert_int_equal(fl_find_place(&p, M(64), taken, 1, &gpa), -ENOSPC);
	assert_int_equal(gpa, 7);
	assert_int_equal(fl_find_place(&p, G(60), NULL, 0, &gpa), 0);
	assert_int_equal(gpa, G(4));
	gpa = 0;
	assert_int_equal(fl_find_place(&p, G(61), NULL, 0, &gpa), -ENOSPC);
}

/* One after the other, as they are placed for shares. */
static void as_many_large_windows_as_there_are_addresses_for(void **state)
{
	struct fl_placement p;
	uint64_t gpa = 0;

	(void)state;
	fl_place_ram(&p, G(1), 40); /* 1 TiB */
	for (unsigned int i = 0; i < 15; i++) {
		assert_int_equal(fl_find_place(&p, G(64), NULL, 0, &gpa), 0);
		assert_int_equal(gpa, G(4) + i * G(64));
		gpa += G(64);
	}
	assert_int_equal(fl_find_place(&p, G(64), NULL, 0, &gpa), -ENOSPC);
	/* what is left: 1 TiB - 4 GiB - 15 * 64 GiB */
	assert_int_equal(fl_find_place(&p, G(60), NULL, 0, &gpa), 0);
	fl_place_ram(&p, G(1), 41);
	gpa = G(4) + 15 * G(64);
	assert_int_equal(fl_find_place(&p, G(64), NULL, 0, &gpa), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(memory_leaves_a_gap_below_4_gib),
	cmocka_unit_test(a_given_place_must_be_free),
	cmocka_unit_test(little_memory_leaves_room_below_the_gap),
	cmocka_unit_test(memory_ends_below_the_last_address),
	cmocka_unit_test(a_found_place_goes_around_the_given_ones),
	cmocka_unit_test(where_there_is_no_place_nothing_changes),
	cmocka_unit_test(as_many_large_windows_as_there_are_addresses_for),
};
FL_TEST_MAIN(10, tests)
