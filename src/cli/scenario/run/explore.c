/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/run/explore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/diag.h"
#include "cli/scenario/guests/guests_impl.h"
#include "cli/scenario/run/runner_impl.h"

/* Neighbours that are nearer than this are not looked between: no host places a step more exactly. */
#define NEAREST_NS 1000u

/* A run. */
struct point {
	uint64_t asked_ns, measured_ns;
	size_t outcome;
};

struct walk {
	struct fl_scn_running *running;
	struct fl_scn_pool *pool;
	struct fl_scn_task task;
	struct fl_scn_explored explored;
	struct point *points; /* by asked_ns */
	size_t points_count, points_max;
	size_t *number;		 /* counts the runs of all cases */
	uint64_t from_ns, to_ns; /* the span */
};

/* ---- what came of a run ------------------------------------------------------------------ */

/* As the scenario says it, where it does: then a byte here or there makes no other outcome. */
static const char *name_of(const struct fl_scn_event *event)
{
	bool is_value = event->detail[0] >= '0' && event->detail[0] <= '9';

	if (event->wish)
		return event->wish;
	return is_value ? "ok" : event->detail;
}

static int by_place(const void *a, const void *b)
{
	const struct fl_scn_event *const *one = a, *const *other = b;

	if ((*one)->pos.line != (*other)->pos.line)
		return (*one)->pos.line < (*other)->pos.line ? -1 : 1;
	if ((*one)->lane != (*other)->lane)
		return (*one)->lane < (*other)->lane ? -1 : 1;
	return strcmp(name_of(*one), name_of(*other));
}

static void put_event(FILE *out, const struct fl_scn_result *result, const struct fl_scn_event *event)
{
	fprintf(out, "line %u: %s: %s: %s%s\n", event->pos.line, result->lanes[event->lane].name, event->label,
		name_of(event), event->unexpected ? " (not expected)" : "");
}

/* To be freed; NULL without memory. as_key: without what no two runs share. */
static char *describe(const struct fl_scn_result *result, bool as_key)
{
	const struct fl_scn_event **events = calloc(result->events_count + 1, sizeof(*events));
	char *text = NULL;
	size_t len, count = 0;
	FILE *out = events ? open_memstream(&text, &len) : NULL;

	if (!out) {
		free(events);
		return NULL;
	}
	for (size_t i = 0; i < result->events_count; i++)
		if (result->events[i].kind == FL_SCN_EVENT_STEP &&
		    result->lanes[result->events[i].lane].kind == FL_SCN_LANE_ACTOR)
			events[count++] = &result->events[i];
	qsort(events, count, sizeof(*events), by_place);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || by_place(&events[i - 1], &events[i]) != 0)
			put_event(out, result, events[i]);
	for (size_t i = 0; i < result->failures_count; i++) {
		const struct fl_scn_failure *failure = &result->failures[i];

		if (!strstr(failure->text, ": expected "))
			fprintf(out, "line %u: %s\n", failure->pos.line,
				as_key && failure->kind ? failure->kind : failure->text);
	}
	if (result->verdict == FL_SCN_SKIPPED)
		fprintf(out, "skipped: %s\n", result->reason);
	free(events);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* The step with the span, and the mark that it is counted from. */
static const struct fl_scn_step *find_span(const struct fl_scn_case *of, uint32_t *mark)
{
	for (uint32_t i = 0; i < of->actors_count; i++)
		for (uint32_t j = 0; j < of->actors[i].steps_count; j++) {
			const struct fl_scn_step *step = &of->actors[i].steps[j];

			for (uint32_t k = 0; k < FL_SCN_OPERANDS_MAX; k++)
				if (step->operands[k].time_kind == FL_SCN_TIME_SPAN) {
					*mark = step->row->op == FL_SCN_OP_WAIT ? (uint32_t)step->operands[0].n
										: UINT32_MAX;
					return step;
				}
		}
	return NULL;
}

/* From the mark (or the step's begin) to the step's end; what was asked for where that cannot be told. */
static uint64_t measure(const struct fl_scn_case *of, const struct fl_scn_result *result, uint64_t asked_ns)
{
	uint64_t begin_ns = UINT64_MAX, end_ns = 0;
	uint32_t mark = UINT32_MAX;
	const struct fl_scn_step *step = find_span(of, &mark);

	for (size_t i = 0; step && i < result->events_count; i++) {
		const struct fl_scn_event *event = &result->events[i];

		if (event->kind == FL_SCN_EVENT_WAIT && event->pos.line == step->pos.line) {
			end_ns = event->end_ns;
			if (mark == UINT32_MAX)
				begin_ns = event->begin_ns;
		}
		if (mark != UINT32_MAX && event->kind == FL_SCN_EVENT_MARK &&
		    strcmp(event->label, of->marks[mark]) == 0)
			begin_ns = event->begin_ns;
	}
	return end_ns >= begin_ns ? end_ns - begin_ns : asked_ns;
}

/* ---- the walk ---------------------------------------------------------------------------- */

/* Takes the key and the result, but where it fails: -ENOMEM. */
static int add_outcome(struct fl_scn_explored *explored, char *key, struct fl_scn_result **result)
{
	char *text = describe(*result, false);
	struct fl_scn_outcome *all =
		text ? realloc(explored->outcomes, (explored->outcomes_count + 1) * sizeof(*all)) : NULL;

	if (!all) {
		free(text);
		free(key);
		return -ENOMEM;
	}
	explored->outcomes = all;
	all[explored->outcomes_count++] =
		(struct fl_scn_outcome){.text = text, .key = key, .from_ns = UINT64_MAX, .example = *result};
	*result = NULL;
	return 0;
}

/* Takes the result where it is the first of its kind. */
static int count_outcome(struct walk *walk, struct point *point, struct fl_scn_result **result)
{
	struct fl_scn_explored *explored = &walk->explored;
	char *key = describe(*result, true);
	size_t at = 0;
	int ret = 0;

	if (!key)
		return -ENOMEM;
	while (at < explored->outcomes_count && strcmp(explored->outcomes[at].key, key) != 0)
		at++;
	if (at < explored->outcomes_count)
		free(key);
	else
		ret = add_outcome(explored, key, result);
	if (ret < 0)
		return ret;
	struct fl_scn_outcome *outcome = &explored->outcomes[at];

	outcome->runs++;
	/* what was skipped has shown nothing */
	outcome->failed |= outcome->example->verdict != FL_SCN_PASSED;
	if (point->measured_ns < outcome->from_ns)
		outcome->from_ns = point->measured_ns;
	if (point->measured_ns > outcome->to_ns)
		outcome->to_ns = point->measured_ns;
	point->outcome = at;
	return 0;
}

static void put_point(struct walk *walk, const struct point *point)
{
	size_t at = walk->points_count++;

	for (; at > 0 && walk->points[at - 1].asked_ns > point->asked_ns; at--)
		walk->points[at] = walk->points[at - 1];
	walk->points[at] = *point;
}

static int keep_result(struct fl_scn_results *results, struct fl_scn_result *result)
{
	struct fl_scn_result **all = realloc(results->all, (results->count + 1) * sizeof(struct fl_scn_result *));

	if (!all)
		return -ENOMEM;
	results->all = all;
	all[results->count++] = result;
	return 0;
}

static int try_moment(struct walk *walk, uint64_t asked_ns)
{
	struct point point = {.asked_ns = asked_ns};
	struct fl_scn_result *result;

	walk->task.moment_ns = asked_ns;
	walk->running->opts->began(walk->running->opts->arg, ++*walk->number, walk->task.scenario_case);
	int ret = fl_scn_run_task(walk->running, walk->pool, &walk->task, *walk->number, &result);

	if (ret < 0) {
		fl_scn_result_free(result);
		return ret;
	}
	/* one that was broken off is no outcome */
	if (walk->running->opts->cancelled(walk->running->opts->arg)) {
		fl_scn_result_free(result);
		return 0;
	}
	struct fl_scn_result *mine = result;

	point.measured_ns = measure(walk->task.scenario_case, result, asked_ns);
	if (point.measured_ns > asked_ns && point.measured_ns - asked_ns > walk->explored.late_ns)
		walk->explored.late_ns = point.measured_ns - asked_ns;
	walk->explored.runs++;
	ret = count_outcome(walk, &point, &mine);
	if (ret == 0 && !mine)
		ret = keep_result(walk->running->results, result);
	else
		fl_scn_result_free(mine);
	if (ret == 0)
		put_point(walk, &point);
	return ret;
}

static bool goes_on(const struct walk *walk)
{
	return walk->points_count < walk->points_max && !walk->running->opts->cancelled(walk->running->opts->arg);
}

static int walk_evenly(struct walk *walk, uint32_t points)
{
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < points && goes_on(walk); i++) {
		uint64_t part = points > 1 ? (walk->to_ns - walk->from_ns) / (points - 1) * i : 0;

		ret = try_moment(walk, walk->from_ns + part);
	}
	return ret;
}

/* The widest gap between two that came out differently; false: there is none that can be looked into. */
static bool find_gap(const struct walk *walk, uint64_t *middle_ns)
{
	uint64_t widest_ns = NEAREST_NS;

	for (size_t i = 1; i < walk->points_count; i++) {
		const struct point *one = &walk->points[i - 1], *other = &walk->points[i];
		uint64_t gap_ns = other->asked_ns - one->asked_ns;

		if (one->outcome == other->outcome || gap_ns <= widest_ns)
			continue;
		widest_ns = gap_ns;
		*middle_ns = one->asked_ns + gap_ns / 2;
	}
	return widest_ns > NEAREST_NS;
}

static int by_moment(const void *a, const void *b)
{
	const struct fl_scn_outcome *one = a, *other = b;

	return one->from_ns < other->from_ns ? -1 : one->from_ns > other->from_ns;
}

static void free_explored(struct fl_scn_explored *explored)
{
	for (size_t i = 0; i < explored->outcomes_count; i++) {
		free(explored->outcomes[i].text);
		free(explored->outcomes[i].key);
	}
	free(explored->outcomes);
}

static int explore_case(struct walk *walk, uint32_t points)
{
	uint32_t mark = UINT32_MAX;
	const struct fl_scn_step *step = find_span(walk->task.scenario_case, &mark);
	uint64_t middle_ns;
	int ret = 0;

	for (uint32_t k = 0; k < FL_SCN_OPERANDS_MAX; k++)
		if (step->operands[k].time_kind == FL_SCN_TIME_SPAN) {
			walk->from_ns = step->operands[k].n;
			walk->to_ns = step->operands[k].offset;
		}
	walk->explored.scenario_case = walk->task.scenario_case;
	walk->points_max = 2 * (size_t)points;
	walk->points = calloc(walk->points_max, sizeof(*walk->points));
	if (!walk->points)
		return -ENOMEM;
	ret = walk_evenly(walk, points);
	while (ret == 0 && goes_on(walk) && find_gap(walk, &middle_ns))
		ret = try_moment(walk, middle_ns);
	free(walk->points);
	if (walk->explored.outcomes_count)
		qsort(walk->explored.outcomes, walk->explored.outcomes_count, sizeof(*walk->explored.outcomes),
		      by_moment);
	return ret;
}

/* ---- the cases --------------------------------------------------------------------------- */

static int check_cases(const struct fl_scn_task *tasks, size_t count, struct fl_diag *diag)
{
	for (size_t i = 0; i < count; i++)
		if (!tasks[i].scenario_case->has_span)
			return fl_cli_diag(diag, -EINVAL,
					   "%s has no free moment (\"wait MARK after span 0..2ms\") that could be "
					   "explored; --filter chooses cases.",
					   tasks[i].scenario_case->name);
	return 0;
}

static int explore_all(struct fl_scn_running *running, const struct fl_scn_task *tasks, size_t count, uint32_t points,
		       fl_scn_explored_fn fn, void *arg)
{
	struct fl_scn_pool pool = {0};
	size_t number = 0;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < count && !running->opts->cancelled(running->opts->arg); i++) {
		struct walk walk = {.running = running, .pool = &pool, .task = tasks[i], .number = &number};

		walk.task.has_moment = true;
		ret = explore_case(&walk, points);
		if (ret == 0)
			fn(arg, i + 1, &walk.explored);
		free_explored(&walk.explored);
	}
	fl_scn_pool_fini(&pool);
	return ret;
}

int fl_scn_explore(const struct fl_scn_runner_opts *opts, uint32_t points, fl_scn_explored_fn fn, void *arg,
		   struct fl_scn_results *results, struct fl_diag *diag)
{
	struct fl_scn_running running = {.opts = opts, .results = results};
	size_t count = fl_scn_list_tasks(opts, NULL);
	struct fl_scn_task *tasks = calloc(count + 1, sizeof(*tasks));
	uint64_t begin_ns = fl_scn_now_ns();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*results = (struct fl_scn_results){
		.seed = opts->seed,
		.host = opts->host,
		.start_time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
	};
	if (!tasks)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	(void)fl_scn_list_tasks(opts, tasks);
	int ret = check_cases(tasks, count, diag);

	if (ret == 0)
		ret = fl_scn_workdir_new(opts->work_parent, &running.workdir, diag);
	if (ret == 0) {
		ret = explore_all(&running, tasks, count, points, fn, arg);
		if (ret < 0)
			(void)fl_cli_diag(diag, ret, "Out of memory.");
		fl_scn_workdir_free(running.workdir, opts->keep);
	}
	free(tasks);
	results->took_ns = fl_scn_now_ns() - begin_ns;
	if (ret < 0)
		fl_scn_results_free(results);
	return ret;
}
