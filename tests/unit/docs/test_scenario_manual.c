/* SPDX-License-Identifier: Apache-2.0 */
/* What faultline-scenario(5) shows can be read. FL_PAGE: its template. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/scenario/language/scenario.h"

static void assert_readable(const char *text, size_t len)
{
	struct fl_scn_reading *reading = NULL;
	uint32_t count;

	assert_int_equal(fl_scn_read("manual.scn", text, len, &reading), 0);
	const struct fl_scn_error *errors = fl_scn_errors(reading, &count);

	if (count)
		fail_msg("%u:%u: %s in:\n%.*s", errors[0].pos.line, errors[0].pos.column, errors[0].text, (int)len,
			 text);
	fl_scn_forget(reading);
}

static char *read_page(void)
{
	static char page[256 << 10];
	const char *path = getenv("FL_PAGE");
	FILE *file = path ? fopen(path, "re") : NULL;

	assert_non_null(file);
	size_t len = fread(page, 1, sizeof(page) - 1, file);

	assert_true(len > 0 && len < sizeof(page) - 1);
	page[len] = '\0';
	fclose(file);
	return page;
}

/* Whole ones begin with a comment. */
static void the_scenarios_of_the_manual_are_right(void **state)
{
	static const char begin[] = ".Bd -literal -offset indent\n", end[] = ".Ed\n";
	unsigned int whole = 0;

	(void)state;
	for (const char *at = read_page(); (at = strstr(at, begin));) {
		const char *block = at + strlen(begin), *behind = strstr(block, end);

		assert_non_null(behind);
		if (block[0] == '#') {
			assert_readable(block, (size_t)(behind - block));
			whole++;
		}
		at = behind;
	}
	assert_int_equal(whole, 3);
}

/* What the example of a step takes for granted, and the example. */
static void write_reader(FILE *out, const struct fl_scn_op_row *row)
{
	fputs("# Steps.\ndir data\ndir disk tmpfs 16M\ndir bad failing\nfile data/log size 64K content code\n"
	      "file data/new size 64K\nfile bad/log size 4K\n"
	      "guest reader\n\topen g data/new rw\n\tmap n g 0 64K rw\n\tloop 2\n\t\tsleep 1ns\n\tend\n",
	      out);
	if (row->op != FL_SCN_OP_OPEN)
		fputs("\topen f data/log rw\n", out);
	if (row->op != FL_SCN_OP_OPEN && row->op != FL_SCN_OP_MAP)
		fputs("\tmap m f 0 64K rwx\n", out);
	if (row->op != FL_SCN_OP_THREAD)
		fputs("\tthread helper\n", out);
	if (row->op != FL_SCN_OP_FORK)
		fputs("\tfork child\n", out);
	if (row->op == FL_SCN_OP_END)
		fputs("\tloop 2\n\tsleep 1ns\n", out);
	if (row->by & FL_SCN_BY_GUEST)
		fprintf(out, "\t%s\n", row->example);
	if (row->op == FL_SCN_OP_LOOP)
		fputs("\tsleep 1ns\n\tend\n", out);
}

/* What is inside a fault needs somebody who asks, a begin and an end. */
static void write_host(FILE *out, const struct fl_scn_op_row *row)
{
	bool begins = row->op == FL_SCN_HOST_INSIDE, ends = row->op == FL_SCN_HOST_ANSWER;

	if (begins || ends)
		fputs("machine\n\tshare data at /data policy ask,stop\n", out);
	fprintf(out, "host\n%s\t%s\n%s", ends ? "\tinside fault 1\n" : "", row->example,
		begins ? "\tanswer next\n" : "");
}

static void write_others(FILE *out, const struct fl_scn_op_row *row)
{
	if (!(row->by & FL_SCN_BY_GUEST))
		write_host(out, row);
	fputs("guest helper thread of reader\n\tsleep 1ns\nguest child child of reader\n\tsleep 1ns\n"
	      "host second\n\tmark cut\n\tmark done\n",
	      out);
	if (row->op == FL_SCN_OP_BARRIER)
		fputs("\tbarrier ready\n", out);
}

static void each_step_has_an_example_of_itself(void **state)
{
	(void)state;
	for (const struct fl_scn_op_row *row = fl_scn_ops; row->name; row++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		write_reader(out, row);
		write_others(out, row);
		fclose(out);
		assert_true(strncmp(row->example, row->name, strlen(row->name)) == 0);
		assert_readable(text, len);
		free(text);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_scenarios_of_the_manual_are_right),
	cmocka_unit_test(each_step_has_an_example_of_itself),
};
FL_TEST_MAIN(10, tests)
