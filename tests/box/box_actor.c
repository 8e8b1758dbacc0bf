/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario's actors in a guest, by the agent's program and a port of the library: what a lost page is to them is what
 * tests/unit/guest/test_actor.c sees on native Linux.
 *
 * usage: box_actor LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/box/guest_run.h"
#include "tests/box/library_guest.h"
#include "tests/unit/guest/actor_play.h"

#define LEN   65536u
#define CUT   12288u
#define TURNS 100000u
#define MS    UINT64_C(1000000)
#define RWX   (FL_SCN_MAP_READ | FL_SCN_MAP_WRITE | FL_SCN_MAP_EXEC)
#define FIRST 4u /* what is done with the lost page */
enum { MAPPED, CUT_DONE, THREAD_MAPPED };

static void start(struct library_guest *guest, const struct bench *bench, struct play *play)
{
	struct fl_port_opts port = FL_PORT_OPTS_INIT;
	struct fl_share_opts share = FL_SHARE_OPTS_INIT;
	struct fl_diag diag = {0};
	char script[160];
	int fd;

	play_open(play, &fd);
	play->patience_ms = 120000; /* to boot, under software emulation */
	library_guest_init(guest, bench);
	port.name = FL_SCN_PORT;
	port.in_fd = port.out_fd = fd;
	if (fl_vm_add_port(guest->vm, &port, &diag))
		fail_msg("%s", diag.text);
	close(fd);
	share.tag = "play";
	share.dir = share.mount = play->dir;
	share.flags = FL_SHARE_WRITABLE;
	share.dax = FL_DAX_ALWAYS;
	if (fl_vm_add_share(guest->vm, &share, &diag))
		fail_msg("%s", diag.text);
	snprintf(script, sizeof(script), FL_SCN_PAGE_ENV "=%s exec /proc/1/exe scenario", play->page.path);
	library_guest_start(guest, script);
}

static bool is_there(const struct play *play)
{
	return play->hellos > 0;
}

static void cut(struct play *play)
{
	play_wait_mark(play, MAPPED);
	play_wait_mark(play, THREAD_MAPPED);
	assert_int_equal(truncate(play->path, CUT), 0);
	play_set_mark(play, CUT_DONE);
}

static void three_are_hit(struct play *play)
{
	const struct play_actor actors[] = {
		{.steps = {{.op = FL_SCN_OP_OPEN, .n = {0, FL_SCN_O_READ | FL_SCN_O_WRITE}, .words = {play->path}},
			   {.op = FL_SCN_OP_MAP, .n = {0, 0, 0, LEN, RWX}},
			   {.op = FL_SCN_OP_MARK, .n = {MAPPED}},
			   {.op = FL_SCN_OP_WAIT, .n = {CUT_DONE}},
			   {.op = FL_SCN_OP_READ, .n = {0, CUT + 1, 1}},
			   {.op = FL_SCN_OP_WRITE, .n = {0, LEN - 8, 8, 1}},
			   {.op = FL_SCN_OP_VECTOR, .n = {0, CUT + 16}},
			   {.op = FL_SCN_OP_ATOMIC, .n = {0, CUT + 4, 4}},
			   {.op = FL_SCN_OP_EXEC, .n = {0, CUT + 32}},
			   {.op = FL_SCN_OP_STRING, .n = {0, 0, 0, CUT - 5, 64}},
			   {.op = FL_SCN_OP_TOUCH, .n = {0, 0, LEN}},
			   {.op = FL_SCN_OP_READ_TO, .n = {0, 0, 0, CUT, 512}},
			   {.op = FL_SCN_OP_FUTEX, .n = {0, CUT}},
			   {.op = FL_SCN_OP_CHECK, .n = {0, 4096, CUT - 4096, FL_SCN_CONTENT_PATTERN, 4096}}}},
		{.fatal = true,
		 .steps = {{.op = FL_SCN_OP_OPEN, .n = {0, FL_SCN_O_READ}, .words = {play->path}},
			   {.op = FL_SCN_OP_MAP, .n = {0, 0, 0, LEN, FL_SCN_MAP_READ}},
			   {.op = FL_SCN_OP_THREAD, .n = {2}},
			   {.op = FL_SCN_OP_WAIT, .n = {CUT_DONE, 5 * MS, 5 * MS}},
			   {.op = FL_SCN_OP_READ, .n = {0, CUT, 8}}}},
		{.relation = FL_SCN_THREAD,
		 .parent = 1,
		 .steps = {{.op = FL_SCN_OP_MARK, .n = {THREAD_MAPPED}},
			   {.op = FL_SCN_OP_SLEEP, .n = {60000 * MS, 60000 * MS}}}},
	};
	static const uint32_t at[] = {CUT + 1, LEN - 8, CUT + 16, CUT + 4, CUT + 32, CUT, CUT};
	uint32_t step = FIRST;

	for (uint32_t i = 0; i < 3; i++)
		play_load(play, &actors[i]);
	play_start(play);
	cut(play);
	play_until_done(play);
	for (uint32_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		play_assert_lost(play, 0, step++, 1, at[i]);
	play_assert_error(play, 0, step++, EFAULT);
	play_assert_error(play, 0, step++, EFAULT);
	play_assert_did(play, 0, step, CUT - 4096);
	assert_int_equal(play_only(play, 1, 4)->kind, FL_SCN_KILLED);
	assert_int_equal(play->heard[1].end.signal, SIGBUS);
	assert_int_equal(play->heard[2].end.signal, SIGBUS);
}

static void a_loop_is_quick_and_can_be_stopped(struct play *play)
{
	const struct play_actor actors[] = {
		{.steps = {{.op = FL_SCN_OP_OPEN, .n = {0, FL_SCN_O_READ}, .words = {play->path}},
			   {.op = FL_SCN_OP_MAP, .n = {0, 0, 0, 4096, FL_SCN_MAP_READ}},
			   {.op = FL_SCN_OP_LOOP, .n = {TURNS}},
			   {.op = FL_SCN_OP_READ, .n = {0, 8, 8}},
			   {.op = FL_SCN_OP_END},
			   {.op = FL_SCN_OP_MARK, .n = {MAPPED}}}},
		{.steps = {{.op = FL_SCN_OP_RUN, .n = {0}, .words = {"sleep", "600"}}}},
	};
	uint64_t begin;

	play_make_file(play, 4096);
	play_begin(play, 120000 * MS);
	play_load(play, &actors[0]);
	play_load(play, &actors[1]);
	play_start(play);
	play_wait_mark(play, MAPPED);
	play_assert_did(play, 0, 3, fl_scn_pattern(8));
	begin = play_now_ns();
	play_stop(play);
	print_message("# stopped after %llu us\n", (unsigned long long)(play_now_ns() - begin) / 1000);
	assert_true(play_now_ns() - begin < 10000 * MS);
}

static void actors_see_what_native_processes_see(void **state)
{
	struct play *play = malloc(sizeof(*play)); /* too large for a stack */
	struct library_guest guest;

	assert_non_null(play);
	start(&guest, *state, play);
	play_make_file(play, LEN);
	assert_true(play_until(play, is_there));
	assert_int_equal(play->hello.cpus, 1);
	print_message("# an answer takes %llu us at best\n", (unsigned long long)play_compare_clocks(play, 50) / 1000);
	play_begin(play, 60000 * MS);
	three_are_hit(play);
	play_stop(play);
	a_loop_is_quick_and_can_be_stopped(play);
	fl_vm_stop(guest.vm);
	assert_int_equal(library_guest_wait(&guest), FL_END_STOPPED);
	library_guest_fini(&guest);
	play_close(play);
	free(play);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(actors_see_what_native_processes_see),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
