/* SPDX-License-Identifier: Apache-2.0 */
/* Actors among each other, their life and its end, and what the program makes of a host that says nonsense. */
#include "actor_play.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define LEN 65536u
#define CUT 12288u
#define MS  UINT64_C(1000000)
#define RW  (FL_SCN_O_READ | FL_SCN_O_WRITE)
#define MRW (FL_SCN_MAP_READ | FL_SCN_MAP_WRITE)
enum { MAPPED, CUT_DONE, GO, LATER };

#define OPEN_AND_MAP(path)                 \
	{FL_SCN_OP_OPEN, {0, RW}, {path}}, \
	{                                  \
		FL_SCN_OP_MAP,             \
		{                          \
			0, 0, 0, LEN, MRW  \
		}                          \
	}
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
			{FL_SCN_OP_LOOP, {100000}},
			{FL_SCN_OP_READ, {0, 8, 8}},
			{FL_SCN_OP_END},
			{FL_SCN_OP_LOOP, {3}},
			{FL_SCN_OP_LOOP, {0, GO}}, /* once at least, and once in each turn of the outer one */
			{FL_SCN_OP_READ, {0, 16, 8}},
			{FL_SCN_OP_MARK, {GO}},
			{FL_SCN_OP_END},
			{FL_SCN_OP_READ, {0, 24, 8}},
			{FL_SCN_OP_END},
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
		{.steps = {{FL_SCN_OP_WAIT, {GO, 30 * MS, 30 * MS}}, {FL_SCN_OP_MARK, {LATER}}}},
		{.steps = {{FL_SCN_OP_WAIT, {LATER}}, {FL_SCN_OP_SLEEP, {5 * MS, 5 * MS}}, {FL_SCN_OP_SPIN, {MS, MS}}}},
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
	const struct play_actor actor = {.steps = {{FL_SCN_OP_MARK, {MAPPED}}, {FL_SCN_OP_BARRIER, {GO, 3}}}};
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
	const struct play_actor actor = {.cpu = 1, .steps = {{FL_SCN_OP_SPIN, {MS, MS}}}};

	run(play, &actor, 1);
	play_until_done(play);
	assert_int_equal(play_only(play, 0, 0)->cpu, 0);
}

/* Waits and loops alike, and what would have come behind them is not done. */
static void time_that_is_over_is_late(void **state)
{
	struct play *play = *state;
	const struct play_actor actors[] = {
		{.steps = {{FL_SCN_OP_WAIT, {GO}}, {FL_SCN_OP_MARK, {LATER}}}},
		{.steps = {{FL_SCN_OP_LOOP, {0, GO}}, {FL_SCN_OP_MARK, {CUT_DONE}}, {FL_SCN_OP_END}}},
		{.steps = {{FL_SCN_OP_SLEEP, {60000 * MS, 60000 * MS}}}},
		{.steps = {{FL_SCN_OP_BARRIER, {MAPPED, 2}}}},
		{.steps = {{FL_SCN_OP_RUN, {0}, {"sleep", "60"}}}},
		{.steps = {{FL_SCN_OP_SPIN, {60000 * MS, 60000 * MS}}}},
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
	const struct play_actor actor = {.steps = {{FL_SCN_OP_MARK, {MAPPED}}, {FL_SCN_OP_WAIT, {GO}}}};

	run(play, &actor, 1);
	play_wait_mark(play, MAPPED);
	assert_int_equal(fl_scn_page_stop(&play->page), 0);
	play_until_done(play);
	assert_int_equal(play_only(play, 0, 1)->kind, FL_SCN_LATE);
}

static void a_page_that_is_gone_makes_waits_late(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {
		.steps = {{FL_SCN_OP_MARK, {MAPPED}}, {FL_SCN_OP_SLEEP, {50 * MS, 50 * MS}}, {FL_SCN_OP_WAIT, {GO}}}};

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
			   {FL_SCN_OP_THREAD, {1}},
			   {FL_SCN_OP_FORK, {2}},
			   {FL_SCN_OP_JOIN, {1}},
			   {FL_SCN_OP_JOIN, {2}},
			   {FL_SCN_OP_READ, {1, 0, 8}}, /* the thread's mapping */
			   {FL_SCN_OP_READ, {2, 0, 8}}, /* the child's: not here */
			   {FL_SCN_OP_THREAD, {1}}}},	/* only once */
		{.relation = FL_SCN_THREAD,
		 .steps = {{FL_SCN_OP_MAP, {1, 0, 4096, 4096, MRW}},
			   {FL_SCN_OP_MARK, {MAPPED}},
			   {FL_SCN_OP_WAIT, {CUT_DONE}},
			   {FL_SCN_OP_READ, {0, CUT, 8}},
			   {FL_SCN_OP_PREAD, {0, 0, 4096}}}},
		{.relation = FL_SCN_CHILD,
		 .steps = {{FL_SCN_OP_MAP, {2, 0, 0, 4096, MRW}},
			   {FL_SCN_OP_MARK, {GO}},
			   {FL_SCN_OP_THREAD, {3}},
			   {FL_SCN_OP_WAIT, {CUT_DONE}},
			   {FL_SCN_OP_READ, {0, CUT + 8, 8}},
			   {FL_SCN_OP_JOIN, {3}}}},
		{.relation = FL_SCN_THREAD,
		 .parent = 2,
		 .steps = {{FL_SCN_OP_WAIT, {CUT_DONE}}, {FL_SCN_OP_WRITE, {0, CUT + 16, 4, 1}}}},
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
			   {FL_SCN_OP_THREAD, {1}},
			   {FL_SCN_OP_WAIT, {CUT_DONE}},
			   {FL_SCN_OP_READ, {0, CUT, 8}},
			   {FL_SCN_OP_MARK, {LATER}}}},
		{.relation = FL_SCN_THREAD, .steps = {{FL_SCN_OP_SPIN, {MS, MS}}, {FL_SCN_OP_WAIT, {GO}}}},
		{.relation = FL_SCN_CHILD, .steps = {{FL_SCN_OP_MARK, {LATER}}}},
		{.steps = {{FL_SCN_OP_JOIN, {0}}, {FL_SCN_OP_JOIN, {1}}}},
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
			   {FL_SCN_OP_FORK, {2}},
			   {FL_SCN_OP_WAIT, {MAPPED}},
			   {FL_SCN_OP_THREAD, {1}},
			   {FL_SCN_OP_WAIT, {GO}}}},
		{.relation = FL_SCN_THREAD, .fatal = true, .steps = {{FL_SCN_OP_EXEC, {0, 0}}}},
		{.relation = FL_SCN_CHILD,
		 .steps = {{FL_SCN_OP_MARK, {MAPPED}}, {FL_SCN_OP_JOIN, {0}}, {FL_SCN_OP_EXEC, {0, 8}}}},
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

/* ---- what is told ------------------------------------------------------------------------- */

static void many_outcomes_are_told_apart_up_to_a_number(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {.steps = {
						 OPEN_AND_MAP(play->path),
						 {FL_SCN_OP_LOOP, {20}},
						 {FL_SCN_OP_ATOMIC, {0, 0, 8}},
						 {FL_SCN_OP_SAY, {0}, {"x"}},
						 {FL_SCN_OP_SAY, {0}, {"x"}},
						 {FL_SCN_OP_SAY, {0}, {"x"}},
						 {FL_SCN_OP_SAY, {0}, {"x"}},
						 {FL_SCN_OP_END},
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

/* ---- the end ------------------------------------------------------------------------------ */

static pid_t pid_in(const struct play *play)
{
	FILE *file = fopen(play->path, "re");
	int pid = 0;

	if (file && fscanf(file, "%d", &pid) != 1)
		pid = 0;
	if (file)
		fclose(file);
	return pid;
}

/* Endless loops, threads, children, programs, and a program that has left its group, session and parent. */
static void load_what_does_not_end(struct play *play, char *script, size_t len)
{
	const struct play_actor actors[] = {
		{.steps = {{FL_SCN_OP_THREAD, {2}},
			   {FL_SCN_OP_FORK, {3}},
			   {FL_SCN_OP_LOOP, {0, LATER}},
			   {FL_SCN_OP_END}}},
		{.steps = {{FL_SCN_OP_RUN, {0}, {"sh", "-c", script}},
			   {FL_SCN_OP_MARK, {GO}},
			   {FL_SCN_OP_WAIT, {LATER}}}},
		{.relation = FL_SCN_THREAD, .steps = {{FL_SCN_OP_WAIT, {LATER}}}},
		{.relation = FL_SCN_CHILD,
		 .steps = {{FL_SCN_OP_MARK, {MAPPED}}, {FL_SCN_OP_RUN, {0}, {"sleep", "600"}}}},
	};

	snprintf(script, len, "setsid sleep 600 >/dev/null 2>&1 & echo $! >%s", play->path);
	run(play, actors, 4);
	play_wait_mark(play, GO);
	play_wait_mark(play, MAPPED);
}

static bool is_gone(pid_t pid)
{
	for (unsigned int tries = 0; tries < 2000 && kill(pid, 0) == 0; tries++)
		usleep(1000);
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static void a_stop_leaves_nothing(void **state)
{
	const struct play_actor next = {.steps = {{FL_SCN_OP_SAY, {0}, {"again"}}}};
	struct play *play = *state;
	char script[128];
	uint64_t begin;
	pid_t pid;

	load_what_does_not_end(play, script, sizeof(script));
	pid = pid_in(play);
	assert_true(pid > 0 && kill(pid, 0) == 0);
	begin = play_now_ns();
	play_stop(play);
	print_message("# stopped after %llu us\n", (unsigned long long)(play_now_ns() - begin) / 1000);
	assert_true(play_now_ns() - begin < 3000 * MS);
	assert_true(kill(pid, 0) < 0 && errno == ESRCH);
	/* and the next case begins as the first did */
	play_begin(play, 10000 * MS);
	run(play, &next, 1);
	play_until_done(play);
	assert_string_equal(play->said, "0:again\n");
}

static void a_host_that_goes_takes_all_with_it(void **state)
{
	struct play *play = *state;
	char script[128];
	pid_t pid;

	load_what_does_not_end(play, script, sizeof(script));
	pid = pid_in(play);
	assert_true(pid > 0);
	close(play->fd);
	play->fd = -1;
	assert_int_equal(play_exit_status(play), 0);
	assert_true(is_gone(pid));
}

/* The actors' own processes do not outlive the program, however that ends. */
static void a_killed_program_leaves_no_actor(void **state)
{
	struct play *play = *state;
	char script[256];
	const struct play_actor actor = {
		.steps = {{FL_SCN_OP_MARK, {MAPPED}}, {FL_SCN_OP_RUN, {0}, {"sh", "-c", script}}}};
	pid_t pid;

	snprintf(script, sizeof(script), "echo $$ >%s.new; mv %s.new %s; exec sleep 600", play->path, play->path,
		 play->path);
	run(play, &actor, 1);
	play_wait_mark(play, MAPPED);
	for (unsigned int i = 0; i < 5000 && !(pid = pid_in(play)); i++)
		usleep(1000);
	assert_true(pid > 0);
	kill(play->program, SIGKILL);
	assert_int_equal(play_exit_status(play), 128 + SIGKILL);
	assert_true(is_gone(pid));
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
	cmocka_unit_test_setup_teardown(many_outcomes_are_told_apart_up_to_a_number, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(clocks_are_compared, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_stop_leaves_nothing, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_host_that_goes_takes_all_with_it, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_killed_program_leaves_no_actor, play_setup, play_teardown),
};
FL_TEST_MAIN(60, tests)
