/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options: what mount(8) calls them and what mount(2) wants. */
#include "tests/lib/fl_test.h"

#include <sys/mount.h>

#include "guest/mounts.h"

static void assert_options(const char *text, unsigned long flags, const char *data)
{
	struct fl_mount_options options;

	assert_int_equal(fl_mount_options_parse(text, &options), 0);
	assert_int_equal(options.flags, flags);
	assert_string_equal(options.data, data);
}

static void flags_and_data_are_told_apart(void **state)
{
	(void)state;
	assert_options("", 0, "");
	assert_options("ro", MS_RDONLY, "");
	assert_options("ro,dax", MS_RDONLY, "dax");
	assert_options("dax=always,ro,nosuid", MS_RDONLY | MS_NOSUID, "dax=always");
	assert_options("rw,dax,x=y", 0, "dax,x=y");
	assert_options("ro,nodev,noexec,rw", MS_NODEV | MS_NOEXEC, "");
	assert_options(",,ro,,dax,", MS_RDONLY, "dax");
	assert_options("rox,ronly", 0, "rox,ronly");
}

static void too_long_options_are_refused(void **state)
{
	struct fl_mount_options options;
	char text[400];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(options.data) - 2] = '\0';
	assert_int_equal(fl_mount_options_parse(text, &options), 0);
	assert_string_equal(options.data, text);
	text[sizeof(options.data) - 2] = 'x';
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(fl_mount_options_parse(text, &options), -E2BIG);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(flags_and_data_are_told_apart),
	cmocka_unit_test(too_long_options_are_refused),
};
FL_TEST_MAIN(10, tests)
