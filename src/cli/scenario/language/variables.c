/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "cli/scenario/language/near.h"
#include "cli/scenario/language/reading.h"

static bool is_name_letter(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

const struct fl_scn_value *fl_scn_find_value(const struct fl_scn_environment *environment, const char *name, size_t len)
{
	for (uint32_t i = 0; i < environment->count; i++) {
		const struct fl_scn_value *value = &environment->values[i];

		if (strlen(value->variable->name) == len && memcmp(value->variable->name, name, len) == 0) {
			value->variable->used = true;
			return value;
		}
	}
	return NULL;
}

bool fl_scn_unknown_variable(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
			     const char *name, struct fl_scn_pos pos)
{
	struct fl_scn_near near = FL_SCN_NEAR(name);
	char hint[FL_SCN_HINT_LEN];

	for (uint32_t i = 0; i < environment->lines->count; i++) {
		const struct fl_scn_line *line = &environment->lines->line[i];

		if (!line->variable)
			continue;
		if (strcmp(line->variable->name, name) == 0 && line->pos.line > pos.line)
			return fl_scn_wrong(
				reader, pos,
				"There is no variable %s yet: move this line behind line %u, which makes it.", name,
				line->pos.line);
		if (strcmp(line->variable->name, name) != 0)
			fl_scn_offer(&near, line->variable->name);
	}
	return fl_scn_wrong(reader, pos, "There is no variable %s here%s", name, fl_scn_hint(&near, hint));
}

/* A word while it is put together. */
struct building {
	struct fl_scn_reader *reader;
	const struct fl_scn_environment *environment;
	const struct fl_scn_raw *raw;
	char text[FL_SCN_TOKEN_MAX + 1];
	uint32_t len;
};

static struct fl_scn_pos pos_at(const struct building *b, uint32_t at)
{
	return (struct fl_scn_pos){b->raw->pos.line, b->raw->pos.column + at};
}

static bool put(struct building *b, const char *text, size_t len)
{
	if (len > FL_SCN_TOKEN_MAX - b->len)
		return fl_scn_wrong(b->reader, b->raw->pos, "A word has %u bytes at most: make this one shorter.",
				    FL_SCN_TOKEN_MAX);
	memcpy(b->text + b->len, text, len);
	b->len += (uint32_t)len;
	return true;
}

static bool add_token(struct building *b, const char *text, size_t len, bool quoted, struct fl_scn_token_list *list)
{
	char *copy = fl_scn_copy(&b->reader->scratch, text, len);

	if (!copy)
		return false;
	if (list->count == FL_SCN_TOKENS_MAX)
		return fl_scn_wrong(b->reader, b->raw->pos, "With its variables the line has more than %u words.",
				    FL_SCN_TOKENS_MAX);
	list->token[list->count++] = (struct fl_scn_token){copy, b->raw->pos, quoted};
	return true;
}

/* How long "$NAME" or "${NAME}" at this place is; 0: there is none. */
static uint32_t variable_at(const struct building *b, uint32_t at, const char **name, uint32_t *name_len)
{
	const char *text = b->raw->text + at;
	uint32_t left = b->raw->len - at, begin = left > 1 && text[1] == '{' ? 2 : 1, end = begin;

	while (end < left && is_name_letter(text[end]))
		end++;
	if (text[0] != '$' || end == begin || isdigit((unsigned char)text[begin]))
		return 0;
	*name = text + begin;
	*name_len = end - begin;
	if (begin == 1)
		return end;
	return end < left && text[end] == '}' ? end + 1 : 0;
}

static bool find_variable(struct building *b, uint32_t at, const char *name, uint32_t len,
			  const struct fl_scn_value **value)
{
	char *copy;

	*value = fl_scn_find_value(b->environment, name, len);
	if (*value)
		return true;
	copy = fl_scn_copy(&b->reader->scratch, name, len);
	return copy && fl_scn_unknown_variable(b->reader, b->environment, copy, pos_at(b, at));
}

/* The variable at *at as a part of a word. */
static bool put_variable(struct building *b, uint32_t *at, bool quoted)
{
	const struct fl_scn_value *value;
	const char *name;
	uint32_t name_len, len = variable_at(b, *at, &name, &name_len);

	if (len == 0 && quoted)
		return put(b, &b->raw->text[(*at)++], 1);
	if (len == 0)
		return fl_scn_wrong(b->reader, pos_at(b, *at),
				    "A variable is written $NAME or ${NAME}: put the word in quotes for a mere $.");
	if (!find_variable(b, *at, name, name_len, &value))
		return false;
	if (value->count != 1 && !quoted)
		return fl_scn_wrong(b->reader, pos_at(b, *at),
				    "The variable %s holds %u words here, so it has to stand alone.",
				    value->variable->name, value->count);
	*at += len;
	return put(b, value->label, strlen(value->label));
}

static int hex_digit(char c)
{
	if (!isxdigit((unsigned char)c))
		return -1;
	return isdigit((unsigned char)c) ? c - '0' : tolower(c) - 'a' + 10;
}

static bool put_hex(struct building *b, uint32_t *at)
{
	const char *text = b->raw->text + *at;
	int high = b->raw->len - *at > 3 ? hex_digit(text[2]) : -1, low = high < 0 ? -1 : hex_digit(text[3]);
	char byte = (char)(high * 16 + low);

	if (low < 0 || byte == '\0')
		return fl_scn_wrong(b->reader, pos_at(b, *at),
				    "Behind \\x two digits from 0 to f have to follow, and not 00.");
	*at += 4;
	return put(b, &byte, 1);
}

static bool put_escape(struct building *b, uint32_t *at)
{
	static const char written[] = "\"\\$nt", meant[] = "\"\\$\n\t";
	char c = b->raw->text[*at + 1];
	const char *found = strchr(written, c);

	if (c == 'x')
		return put_hex(b, at);
	if (!found || !c)
		return fl_scn_wrong(
			b->reader, pos_at(b, *at),
			"Behind a backslash \", \\, $, n, t or xHH can stand: write \\\\ for the backslash.");
	*at += 2;
	return put(b, &meant[found - written], 1);
}

static bool expand_quoted(struct building *b, struct fl_scn_token_list *list)
{
	uint32_t at = 1;

	while (b->raw->text[at] != '"') {
		bool good;

		if (b->raw->text[at] == '\\')
			good = put_escape(b, &at);
		else if (b->raw->text[at] == '$')
			good = put_variable(b, &at, true);
		else
			good = put(b, &b->raw->text[at++], 1);
		if (!good)
			return false;
	}
	if (at + 1 != b->raw->len)
		return fl_scn_wrong(b->reader, pos_at(b, at + 1),
				    "Quotes stand around a whole word: put white space behind this one.");
	return add_token(b, b->text, b->len, true, list);
}

/* "$NAME" and nothing else */
static bool expand_alone(struct building *b, const char *name, uint32_t name_len, struct fl_scn_token_list *list)
{
	const struct fl_scn_value *value;

	if (!find_variable(b, 0, name, name_len, &value))
		return false;
	for (uint32_t i = 0; i < value->count; i++)
		if (!add_token(b, value->tokens[i].text, strlen(value->tokens[i].text), value->tokens[i].quoted, list))
			return false;
	return true;
}

bool fl_scn_expand_word(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
			const struct fl_scn_raw *raw, struct fl_scn_token_list *list)
{
	struct building b = {.reader = reader, .environment = environment, .raw = raw};
	const char *name;
	uint32_t name_len;

	if (raw->text[0] == '"')
		return expand_quoted(&b, list);
	if (variable_at(&b, 0, &name, &name_len) == raw->len)
		return expand_alone(&b, name, name_len, list);
	for (uint32_t at = 0; at < raw->len;) {
		char c = raw->text[at];

		if (c == '"')
			return fl_scn_wrong(reader, pos_at(&b, at),
					    "Quotes stand around a whole word: put one before its first letter.");
		if (c == '{')
			return fl_scn_wrong(reader, pos_at(&b, at),
					    "Words in braces can stand in let, matrix and conditions only: put them in "
					    "quotes for mere text.");
		if (c == '$' ? !put_variable(&b, &at, false) : !put(&b, &raw->text[at++], 1))
			return false;
	}
	return add_token(&b, b.text, b.len, false, list);
}

static bool expand_braces(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
			  const struct fl_scn_raw *raw, struct fl_scn_token_list *list)
{
	struct fl_scn_raw inner = {raw->text + 1, raw->len - 2, {raw->pos.line, raw->pos.column + 1}}, word;
	uint32_t at = 0;

	if (raw->text[raw->len - 1] != '}')
		return fl_scn_wrong(reader, raw->pos, "Braces stand around all words: put white space behind them.");
	while (fl_scn_lex_word(reader, &inner, &at, "", &word))
		if (!fl_scn_expand_word(reader, environment, &word, list))
			return false;
	return true;
}

static const char *label_of(struct fl_scn_reader *reader, const struct fl_scn_token_list *list)
{
	size_t len = 0;
	char *label, *at;

	for (uint32_t i = 0; i < list->count; i++)
		len += strlen(list->token[i].text) + 1;
	label = at = fl_scn_alloc(&reader->scratch, len + 1, 1);
	for (uint32_t i = 0; label && i < list->count; i++) {
		at = stpcpy(at, i ? " " : "");
		at = stpcpy(at, list->token[i].text);
	}
	return label;
}

bool fl_scn_evaluate(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
		     struct fl_scn_variable *variable, uint32_t choice, struct fl_scn_value *value)
{
	const struct fl_scn_raw *raw = &variable->words[choice];
	struct fl_scn_token_list list = {.count = 0};
	struct fl_scn_token *tokens;

	if (raw->text[0] == '{' ? !expand_braces(reader, environment, raw, &list)
				: !fl_scn_expand_word(reader, environment, raw, &list))
		return false;
	tokens = fl_scn_alloc(&reader->scratch, list.count, sizeof(*tokens));
	if (!tokens)
		return false;
	memcpy(tokens, list.token, list.count * sizeof(*tokens));
	*value = (struct fl_scn_value){variable, tokens, list.count, label_of(reader, &list)};
	return value->label;
}

bool fl_scn_define(struct fl_scn_reader *reader, struct fl_scn_environment *environment,
		   struct fl_scn_variable *variable, uint32_t choice)
{
	for (uint32_t i = 0; i < environment->count; i++)
		if (strcmp(environment->values[i].variable->name, variable->name) == 0)
			return fl_scn_wrong(reader, variable->pos,
					    "There is a variable %s already, made in line %u: take another name.",
					    variable->name, environment->values[i].variable->pos.line);
	if (environment->count == FL_SCN_VARIABLES_MAX)
		return fl_scn_wrong(reader, variable->pos, "A case has %u variables at most.", FL_SCN_VARIABLES_MAX);
	if (!fl_scn_evaluate(reader, environment, variable, choice, &environment->values[environment->count]))
		return false;
	environment->count++;
	return true;
}
