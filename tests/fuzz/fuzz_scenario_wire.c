/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest says to the runner of scenarios. An input is a sequence of turns: what the host puts, messages that are
 * nearly right, and bytes as they are. A second wire gets the same a byte at a time, and must hear and refuse the same.
 * What is heard is held against a model of its own, by guest/scenario_wire.h.
 */
#include "fuzz.h"

#include <errno.h>

#include "cli/scenario/wire/wire.h"

enum { HELLO_PUT, PING_PUT, ACTOR_PUT, START_PUT, STOP_PUT, MESSAGE, RAW, TURNS };

#define STEPS_MAX 4u
#define RAW_MAX	  300u
#define SAY_MAX	  64u

/* What was sent, and what the guest may say of it. */
struct model {
	bool sent, loaded, done;
	uint32_t steps, says;
	uint32_t outcomes[STEPS_MAX];
	uint32_t counts[STEPS_MAX]; /* bits */
};

struct hearing {
	struct fl_scn_wire *wire;
	struct model actors[FL_SCN_ACTORS_MAX];
	bool hello_put, hello_came, started, stopping, pinged, bad;
	uint64_t cookie;
	uint64_t digest;
};

static struct model *running(struct hearing *hearing, uint32_t actor)
{
	FUZZ_CHECK(hearing->hello_came && hearing->started && actor < FL_SCN_ACTORS_MAX);
	FUZZ_CHECK(hearing->actors[actor].loaded && !hearing->actors[actor].done);
	return &hearing->actors[actor];
}

static void on_hello(void *arg, const struct fl_scn_wire_hello *hello)
{
	struct hearing *hearing = arg;

	FUZZ_CHECK(!hearing->hello_came && hello->version == FL_SCN_VERSION && hello->cpus);
	hearing->hello_came = true;
	fuzz_digest(&hearing->digest, hello->cpus);
	fuzz_digest(&hearing->digest, hello->page_len);
}

static void on_pong(void *arg, const struct fl_scn_wire_time *pong)
{
	struct hearing *hearing = arg;

	FUZZ_CHECK(hearing->hello_came && hearing->pinged && pong->cookie == hearing->cookie);
	hearing->pinged = false;
	fuzz_digest(&hearing->digest, pong->ns);
}

static void on_stopped(void *arg)
{
	struct hearing *hearing = arg;

	FUZZ_CHECK(hearing->hello_came && hearing->stopping);
	hearing->stopping = hearing->started = false;
	memset(hearing->actors, 0, sizeof(hearing->actors));
	fuzz_digest(&hearing->digest, FL_SCN_STOPPED);
}

static void on_loaded(void *arg, uint32_t actor)
{
	struct hearing *hearing = arg;

	FUZZ_CHECK(hearing->hello_came && actor < FL_SCN_ACTORS_MAX);
	FUZZ_CHECK(hearing->actors[actor].sent && !hearing->actors[actor].loaded);
	hearing->actors[actor].loaded = true;
	fuzz_digest(&hearing->digest, actor);
}

static void on_outcome(void *arg, const struct fl_scn_wire_outcome *outcome)
{
	struct hearing *hearing = arg;
	struct model *model = running(hearing, outcome->actor);

	FUZZ_CHECK(outcome->step < model->steps && outcome->number == model->outcomes[outcome->step]);
	FUZZ_CHECK(outcome->number < FL_SCN_OUTCOMES_MAX && outcome->kind <= FL_SCN_CANNOT);
	FUZZ_CHECK(outcome->begin_ns <= outcome->end_ns && outcome->cpu >= -1);
	FUZZ_CHECK(outcome->map == FL_SCN_NO_MAP || outcome->map < FL_SCN_HANDLES_MAX);
	if (outcome->kind == FL_SCN_SIGNAL || outcome->kind == FL_SCN_KILLED)
		FUZZ_CHECK(outcome->value >= 1 && outcome->value <= 64);
	if (outcome->kind != FL_SCN_SIGNAL)
		FUZZ_CHECK(!outcome->addr && !outcome->code && outcome->map == FL_SCN_NO_MAP && !outcome->cause);
	FUZZ_CHECK(!outcome->cause == !outcome->access && outcome->cause <= 7 && outcome->access <= 4 &&
		   outcome->access != 3);
	model->outcomes[outcome->step]++;
	fuzz_digest(&hearing->digest, outcome->value ^ outcome->addr);
}

static void on_counts(void *arg, const struct fl_scn_wire_counts *counts)
{
	struct hearing *hearing = arg;
	struct model *model = running(hearing, counts->actor);

	FUZZ_CHECK(counts->step < model->steps && counts->number < model->outcomes[counts->step]);
	FUZZ_CHECK(counts->count && !(model->counts[counts->step] >> counts->number & 1));
	model->counts[counts->step] |= 1u << counts->number;
	fuzz_digest(&hearing->digest, counts->count);
}

static void on_done(void *arg, const struct fl_scn_wire_done *done)
{
	struct hearing *hearing = arg;
	struct model *model = running(hearing, done->actor);

	FUZZ_CHECK(done->next_step <= model->steps && done->signal <= 64);
	for (uint32_t i = 0; i < STEPS_MAX; i++)
		FUZZ_CHECK(model->counts[i] == (1u << model->outcomes[i]) - 1);
	model->done = true;
	fuzz_digest(&hearing->digest, done->next_step);
}

static void on_say(void *arg, uint32_t actor, const char *text, size_t len)
{
	struct hearing *hearing = arg;
	struct model *model = running(hearing, actor);

	FUZZ_CHECK(++model->says <= FL_SCN_SAYS_MAX && len <= FL_SCN_BODY_MAX);
	for (size_t i = 0; i < len; i++)
		fuzz_digest(&hearing->digest, (uint8_t)text[i]);
}

/* ---- the host's turns --------------------------------------------------------------------- */

static void put_ping(struct hearing *hearing, uint64_t cookie, struct fl_diag *diag)
{
	if (fl_scn_wire_ping(hearing->wire, cookie, 1, diag))
		return;
	FUZZ_CHECK(hearing->hello_put && !hearing->pinged);
	hearing->pinged = true;
	hearing->cookie = cookie;
}

static void put_actor(struct hearing *hearing, uint32_t number, uint32_t steps_count, struct fl_diag *diag)
{
	static const struct fl_scn_op_row row = {.op = FL_SCN_OP_MARK, .name = "mark", .signature = "k"};
	static const struct fl_scn_step steps[STEPS_MAX] = {{.row = &row}, {.row = &row}, {.row = &row}, {.row = &row}};
	const struct fl_scn_actor actor = {.name = "a", .cpu = -1, .steps = steps, .steps_count = steps_count};
	const struct fl_scn_wire_run run = {0};

	if (fl_scn_wire_actor(hearing->wire, number, &actor, &run, diag))
		return;
	FUZZ_CHECK(hearing->hello_put && !hearing->started && !hearing->stopping && !hearing->actors[number].sent);
	hearing->actors[number] = (struct model){.sent = true, .steps = steps_count};
}

static void host_turn(struct hearing *hearing, unsigned int turn, uint32_t a, uint32_t b)
{
	struct fl_diag diag;
	size_t len;

	if (turn == HELLO_PUT)
		hearing->hello_put |= fl_scn_wire_hello(hearing->wire, &diag) == 0;
	else if (turn == PING_PUT)
		put_ping(hearing, a, &diag);
	else if (turn == ACTOR_PUT)
		put_actor(hearing, a % (FL_SCN_ACTORS_MAX + 1), b % (STEPS_MAX + 1), &diag);
	else if (turn == START_PUT)
		hearing->started |= fl_scn_wire_start(hearing->wire, &diag) == 0;
	else
		hearing->stopping |= fl_scn_wire_stop(hearing->wire, &diag) == 0;
	FUZZ_CHECK((fl_scn_wire_pending(hearing->wire, &len) != NULL) == (len > 0));
	fl_scn_wire_written(hearing->wire, len);
}

/* ---- the guest's -------------------------------------------------------------------------- */

static size_t body_len(uint32_t type)
{
	switch (type) {
	case FL_SCN_HELLO:
		return sizeof(struct fl_scn_wire_hello);
	case FL_SCN_PONG:
		return sizeof(struct fl_scn_wire_time);
	case FL_SCN_LOADED:
		return sizeof(struct fl_scn_wire_actor_id);
	case FL_SCN_OUTCOME:
		return sizeof(struct fl_scn_wire_outcome);
	case FL_SCN_COUNTS:
		return sizeof(struct fl_scn_wire_counts);
	case FL_SCN_DONE:
		return sizeof(struct fl_scn_wire_done);
	default:
		return 0;
	}
}

/* Words of a body, and then bytes of it that are otherwise: all that is not asked for is 0. */
/* Where the corpus has 1 it means the present version: it is of the first. */
static void raise_version(uint8_t *body)
{
	uint32_t version;

	memcpy(&version, body, sizeof(version));
	version += FL_SCN_VERSION - 1;
	memcpy(body, &version, sizeof(version));
}

static size_t make_message(struct fuzz_input *in, uint8_t *bytes)
{
	static const uint32_t types[] = {FL_SCN_HELLO,	 FL_SCN_PONG,	FL_SCN_STOPPED, FL_SCN_LOADED,
					 FL_SCN_OUTCOME, FL_SCN_COUNTS, FL_SCN_DONE,	FL_SCN_SAY};
	struct fl_scn_wire_head head = {.type = types[fuzz_u8(in) % FL_ARRAY_SIZE(types)]};
	uint8_t *body = bytes + sizeof(head);
	uint8_t changes = fuzz_u8(in);

	head.len = (uint32_t)body_len(head.type);
	if (head.type == FL_SCN_SAY)
		head.len = 8 + fuzz_u8(in) % SAY_MAX;
	memset(body, 0, head.len);
	for (unsigned int i = 0; i < changes % 16u && head.len; i++) {
		uint32_t at = fuzz_u8(in) % head.len & ~3u;
		uint64_t value = fuzz_number(in);

		memcpy(body + at, &value, FL_MIN(head.len - at, (uint32_t)(changes & 16 ? 8 : 4)));
	}
	if (head.type == FL_SCN_HELLO)
		raise_version(body);
	memcpy(bytes, &head, sizeof(head));
	return sizeof(head) + head.len;
}

static size_t make_raw(struct fuzz_input *in, uint8_t *bytes)
{
	size_t len = fuzz_u8(in);

	for (size_t i = 0; i < len; i++)
		bytes[i] = fuzz_u8(in);
	return len;
}

static void hear(struct hearing *hearing, const uint8_t *bytes, size_t len, size_t piece)
{
	struct fl_diag diag = {0};

	for (size_t at = 0; at < len; at += piece) {
		int ret = fl_scn_wire_take(hearing->wire, bytes + at, FL_MIN(piece, len - at), &diag);

		FUZZ_CHECK(ret == 0 || (ret == -EPROTO && diag.error == ret && diag.text[0]));
		FUZZ_CHECK(ret || !hearing->bad); /* once is for ever */
		hearing->bad |= ret != 0;
	}
}

static void open_wire(struct hearing *hearing)
{
	const struct fl_scn_wire_ops ops = {on_hello,  on_pong, on_stopped, on_loaded, on_outcome,
					    on_counts, on_done, on_say,	    hearing};

	memset(hearing, 0, sizeof(*hearing));
	hearing->digest = FUZZ_DIGEST_FIRST;
	FUZZ_CHECK(fl_scn_wire_new(&ops, &hearing->wire) == 0);
}

static void turn_once(struct fuzz_input *in, struct hearing hearings[2])
{
	unsigned int turn = fuzz_u8(in) % TURNS;
	uint8_t bytes[RAW_MAX];
	size_t len;

	if (turn < MESSAGE) {
		uint32_t a = fuzz_u8(in), b = fuzz_u8(in);

		for (unsigned int i = 0; i < 2; i++)
			host_turn(&hearings[i], turn, a, b);
		return;
	}
	len = turn == MESSAGE ? make_message(in, bytes) : make_raw(in, bytes);
	hear(&hearings[0], bytes, len, RAW_MAX);
	hear(&hearings[1], bytes, len, 1);
	FUZZ_CHECK(hearings[0].digest == hearings[1].digest && hearings[0].bad == hearings[1].bad);
}

uint64_t fuzz_one(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {.pos = data, .left = len};
	struct hearing hearings[2];

	for (unsigned int i = 0; i < 2; i++)
		open_wire(&hearings[i]);
	while (in.left)
		turn_once(&in, hearings);
	for (unsigned int i = 0; i < 2; i++)
		fl_scn_wire_free(hearings[i].wire);
	fuzz_digest(&hearings[0].digest, hearings[0].bad);
	return hearings[0].digest;
}
