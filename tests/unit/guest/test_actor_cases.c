/* SPDX-License-Identifier: Apache-2.0 */
/* Actors among each other: marks, loops, threads, children, and those that a signal ends. */
#include "actor_play.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#define LEN 65536u
#define CUT 12288u
#define MS  UINT64_C(1000000)
#define RW  (FL_SCN_O_READ | FL_SCN_O_WRITE)
#define MRW (FL_SCN_MAP_READ | FL_SCN_MAP_WRITE)
enum { MAPPED, CUT_DONE, GO, LATER };

/* clang-format off */
#define OPEN_AND_MAP(path)                                     \
	{.op = FL_SCN_OP_OPEN, .n = {0, RW}, .words = {path}}, \
	{.op = FL_SCN_OP_MAP, .n = {0, 0, 0, LEN, MRW}}
/* clang-format on */
#define MAP_STEP 1u

static uint64_t count_of(const struct play *play, uint32_t actor, uint32_t step)
{
	return play->heard[actor].counts[step][0].count;
}

static void run(struct play *play, const struct play_actor *actors, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		play_load(play, &actors[i]);
	play_start(play);
}

/* ---- order -------------------------------------------------------------------------------- */

static void loops_turn(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {
		.steps = {
			OPEN_AND_MAP(play->path),
			{.op = FL_SCN_OP_LOOP, .n = {100000}},
			{.op = FL_SCN_OP_READ, .n = {0, 8, 8}},
			{.op = FL_SCN_OP_END},
			{.op = FL_SCN_OP_LOOP, .n = {3}},
			{.op = FL_SCN_OP_LOOP,
			 .n = {0, GO}}, /* once at least, and once in each turn of the outer one */
			{.op = FL_SCN_OP_READ, .n = {0, 16, 8}},
			{.op = FL_SCN_OP_MARK, .n = {GO}},
			{.op = FL_SCN_OP_END},
			{.op = FL_SCN_OP_READ, .n = {0, 24, 8}},
			{.op = FL_SCN_OP_END},
		}};
	struct fl_scn_progress progress;
	uint64_t took;

	play_make_file(play, LEN);
	run(play, &actor, 1);
	play_until_done(play);
	play_assert_did(play, 0, 3, fl_scn_pattern(8));
	assert_int_equal(count_of(play, 0, 3), 100000);
	assert_int_equal(count_of(play, 0, 4), 100000);
	assert_int_equal(count_of(play, 0, 7), 3);
	assert_int_equal(count_of(play, 0, 10), 3);
	assert_int_equal(count_of(play, 0, 2), 1);
	assert_int_equal(fl_scn_page_read_progress(&play->page, 0, &progress), 0);
	assert_int_equal(progress.iterations, 100000 + 3 + 3);
	assert_int_equal(progress.state, 2);
	/* some hundred ns a turn on idle hardware; a message for each would be ten times that and more */
	took = play->heard[0].counts[4][0].last_ns - play_only(play, 0, 2)->begin_ns;
	print_message("# 100000 reads in a loop: %llu ns each\n", (unsigned long long)took / 100000);
	assert_true(took < 1000 * MS);
}

static void who_waits_is_told_by_marks(void **state)
{
	struct play *play = *state;
	const struct play_actor actors[] = {
		{.steps = {{.op = FL_SCN_OP_WAIT, .n = {GO, 30 * MS, 30 * MS}}, {.op = FL_SCN_OP_MARK, .n = {LATER}}}},
		{.steps = {{.op = FL_SCN_OP_WAIT, .n = {LATER}},
			   {.op = FL_SCN_OP_SLEEP, .n = {5 * MS, 5 * MS}},
			   {.op = FL_SCN_OP_SPIN, .n = {MS, MS}}}},
	};
	const struct fl_scn_wire_outcome *outcome;
	uint64_t set, later;

	run(play, actors, 2);
	set = play_now_ns();
	assert_int_equal(fl_scn_page_set_mark(&play->page, GO, set), 0);
	play_until_done(play);
	assert_int_equal(fl_scn_page_read_mark(&play->page, LATER, &later), 1);
	assert_true(later >= set + 30 * MS);
	assert_true(play_only(play, 0, 0)->end_ns >= set + 30 * MS);
	assert_true(play_only(play, 1, 0)->end_ns >= later);
	outcome = play_only(play, 1, 1);
	assert_true(outcome->end_ns - outcome->begin_ns >= 5 * MS);
	outcome = play_only(play, 1, 2);
	assert_true(outcome->end_ns - outcome->begin_ns >= MS);
}

static void a_barrier_has_parties_on_both_sides(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {
		.steps = {{.op = FL_SCN_OP_MARK, .n = {MAPPED}}, {.op = FL_SCN_OP_BARRIER, .n = {GO, 3}}}};
	const struct play_actor actors[] = {actor, actor};
	uint64_t ns, now;
	int ret;

	run(play, actors, 2);
	play_wait_mark(play, MAPPED);
	assert_int_equal(fl_scn_page_read_mark(&play->page, GO, &ns), 0);
	now = play_now_ns();
	ret = fl_scn_page_arrive(&play->page, GO, 1, 3, now);
	assert_true(ret == 0 || ret == 1);
	play_until_done(play);
	for (uint32_t i = 0; i < 2; i++) {
		play_assert_did(play, i, 1, 0);
		assert_true(play_only(play, i, 1)->end_ns >= now);
	}
	assert_int_equal(fl_scn_page_read_mark(&play->page, GO, &ns), 1);
}

static void an_actor_is_where_it_was_bound_to(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {.cpu = 1, .steps = {{.op = FL_SCN_OP_SPIN, .n = {MS, MS}}}};

	run(play, &actor, 1);
	play_until_done(play);
	assert_int_equal(play_only(play, 0, 0)->cpu, 0);
}

/* Waits and loops alike, and what would have come behind them is not done. */
static void time_that_is_over_is_late(void **state)
{
	struct play *play = *state;
	const struct play_actor actors[] = {
		{.steps = {{.op = FL_SCN_OP_WAIT, .n = {GO}}, {.op = FL_SCN_OP_MARK, .n = {LATER}}}},
		{.steps = {{.op = FL_SCN_OP_LOOP, .n = {0, GO}},
			   {.op = FL_SCN_OP_MARK, .n = {CUT_DONE}},
			   {.op = FL_SCN_OP_END}}},
		{.steps = {{.op = FL_SCN_OP_SLEEP, .n = {60000 * MS, 60000 * MS}}}},
		{.steps = {{.op = FL_SCN_OP_BARRIER, .n = {MAPPED, 2}}}},
		{.steps = {{.op = FL_SCN_OP_RUN, .n = {0}, .words = {"sleep", "60"}}}},
		{.steps = {{.op = FL_SCN_OP_SPIN, .n = {60000 * MS, 60000 * MS}}}},
	};
	static const uint32_t late[] = {0, 2, 0, 0, 0, 0};
	uint64_t begin = play_now_ns();

	play_begin(play, 100 * MS);
	run(play, actors, 6);
	play_until_done(play);
	assert_true(play_now_ns() - begin < 5000 * MS);
	for (uint32_t i = 0; i < 6; i++) {
		uint32_t step = late[i];

		assert_int_equal(play->heard[i].outcome[step][play->heard[i].outcomes[step] - 1].kind, FL_SCN_LATE);
		assert_int_equal(play->heard[i].end.next_step, step + 1);
	}
	assert_int_equal(play->heard[0].outcomes[1], 0);
}

static void a_stop_on_the_page_ends_waits(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {
		.steps = {{.op = FL_SCN_OP_MARK, .n = {MAPPED}}, {.op = FL_SCN_OP_WAIT, .n = {GO}}}};

	run(play, &actor, 1);
	play_wait_mark(play, MAPPED);
	assert_int_equal(fl_scn_page_stop(&play->page), 0);
	play_until_done(play);
	assert_int_equal(play_only(play, 0, 1)->kind, FL_SCN_LATE);
}

static void a_page_that_is_gone_makes_waits_late(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {.steps = {{.op = FL_SCN_OP_MARK, .n = {MAPPED}},
						   {.op = FL_SCN_OP_SLEEP, .n = {50 * MS, 50 * MS}},
						   {.op = FL_SCN_OP_WAIT, .n = {GO}}}};

	run(play, &actor, 1);
	play_wait_mark(play, MAPPED);
	assert_int_equal(truncate(play->page.path, 0), 0);
	play_until_done(play);
	assert_int_equal(play_only(play, 0, 1)->kind, FL_SCN_LATE);
	assert_int_equal(play->heard[0].end.signal, 0);
}

/* ---- threads and children ----------------------------------------------------------------- */

static void threads_and_children_share_what_they_should(void **state)
{
	struct play *play = *state;
	const struct play_actor actors[] = {
		{.steps = {OPEN_AND_MAP(play->path),
			   {.op = FL_SCN_OP_THREAD, .n = {1}},
			   {.op = FL_SCN_OP_FORK, .n = {2}},
			   {.op = FL_SCN_OP_JOIN, .n = {1}},
			   {.op = FL_SCN_OP_JOIN, .n = {2}},
			   {.op = FL_SCN_OP_READ, .n = {1, 0, 8}}, /* the thread's mapping */
			   {.op = FL_SCN_OP_READ, .n = {2, 0, 8}}, /* the child's: not here */
			   {.op = FL_SCN_OP_THREAD, .n = {1}}}},   /* only once */
		{.relation = FL_SCN_THREAD,
		 .steps = {{.op = FL_SCN_OP_MAP, .n = {1, 0, 4096, 4096, MRW}},
			   {.op = FL_SCN_OP_MARK, .n = {MAPPED}},
			   {.op = FL_SCN_OP_WAIT, .n = {CUT_DONE}},
			   {.op = FL_SCN_OP_READ, .n = {0, CUT, 8}},
			   {.op = FL_SCN_OP_PREAD, .n = {0, 0, 4096}}}},
		{.relation = FL_SCN_CHILD,
		 .steps = {{.op = FL_SCN_OP_MAP, .n = {2, 0, 0, 4096, MRW}},
			   {.op = FL_SCN_OP_MARK, .n = {GO}},
			   {.op = FL_SCN_OP_THREAD, .n = {3}},
			   {.op = FL_SCN_OP_WAIT, .n = {CUT_DONE}},
			   {.op = FL_SCN_OP_READ, .n = {0, CUT + 8, 8}},
			   {.op = FL_SCN_OP_JOIN, .n = {3}}}},
		{.relation = FL_SCN_THREAD,
		 .parent = 2,
		 .steps = {{.op = FL_SCN_OP_WAIT, .n = {CUT_DONE}}, {.op = FL_SCN_OP_WRITE, .n = {0, CUT + 16, 4, 1}}}},
	};

	play_make_file(play, LEN);
	run(play, actors, 4);
	play_wait_mark(play, MAPPED);
	play_wait_mark(play, GO);
	assert_int_equal(truncate(play->path, CUT), 0);
	play_set_mark(play, CUT_DONE);
	play_until_done(play);
	play_assert_lost(play, 1, 3, MAP_STEP, CUT);
	play_assert_lost(play, 2, 4, MAP_STEP, CUT + 8);
	play_assert_lost(play, 3, 1, MAP_STEP, CUT + 16);
	play_assert_did(play, 1, 4, 4096);
	play_assert_did(play, 0, 6, fl_scn_pattern(4096));
	assert_int_equal(play_only(play, 0, 7)->kind, FL_SCN_CANNOT);
	assert_int_equal(play_only(play, 0, 8)->kind, FL_SCN_CANNOT);
	assert_int_equal(play_only(play, 0, 8)->value, EBUSY);
}

static bool second_waits(const struct play *play)
{
	struct fl_scn_progress progress;

	return fl_scn_page_read_progress(&play->page, 1, &progress) == 0 && progress.step == 1;
}

static void a_fatal_signal_ends_the_process(void **state)
{
	struct play *play = *state;
	const struct play_actor actors[] = {
		{.fatal = true,
		 .steps = {OPEN_AND_MAP(play->path),
			   {.op = FL_SCN_OP_THREAD, .n = {1}},
			   {.op = FL_SCN_OP_WAIT, .n = {CUT_DONE}},
			   {.op = FL_SCN_OP_READ, .n = {0, CUT, 8}},
			   {.op = FL_SCN_OP_MARK, .n = {LATER}}}},
		{.relation = FL_SCN_THREAD,
		 .steps = {{.op = FL_SCN_OP_SPIN, .n = {MS, MS}}, {.op = FL_SCN_OP_WAIT, .n = {GO}}}},
		{.relation = FL_SCN_CHILD, .steps = {{.op = FL_SCN_OP_MARK, .n = {LATER}}}},
		{.steps = {{.op = FL_SCN_OP_JOIN, .n = {0}}, {.op = FL_SCN_OP_JOIN, .n = {1}}}},
	};
	uint64_t ns;

	play_make_file(play, LEN);
	run(play, actors, 4);
	assert_true(play_until(play, second_waits));
	assert_int_equal(truncate(play->path, CUT), 0);
	play_set_mark(play, CUT_DONE);
	play_until_done(play);
	assert_int_equal(play_only(play, 0, 4)->kind, FL_SCN_KILLED);
	assert_int_equal(play_only(play, 0, 4)->value, SIGBUS);
	assert_int_equal(play->heard[0].end.signal, SIGBUS);
	assert_int_equal(play->heard[0].end.next_step, 4);
	/* its thread went with it */
	assert_int_equal(play_only(play, 1, 1)->kind, FL_SCN_KILLED);
	assert_int_equal(play->heard[1].end.signal, SIGBUS);
	/* a child that it can fork no more never began, and who waited for them goes on */
	assert_int_equal(play->heard[2].end.next_step, 0);
	assert_int_equal(play->heard[2].end.signal, 0);
	assert_int_equal(play->heard[2].outcomes[0], 0);
	play_assert_did(play, 3, 1, 0);
	assert_int_equal(fl_scn_page_read_mark(&play->page, LATER, &ns), 0);
}

/* A thread that is fatal takes a process with it in which signals are caught; another process lives. */
static void a_fatal_thread_ends_its_process_alone(void **state)
{
	struct play *play = *state;
	const struct play_actor actors[] = {
		{.steps = {OPEN_AND_MAP(play->path),
			   {.op = FL_SCN_OP_FORK, .n = {2}},
			   {.op = FL_SCN_OP_WAIT, .n = {MAPPED}},
			   {.op = FL_SCN_OP_THREAD, .n = {1}},
			   {.op = FL_SCN_OP_WAIT, .n = {GO}}}},
		{.relation = FL_SCN_THREAD, .fatal = true, .steps = {{.op = FL_SCN_OP_EXEC, .n = {0, 0}}}},
		{.relation = FL_SCN_CHILD,
		 .steps = {{.op = FL_SCN_OP_MARK, .n = {MAPPED}},
			   {.op = FL_SCN_OP_JOIN, .n = {0}},
			   {.op = FL_SCN_OP_EXEC, .n = {0, 8}}}},
	};

	play_make_file(play, LEN);
	run(play, actors, 3);
	play_until_done(play);
	assert_int_equal(play->heard[0].end.signal, SIGSEGV);
	assert_int_equal(play->heard[1].end.signal, SIGSEGV);
	assert_int_equal(play->heard[2].end.signal, 0);
	assert_int_equal(play_only(play, 2, 2)->kind, FL_SCN_SIGNAL);
	assert_int_equal(play_only(play, 2, 2)->value, SIGSEGV);
}

/* There is a handler, but Linux does not wait with a signal that an access causes (signal(7)): the process ends. */
static void a_blocked_signal_ends_the_process(void **state)
{
	struct play *play = *state;
	const struct play_actor actors[] = {
		{.steps = {OPEN_AND_MAP(play->path),
			   {.op = FL_SCN_OP_EXEC, .n = {0, 8}},
			   {.op = FL_SCN_OP_THREAD, .n = {1}},
			   {.op = FL_SCN_OP_WAIT, .n = {GO}}}},
		{.relation = FL_SCN_THREAD, .blocked = true, .steps = {{.op = FL_SCN_OP_EXEC, .n = {0, 0}}}},
	};

	play_make_file(play, LEN);
	run(play, actors, 2);
	play_until_done(play);
	assert_int_equal(play_only(play, 0, 2)->kind, FL_SCN_SIGNAL);
	assert_int_equal(play_only(play, 1, 0)->kind, FL_SCN_KILLED);
	assert_int_equal(play->heard[0].end.signal, SIGSEGV);
	assert_int_equal(play->heard[1].end.signal, SIGSEGV);
}

/* ---- what is told ------------------------------------------------------------------------- */

static void many_outcomes_are_told_apart_up_to_a_number(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {.steps = {
						 OPEN_AND_MAP(play->path),
						 {.op = FL_SCN_OP_LOOP, .n = {20}},
						 {.op = FL_SCN_OP_ATOMIC, .n = {0, 0, 8}},
						 {.op = FL_SCN_OP_SAY, .n = {0}, .words = {"x"}},
						 {.op = FL_SCN_OP_SAY, .n = {0}, .words = {"x"}},
						 {.op = FL_SCN_OP_SAY, .n = {0}, .words = {"x"}},
						 {.op = FL_SCN_OP_SAY, .n = {0}, .words = {"x"}},
						 {.op = FL_SCN_OP_END},
					 }};
	uint64_t sum = 0;

	play_make_file(play, LEN);
	run(play, &actor, 1);
	play_until_done(play);
	assert_int_equal(play->heard[0].outcomes[3], FL_SCN_OUTCOMES_DID);
	for (uint32_t i = 0; i < FL_SCN_OUTCOMES_DID; i++) {
		assert_int_equal(play->heard[0].outcome[3][i].value, fl_scn_pattern(0) + i);
		sum += play->heard[0].counts[3][i].count;
	}
	assert_int_equal(sum, 20);
	assert_int_equal(strlen(play->said), FL_SCN_SAYS_MAX * strlen("0:x\n"));
}

static void clocks_are_compared(void **state)
{
	struct play *play = *state;
	uint64_t before = play_now_ns();

	(void)play_compare_clocks(play, 43);
	assert_int_equal(play->pong.cookie, 42);
	/* natively it is the same clock */
	assert_true(play->pong.ns >= before && play->pong.ns <= play_now_ns());
	assert_int_equal(play->hello.cpus, sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(play->hello.page_len, 4096);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(loops_turn, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(who_waits_is_told_by_marks, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_barrier_has_parties_on_both_sides, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(an_actor_is_where_it_was_bound_to, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(time_that_is_over_is_late, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_stop_on_the_page_ends_waits, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_page_that_is_gone_makes_waits_late, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(threads_and_children_share_what_they_should, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_fatal_signal_ends_the_process, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_fatal_thread_ends_its_process_alone, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_blocked_signal_ends_the_process, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(many_outcomes_are_told_apart_up_to_a_number, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(clocks_are_compared, play_setup, play_teardown),
};
FL_TEST_MAIN(60, tests)
