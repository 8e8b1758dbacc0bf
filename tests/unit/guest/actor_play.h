/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays the host to the agent's program run as a scenario's actors: natively, through a socket pair, or in a guest. A
 * test says what each actor does in a table; what came of it is kept by actor and step.
 */
#ifndef ACTOR_PLAY_H
#define ACTOR_PLAY_H

#include "tests/lib/fl_test.h"

#include "cli/scenario/wire/page.h"
#include "cli/scenario/wire/wire.h"

#define PLAY_STEPS_MAX 40

/* n is what scenario_wire.h says of the operation; of `loop` and `end` the jump is filled in. */
struct play_step {
	enum fl_scn_op op;
	uint64_t n[FL_SCN_NUMBERS];
	const char *words[4]; /* texts */
};

struct play_actor {
	enum fl_scn_relation relation;
	uint32_t parent;
	bool fatal, blocked;
	int32_t cpu; /* 1 is CPU 0; 0: none */
	struct play_step steps[PLAY_STEPS_MAX];
};

struct play_heard {
	bool loaded, done;
	struct fl_scn_wire_done end;
	uint32_t outcomes[FL_SCN_STEPS_MAX]; /* how many */
	struct fl_scn_wire_outcome outcome[FL_SCN_STEPS_MAX][FL_SCN_OUTCOMES_MAX];
	struct fl_scn_wire_counts counts[FL_SCN_STEPS_MAX][FL_SCN_OUTCOMES_MAX];
};

struct play {
	char dir[32];
	char path[64]; /* of a file for the test in dir */
	struct fl_scn_page_file page;
	struct fl_scn_wire *wire;
	struct fl_diag diag;
	int fd;
	pid_t program; /* 0: none of this host's */
	uint64_t patience_ms;
	uint32_t actors;
	struct play_heard heard[FL_SCN_ACTORS_MAX];
	struct fl_scn_wire_hello hello;
	struct fl_scn_wire_time pong;
	unsigned int hellos, pongs, stops, dones;
	char said[1024];
};

uint64_t play_now_ns(void);

/* A directory, its page and a channel, whose other end is *program_fd. */
void play_open(struct play *play, int *program_fd);
void play_close(struct play *play);
/* With a program of this host's. */
int play_setup(void **state);
int play_teardown(void **state);
/* A deadline for the page, from now on. */
void play_begin(struct play *play, uint64_t limit_ns);
/* Asks for the program's time so often, and tells the page of the best answer; returns how long that took. */
uint64_t play_compare_clocks(struct play *play, unsigned int times);
/* Sends one actor more. */
void play_load(struct play *play, const struct play_actor *actor);
void play_start(struct play *play);
void play_stop(struct play *play);
/* Exchanges messages until that is so; false after the time limit, or when the program ends. */
bool play_until(struct play *play, bool (*fn)(const struct play *play));
void play_until_done(struct play *play);
void play_wait_mark(struct play *play, uint32_t mark);
void play_set_mark(struct play *play, uint32_t mark);
/* The program's exit status, when it ends. */
int play_exit_status(struct play *play);
/* Bytes as they are. */
void play_send(struct play *play, const void *bytes, size_t len);

/* A file of that pattern. */
void play_make_file(const struct play *play, uint64_t len);

/* The step came out in this one way. */
const struct fl_scn_wire_outcome *play_only(const struct play *play, uint32_t actor, uint32_t step);
void play_assert_did(const struct play *play, uint32_t actor, uint32_t step, uint64_t value);
void play_assert_error(const struct play *play, uint32_t actor, uint32_t step, int error);
/* As native Linux: SIGBUS, BUS_ADRERR, at that place of a mapping whose `map` was step map_step of actor 0. */
void play_assert_lost(const struct play *play, uint32_t actor, uint32_t step, uint32_t map_step, uint64_t offset);

#endif
