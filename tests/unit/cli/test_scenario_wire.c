/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of the wire: what is put, byte for byte, and that nothing but an honest guest's words are taken. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/scenario/wire/wire.h"

#define STEPS 3u

/* What the callbacks saw. */
struct heard {
	unsigned int hello, pong, stopped, loaded, outcome, counts, done, say;
	struct fl_scn_wire_hello last_hello;
	struct fl_scn_wire_time last_pong;
	struct fl_scn_wire_outcome last_outcome;
	struct fl_scn_wire_counts last_counts;
	struct fl_scn_wire_done last_done;
	uint32_t last_actor;
	char text[64];
	size_t text_len;
};

struct fixture {
	struct fl_scn_wire *wire;
	struct heard heard;
	struct fl_diag diag;
};

static void on_hello(void *arg, const struct fl_scn_wire_hello *hello)
{
	struct heard *heard = arg;

	heard->hello++;
	heard->last_hello = *hello;
}

static void on_pong(void *arg, const struct fl_scn_wire_time *pong)
{
	struct heard *heard = arg;

	heard->pong++;
	heard->last_pong = *pong;
}

static void on_stopped(void *arg)
{
	((struct heard *)arg)->stopped++;
}

static void on_loaded(void *arg, uint32_t actor)
{
	struct heard *heard = arg;

	heard->loaded++;
	heard->last_actor = actor;
}

static void on_outcome(void *arg, const struct fl_scn_wire_outcome *outcome)
{
	struct heard *heard = arg;

	heard->outcome++;
	heard->last_outcome = *outcome;
}

static void on_counts(void *arg, const struct fl_scn_wire_counts *counts)
{
	struct heard *heard = arg;

	heard->counts++;
	heard->last_counts = *counts;
}

static void on_done(void *arg, const struct fl_scn_wire_done *done)
{
	struct heard *heard = arg;

	heard->done++;
	heard->last_done = *done;
}

static void on_say(void *arg, uint32_t actor, const char *text, size_t len)
{
	struct heard *heard = arg;

	heard->say++;
	heard->last_actor = actor;
	heard->text_len = len;
	memcpy(heard->text, text, len < sizeof(heard->text) ? len : sizeof(heard->text));
}

/* ---- the case that is sent ---------------------------------------------------------------- */

static const struct fl_scn_op_row row_mark = {.op = FL_SCN_OP_MARK, .by = 3, .name = "mark", .signature = "k"};

static int path_of(void *arg, uint32_t dir, const char *rest, char *buf, size_t buf_len)
{
	(void)arg;
	if (dir > 1)
		return -ENOENT;
	return (size_t)snprintf(buf, buf_len, "/dir%u/%s", dir, rest) < buf_len ? 0 : -ENAMETOOLONG;
}

static uint64_t time_of(void *arg, const struct fl_scn_operand *operand)
{
	(void)arg;
	return operand->n + (operand->offset - operand->n) / 2;
}

static const uint32_t numbers[] = {0, UINT32_MAX, 1, 4};
static const struct fl_scn_dir dirs[] = {{.name = "data"}, {.name = "logs"}, {.name = "elsewhere"}};
static const struct fl_scn_wire_run run = {
	.actors = numbers, .actors_count = 4, .dirs = dirs, .dirs_count = 3, .path = path_of, .time = time_of};

static int put_actor(struct fixture *fixture, uint32_t number, uint32_t steps_count)
{
	static struct fl_scn_step steps[FL_SCN_STEPS_MAX + 1];
	const struct fl_scn_actor actor = {.name = "reader", .cpu = -1, .steps = steps, .steps_count = steps_count};

	for (size_t i = 0; i <= FL_SCN_STEPS_MAX; i++)
		steps[i].row = &row_mark;
	return fl_scn_wire_actor(fixture->wire, number, &actor, &run, &fixture->diag);
}

/* Forgets what was put so far. */
static void write_all(struct fixture *fixture)
{
	size_t len;

	(void)fl_scn_wire_pending(fixture->wire, &len);
	fl_scn_wire_written(fixture->wire, len);
}

static int take(struct fixture *fixture, uint32_t type, const void *body, size_t len)
{
	uint8_t message[256];
	const struct fl_scn_wire_head head = {.len = (uint32_t)len, .type = type};

	assert_true(len <= sizeof(message) - sizeof(head));
	memcpy(message, &head, sizeof(head));
	if (len)
		memcpy(message + sizeof(head), body, len);
	return fl_scn_wire_take(fixture->wire, message, sizeof(head) + len, &fixture->diag);
}

static const struct fl_scn_wire_hello good_hello = {.version = FL_SCN_VERSION, .cpus = 2, .page_len = 4096};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const struct fl_scn_wire_ops ops = {on_hello,  on_pong, on_stopped, on_loaded,	    on_outcome,
					    on_counts, on_done, on_say,	    &fixture->heard};

	assert_int_equal(fl_scn_wire_new(&ops, &fixture->wire), 0);
	assert_int_equal(fl_scn_wire_hello(fixture->wire, &fixture->diag), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	fl_scn_wire_free(fixture->wire);
	free(fixture);
	return 0;
}

/* HELLO has come, actor 0 with STEPS steps is loaded and runs. */
static int setup_running(void **state)
{
	const struct fl_scn_wire_actor_id id = {.actor = 0};
	struct fixture *fixture;

	setup(state);
	fixture = *state;
	assert_int_equal(take(fixture, FL_SCN_HELLO, &good_hello, sizeof(good_hello)), 0);
	assert_int_equal(put_actor(fixture, 0, STEPS), 0);
	assert_int_equal(take(fixture, FL_SCN_LOADED, &id, sizeof(id)), 0);
	assert_int_equal(fl_scn_wire_start(fixture->wire, &fixture->diag), 0);
	write_all(fixture);
	return 0;
}

/* ---- to the guest ------------------------------------------------------------------------- */

static void messages_are_bytes(void **state)
{
	struct fixture *fixture = *state;
	static const uint8_t expected[] = {
		16, 0, 0, 0, 1, 0, 0, 0,						   /* HELLO */
		2,  0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 2, 0, 0, 0, /* PING */
		9,  8, 7, 6, 5, 4, 3, 2, 1, 2,	3, 4, 5, 6, 7, 8, 0,  0, 0, 0, 4, 0, 0, 0, /* START */
		0,  0, 0, 0, 5, 0, 0, 0,						   /* STOP */
	};
	const uint8_t *bytes;
	size_t len;

	assert_int_equal(fl_scn_wire_ping(fixture->wire, 0x0203040506070809, 0x0807060504030201, &fixture->diag), 0);
	assert_int_equal(fl_scn_wire_start(fixture->wire, &fixture->diag), 0);
	assert_int_equal(fl_scn_wire_stop(fixture->wire, &fixture->diag), 0);
	bytes = fl_scn_wire_pending(fixture->wire, &len);
	assert_int_equal(len, sizeof(expected));
	assert_memory_equal(bytes, expected, len);
	/* written in pieces */
	fl_scn_wire_written(fixture->wire, 8);
	bytes = fl_scn_wire_pending(fixture->wire, &len);
	assert_int_equal(len, sizeof(expected) - 8);
	assert_memory_equal(bytes, expected + 8, len);
	fl_scn_wire_written(fixture->wire, len);
	assert_null(fl_scn_wire_pending(fixture->wire, &len));
	assert_int_equal(len, 0);
}

/* One step's fields on the wire. */
struct on_wire {
	uint16_t op;
	uint64_t n[FL_SCN_NUMBERS];
	const char *text;
	size_t text_len;
};

static const char *const run_words[] = {"/bin/sh", "-c", "exit 3", "logs/a/b", "logs", "elsewhere/f", "datas/f", NULL};
static const struct fl_scn_op_row rows[] = {
	{.op = FL_SCN_OP_WAIT, .name = "wait", .signature = "k?t"},
	{.op = FL_SCN_OP_LOOP, .name = "loop", .signature = "nk"},
	{.op = FL_SCN_OP_END, .name = "end", .signature = ""},
	{.op = FL_SCN_OP_BARRIER, .name = "barrier", .signature = "k"},
	{.op = FL_SCN_OP_OPEN, .name = "open", .signature = "FP?w"},
	{.op = FL_SCN_OP_RENAME, .name = "rename", .signature = "PP"},
	{.op = FL_SCN_OP_RUN, .name = "run", .signature = "A"},
	{.op = FL_SCN_OP_MAP, .name = "map", .signature = "Mfnnw"},
	{.op = FL_SCN_OP_READ, .name = "read", .signature = "m?i"},
	{.op = FL_SCN_OP_COPY, .name = "copy", .signature = "mmn"},
	{.op = FL_SCN_OP_THREAD, .name = "thread", .signature = "a"},
	{.op = FL_SCN_OP_SAY, .name = "say", .signature = "s"},
};
static const struct fl_scn_step every_operand[] = {
	{.row = &rows[0],
	 .operands = {{.n = 7}, {.n = 1000, .offset = 3000, .time_kind = FL_SCN_TIME_SPAN}},
	 .pos = {.line = 300}},
	{.row = &rows[0], .operands = {{.n = 7}, {.n = 1000, .offset = 1000}}},
	{.row = &rows[1], .operands = {{.n = 0}, {.n = 5}}, .jump = 4},
	{.row = &rows[2], .jump = 2},
	{.row = &rows[3], .operands = {{.n = 5}, {.n = 2}}},
	{.row = &rows[4], .operands = {{.n = 3}, {.dir = 1, .text = "a/b"}, {.n = FL_SCN_O_WRITE}}},
	{.row = &rows[5], .operands = {{.dir = 0, .text = "x"}, {.dir = 1, .text = "y"}}},
	{.row = &rows[6], .operands = {{.words = run_words}}},
	{.row = &rows[7], .operands = {{.n = 1}, {.n = 2}, {.n = 4096}, {.n = 65536}, {.n = FL_SCN_MAP_READ}}},
	{.row = &rows[8], .operands = {{.n = 1, .offset = 12288}}},
	{.row = &rows[9], .operands = {{.n = 1, .offset = 2}, {.n = 3, .offset = 4}, {.n = 5}}},
	{.row = &rows[10], .operands = {{.n = 3}}},
	{.row = &rows[11], .operands = {{.text = "hello"}}},
};
/* by the comment of enum fl_scn_op */
static const struct on_wire every_step[] = {
	{FL_SCN_OP_WAIT, {7, 2000, 2000}, "", 0},
	{FL_SCN_OP_WAIT, {7, 1000, 1000}, "", 0},
	{FL_SCN_OP_LOOP, {0, 5, 4}, "", 0},
	{FL_SCN_OP_END, {2}, "", 0},
	{FL_SCN_OP_BARRIER, {5, 2}, "", 0},
	{FL_SCN_OP_OPEN, {3, FL_SCN_O_WRITE}, "/dir1/a/b", 10},
	{FL_SCN_OP_RENAME, {0}, "/dir0/x\0/dir1/y", 16},
	/* what begins with the name of a dir is a path in it, if the machine has it */
	{FL_SCN_OP_RUN, {0}, "/bin/sh\0-c\0exit 3\0/dir1/a/b\0logs\0elsewhere/f\0datas/f", 53},
	{FL_SCN_OP_MAP, {1, 2, 4096, 65536, FL_SCN_MAP_READ}, "", 0},
	{FL_SCN_OP_READ, {1, 12288, 8}, "", 0},
	{FL_SCN_OP_COPY, {1, 2, 3, 4, 5}, "", 0},
	{FL_SCN_OP_THREAD, {4}, "", 0},
	{FL_SCN_OP_SAY, {0}, "hello", 6},
};
_Static_assert(sizeof(every_step) / sizeof(every_step[0]) == sizeof(every_operand) / sizeof(every_operand[0]), "pairs");

static void an_actor_is_its_steps(void **state)
{
	struct fixture *fixture = *state;
	const size_t count = sizeof(every_step) / sizeof(every_step[0]);
	const struct fl_scn_actor actor = {.name = "child",
					   .relation = FL_SCN_CHILD,
					   .parent = 2,
					   .fatal = true,
					   .cpu = 1,
					   .steps = every_operand,
					   .steps_count = (uint32_t)count};
	struct fl_scn_wire_head head;
	struct fl_scn_wire_actor sent;
	const uint8_t *bytes, *end;
	size_t len;

	write_all(fixture);
	assert_int_equal(fl_scn_wire_actor(fixture->wire, 3, &actor, &run, &fixture->diag), 0);
	bytes = fl_scn_wire_pending(fixture->wire, &len);
	end = bytes + len;
	memcpy(&head, bytes, sizeof(head));
	assert_int_equal(head.type, FL_SCN_ACTOR);
	assert_int_equal(head.len, len - sizeof(head));
	memcpy(&sent, bytes + sizeof(head), sizeof(sent));
	assert_int_equal(sent.actor, 3);
	assert_int_equal(sent.parent, 1); /* the third of the case is number 1 on this wire */
	assert_int_equal(sent.relation, FL_SCN_CHILD);
	assert_int_equal(sent.flags, FL_SCN_ACTOR_FATAL);
	assert_int_equal(sent.cpu, 1);
	assert_int_equal(sent.steps, count);
	bytes += sizeof(head) + sizeof(sent);
	for (size_t i = 0; i < count; i++) {
		struct fl_scn_wire_step step;

		assert_true((size_t)(end - bytes) >= sizeof(step));
		memcpy(&step, bytes, sizeof(step));
		bytes += sizeof(step);
		assert_int_equal(step.op, every_step[i].op);
		assert_int_equal(step.line, every_operand[i].pos.line);
		assert_memory_equal(step.n, every_step[i].n, sizeof(step.n));
		assert_int_equal(step.text_len, every_step[i].text_len);
		assert_memory_equal(bytes, every_step[i].text, step.text_len);
		bytes += step.text_len;
	}
	assert_ptr_equal(bytes, end);
}

static void expect_refused(struct fixture *fixture, const struct fl_scn_op_row *row, struct fl_scn_operand first)
{
	const struct fl_scn_step step = {.row = row, .operands = {first}, .pos = {.line = 12}};
	const struct fl_scn_actor actor = {.name = "a", .steps = &step, .steps_count = 1};
	size_t len;

	assert_true(fl_scn_wire_actor(fixture->wire, 0, &actor, &run, &fixture->diag) < 0);
	assert_non_null(strstr(fixture->diag.text, "line 12"));
	assert_null(fl_scn_wire_pending(fixture->wire, &len));
}

static void what_cannot_be_sent_is_not(void **state)
{
	static const struct fl_scn_op_row host = {.op = FL_SCN_HOST_TRUNCATE, .name = "truncate", .signature = "Pn"},
					  wide = {.op = FL_SCN_OP_COPY, .name = "wide", .signature = "mmmm"};
	struct fixture *fixture = *state;
	char *text = calloc(1, FL_SCN_BODY_MAX + 1);

	write_all(fixture);
	memset(text, 'x', FL_SCN_BODY_MAX);
	expect_refused(fixture, &host, (struct fl_scn_operand){.text = "f"});
	expect_refused(fixture, &wide, (struct fl_scn_operand){0});
	expect_refused(fixture, &rows[5], (struct fl_scn_operand){.dir = 2, .text = "f"});
	expect_refused(fixture, &rows[10], (struct fl_scn_operand){.n = 1}); /* an actor of another machine */
	expect_refused(fixture, &rows[10], (struct fl_scn_operand){.n = 4}); /* none at all */
	expect_refused(fixture, &rows[11], (struct fl_scn_operand){.text = text});
	expect_refused(fixture, &rows[6], (struct fl_scn_operand){.words = NULL});
	free(text);
	assert_int_equal(put_actor(fixture, FL_SCN_ACTORS_MAX, 1), -EINVAL);
	assert_int_equal(put_actor(fixture, 0, FL_SCN_STEPS_MAX + 1), -EINVAL);
	assert_int_equal(put_actor(fixture, 0, FL_SCN_STEPS_MAX), 0);
	assert_int_equal(put_actor(fixture, 0, 1), -EINVAL); /* numbers rise */
}

static void messages_have_an_order(void **state)
{
	struct fixture *fixture = *state;
	struct fl_diag *diag = &fixture->diag;

	assert_int_equal(fl_scn_wire_hello(fixture->wire, diag), -EINVAL);
	assert_int_equal(fl_scn_wire_ping(fixture->wire, 1, 1, diag), 0);
	assert_int_equal(fl_scn_wire_ping(fixture->wire, 2, 2, diag), -EINVAL); /* one at a time */
	assert_int_equal(fl_scn_wire_start(fixture->wire, diag), 0);
	assert_int_equal(fl_scn_wire_start(fixture->wire, diag), -EINVAL);
	assert_int_equal(put_actor(fixture, 0, 1), -EINVAL);
	assert_int_equal(fl_scn_wire_stop(fixture->wire, diag), 0);
	assert_int_equal(fl_scn_wire_stop(fixture->wire, diag), -EINVAL);
	assert_int_equal(take(fixture, FL_SCN_HELLO, &good_hello, sizeof(good_hello)), 0);
	assert_int_equal(take(fixture, FL_SCN_STOPPED, NULL, 0), 0);
	assert_int_equal(put_actor(fixture, 0, 1), 0);
}

static void a_guest_that_takes_nothing_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	int ret = 0;
	size_t len;

	/* START and STOP by turns are 16 bytes and never taken */
	for (unsigned int i = 0; !ret && i < 1000000; i++) {
		ret = fl_scn_wire_start(fixture->wire, &fixture->diag);
		if (!ret)
			ret = fl_scn_wire_stop(fixture->wire, &fixture->diag);
		if (!i)
			assert_int_equal(take(fixture, FL_SCN_HELLO, &good_hello, sizeof(good_hello)), 0);
		if (!ret)
			assert_int_equal(take(fixture, FL_SCN_STOPPED, NULL, 0), 0);
	}
	assert_int_equal(ret, -ENOSPC);
	(void)fl_scn_wire_pending(fixture->wire, &len);
	assert_true(len <= (size_t)8 << 20);
}

/* ---- from the guest ----------------------------------------------------------------------- */

static const struct fl_scn_wire_outcome good_outcome = {.actor = 0,
							.step = 2,
							.kind = FL_SCN_SIGNAL,
							.code = 2,
							.cpu = 1,
							.value = 7,
							.addr = 0x7f0000003000,
							.begin_ns = 10,
							.end_ns = 11,
							.offset = 0x3000,
							.map = 15};
static const struct fl_scn_wire_counts good_counts = {
	.actor = 0, .step = 2, .count = 100, .last_ns = 12, .longest_ns = 1};
static const struct fl_scn_wire_done good_done = {.actor = 0, .next_step = STEPS};

/* Everything an honest guest says, in order. */
static size_t honest(uint8_t *bytes)
{
	static const struct fl_scn_wire_time pong = {.cookie = 77, .ns = 123};
	static const struct fl_scn_wire_actor_id id = {.actor = 0};
	static const struct {
		uint32_t type;
		const void *body;
		uint32_t len;
	} all[] = {
		{FL_SCN_HELLO, &good_hello, sizeof(good_hello)},
		{FL_SCN_PONG, &pong, sizeof(pong)},
		{FL_SCN_LOADED, &id, sizeof(id)},
		{FL_SCN_SAY, "\0\0\0\0\0\0\0\0hi\n", 11},
		{FL_SCN_OUTCOME, &good_outcome, sizeof(good_outcome)},
		{FL_SCN_COUNTS, &good_counts, sizeof(good_counts)},
		{FL_SCN_DONE, &good_done, sizeof(good_done)},
		{FL_SCN_STOPPED, NULL, 0},
	};
	size_t len = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct fl_scn_wire_head head = {.len = all[i].len, .type = all[i].type};

		memcpy(bytes + len, &head, sizeof(head));
		len += sizeof(head);
		if (all[i].len)
			memcpy(bytes + len, all[i].body, all[i].len);
		len += all[i].len;
	}
	return len;
}

static void put_what_honest_answers(struct fixture *fixture)
{
	assert_int_equal(fl_scn_wire_ping(fixture->wire, 77, 1, &fixture->diag), 0);
	assert_int_equal(put_actor(fixture, 0, STEPS), 0);
	assert_int_equal(fl_scn_wire_start(fixture->wire, &fixture->diag), 0);
	assert_int_equal(fl_scn_wire_stop(fixture->wire, &fixture->diag), 0);
}

static void pieces_of_any_length_are_taken(void **state)
{
	uint8_t bytes[1024];
	size_t len = honest(bytes);

	(void)state;
	for (size_t piece = 1; piece <= len; piece++) {
		void *own;
		struct fixture *fixture;
		const struct heard *heard;

		setup(&own);
		fixture = own;
		heard = &fixture->heard;
		put_what_honest_answers(fixture);
		for (size_t at = 0; at < len; at += piece)
			assert_int_equal(fl_scn_wire_take(fixture->wire, bytes + at,
							  len - at < piece ? len - at : piece, &fixture->diag),
					 0);
		assert_int_equal(heard->hello & heard->pong & heard->loaded & heard->say, 1);
		assert_int_equal(heard->outcome & heard->counts & heard->done & heard->stopped, 1);
		assert_memory_equal(&heard->last_hello, &good_hello, sizeof(good_hello));
		assert_memory_equal(&heard->last_outcome, &good_outcome, sizeof(good_outcome));
		assert_memory_equal(&heard->last_counts, &good_counts, sizeof(good_counts));
		assert_memory_equal(&heard->last_done, &good_done, sizeof(good_done));
		assert_int_equal(heard->last_pong.ns, 123);
		assert_int_equal(heard->text_len, 3);
		assert_memory_equal(heard->text, "hi\n", 3);
		teardown(&own);
	}
}

/* In a conversation of its own that runs. */
static void expect_bad(uint32_t type, const void *body, size_t len, const char *why)
{
	void *own;
	struct fixture *fixture;
	unsigned int before;

	setup_running(&own);
	fixture = own;
	before = fixture->heard.outcome + fixture->heard.done + fixture->heard.loaded;
	assert_int_equal(take(fixture, type, body, len), -EPROTO);
	assert_non_null(strstr(fixture->diag.text, why));
	assert_int_equal(fixture->heard.outcome + fixture->heard.done + fixture->heard.loaded, before);
	/* nothing after it counts */
	assert_int_equal(take(fixture, FL_SCN_OUTCOME, &good_outcome, sizeof(good_outcome)), -EPROTO);
	assert_int_equal(fixture->heard.outcome, 0);
	teardown(&own);
}

static void messages_that_there_are_not_are_refused(void **state)
{
	static const uint8_t zeros[128];
	static const size_t lens[] = {16, 0, 8, 72, 40, 16}; /* from PONG on */
	static const uint32_t types[] = {0, FL_SCN_HELLO, FL_SCN_PING, FL_SCN_ACTOR, FL_SCN_START, FL_SCN_STOP,
					 6, 15,		  23,	       UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		expect_bad(types[i], zeros, 0, "no message");
	for (uint32_t type = FL_SCN_PONG; type <= FL_SCN_DONE; type++)
		for (size_t len = 0; len < sizeof(zeros); len += 4)
			if (len != lens[type - FL_SCN_PONG])
				expect_bad(type, zeros, len, "no message");
	expect_bad(FL_SCN_SAY, zeros, 7, "no message");
	/* a second HELLO, and a length that no body has */
	expect_bad(FL_SCN_HELLO, &good_hello, sizeof(good_hello), "HELLO");
}

static void a_length_is_refused_at_once(void **state)
{
	const struct fl_scn_wire_head head = {.len = FL_SCN_BODY_MAX + 1, .type = FL_SCN_SAY};
	struct fixture *fixture = *state;

	assert_int_equal(fl_scn_wire_take(fixture->wire, &head, sizeof(head) - 1, &fixture->diag), 0);
	assert_int_equal(fl_scn_wire_take(fixture->wire, (const uint8_t *)&head + sizeof(head) - 1, 1, &fixture->diag),
			 -EPROTO);
}

static void hello_says_who(void **state)
{
	static const struct fl_scn_wire_hello bad[] = {
		{.version = FL_SCN_VERSION + 1, .cpus = 1, .page_len = 4096},
		{.version = 0, .cpus = 1, .page_len = 4096},
		{.version = FL_SCN_VERSION, .cpus = 0, .page_len = 4096},
		{.version = FL_SCN_VERSION, .cpus = 8193, .page_len = 4096},
		{.version = FL_SCN_VERSION, .cpus = 1, .page_len = 4095},
		{.version = FL_SCN_VERSION, .cpus = 1, .page_len = 2048},
		{.version = FL_SCN_VERSION, .cpus = 1, .page_len = 4096, .reserved = 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		void *own;

		setup(&own);
		assert_int_equal(take(own, FL_SCN_HELLO, &bad[i], sizeof(bad[i])), -EPROTO);
		if (bad[i].version != FL_SCN_VERSION)
			assert_non_null(strstr(((struct fixture *)own)->diag.text, "version"));
		teardown(&own);
	}
}

static void nothing_comes_before_hello(void **state)
{
	assert_int_equal(fl_scn_wire_stop(((struct fixture *)*state)->wire, &((struct fixture *)*state)->diag), 0);
	assert_int_equal(take(*state, FL_SCN_STOPPED, NULL, 0), -EPROTO);
	assert_non_null(strstr(((struct fixture *)*state)->diag.text, "HELLO"));
}

static void what_was_not_asked_is_no_answer(void **state)
{
	const struct fl_scn_wire_time pong = {.cookie = 78};
	const struct fl_scn_wire_actor_id again = {.actor = 0}, other = {.actor = 1},
					  far = {.actor = FL_SCN_ACTORS_MAX};
	struct fixture *fixture = *state;

	expect_bad(FL_SCN_PONG, &pong, sizeof(pong), "PING");
	expect_bad(FL_SCN_STOPPED, NULL, 0, "STOP");
	expect_bad(FL_SCN_LOADED, &again, sizeof(again), "LOADED");
	expect_bad(FL_SCN_LOADED, &other, sizeof(other), "LOADED");
	expect_bad(FL_SCN_LOADED, &far, sizeof(far), "LOADED");
	expect_bad(FL_SCN_SAY, "\1\0\0\0\0\0\0\0x", 9, "SAY");
	expect_bad(FL_SCN_SAY, "\0\0\0\0\1\0\0\0x", 9, "SAY");
	assert_int_equal(fl_scn_wire_ping(fixture->wire, 77, 1, &fixture->diag), 0);
	assert_int_equal(take(fixture, FL_SCN_PONG, &pong, sizeof(pong)), -EPROTO);
}

static void fields_have_ranges(void **state)
{
	struct fl_scn_wire_outcome o;

	(void)state;
#define BAD(field, wrong)                                                               \
	do {                                                                            \
		o = good_outcome;                                                       \
		o.field = wrong;                                                        \
		expect_bad(FL_SCN_OUTCOME, &o, sizeof(o), "an OUTCOME that cannot be"); \
	} while (0)
	BAD(actor, 1);
	BAD(actor, UINT32_MAX);
	BAD(step, STEPS);
	BAD(step, UINT32_MAX);
	BAD(kind, FL_SCN_CANNOT + 1);
	BAD(kind, FL_SCN_DID); /* with a code and an address */
	BAD(kind, FL_SCN_KILLED);
	BAD(number, 1);
	BAD(number, FL_SCN_OUTCOMES_MAX);
	BAD(number, UINT32_MAX);
	BAD(cpu, -2);
	BAD(cpu, 8192);
	BAD(value, 0);
	BAD(value, 65);
	BAD(begin_ns, 12);
	BAD(map, FL_SCN_HANDLES_MAX);
	BAD(map, FL_SCN_NO_MAP); /* with an offset */
	BAD(offset, 0x7f0000003001);
	BAD(cause, FL_CAUSE_TRUNCATED); /* without an access */
	BAD(access, FL_ACCESS_READ);	/* without a cause */
#undef BAD
	static const uint16_t records[][2] = {
		{FL_CAUSE_TRUNCATED, 3}, {FL_CAUSE_TRUNCATED, 8}, {FL_CAUSE_UNKNOWN + 1, FL_ACCESS_READ}};

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		o = good_outcome;
		o.cause = records[i][0];
		o.access = records[i][1];
		expect_bad(FL_SCN_OUTCOME, &o, sizeof(o), "an OUTCOME that cannot be");
	}
}

static void only_signals_have_addresses(void **state)
{
	static const struct fl_scn_wire_outcome bad[] = {
		{.kind = FL_SCN_ERROR, .map = FL_SCN_NO_MAP},
		{.kind = FL_SCN_ERROR, .map = FL_SCN_NO_MAP, .value = 4096},
		{.kind = FL_SCN_CANNOT, .map = FL_SCN_NO_MAP},
		{.kind = FL_SCN_LATE, .map = FL_SCN_NO_MAP, .value = 1},
		{.kind = FL_SCN_DID, .map = FL_SCN_NO_MAP, .code = 1},
		{.kind = FL_SCN_DID, .map = FL_SCN_NO_MAP, .addr = 1},
		{.kind = FL_SCN_DID, .map = FL_SCN_NO_MAP, .offset = 1},
		{.kind = FL_SCN_DID, .map = 0},
		{.kind = FL_SCN_KILLED, .map = FL_SCN_NO_MAP, .value = 65},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_bad(FL_SCN_OUTCOME, &bad[i], sizeof(bad[i]), "OUTCOME");
}

static void each_kind_of_outcome_is_taken(void **state)
{
	static const struct fl_scn_wire_outcome all[] = {
		{.kind = FL_SCN_DID, .value = UINT64_MAX, .map = FL_SCN_NO_MAP},
		{.kind = FL_SCN_ERROR, .value = 4095, .number = 1, .map = FL_SCN_NO_MAP},
		{.kind = FL_SCN_SIGNAL,
		 .value = 64,
		 .code = INT32_MIN,
		 .addr = UINT64_MAX,
		 .number = 2,
		 .map = FL_SCN_NO_MAP},
		{.kind = FL_SCN_KILLED, .value = 1, .number = 3, .map = FL_SCN_NO_MAP},
		{.kind = FL_SCN_LATE, .number = 4, .cpu = -1, .map = FL_SCN_NO_MAP},
		{.kind = FL_SCN_CANNOT,
		 .value = 1,
		 .number = 5,
		 .begin_ns = UINT64_MAX,
		 .end_ns = UINT64_MAX,
		 .map = FL_SCN_NO_MAP},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_int_equal(take(fixture, FL_SCN_OUTCOME, &all[i], sizeof(all[i])), 0);
		assert_memory_equal(&fixture->heard.last_outcome, &all[i], sizeof(all[i]));
	}
	/* the same once more is no first time */
	assert_int_equal(take(fixture, FL_SCN_OUTCOME, &all[5], sizeof(all[5])), -EPROTO);
}

static void counts_are_of_outcomes(void **state)
{
	struct fl_scn_wire_counts counts = good_counts;
	struct fixture *fixture = *state;

	expect_bad(FL_SCN_COUNTS, &counts, sizeof(counts), "COUNTS"); /* there was no outcome */
	assert_int_equal(take(fixture, FL_SCN_OUTCOME, &good_outcome, sizeof(good_outcome)), 0);
	assert_int_equal(take(fixture, FL_SCN_COUNTS, &counts, sizeof(counts)), 0);
	assert_int_equal(take(fixture, FL_SCN_COUNTS, &counts, sizeof(counts)), -EPROTO); /* twice */
}

static void a_count_is_at_least_one(void **state)
{
	struct fl_scn_wire_counts counts = good_counts;

	counts.count = 0;
	assert_int_equal(take(*state, FL_SCN_OUTCOME, &good_outcome, sizeof(good_outcome)), 0);
	assert_int_equal(take(*state, FL_SCN_COUNTS, &counts, sizeof(counts)), -EPROTO);
}

static void an_end_is_the_last(void **state)
{
	struct fl_scn_wire_done done = good_done;
	struct fixture *fixture = *state;

	done.next_step = STEPS + 1;
	expect_bad(FL_SCN_DONE, &done, sizeof(done), "DONE");
	done = good_done;
	done.signal = 65;
	expect_bad(FL_SCN_DONE, &done, sizeof(done), "DONE");
	assert_int_equal(take(fixture, FL_SCN_DONE, &good_done, sizeof(good_done)), 0);
	assert_int_equal(take(fixture, FL_SCN_OUTCOME, &good_outcome, sizeof(good_outcome)), -EPROTO);
}

static void an_end_needs_all_counts(void **state)
{
	assert_int_equal(take(*state, FL_SCN_OUTCOME, &good_outcome, sizeof(good_outcome)), 0);
	assert_int_equal(take(*state, FL_SCN_DONE, &good_done, sizeof(good_done)), -EPROTO);
	assert_non_null(strstr(((struct fixture *)*state)->diag.text, "COUNTS"));
}

static void words_are_bounded(void **state)
{
	static const char say[] = "\0\0\0\0\0\0\0\0x";

	for (unsigned int i = 0; i < FL_SCN_SAYS_MAX; i++)
		assert_int_equal(take(*state, FL_SCN_SAY, say, 9), 0);
	assert_int_equal(take(*state, FL_SCN_SAY, say, 9), -EPROTO);
}

static void actors_are_forgotten_with_a_stop(void **state)
{
	const struct fl_scn_wire_actor_id id = {.actor = 0};
	struct fixture *fixture = *state;

	assert_int_equal(fl_scn_wire_stop(fixture->wire, &fixture->diag), 0);
	/* what was on its way */
	assert_int_equal(take(fixture, FL_SCN_OUTCOME, &good_outcome, sizeof(good_outcome)), 0);
	assert_int_equal(take(fixture, FL_SCN_STOPPED, NULL, 0), 0);
	assert_int_equal(put_actor(fixture, 0, 1), 0);
	assert_int_equal(take(fixture, FL_SCN_LOADED, &id, sizeof(id)), 0);
	/* not before its START */
	assert_int_equal(take(fixture, FL_SCN_DONE, &(struct fl_scn_wire_done){0}, sizeof(good_done)), -EPROTO);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(messages_are_bytes, setup, teardown),
	cmocka_unit_test_setup_teardown(an_actor_is_its_steps, setup, teardown),
	cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_not, setup, teardown),
	cmocka_unit_test_setup_teardown(messages_have_an_order, setup, teardown),
	cmocka_unit_test_setup_teardown(a_guest_that_takes_nothing_is_noticed, setup, teardown),
	cmocka_unit_test(pieces_of_any_length_are_taken),
	cmocka_unit_test(messages_that_there_are_not_are_refused),
	cmocka_unit_test_setup_teardown(a_length_is_refused_at_once, setup, teardown),
	cmocka_unit_test(hello_says_who),
	cmocka_unit_test_setup_teardown(nothing_comes_before_hello, setup, teardown),
	cmocka_unit_test_setup_teardown(what_was_not_asked_is_no_answer, setup_running, teardown),
	cmocka_unit_test(fields_have_ranges),
	cmocka_unit_test(only_signals_have_addresses),
	cmocka_unit_test_setup_teardown(each_kind_of_outcome_is_taken, setup_running, teardown),
	cmocka_unit_test_setup_teardown(counts_are_of_outcomes, setup_running, teardown),
	cmocka_unit_test_setup_teardown(a_count_is_at_least_one, setup_running, teardown),
	cmocka_unit_test_setup_teardown(an_end_is_the_last, setup_running, teardown),
	cmocka_unit_test_setup_teardown(an_end_needs_all_counts, setup_running, teardown),
	cmocka_unit_test_setup_teardown(words_are_bounded, setup_running, teardown),
	cmocka_unit_test_setup_teardown(actors_are_forgotten_with_a_stop, setup_running, teardown),
};
FL_TEST_MAIN(30, tests)
