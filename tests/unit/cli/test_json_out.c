/* SPDX-License-Identifier: Apache-2.0 */
/* The writer of JSON: its texts letter by letter, and what it says when it cannot. check_json_out.py reads documents.
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/json_out.h"

struct sheet {
	struct fl_json json;
	char *text;
	size_t len;
};

static void begin(struct sheet *sheet)
{
	FILE *out = open_memstream(&sheet->text, &sheet->len);

	assert_non_null(out);
	fl_json_begin(&sheet->json, out);
}

static void expect_end(struct sheet *sheet, int ret, const char *text)
{
	assert_int_equal(fl_json_end(&sheet->json), ret);
	assert_int_equal(fclose(sheet->json.out), 0);
	if (text)
		assert_string_equal(sheet->text, text);
	free(sheet->text);
}

static void commas_stand_between_members(void **state)
{
	struct sheet sheet;
	struct fl_json *json = &sheet.json;

	(void)state;
	begin(&sheet);
	fl_json_object(json, NULL);
	fl_json_array(json, "empty");
	fl_json_close(json);
	fl_json_array(json, "list");
	fl_json_bool(json, NULL, true);
	fl_json_object(json, NULL);
	fl_json_close(json);
	fl_json_null(json, NULL);
	fl_json_close(json);
	fl_json_string(json, "none", NULL);
	fl_json_address(json, "at", 0xfee00000);
	fl_json_close(json);
	expect_end(&sheet, 0, "{\"empty\":[],\"list\":[true,{},null],\"none\":null,\"at\":\"0xfee00000\"}\n");
}

static void an_object_that_is_text_is_taken_in(void **state)
{
	static const char *const no_objects[] = {"", "{", "}", "[1]", "{\"a\":1", "\"a\":1}"};
	struct sheet sheet;

	(void)state;
	begin(&sheet);
	fl_json_object(&sheet.json, NULL);
	fl_json_members(&sheet.json, "{}");
	fl_json_members(&sheet.json, "{\"a\":{},\"b\":2}");
	fl_json_null(&sheet.json, "c");
	fl_json_members(&sheet.json, "{}");
	fl_json_members(&sheet.json, "{\"d\":3}");
	fl_json_close(&sheet.json);
	expect_end(&sheet, 0, "{\"a\":{},\"b\":2,\"c\":null,\"d\":3}\n");
	for (size_t i = 0; i < sizeof(no_objects) / sizeof(no_objects[0]); i++) {
		begin(&sheet);
		fl_json_object(&sheet.json, NULL);
		fl_json_members(&sheet.json, no_objects[i]);
		fl_json_close(&sheet.json);
		expect_end(&sheet, -EINVAL, NULL);
	}
	begin(&sheet);
	fl_json_array(&sheet.json, NULL);
	fl_json_members(&sheet.json, "{\"a\":1}");
	fl_json_close(&sheet.json);
	expect_end(&sheet, -EINVAL, NULL);
}

static void expect_text(const void *bytes, size_t len, const char *quoted)
{
	struct sheet sheet;
	char line[256];

	snprintf(line, sizeof(line), "\"%s\"\n", quoted);
	begin(&sheet);
	fl_json_bytes(&sheet.json, NULL, bytes, len);
	expect_end(&sheet, 0, line);
}

/* docs/events.md, "text", and RFC 3629, 4 for what is UTF-8. */
static void texts_are_escaped_twice(void **state)
{
	static const struct {
		const char *bytes, *quoted;
	} rows[] = {
		{"", ""},
		{"a b/", "a b/"},
		{"\"", "\\\""},
		{"\\", "\\\\\\\\"},
		{"\\101", "\\\\\\\\101"},
		{"\n\t\x1f\x7f", "\\\\012\\\\011\\\\037\\\\177"},
		{"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7"},
		{"\xc2\x9f|\xc2\xa0", "\\\\302\\\\237|\xc2\xa0"},		     /* the last control of C1 */
		{"\xc1\xbf|\xe0\x9f\xbf", "\\\\301\\\\277|\\\\340\\\\237\\\\277"},   /* overlong */
		{"\xf0\x8f\xbf\xbf", "\\\\360\\\\217\\\\277\\\\277"},		     /* overlong */
		{"\xed\x9f\xbf|\xed\xa0\x80", "\xed\x9f\xbf|\\\\355\\\\240\\\\200"}, /* a surrogate */
		{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},			     /* U+10FFFF */
		{"\xf4\x90\x80\x80", "\\\\364\\\\220\\\\200\\\\200"},		     /* beyond it */
		{"\xf5\x80\x80\x80", "\\\\365\\\\200\\\\200\\\\200"},
		{"\x80|\xff", "\\\\200|\\\\377"},
		{"\xe2\x82|", "\\\\342\\\\202|"},
		{"\xe2\x82", "\\\\342\\\\202"},
		{"\xc3", "\\\\303"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_text(rows[i].bytes, strlen(rows[i].bytes), rows[i].quoted);
	expect_text("a\0b", 3, "a\\\\000b");
	/* what follows the bytes is no part of them */
	expect_text("\xc3\xa4", 1, "\\\\303");
}

static void numbers_are_the_same_for_every_reader(void **state)
{
	struct sheet sheet;
	struct fl_json *json = &sheet.json;

	(void)state;
	begin(&sheet);
	fl_json_array(json, NULL);
	fl_json_u64(json, NULL, 0);
	fl_json_u64(json, NULL, UINT64_C(9007199254740991));
	fl_json_u64(json, NULL, UINT64_C(9007199254740992));
	fl_json_u64(json, NULL, UINT64_MAX);
	fl_json_i64(json, NULL, -1);
	fl_json_i64(json, NULL, INT64_C(-9007199254740991));
	fl_json_i64(json, NULL, INT64_C(-9007199254740992));
	fl_json_i64(json, NULL, INT64_MIN);
	fl_json_i64(json, NULL, INT64_C(9007199254740992));
	fl_json_close(json);
	expect_end(&sheet, 0,
		   "[0,9007199254740991,\"9007199254740992\",\"18446744073709551615\",-1,-9007199254740991,"
		   "\"-9007199254740992\",\"-9223372036854775808\",\"9007199254740992\"]\n");
}

static void times_are_utc(void **state)
{
	struct sheet sheet;
	struct fl_json *json = &sheet.json;

	(void)state;
	begin(&sheet);
	fl_json_array(json, NULL);
	fl_json_time(json, NULL, 0);
	fl_json_time(json, NULL, UINT64_C(1772366400250000001));
	fl_json_time(json, NULL, UINT64_MAX);
	fl_json_close(json);
	expect_end(&sheet, 0,
		   "[\"1970-01-01T00:00:00.000000000Z\",\"2026-03-01T12:00:00.250000001Z\","
		   "\"2554-07-21T23:34:33.709551615Z\"]\n");
}

static void no_key_in_an_object(struct fl_json *json)
{
	fl_json_object(json, NULL);
	fl_json_null(json, NULL);
	fl_json_close(json);
}

static void a_key_in_an_array(struct fl_json *json)
{
	fl_json_array(json, NULL);
	fl_json_object(json, "key");
	fl_json_close(json);
	fl_json_close(json);
}

static void a_key_of_the_whole(struct fl_json *json)
{
	fl_json_u64(json, "key", 1);
}

static void two_values(struct fl_json *json)
{
	fl_json_u64(json, NULL, 1);
	fl_json_u64(json, NULL, 2);
}

static void nothing(struct fl_json *json)
{
	(void)json;
}

static void left_open(struct fl_json *json)
{
	fl_json_array(json, NULL);
	fl_json_array(json, NULL);
	fl_json_close(json);
}

static void closed_too_often(struct fl_json *json)
{
	fl_json_array(json, NULL);
	fl_json_close(json);
	fl_json_close(json);
}

static void wrong_calls_are_told_at_the_end(void **state)
{
	static void (*const wrong[])(struct fl_json *) = {
		no_key_in_an_object, a_key_in_an_array, a_key_of_the_whole, two_values, nothing,
		left_open,	     closed_too_often,
	};
	struct sheet sheet;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin(&sheet);
		wrong[i](&sheet.json);
		expect_end(&sheet, -EINVAL, NULL);
	}
}

static void depth_has_an_end(void **state)
{
	struct sheet sheet;

	(void)state;
	for (unsigned int depth = FL_JSON_DEPTH_MAX; depth <= FL_JSON_DEPTH_MAX + 1; depth++) {
		begin(&sheet);
		for (unsigned int i = 0; i < depth; i++)
			fl_json_array(&sheet.json, NULL);
		for (unsigned int i = 0; i < depth; i++)
			fl_json_close(&sheet.json);
		expect_end(&sheet, depth == FL_JSON_DEPTH_MAX ? 0 : -EOVERFLOW, NULL);
	}
}

/* What does not fit into the stream's buffer fails at once, what does at the end. */
static void a_full_disk_is_remembered(void **state)
{
	(void)state;
	for (unsigned int count = 1; count <= 100000; count *= 100000) {
		FILE *out = fopen("/dev/full", "we");
		struct fl_json json;

		assert_non_null(out);
		fl_json_begin(&json, out);
		fl_json_array(&json, NULL);
		for (unsigned int i = 0; i < count; i++)
			fl_json_string(&json, NULL, "full");
		assert_int_equal(json.error, count == 1 ? 0 : -ENOSPC);
		fl_json_close(&json);
		assert_int_equal(fl_json_end(&json), -ENOSPC);
		fclose(out);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(commas_stand_between_members),
	cmocka_unit_test(an_object_that_is_text_is_taken_in),
	cmocka_unit_test(texts_are_escaped_twice),
	cmocka_unit_test(numbers_are_the_same_for_every_reader),
	cmocka_unit_test(times_are_utc),
	cmocka_unit_test(wrong_calls_are_told_at_the_end),
	cmocka_unit_test(depth_has_an_end),
	cmocka_unit_test(a_full_disk_is_remembered),
};
FL_TEST_MAIN(20, tests)
