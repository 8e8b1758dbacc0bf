/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/language/reading.h"

struct expansion {
	struct fl_scn_reader *reader;
	const struct fl_scn_lines *lines;
	const char *base;
	uint32_t combinations;
	struct fl_scn_environment environment; /* of the case at hand */
};

/* What is part of the case: a line without a condition, or whose condition holds. */
static bool is_taken(struct expansion *x, const struct fl_scn_line *line, bool *taken)
{
	*taken = true;
	return !line->when || fl_scn_condition_holds(x->reader, &x->environment, line->when, taken);
}

/* Which word of this line's matrix a combination has: the last matrix line changes with each. */
static uint32_t choice_of(const struct expansion *x, uint32_t index, uint32_t combination)
{
	for (uint32_t i = x->lines->count; i-- > index + 1;)
		if (x->lines->line[i].kind == FL_SCN_LINE_MATRIX)
			combination /= x->lines->line[i].variable->count;
	return combination % x->lines->line[index].variable->count;
}

/* Gives the variables their values. *left_out: by an except. */
static bool define_all(struct expansion *x, uint32_t combination, bool *left_out)
{
	*left_out = false;
	x->environment.count = 0;
	for (uint32_t i = 0; i < x->lines->count; i++) {
		const struct fl_scn_line *line = &x->lines->line[i];
		bool taken = false;

		if (line->kind == FL_SCN_LINE_ORDINARY)
			continue;
		if (line->kind == FL_SCN_LINE_EXCEPT) {
			if (!fl_scn_condition_holds(x->reader, &x->environment, line->except, &taken))
				return false;
			*left_out |= taken;
			continue;
		}
		if (!is_taken(x, line, &taken))
			return false;
		if (taken && !fl_scn_define(x->reader, &x->environment, line->variable, choice_of(x, i, combination)))
			return false;
	}
	return true;
}

/* "FILE[a=x,b=y]", kept */
static const char *name_of(struct expansion *x, bool *has_matrix)
{
	const char *name = x->base, *before = "[";

	*has_matrix = false;
	for (uint32_t i = 0; i < x->lines->count; i++) {
		const struct fl_scn_line *line = &x->lines->line[i];
		const struct fl_scn_value *value;

		if (line->kind != FL_SCN_LINE_MATRIX)
			continue;
		bool used = line->variable->used;

		value = fl_scn_find_value(&x->environment, line->variable->name, strlen(line->variable->name));
		line->variable->used = used; /* a name is no use */
		name = value ? fl_scn_format(&x->reader->scratch, "%s%s%s=%s", name, before, line->variable->name,
					     value->label)
			     : NULL;
		if (!name)
			return NULL;
		before = ",";
		*has_matrix = true;
	}
	return fl_scn_format(&x->reader->reading->keep, "%s%s", name, *has_matrix ? "]" : "");
}

static bool expand_line(struct expansion *x, const struct fl_scn_line *line, struct fl_scn_tokens *made)
{
	struct fl_scn_token_list list = {.count = 0};
	struct fl_scn_token *tokens;

	for (uint32_t i = 0; i < line->count; i++)
		if (!fl_scn_expand_word(x->reader, &x->environment, &line->raws[i], &list))
			return false;
	tokens = fl_scn_alloc(&x->reader->scratch, list.count, sizeof(*tokens));
	if (!tokens)
		return false;
	memcpy(tokens, list.token, list.count * sizeof(*tokens));
	*made = (struct fl_scn_tokens){
		.reader = x->reader,
		.token = tokens,
		.count = list.count,
		.indented = line->indented,
		.pos = line->pos,
		.end = line->end,
	};
	return true;
}

/* The lines of the case; the variables become known again one after the other. */
static bool expand_lines(struct expansion *x, struct fl_scn_tokens *made, uint32_t *count)
{
	bool good = true, skipping = false;

	*count = 0;
	x->environment.count = 0;
	for (uint32_t i = 0; i < x->lines->count && !x->reader->enough; i++) {
		const struct fl_scn_line *line = &x->lines->line[i];
		bool taken = false;

		/* what is in a block that is no part of the case is none either */
		if (line->kind == FL_SCN_LINE_EXCEPT || (line->indented && skipping))
			continue;
		if (!is_taken(x, line, &taken)) {
			good = false;
			continue;
		}
		if (line->kind != FL_SCN_LINE_ORDINARY) {
			x->environment.count += taken;
			continue;
		}
		if (!line->indented)
			skipping = !taken;
		if (taken && !expand_line(x, line, &made[*count]))
			good = false;
		*count += taken;
	}
	return good;
}

static bool make_case(struct expansion *x, struct fl_scn_case *made, fl_scn_case_fn make)
{
	struct fl_scn_tokens *lines;
	uint32_t count;
	bool has_matrix;

	made->name = name_of(x, &has_matrix);
	lines = fl_scn_alloc(&x->reader->scratch, x->lines->count, sizeof(*lines));
	if (!made->name || !lines)
		return false;
	x->reader->case_name = has_matrix ? made->name : NULL;
	return expand_lines(x, lines, &count) && (make(x->reader, lines, count, made), true);
}

static bool count_combinations(struct expansion *x)
{
	uint64_t count = 1;

	for (uint32_t i = 0; i < x->lines->count; i++) {
		const struct fl_scn_line *line = &x->lines->line[i];

		if (line->kind != FL_SCN_LINE_MATRIX)
			continue;
		count *= line->variable->count;
		if (count > FL_SCN_CASES_MAX)
			return fl_scn_wrong(x->reader, line->pos,
					    "This makes more than %u cases: choose from fewer words, or make several "
					    "files of it.",
					    FL_SCN_CASES_MAX);
	}
	if (count * x->lines->count > FL_SCN_LOOKS_MAX)
		return fl_scn_wrong(x->reader, (struct fl_scn_pos){1, 1},
				    "%u lines for %u cases are too many: the product of the two is at most %u.",
				    x->lines->count, (uint32_t)count, FL_SCN_LOOKS_MAX);
	x->combinations = (uint32_t)count;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct fl_scn_pos last_matrix(const struct expansion *x)
{
	struct fl_scn_pos pos = {1, 1};

	for (uint32_t i = 0; i < x->lines->count; i++)
		if (x->lines->line[i].kind == FL_SCN_LINE_MATRIX)
			pos = x->lines->line[i].pos;
	return pos;
}

/* Words of a matrix that differ in writing only. */
static bool check_names(struct expansion *x, const struct fl_scn_case *cases, uint32_t count)
{
	const char **names = fl_scn_alloc(&x->reader->scratch, count, sizeof(*names));

	if (!names)
		return false;
	for (uint32_t i = 0; i < count; i++)
		names[i] = cases[i].name;
	qsort(names, count, sizeof(*names), by_name);
	for (uint32_t i = 1; i < count; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return fl_scn_wrong(x->reader, last_matrix(x),
					    "Two cases are called %s: take one of the words away that are the same.",
					    names[i]);
	return true;
}

static bool expand_all(struct expansion *x, struct fl_scn_case *cases, uint32_t *count, fl_scn_case_fn make)
{
	bool good = true;

	for (uint32_t i = 0; i < x->combinations && !x->reader->enough; i++) {
		bool left_out;

		fl_scn_release(&x->reader->scratch);
		x->reader->case_name = NULL;
		if (!define_all(x, i, &left_out))
			good = false;
		else if (!left_out)
			good &= make_case(x, &cases[(*count)++], make);
		if (x->reader->scratch.over || x->reader->scratch.no_memory || x->reader->reading->keep.over ||
		    x->reader->reading->keep.no_memory)
			return false;
	}
	x->reader->case_name = NULL;
	return good;
}

bool fl_scn_expand(struct fl_scn_reader *reader, const struct fl_scn_lines *lines, const char *base,
		   fl_scn_case_fn make)
{
	struct expansion x = {.reader = reader, .lines = lines, .base = base, .environment.lines = lines};
	struct fl_scn_text *text = &reader->reading->text;
	struct fl_scn_case *cases;
	uint32_t count = 0;

	if (!count_combinations(&x))
		return false;
	cases = fl_scn_alloc(&reader->reading->keep, x.combinations, sizeof(*cases));
	if (!cases || !expand_all(&x, cases, &count, make))
		return false;
	text->cases = cases;
	text->cases_count = count;
	if (count == 0 && reader->reading->errors_count == 0)
		return fl_scn_wrong(reader, (struct fl_scn_pos){1, 1},
				    "No case is left: let except leave fewer of them out.");
	return fl_scn_check_variables(reader, lines) && check_names(&x, cases, count);
}
