/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/run/runner_impl.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/diag.h"
#include "cli/scenario/guests/guests_impl.h"
#include "cli/scenario/host/host_needs.h"
#include "cli/scenario/verdict/judge.h"

/* ---- which cases ------------------------------------------------------------------------- */

bool fl_scn_is_chosen(const char *filter, const struct fl_scn_case *of)
{
	return !filter || fnmatch(filter, of->name, 0) == 0 || strstr(of->name, filter);
}

static bool has_linux(const struct fl_scn_case *of)
{
	for (uint32_t i = 0; i < of->machines_count; i++)
		if (of->machines[i].kernel != FL_SCN_KERNEL_SMALL)
			return true;
	return false;
}

bool fl_scn_need_linux(const struct fl_scn_text *const *texts, size_t texts_count, const char *filter)
{
	for (size_t i = 0; i < texts_count; i++)
		for (uint32_t j = 0; j < texts[i]->cases_count; j++)
			if (fl_scn_is_chosen(filter, &texts[i]->cases[j]) && has_linux(&texts[i]->cases[j]))
				return true;
	return false;
}

size_t fl_scn_list_tasks(const struct fl_scn_runner_opts *opts, struct fl_scn_task *tasks)
{
	size_t count = 0;

	for (size_t i = 0; i < opts->texts_count; i++)
		for (uint32_t j = 0; j < opts->texts[i]->cases_count; j++) {
			const struct fl_scn_case *of = &opts->texts[i]->cases[j];
			uint64_t runs = fl_scn_is_chosen(opts->filter, of) ? (uint64_t)of->repeat * opts->repeat : 0;

			for (uint64_t run = 1; run <= runs; run++, count++)
				if (tasks)
					tasks[count] = (struct fl_scn_task){.text = opts->texts[i],
									    .scenario_case = of,
									    .run = (uint32_t)run,
									    .has_moment = opts->has_moment,
									    .moment_ns = opts->moment_ns};
		}
	return count;
}

size_t fl_scn_count_runs(const struct fl_scn_runner_opts *opts)
{
	return fl_scn_list_tasks(opts, NULL);
}

/* Of the run's seed and the case's name, so that a case alone has the same as among others. FNV-1a. */
static uint64_t seed_of(uint64_t seed, const struct fl_scn_task *task)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const char *c = task->scenario_case->name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	return fl_scn_draw(seed ^ hash, task->run, 0);
}

/* ---- a run of a case --------------------------------------------------------------------- */

static char *describe_machine(const struct fl_scn_running *run, const struct fl_scn_case *of)
{
	static const char *const kernels[] = {"patched", "stock", "of its own", "small"};
	static const char *const modes[] = {"auto", "strict", "watch"};
	const struct fl_scn_machine *first = &of->machines[0];
	char *text = NULL;
	int len;

	if (run->opts->native)
		return strdup("this host, without a guest");
	len = asprintf(&text, "%s%u CPU%s, %llu MiB, kernel %s, fault mode %s", of->machines_count > 1 ? "each: " : "",
		       first->vcpus, first->vcpus == 1 ? "" : "s", (unsigned long long)(first->ram_len >> 20),
		       kernels[first->kernel], modes[first->fault_mode]);
	return len < 0 ? NULL : text;
}

static int skip(struct fl_scn_result *result, const char *why)
{
	result->verdict = FL_SCN_SKIPPED;
	free(result->reason);
	result->reason = strdup(why);
	return result->reason ? 0 : -ENOMEM;
}

/* A host that lacks something is no failure of what is tested; a machine that does not come up may be one. */
static int not_run(struct fl_scn_result *result, const struct fl_diag *diag)
{
	if (diag->error == -ENOTSUP || diag->error == -EPERM || diag->error == -ENOENT || diag->error == -ENODEV)
		return skip(result, diag->text);
	return fl_scn_fail_alike(result, (struct fl_scn_pos){0, 0}, "It could not be run: %s", diag->text);
}

/* What a guest is to be spared, or to be stopped for, has no counterpart where there is none. */
static bool is_of_guests_alone(const struct fl_scn_case *of)
{
	bool found = false;

	for (uint32_t i = 0; i < of->machines_count; i++)
		for (uint32_t j = 0; j < of->machines[i].shares_count; j++)
			found |= of->machines[i].shares[j].policy.action[0] != FL_ACTION_REFLECT;
	return found;
}

/* Made and mounted now: a host that cannot do that has nothing to fail in. */
static int make_dirs(struct fl_scn_running *run, const struct fl_scn_case *of, struct fl_diag *diag)
{
	char path[PATH_MAX];
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < of->dirs_count; i++)
		ret = fl_scn_workdir_dir(run->workdir, &of->dirs[i], path, diag);
	return ret;
}

/* Elsewhere it would show something else. */
static int check_host_kernel(const struct fl_scn_runner_opts *opts, const char *wanted, struct fl_diag *diag)
{
	if (opts->native || !wanted || (opts->host_kernel && strcmp(opts->host_kernel, wanted) == 0))
		return 0;
	return fl_cli_diag(diag, -ENOTSUP,
			   "it is for hosts with the kernel %s, as the box has it with --host-kernel %s; this is %s%s",
			   wanted, wanted, opts->host_kernel ? "the box with " : "another host",
			   opts->host_kernel ? opts->host_kernel : "");
}

static int run_case(struct fl_scn_running *run, struct fl_scn_pool *pool, const struct fl_scn_task *task, size_t number,
		    struct fl_scn_result *result)
{
	const struct fl_scn_case *of = task->scenario_case;
	struct fl_scn_guests **taken = calloc(of->machines_count + 1, sizeof(*taken));
	struct fl_diag diag = {0};
	struct fl_scn_case_opts opts = {
		.scenario_case = of,
		.workdir = run->workdir,
		.guests = taken,
		.number = (unsigned int)number,
		.seed = result->seed,
		.slowness = run->opts->slowness,
		.native = run->opts->native,
		.by_instructions = run->opts->by_instructions,
		.keep = run->opts->keep,
		.has_span = task->has_moment,
		.span_ns = task->moment_ns,
		.cancelled = run->opts->cancelled,
		.cancelled_arg = run->opts->arg,
	};

	if (!taken)
		return -ENOMEM;
	int ret = check_host_kernel(run->opts, of->host_kernel, &diag);

	if (ret == 0)
		ret = fl_scn_check_needs(of, opts.native, &diag);

	if (ret == 0)
		ret = make_dirs(run, of, &diag);
	if (ret == 0 && opts.native && is_of_guests_alone(of))
		ret = fl_cli_diag(&diag, -ENOTSUP, "without a guest there is no policy that could be seen at work");
	for (uint32_t i = 0; ret == 0 && i < of->machines_count; i++)
		ret = fl_scn_pool_find(run, pool, task, i, taken, &diag);
	if (ret < 0 && run->opts->cancelled(run->opts->arg))
		ret = skip(result, "It was ended by a signal before it began.");
	else
		ret = ret < 0 ? not_run(result, &diag) : fl_scn_case_run(&opts, result);
	fl_scn_pool_tidy(pool, taken, of->machines_count);
	free(taken);
	return ret;
}

static struct fl_scn_result *new_result(const struct fl_scn_running *run, const struct fl_scn_task *task)
{
	struct fl_scn_result *result = calloc(1, sizeof(*result));

	if (!result)
		return NULL;
	result->text = task->text;
	result->scenario_case = task->scenario_case;
	result->run = task->run;
	result->seed = seed_of(run->opts->seed, task);
	result->machine = describe_machine(run, task->scenario_case);
	result->repeat = run->opts->repeat_command(run->opts->arg, task->text, task->scenario_case, run->opts->seed,
						   task->has_moment ? &task->moment_ns : NULL);
	if (result->machine && result->repeat)
		return result;
	fl_scn_result_free(result);
	return NULL;
}

int fl_scn_run_task(struct fl_scn_running *running, struct fl_scn_pool *pool, const struct fl_scn_task *task,
		    size_t number, struct fl_scn_result **result)
{
	*result = new_result(running, task);
	return *result ? run_case(running, pool, task, number, *result) : -ENOMEM;
}

/* The number of the next one, from 1; 0: there is none. */
static size_t take_task(struct fl_scn_running *run, size_t count)
{
	size_t number = 0;

	pthread_mutex_lock(&run->lock);
	if (!run->error && run->next < count && !run->opts->cancelled(run->opts->arg)) {
		number = ++run->next;
		run->opts->began(run->opts->arg, number, run->tasks[number - 1].scenario_case);
	}
	pthread_mutex_unlock(&run->lock);
	return number;
}

static void *work(void *arg)
{
	struct fl_scn_running *run = arg;
	struct fl_scn_pool pool = {0};
	size_t number;

	while ((number = take_task(run, run->results->count)) != 0) {
		struct fl_scn_result *result;
		int ret = fl_scn_run_task(run, &pool, &run->tasks[number - 1], number, &result);

		pthread_mutex_lock(&run->lock);
		run->results->all[number - 1] = result;
		if (ret < 0)
			run->error = ret;
		else
			run->opts->ended(run->opts->arg, number, result);
		pthread_mutex_unlock(&run->lock);
	}
	fl_scn_pool_fini(&pool);
	return NULL;
}

/* What was not run, since the run was ended, is said to be so. */
static int fill_gaps(struct fl_scn_running *run)
{
	struct fl_scn_results *results = run->results;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < results->count; i++) {
		if (results->all[i])
			continue;
		results->all[i] = new_result(run, &run->tasks[i]);
		ret = results->all[i] ? skip(results->all[i], "It was not run: a signal ended the run before.")
				      : -ENOMEM;
		results->not_run++;
		if (ret == 0)
			run->opts->ended(run->opts->arg, i + 1, results->all[i]);
	}
	return ret;
}

/* Without memory there are none for some. */
static void close_gaps(struct fl_scn_results *results)
{
	size_t kept = 0;

	for (size_t i = 0; i < results->count; i++)
		if (results->all[i])
			results->all[kept++] = results->all[i];
	results->count = kept;
}

static void run_workers(struct fl_scn_running *run)
{
	pthread_t threads[FL_SCN_JOBS_MAX];
	uint32_t jobs = run->opts->jobs < FL_SCN_JOBS_MAX ? run->opts->jobs : FL_SCN_JOBS_MAX;
	uint32_t started = 0;

	while (started + 1 < jobs && pthread_create(&threads[started], NULL, work, run) == 0)
		started++;
	(void)work(run);
	while (started > 0)
		pthread_join(threads[--started], NULL);
}

static int prepare(const struct fl_scn_runner_opts *opts, struct fl_scn_running *run, struct fl_scn_task **tasks,
		   struct fl_diag *diag)
{
	size_t count = fl_scn_count_runs(opts);

	*tasks = calloc(count + 1, sizeof(**tasks));
	run->results->all = calloc(count + 1, sizeof(*run->results->all));
	if (!*tasks || !run->results->all)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	(void)fl_scn_list_tasks(opts, *tasks);
	run->tasks = *tasks;
	run->results->count = count;
	return fl_scn_workdir_new(opts->work_parent, &run->workdir, diag);
}

int fl_scn_run(const struct fl_scn_runner_opts *opts, struct fl_scn_results *results, char **work, struct fl_diag *diag)
{
	struct fl_scn_running run = {.opts = opts, .results = results};
	struct fl_scn_task *tasks;
	struct timespec now;

	*work = NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	*results = (struct fl_scn_results){
		.seed = opts->seed,
		.host = opts->host,
		.start_time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
	};
	uint64_t begin_ns = fl_scn_now_ns();
	int ret = prepare(opts, &run, &tasks, diag);

	if (ret == 0) {
		pthread_mutex_init(&run.lock, NULL);
		run_workers(&run);
		pthread_mutex_destroy(&run.lock);
		if (!run.error)
			run.error = fill_gaps(&run);
		close_gaps(results);
		if (opts->keep)
			*work = strdup(fl_scn_workdir_path(run.workdir));
		fl_scn_workdir_free(run.workdir, opts->keep);
		if (run.error)
			ret = fl_cli_diag(diag, run.error, "Out of memory.");
	}
	results->took_ns = fl_scn_now_ns() - begin_ns;
	free(tasks);
	if (ret < 0)
		fl_scn_results_free(results);
	return ret;
}

void fl_scn_results_free(struct fl_scn_results *results)
{
	for (size_t i = 0; i < results->count; i++)
		fl_scn_result_free(results->all[i]);
	free(results->all);
	results->all = NULL;
	results->count = 0;
}
