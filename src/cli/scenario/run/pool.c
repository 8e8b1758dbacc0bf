/* SPDX-License-Identifier: Apache-2.0 */
/* The machines of a worker, kept from case to case. */
#include "cli/scenario/run/runner_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diag.h"

/* Machines that a worker keeps for later cases, besides those of the present one. */
#define KEPT_MAX 2u

static void drop(struct fl_scn_pool *pool, size_t index)
{
	fl_scn_guests_free(pool->all[index]);
	memmove(pool->all + index, pool->all + index + 1, (pool->count - index - 1) * sizeof(*pool->all));
	pool->count--;
}

static bool is_taken(struct fl_scn_guests *const *taken, size_t count, const struct fl_scn_guests *guests)
{
	for (size_t i = 0; i < count; i++)
		if (taken[i] == guests)
			return true;
	return false;
}

void fl_scn_pool_tidy(struct fl_scn_pool *pool, struct fl_scn_guests *const *taken, size_t count)
{
	for (size_t i = pool->count; i-- > 0;)
		if (!fl_scn_guests_live(pool->all[i]) ||
		    (pool->count > KEPT_MAX && !is_taken(taken, count, pool->all[i])))
			drop(pool, i);
}

static int put_first(struct fl_scn_pool *pool, struct fl_scn_guests *guests)
{
	struct fl_scn_guests **all;
	size_t at = 0;

	while (at < pool->count && pool->all[at] != guests)
		at++;
	if (at == pool->count) {
		all = realloc(pool->all, (pool->count + 1) * sizeof(*all));
		if (!all)
			return -ENOMEM;
		pool->all = all;
		pool->count++;
	}
	memmove(pool->all + 1, pool->all, at * sizeof(*pool->all));
	pool->all[0] = guests;
	return 0;
}

int fl_scn_pool_find(struct fl_scn_running *run, struct fl_scn_pool *pool, const struct fl_scn_task *task,
		     uint32_t machine, struct fl_scn_guests **taken, struct fl_diag *diag)
{
	const struct fl_scn_case *of = task->scenario_case;
	char kernel[4096];
	struct fl_scn_guests_opts opts = {
		.machine = &of->machines[machine],
		.dirs = of->dirs,
		.workdir = run->workdir,
		.native = run->opts->native,
		.patience_ms = run->opts->patience_ms,
		.cancelled = run->opts->cancelled,
		.cancelled_arg = run->opts->arg,
	};
	int ret = 0;

	if (!opts.native) {
		ret = run->opts->kernel(run->opts->arg, opts.machine, kernel, &opts.idles_politely, diag);
		opts.kernel = kernel;
	}
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < pool->count; i++)
		if (!is_taken(taken, machine, pool->all[i]) && fl_scn_guests_are_like(pool->all[i], &opts)) {
			taken[machine] = pool->all[i];
			return put_first(pool, pool->all[i]);
		}
	fl_scn_pool_tidy(pool, taken, machine);
	ret = fl_scn_guests_new(&opts, &taken[machine], diag);
	if (ret == 0 && put_first(pool, taken[machine]) < 0) {
		fl_scn_guests_free(taken[machine]);
		ret = fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	}
	return ret;
}

void fl_scn_pool_fini(struct fl_scn_pool *pool)
{
	while (pool->count)
		drop(pool, pool->count - 1);
	free(pool->all);
}
