/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's blocks of steps, each on a thread of its own. Marks of guests are memory, of which nobody is told, so what
 * waits for one looks: at once for a while, then every so often.
 */
#include "cli/scenario/run/case_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "cli/scenario/guests/guests_impl.h"
#include "cli/scenario/host/host_files.h"

#define LOOK_BUSY_NS UINT64_C(200000)
#define LOOK_NS	     UINT64_C(50000)

/* Where an actor is. */
struct walk {
	struct fl_scn_case_state *state;
	uint32_t actor;
	const struct fl_scn_actor *who;
	struct fl_scn_actor_seen *seen;
	uint32_t at;			  /* index of the step */
	uint64_t turns[FL_SCN_STEPS_MAX]; /* of each `loop` that runs, by its index */
};

static void sleep_until(uint64_t ns)
{
	struct timespec until = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* Sleeps, in pieces if the case may end meanwhile, and spins the rest, which sleeping would miss. -ETIME: it ended. */
static int wait_until(struct walk *walk, uint64_t ns)
{
	const uint64_t busy_ns = walk->state->opts->by_instructions ? 0 : LOOK_BUSY_NS;

	while (fl_scn_now_ns() < ns) {
		uint64_t now = fl_scn_now_ns();

		if (fl_scn_case_is_over(walk->state))
			return -ETIME;
		if (ns > now + 2 * busy_ns) {
			uint64_t left = ns - now - busy_ns;

			sleep_until(now + (left < 10000000 ? left : 10000000));
		}
	}
	return 0;
}

/* One more look is due. begin_ns: of the first. */
static void pause_between_looks(const struct walk *walk, uint64_t begin_ns)
{
	if (walk->state->opts->by_instructions || fl_scn_now_ns() - begin_ns > LOOK_BUSY_NS)
		sleep_until(fl_scn_now_ns() + LOOK_NS);
}

static uint64_t place_of(const struct walk *walk, uint32_t operand)
{
	return ((uint64_t)walk->actor << 40) | ((uint64_t)walk->at << 32) | ((uint64_t)operand << 28) |
	       (walk->seen->turns & 0xfffffff);
}

static int wait_for_mark(struct walk *walk, const struct fl_scn_step *step)
{
	uint64_t begin_ns = fl_scn_now_ns();
	uint64_t set_ns;

	while ((set_ns = fl_scn_case_mark_time(walk->state, (uint32_t)step->operands[0].n)) == 0) {
		if (fl_scn_case_is_over(walk->state))
			return -ETIME;
		pause_between_looks(walk, begin_ns);
	}
	return wait_until(walk, set_ns + fl_scn_case_time(walk->state, &step->operands[1], place_of(walk, 1)));
}

static int wait_for_faults(struct walk *walk, const struct fl_scn_step *step)
{
	struct fl_scn_guests *guests = walk->state->opts->guests[step->operands[1].n];
	uint64_t changes = fl_scn_case_changes(walk->state);

	/* there are none to wait for where nothing reports them */
	while (!walk->state->opts->native && fl_scn_guests_count_faults(guests) < step->operands[0].n) {
		if (fl_scn_case_is_over(walk->state))
			return -ETIME;
		fl_scn_case_wait(walk->state, &changes, walk->state->deadline_ns);
	}
	return 0;
}

static int wait_for_turns(struct walk *walk, const struct fl_scn_step *step)
{
	uint32_t actor = (uint32_t)step->operands[0].n;
	const struct fl_scn_actor *who = &walk->state->scenario_case->actors[actor];
	uint64_t begin_ns = fl_scn_now_ns();

	while (fl_scn_guests_turns(walk->state->opts->guests[who->machine], actor) < step->operands[1].n) {
		if (fl_scn_case_is_over(walk->state))
			return -ETIME;
		pause_between_looks(walk, begin_ns);
	}
	return 0;
}

static int wait_for_question(struct walk *walk, const struct fl_scn_step *step)
{
	struct fl_scn_guests *guests = walk->state->opts->guests[step->operands[1].n];
	uint64_t changes = fl_scn_case_changes(walk->state);

	while (!fl_scn_guests_is_held(guests, step->operands[0].n)) {
		if (fl_scn_case_is_over(walk->state))
			return -ETIME;
		fl_scn_case_wait(walk->state, &changes, walk->state->deadline_ns);
	}
	return 0;
}

static int answer(struct walk *walk, const struct fl_scn_step *step)
{
	return fl_scn_guests_answer(walk->state->opts->guests[step->operands[2].n], step->operands[1].n,
				    (enum fl_action)step->operands[0].n);
}

static int arrive(struct walk *walk, const struct fl_scn_step *step)
{
	struct fl_scn_case_state *state = walk->state;
	uint32_t mark = (uint32_t)step->operands[0].n;
	uint64_t begin_ns = fl_scn_now_ns();
	int ret = fl_scn_case_arrive(state, mark);

	if (ret < 0)
		return ret;
	while (fl_scn_case_mark_time(state, mark) == 0) {
		if (fl_scn_case_is_over(state))
			return -ETIME;
		pause_between_looks(walk, begin_ns);
	}
	return 0;
}

static int pause_machine(struct walk *walk, const struct fl_scn_step *step, int (*call)(struct fl_vm *vm))
{
	struct fl_vm *vm = fl_scn_guests_vm(walk->state->opts->guests[step->operands[0].n]);

	return vm ? call(vm) : 0;
}

static int spin(struct walk *walk, uint64_t ns)
{
	uint64_t until_ns = fl_scn_now_ns() + ns;
	bool over = false;

	if (walk->state->opts->by_instructions)
		fl_scn_come_first(false);
	while (!over && fl_scn_now_ns() < until_ns)
		over = fl_scn_case_is_over(walk->state);
	if (walk->state->opts->by_instructions)
		fl_scn_come_first(true);
	return over ? -ETIME : 0;
}

static bool is_over(void *arg)
{
	return fl_scn_case_is_over(arg);
}

static int do_step(struct walk *walk, const struct fl_scn_step *step, uint64_t *value)
{
	const struct fl_scn_host_place place = {walk->state->opts->workdir, walk->state->scenario_case,
						walk->state->opts->number, is_over, walk->state};

	*value = 0;
	switch (step->row->op) {
	case FL_SCN_OP_MARK:
		return fl_scn_case_set_mark(walk->state, (uint32_t)step->operands[0].n, fl_scn_now_ns());
	case FL_SCN_OP_WAIT:
		return wait_for_mark(walk, step);
	case FL_SCN_OP_BARRIER:
		return arrive(walk, step);
	case FL_SCN_OP_SLEEP:
		return wait_until(walk, fl_scn_now_ns() +
						fl_scn_case_time(walk->state, &step->operands[0], place_of(walk, 0)));
	case FL_SCN_OP_SPIN:
		return spin(walk, fl_scn_case_time(walk->state, &step->operands[0], place_of(walk, 0)));
	case FL_SCN_HOST_WAIT_FAULTS:
		return wait_for_faults(walk, step);
	case FL_SCN_HOST_WAIT_TURNS:
		return wait_for_turns(walk, step);
	case FL_SCN_HOST_INSIDE:
		return wait_for_question(walk, step);
	case FL_SCN_HOST_ANSWER:
		return answer(walk, step);
	case FL_SCN_HOST_PAUSE:
		return pause_machine(walk, step, fl_vm_pause);
	case FL_SCN_HOST_RESUME:
		return pause_machine(walk, step, fl_vm_resume);
	default:
		return fl_scn_host_file_step(&place, step, walk->state->deadline_ns, value);
	}
}

static void note(struct walk *walk, uint32_t index, int ret, uint64_t value, uint64_t begin_ns)
{
	struct fl_scn_seen seen = {
		.kind = ret == 0	 ? FL_SCN_DID
			: ret == -ETIME	 ? FL_SCN_LATE
			: ret == -ENOSYS ? FL_SCN_CANNOT
					 : FL_SCN_ERROR,
		.value = ret == 0 ? value : (uint64_t)-ret,
		.begin_ns = begin_ns,
		.end_ns = fl_scn_now_ns(),
		.map = FL_SCN_NO_MAP,
		.count = 1,
	};

	seen.last_ns = seen.end_ns;
	seen.longest_ns = seen.end_ns - begin_ns;
	(void)!fl_scn_seen_count(&walk->seen->steps[index], &seen); /* what is not noted never ran, which fails */
}

/* `loop` and `end` move on by themselves. The loop's operands: times, 0 for until the mark; the mark. */
static void turn(struct walk *walk, const struct fl_scn_step *step)
{
	bool begins = step->row->op == FL_SCN_OP_LOOP;
	uint32_t loop = begins ? walk->at : step->jump;
	const struct fl_scn_operand *operands = walk->who->steps[loop].operands;

	walk->turns[loop] = begins ? 0 : walk->turns[loop] + 1;
	walk->seen->turns += !begins;
	/* once at least: what is in it is to be seen */
	bool goes_on = begins || (operands[0].n ? walk->turns[loop] < operands[0].n
						: fl_scn_case_mark_time(walk->state, (uint32_t)operands[1].n) == 0);

	walk->at = goes_on ? loop + 1 : walk->who->steps[loop].jump;
}

static void *act(void *arg)
{
	struct fl_scn_host_actor *host = arg;
	struct walk walk = {
		.state = host->state,
		.actor = host->actor,
		.who = &host->state->scenario_case->actors[host->actor],
		.seen = &host->state->seen[host->actor],
	};

	/* sleeps end when they should, not some 50 us later (PR_SET_TIMERSLACK) */
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	if (walk.state->opts->by_instructions)
		fl_scn_come_first(true);
	while (walk.at < walk.who->steps_count && !fl_scn_case_is_over(walk.state)) {
		const struct fl_scn_step *step = &walk.who->steps[walk.at];
		uint64_t begin_ns = fl_scn_now_ns(), value = 0;
		uint32_t index = walk.at;
		int ret = 0;

		if (step->row->op == FL_SCN_OP_LOOP || step->row->op == FL_SCN_OP_END) {
			turn(&walk, step);
		} else {
			ret = do_step(&walk, step, &value);
			walk.at++;
		}
		note(&walk, index, ret, value, begin_ns);
	}
	walk.seen->done = walk.at >= walk.who->steps_count;
	walk.seen->next_step = walk.at;
	pthread_mutex_lock(&walk.state->lock);
	walk.state->hosts_done++;
	walk.state->changes++;
	pthread_cond_broadcast(&walk.state->changed);
	pthread_mutex_unlock(&walk.state->lock);
	return NULL;
}

int fl_scn_hosts_start(struct fl_scn_case_state *state)
{
	const struct fl_scn_case *of = state->scenario_case;

	state->hosts = calloc(of->actors_count + 1, sizeof(*state->hosts));
	if (!state->hosts)
		return -ENOMEM;
	if (state->opts->by_instructions)
		fl_scn_filler_start(&state->filler);
	for (uint32_t i = 0; i < of->actors_count; i++) {
		struct fl_scn_host_actor *host = &state->hosts[state->hosts_count];

		if (!of->actors[i].by_host)
			continue;
		*host = (struct fl_scn_host_actor){.state = state, .actor = i};
		int ret = -pthread_create(&host->thread, NULL, act, host);

		if (ret < 0)
			return ret;
		host->has_thread = true;
		state->hosts_count++;
	}
	return 0;
}

void fl_scn_hosts_join(struct fl_scn_case_state *state)
{
	for (uint32_t i = 0; i < state->hosts_count; i++)
		if (state->hosts[i].has_thread)
			pthread_join(state->hosts[i].thread, NULL);
	fl_scn_filler_stop(&state->filler);
	free(state->hosts);
	state->hosts = NULL;
	state->hosts_count = 0;
}
