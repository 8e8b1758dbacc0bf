/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case while it runs, for its parts:
 *
 *	case_run.c	from its files to its end
 *	case_end.c	what is known of it when all have ended, and its verdict
 *	host_actor.c	a thread for each block of the host's
 *	barriers.c	the host's parties of barriers, and machines that have one together
 *	steady.c	the same moments each time, where instructions are counted
 *	timeline.c	what was seen, as lanes and events
 */
#ifndef FL_SCN_CASE_STATE_H
#define FL_SCN_CASE_STATE_H

#include <pthread.h>

#include "cli/scenario/run/case_run.h"
#include "cli/scenario/run/steady.h"
#include "cli/scenario/verdict/seen.h"

struct fl_scn_case_state;

struct fl_scn_host_actor {
	struct fl_scn_case_state *state;
	uint32_t actor; /* index in the case */
	pthread_t thread;
	bool has_thread;
};

struct fl_scn_case_state {
	const struct fl_scn_case_opts *opts;
	const struct fl_scn_case *scenario_case;
	struct fl_scn_result *result;
	uint64_t begin_ns, deadline_ns; /* CLOCK_MONOTONIC */
	uint64_t over_ns;		/* when it was ended although somebody had not; 0: all had */
	struct fl_scn_actor_seen *seen; /* the host's actors write their own; the guests', theirs (guests.h) */
	struct fl_scn_host_actor *hosts;
	uint32_t hosts_count;
	struct fl_scn_filler filler; /* runs where instructions are counted */

	pthread_mutex_t lock; /* guards the rest; innermost: guests call in with their own held */
	pthread_cond_t changed;
	uint64_t changes;     /* counted, so that none is missed between looking and waiting */
	uint64_t *mark_times; /* of all marks; 0: not set as far as the host knows */
	uint32_t *arrived;    /* the host's parties of each barrier so far */
	uint32_t hosts_done;
	bool stop; /* the host's actors end */
};

/* The deadline's, or the case's, time is over for the host's actors too. */
bool fl_scn_case_is_over(struct fl_scn_case_state *state);

/* Waits until something has changed since *changes was read, at most until ns; brings *changes up to date. */
void fl_scn_case_wait(struct fl_scn_case_state *state, uint64_t *changes, uint64_t until_ns);
uint64_t fl_scn_case_changes(struct fl_scn_case_state *state);

/* Sets a mark for everybody. 0 or -errno. */
FL_CHECKED int fl_scn_case_set_mark(struct fl_scn_case_state *state, uint32_t mark, uint64_t ns);
/* When it was set, by whom ever; 0: it is not set yet. */
uint64_t fl_scn_case_mark_time(struct fl_scn_case_state *state, uint32_t mark);

/* One of the host's parties comes to a barrier, which is the mark; when all have come, it is set. 0 or -errno. */
FL_CHECKED int fl_scn_case_arrive(struct fl_scn_case_state *state, uint32_t mark);
/* Sets the mark if it is a barrier of several machines, none of which sees all of its parties, and all have come. */
void fl_scn_case_carry_barrier(struct fl_scn_case_state *state, uint32_t mark);

/* How long a time of a step is in this run. */
uint64_t fl_scn_case_time(const struct fl_scn_case_state *state, const struct fl_scn_operand *operand, uint64_t place);

/* It is to end, without a verdict. */
bool fl_scn_case_is_cancelled(const struct fl_scn_case_state *state);
/* Says so in its result. 0; -ENOMEM. */
FL_CHECKED int fl_scn_case_say_cancelled(struct fl_scn_result *result);
/* When all have been stopped: collects what came, and judges it unless the case was cancelled. 0; -ENOMEM. */
FL_CHECKED int fl_scn_case_conclude(struct fl_scn_case_state *state);

/* The threads of the host's blocks. 0, or -errno without threads. */
FL_CHECKED int fl_scn_hosts_start(struct fl_scn_case_state *state);
void fl_scn_hosts_join(struct fl_scn_case_state *state);

/* Fills result's lanes and events with what was seen. 0; -ENOMEM. */
FL_CHECKED int fl_scn_make_timeline(const struct fl_scn_case_state *state, struct fl_scn_result *result);

#endif
