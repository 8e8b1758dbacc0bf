/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "cli/scenario/language/reading.h"

/* How many letters of a variable's name begin text. */
static uint32_t name_len(const struct fl_scn_raw *text)
{
	uint32_t len = 0;

	while (len < text->len && (isalnum((unsigned char)text->text[len]) || text->text[len] == '_'))
		len++;
	return len;
}

static uint32_t count_words(const struct fl_scn_raw *text)
{
	uint32_t bars = 1;

	for (uint32_t i = 0; i < text->len; i++)
		bars += text->text[i] == '|';
	return bars;
}

/* "WORD|WORD" */
static bool read_words(struct fl_scn_reader *reader, const struct fl_scn_raw *text, struct fl_scn_test *test)
{
	uint32_t most = count_words(text), at = 0;
	struct fl_scn_raw *words = fl_scn_alloc(&reader->reading->keep, most, sizeof(*words));

	test->words = words;
	test->met = fl_scn_alloc(&reader->reading->keep, most, sizeof(*test->met));
	if (!words || !test->met)
		return false;
	for (;;) {
		if (!fl_scn_lex_word(reader, text, &at, "|", &words[test->count]))
			return fl_scn_wrong(reader, words[test->count].pos,
					    "A word is missing here: write NAME=WORD or NAME=WORD|WORD.");
		test->count++;
		if (at == text->len || test->count == most)
			return true;
		at++;
	}
}

/* "NAME=WORD|WORD", "NAME!=WORD" */
static bool read_test(struct fl_scn_reader *reader, const struct fl_scn_raw *raw, struct fl_scn_test *test)
{
	uint32_t len = name_len(raw), sign = len;

	test->pos = raw->pos;
	test->differs = sign < raw->len && raw->text[sign] == '!';
	sign += test->differs;
	if (len == 0 || sign >= raw->len || raw->text[sign] != '=')
		return fl_scn_wrong(reader, raw->pos, "\"%.*s\" is no condition: write NAME=WORD or NAME!=WORD.",
				    (int)raw->len, raw->text);
	test->name = fl_scn_copy(&reader->reading->keep, raw->text, len);
	struct fl_scn_raw words = {
		raw->text + sign + 1, raw->len - sign - 1, {raw->pos.line, raw->pos.column + sign + 1}};

	return test->name && read_words(reader, &words, test);
}

bool fl_scn_read_condition(struct fl_scn_reader *reader, const struct fl_scn_raw *raws, uint32_t count,
			   struct fl_scn_condition **condition)
{
	struct fl_scn_condition *made = fl_scn_alloc(&reader->reading->keep, 1, sizeof(*made));

	if (!made)
		return false;
	made->tests = fl_scn_alloc(&reader->reading->keep, count, sizeof(*made->tests));
	if (!made->tests)
		return false;
	for (made->count = 0; made->count < count; made->count++)
		if (!read_test(reader, &raws[made->count], &made->tests[made->count]))
			return false;
	*condition = made;
	return true;
}

/* Whether a word of the test is what the variable is in this case. */
static bool is_word(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
		    const struct fl_scn_raw *raw, const char *label, bool *is)
{
	struct fl_scn_variable literal = {.words = raw, .count = 1};
	struct fl_scn_value value;

	if (!fl_scn_evaluate(reader, environment, &literal, 0, &value))
		return false;
	*is = strcmp(value.label, label) == 0;
	return true;
}

static bool test_holds(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
		       struct fl_scn_test *test, bool *holds)
{
	const struct fl_scn_value *value = fl_scn_find_value(environment, test->name, strlen(test->name));
	bool equal = false;

	if (!value)
		return fl_scn_unknown_variable(reader, environment, test->name, test->pos);
	for (uint32_t i = 0; i < test->count; i++) {
		bool is = false;

		if (!is_word(reader, environment, &test->words[i], value->label, &is))
			return false;
		equal |= is;
		test->met[i] |= is;
	}
	*holds = equal != test->differs;
	return true;
}

bool fl_scn_condition_holds(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
			    struct fl_scn_condition *condition, bool *holds)
{
	*holds = true;
	for (uint32_t i = 0; i < condition->count; i++) {
		bool one = false;

		if (!test_holds(reader, environment, &condition->tests[i], &one))
			return false;
		*holds &= one;
	}
	condition->fulfilled |= *holds;
	return true;
}
