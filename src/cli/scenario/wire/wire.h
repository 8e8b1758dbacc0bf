/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's end of guest/scenario_wire.h: what the actors are told goes into a bounded buffer, what they say comes in
 * pieces of any length and is taken apart. The guest is not trusted: each field is checked against its range and
 * against what was sent, so that a callback sees nothing that an honest guest cannot say. No descriptors here; one
 * thread.
 */
#ifndef FL_SCN_WIRE_H
#define FL_SCN_WIRE_H

#include "cli/scenario/language/scenario.h"

struct fl_scn_wire;

/* All must be set. They may put further messages. */
struct fl_scn_wire_ops {
	void (*hello)(void *arg, const struct fl_scn_wire_hello *hello);
	void (*pong)(void *arg, const struct fl_scn_wire_time *pong); /* of the PING that was put last */
	void (*stopped)(void *arg);
	void (*loaded)(void *arg, uint32_t actor);
	void (*outcome)(void *arg, const struct fl_scn_wire_outcome *outcome);
	void (*counts)(void *arg, const struct fl_scn_wire_counts *counts);
	void (*done)(void *arg, const struct fl_scn_wire_done *done);
	void (*say)(void *arg, uint32_t actor, const char *text, size_t len); /* any bytes */
	void *arg;
};

/* What the operands of steps are in this run, on this machine. */
struct fl_scn_wire_run {
	const uint32_t
		*actors; /* of each of the case's actors its number on the wire; UINT32_MAX: not in this machine */
	uint32_t actors_count;
	/* Of the case; words of programs that begin with one's name become paths in it, if it has any. */
	const struct fl_scn_dir *dirs;
	uint32_t dirs_count;
	/* The path, as the actor opens it, of `rest` in a dir of the case; 0 or -errno if it has none. */
	int (*path)(void *arg, uint32_t dir, const char *rest, char *buf, size_t buf_len);
	/* How long a time that is not fixed is, ns. */
	uint64_t (*time)(void *arg, const struct fl_scn_operand *operand);
	void *arg;
};

FL_CHECKED int fl_scn_wire_new(const struct fl_scn_wire_ops *ops, struct fl_scn_wire **wire);
void fl_scn_wire_free(struct fl_scn_wire *wire); /* NULL is allowed */

/*
 * To the guest: HELLO, then PING at any time; ACTOR in rising order of numbers, START; STOP, and nothing more but PING
 * until STOPPED came. -EINVAL out of that order, or for a step that the wire cannot carry; -ENOSPC if the guest has
 * taken nothing for very long; -ENOMEM. A message is put whole or not at all.
 */
FL_CHECKED int fl_scn_wire_hello(struct fl_scn_wire *wire, struct fl_diag *diag);
FL_CHECKED int fl_scn_wire_ping(struct fl_scn_wire *wire, uint64_t cookie, uint64_t ns, struct fl_diag *diag);
/* actor->parent is an index into run->actors. */
FL_CHECKED int fl_scn_wire_actor(struct fl_scn_wire *wire, uint32_t number, const struct fl_scn_actor *actor,
				 const struct fl_scn_wire_run *run, struct fl_diag *diag);
FL_CHECKED int fl_scn_wire_start(struct fl_scn_wire *wire, struct fl_diag *diag);
FL_CHECKED int fl_scn_wire_stop(struct fl_scn_wire *wire, struct fl_diag *diag);

/* What is to be written, and that so much of it was. The bytes stay where they are until the next call of a put. */
const void *fl_scn_wire_pending(const struct fl_scn_wire *wire, size_t *len);
void fl_scn_wire_written(struct fl_scn_wire *wire, size_t len);

/* Bytes of the guest. -EPROTO, with a sentence, when it said what it cannot mean; then always. */
FL_CHECKED int fl_scn_wire_take(struct fl_scn_wire *wire, const void *bytes, size_t len, struct fl_diag *diag);

#endif
