/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include "cli/units.h"

static void lengths_have_units(void **state)
{
	static const struct {
		uint64_t len;
		const char *text;
	} rows[] = {
		{0, "0 bytes"},
		{1023, "1023 bytes"},
		{1024, "1 KiB"},
		{1535, "1.4 KiB"},
		{1536, "1.5 KiB"},
		{104857, "102 KiB"},
		{1048575, "1023 KiB"},
		{1048576, "1 MiB"},
		{536870912, "512 MiB"},
		{1610612736, "1.5 GiB"},
		{UINT64_C(1) << 41, "2 TiB"},
		{UINT64_MAX, "16777215 TiB"},
	};
	char text[FL_CLI_UNITS_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(fl_cli_bytes_text(rows[i].len, text), rows[i].text);
}

static void times_have_units(void **state)
{
	static const struct {
		uint64_t s, ns;
		const char *text;
	} rows[] = {
		{0, 0, "0.0 s"},     {0, 999999999, "0.9 s"}, {9, 950000000, "9.9 s"},
		{10, 0, "10 s"},     {59, 0, "59 s"},	      {60, 0, "1 min"},
		{3599, 0, "59 min"}, {7800, 0, "2 h 10 min"}, {86400 * 4 + 3600, 0, "4 d 1 h"},
	};
	char text[FL_CLI_UNITS_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(fl_cli_time_text(rows[i].s * 1000000000 + rows[i].ns, text), rows[i].text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lengths_have_units),
	cmocka_unit_test(times_have_units),
};
FL_TEST_MAIN(10, tests)
