/* SPDX-License-Identifier: Apache-2.0 */
/* The lines "guest" and "host"; their steps are read later, when all names are known. */
#include <string.h>

#include "cli/scenario/language/build.h"

enum guest_word { IN, ON, THREAD, CHILD, FATAL, BLOCKED };

static bool read_parent(struct fl_scn_build *build, struct fl_scn_tokens *head, struct fl_scn_actor *actor,
			uint32_t index)
{
	uint32_t parent;

	if (!fl_scn_need_word(head, "of") || !fl_scn_need_actor(build, head, &parent))
		return false;
	if (&build->actors[parent] == actor)
		return fl_scn_wrong(head->reader, head->pos, "Nobody is his own parent: name another guest.");
	actor->relation = index == THREAD ? FL_SCN_THREAD : FL_SCN_CHILD;
	actor->parent = parent;
	return true;
}

static bool read_cpu(struct fl_scn_tokens *head, struct fl_scn_actor *actor)
{
	uint64_t cpu;

	if (!fl_scn_need_word(head, "cpu") || !fl_scn_need_number_in(head, "the number of a CPU", 0, 63, &cpu))
		return false;
	actor->cpu = (int32_t)cpu;
	return true;
}

static bool read_guest_word(struct fl_scn_build *build, struct fl_scn_tokens *head, struct fl_scn_actor *actor,
			    uint32_t *seen)
{
	static const char *const words[] = {"in", "on", "thread", "child", "fatal", "blocked", NULL};
	const struct fl_scn_token *token = fl_scn_peek(head);
	uint32_t index;

	if (!fl_scn_need_one_of(head, "\"in\", \"on cpu\", \"thread of\", \"child of\", \"fatal\" or \"blocked\"",
				words, &index) ||
	    !fl_scn_once(head, token, index == CHILD ? 1u << THREAD : 1u << index, seen))
		return false;
	switch ((enum guest_word)index) {
	case IN:
		return fl_scn_need_machine(build, head, &actor->machine);
	case ON:
		return read_cpu(head, actor);
	case THREAD:
	case CHILD:
		return read_parent(build, head, actor, index);
	case FATAL:
		actor->fatal = true;
		return true;
	case BLOCKED:
		actor->blocked = true;
		return true;
	}
	return false;
}

static bool settle_machine(struct fl_scn_build *build, struct fl_scn_tokens *head, struct fl_scn_actor *actor,
			   bool said)
{
	if (actor->relation == FL_SCN_PROCESS) {
		if (!said && !fl_scn_take_in_machine(build, head, &actor->machine))
			return false;
	} else if (said) {
		return fl_scn_wrong(head->reader, head->pos, "It is in its parent's machine: take \"in %s\" away.",
				    build->machines[actor->machine].name);
	} else {
		actor->machine = build->actors[actor->parent].machine;
	}
	if (actor->relation == FL_SCN_THREAD && actor->fatal)
		return fl_scn_wrong(head->reader, head->pos,
				    "Whether signals are caught is the process's affair: say \"fatal\" of its guest.");
	/* fork() leaves it as it was, too */
	actor->fatal |= build->actors[actor->parent].fatal;
	actor->blocked |= build->actors[actor->parent].blocked;
	return true;
}

/* Room for what the block says; NULL, with a sentence, if there is none. */
static struct fl_scn_actor *begin_actor(struct fl_scn_build *build, struct fl_scn_block *block)
{
	uint32_t index = build->made->actors_count;
	struct fl_scn_arena *keep = &build->reader->reading->keep;

	if (index == FL_SCN_ALL_ACTORS) {
		fl_scn_wrong(build->reader, block->head->pos, "A case has %u guests and hosts at most.",
			     FL_SCN_ALL_ACTORS);
		return NULL;
	}
	build->steps[index] = fl_scn_alloc(keep, block->body_count, sizeof(*build->steps[index]));
	build->families[index] = fl_scn_alloc(&build->reader->scratch, 1, sizeof(*build->families[index]));
	if (!build->steps[index] || !build->families[index])
		return NULL;
	build->bodies[index] = block->body;
	build->actors[index] = (struct fl_scn_actor){
		.pos = block->head->pos,
		.cpu = -1,
		.parent = index,
		.steps = build->steps[index],
		.steps_count = block->body_count,
	};
	return &build->actors[index];
}

static bool check_name(struct fl_scn_build *build, const struct fl_scn_actor *actor)
{
	for (uint32_t i = 0; i < build->made->actors_count; i++)
		if (strcmp(build->actors[i].name, actor->name) == 0)
			return fl_scn_wrong(build->reader, actor->pos,
					    "There is a %s %s already, in line %u: give this one another name.",
					    build->actors[i].by_host ? "host" : "guest", actor->name,
					    build->actors[i].pos.line);
	return true;
}

static bool check_body(struct fl_scn_build *build, struct fl_scn_block *block)
{
	uint32_t steps = 0;

	for (uint32_t i = 0; i < block->body_count; i++)
		steps += block->body[i].count > 0;
	if (steps == 0)
		return fl_scn_wrong(build->reader, block->head->pos,
				    "The block has no steps: put some below this line, with white space before each.");
	if (steps > FL_SCN_STEPS_MAX)
		return fl_scn_wrong(build->reader, block->head->pos, "It has %u steps, and %u at most are possible.",
				    steps, FL_SCN_STEPS_MAX);
	return true;
}

bool fl_scn_read_guest(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;
	struct fl_scn_actor *actor = begin_actor(build, block);
	uint32_t seen = 0;

	if (!actor || !fl_scn_need_name(head, "the name of the guest", &actor->name) || !check_name(build, actor))
		return false;
	build->made->actors_count++; /* also if something is wrong with it: its name is known */
	while (fl_scn_peek(head))
		if (!read_guest_word(build, head, actor, &seen))
			return false;
	bool settled = settle_machine(build, head, actor, seen & 1u << IN);

	return check_body(build, block) && settled;
}

bool fl_scn_read_host(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;
	struct fl_scn_actor *actor = begin_actor(build, block);

	if (!actor)
		return false;
	actor->by_host = true;
	actor->name = "host";
	if (fl_scn_peek(head) && !fl_scn_need_name(head, "the name of the host", &actor->name))
		return false;
	if (!check_name(build, actor))
		return false;
	build->made->actors_count++;
	bool ended = fl_scn_no_more(head);

	return check_body(build, block) && ended;
}
