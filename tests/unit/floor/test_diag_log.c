/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <stdio.h>

#include "fl_diag.h"
#include "fl_log.h"

struct sink {
	unsigned int lines;
	enum fl_log_level level;
	char last[2048];
};

static void sink_line(void *arg, enum fl_log_level level, const char *text)
{
	struct sink *sink = arg;

	sink->lines++;
	sink->level = level;
	snprintf(sink->last, sizeof(sink->last), "%s", text);
}

static struct fl_log log_to(struct sink *sink, enum fl_log_level level)
{
	return (struct fl_log){.sink = sink_line, .arg = sink, .level = level, .prefix = "vm=test "};
}

static void test_diag_stores_sentence_and_returns_error(void **state)
{
	struct fl_diag diag = {0};

	(void)state;
	assert_int_equal(fl_diag(&diag, -EINVAL, "queue %u of %s", 7u, "fs0"), -EINVAL);
	assert_int_equal(diag.error, -EINVAL);
	assert_string_equal(diag.text, "queue 7 of fs0");
}

static void test_diag_truncates_with_a_terminator(void **state)
{
	struct fl_diag diag;
	char longer[1000];

	(void)state;
	memset(&diag, 'x', sizeof(diag));
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(fl_diag(&diag, -EIO, "%s", longer), -EIO);
	assert_int_equal(strlen(diag.text), sizeof(diag.text) - 1);
	assert_memory_equal(diag.text, longer, sizeof(diag.text) - 1);
}

static void test_diag_may_be_null(void **state)
{
	(void)state;
	assert_int_equal(fl_diag(NULL, -ENOENT, "nobody listens"), -ENOENT);
}

static void test_log_says_prefix_and_level(void **state)
{
	struct sink sink = {0};
	struct fl_log log = log_to(&sink, FL_LOG_WARN);

	(void)state;
	fl_log(&log, FL_LOG_WARN, "share %s", "data");
	assert_int_equal(sink.lines, 1);
	assert_int_equal(sink.level, FL_LOG_WARN);
	assert_string_equal(sink.last, "vm=test share data");
}

static void test_log_drops_what_is_too_detailed(void **state)
{
	struct sink sink = {0};
	struct fl_log log = log_to(&sink, FL_LOG_WARN);

	(void)state;
	fl_log(&log, FL_LOG_INFO, "not wanted");
	assert_int_equal(sink.lines, 0);
	fl_log(&log, FL_LOG_ERROR, "wanted");
	assert_int_equal(sink.lines, 1);
}

static void test_log_without_a_sink_is_silent(void **state)
{
	struct sink sink = {0};
	struct fl_log log = log_to(&sink, FL_LOG_DEBUG);
	struct fl_log_limit limit = {0};

	(void)state;
	log.sink = NULL;
	fl_log(&log, FL_LOG_ERROR, "nobody");
	fl_log(NULL, FL_LOG_ERROR, "nobody");
	fl_log_limited(NULL, &limit, FL_LOG_ERROR, "nobody");
	assert_int_equal(sink.lines, 0);
}

static void test_log_truncates_long_lines(void **state)
{
	struct sink sink = {0};
	struct fl_log log = log_to(&sink, FL_LOG_WARN);
	char longer[3000];

	(void)state;
	memset(longer, 'b', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	fl_log(&log, FL_LOG_WARN, "%s", longer);
	assert_int_equal(sink.lines, 1);
	assert_in_range(strlen(sink.last), 500, 1100);
	assert_memory_equal(sink.last, "vm=test bbbb", 12);
}

static void test_limited_log_lets_five_a_second_through(void **state)
{
	struct sink sink = {0};
	struct fl_log log = log_to(&sink, FL_LOG_WARN);
	struct fl_log_limit limit = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		fl_log_limited(&log, &limit, FL_LOG_WARN, "line");
	/* the thousand may straddle the change of a second, not two in any sane run */
	assert_in_range(sink.lines, 5, 15);
}

static void test_limited_log_counts_what_it_dropped(void **state)
{
	struct sink sink = {0};
	struct fl_log log = log_to(&sink, FL_LOG_WARN);
	struct fl_log_limit limit = {0};
	unsigned int dropped;
	char expected[100];

	(void)state;
	for (int i = 0; i < 100; i++)
		fl_log_limited(&log, &limit, FL_LOG_WARN, "line");
	dropped = atomic_load(&limit.suppressed);
	assert_in_range(dropped, 80, 95);
	atomic_store(&limit.window_s, 0); /* as if a second had gone by */
	fl_log_limited(&log, &limit, FL_LOG_WARN, "line");
	snprintf(expected, sizeof(expected), "vm=test line (%u such lines left out)", dropped);
	assert_string_equal(sink.last, expected);
	fl_log_limited(&log, &limit, FL_LOG_WARN, "line");
	assert_string_equal(sink.last, "vm=test line");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_diag_stores_sentence_and_returns_error),
	cmocka_unit_test(test_diag_truncates_with_a_terminator),
	cmocka_unit_test(test_diag_may_be_null),
	cmocka_unit_test(test_log_says_prefix_and_level),
	cmocka_unit_test(test_log_drops_what_is_too_detailed),
	cmocka_unit_test(test_log_without_a_sink_is_silent),
	cmocka_unit_test(test_log_truncates_long_lines),
	cmocka_unit_test(test_limited_log_lets_five_a_second_through),
	cmocka_unit_test(test_limited_log_counts_what_it_dropped),
};
FL_TEST_MAIN(20, tests)
