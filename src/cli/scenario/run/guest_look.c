/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/run/guest_look.h"

#include <errno.h>
#include <time.h>

#include "cli/scenario/guests/guests_impl.h"

#define STEPS_MAX 3u

/* One actor with a few steps, in the place of all that the case has. */
struct looker {
	struct fl_scn_case_state *state;
	const struct fl_scn_expect *expect;
	struct fl_scn_step steps[STEPS_MAX];
	struct fl_scn_actor actor;
	struct fl_scn_case scenario_case;
	struct fl_scn_actor_seen *seen;
};

static void ignore(void *arg)
{
	(void)arg;
}

static uint64_t no_time(void *arg, const struct fl_scn_operand *operand)
{
	(void)arg;
	return operand->n;
}

static struct fl_scn_operand path_of(const struct fl_scn_expect *expect)
{
	return (struct fl_scn_operand){.dir = expect->dir, .text = expect->path};
}

/* Has the guest do the steps; what came of them is in looker->seen. */
static int have_done(struct looker *looker, uint32_t steps)
{
	struct fl_scn_case_state *state = looker->state;
	struct fl_scn_guests *guests = state->opts->guests[looker->expect->machine];
	uint64_t deadline_ns = fl_scn_now_ns() + fl_scn_case_limit_ns(state->opts);
	const struct timespec pause = {.tv_nsec = 200000}; /* nobody is in a hurry any more */
	struct fl_scn_guests_case of = {
		.scenario_case = &looker->scenario_case,
		.machine = looker->expect->machine,
		.number = state->opts->number,
		.deadline_ns = deadline_ns,
		.time = no_time,
		.changed = ignore,
	};
	struct fl_diag diag;

	looker->actor.steps_count = steps;
	looker->seen = fl_scn_seen_new(&looker->scenario_case);
	of.seen = looker->seen;
	if (!looker->seen)
		return -ENOMEM;
	int ret = fl_scn_guests_load(guests, &of, &diag);

	if (ret == 0)
		ret = fl_scn_guests_start(guests, &diag);
	while (ret == 0 && !fl_scn_guests_are_done(guests) && fl_scn_now_ns() < deadline_ns)
		nanosleep(&pause, NULL);
	int stopped = fl_scn_guests_stop(guests, &diag);

	return ret == 0 ? stopped : ret;
}

/* What the step came to: its value, or -errno. */
static int take_value(const struct looker *looker, uint32_t step, uint64_t *value)
{
	const struct fl_scn_step_seen *seen = &looker->seen[0].steps[step];

	if (seen->count == 0)
		return -EPIPE;
	*value = seen->all[0].value;
	if (seen->all[0].kind == FL_SCN_DID)
		return 0;
	return seen->all[0].kind == FL_SCN_ERROR ? -(int)seen->all[0].value : -EFAULT;
}

static int look_at_length(struct looker *looker, struct fl_scn_look *look)
{
	looker->steps[0] = (struct fl_scn_step){.row = fl_scn_op_row(FL_SCN_OP_STAT)};
	looker->steps[0].operands[0] = path_of(looker->expect);
	int ret = have_done(looker, 1);

	if (ret == 0)
		ret = take_value(looker, 0, &look->len);
	look->absent = ret == -ENOENT;
	fl_scn_seen_free(looker->seen, &looker->scenario_case);
	return look->absent ? 0 : ret;
}

static int look_at_content(struct looker *looker, struct fl_scn_look *look)
{
	struct fl_scn_operand *open = looker->steps[0].operands, *map = looker->steps[1].operands,
			      *check = looker->steps[2].operands;

	looker->steps[0] = (struct fl_scn_step){.row = fl_scn_op_row(FL_SCN_OP_OPEN)};
	open[1] = path_of(looker->expect);
	open[2].n = FL_SCN_O_READ;
	looker->steps[1] = (struct fl_scn_step){.row = fl_scn_op_row(FL_SCN_OP_MAP)};
	map[3].n = look->len;
	map[4].n = FL_SCN_MAP_READ;
	looker->steps[2] = (struct fl_scn_step){.row = fl_scn_op_row(FL_SCN_OP_CHECK)};
	check[1].n = look->len;
	check[2].n = (uint64_t)looker->expect->content;
	int ret = have_done(looker, 3);

	if (ret == 0)
		ret = take_value(looker, 2, &look->same);
	fl_scn_seen_free(looker->seen, &looker->scenario_case);
	return ret;
}

int fl_scn_guest_look(struct fl_scn_case_state *state, const struct fl_scn_expect *expect, struct fl_scn_look *look)
{
	static const char *const names[] = {"looked at"};
	struct looker looker = {
		.state = state,
		.expect = expect,
		.actor = {.name = "runner",
			  .machine = expect->machine,
			  .cpu = -1,
			  .handles = names,
			  .handles_count = 1,
			  .maps = names,
			  .maps_count = 1},
		.scenario_case = *state->scenario_case,
	};

	looker.actor.steps = looker.steps;
	looker.scenario_case.actors = &looker.actor;
	looker.scenario_case.actors_count = 1;
	if (expect->has_content && expect->content != FL_SCN_FILE_PATTERN && expect->content != FL_SCN_FILE_ZEROS)
		return -ENOTSUP;
	int ret = look_at_length(&looker, look);

	if (ret < 0 || look->absent || !expect->has_content || look->len == 0)
		return ret;
	return look_at_content(&looker, look);
}
