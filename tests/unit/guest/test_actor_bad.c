/* SPDX-License-Identifier: Apache-2.0 */
/* The program and a host that says what it cannot mean: it ends with 125, and nothing of it was done. */
#include "actor_play.h"

#include <stdio.h>
#include <stdlib.h>

#define BAD_STATUS 125

static const struct fl_scn_wire_hello good_hello = {.version = FL_SCN_VERSION, .page_len = 4096};

static void send_message(struct play *play, uint32_t type, const void *body, uint32_t len)
{
	const struct fl_scn_wire_head head = {.len = len, .type = type};

	play_send(play, &head, sizeof(head));
	if (len)
		play_send(play, body, len);
}

/* A program of its own is told that, after HELLO if `greeted`. */
static void expect_bad(bool greeted, uint32_t type, const void *body, uint32_t len)
{
	void *state;
	struct play *play;

	play_setup(&state);
	play = state;
	if (greeted)
		send_message(play, FL_SCN_HELLO, &good_hello, sizeof(good_hello));
	send_message(play, type, body, len);
	assert_int_equal(play_exit_status(play), BAD_STATUS);
	play_teardown(&state);
}

static void messages_are_checked(void **state)
{
	struct fl_scn_wire_hello hello;
	static const char zeros[64];

	(void)state;
	hello = good_hello;
	hello.version++;
	expect_bad(false, FL_SCN_HELLO, &hello, sizeof(hello));
	hello = good_hello;
	hello.page_len = 65536;
	expect_bad(false, FL_SCN_HELLO, &hello, sizeof(hello));
	expect_bad(false, FL_SCN_HELLO, &good_hello, sizeof(good_hello) - 4);
	expect_bad(false, FL_SCN_PING, zeros, sizeof(struct fl_scn_wire_time));
	expect_bad(false, FL_SCN_START, NULL, 0);
	expect_bad(true, FL_SCN_HELLO, &good_hello, sizeof(good_hello));
	expect_bad(true, FL_SCN_PING, zeros, 8);
	expect_bad(true, FL_SCN_START, zeros, 4);
	expect_bad(true, FL_SCN_STOP, zeros, 4);
	expect_bad(true, FL_SCN_PONG, zeros, sizeof(struct fl_scn_wire_time));
	expect_bad(true, 0, NULL, 0);
	expect_bad(true, FL_SCN_ACTOR, zeros, 4);
}

static void a_length_is_refused_before_its_bytes(void **state)
{
	const struct fl_scn_wire_head head = {.len = FL_SCN_BODY_MAX + 1, .type = FL_SCN_ACTOR};
	struct play *play = *state;

	send_message(play, FL_SCN_HELLO, &good_hello, sizeof(good_hello));
	play_send(play, &head, sizeof(head));
	assert_int_equal(play_exit_status(play), BAD_STATUS);
}

/* ---- actors ------------------------------------------------------------------------------- */

struct body {
	struct fl_scn_wire_actor head;
	struct fl_scn_wire_step step;
	char text[32];
};

static void expect_bad_actor(const struct body *body)
{
	expect_bad(true, FL_SCN_ACTOR, body,
		   (uint32_t)(sizeof(body->head) + sizeof(body->step)) + (body->step.text_len & 31));
}

static void heads_of_actors_are_checked(void **state)
{
	const struct body good = {.head = {.cpu = -1, .steps = 1}, .step = {.op = FL_SCN_OP_MARK}};
	struct body body;

	(void)state;
#define BAD(field, wrong)                \
	do {                             \
		body = good;             \
		body.head.field = wrong; \
		expect_bad_actor(&body); \
	} while (0)
	BAD(actor, FL_SCN_ACTORS_MAX);
	BAD(parent, 1);
	BAD(relation, FL_SCN_CHILD + 1);
	BAD(relation, FL_SCN_THREAD); /* of itself */
	BAD(flags, 4);
	BAD(cpu, -2);
	BAD(cpu, 100000);
	BAD(steps, 2);
	BAD(steps, 0);
	BAD(steps, FL_SCN_STEPS_MAX + 1);
#undef BAD
}

static void operands_are_checked(void **state)
{
	static const struct fl_scn_wire_step bad[] = {
		{.op = 0},
		{.op = 12},
		{.op = FL_SCN_OP_HOST},
		{.op = 65535},
		{.op = FL_SCN_OP_MARK, .n = {FL_SCN_MARKS_MAX}},
		{.op = FL_SCN_OP_MARK, .n = {0, 1}},
		{.op = FL_SCN_OP_MARK, .text_len = 2},
		{.op = FL_SCN_OP_WAIT, .n = {0, 2, 1}},
		{.op = FL_SCN_OP_WAIT, .n = {0, UINT64_MAX, UINT64_MAX}},
		{.op = FL_SCN_OP_BARRIER, .n = {0, 0}},
		{.op = FL_SCN_OP_BARRIER, .n = {0, 65}},
		{.op = FL_SCN_OP_LOOP, .n = {1, 0, 1}}, /* without its end */
		{.op = FL_SCN_OP_END},			/* without its loop */
		{.op = FL_SCN_OP_THREAD, .n = {FL_SCN_ACTORS_MAX}},
		{.op = FL_SCN_OP_SAY},
		{.op = FL_SCN_OP_RENAME, .text_len = 2}, /* one text */
		{.op = FL_SCN_OP_OPEN, .n = {FL_SCN_HANDLES_MAX, 1}, .text_len = 2},
		{.op = FL_SCN_OP_OPEN, .n = {0, 64}, .text_len = 2},
		{.op = FL_SCN_OP_STAT, .text_len = 1u << 31},
		{.op = FL_SCN_OP_PREAD, .n = {0, UINT64_MAX, 1}},
		{.op = FL_SCN_OP_PREAD, .n = {0, 0, UINT64_C(1) << 63}},
		{.op = FL_SCN_OP_READ, .n = {FL_SCN_HANDLES_MAX, 0, 8}},
		{.op = FL_SCN_OP_READ, .n = {0, UINT64_MAX, 8}},
		{.op = FL_SCN_OP_READ, .n = {0, 0, 3}},
		{.op = FL_SCN_OP_READ, .n = {0, 0, 16}},
		{.op = FL_SCN_OP_MAP, .n = {0, 0, 0, 4096, 32}},
		{.op = FL_SCN_OP_CHECK, .n = {0, 0, 8, 2, 0}},
		{.op = FL_SCN_OP_FILL, .n = {0, 0, 8, 256}},
		{.op = FL_SCN_OP_MPROTECT, .n = {0, 0, 4096, 32}},
		{.op = FL_SCN_OP_REMAP, .n = {FL_SCN_HANDLES_MAX}},
		{.op = FL_SCN_OP_SPLICE, .n = {0, 0, FL_SCN_HANDLES_MAX, 0, 1}},
		{.op = FL_SCN_OP_URING_READ_TO, .n = {0, 0, 0, UINT64_MAX, 1}},
		{.op = FL_SCN_OP_MADVISE, .n = {0, 0, 8, UINT64_C(1) << 31}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct body body = {.head = {.cpu = -1, .steps = 1}, .step = bad[i], .text = "x"};

		expect_bad_actor(&body);
	}
	/* a text without its end */
	struct body body = {
		.head = {.cpu = -1, .steps = 1}, .step = {.op = FL_SCN_OP_SAY, .text_len = 3}, .text = "abcd"};

	expect_bad_actor(&body);
}

/* What fits by itself, but not together: known at START. */
static void relations_are_checked(void **state)
{
	static const struct fl_scn_wire_step bad[] = {
		{.op = FL_SCN_OP_THREAD, .n = {1}}, /* not loaded */
		{.op = FL_SCN_OP_THREAD, .n = {0}}, /* itself */
		{.op = FL_SCN_OP_FORK, .n = {0}},   {.op = FL_SCN_OP_JOIN, .n = {0}}, {.op = FL_SCN_OP_JOIN, .n = {31}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct body body = {.head = {.cpu = -1, .steps = 1}, .step = bad[i]};
		void *own;
		struct play *play;

		play_setup(&own);
		play = own;
		send_message(play, FL_SCN_HELLO, &good_hello, sizeof(good_hello));
		send_message(play, FL_SCN_ACTOR, &body, sizeof(body.head) + sizeof(body.step));
		send_message(play, FL_SCN_START, NULL, 0);
		assert_int_equal(play_exit_status(play), BAD_STATUS);
		play_teardown(&own);
	}
}

static void actors_come_in_order_and_before_the_start(void **state)
{
	const struct body body = {.head = {.cpu = -1, .steps = 1}, .step = {.op = FL_SCN_OP_MARK}};
	const uint32_t len = sizeof(body.head) + sizeof(body.step);

	(void)state;
	for (unsigned int started = 0; started < 2; started++) {
		void *own;
		struct play *play;

		play_setup(&own);
		play = own;
		send_message(play, FL_SCN_HELLO, &good_hello, sizeof(good_hello));
		send_message(play, FL_SCN_ACTOR, &body, len);
		if (started)
			send_message(play, FL_SCN_START, NULL, 0);
		send_message(play, started ? FL_SCN_START : FL_SCN_ACTOR, &body, started ? 0 : len);
		assert_int_equal(play_exit_status(play), BAD_STATUS);
		play_teardown(&own);
	}
}

/* ---- the language and the program --------------------------------------------------------- */

static int path_of(void *arg, uint32_t dir, const char *rest, char *buf, size_t buf_len)
{
	(void)arg;
	(void)dir;
	snprintf(buf, buf_len, "/nowhere/%s", rest);
	return 0;
}

static bool all_are_loaded(const struct play *play)
{
	for (uint32_t i = 0; i < play->actors; i++)
		if (!play->heard[i].loaded)
			return false;
	return true;
}

/* What a reader of scenarios leaves of a step with its least operands. */
static struct fl_scn_step least(const struct fl_scn_op_row *row)
{
	static const char *const words[] = {"true", NULL};
	struct fl_scn_step step = {.row = row};
	uint32_t i = 0;

	for (const char *kind = row->signature; *kind; kind++) {
		if (*kind == '?')
			continue;
		step.operands[i].text = "text";
		step.operands[i++].words = words;
	}
	step.operands[1].n = row->op == FL_SCN_OP_BARRIER ? 2 : 0;
	return step;
}

/* Every step of the language is one that the program takes. */
static void all_steps_are_known(void **state)
{
	struct play *play = *state;
	static const uint32_t same[] = {0};
	const struct fl_scn_wire_run run = {.actors = same, .actors_count = 1, .path = path_of};
	struct fl_scn_step steps[64];
	struct fl_scn_actor actor = {.name = "all", .cpu = -1, .steps = steps};

	for (const struct fl_scn_op_row *row = fl_scn_ops; row->name; row++) {
		if (!(row->by & FL_SCN_BY_GUEST))
			continue;
		steps[actor.steps_count] = least(row);
		if (row->op == FL_SCN_OP_LOOP)
			steps[actor.steps_count].jump = actor.steps_count + 2;
		if (row->op == FL_SCN_OP_END)
			steps[actor.steps_count].jump = actor.steps_count - 1;
		actor.steps_count++;
	}
	assert_true(actor.steps_count > 40);
	play->actors = 1;
	if (fl_scn_wire_actor(play->wire, 0, &actor, &run, &play->diag))
		fail_msg("%s", play->diag.text);
	assert_true(play_until(play, all_are_loaded));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(messages_are_checked),
	cmocka_unit_test_setup_teardown(a_length_is_refused_before_its_bytes, play_setup, play_teardown),
	cmocka_unit_test(heads_of_actors_are_checked),
	cmocka_unit_test(operands_are_checked),
	cmocka_unit_test(relations_are_checked),
	cmocka_unit_test(actors_come_in_order_and_before_the_start),
	cmocka_unit_test_setup_teardown(all_steps_are_known, play_setup, play_teardown),
};
FL_TEST_MAIN(60, tests)
