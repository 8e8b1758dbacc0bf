/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of let, matrix and except, and the "when NAME=WORD:" before others. */
#include <ctype.h>
#include <string.h>

#include "cli/scenario/language/near.h"
#include "cli/scenario/language/reading.h"

static bool raw_is(const struct fl_scn_raw *raw, const char *word)
{
	return raw->len == strlen(word) && memcmp(raw->text, word, raw->len) == 0;
}

/* Takes the "when ...:" away from the line's words. */
static bool take_when(struct fl_scn_reader *reader, struct fl_scn_line *line)
{
	struct fl_scn_raw words[FL_SCN_TOKENS_MAX];
	uint32_t count = 0, taken = 1;
	bool ends = false;

	for (; taken < line->count && !ends; taken++) {
		words[count] = line->raws[taken];
		ends = words[count].text[words[count].len - 1] == ':';
		words[count].len -= ends;
		count += words[count].len > 0;
	}
	if (!ends || count == 0)
		return fl_scn_wrong(reader, line->pos,
				    "A condition is written \"when NAME=WORD:\", with a colon at its end.");
	if (taken == line->count)
		return fl_scn_wrong(reader, line->end, "Behind the colon the rest of the line is missing.");
	line->raws += taken;
	line->count -= taken;
	line->pos = line->raws[0].pos;
	if (raw_is(&line->raws[0], "when"))
		return fl_scn_wrong(reader, line->pos, "Put all conditions behind one when: when A=X B=Y:");
	return fl_scn_read_condition(reader, words, count, &line->when);
}

/* All behind the line's first word. */
static struct fl_scn_raw rest_of(const struct fl_scn_line *line)
{
	if (line->count < 2)
		return (struct fl_scn_raw){line->raws[0].text + line->raws[0].len, 0, line->end};
	const struct fl_scn_raw *last = &line->raws[line->count - 1];

	return (struct fl_scn_raw){line->raws[1].text, (uint32_t)(last->text + last->len - line->raws[1].text),
				   line->raws[1].pos};
}

/* "NAME =" */
static bool read_name(struct fl_scn_reader *reader, const struct fl_scn_raw *text, uint32_t *at,
		      struct fl_scn_variable *variable)
{
	uint32_t len = 0;

	while (len < text->len && (isalnum((unsigned char)text->text[len]) || text->text[len] == '_'))
		len++;
	*at = len;
	while (*at < text->len && isblank((unsigned char)text->text[*at]))
		++*at;
	if (len == 0 || len > FL_SCN_NAME_MAX || isdigit((unsigned char)text->text[0]))
		return fl_scn_wrong(
			reader, text->pos,
			"A name is missing here: letters, digits and \"_\", 32 at most and a letter first.");
	if (*at == text->len || text->text[*at] != '=')
		return fl_scn_wrong(reader, (struct fl_scn_pos){text->pos.line, text->pos.column + *at},
				    "Behind the name a = is missing.");
	++*at;
	variable->name = fl_scn_copy(&reader->reading->keep, text->text, len);
	variable->pos = text->pos;
	return variable->name;
}

static uint32_t count_commas(const struct fl_scn_raw *text)
{
	uint32_t commas = 0;

	for (uint32_t i = 0; i < text->len; i++)
		commas += text->text[i] == ',';
	return commas;
}

static bool are_alike(const struct fl_scn_raw *a, const struct fl_scn_raw *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool check_new(struct fl_scn_reader *reader, const struct fl_scn_raw *words, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (are_alike(&words[i], &words[count]))
			return fl_scn_wrong(reader, words[count].pos,
					    "\"%.*s\" is there for the second time: take one of them away.",
					    (int)words[count].len, words[count].text);
	return true;
}

/* What a word that is followed by another one, or by nothing where there must be one, has to be told. */
static bool wrong_list(struct fl_scn_reader *reader, const struct fl_scn_raw *text, uint32_t at, bool matrix)
{
	struct fl_scn_pos pos = {text->pos.line, text->pos.column + at};

	if (matrix)
		return fl_scn_wrong(reader, pos,
				    "Put a comma between two words to choose from, and several that are one choice in "
				    "{braces}.");
	return fl_scn_wrong(reader, pos, "A variable holds one word: put several in {braces}.");
}

static bool read_words(struct fl_scn_reader *reader, const struct fl_scn_raw *text, uint32_t at, bool matrix,
		       struct fl_scn_variable *variable)
{
	uint32_t most = matrix ? count_commas(text) + 1 : 1;
	struct fl_scn_raw *words = fl_scn_alloc(&reader->reading->keep, most, sizeof(*words));

	if (!words)
		return false;
	variable->words = words;
	for (;;) {
		if (!fl_scn_lex_word(reader, text, &at, matrix ? "," : "", &words[variable->count]))
			return fl_scn_wrong(reader, words[variable->count].pos,
					    "Here a word is missing that the variable is to hold.");
		if (matrix && !check_new(reader, words, variable->count))
			return false;
		variable->count++;
		while (at < text->len && isblank((unsigned char)text->text[at]))
			at++;
		if (at == text->len)
			return true;
		if (!matrix || text->text[at] != ',' || variable->count == most)
			return wrong_list(reader, text, at, matrix);
		at++;
	}
}

static bool read_variable(struct fl_scn_reader *reader, struct fl_scn_line *line, bool matrix)
{
	struct fl_scn_variable *variable = fl_scn_alloc(&reader->reading->keep, 1, sizeof(*variable));
	struct fl_scn_raw rest = rest_of(line);
	uint32_t at;

	if (!variable || !read_name(reader, &rest, &at, variable) || !read_words(reader, &rest, at, matrix, variable))
		return false;
	line->kind = matrix ? FL_SCN_LINE_MATRIX : FL_SCN_LINE_LET;
	line->variable = variable;
	return true;
}

static bool read_except(struct fl_scn_reader *reader, struct fl_scn_line *line)
{
	line->kind = FL_SCN_LINE_EXCEPT;
	if (line->count == 1)
		return fl_scn_wrong(reader, line->end, "Say which cases to leave out: except NAME=WORD.");
	if (!fl_scn_read_condition(reader, line->raws + 1, line->count - 1, &line->except))
		return false;
	line->except->pos = line->pos;
	return true;
}

static bool read_line(struct fl_scn_reader *reader, struct fl_scn_line *line)
{
	bool matrix, except;

	if (raw_is(&line->raws[0], "when")) {
		struct fl_scn_pos pos = line->pos;

		if (!take_when(reader, line))
			return false;
		line->when->pos = pos;
	}
	matrix = raw_is(&line->raws[0], "matrix");
	except = raw_is(&line->raws[0], "except");
	if (!matrix && !except && !raw_is(&line->raws[0], "let"))
		return true;
	if (line->indented)
		return fl_scn_wrong(reader, line->pos,
				    "Put this line before the block, and its first word into the first column.");
	if (line->when && (matrix || except))
		return fl_scn_wrong(reader, line->when->pos,
				    "%s is for all cases: take the condition away, or leave cases out by except.",
				    matrix ? "A matrix" : "An except");
	return except ? read_except(reader, line) : read_variable(reader, line, matrix);
}

bool fl_scn_read_variables(struct fl_scn_reader *reader, struct fl_scn_lines *lines)
{
	bool good = true;

	for (uint32_t i = 0; i < lines->count; i++)
		good &= read_line(reader, &lines->line[i]);
	return good;
}

/* ---- when all cases are known --------------------------------------------------------------- */

static bool wrong_word(struct fl_scn_reader *reader, const struct fl_scn_lines *lines, const struct fl_scn_test *test,
		       const struct fl_scn_raw *word)
{
	char *text = fl_scn_copy(&reader->scratch, word->text, word->len);
	char hint[FL_SCN_HINT_LEN];

	if (!text)
		return false;
	struct fl_scn_near near = FL_SCN_NEAR(text);

	for (uint32_t i = 0; i < lines->count; i++) {
		const struct fl_scn_variable *variable = lines->line[i].variable;

		for (uint32_t j = 0; variable && j < variable->count && strcmp(variable->name, test->name) == 0; j++)
			fl_scn_offer(&near,
				     fl_scn_copy(&reader->scratch, variable->words[j].text, variable->words[j].len));
	}
	if (near.best && near.distance == 0)
		return fl_scn_wrong(
			reader, word->pos,
			"Every case in which the variable %s is \"%s\" was left out by except: take this away.",
			test->name, text);
	return fl_scn_wrong(reader, word->pos, "In no case the variable %s is \"%s\"%s", test->name, text,
			    fl_scn_hint(&near, hint));
}

static bool check_condition(struct fl_scn_reader *reader, const struct fl_scn_lines *lines,
			    const struct fl_scn_condition *condition, bool except)
{
	for (uint32_t i = 0; i < condition->count; i++)
		for (uint32_t j = 0; j < condition->tests[i].count; j++)
			if (!condition->tests[i].met[j])
				return wrong_word(reader, lines, &condition->tests[i], &condition->tests[i].words[j]);
	if (condition->fulfilled)
		return true;
	if (except)
		return fl_scn_wrong(reader, condition->pos, "There is no such case to leave out: take the line away.");
	return fl_scn_wrong(reader, condition->pos, "No case fulfils this condition: take the line away or mend it.");
}

bool fl_scn_check_variables(struct fl_scn_reader *reader, const struct fl_scn_lines *lines)
{
	bool good = true;

	for (uint32_t i = 0; i < lines->count; i++) {
		const struct fl_scn_line *line = &lines->line[i];

		if (line->when)
			good &= check_condition(reader, lines, line->when, false);
		if (line->except)
			good &= check_condition(reader, lines, line->except, true);
		if (line->variable && !line->variable->used)
			good &= fl_scn_wrong(reader, line->variable->pos,
					     "The variable %s is never used: take the line away or use $%s.",
					     line->variable->name, line->variable->name);
	}
	return good;
}
