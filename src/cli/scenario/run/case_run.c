/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/run/case_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/scenario/guests/guests_impl.h"
#include "cli/scenario/verdict/judge.h"

/* Marks of one machine are carried to the others so often. */
#define CARRY_NS UINT64_C(200000)
#define IDLE_NS	 UINT64_C(50000000)
/* So long a CPU stands still inside a fault at most: what its guest takes for a lockup is five times as long. */
#define HOLD_NS UINT64_C(4000000000)

/* Much of a case is waiting, and one that hangs is not to keep others waiting for hours. */
#define LIMIT_FACTOR_MAX 10u

static unsigned int limit_factor(const struct fl_scn_case_opts *opts)
{
	return opts->slowness < LIMIT_FACTOR_MAX ? opts->slowness : LIMIT_FACTOR_MAX;
}

uint64_t fl_scn_case_limit_ns(const struct fl_scn_case_opts *opts)
{
	return opts->scenario_case->limit_ns * limit_factor(opts);
}

/* splitmix64 */
uint64_t fl_scn_draw(uint64_t seed, uint64_t place, uint64_t limit)
{
	uint64_t z = seed + (place + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return limit ? z % limit : z;
}

/* ---- time and marks ---------------------------------------------------------------------- */

uint64_t fl_scn_case_time(const struct fl_scn_case_state *state, const struct fl_scn_operand *operand, uint64_t place)
{
	if (operand->time_kind == FL_SCN_TIME_SPAN && state->opts->has_span)
		return state->opts->span_ns;
	if (operand->time_kind == FL_SCN_TIME_FIXED || operand->offset <= operand->n)
		return operand->n;
	return operand->n + fl_scn_draw(state->opts->seed, place, operand->offset - operand->n + 1);
}

/* Of a guest's step: what place it has is not known here, but its operand's own is as good. */
static uint64_t time_for_guest(void *arg, const struct fl_scn_operand *operand)
{
	const struct fl_scn_case_state *state = arg;
	const struct fl_scn_case *of = state->scenario_case;

	for (uint32_t i = 0; i < of->actors_count; i++) {
		const struct fl_scn_actor *who = &of->actors[i];

		for (uint32_t j = 0; j < who->steps_count; j++)
			for (uint32_t k = 0; k < FL_SCN_OPERANDS_MAX; k++)
				if (&who->steps[j].operands[k] == operand)
					return fl_scn_case_time(state, operand,
								((uint64_t)i << 40) | ((uint64_t)j << 32) | (k << 28));
	}
	return operand->n;
}

static void tell_changed(void *arg)
{
	struct fl_scn_case_state *state = arg;

	pthread_mutex_lock(&state->lock);
	state->changes++;
	pthread_cond_broadcast(&state->changed);
	pthread_mutex_unlock(&state->lock);
}

bool fl_scn_case_is_over(struct fl_scn_case_state *state)
{
	pthread_mutex_lock(&state->lock);
	bool stop = state->stop;

	pthread_mutex_unlock(&state->lock);
	return stop || fl_scn_now_ns() >= state->deadline_ns;
}

uint64_t fl_scn_case_changes(struct fl_scn_case_state *state)
{
	pthread_mutex_lock(&state->lock);
	uint64_t changes = state->changes;

	pthread_mutex_unlock(&state->lock);
	return changes;
}

void fl_scn_case_wait(struct fl_scn_case_state *state, uint64_t *changes, uint64_t until_ns)
{
	struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};

	pthread_mutex_lock(&state->lock);
	while (state->changes == *changes && !state->stop)
		if (pthread_cond_timedwait(&state->changed, &state->lock, &until) == ETIMEDOUT)
			break;
	*changes = state->changes;
	pthread_mutex_unlock(&state->lock);
}

static uint64_t known_time(struct fl_scn_case_state *state, uint32_t mark)
{
	pthread_mutex_lock(&state->lock);
	uint64_t ns = state->mark_times[mark];

	pthread_mutex_unlock(&state->lock);
	return ns;
}

int fl_scn_case_set_mark(struct fl_scn_case_state *state, uint32_t mark, uint64_t ns)
{
	int ret = 0;

	pthread_mutex_lock(&state->lock);
	bool first = state->mark_times[mark] == 0;

	if (first)
		state->mark_times[mark] = ns;
	state->changes++;
	pthread_cond_broadcast(&state->changed);
	pthread_mutex_unlock(&state->lock);
	for (uint32_t i = 0; first && ret == 0 && i < state->scenario_case->machines_count; i++)
		ret = fl_scn_page_set_mark(fl_scn_guests_page(state->opts->guests[i]), mark, ns);
	return ret;
}

uint64_t fl_scn_case_mark_time(struct fl_scn_case_state *state, uint32_t mark)
{
	uint64_t ns = known_time(state, mark);

	for (uint32_t i = 0; ns == 0 && i < state->scenario_case->machines_count; i++) {
		uint64_t seen_ns;

		if (fl_scn_page_read_mark(fl_scn_guests_page(state->opts->guests[i]), mark, &seen_ns) == 1) {
			/* the conversion of a guest's clock may have made it 0, which means that there is none */
			ns = seen_ns ? seen_ns : 1;
			if (fl_scn_case_set_mark(state, mark, ns) < 0)
				return ns;
		}
	}
	return ns;
}

static void look_at_marks(struct fl_scn_case_state *state)
{
	for (uint32_t i = 0; i < state->scenario_case->marks_count; i++)
		if (fl_scn_case_mark_time(state, i) == 0)
			fl_scn_case_carry_barrier(state, i);
}

/* ---- the case ---------------------------------------------------------------------------- */

static bool all_are_done(struct fl_scn_case_state *state)
{
	pthread_mutex_lock(&state->lock);
	bool done = state->hosts_done >= state->hosts_count;

	pthread_mutex_unlock(&state->lock);
	for (uint32_t i = 0; done && i < state->scenario_case->machines_count; i++)
		done = fl_scn_guests_are_done(state->opts->guests[i]);
	return done;
}

static void wait_for_all(struct fl_scn_case_state *state)
{
	uint64_t changes = fl_scn_case_changes(state);
	uint64_t step_ns = state->scenario_case->machines_count > 1 ? CARRY_NS : IDLE_NS;

	while (!all_are_done(state) && fl_scn_now_ns() < state->deadline_ns && !fl_scn_case_is_cancelled(state)) {
		if (step_ns == CARRY_NS)
			look_at_marks(state);
		fl_scn_case_wait(state, &changes, fl_scn_now_ns() + step_ns);
	}
	look_at_marks(state);
	if (!all_are_done(state))
		state->over_ns = fl_scn_now_ns();
}

static int load_all(struct fl_scn_case_state *state, struct fl_diag *diag)
{
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < state->scenario_case->machines_count; i++) {
		struct fl_scn_guests_case of = {
			.scenario_case = state->scenario_case,
			.machine = i,
			.number = state->opts->number,
			.deadline_ns = state->deadline_ns,
			.seen = state->seen,
			.time = time_for_guest,
			.time_arg = state,
			.changed = tell_changed,
			.changed_arg = state,
			.hold_ns = HOLD_NS * limit_factor(state->opts),
		};

		ret = fl_scn_guests_load(state->opts->guests[i], &of, diag);
	}
	return ret;
}

static int start_all(struct fl_scn_case_state *state, struct fl_diag *diag)
{
	int ret = fl_scn_hosts_start(state);

	if (ret < 0) {
		diag->error = ret;
		snprintf(diag->text, sizeof(diag->text), "The host's threads cannot be started: %s.", strerror(-ret));
	}
	for (uint32_t i = 0; ret == 0 && i < state->scenario_case->machines_count; i++)
		ret = fl_scn_guests_start(state->opts->guests[i], diag);
	return ret;
}

/* Before they are stopped, and forgotten. */
static void read_turns(struct fl_scn_case_state *state)
{
	const struct fl_scn_case *of = state->scenario_case;

	for (uint32_t i = 0; i < of->actors_count; i++)
		if (!of->actors[i].by_host)
			state->seen[i].turns = fl_scn_guests_turns(state->opts->guests[of->actors[i].machine], i);
}

/* Also of those that were never started: it makes them ready for the next case. */
static void stop_all(struct fl_scn_case_state *state)
{
	struct fl_diag ignored;

	pthread_mutex_lock(&state->lock);
	state->stop = true;
	pthread_cond_broadcast(&state->changed);
	pthread_mutex_unlock(&state->lock);
	for (uint32_t i = 0; i < state->scenario_case->machines_count; i++)
		(void)!fl_scn_page_stop(fl_scn_guests_page(state->opts->guests[i]));
	for (uint32_t i = 0; i < state->scenario_case->machines_count; i++)
		fl_scn_guests_let_go(state->opts->guests[i]);
	/* what waits for a file system cannot end, and a look at what files are must not fail */
	fl_scn_workdir_let_go(state->opts->workdir, state->scenario_case, state->opts->number);
	fl_scn_hosts_join(state);
	/* one that cannot be stopped says so when it is asked whether it lives */
	for (uint32_t i = 0; i < state->scenario_case->machines_count; i++)
		(void)!fl_scn_guests_stop(state->opts->guests[i], &ignored);
}

static int run(struct fl_scn_case_state *state)
{
	struct fl_diag diag = {0};
	int ret = fl_scn_workdir_begin(state->opts->workdir, state->scenario_case, state->opts->number, &diag);

	state->begin_ns = fl_scn_now_ns();
	state->deadline_ns = state->begin_ns + fl_scn_case_limit_ns(state->opts);
	if (ret == 0) {
		ret = load_all(state, &diag);
		if (ret == 0)
			ret = start_all(state, &diag);
		if (ret == 0)
			wait_for_all(state);
		read_turns(state);
		stop_all(state);
	}
	state->result->took_ns = fl_scn_now_ns() - state->begin_ns;
	if (ret < 0 && fl_scn_case_is_cancelled(state)) {
		ret = fl_scn_case_say_cancelled(state->result);
	} else if (ret < 0) {
		state->result->reason = strdup(diag.text);
		ret = fl_scn_fail_alike(state->result, (struct fl_scn_pos){0, 0}, "It could not be run: %s", diag.text);
	} else {
		ret = fl_scn_case_conclude(state);
	}
	fl_scn_workdir_end(state->opts->workdir, state->scenario_case, state->opts->number, state->opts->keep);
	return ret;
}

static int init(struct fl_scn_case_state *state)
{
	const struct fl_scn_case *of = state->scenario_case;
	pthread_condattr_t attributes;

	state->seen = fl_scn_seen_new(of);
	state->mark_times = calloc(of->marks_count + 1, sizeof(*state->mark_times));
	state->arrived = calloc(of->marks_count + 1, sizeof(*state->arrived));
	pthread_mutex_init(&state->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&state->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return state->seen && state->mark_times && state->arrived ? 0 : -ENOMEM;
}

int fl_scn_case_run(const struct fl_scn_case_opts *opts, struct fl_scn_result *result)
{
	struct fl_scn_case_state state = {
		.opts = opts,
		.scenario_case = opts->scenario_case,
		.result = result,
	};
	struct timespec now;
	int ret = init(&state);

	clock_gettime(CLOCK_REALTIME, &now);
	result->start_time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	result->seed = opts->seed;
	if (ret == 0)
		ret = run(&state);
	fl_scn_seen_free(state.seen, opts->scenario_case);
	free(state.mark_times);
	free(state.arrived);
	pthread_cond_destroy(&state.changed);
	pthread_mutex_destroy(&state.lock);
	return ret;
}
