/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/run/case_state.h"
#include "cli/scenario/verdict/judge.h"
#include "cli/scenario/verdict/words.h"

#define NO_LANE	  UINT32_MAX
#define PAGE_BITS 12

struct drawing {
	const struct fl_scn_case_state *state;
	struct fl_scn_result *result;
	uint32_t *lane_of_actor;
	uint32_t *first_vcpu_lane; /* of each machine */
};

static uint64_t since_begin(const struct drawing *drawing, uint64_t ns)
{
	return ns > drawing->state->begin_ns ? ns - drawing->state->begin_ns : 0;
}

/* Takes its strings, also when it fails. */
static int add_lane(struct drawing *drawing, const struct fl_scn_lane *lane, uint32_t *index)
{
	struct fl_scn_result *result = drawing->result;
	struct fl_scn_lane *all = realloc(result->lanes, (result->lanes_count + 1) * sizeof(*all));

	if (all)
		result->lanes = all;
	if (!all || !lane->name) {
		free(lane->name);
		free(lane->machine);
		return -ENOMEM;
	}
	*index = (uint32_t)result->lanes_count;
	all[result->lanes_count++] = *lane;
	return 0;
}

static int add_event(struct drawing *drawing, const struct fl_scn_event *event)
{
	struct fl_scn_result *result = drawing->result;
	struct fl_scn_event *all = realloc(result->events, (result->events_count + 1) * sizeof(*all));

	if (all)
		result->events = all;
	if (!all || !event->label || !event->detail) {
		free(event->label);
		free(event->detail);
		free(event->wish);
		return -ENOMEM;
	}
	all[result->events_count++] = *event;
	return 0;
}

static int add_lanes(struct drawing *drawing)
{
	const struct fl_scn_case *of = drawing->state->scenario_case;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < of->actors_count; i++) {
		const struct fl_scn_actor *who = &of->actors[i];
		struct fl_scn_lane lane = {
			.kind = who->by_host ? FL_SCN_LANE_HOST : FL_SCN_LANE_ACTOR,
			.name = strdup(who->name),
			.machine = who->by_host ? NULL : strdup(of->machines[who->machine].name),
			.clock_error_ns = drawing->state->seen[i].clock_error_ns,
		};

		ret = add_lane(drawing, &lane, &drawing->lane_of_actor[i]);
	}
	for (uint32_t i = 0; ret == 0 && !drawing->state->opts->native && i < of->machines_count; i++)
		for (uint32_t vcpu = 0; ret == 0 && vcpu < of->machines[i].vcpus; vcpu++) {
			struct fl_scn_lane lane = {.kind = FL_SCN_LANE_VCPU, .machine = strdup(of->machines[i].name)};
			uint32_t index;

			if (asprintf(&lane.name, "vcpu %u", vcpu) < 0)
				lane.name = NULL;
			ret = add_lane(drawing, &lane, &index);
			if (vcpu == 0 && ret == 0)
				drawing->first_vcpu_lane[i] = index;
		}
	return ret;
}

static bool is_wait(uint32_t op)
{
	return op == FL_SCN_OP_WAIT || op == FL_SCN_OP_BARRIER || op == FL_SCN_OP_SLEEP || op == FL_SCN_OP_SPIN ||
	       op == FL_SCN_OP_JOIN || op == FL_SCN_HOST_WAIT_FAULTS || op == FL_SCN_HOST_WAIT_TURNS;
}

static bool is_order(uint32_t op)
{
	return op == FL_SCN_OP_LOOP || op == FL_SCN_OP_END || op == FL_SCN_OP_MARK;
}

/* How well a fault fits to what an actor had. 0: not at all. */
static unsigned int fit_of(const struct fl_scn_fault *fault, const struct fl_scn_actor *who,
			   const struct fl_scn_seen *seen)
{
	bool has_address = seen->kind == FL_SCN_SIGNAL && seen->addr && fault->fault.flags & FL_FAULT_GVA_VALID;

	if (has_address)
		return seen->addr >> PAGE_BITS == fault->fault.gva >> PAGE_BITS ? 3 : 0;
	return who->cpu >= 0 && fault->fault.vcpu == (uint32_t)who->cpu ? 2 : 1;
}

/*
 * The fault that this came of: of those that began while the step ran the one at its address or, where it has none, on
 * the CPU that the actor is bound to; the last, if there are several. Index + 1, 0: none is known.
 */
static uint64_t fault_of(const struct drawing *drawing, uint32_t actor, const struct fl_scn_seen *seen)
{
	const struct fl_scn_actor *who = &drawing->state->scenario_case->actors[actor];
	uint64_t error_ns = drawing->state->seen[actor].clock_error_ns;
	unsigned int best = 1;
	uint64_t found = 0;

	if (who->by_host || (seen->kind != FL_SCN_SIGNAL && seen->kind != FL_SCN_ERROR && seen->kind != FL_SCN_KILLED))
		return 0;
	for (size_t i = 0; i < drawing->result->faults_count; i++) {
		const struct fl_scn_fault *fault = &drawing->result->faults[i];
		unsigned int fit = fit_of(fault, who, seen);

		if (fault->machine != who->machine || fault->at_ns + error_ns < seen->begin_ns ||
		    fault->at_ns > seen->end_ns + error_ns || fit < best)
			continue;
		best = fit;
		found = i + 1;
	}
	return found;
}

static int add_seen(struct drawing *drawing, uint32_t actor, uint32_t index, const struct fl_scn_seen *seen)
{
	const struct fl_scn_case *of = drawing->state->scenario_case;
	const struct fl_scn_step *step = &of->actors[actor].steps[index];
	const struct fl_scn_wish *wish = fl_scn_fitting_wish(step, seen);
	char label[FL_SCN_WORDS_LEN], detail[FL_SCN_WORDS_LEN], wished[FL_SCN_WORDS_LEN];

	if (is_order(step->row->op))
		return 0;
	fl_scn_say_step(of, actor, step, label);
	fl_scn_say_seen(of, actor, seen, detail);
	if (wish)
		fl_scn_say_wish(of, actor, wish, wished);
	struct fl_scn_event event = {
		.lane = drawing->lane_of_actor[actor],
		.kind = is_wait(step->row->op) ? FL_SCN_EVENT_WAIT : FL_SCN_EVENT_STEP,
		.begin_ns = since_begin(drawing, seen->begin_ns),
		.end_ns = since_begin(drawing, seen->end_ns),
		.count = seen->count,
		.last_ns = since_begin(drawing, seen->last_ns),
		.pos = step->pos,
		.unexpected = !fl_scn_step_fits(step, seen),
		.label = strdup(label),
		.detail = strdup(detail),
		.wish = wish ? strdup(wished) : NULL,
		.fault = fault_of(drawing, actor, seen),
	};
	int ret = add_event(drawing, &event);

	if (ret < 0 || !event.fault)
		return ret;
	event.kind = FL_SCN_EVENT_DELIVERY;
	event.begin_ns = event.end_ns;
	event.label = strdup(detail);
	event.detail = strdup(label);
	event.wish = NULL;
	return add_event(drawing, &event);
}

/* The block that has the mark or barrier; the first one, if several. */
static uint32_t setter_of(const struct fl_scn_case *of, uint32_t mark, struct fl_scn_pos *pos)
{
	for (uint32_t i = 0; i < of->actors_count; i++)
		for (uint32_t j = 0; j < of->actors[i].steps_count; j++) {
			const struct fl_scn_step *step = &of->actors[i].steps[j];

			if ((step->row->op == FL_SCN_OP_MARK || step->row->op == FL_SCN_OP_BARRIER) &&
			    step->operands[0].n == mark) {
				*pos = step->pos;
				return i;
			}
		}
	return NO_LANE;
}

static int add_marks(struct drawing *drawing)
{
	const struct fl_scn_case *of = drawing->state->scenario_case;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < of->marks_count; i++) {
		uint64_t ns = drawing->state->mark_times[i];
		struct fl_scn_event event = {.kind = FL_SCN_EVENT_MARK, .count = 1};
		uint32_t actor = setter_of(of, i, &event.pos);

		if (!ns || actor == NO_LANE)
			continue;
		event.lane = drawing->lane_of_actor[actor];
		event.begin_ns = since_begin(drawing, ns);
		event.end_ns = event.begin_ns;
		event.label = strdup(of->marks[i]);
		event.detail = strdup("");
		ret = add_event(drawing, &event);
	}
	return ret;
}

static int add_faults(struct drawing *drawing)
{
	const struct fl_scn_case *of = drawing->state->scenario_case;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < drawing->result->faults_count; i++) {
		const struct fl_scn_fault *fault = &drawing->result->faults[i];
		const struct fl_fault_times *times = &fault->fault.times;
		uint64_t took_ns = (uint64_t)times->intake_ns + times->locate_ns + times->classify_ns +
				   times->decide_ns + times->deliver_ns;
		struct fl_scn_event event = {.kind = FL_SCN_EVENT_FAULT, .count = 1, .fault = i + 1};

		if (fault->machine >= of->machines_count || fault->fault.vcpu >= of->machines[fault->machine].vcpus)
			continue;
		event.lane = drawing->first_vcpu_lane[fault->machine] + fault->fault.vcpu;
		event.begin_ns = since_begin(drawing, fault->at_ns);
		event.end_ns = since_begin(drawing, fault->at_ns + took_ns);
		if (asprintf(&event.label, "%s %s", fl_cause_name(fault->fault.cause),
			     fl_access_name(fault->fault.access)) < 0)
			event.label = NULL;
		event.detail = strdup(fl_outcome_name(fault->fault.outcome));
		ret = add_event(drawing, &event);
	}
	return ret;
}

static int by_begin(const void *a, const void *b)
{
	const struct fl_scn_event *one = a, *other = b;

	if (one->begin_ns != other->begin_ns)
		return one->begin_ns < other->begin_ns ? -1 : 1;
	return one->lane < other->lane ? -1 : one->lane > other->lane;
}

static int draw(struct drawing *drawing)
{
	const struct fl_scn_case *of = drawing->state->scenario_case;
	int ret = add_lanes(drawing);

	for (uint32_t i = 0; ret == 0 && i < of->actors_count; i++)
		for (uint32_t j = 0; ret == 0 && j < of->actors[i].steps_count; j++) {
			const struct fl_scn_step_seen *step = &drawing->state->seen[i].steps[j];

			for (uint32_t k = 0; ret == 0 && k < step->count; k++)
				ret = add_seen(drawing, i, j, &step->all[k]);
		}
	if (ret == 0)
		ret = add_marks(drawing);
	if (ret == 0)
		ret = add_faults(drawing);
	if (ret == 0 && drawing->result->events_count)
		qsort(drawing->result->events, drawing->result->events_count, sizeof(*drawing->result->events),
		      by_begin);
	return ret;
}

int fl_scn_make_timeline(const struct fl_scn_case_state *state, struct fl_scn_result *result)
{
	const struct fl_scn_case *of = state->scenario_case;
	struct drawing drawing = {
		.state = state,
		.result = result,
		.lane_of_actor = calloc(of->actors_count + 1, sizeof(*drawing.lane_of_actor)),
		.first_vcpu_lane = calloc(of->machines_count + 1, sizeof(*drawing.first_vcpu_lane)),
	};
	int ret = drawing.lane_of_actor && drawing.first_vcpu_lane ? draw(&drawing) : -ENOMEM;

	free(drawing.lane_of_actor);
	free(drawing.first_vcpu_lane);
	return ret;
}
