/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults whose policy asks: where the case has steps inside the one at hand, the vCPU's thread waits here for their
 * answer, and nothing is decided of the fault meanwhile.
 */
#include "cli/scenario/guests/guests_impl.h"

#include <errno.h>
#include <time.h>

/* Under the lock: is there a step of the host's that is to be inside it? */
static bool is_wanted(const struct fl_scn_guests *guests, uint64_t number)
{
	const struct fl_scn_case *of = guests->current.scenario_case;

	for (uint32_t i = 0; of && i < of->actors_count; i++)
		for (uint32_t j = 0; of->actors[i].by_host && j < of->actors[i].steps_count; j++) {
			const struct fl_scn_step *step = &of->actors[i].steps[j];

			if (step->row->op == FL_SCN_HOST_INSIDE && step->operands[0].n == number &&
			    step->operands[1].n == guests->current.machine)
				return true;
		}
	return false;
}

/* Under the lock. */
static void wait_for_answer(struct fl_scn_guests *guests, const struct fl_scn_held *held)
{
	uint64_t until_ns = fl_scn_now_ns() + guests->current.hold_ns;

	if (until_ns > guests->current.deadline_ns)
		until_ns = guests->current.deadline_ns;
	struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};

	while (!held->answered && !guests->lets_go)
		if (pthread_cond_timedwait(&guests->changed, &guests->lock, &until) == ETIMEDOUT)
			return;
}

enum fl_action fl_scn_guests_decide(void *arg, const struct fl_fault *fault)
{
	struct fl_scn_guests *guests = arg;
	struct fl_scn_held held = {.answer = FL_ACTION_NEXT};

	(void)fault;
	pthread_mutex_lock(&guests->lock);
	held.number = ++guests->questions;
	if (!guests->lets_go && is_wanted(guests, held.number)) {
		struct fl_scn_held **at = &guests->held;

		held.next = guests->held;
		guests->held = &held;
		guests->current.changed(guests->current.changed_arg);
		wait_for_answer(guests, &held);
		while (*at != &held)
			at = &(*at)->next;
		*at = held.next;
	}
	pthread_mutex_unlock(&guests->lock);
	return held.answer;
}

/* Under the lock; NULL: it does not wait. */
static struct fl_scn_held *find(struct fl_scn_guests *guests, uint64_t number)
{
	struct fl_scn_held *held = guests->held;

	while (held && (held->number != number || held->answered))
		held = held->next;
	return held;
}

bool fl_scn_guests_is_held(struct fl_scn_guests *guests, uint64_t number)
{
	pthread_mutex_lock(&guests->lock);
	bool is_held = find(guests, number);

	pthread_mutex_unlock(&guests->lock);
	return is_held;
}

int fl_scn_guests_answer(struct fl_scn_guests *guests, uint64_t number, enum fl_action answer)
{
	pthread_mutex_lock(&guests->lock);
	struct fl_scn_held *held = find(guests, number);

	if (held) {
		held->answer = answer;
		held->answered = true;
		pthread_cond_broadcast(&guests->changed);
	}
	pthread_mutex_unlock(&guests->lock);
	return held ? 0 : -ETIMEDOUT;
}

void fl_scn_guests_let_go(struct fl_scn_guests *guests)
{
	pthread_mutex_lock(&guests->lock);
	guests->lets_go = true;
	pthread_cond_broadcast(&guests->changed);
	pthread_mutex_unlock(&guests->lock);
}
