/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and times of scenarios. Expected: faultline-scenario(5), computed by hand. */
#include "tests/lib/fl_test.h"

#include "cli/scenario/language/number.h"
#include "fl_base.h"

#define MS UINT64_C(1000000)

static void numbers_are_expressions(void **state)
{
	static const struct {
		const char *text;
		uint64_t number;
	} numbers[] = {
		{"0", 0},
		{"4096", 4096},
		{"0x10", 16},
		{"0xfF", 255},
		{"12K", 12288},
		{"3M", 3145728},
		{"1G", 1073741824},
		{"2p", 8192},
		{"0x10K", 16384},
		{"4K*2+8", 8200},
		{"8+4K*2", 8200},
		{"4K*(2+1)", 12288},
		{"20-5-3", 12},
		{"100/7/2", 7},
		{"7/2*2", 6},
		{"64K-4K+8", 61448},
		{"((1))", 1},
		{"2*(3+(4-1))", 12},
		{"18446744073709551615", UINT64_MAX},
		{"0xffffffffffffffff", UINT64_MAX},
		{"17179869183G", UINT64_C(18446744072635809792)},
		{"0-0", 0},
	};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(numbers); i++) {
		uint64_t number = 77;
		const char *wrong = fl_scn_parse_number(numbers[i].text, &number);

		if (wrong || number != numbers[i].number)
			fail_msg("%s is %lu (%s)", numbers[i].text, number, wrong ? wrong : "right");
	}
}

static void what_is_no_number_changes_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"K",
		"-1",
		"+1",
		"1.5",
		"1k",
		"0x",
		"00",
		"01",
		"4K4",
		"(",
		")",
		"()",
		"1+",
		"1++1",
		"1 ",
		" 1",
		"1..2",
		"1,2",
		"1)",
		"(1",
		"0-1",
		"1/0",
		"1/(2-2)",
		"1KK",
		"0xg",
		"18446744073709551616",
		"18446744073709551615+1",
		"4294967296*4294967296",
		"17179869184G",
		"0x10000000000000000",
	};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(texts); i++) {
		uint64_t number = 77;

		if (!fl_scn_parse_number(texts[i], &number) || number != 77)
			fail_msg("\"%s\" is taken for %lu", texts[i], number);
	}
}

static void parentheses_are_sixteen_deep_at_most(void **state)
{
	uint64_t number = 77;

	(void)state;
	assert_null(fl_scn_parse_number("((((((((((((((((5))))))))))))))))", &number));
	assert_int_equal(number, 5);
	assert_non_null(fl_scn_parse_number("(((((((((((((((((6)))))))))))))))))", &number));
	assert_int_equal(number, 5);
}

static void ranges_have_their_ends_in_them(void **state)
{
	uint64_t from = 77, to = 77;

	(void)state;
	assert_null(fl_scn_parse_range("4K..8K-1", false, &from, &to));
	assert_true(from == 4096 && to == 8191);
	assert_null(fl_scn_parse_range("3", false, &from, &to));
	assert_true(from == 3 && to == 3);
	assert_null(fl_scn_parse_range("2..", true, &from, &to));
	assert_true(from == 2 && to == UINT64_MAX);
	assert_non_null(fl_scn_parse_range("2..", false, &from, &to));
	assert_non_null(fl_scn_parse_range("3..2", true, &from, &to));
	assert_non_null(fl_scn_parse_range("..2", true, &from, &to));
	assert_non_null(fl_scn_parse_range("1..2..3", true, &from, &to));
	assert_true(from == 2 && to == UINT64_MAX);
}

static void times_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} times[] = {
		{"0", 0},
		{"7ns", 7},
		{"200us", 200000},
		{"3ms", 3 * MS},
		{"1.5s", 1500 * MS},
		{"0.25us", 250},
		{"0.000000001s", 1},
		{"3600s", 3600000 * MS},
		{"1.000ms", 1 * MS},
		{"0s", 0},
		{"3600000000000ns", 3600000 * MS},
	};
	static const char *const none[] = {"",	    "1",    "s",     "1.s",    ".5s",
					   "1m",    "1h",   "1 s",   "-1s",    "1ss",
					   "0.5ns", "1e3s", "3601s", "1.5.5s", "18446744073709551616s"};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(times); i++) {
		uint64_t ns = 77;
		const char *wrong = fl_scn_parse_time(times[i].text, &ns);

		if (wrong || ns != times[i].ns)
			fail_msg("%s is %lu (%s)", times[i].text, ns, wrong ? wrong : "right");
	}
	for (size_t i = 0; i < FL_ARRAY_SIZE(none); i++) {
		uint64_t ns = 77;

		if (!fl_scn_parse_time(none[i], &ns) || ns != 77)
			fail_msg("\"%s\" is taken for %lu", none[i], ns);
	}
}

static void the_unit_of_a_range_may_stand_at_its_end(void **state)
{
	uint64_t from, to;

	(void)state;
	assert_null(fl_scn_parse_times("0..5ms", &from, &to));
	assert_true(from == 0 && to == 5 * MS);
	assert_null(fl_scn_parse_times("1.5..5ms", &from, &to));
	assert_true(from == 1500000 && to == 5 * MS);
	assert_null(fl_scn_parse_times("10us..1ms", &from, &to));
	assert_true(from == 10000 && to == MS);
	assert_null(fl_scn_parse_times("2s", &from, &to));
	assert_true(from == 2000 * MS && to == 2000 * MS);
	assert_non_null(fl_scn_parse_times("5..1ms", &from, &to));
	assert_non_null(fl_scn_parse_times("1ms..5", &from, &to));
	assert_non_null(fl_scn_parse_times("..5ms", &from, &to));
	assert_non_null(fl_scn_parse_times("1ms..", &from, &to));
}

static void modes_are_octal(void **state)
{
	uint64_t mode = 77;

	(void)state;
	assert_null(fl_scn_parse_octal("0644", &mode));
	assert_int_equal(mode, 0644);
	assert_null(fl_scn_parse_octal("7777", &mode));
	assert_int_equal(mode, 07777);
	assert_non_null(fl_scn_parse_octal("10000", &mode));
	assert_non_null(fl_scn_parse_octal("8", &mode));
	assert_non_null(fl_scn_parse_octal("", &mode));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(numbers_are_expressions),
	cmocka_unit_test(what_is_no_number_changes_nothing),
	cmocka_unit_test(parentheses_are_sixteen_deep_at_most),
	cmocka_unit_test(ranges_have_their_ends_in_them),
	cmocka_unit_test(times_have_units),
	cmocka_unit_test(the_unit_of_a_range_may_stand_at_its_end),
	cmocka_unit_test(modes_are_octal),
};
FL_TEST_MAIN(10, tests)
