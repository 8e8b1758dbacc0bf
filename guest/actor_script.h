/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What actors of a scenario (scenario_wire.h) do, and what came of it, without the system that they live in: the
 * agent's program has it of Linux (actor.h), the small kernel is one itself (small/small.h). Each has what is declared
 * here as the system's.
 */
#ifndef FL_ACTOR_SCRIPT_H
#define FL_ACTOR_SCRIPT_H

#include "fl_diag.h"
#include "guest/scenario_wire.h"

#define FL_ACTOR_LOG_SAY 0x8000u
#define FL_ACTOR_LOG_MAX (FL_SCN_STEPS_MAX * FL_SCN_OUTCOMES_MAX + FL_SCN_SAYS_MAX)

enum fl_actor_state { FL_ACTOR_WAITS = 0, FL_ACTOR_RUNS = 1, FL_ACTOR_ENDED = 2 };

struct fl_actor_step {
	const struct fl_actor_op *op;
	uint64_t n[FL_SCN_NUMBERS];
	const char *text; /* `texts` strings, one behind the other */
	uint32_t texts;
};

struct fl_actor_outcome {
	enum fl_scn_outcome_kind kind;
	int32_t code, cpu;
	uint32_t map;
	uint16_t cause, access; /* of the record of a fault, where the system is told by those */
	uint64_t value, addr, offset;
	uint64_t begin_ns, end_ns; /* of the first */
	uint64_t count, last_ns, longest_ns;
};

struct fl_actor_outcomes {
	uint32_t count;
	uint32_t last; /* index of the one that came last */
	struct fl_actor_outcome each[FL_SCN_OUTCOMES_MAX];
};

/* In memory that all processes share, at one address. Once it runs, its thread alone writes, but for `state`. */
struct fl_actor {
	struct fl_scn_wire_actor head;
	bool loaded;
	struct fl_actor_step steps[FL_SCN_STEPS_MAX];
	char text[FL_SCN_BODY_MAX];
	uint32_t state;			/* enum fl_actor_state; atomic */
	uint32_t step;			/* it is at; atomic */
	int32_t pid;			/* of its process, when it has begun; atomic */
	uint32_t says;			/* that were logged */
	uint32_t log_len;		/* atomic: entries below it are complete */
	uint16_t log[FL_ACTOR_LOG_MAX]; /* step | number of a new outcome << 8; or FL_ACTOR_LOG_SAY | step */
	struct fl_actor_outcomes outcomes[FL_SCN_STEPS_MAX];
};

/* What all processes of a case know. */
struct fl_actor_world {
	struct fl_scn_page *page;
	struct fl_actor *actors;	/* FL_SCN_ACTORS_MAX */
	struct fl_actor_system *system; /* the system's own */
};

struct fl_actor_map {
	uint8_t *at; /* NULL: none */
	uint64_t len;
};

/* Of each process its own. Who makes what another thread uses says so by a mark, which orders it. */
struct fl_actor_process {
	struct fl_actor_world *world;
	int fds[FL_SCN_HANDLES_MAX]; /* -1: none */
	struct fl_actor_map maps[FL_SCN_HANDLES_MAX];
	bool catches; /* signals */
};

/* An actor that runs, on its own thread. */
struct fl_actor_self {
	struct fl_actor_process *process;
	struct fl_actor *actor;
	struct fl_scn_progress *progress; /* on the page */
	struct fl_actor_thread *thread;	  /* the system's own */
	uint64_t now_ns;		  /* the end of the step before */
	uint32_t next;			  /* step; `end` changes it */
	uint64_t turns[FL_SCN_STEPS_MAX]; /* of the loop that begins there */
};

static inline bool fl_actor_is(const struct fl_actor *actor, enum fl_actor_state state)
{
	return actor->loaded && __atomic_load_n(&actor->state, __ATOMIC_ACQUIRE) == (uint32_t)state;
}

struct fl_actor_result {
	enum fl_scn_outcome_kind kind;
	uint64_t value;
};

static inline struct fl_actor_result fl_actor_did(uint64_t value)
{
	return (struct fl_actor_result){.kind = FL_SCN_DID, .value = value};
}

static inline struct fl_actor_result fl_actor_cannot(int error)
{
	return (struct fl_actor_result){.kind = FL_SCN_CANNOT, .value = (uint64_t)error};
}

typedef struct fl_actor_result (*fl_actor_fn)(struct fl_actor_self *self, const struct fl_actor_step *step);

/*
 * operands: a letter each, how it is checked when it comes from the host.
 *	h handle  M mapping  p mapping and offset  o offset or length  v any number  i 1, 2, 4 or 8  k mark  P parties
 *	a actor  t time: from, to  x flags of the kernel  O FL_SCN_O_*  R FL_SCN_MAP_*  c FL_SCN_CONTENT_*  b byte
 *	j step
 */
struct fl_actor_op {
	const char *operands;
	uint8_t texts_min, texts_max;
	fl_actor_fn run;
};

/* actor_ops.c: NULL if there is none of that number. */
const struct fl_actor_op *fl_actor_op(uint32_t number);

/* actor_load.c: takes the body of an ACTOR. -EPROTO with a sentence. */
FL_CHECKED_RESULT int fl_actor_load(struct fl_actor *actors, const uint8_t *body, size_t len, uint32_t *number,
				    struct fl_diag *diag);
/* All are loaded: do they fit together? */
FL_CHECKED_RESULT int fl_actor_check(const struct fl_actor *actors, struct fl_diag *diag);

/* actor_record.c: of the actor's thread, or when that is gone. True if it is one that there was not: then note it. */
bool fl_actor_record(struct fl_actor *actor, uint32_t step, const struct fl_actor_outcome *outcome);
void fl_actor_log(struct fl_actor *actor, uint32_t entry);
/* The system's: the manager is to look. */
void fl_actor_note(const struct fl_actor_world *world);

/* Makes an actor that waits one that runs; false if it has begun already. */
bool fl_actor_begin(struct fl_actor *actor);

/* actor_steps.c: all steps of an actor that has begun. */
void fl_actor_run_steps(struct fl_actor_self *self);
/* Fills in where in a mapping the outcome's address is. */
void fl_actor_locate(const struct fl_actor_self *self, struct fl_actor_outcome *outcome);
/* The system's: does one step, a signal too being an outcome; kind and value are filled in, and what a signal has more.
 */
void fl_actor_try_step(struct fl_actor_self *self, const struct fl_actor_step *step, struct fl_actor_outcome *outcome);
/* The system's: the CPU that it is on. */
int32_t fl_actor_cpu(void);

/* actor_wait.c: false when the case's time is over, or it was stopped. */
bool fl_actor_may_go_on(const struct fl_actor_self *self, uint64_t now_ns);
/* Until fn says true; false as above. fn may be called many times a second. */
bool fl_actor_wait(struct fl_actor_self *self, bool (*fn)(void *arg), void *arg);
bool fl_actor_sleep_until(struct fl_actor_self *self, uint64_t until_ns);

/* actor_memory.c */
/* A place of a mapping; NULL, with *error, if it is not all in it. */
uint8_t *fl_actor_place(const struct fl_actor_self *self, const uint64_t *place, uint64_t len, int *error);
#define FL_ACTOR_AT_OR_RETURN(place, len)                                 \
	__extension__({                                                   \
		int error_;                                               \
		uint8_t *at_ = fl_actor_place(self, place, len, &error_); \
		if (!at_)                                                 \
			return fl_actor_cannot(error_);                   \
		at_;                                                      \
	})
/* What a file of the content "pattern" has from offset on. */
void fl_actor_put_pattern(uint8_t *bytes, uint64_t offset, uint64_t len);

/* A line of them at most: clang-format has no stable mind about longer ones. */
#define FL_ACTOR_ORDER_OPS(X) \
	X(mark) X(wait) X(barrier) X(sleep) X(spin) X(loop) X(end) X(thread) X(fork) X(join) X(say)
#define FL_ACTOR_FILE_OPS(X)  X(open) X(close) X(pread) X(pwrite) X(read_to) X(write_from) X(sendfile) X(copy_range)
#define FL_ACTOR_PATH_OPS(X)  X(fsync) X(ftruncate) X(fallocate) X(truncate) X(stat) X(unlink) X(rename) X(run)
#define FL_ACTOR_PIPE_OPS(X)  X(splice) X(vmsplice) X(uring_read_to) X(uring_write_from)
#define FL_ACTOR_TOUCH_OPS(X) X(read) X(write) X(vector) X(atomic) X(exec) X(touch) X(check) X(fill) X(copy) X(string)
#define FL_ACTOR_MAP_OPS(X)   X(map) X(unmap) X(msync) X(mlock) X(madvise) X(futex) X(mprotect) X(unmap_part) X(remap)
#define FL_ACTOR_OPS(X)       \
	FL_ACTOR_ORDER_OPS(X) \
	FL_ACTOR_FILE_OPS(X) FL_ACTOR_PATH_OPS(X) FL_ACTOR_PIPE_OPS(X) FL_ACTOR_TOUCH_OPS(X) FL_ACTOR_MAP_OPS(X)
#define FL_ACTOR_DECLARE(name) \
	struct fl_actor_result fl_actor_op_##name(struct fl_actor_self *self, const struct fl_actor_step *step);
FL_ACTOR_OPS(FL_ACTOR_DECLARE)

#endif
