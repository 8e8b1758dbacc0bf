/* SPDX-License-Identifier: Apache-2.0 */
#include "actor_play.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

uint64_t play_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- what the program says ---------------------------------------------------------------- */

static void on_hello(void *arg, const struct fl_scn_wire_hello *hello)
{
	struct play *play = arg;

	play->hellos++;
	play->hello = *hello;
}

static void on_pong(void *arg, const struct fl_scn_wire_time *pong)
{
	struct play *play = arg;

	play->pongs++;
	play->pong = *pong;
}

static void on_stopped(void *arg)
{
	((struct play *)arg)->stops++;
}

static void on_loaded(void *arg, uint32_t actor)
{
	((struct play *)arg)->heard[actor].loaded = true;
}

static void on_outcome(void *arg, const struct fl_scn_wire_outcome *outcome)
{
	struct play_heard *heard = &((struct play *)arg)->heard[outcome->actor];

	heard->outcome[outcome->step][outcome->number] = *outcome;
	heard->outcomes[outcome->step]++;
}

static void on_counts(void *arg, const struct fl_scn_wire_counts *counts)
{
	((struct play *)arg)->heard[counts->actor].counts[counts->step][counts->number] = *counts;
}

static void on_done(void *arg, const struct fl_scn_wire_done *done)
{
	struct play *play = arg;

	play->heard[done->actor].done = true;
	play->heard[done->actor].end = *done;
	play->dones++;
}

static void on_say(void *arg, uint32_t actor, const char *text, size_t len)
{
	struct play *play = arg;
	size_t used = strlen(play->said);

	snprintf(play->said + used, sizeof(play->said) - used, "%u:%.*s\n", actor, (int)len, text);
}

/* ---- life --------------------------------------------------------------------------------- */

static void start_program(struct play *play, int program_fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", program_fd);
	play->program = fork();
	if (play->program == 0) {
		close(play->fd);
		alarm(0);
		fcntl(program_fd, F_SETFD, 0);
		setenv(FL_SCN_PAGE_ENV, play->page.path, 1);
		execl(FL_AGENT_PROGRAM, FL_AGENT_PROGRAM, "scenario", number, NULL);
		_exit(99);
	}
	close(program_fd);
}

void play_open(struct play *play, int *program_fd)
{
	static const struct fl_scn_wire_ops ops = {on_hello,  on_pong, on_stopped, on_loaded, on_outcome,
						   on_counts, on_done, on_say,	   NULL};
	struct fl_scn_wire_ops own = ops;
	int pair[2];

	memset(play, 0, sizeof(*play));
	play->patience_ms = 20000;
	own.arg = play;
	strcpy(play->dir, "/tmp/fl-actor-XXXXXX");
	assert_non_null(mkdtemp(play->dir));
	snprintf(play->path, sizeof(play->path), "%s/file", play->dir);
	assert_int_equal(fl_scn_page_new(play->dir, &play->page, &play->diag), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fl_scn_wire_new(&own, &play->wire), 0);
	play->fd = pair[0];
	*program_fd = pair[1];
	play_begin(play, UINT64_C(15000000000));
	assert_int_equal(fl_scn_wire_hello(play->wire, &play->diag), 0);
}

int play_setup(void **state)
{
	struct play *play = calloc(1, sizeof(*play));
	int program_fd;

	assert_non_null(play);
	play_open(play, &program_fd);
	start_program(play, program_fd);
	*state = play;
	return 0;
}

static void remove_dir(const char *dir)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

void play_close(struct play *play)
{
	if (play->fd >= 0)
		close(play->fd);
	if (play->program > 0)
		assert_int_equal(play_exit_status(play), 0);
	fl_scn_wire_free(play->wire);
	fl_scn_page_free(&play->page);
	remove_dir(play->dir);
}

int play_teardown(void **state)
{
	play_close(*state);
	free(*state);
	return 0;
}

int play_exit_status(struct play *play)
{
	int status = 0;

	assert_int_equal(waitpid(play->program, &status, 0), play->program);
	play->program = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void play_begin(struct play *play, uint64_t limit_ns)
{
	assert_int_equal(fl_scn_page_begin(&play->page, play_now_ns() + limit_ns), 0);
	memset(play->heard, 0, sizeof(play->heard));
	play->actors = 0;
	play->dones = 0;
}

void play_make_file(const struct play *play, uint64_t len)
{
	int fd = open(play->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	for (uint64_t at = 0; at < len; at += 8) {
		uint64_t word = fl_scn_pattern(at);

		assert_int_equal(write(fd, &word, sizeof(word)), sizeof(word));
	}
	close(fd);
}

/* ---- what the program is told ------------------------------------------------------------- */

static void set_jumps(struct fl_scn_step *steps, uint32_t count)
{
	uint32_t open[PLAY_STEPS_MAX], depth = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (steps[i].row->op == FL_SCN_OP_LOOP)
			open[depth++] = i;
		if (steps[i].row->op != FL_SCN_OP_END)
			continue;
		steps[i].jump = open[--depth];
		steps[open[depth]].jump = i + 1;
	}
}

void play_load(struct play *play, const struct play_actor *wanted)
{
	static const uint32_t same[] = {0, 1, 2, 3, 4, 5, 6, 7};
	const struct fl_scn_wire_run run = {.actors = same, .actors_count = 8};
	struct fl_scn_op_row rows[PLAY_STEPS_MAX] = {0};
	struct fl_scn_step steps[PLAY_STEPS_MAX] = {0};
	struct fl_scn_actor actor = {.name = "actor",
				     .relation = wanted->relation,
				     .parent = wanted->parent,
				     .fatal = wanted->fatal,
				     .blocked = wanted->blocked,
				     .cpu = wanted->cpu - 1,
				     .steps = steps};
	uint32_t count = 0;

	for (; count < PLAY_STEPS_MAX && wanted->steps[count].op; count++) {
		const struct play_step *step = &wanted->steps[count];

		rows[count] = (struct fl_scn_op_row){
			.op = step->op, .name = "step", .signature = step->words[0] ? "nnA" : "nnnnnn"};
		steps[count].row = &rows[count];
		for (uint32_t i = 0; i < FL_SCN_NUMBERS; i++)
			steps[count].operands[i].n = step->n[i];
		if (step->words[0])
			steps[count].operands[2].words = step->words;
	}
	actor.steps_count = count;
	set_jumps(steps, count);
	assert_int_equal(fl_scn_wire_actor(play->wire, play->actors++, &actor, &run, &play->diag), 0);
}

void play_start(struct play *play)
{
	assert_int_equal(fl_scn_wire_start(play->wire, &play->diag), 0);
}

void play_send(struct play *play, const void *bytes, size_t len)
{
	assert_int_equal(send(play->fd, bytes, len, MSG_NOSIGNAL), len);
}

static void write_pending(struct play *play)
{
	size_t len;
	const void *bytes = fl_scn_wire_pending(play->wire, &len);
	ssize_t n = len ? send(play->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n > 0)
		fl_scn_wire_written(play->wire, (size_t)n);
}

/* False: the program has closed. */
static bool exchange(struct play *play)
{
	struct pollfd fds = {.fd = play->fd, .events = POLLIN};
	char bytes[4096];
	ssize_t n;

	write_pending(play);
	if (poll(&fds, 1, 1) <= 0)
		return true;
	n = recv(play->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n <= 0)
		return false;
	if (fl_scn_wire_take(play->wire, bytes, (size_t)n, &play->diag))
		fail_msg("%s", play->diag.text);
	return true;
}

bool play_until(struct play *play, bool (*fn)(const struct play *play))
{
	uint64_t deadline = play_now_ns() + play->patience_ms * UINT64_C(1000000);

	while (!fn(play))
		if (!exchange(play) || play_now_ns() > deadline)
			return false;
	return true;
}

static bool all_are_done(const struct play *play)
{
	return play->dones == play->actors;
}

void play_until_done(struct play *play)
{
	assert_true(play_until(play, all_are_done));
}

static bool has_stopped(const struct play *play)
{
	return play->stops > 0;
}

void play_stop(struct play *play)
{
	play->stops = 0;
	assert_int_equal(fl_scn_wire_stop(play->wire, &play->diag), 0);
	assert_true(play_until(play, has_stopped));
}

void play_wait_mark(struct play *play, uint32_t mark)
{
	uint64_t ns, deadline = play_now_ns() + play->patience_ms * UINT64_C(1000000);

	while (fl_scn_page_read_mark(&play->page, mark, &ns) != 1) {
		assert_true(exchange(play));
		assert_true(play_now_ns() < deadline);
	}
}

void play_set_mark(struct play *play, uint32_t mark)
{
	assert_int_equal(fl_scn_page_set_mark(&play->page, mark, play_now_ns()), 0);
}

static bool has_pong(const struct play *play)
{
	return play->pongs > 0;
}

uint64_t play_compare_clocks(struct play *play, unsigned int times)
{
	uint64_t best = UINT64_MAX, offset = 0;

	for (unsigned int i = 0; i < times; i++) {
		uint64_t sent = play_now_ns(), took;

		play->pongs = 0;
		assert_int_equal(fl_scn_wire_ping(play->wire, i, sent, &play->diag), 0);
		assert_true(play_until(play, has_pong));
		took = play_now_ns() - sent;
		if (took >= best)
			continue;
		best = took;
		offset = play->pong.ns - sent - took / 2;
	}
	assert_int_equal(fl_scn_page_set_clock(&play->page, offset), 0);
	return best;
}

/* ---- what came of it ---------------------------------------------------------------------- */

const struct fl_scn_wire_outcome *play_only(const struct play *play, uint32_t actor, uint32_t step)
{
	if (play->heard[actor].outcomes[step] != 1)
		fail_msg("step %u of actor %u has %u outcomes", step, actor, play->heard[actor].outcomes[step]);
	return &play->heard[actor].outcome[step][0];
}

static void assert_outcome(const struct play *play, uint32_t actor, uint32_t step, enum fl_scn_outcome_kind kind,
			   uint64_t value)
{
	const struct fl_scn_wire_outcome *outcome = play_only(play, actor, step);

	if (outcome->kind != kind || outcome->value != value)
		fail_msg("step %u of actor %u: kind %u, value %#llx, and not %u, %#llx", step, actor, outcome->kind,
			 (unsigned long long)outcome->value, kind, (unsigned long long)value);
}

void play_assert_did(const struct play *play, uint32_t actor, uint32_t step, uint64_t value)
{
	assert_outcome(play, actor, step, FL_SCN_DID, value);
}

void play_assert_error(const struct play *play, uint32_t actor, uint32_t step, int error)
{
	assert_outcome(play, actor, step, FL_SCN_ERROR, (uint64_t)error);
}

void play_assert_lost(const struct play *play, uint32_t actor, uint32_t step, uint32_t map_step, uint64_t offset)
{
	const struct fl_scn_wire_outcome *outcome = play_only(play, actor, step);
	const struct fl_scn_wire_outcome *map = play_only(play, 0, map_step);

	assert_outcome(play, actor, step, FL_SCN_SIGNAL, SIGBUS);
	assert_int_equal(outcome->code, BUS_ADRERR);
	if (outcome->addr != map->value + offset)
		fail_msg("step %u of actor %u: SIGBUS at +%#llx, and not +%#llx", step, actor,
			 (unsigned long long)(outcome->addr - map->value), (unsigned long long)offset);
	assert_int_not_equal(outcome->map, FL_SCN_NO_MAP);
	assert_int_equal(outcome->offset, offset);
}
