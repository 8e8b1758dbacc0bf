/* SPDX-License-Identifier: Apache-2.0 */
/* An ACTOR of the host's, with every number in its range before it is kept. */
#include "guest/actor_script.h"

#include <limits.h>
#include <string.h>

#define PARTIES_MAX (2 * FL_SCN_ACTORS_MAX)
/* No mapping is that long, so that an offset and a length can be added. */
#define OFFSET_MAX ((uint64_t)INT64_MAX / 2)

struct cursor {
	const uint8_t *at;
	size_t left;
};

static bool take(struct cursor *cursor, void *into, size_t len)
{
	if (len > cursor->left)
		return false;
	memcpy(into, cursor->at, len);
	cursor->at += len;
	cursor->left -= len;
	return true;
}

static int out_of_range(struct fl_diag *diag, uint32_t actor, uint32_t step)
{
	return fl_diag(diag, -EPROTO, "step %u of actor %u has an operand that cannot be", step, actor);
}

static bool is_in_range(char letter, uint64_t n)
{
	switch (letter) {
	case 'h':
	case 'M':
		return n < FL_SCN_HANDLES_MAX;
	case 'o':
		return n <= OFFSET_MAX;
	case 'v':
		return true;
	case 'i':
		return n == 1 || n == 2 || n == 4 || n == 8;
	case 'k':
		return n < FL_SCN_MARKS_MAX;
	case 'P':
		return n >= 1 && n <= PARTIES_MAX;
	case 'a':
		return n < FL_SCN_ACTORS_MAX;
	case 'x':
		return n <= INT_MAX;
	case 'O':
		return n < 2 * FL_SCN_O_DIRECT;
	case 'R':
		return n < 2 * FL_SCN_MAP_POPULATE;
	case 'c':
		return n <= FL_SCN_CONTENT_ZEROS;
	case 'b':
		return n <= UINT8_MAX;
	case 'j':
		return n <= FL_SCN_STEPS_MAX;
	default:
		return false;
	}
}

static bool operands_fit(const struct fl_actor_step *step)
{
	unsigned int i = 0;

	for (const char *letter = step->op->operands; *letter; letter++) {
		if (*letter == 'p') {
			if (!is_in_range('M', step->n[i]) || !is_in_range('o', step->n[i + 1]))
				return false;
			i += 2;
		} else if (*letter == 't') {
			if (step->n[i] > OFFSET_MAX || step->n[i + 1] < step->n[i] || step->n[i + 1] > OFFSET_MAX)
				return false;
			i += 2;
		} else if (!is_in_range(*letter, step->n[i++])) {
			return false;
		}
	}
	while (i < FL_SCN_NUMBERS)
		if (step->n[i++])
			return false;
	return true;
}

static bool take_texts(struct cursor *cursor, struct fl_actor_step *step, uint32_t len, char **room)
{
	char *text = *room;

	if (!take(cursor, text, len) || (len && text[len - 1]))
		return false;
	for (uint32_t i = 0; i < len; i++)
		step->texts += !text[i];
	step->text = text;
	*room = text + len;
	return step->texts >= step->op->texts_min && step->texts <= step->op->texts_max;
}

static bool take_step(struct cursor *cursor, struct fl_actor_step *step, char **room)
{
	struct fl_scn_wire_step wire;

	if (!take(cursor, &wire, sizeof(wire)))
		return false;
	*step = (struct fl_actor_step){.op = fl_actor_op(wire.op)};
	memcpy(step->n, wire.n, sizeof(step->n));
	return step->op && operands_fit(step) && take_texts(cursor, step, wire.text_len, room);
}

/* Each `end` has its `loop`, properly nested, and each knows where the other is. */
static bool loops_fit(const struct fl_actor *actor)
{
	uint32_t open[FL_SCN_STEPS_MAX], depth = 0;

	for (uint32_t i = 0; i < actor->head.steps; i++) {
		const struct fl_actor_step *step = &actor->steps[i];

		if (step->op->run == fl_actor_op_loop)
			open[depth++] = i;
		if (step->op->run != fl_actor_op_end)
			continue;
		if (!depth || open[--depth] != step->n[0] || actor->steps[step->n[0]].n[2] != i + 1)
			return false;
	}
	return depth == 0;
}

static bool head_fits(const struct fl_actor *actors, const struct fl_scn_wire_actor *head)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	if (head->actor >= FL_SCN_ACTORS_MAX || head->steps > FL_SCN_STEPS_MAX || head->relation > FL_SCN_CHILD ||
	    head->flags > (FL_SCN_ACTOR_FATAL | FL_SCN_ACTOR_BLOCKED) || head->cpu < -1 ||
	    head->cpu >= FL_MIN(cpus, CPU_SETSIZE))
		return false;
	for (uint32_t i = head->actor; i < FL_SCN_ACTORS_MAX; i++)
		if (actors[i].loaded)
			return false;
	if (head->relation == FL_SCN_PROCESS)
		return head->parent == head->actor;
	return head->parent < head->actor && actors[head->parent].loaded;
}

int fl_actor_load(struct fl_actor *actors, const uint8_t *body, size_t len, uint32_t *number, struct fl_diag *diag)
{
	struct cursor cursor = {.at = body, .left = len};
	struct fl_scn_wire_actor head;
	struct fl_actor *actor;
	char *room;

	if (!take(&cursor, &head, sizeof(head)) || !head_fits(actors, &head))
		return fl_diag(diag, -EPROTO, "an actor that cannot be");
	actor = &actors[head.actor];
	actor->head = head;
	room = actor->text;
	for (uint32_t i = 0; i < head.steps; i++)
		if (!take_step(&cursor, &actor->steps[i], &room))
			return out_of_range(diag, head.actor, i);
	if (cursor.left || !loops_fit(actor))
		return fl_diag(diag, -EPROTO, "the steps of actor %u do not fit together", head.actor);
	actor->loaded = true;
	*number = head.actor;
	return 0;
}

/* `thread` and `fork` are of who begins by them; `join` of any other. */
static bool relation_fits(const struct fl_actor *actors, const struct fl_actor *actor, const struct fl_actor_step *step)
{
	const struct fl_actor *other = &actors[step->n[0]];
	fl_actor_fn run = step->op->run;

	if (run == fl_actor_op_join)
		return other->loaded && other != actor;
	if (run != fl_actor_op_thread && run != fl_actor_op_fork)
		return true;
	return other->loaded && other->head.parent == actor->head.actor &&
	       other->head.relation == (run == fl_actor_op_thread ? FL_SCN_THREAD : FL_SCN_CHILD);
}

int fl_actor_check(const struct fl_actor *actors, struct fl_diag *diag)
{
	for (uint32_t i = 0; i < FL_SCN_ACTORS_MAX; i++)
		for (uint32_t j = 0; actors[i].loaded && j < actors[i].head.steps; j++)
			if (!relation_fits(actors, &actors[i], &actors[i].steps[j]))
				return out_of_range(diag, i, j);
	return 0;
}
