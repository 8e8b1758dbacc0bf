/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the guests' actors of a case live: a VM, or, in a native run, this host itself. One is kept from case to case
 * as long as its actors answer; a case borrows it.
 *
 *	guests.c	the life of one, and what can be asked of it
 *	guests_case.c	what a case does with it
 *	guests_held.c	faults in which a CPU waits for the host's steps
 *	guests_link.c	the thread that speaks with its actors (guest/scenario_wire.h)
 *	guests_vm.c	makes it of a VM
 *	guests_native.c	makes it of this host
 */
#ifndef FL_SCN_GUESTS_H
#define FL_SCN_GUESTS_H

#include "cli/scenario/wire/page.h"
#include "cli/scenario/results/result.h"
#include "cli/scenario/verdict/seen.h"
#include "cli/scenario/host/workdir.h"

struct fl_scn_guests;

struct fl_scn_guests_opts {
	const struct fl_scn_machine *machine;
	const struct fl_scn_dir *dirs; /* of the case whose machine it is */
	struct fl_scn_workdir *workdir;
	const char *kernel;  /* of the machine; NULL in a native run */
	bool idles_politely; /* that kernel does: FL_VM_IDLES_POLITELY */
	bool native;
	unsigned int patience_ms;     /* to come up, and to answer */
	bool (*cancelled)(void *arg); /* nobody waits for it any more; any thread */
	void *cancelled_arg;
};

/*
 * Starts it, and waits until its actors' program has said HELLO. 0, or -errno with a sentence; -ENOTSUP for what this
 * host cannot do.
 */
FL_CHECKED int fl_scn_guests_new(const struct fl_scn_guests_opts *opts, struct fl_scn_guests **guests,
				 struct fl_diag *diag);
void fl_scn_guests_free(struct fl_scn_guests *guests); /* NULL is allowed; ends it */

/* What a case gives to its guests. */
struct fl_scn_guests_case {
	const struct fl_scn_case *scenario_case;
	uint32_t machine;     /* its index in the case */
	unsigned int number;  /* fl_scn_workdir_begin() */
	uint64_t deadline_ns; /* the host's CLOCK_MONOTONIC */
	struct fl_scn_actor_seen
		*seen; /* of all actors; those of this machine are written until fl_scn_guests_stop() */
	uint64_t (*time)(void *arg, const struct fl_scn_operand *operand);
	void *time_arg;
	void (*changed)(
		void *arg); /* an outcome, the end of an actor or a fault came; any thread, must not call back */
	void *changed_arg;
	uint64_t hold_ns; /* a fault is held so long at most */
};

/* Takes the case's actors in. 0, or -errno with a sentence: then it is of no use any more. */
FL_CHECKED int fl_scn_guests_load(struct fl_scn_guests *guests, const struct fl_scn_guests_case *of,
				  struct fl_diag *diag);
/* They begin. */
FL_CHECKED int fl_scn_guests_start(struct fl_scn_guests *guests, struct fl_diag *diag);
/* Have all actors ended, or is it gone? Any thread. */
bool fl_scn_guests_are_done(struct fl_scn_guests *guests);
/* Kills all actors. 0 if it can be used for the next case; -errno with a sentence if not. */
FL_CHECKED int fl_scn_guests_stop(struct fl_scn_guests *guests, struct fl_diag *diag);

/* Does it still answer? A VM that has ended does not. */
bool fl_scn_guests_live(struct fl_scn_guests *guests);
/* How a VM ended; FL_END_NONE if it has not. panic: FL_RESULT_PANIC. why: a sentence, or "". */
enum fl_end fl_scn_guests_end(struct fl_scn_guests *guests, bool *panic, char why[512]);
/* Its VM; NULL in a native run. */
struct fl_vm *fl_scn_guests_vm(struct fl_scn_guests *guests);
/* What it is made as: fl_scn_guests_are_like() of the next case's machine says whether it can be used there. */
bool fl_scn_guests_are_like(const struct fl_scn_guests *guests, const struct fl_scn_guests_opts *opts);

/* Progress of one of the case's actors: how often its loops have turned so far. */
uint64_t fl_scn_guests_turns(struct fl_scn_guests *guests, uint32_t actor);
/* The page of its marks. */
struct fl_scn_page_file *fl_scn_guests_page(struct fl_scn_guests *guests);

/* Is the number-th question of the case what to do with a fault, from 1, waiting for its answer? Any thread. */
bool fl_scn_guests_is_held(struct fl_scn_guests *guests, uint64_t number);
/* Answers it. 0; -ETIMEDOUT: it is not held any more. Any thread. */
FL_CHECKED int fl_scn_guests_answer(struct fl_scn_guests *guests, uint64_t number, enum fl_action answer);
/* All faults go on with the next action of their policies, and none is held until the next case. Any thread. */
void fl_scn_guests_let_go(struct fl_scn_guests *guests);

/* Faults reported since the load: their number, and copies, for the caller to free (strings too). */
size_t fl_scn_guests_count_faults(struct fl_scn_guests *guests);
FL_CHECKED int fl_scn_guests_take_faults(struct fl_scn_guests *guests, struct fl_scn_fault **faults, size_t *count);
/* What its kernel has said since the load, NUL-terminated, for the caller to free. NULL: no memory. */
char *fl_scn_guests_take_console(struct fl_scn_guests *guests);

#endif
