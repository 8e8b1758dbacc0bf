/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include "virtiofs/fuse_wire.h"

static int name_of(const char *bytes, size_t len, const char **name)
{
	/* exactly as much memory as there are bytes, so that a read beyond them is seen */
	uint8_t *copy = malloc(len ? len : 1);
	struct fl_fuse_cursor cursor = {.pos = copy, .left = len};
	int error;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	error = fl_fuse_take_name(&cursor, name);
	if (!error)
		assert_string_equal(*name, bytes);
	free(copy);
	return error;
}

static void good_names_are_taken(void **state)
{
	char longest[256];
	const char *name;

	(void)state;
	memset(longest, 'x', 255);
	longest[255] = 0;
	assert_int_equal(name_of("a", 2, &name), 0);
	assert_int_equal(name_of("...", 4, &name), 0);
	assert_int_equal(name_of(".hidden", 8, &name), 0);
	assert_int_equal(name_of("\xff\x01", 3, &name), 0);
	assert_int_equal(name_of(longest, 256, &name), 0);
}

static void bad_names_are_refused(void **state)
{
	char too_long[257];
	const char *name = NULL;

	(void)state;
	memset(too_long, 'x', 256);
	too_long[256] = 0;
	assert_int_equal(name_of("", 0, &name), -EINVAL);
	assert_int_equal(name_of("", 1, &name), -EINVAL);
	assert_int_equal(name_of(".", 2, &name), -EINVAL);
	assert_int_equal(name_of("..", 3, &name), -EINVAL);
	assert_int_equal(name_of("/", 2, &name), -EINVAL);
	assert_int_equal(name_of("a/b", 4, &name), -EINVAL);
	assert_int_equal(name_of("/etc", 5, &name), -EINVAL);
	assert_int_equal(name_of("abc", 3, &name), -EINVAL); /* no NUL */
	assert_int_equal(name_of(too_long, 257, &name), -ENAMETOOLONG);
	assert_null(name);
}

static void take_stops_at_the_end(void **state)
{
	const uint8_t bytes[5] = {1, 2, 3, 4, 5};
	struct fl_fuse_cursor cursor = {.pos = bytes, .left = sizeof(bytes)};
	uint32_t word = 0;

	(void)state;
	assert_true(fl_fuse_take(&cursor, &word, 4));
	assert_int_equal(word, 0x04030201);
	assert_false(fl_fuse_take(&cursor, &word, 2));
	assert_int_equal(cursor.left, 1);
	assert_true(fl_fuse_take(&cursor, &word, 1));
	assert_true(fl_fuse_take(&cursor, &word, 0));
	assert_false(fl_fuse_take(&cursor, &word, 1));
}

static void two_strings_in_a_row(void **state)
{
	const char bytes[] = "one\0two";
	struct fl_fuse_cursor cursor = {.pos = (const uint8_t *)bytes, .left = sizeof(bytes)};
	size_t len = 99;

	(void)state;
	assert_string_equal(fl_fuse_take_string(&cursor, &len), "one");
	assert_int_equal(len, 3);
	assert_string_equal(fl_fuse_take_string(&cursor, &len), "two");
	assert_null(fl_fuse_take_string(&cursor, &len));
}

/* What must never reach a guest: positive, beyond 511, sticky ENOSYS, EAGAIN. */
static void errors_stay_in_range(void **state)
{
	static const struct {
		int host, guest;
	} cases[] = {
		{0, 0},		  {-ENOENT, -ENOENT}, {-EMFILE, -ENFILE}, {-EAGAIN, -EBUSY},  {-ENOSYS, -EOPNOTSUPP},
		{-EUCLEAN, -EIO}, {-EBADMSG, -EIO},   {-512, -EIO},	  {-511, -EIO},	      {-510, -510},
		{5, -EIO},	  {-100000, -EIO},    {-EFAULT, -EFAULT}, {-ESTALE, -ESTALE},
	};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(cases); i++)
		assert_int_equal(fl_fuse_error(cases[i].host), cases[i].guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(good_names_are_taken),	 cmocka_unit_test(bad_names_are_refused),
	cmocka_unit_test(take_stops_at_the_end), cmocka_unit_test(two_strings_in_a_row),
	cmocka_unit_test(errors_stay_in_range),
};
FL_TEST_MAIN(10, tests)
