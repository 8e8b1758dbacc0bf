/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process of the exerciser with its own descriptors and mappings of the files. It runs where it is started: on
 * the host or in a guest. Every function here that returns bool has written to `said` what differs if it is false.
 */
#ifndef EXERCISE_ACTOR_H
#define EXERCISE_ACTOR_H

#include "tests/exercise/exercise.h"

struct ex_open_file {
	int fd;
	int append_fd;
	uint8_t *map;	     /* max_len and a page */
	uint64_t known_size; /* at this actor's last look */
	bool written;	     /* by a system call, in this turn */
	bool stored;	     /* through the mapping, in this turn */
};

struct ex_actor {
	struct ex_model model;
	unsigned int self;
	enum ex_kernel kernel;
	uint64_t changes_seen;
	struct ex_open_file files[EX_FILES_MAX];
	uint8_t buffer[EX_OP_LEN_MAX];
	FILE *said;
};

/* The files are in the working directory. */
bool ex_actor_open(struct ex_actor *actor);
void ex_actor_close(struct ex_actor *actor);

/*
 * What others have changed since this actor's last turn. Data is there at once; so is SIGBUS beyond a new end, and
 * what is new behind the old one. The size is what fstat() then says, and what depends on it is right from then on.
 * An actor with a cache asks for all sizes first, and is promised nothing before.
 */
bool ex_look(struct ex_actor *actor);

/* One operation of this actor: with the files, then in the model. */
bool ex_do(struct ex_actor *actor, const struct ex_op *op);

/*
 * The end of a turn: with a cache, what was stored through mappings is written back; and if another one has a cache,
 * mtime tells of all changes, those which this actor's kernel does not tell of too.
 */
bool ex_hand_over(struct ex_actor *actor);

/* All bytes of all files, and their sizes. */
bool ex_look_at_all(struct ex_actor *actor);

#endif
