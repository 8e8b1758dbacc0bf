/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of an actor: which they are, what they name, how loops lie in one another. */
#include <string.h>

#include "cli/scenario/language/build.h"
#include "cli/scenario/language/near.h"
#include "cli/scenario/language/number.h"
#include "cli/scenario/language/operand.h"

#define PAGE_LEN UINT64_C(4096)

static uint32_t by_of(const struct fl_scn_build *build, uint32_t actor)
{
	return build->actors[actor].by_host ? FL_SCN_BY_HOST : FL_SCN_BY_GUEST;
}

/* "wait faults", two words that are one step; NULL if the next two are not that. */
static const struct fl_scn_op_row *take_two(struct fl_scn_tokens *line, uint32_t by)
{
	char name[2 * FL_SCN_NAME_MAX];
	const struct fl_scn_token *token = &line->token[line->at];

	if (line->count - line->at < 2 || token[0].quoted || token[1].quoted ||
	    strlen(token[0].text) + strlen(token[1].text) + 2 > sizeof(name))
		return NULL;
	stpcpy(stpcpy(stpcpy(name, token[0].text), " "), token[1].text);
	const struct fl_scn_op_row *row = fl_scn_find_op(name, by);

	line->at += row ? 2 : 0;
	return row;
}

static const struct fl_scn_op_row *take_op(struct fl_scn_tokens *line, uint32_t by)
{
	const struct fl_scn_op_row *row = take_two(line, by);
	const struct fl_scn_token *token = row ? NULL : fl_scn_peek(line);

	if (row || !token || token->quoted)
		return row;
	row = fl_scn_find_op(token->text, by);
	line->at += row != NULL;
	return row;
}

static bool unknown_op(struct fl_scn_tokens *line, uint32_t by)
{
	const struct fl_scn_token *token = fl_scn_need(line, "a step");
	const char *who = by == FL_SCN_BY_HOST ? "the host" : "a guest";
	const char *other = by == FL_SCN_BY_HOST ? "a guest" : "the host";
	char hint[FL_SCN_HINT_LEN];

	if (!token)
		return false;
	if (fl_scn_find_op(token->text, FL_SCN_BY_GUEST | FL_SCN_BY_HOST))
		return fl_scn_wrong(line->reader, token->pos,
				    "\"%s\" is a step of %s, not of %s: put it into a block of its.", token->text,
				    other, who);
	struct fl_scn_near near = FL_SCN_NEAR(token->text);

	for (const struct fl_scn_op_row *row = fl_scn_ops; row->name; row++)
		if (row->by & by)
			fl_scn_offer(&near, row->name);
	return fl_scn_wrong(line->reader, token->pos, "\"%s\" is no step of %s%s", token->text, who,
			    fl_scn_hint(&near, hint));
}

/* ---- names that steps make ------------------------------------------------------------------ */

static struct fl_scn_handle *add_handle(struct fl_scn_build *build, struct fl_scn_tokens *line,
					struct fl_scn_handle *handles, uint32_t *count)
{
	const struct fl_scn_token *token = fl_scn_peek(line);
	const char *name;

	if (!fl_scn_need_name(line, "a name for it", &name))
		return NULL;
	for (uint32_t i = 0; i < *count; i++) {
		if (strcmp(handles[i].name, name) != 0)
			continue;
		fl_scn_wrong(build->reader, token->pos, "Line %u makes %s already: take another name.",
			     handles[i].pos.line, name);
		return NULL;
	}
	if (*count == FL_SCN_HANDLES_MAX) {
		fl_scn_wrong(build->reader, token->pos,
			     "A guest and those that it starts have %u open files and as many mappings at most.",
			     FL_SCN_HANDLES_MAX);
		return NULL;
	}
	handles[*count] = (struct fl_scn_handle){.name = name, .pos = token->pos};
	return &handles[(*count)++];
}

/* Length and offset, if they are right; if not, the step itself complains when it is read. */
static void measure(struct fl_scn_tokens *line, struct fl_scn_handle *map)
{
	uint64_t offset, len;

	if (line->count - line->at < 3 || fl_scn_parse_number(line->token[line->at + 1].text, &offset) ||
	    fl_scn_parse_number(line->token[line->at + 2].text, &len) || len > UINT64_MAX - PAGE_LEN)
		return;
	map->file_offset = offset;
	map->len = (len + PAGE_LEN - 1) & ~(PAGE_LEN - 1);
}

bool fl_scn_read_handles(struct fl_scn_build *build, uint32_t actor)
{
	struct fl_scn_family *family = fl_scn_family_of(build, actor);
	uint32_t step = 0;
	bool good = true;

	for (uint32_t i = 0; i < build->actors[actor].steps_count; i++) {
		struct fl_scn_tokens *line = &build->bodies[actor][i];
		const struct fl_scn_op_row *row;
		struct fl_scn_handle *made = NULL;

		if (line->count == 0)
			continue;
		fl_scn_take(line, "maybe");
		row = take_op(line, by_of(build, actor));
		if (row && row->signature[0] == 'F')
			made = add_handle(build, line, family->files, &family->files_count);
		else if (row && row->signature[0] == 'M')
			made = add_handle(build, line, family->maps, &family->maps_count);
		if (made) {
			made->actor = actor;
			made->step = step;
			measure(line, made);
		}
		good &= made || !row || (row->signature[0] != 'F' && row->signature[0] != 'M');
		line->at = 0;
		step++;
	}
	return good;
}

static const char *const *names_of(struct fl_scn_build *build, const struct fl_scn_handle *handles, uint32_t count)
{
	const char **names = fl_scn_alloc(&build->reader->reading->keep, count, sizeof(*names));

	for (uint32_t i = 0; names && i < count; i++)
		names[i] = handles[i].name;
	return names;
}

/* ---- steps ---------------------------------------------------------------------------------- */

struct loops {
	uint32_t begin[FL_SCN_LOOPS_DEEP];
	uint32_t depth;
};

static bool end_loop(struct fl_scn_build *build, uint32_t actor, uint32_t index, struct loops *loops)
{
	struct fl_scn_step *steps = build->steps[actor];

	if (loops->depth == 0)
		return fl_scn_wrong(build->reader, steps[index].pos,
				    "There is no loop that this could end: take it away.");
	if (--loops->depth >= FL_SCN_LOOPS_DEEP)
		return false;
	steps[index].jump = loops->begin[loops->depth];
	steps[steps[index].jump].jump = index + 1;
	return steps[index].jump + 1 != index ||
	       fl_scn_wrong(build->reader, steps[index].pos, "There are no steps in this loop: put some in.");
}

static bool match_loops(struct fl_scn_build *build, uint32_t actor, uint32_t index, struct loops *loops)
{
	const struct fl_scn_step *step = &build->steps[actor][index];

	if (step->row->op == FL_SCN_OP_END)
		return end_loop(build, actor, index, loops);
	if (step->row->op != FL_SCN_OP_LOOP)
		return true;
	if (loops->depth++ >= FL_SCN_LOOPS_DEEP) /* it is counted, since it has an end, too */
		return fl_scn_wrong(build->reader, step->pos, "Loops can be %u deep: this one is too deep.",
				    FL_SCN_LOOPS_DEEP);
	loops->begin[loops->depth - 1] = index;
	return true;
}

static bool read_within(struct fl_scn_tokens *line, struct fl_scn_step *step)
{
	const struct fl_scn_token *token = fl_scn_peek(line);

	if (!fl_scn_take(line, "within"))
		return true;
	if (!fl_scn_need_time(line, "the time that it may take", &step->within_ns))
		return false;
	if (step->within_ns == 0)
		return fl_scn_wrong(line->reader, token->pos, "No step takes no time: give it some, like 1ms.");
	return true;
}

static bool read_step(struct fl_scn_build *build, uint32_t actor, uint32_t index, struct fl_scn_tokens *line)
{
	struct fl_scn_step *step = &build->steps[actor][index];

	step->may_be_left_out = fl_scn_take(line, "maybe");
	step->pos = fl_scn_peek(line) ? fl_scn_peek(line)->pos : line->pos;
	step->row = take_op(line, by_of(build, actor));
	if (!step->row)
		return unknown_op(line, by_of(build, actor));
	if (step->may_be_left_out && (step->row->op == FL_SCN_OP_LOOP || step->row->op == FL_SCN_OP_END))
		return fl_scn_wrong(line->reader, line->pos,
				    "Say \"maybe\" of the steps in the loop, not of the loop.");
	if (!fl_scn_read_operands(build, actor, index, line))
		return false;
	if (step->row->op == FL_SCN_OP_LOOP || step->row->op == FL_SCN_OP_END)
		return fl_scn_no_more(line);
	return read_within(line, step) && fl_scn_read_wishes(build, line, actor, step) && fl_scn_no_more(line);
}

bool fl_scn_read_steps(struct fl_scn_build *build, uint32_t actor)
{
	struct fl_scn_actor *made = &build->actors[actor];
	const struct fl_scn_family *family = fl_scn_family_of(build, actor);
	struct loops loops = {.depth = 0};
	uint32_t lines = made->steps_count;
	bool good = true;

	made->steps_count = 0;
	made->handles = names_of(build, family->files, family->files_count);
	made->maps = names_of(build, family->maps, family->maps_count);
	if (!made->handles || !made->maps)
		return false;
	made->handles_count = family->files_count;
	made->maps_count = family->maps_count;
	for (uint32_t i = 0; i < lines; i++) {
		uint32_t index = made->steps_count;

		if (build->bodies[actor][i].count == 0)
			continue;
		good &= read_step(build, actor, index, &build->bodies[actor][i]);
		if (build->steps[actor][index].row)
			good &= match_loops(build, actor, index, &loops);
		made->steps_count++;
	}
	if (loops.depth && loops.depth <= FL_SCN_LOOPS_DEEP)
		return fl_scn_wrong(build->reader, build->steps[actor][loops.begin[loops.depth - 1]].pos,
				    "This loop has no end: put a line \"end\" behind its last step.");
	return good;
}
