/* SPDX-License-Identifier: Apache-2.0 */
/* What is written of results. The formats as a whole are read by other programs' parsers in check_results.py. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/scenario/results/text.h"
#include "samples.h"

static void durations_have_three_digits_and_a_unit(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {
		{0, "0 ns"},
		{999, "999 ns"},
		{1000, "1 \xc2\xb5s"},
		{1250, "1.25 \xc2\xb5s"},
		{1209, "1.2 \xc2\xb5s"},
		{12340, "12.3 \xc2\xb5s"},
		{340000000, "340 ms"},
		{1009999999, "1 s"},
		{59999999999, "59.9 s"},
		{125 * UINT64_C(1000000000), "2 min 5 s"},
		{UINT64_MAX, "307445734 min 33 s"},
	};
	char buf[FL_SCN_DURATION_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(fl_scn_duration(rows[i].ns, buf), rows[i].text);
}

/* Well-formed and ill-formed sequences are those of the Unicode standard, table 3-7. */
static void characters_are_valid_or_replaced(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t code;
		size_t len;
	} rows[] = {
		{"a", 'a', 1},
		{"\n", '\n', 1},
		{"\x1b", 0x241b, 1},
		{"\x7f", 0x2421, 1},
		{"\xc3\xa4", 0xe4, 2},
		{"\xe2\x82\xac", 0x20ac, 3},
		{"\xf0\x9f\x98\x80", 0x1f600, 4},
		{"\xf4\x8f\xbf\xbd", 0x10fffd, 4},
		{"\x80", 0xfffd, 1},
		{"\xc0\xaf", 0xfffd, 1},	 /* overlong */
		{"\xe0\x80\xaf", 0xfffd, 1},	 /* overlong */
		{"\xed\xa0\x80", 0xfffd, 1},	 /* a surrogate */
		{"\xf4\x90\x80\x80", 0xfffd, 1}, /* above U+10FFFF */
		{"\xe2\x82", 0xfffd, 1},	 /* cut short */
		{"\xc2\x9b", 0xfffd, 2},	 /* CSI */
		{"\xe2\x80\xae", 0xfffd, 3},	 /* right to left from here on */
		{"\xef\xbf\xbf", 0xfffd, 3},	 /* no character */
	};
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(fl_scn_next_char(rows[i].bytes, strlen(rows[i].bytes), &len), rows[i].code);
		assert_int_equal(len, rows[i].len);
	}
	assert_int_equal(fl_scn_next_char("\0", 1, &len), 0x2400);
}

static void characters_come_out_as_they_went_in(void **state)
{
	static const uint32_t codes[] = {'a', 0x7ff, 0x800, 0xfffd, 0x10000, 0x10fffd};
	char *bytes;
	size_t used, len;

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		FILE *out = open_memstream(&bytes, &used);

		fl_scn_put_char(out, codes[i]);
		assert_int_equal(fclose(out), 0);
		assert_int_equal(fl_scn_next_char(bytes, used, &len), codes[i]);
		assert_int_equal(len, used);
		free(bytes);
	}
}

typedef int (*writer_fn)(FILE *out, const struct fl_scn_results *results);
static const writer_fn writers[] = {fl_scn_write_junit, fl_scn_write_json, fl_scn_write_html};

static void a_full_disk_is_reported(void **state)
{
	struct fl_scn_results results;

	(void)state;
	fl_scn_samples(&results, 4);
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		FILE *out = fopen("/dev/full", "w");

		assert_non_null(out);
		assert_int_equal(writers[i](out, &results), -ENOSPC);
		fclose(out);
	}
	fl_scn_samples_free(&results);
}

static void no_case_is_a_result_too(void **state)
{
	const struct fl_scn_results none = {.host = "nowhere"};
	char *bytes;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		FILE *out = open_memstream(&bytes, &used);

		assert_int_equal(writers[i](out, &none), 0);
		fclose(out);
		assert_true(used > 0);
		free(bytes);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(durations_have_three_digits_and_a_unit),
	cmocka_unit_test(characters_are_valid_or_replaced),
	cmocka_unit_test(characters_come_out_as_they_went_in),
	cmocka_unit_test(a_full_disk_is_reported),
	cmocka_unit_test(no_case_is_a_result_too),
};

FL_TEST_MAIN(30, tests)
