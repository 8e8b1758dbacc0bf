/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario that somebody else wrote: the input is its text. Whatever that is, there are errors, each with a place in
 * the text and a sentence, or cases; and in cases every number that stands for something is one of something.
 */
#include "fuzz.h"

#include <signal.h>

#include "cli/scenario/language/scenario.h"

#define NAME_MAX_LEN 32u

static void digest_text(uint64_t *digest, const char *text)
{
	for (; text && *text; text++)
		fuzz_digest(digest, (unsigned char)*text);
	fuzz_digest(digest, text != NULL);
}

static void look_at_name(uint64_t *digest, const char *name)
{
	FUZZ_CHECK(name && *name && strlen(name) <= NAME_MAX_LEN);
	digest_text(digest, name);
}

static void look_at_path(uint64_t *digest, const struct fl_scn_case *c, uint32_t dir, const char *path)
{
	FUZZ_CHECK(dir < c->dirs_count && path && *path && path[0] != '/');
	FUZZ_CHECK(strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0 && !strstr(path, "/../"));
	digest_text(digest, path);
}

static void look_at_errors(uint64_t *digest, const struct fl_scn_reading *reading, uint32_t lines)
{
	uint32_t count;
	const struct fl_scn_error *errors = fl_scn_errors(reading, &count);

	FUZZ_CHECK(count <= FL_SCN_ERRORS_MAX && (count > 0) == !fl_scn_text(reading));
	for (uint32_t i = 0; i < count; i++) {
		size_t len = strlen(errors[i].text);

		FUZZ_CHECK(errors[i].pos.line >= 1 && errors[i].pos.line <= lines && errors[i].pos.column >= 1);
		FUZZ_CHECK(len > 1 && strchr(".?:", errors[i].text[len - 1]));
		FUZZ_CHECK(i == 0 || errors[i - 1].pos.line <= errors[i].pos.line);
		fuzz_digest(digest, errors[i].pos.line);
		digest_text(digest, errors[i].text);
	}
}

static const struct fl_scn_step *step_of(const struct fl_scn_actor *actor, uint64_t index)
{
	FUZZ_CHECK(index < actor->steps_count);
	return &actor->steps[index];
}

static void look_at_wish(uint64_t *digest, const struct fl_scn_actor *actor, const struct fl_scn_wish *wish)
{
	FUZZ_CHECK(!wish->has_address || (wish->map < actor->maps_count && wish->offset <= wish->offset_end));
	FUZZ_CHECK(wish->kind != FL_SCN_WISH_SIGNAL || (wish->value > 0 && wish->value <= SIGSYS));
	FUZZ_CHECK(wish->kind != FL_SCN_WISH_LOST || wish->has_address);
	fuzz_digest(digest, wish->kind);
	fuzz_digest(digest, wish->value);
	fuzz_digest(digest, wish->offset);
}

static void look_at_operand(uint64_t *digest, const struct fl_scn_case *c, const struct fl_scn_actor *actor, char kind,
			    const struct fl_scn_operand *operand)
{
	switch (kind) {
	case 'F':
	case 'f':
		FUZZ_CHECK(operand->n < actor->handles_count);
		break;
	case 'M':
	case 'm':
	case 'u':
		FUZZ_CHECK(operand->n < actor->maps_count);
		break;
	case 'i':
		FUZZ_CHECK(operand->n && operand->n <= 8 && !(operand->n & (operand->n - 1)));
		break;
	case 't':
		FUZZ_CHECK(operand->n <= operand->offset);
		FUZZ_CHECK(operand->time_kind != FL_SCN_TIME_SPAN || c->has_span);
		break;
	case 'k':
		FUZZ_CHECK(operand->n < c->marks_count);
		break;
	case 'a':
		FUZZ_CHECK(operand->n < c->actors_count && !c->actors[operand->n].by_host);
		break;
	case 'v':
		FUZZ_CHECK(operand->n < c->machines_count);
		break;
	case 'P':
		look_at_path(digest, c, operand->dir, operand->text);
		break;
	case 'D':
		FUZZ_CHECK(operand->n < c->dirs_count);
		break;
	case 's':
		FUZZ_CHECK(operand->text);
		digest_text(digest, operand->text);
		break;
	case 'A':
		FUZZ_CHECK(operand->words && operand->words[0]);
		break;
	case 'L':
		FUZZ_CHECK(operand[0].n || operand[1].n < c->marks_count);
		break;
	default:
		break;
	}
	fuzz_digest(digest, operand->n);
	fuzz_digest(digest, operand->offset);
}

static void look_at_step(uint64_t *digest, const struct fl_scn_case *c, const struct fl_scn_actor *actor,
			 const struct fl_scn_step *step)
{
	const struct fl_scn_operand *operand = step->operands;

	FUZZ_CHECK(step->row && (step->row->by & (actor->by_host ? FL_SCN_BY_HOST : FL_SCN_BY_GUEST)));
	FUZZ_CHECK(step->row == fl_scn_op_row(step->row->op));
	FUZZ_CHECK(step->pos.line && step->pos.column);
	fuzz_digest(digest, step->row->op);
	for (const char *kind = step->row->signature; *kind; kind++) {
		if (*kind == '?')
			continue;
		FUZZ_CHECK(operand < step->operands + FL_SCN_OPERANDS_MAX);
		look_at_operand(digest, c, actor, *kind, operand++);
	}
	if (step->row->op == FL_SCN_OP_END)
		FUZZ_CHECK(step_of(actor, step->jump)->row->op == FL_SCN_OP_LOOP &&
			   step_of(actor, step->jump)->jump == (uint32_t)(step - actor->steps) + 1);
	if (step->row->op == FL_SCN_OP_LOOP)
		FUZZ_CHECK(step->jump > 1 && step_of(actor, step->jump - 1)->row->op == FL_SCN_OP_END);
	FUZZ_CHECK(step->wishes_count <= 16 && (!step->wishes_count || step->wishes));
	for (uint32_t i = 0; i < step->wishes_count; i++)
		look_at_wish(digest, actor, &step->wishes[i]);
}

static void look_at_actor(uint64_t *digest, const struct fl_scn_case *c, const struct fl_scn_actor *actor)
{
	const uint32_t index = (uint32_t)(actor - c->actors);

	look_at_name(digest, actor->name);
	FUZZ_CHECK(actor->steps_count > 0 && actor->steps_count <= FL_SCN_STEPS_MAX);
	FUZZ_CHECK(actor->handles_count <= FL_SCN_HANDLES_MAX && actor->maps_count <= FL_SCN_HANDLES_MAX);
	if (!actor->by_host) {
		FUZZ_CHECK(actor->machine < c->machines_count);
		FUZZ_CHECK(actor->cpu >= -1 && actor->cpu < (int32_t)c->machines[actor->machine].vcpus);
		FUZZ_CHECK(actor->relation == FL_SCN_PROCESS ? actor->parent == index : actor->parent < index);
		FUZZ_CHECK(c->actors[actor->parent].machine == actor->machine);
	}
	for (uint32_t i = 0; i < actor->steps_count; i++)
		look_at_step(digest, c, actor, &actor->steps[i]);
}

static void look_at_machine(uint64_t *digest, const struct fl_scn_case *c, const struct fl_scn_machine *machine)
{
	look_at_name(digest, machine->name);
	FUZZ_CHECK(machine->vcpus >= 1 && machine->vcpus <= 64 && machine->params);
	FUZZ_CHECK(machine->ram_len >= (64u << 20) && fl_is_aligned(machine->ram_len, FL_RANGE_LEN));
	FUZZ_CHECK(machine->kernel != FL_SCN_KERNEL_FILE || machine->kernel_path);
	for (uint32_t i = 0; i < machine->shares_count; i++) {
		const struct fl_scn_share *share = &machine->shares[i];

		FUZZ_CHECK(share->dir < c->dirs_count && share->mount && share->mount[0] == '/' && share->mount[1]);
		FUZZ_CHECK(share->mapped == (share->window_len != 0) && fl_is_aligned(share->window_len, FL_RANGE_LEN));
		digest_text(digest, share->mount);
	}
}

static void look_at_expect(uint64_t *digest, const struct fl_scn_case *c, const struct fl_scn_expect *expect)
{
	FUZZ_CHECK(expect->pos.line && expect->machine < c->machines_count && expect->least <= expect->most);
	FUZZ_CHECK(expect->offset <= expect->offset_end);
	if (expect->path)
		look_at_path(digest, c, expect->dir, expect->path);
	FUZZ_CHECK(expect->kind != FL_SCN_EXPECT_FILE || expect->path);
	FUZZ_CHECK(expect->kind != FL_SCN_EXPECT_CONSOLE || expect->text);
	FUZZ_CHECK(expect->kind != FL_SCN_EXPECT_TURNS || !c->actors[expect->actor].by_host);
	FUZZ_CHECK(expect->kind != FL_SCN_EXPECT_TIME ||
		   (expect->mark < c->marks_count && expect->mark_end < c->marks_count));
	fuzz_digest(digest, expect->kind);
	fuzz_digest(digest, expect->fields);
	fuzz_digest(digest, expect->least);
}

static void look_at_case(uint64_t *digest, const struct fl_scn_case *c)
{
	digest_text(digest, c->name);
	FUZZ_CHECK(c->name && strncmp(c->name, "fuzz", 4) == 0 && c->limit_ns && c->repeat);
	FUZZ_CHECK(c->machines_count && c->actors_count && c->marks_count <= FL_SCN_MARKS_MAX);
	for (uint32_t i = 0; i < c->dirs_count; i++)
		look_at_name(digest, c->dirs[i].name);
	for (uint32_t i = 0; i < c->marks_count; i++)
		look_at_name(digest, c->marks[i]);
	for (uint32_t i = 0; i < c->files_count; i++)
		look_at_path(digest, c, c->files[i].dir, c->files[i].path);
	for (uint32_t i = 0; i < c->machines_count; i++)
		look_at_machine(digest, c, &c->machines[i]);
	for (uint32_t i = 0; i < c->actors_count; i++)
		look_at_actor(digest, c, &c->actors[i]);
	for (uint32_t i = 0; i < c->expects_count; i++)
		look_at_expect(digest, c, &c->expects[i]);
}

uint64_t fuzz_one(const uint8_t *data, size_t len)
{
	uint64_t digest = FUZZ_DIGEST_FIRST;
	struct fl_scn_reading *reading = NULL;
	uint32_t lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += data[i] == '\n';
	FUZZ_CHECK(fl_scn_read("some/fuzz.scn", (const char *)data, len, &reading) == 0);
	look_at_errors(&digest, reading, lines);
	const struct fl_scn_text *text = fl_scn_text(reading);

	FUZZ_CHECK(!text || (text->about && *text->about && text->cases_count > 0 && text->cases_count <= 4096));
	for (uint32_t i = 0; text && i < text->cases_count; i++)
		look_at_case(&digest, &text->cases[i]);
	fl_scn_forget(reading);
	return digest;
}
