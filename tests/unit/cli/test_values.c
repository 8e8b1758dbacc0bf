/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's option values: sizes, numbers, fault policies. Expected: the texts of --help. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/values.h"

static void sizes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{"0", 0},
		{"4096", 4096},
		{"1K", 1024},
		{"3k", 3072},
		{"512M", 536870912},
		{"512MB", 536870912},
		{"512MiB", 536870912},
		{"1G", 1073741824},
		{"2T", UINT64_C(2199023255552)},
		{"18446744073709551615", UINT64_MAX},
		{"16777215T", UINT64_C(18446742974197923840)},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct fl_diag diag;
		uint64_t bytes = 1;

		assert_int_equal(fl_cli_parse_size("--memory", sizes[i].text, &bytes, &diag), 0);
		assert_int_equal(bytes, sizes[i].bytes);
	}
}

static void what_is_no_size_is_refused_and_changes_nothing(void **state)
{
	static const char *const texts[] = {
		"",	     "M",
		"-1",	     "+1",
		"1.5G",	     " 1G",
		"1G ",	     "0x10",
		"1P",	     "1MX",
		"1MBB",	     "1iB",
		"G1",	     "18446744073709551616",
		"16777216T", "18014398509481984K",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct fl_diag diag = {0};
		uint64_t bytes = 77;

		assert_int_equal(fl_cli_parse_size("--memory", texts[i], &bytes, &diag), -EINVAL);
		assert_int_equal(bytes, 77);
		assert_non_null(strstr(diag.text, "--memory"));
	}
}

static void numbers_are_whole_and_in_range(void **state)
{
	static const char *const refused[] = {"", "0", "65", "-1", "1x", "2.0", "4294967297", "99999999999999999999"};
	struct fl_diag diag = {0};
	uint32_t number = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(fl_cli_parse_number("--cpus", refused[i], 1, 64, &number, &diag), -EINVAL);
		assert_int_equal(number, 77);
		assert_non_null(strstr(diag.text, "1 to 64"));
	}
	assert_int_equal(fl_cli_parse_number("--cpus", "1", 1, 64, &number, &diag), 0);
	assert_int_equal(number, 1);
	assert_int_equal(fl_cli_parse_number("--cpus", "64", 1, 64, &number, &diag), 0);
	assert_int_equal(number, 64);
}

static void policies_are_lists_of_actions_that_end_in_stop(void **state)
{
	struct fl_policy policy = {{FL_ACTION_STOP}};
	struct fl_diag diag;

	(void)state;
	assert_int_equal(fl_cli_parse_policy("--on-fault", "reflect", &policy, &diag), 0);
	assert_int_equal(policy.action[0], FL_ACTION_REFLECT);
	assert_int_equal(policy.action[1], FL_ACTION_STOP);
	assert_int_equal(fl_cli_parse_policy("--on-fault", "stop", &policy, &diag), 0);
	assert_int_equal(policy.action[0], FL_ACTION_STOP);
	assert_int_equal(fl_cli_parse_policy("--on-fault", "reflect,reflect,reflect,reflect", &policy, &diag), 0);
	assert_int_equal(policy.action[3], FL_ACTION_REFLECT);
}

static void unknown_actions_are_named(void **state)
{
	static const char *const texts[] = {"",	    "ignore",	     "reflect,", ",stop", "reflect stop",
					    "Stop", "reflect,ignore"};
	struct fl_policy policy = {{FL_ACTION_REFLECT}};
	struct fl_diag diag;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(fl_cli_parse_policy("--on-fault", texts[i], &policy, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "\"ignore\""));
	assert_int_equal(fl_cli_parse_policy("--on-fault", "reflect,reflect,reflect,reflect,stop", &policy, &diag),
			 -EINVAL);
	assert_non_null(strstr(diag.text, "at most 4"));
	assert_int_equal(fl_cli_parse_policy("--on-fault", "stop,reflect", &policy, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "after stop"));
	assert_int_equal(policy.action[0], FL_ACTION_REFLECT);
}

static void expect_root(const char *text, const char *dir, bool writable, bool overlay, const char *overlay_dir)
{
	struct fl_cli_share share = {0};
	struct fl_diag diag;

	if (fl_cli_parse_root("--root", text, &share, &diag) < 0)
		fail_msg("%s", diag.text);
	assert_string_equal(share.mount, "/");
	assert_string_equal(share.dir, dir);
	assert_int_equal(share.writable, writable);
	assert_int_equal(share.overlay, overlay);
	if (overlay_dir)
		assert_string_equal(share.overlay_dir, overlay_dir);
	else
		assert_null(share.overlay_dir);
	fl_cli_share_fini(&share);
}

static void a_root_may_be_an_overlay(void **state)
{
	char dir[] = "/tmp/fl:overlay=x-XXXXXX";
	char text[64];
	struct fl_cli_share share = {0};
	struct fl_diag diag;

	(void)state;
	expect_root("/", "/", false, false, NULL);
	expect_root("/usr:ro", "/usr", false, false, NULL);
	expect_root("/usr:rw", "/usr", true, false, NULL);
	expect_root("/usr:overlay", "/usr", false, true, NULL);
	expect_root("/usr:overlay=/tmp", "/usr", false, true, "/tmp");
	/* a directory may have any name */
	assert_non_null(mkdtemp(dir));
	snprintf(text, sizeof(text), "%s:overlay=/usr", dir);
	expect_root(text, dir, false, true, "/usr");
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(fl_cli_parse_root("--root", "/usr:overlay=/no/such", &share, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "/no/such"));
	assert_int_equal(fl_cli_parse_root("--root", "/usr:overlay=", &share, &diag), -EINVAL);
	assert_int_equal(fl_cli_parse_root("--root", ":overlay", &share, &diag), -EINVAL);
	assert_int_equal(fl_cli_parse_root("--root", "", &share, &diag), -EINVAL);
	assert_null(share.dir);
}

static void expect_share(const char *text, const char *dir, bool overlay, const char *overlay_dir)
{
	struct fl_cli_share share = {0};
	struct fl_diag diag;

	if (fl_cli_parse_share("--rodir", text, &share, &diag) < 0)
		fail_msg("%s", diag.text);
	assert_string_equal(share.mount, "/tmp/a");
	assert_string_equal(share.dir, dir);
	assert_false(share.writable);
	assert_int_equal(share.overlay, overlay);
	if (overlay_dir)
		assert_string_equal(share.overlay_dir, overlay_dir);
	else
		assert_null(share.overlay_dir);
	fl_cli_share_fini(&share);
}

static void so_may_any_directory_that_is_shared(void **state)
{
	struct fl_cli_share share = {.writable = true};
	struct fl_diag diag;

	(void)state;
	expect_share("/tmp/a=/usr", "/usr", false, NULL);
	expect_share("/tmp/a=/usr:overlay", "/usr", true, NULL);
	expect_share("/tmp/a=/usr:overlay=/tmp", "/usr", true, "/tmp");
	assert_int_equal(fl_cli_parse_share("--rwdir", "/tmp/a=/usr:overlay", &share, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "--rodir /tmp/a=/usr:overlay"));
	assert_int_equal(fl_cli_parse_share("--rwdir", "/tmp/a=/usr:rw", &share, &diag), -EINVAL);
	share.writable = false;
	assert_int_equal(fl_cli_parse_share("--rodir", "/tmp/a=/usr:overlay=/no/such", &share, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "/no/such"));
	assert_int_equal(fl_cli_parse_share("--rodir", "/tmp/a=:overlay", &share, &diag), -EINVAL);
	assert_null(share.dir);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_root_may_be_an_overlay),
	cmocka_unit_test(so_may_any_directory_that_is_shared),
	cmocka_unit_test(sizes_are_powers_of_1024),
	cmocka_unit_test(what_is_no_size_is_refused_and_changes_nothing),
	cmocka_unit_test(numbers_are_whole_and_in_range),
	cmocka_unit_test(policies_are_lists_of_actions_that_end_in_stop),
	cmocka_unit_test(unknown_actions_are_named),
};
FL_TEST_MAIN(10, tests)
