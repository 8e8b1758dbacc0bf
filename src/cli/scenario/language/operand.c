/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/language/operand.h"

#include <ctype.h>
#include <string.h>

#include "cli/scenario/language/near.h"
#include "cli/scenario/language/number.h"

/* A step while its operands are read. */
struct reading_step {
	struct fl_scn_build *build;
	struct fl_scn_tokens *line;
	uint32_t actor, index;
	struct fl_scn_step *step;
	struct fl_scn_operand *operand; /* the next one */
	const char *rest;		/* of the signature, behind it */
};

/* Nothing more, or what follows operands. */
static bool operands_end(const struct fl_scn_tokens *line)
{
	return !fl_scn_peek(line) || fl_scn_next_is(line, "=>") || fl_scn_next_is(line, "within");
}

/* As it is called in sentences. */
static const char *what_is(char kind)
{
	switch (kind) {
	case 'n':
		return "a number";
	case 'i':
		return "a size (1, 2, 4 or 8)";
	case 't':
		return "a time";
	case 's':
		return "a text";
	default:
		return "an operand";
	}
}

static bool read_size(struct reading_step *r)
{
	const struct fl_scn_token *token = fl_scn_peek(r->line);

	if (!fl_scn_need_number(r->line, what_is('i'), &r->operand->n))
		return false;
	if (r->operand->n != 1 && r->operand->n != 2 && r->operand->n != 4 && r->operand->n != 8)
		return fl_scn_wrong(
			r->line->reader, token->pos,
			"One instruction takes 1, 2, 4 or 8 bytes, and not %s: take \"touch\" or \"copy\" for more.",
			token->text);
	return true;
}

static bool read_times(struct reading_step *r)
{
	bool random = fl_scn_take(r->line, "random"), span = !random && fl_scn_take(r->line, "span");
	const struct fl_scn_token *token = fl_scn_peek(r->line);

	if (!fl_scn_need_times(r->line, random || span ? "a range like 0..5ms" : "a time", &r->operand->n,
			       &r->operand->offset))
		return false;
	bool is_range = strstr(token->text, "..");

	if ((random || span) && !is_range)
		return fl_scn_wrong(r->line->reader, token->pos, "Here a range is wanted, like 0..%s.", token->text);
	r->operand->time_kind = span ? FL_SCN_TIME_SPAN : is_range ? FL_SCN_TIME_RANDOM : FL_SCN_TIME_FIXED;
	if (!span)
		return true;
	if (r->build->made->has_span)
		return fl_scn_wrong(r->line->reader, token->pos,
				    "There is a span already, in line %u: a case has one, so make this one \"random\".",
				    r->build->span_pos.line);
	r->build->made->has_span = true;
	r->build->span_pos = token->pos;
	return true;
}

static const struct fl_scn_word *find_word(const struct fl_scn_word *words, const struct fl_scn_token *token)
{
	if (!token || token->quoted)
		return NULL;
	for (; words->word; words++)
		if (strcmp(words->word, token->text) == 0)
			return words;
	return NULL;
}

static bool no_word(struct reading_step *r)
{
	const struct fl_scn_token *token = fl_scn_need(r->line, "a word that says how");
	char hint[FL_SCN_HINT_LEN];

	if (!token)
		return false;
	struct fl_scn_near near = FL_SCN_NEAR(token->text);

	for (const struct fl_scn_word *word = r->step->row->words; word->word; word++)
		fl_scn_offer(&near, word->word);
	return fl_scn_wrong(r->line->reader, token->pos, "\"%s\" says nothing to \"%s\"%s", token->text,
			    r->step->row->name, fl_scn_hint(&near, hint));
}

/* A word that is there twice has no group that would tell. */
static bool excludes(const struct fl_scn_word *a, const struct fl_scn_word *b)
{
	return a == b || (a->group && a->group == b->group);
}

static bool has_needed(const struct fl_scn_word *const *seen, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (seen[i]->group == FL_SCN_NEEDED)
			return true;
	return false;
}

static bool read_words(struct reading_step *r, bool optional)
{
	const struct fl_scn_word *words = r->step->row->words, *seen[16], *word;
	uint32_t count = 0;

	if (optional && fl_scn_peek(r->line) &&
	    (isdigit((unsigned char)fl_scn_peek(r->line)->text[0]) || fl_scn_peek(r->line)->text[0] == '('))
		return true;
	while ((word = find_word(words, fl_scn_peek(r->line)))) {
		for (uint32_t i = 0; i < count; i++)
			if (excludes(seen[i], word))
				return fl_scn_wrong(r->line->reader, fl_scn_peek(r->line)->pos,
						    "\"%s\" and \"%s\" exclude each other: take one away.",
						    seen[i]->word, word->word);
		if (count == sizeof(seen) / sizeof(seen[0]))
			return no_word(r);
		seen[count++] = word;
		r->operand->n |= word->value;
		r->line->at++;
	}
	if (count == 0 || (!*r->rest && !operands_end(r->line)))
		return no_word(r);
	for (word = words; !optional && word->word; word++)
		if (word->group == FL_SCN_NEEDED)
			return has_needed(seen, count) ||
			       fl_scn_wrong(r->line->reader, r->line->token[r->line->at - 1].pos,
					    "\"%s\" is to be told by \"%s\" or the like, too.", r->step->row->name,
					    word->word);
	return true;
}

static bool read_path(struct reading_step *r)
{
	const struct fl_scn_token *token = fl_scn_peek(r->line);
	const struct fl_scn_actor *actor = &r->build->actors[r->actor];
	const struct fl_scn_machine *machine = &r->build->machines[actor->machine];

	if (!fl_scn_need_path(r->build, r->line, &r->operand->dir, &r->operand->text))
		return false;
	if (actor->by_host)
		return true;
	for (uint32_t i = 0; i < machine->shares_count; i++)
		if (machine->shares[i].dir == r->operand->dir)
			return true;
	return fl_scn_wrong(r->line->reader, token->pos,
			    "The machine %s has no share of %s: give it a line \"share %s at /%s\".", machine->name,
			    r->build->dirs[r->operand->dir].name, r->build->dirs[r->operand->dir].name,
			    r->build->dirs[r->operand->dir].name);
}

static bool read_arguments(struct reading_step *r)
{
	struct fl_scn_arena *keep = &r->line->reader->reading->keep;
	const char **words = fl_scn_alloc(keep, r->line->count - r->line->at + 1, sizeof(*words));
	uint32_t count = 0;

	if (!words)
		return false;
	if (operands_end(r->line))
		return fl_scn_wrong(r->line->reader, fl_scn_peek(r->line) ? fl_scn_peek(r->line)->pos : r->line->end,
				    "Here a program is missing.");
	while (!operands_end(r->line)) {
		if (count == FL_SCN_ARGUMENTS_MAX)
			return fl_scn_wrong(r->line->reader, fl_scn_peek(r->line)->pos,
					    "A program is run with %u words at most: put a script into a file.",
					    FL_SCN_ARGUMENTS_MAX);
		if (!fl_scn_need_text(r->line, "a word", &words[count++]))
			return false;
	}
	r->operand->words = words;
	return true;
}

static bool read_index(struct reading_step *r,
		       bool (*need)(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *index))
{
	uint32_t index;

	if (!need(r->build, r->line, &index))
		return false;
	r->operand->n = index;
	return true;
}

static bool read_handle(struct reading_step *r, bool (*need)(struct fl_scn_build *build, struct fl_scn_tokens *tokens,
							     uint32_t actor, uint32_t *index))
{
	uint32_t index;

	if (!need(r->build, r->line, r->actor, &index))
		return false;
	r->operand->n = index;
	return true;
}

/* A name that the step makes, and that is known: if it is not, fl_scn_read_handles() has said why. */
static bool read_made(struct reading_step *r, const struct fl_scn_handle *handles, uint32_t count)
{
	const struct fl_scn_token *token = fl_scn_need(r->line, "a name for it");

	for (uint32_t i = 0; token && i < count; i++) {
		if (strcmp(handles[i].name, token->text) == 0) {
			r->operand->n = i;
			return true;
		}
	}
	return false;
}

static bool read_place(struct reading_step *r)
{
	uint32_t map;

	if (!fl_scn_need_place(r->build, r->line, r->actor, &map, &r->operand->offset, NULL))
		return false;
	r->operand->n = map;
	return true;
}

/* ---- marks ---------------------------------------------------------------------------------- */

static bool note_set(struct reading_step *r, struct fl_scn_mark_uses *uses, struct fl_scn_pos pos, const char *name)
{
	if (uses->parties)
		return fl_scn_wrong(r->line->reader, pos, "%s is a barrier, in line %u: give the mark another name.",
				    name, uses->pos.line);
	if (uses->actor != FL_SCN_NOBODY)
		return fl_scn_wrong(
			r->line->reader, pos,
			"The mark %s is set already, by %s: a mark is set at one place, so take another name.", name,
			r->build->actors[uses->actor].name);
	uses->actor = r->actor;
	uses->step = r->index;
	return true;
}

static bool note_party(struct reading_step *r, struct fl_scn_mark_uses *uses, struct fl_scn_pos pos, const char *name)
{
	if (uses->actor != FL_SCN_NOBODY)
		return fl_scn_wrong(r->line->reader, pos, "%s is a mark that %s sets: give the barrier another name.",
				    name, r->build->actors[uses->actor].name);
	if (uses->last_party == r->actor)
		return fl_scn_wrong(r->line->reader, pos,
				    "%s comes to the barrier %s twice: take another name for the second.",
				    r->build->actors[r->actor].name, name);
	uses->last_party = r->actor;
	uses->parties++;
	return true;
}

static bool read_mark(struct reading_step *r)
{
	const struct fl_scn_token *token = fl_scn_peek(r->line);

	if (!read_index(r, fl_scn_need_mark))
		return false;
	struct fl_scn_mark_uses *uses = &r->build->uses[r->operand->n];

	if (r->step->row->op == FL_SCN_OP_MARK)
		return note_set(r, uses, token->pos, token->text);
	if (r->step->row->op == FL_SCN_OP_BARRIER)
		return note_party(r, uses, token->pos, token->text);
	return true;
}

/* "N" or "until MARK" */
static bool read_turns(struct reading_step *r)
{
	if (fl_scn_take(r->line, "until")) {
		r->operand++;
		return read_mark(r);
	}
	if (!fl_scn_need_number_in(r->line, "a count, or \"until\" and a mark,", 1, UINT32_MAX, &r->operand->n))
		return false;
	r->operand++;
	return true;
}

/* ---- a signature ---------------------------------------------------------------------------- */

static bool read_operand(struct reading_step *r, char kind, bool optional)
{
	const struct fl_scn_family *family = fl_scn_family_of(r->build, r->actor);

	switch (kind) {
	case 'F':
		return read_made(r, family->files, family->files_count);
	case 'f':
		return read_handle(r, fl_scn_need_handle);
	case 'M':
		return read_made(r, family->maps, family->maps_count);
	case 'u':
		return read_handle(r, fl_scn_need_mapping);
	case 'm':
		return read_place(r);
	case 'n':
		return fl_scn_need_number(r->line, what_is(kind), &r->operand->n);
	case 'i':
		return read_size(r);
	case 't':
		return read_times(r);
	case 'k':
		return read_mark(r);
	case 'a':
		return read_index(r, fl_scn_need_actor);
	case 'v':
		return read_index(r, optional ? fl_scn_take_in_machine : fl_scn_need_machine);
	case 'P':
		return read_path(r);
	case 'D':
		return read_index(r, fl_scn_need_dir);
	case 'w':
		return read_words(r, optional);
	case 's':
		return fl_scn_need_text(r->line, what_is(kind), &r->operand->text);
	case 'A':
		return read_arguments(r);
	case 'L':
		return read_turns(r);
	default:
		return fl_scn_need_octal(r->line, &r->operand->n);
	}
}

/* What an operand is that was left out. */
static bool put_default(struct reading_step *r, char kind)
{
	const struct fl_scn_operand *place = &r->step->operands[0];
	uint32_t machine;

	if (kind == 'i')
		r->operand->n = 8;
	if (kind == 'n' && r->step->row->op == FL_SCN_OP_CHECK)
		r->operand->n = fl_scn_family_of(r->build, r->actor)->maps[place->n].file_offset + place->offset;
	if (kind != 'v')
		return true;
	if (!fl_scn_take_in_machine(r->build, r->line, &machine))
		return false;
	r->operand->n = machine;
	return true;
}

/* Whether one that may be left out is. */
static bool is_left_out(struct reading_step *r, char kind)
{
	if (operands_end(r->line))
		return true;
	if (kind == 't')
		return !fl_scn_take(r->line, "after");
	return kind == 'v' && !fl_scn_next_is(r->line, "in");
}

bool fl_scn_read_operands(struct fl_scn_build *build, uint32_t actor, uint32_t index, struct fl_scn_tokens *line)
{
	struct fl_scn_step *step = &build->steps[actor][index];
	struct reading_step r = {build, line, actor, index, step, step->operands, ""};
	bool optional = false;

	for (const char *kind = step->row->signature; *kind; kind++) {
		if (*kind == '?') {
			optional = true;
			continue;
		}
		bool left_out = optional && is_left_out(&r, *kind);

		r.rest = kind + 1;
		if (left_out ? !put_default(&r, *kind) : !read_operand(&r, *kind, optional))
			return false;
		r.operand++;
	}
	return true;
}
