/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a case, by a stop, a host that goes, or a program that is killed: nothing of it is left. */
#include "actor_play.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define MS UINT64_C(1000000)
enum { MAPPED, GO, LATER };

static void run(struct play *play, const struct play_actor *actors, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		play_load(play, &actors[i]);
	play_start(play);
}

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
		{.steps = {{.op = FL_SCN_OP_THREAD, .n = {2}},
			   {.op = FL_SCN_OP_FORK, .n = {3}},
			   {.op = FL_SCN_OP_LOOP, .n = {0, LATER}},
			   {.op = FL_SCN_OP_END}}},
		{.steps = {{.op = FL_SCN_OP_RUN, .n = {0}, .words = {"sh", "-c", script}},
			   {.op = FL_SCN_OP_MARK, .n = {GO}},
			   {.op = FL_SCN_OP_WAIT, .n = {LATER}}}},
		{.relation = FL_SCN_THREAD, .steps = {{.op = FL_SCN_OP_WAIT, .n = {LATER}}}},
		{.relation = FL_SCN_CHILD,
		 .steps = {{.op = FL_SCN_OP_MARK, .n = {MAPPED}},
			   {.op = FL_SCN_OP_RUN, .n = {0}, .words = {"sleep", "600"}}}},
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
	const struct play_actor next = {.steps = {{.op = FL_SCN_OP_SAY, .n = {0}, .words = {"again"}}}};
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
	const struct play_actor actor = {.steps = {{.op = FL_SCN_OP_MARK, .n = {MAPPED}},
						   {.op = FL_SCN_OP_RUN, .n = {0}, .words = {"sh", "-c", script}}}};
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
	cmocka_unit_test_setup_teardown(a_stop_leaves_nothing, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_host_that_goes_takes_all_with_it, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(a_killed_program_leaves_no_actor, play_setup, play_teardown),
};
FL_TEST_MAIN(60, tests)
