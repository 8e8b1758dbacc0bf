/* SPDX-License-Identifier: Apache-2.0 */
/* An actor's steps, one after the other, on its thread: what it is at, when it began, and what came of it. */
#include "guest/actor_script.h"

void fl_actor_locate(const struct fl_actor_self *self, struct fl_actor_outcome *outcome)
{
	for (uint32_t i = 0; i < FL_SCN_HANDLES_MAX; i++) {
		const struct fl_actor_map *map = &self->process->maps[i];

		if (!map->at || outcome->addr - (uintptr_t)map->at >= map->len)
			continue;
		outcome->map = i;
		outcome->offset = outcome->addr - (uintptr_t)map->at;
	}
}

static void go_to(struct fl_actor_self *self, uint32_t step)
{
	self->next = step + 1;
	__atomic_store_n(&self->actor->step, step, __ATOMIC_RELAXED);
	__atomic_store_n(&self->progress->step, step, __ATOMIC_RELAXED);
}

/* False: nothing comes behind that outcome. */
static bool run_step(struct fl_actor_self *self, uint32_t step)
{
	struct fl_actor_outcome outcome = {.map = FL_SCN_NO_MAP, .begin_ns = self->now_ns};

	go_to(self, step);
	fl_actor_try_step(self, &self->actor->steps[step], &outcome);
	self->now_ns = fl_now_ns(CLOCK_MONOTONIC);
	outcome.end_ns = FL_MAX(self->now_ns, outcome.begin_ns);
	outcome.cpu = fl_actor_cpu();
	if (fl_actor_record(self->actor, step, &outcome))
		fl_actor_note(self->process->world);
	return outcome.kind != FL_SCN_LATE;
}

void fl_actor_run_steps(struct fl_actor_self *self)
{
	uint32_t step = 0;
	bool goes_on = true;

	while (goes_on && step < self->actor->head.steps) {
		goes_on = run_step(self, step);
		step = self->next;
	}
	__atomic_store_n(&self->actor->step, step, __ATOMIC_RELAXED);
}
