/* SPDX-License-Identifier: Apache-2.0 */
/* What actors are told. */
#include "cli/scenario/wire/wire_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diag.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structures go over the wire as they are in memory");

/* A whole case's actors and as much again: a guest that takes nothing makes the runner grow no further. */
#define OUT_MAX (2 * FL_SCN_ACTORS_MAX * (size_t)FL_SCN_BODY_MAX)

int fl_scn_wire_new(const struct fl_scn_wire_ops *ops, struct fl_scn_wire **wire_out)
{
	struct fl_scn_wire *wire = calloc(1, sizeof(*wire));

	if (!wire)
		return -ENOMEM;
	wire->ops = *ops;
	*wire_out = wire;
	return 0;
}

void fl_scn_wire_free(struct fl_scn_wire *wire)
{
	if (!wire)
		return;
	free(wire->out);
	free(wire);
}

const void *fl_scn_wire_pending(const struct fl_scn_wire *wire, size_t *len)
{
	*len = wire->out_len;
	return wire->out_len ? wire->out + wire->out_begin : NULL;
}

void fl_scn_wire_written(struct fl_scn_wire *wire, size_t len)
{
	if (len > wire->out_len)
		len = wire->out_len;
	wire->out_begin += len;
	wire->out_len -= len;
}

static int make_room(struct fl_scn_wire *wire, size_t len, struct fl_diag *diag)
{
	size_t need = wire->out_len + len, room = wire->out_room;
	uint8_t *out = wire->out;

	if (need > OUT_MAX)
		return fl_cli_diag(diag, -ENOSPC, "the guest takes no more of the scenario");
	if (wire->out_len && wire->out_begin)
		memmove(out, out + wire->out_begin, wire->out_len);
	wire->out_begin = 0;
	while (room < need)
		room = room ? 2 * room : 4096;
	if (room > wire->out_room) {
		out = realloc(out, room);
		if (!out)
			return fl_cli_diag(diag, -ENOMEM, "out of memory");
		wire->out = out;
		wire->out_room = room;
	}
	return 0;
}

static int put(struct fl_scn_wire *wire, uint32_t type, const void *body, size_t len, struct fl_diag *diag)
{
	const struct fl_scn_wire_head head = {.len = (uint32_t)len, .type = type};
	int ret = make_room(wire, sizeof(head) + len, diag);

	if (ret)
		return ret;
	memcpy(wire->out + wire->out_len, &head, sizeof(head));
	if (len)
		memcpy(wire->out + wire->out_len + sizeof(head), body, len);
	wire->out_len += sizeof(head) + len;
	return 0;
}

static int out_of_order(struct fl_diag *diag)
{
	return fl_cli_diag(diag, -EINVAL, "a message out of its order");
}

int fl_scn_wire_hello(struct fl_scn_wire *wire, struct fl_diag *diag)
{
	const struct fl_scn_wire_hello hello = {.version = FL_SCN_VERSION, .page_len = 4096};
	int ret = wire->state == FL_SCN_WIRE_NEW ? put(wire, FL_SCN_HELLO, &hello, sizeof(hello), diag)
						 : out_of_order(diag);

	if (!ret)
		wire->state = FL_SCN_WIRE_LOADING;
	return ret;
}

int fl_scn_wire_ping(struct fl_scn_wire *wire, uint64_t cookie, uint64_t ns, struct fl_diag *diag)
{
	const struct fl_scn_wire_time ping = {.cookie = cookie, .ns = ns};
	int ret = wire->state != FL_SCN_WIRE_NEW && !wire->ping_open ? put(wire, FL_SCN_PING, &ping, sizeof(ping), diag)
								     : out_of_order(diag);

	if (ret)
		return ret;
	wire->ping_open = true;
	wire->ping_cookie = cookie;
	return 0;
}

int fl_scn_wire_start(struct fl_scn_wire *wire, struct fl_diag *diag)
{
	int ret = wire->state == FL_SCN_WIRE_LOADING ? put(wire, FL_SCN_START, NULL, 0, diag) : out_of_order(diag);

	if (ret)
		return ret;
	wire->state = FL_SCN_WIRE_RUNNING;
	wire->started = true;
	return 0;
}

int fl_scn_wire_stop(struct fl_scn_wire *wire, struct fl_diag *diag)
{
	bool can = wire->state == FL_SCN_WIRE_LOADING || wire->state == FL_SCN_WIRE_RUNNING;
	int ret = can ? put(wire, FL_SCN_STOP, NULL, 0, diag) : out_of_order(diag);

	if (!ret)
		wire->state = FL_SCN_WIRE_STOPPING;
	return ret;
}

/* ---- an actor ----------------------------------------------------------------------------- */

struct filling {
	const struct fl_scn_wire_run *run;
	struct fl_diag *diag;
	const struct fl_scn_step *source;
	struct fl_scn_wire_step step;
	uint32_t numbers;
	uint8_t *body; /* FL_SCN_BODY_MAX bytes */
	size_t len;    /* in use */
	size_t text;   /* where this step's begins */
};

static int too_long(const struct filling *filling)
{
	return fl_cli_diag(filling->diag, -EINVAL, "line %u: the actor has more to do than one message can hold",
			   filling->source->pos.line);
}

static int cannot_carry(const struct filling *filling)
{
	return fl_cli_diag(filling->diag, -EINVAL, "line %u: an actor cannot do %s so", filling->source->pos.line,
			   filling->source->row->name);
}

static int add_number(struct filling *filling, uint64_t n)
{
	if (filling->numbers == FL_SCN_NUMBERS)
		return cannot_carry(filling);
	filling->step.n[filling->numbers++] = n;
	return 0;
}

static int add_two(struct filling *filling, uint64_t first, uint64_t second)
{
	int ret = add_number(filling, first);

	return ret ? ret : add_number(filling, second);
}

static int add_text(struct filling *filling, const char *text)
{
	size_t len = (text ? strlen(text) : 0) + 1;

	if (len > FL_SCN_BODY_MAX - filling->len)
		return too_long(filling);
	memcpy(filling->body + filling->len, text ? text : "", len);
	filling->len += len;
	return 0;
}

static int add_path(struct filling *filling, const struct fl_scn_operand *operand)
{
	char *path = (char *)filling->body + filling->len;
	size_t room = FL_SCN_BODY_MAX - filling->len;
	int ret = filling->run->path(filling->run->arg, operand->dir, operand->text, path, room);

	if (ret)
		return fl_cli_diag(filling->diag, ret, "line %u: the actor has no path for %s",
				   filling->source->pos.line, operand->text);
	filling->len += strnlen(path, room - 1) + 1;
	return 0;
}

/* As the actor has to say it: what begins with the name of a dir that is not in its machine stays as it is. */
static int add_word(struct filling *filling, const char *word)
{
	const struct fl_scn_wire_run *run = filling->run;
	uint32_t dir = fl_scn_dir_of_word(run->dirs, run->dirs_count, word);
	char *path = (char *)filling->body + filling->len;
	size_t room = FL_SCN_BODY_MAX - filling->len;

	if (dir == run->dirs_count ||
	    run->path(run->arg, dir, word + strlen(run->dirs[dir].name) + 1, path, room) == -ENOENT)
		return add_text(filling, word);
	return add_path(filling, &(struct fl_scn_operand){.dir = dir, .text = word + strlen(run->dirs[dir].name) + 1});
}

static int add_words(struct filling *filling, const char *const *words)
{
	int ret = words && words[0] ? 0 : cannot_carry(filling);

	for (; !ret && *words; words++)
		ret = add_word(filling, *words);
	return ret;
}

static int add_actor(struct filling *filling, uint64_t index)
{
	const struct fl_scn_wire_run *run = filling->run;
	uint32_t number = index < run->actors_count ? run->actors[index] : UINT32_MAX;

	return number < FL_SCN_ACTORS_MAX ? add_number(filling, number) : cannot_carry(filling);
}

static int add_time(struct filling *filling, const struct fl_scn_operand *operand)
{
	uint64_t ns = operand->n;

	if (operand->time_kind != FL_SCN_TIME_FIXED)
		ns = filling->run->time(filling->run->arg, operand);
	return add_two(filling, ns, ns);
}

static int add_operand(struct filling *filling, char kind, const struct fl_scn_operand *operand)
{
	switch (kind) {
	case 'F':
	case 'f':
	case 'M':
	case 'u':
	case 'n':
	case 'k':
	case 'w':
		return add_number(filling, operand->n);
	case 'i':
		return add_number(filling, operand->n ? operand->n : 8);
	case 'm':
		return add_two(filling, operand->n, operand->offset);
	case 't':
		return add_time(filling, operand);
	case 'a':
		return add_actor(filling, operand->n);
	case 'P':
		return add_path(filling, operand);
	case 's':
		return add_text(filling, operand->text);
	case 'A':
		return add_words(filling, operand->words);
	default:
		return cannot_carry(filling);
	}
}

static int add_operands(struct filling *filling)
{
	const struct fl_scn_step *source = filling->source;
	uint32_t i = 0;
	int ret = 0;

	if (source->row->op >= FL_SCN_OP_HOST)
		return cannot_carry(filling);
	if (source->row->op == FL_SCN_OP_END)
		return add_number(filling, source->jump);
	if (source->row->op == FL_SCN_OP_BARRIER)
		return add_two(filling, source->operands[0].n, source->operands[1].n);
	if (source->row->op == FL_SCN_OP_LOOP) {
		ret = add_two(filling, source->operands[0].n, source->operands[1].n);
		return ret ? ret : add_number(filling, source->jump);
	}
	for (const char *kind = source->row->signature; !ret && *kind; kind++) {
		if (*kind == '?')
			continue;
		ret = i < FL_SCN_OPERANDS_MAX ? add_operand(filling, *kind, &source->operands[i++])
					      : cannot_carry(filling);
	}
	return ret;
}

static int add_step(struct filling *filling, const struct fl_scn_step *source)
{
	size_t at = filling->len;
	int ret;

	filling->source = source;
	filling->numbers = 0;
	filling->step = (struct fl_scn_wire_step){.op = (uint16_t)source->row->op, .line = (uint16_t)source->pos.line};
	if (sizeof(filling->step) > FL_SCN_BODY_MAX - at)
		return too_long(filling);
	filling->len += sizeof(filling->step);
	ret = add_operands(filling);
	filling->step.text_len = (uint32_t)(filling->len - at - sizeof(filling->step));
	memcpy(filling->body + at, &filling->step, sizeof(filling->step));
	return ret;
}

static int fill_actor(struct filling *filling, uint32_t number, const struct fl_scn_actor *actor)
{
	const struct fl_scn_wire_run *run = filling->run;
	struct fl_scn_wire_actor head = {
		.actor = number,
		.parent = number,
		.relation = actor->relation,
		.flags = (actor->fatal ? FL_SCN_ACTOR_FATAL : 0) | (actor->blocked ? FL_SCN_ACTOR_BLOCKED : 0),
		.cpu = actor->cpu,
		.steps = actor->steps_count,
	};
	int ret = 0;

	if (actor->relation != FL_SCN_PROCESS)
		head.parent = actor->parent < run->actors_count ? run->actors[actor->parent] : UINT32_MAX;
	if (actor->relation != FL_SCN_PROCESS && head.parent >= number)
		return fl_cli_diag(filling->diag, -EINVAL, "line %u: %s comes before what it is part of",
				   actor->pos.line, actor->name);
	memcpy(filling->body, &head, sizeof(head));
	filling->len = sizeof(head);
	for (uint32_t i = 0; !ret && i < actor->steps_count; i++)
		ret = add_step(filling, &actor->steps[i]);
	return ret;
}

int fl_scn_wire_actor(struct fl_scn_wire *wire, uint32_t number, const struct fl_scn_actor *actor,
		      const struct fl_scn_wire_run *run, struct fl_diag *diag)
{
	struct filling filling = {.run = run, .diag = diag};
	int ret;

	if (wire->state != FL_SCN_WIRE_LOADING || number < wire->actors)
		return out_of_order(diag);
	if (number >= FL_SCN_ACTORS_MAX || actor->steps_count > FL_SCN_STEPS_MAX)
		return fl_cli_diag(diag, -EINVAL, "line %u: more actors or steps than a machine takes",
				   actor->pos.line);
	filling.body = malloc(FL_SCN_BODY_MAX);
	if (!filling.body)
		return fl_cli_diag(diag, -ENOMEM, "out of memory");
	ret = fill_actor(&filling, number, actor);
	if (!ret)
		ret = put(wire, FL_SCN_ACTOR, filling.body, filling.len, diag);
	free(filling.body);
	if (ret)
		return ret;
	wire->actors = number + 1;
	wire->peers[number].sent = true;
	wire->peers[number].steps = actor->steps_count;
	return 0;
}
