/* SPDX-License-Identifier: Apache-2.0 */
/* What runner.c and explore.c share: a run of cases, and a worker's machines. */
#ifndef FL_SCN_RUNNER_IMPL_H
#define FL_SCN_RUNNER_IMPL_H

#include <pthread.h>

#include "cli/scenario/run/case_run.h"
#include "cli/scenario/run/runner.h"

/* One run of a case. */
struct fl_scn_task {
	const struct fl_scn_text *text;
	const struct fl_scn_case *scenario_case;
	uint32_t run; /* from 1 */
	bool has_moment;
	uint64_t moment_ns;
};

struct fl_scn_running {
	const struct fl_scn_runner_opts *opts;
	struct fl_scn_workdir *workdir;
	const struct fl_scn_task *tasks;
	struct fl_scn_results *results;

	pthread_mutex_t lock; /* guards the rest, and calls to the caller */
	size_t next;
	int error; /* of memory */
};

/* A worker's machines, by how recently they were used: the first is the last. */
struct fl_scn_pool {
	struct fl_scn_guests **all;
	size_t count;
};

/*
 * Runs it, as the number-th run of all, from 1, and gives the result to the caller, who frees it. 0; -ENOMEM, with
 * *result perhaps NULL.
 */
FL_CHECKED int fl_scn_run_task(struct fl_scn_running *running, struct fl_scn_pool *pool, const struct fl_scn_task *task,
			       size_t number, struct fl_scn_result **result);
/*
 * A machine for the case, besides those that it has taken already: one that is kept, or a new one. 0; -errno with a
 * sentence.
 */
FL_CHECKED int fl_scn_pool_find(struct fl_scn_running *run, struct fl_scn_pool *pool, const struct fl_scn_task *task,
				uint32_t machine, struct fl_scn_guests **taken, struct fl_diag *diag);
/* Drops what does not answer any more, and the oldest of those that the case has no use for. */
void fl_scn_pool_tidy(struct fl_scn_pool *pool, struct fl_scn_guests *const *taken, size_t count);
void fl_scn_pool_fini(struct fl_scn_pool *pool);

/* Which runs of which cases the options choose; tasks NULL: their number alone. */
size_t fl_scn_list_tasks(const struct fl_scn_runner_opts *opts, struct fl_scn_task *tasks);

#endif
