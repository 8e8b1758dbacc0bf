/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that are wrong, and what is to be said of them. */
#ifndef SCENARIO_ERRORS_H
#define SCENARIO_ERRORS_H

#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/scenario/language/scenario.h"
#include "fl_base.h"

/* What stands before the lines that a test is about: one line, three, and six. */
#define A_TEST	  "# A test.\n"
#define A_FILE	  A_TEST "dir data\nfile data/log size 64K\n"
#define A_MAPPING A_FILE "guest a\n\topen f data/log rw\n\tmap m f 0 64K rw\n"

struct wrong {
	const char *text;
	const char *errors; /* all, each "LINE:COLUMN: SENTENCE\n" */
};

/* To be freed. */
static inline char *errors_of(const char *text, size_t len)
{
	struct fl_scn_reading *reading = NULL;
	char *told = NULL;
	size_t told_len = 0;
	FILE *out = open_memstream(&told, &told_len);
	uint32_t count;

	assert_non_null(out);
	assert_int_equal(fl_scn_read("f.scn", text, len, &reading), 0);
	const struct fl_scn_error *errors = fl_scn_errors(reading, &count);

	assert_true(count <= FL_SCN_ERRORS_MAX);
	assert_true((count == 0) == (fl_scn_text(reading) != NULL));
	for (uint32_t i = 0; i < count; i++)
		fprintf(out, "%u:%u: %s\n", errors[i].pos.line, errors[i].pos.column, errors[i].text);
	fl_scn_forget(reading);
	fclose(out);
	return told;
}

static inline void assert_errors(const char *text, size_t len, const char *errors)
{
	char *told = errors_of(text, len);

	if (strcmp(told, errors) != 0)
		fail_msg("of \"%.200s\" is said:\n%sand not:\n%s", text, told, errors);
	free(told);
}

static inline void assert_wrong(const struct wrong *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_errors(table[i].text, strlen(table[i].text), table[i].errors);
}

#endif
