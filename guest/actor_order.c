/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that order actors among each other. */
#include "guest/actor_script.h"

#include <string.h>

static struct fl_actor_result late(void)
{
	return (struct fl_actor_result){.kind = FL_SCN_LATE};
}

static struct fl_actor_result in_time(bool in_time)
{
	return in_time ? fl_actor_did(0) : late();
}

static struct fl_scn_mark *mark_of(const struct fl_actor_self *self, uint64_t number)
{
	return &self->process->world->page->marks[number];
}

static bool is_set(void *arg)
{
	const struct fl_scn_mark *mark = arg;

	return __atomic_load_n(&mark->set, __ATOMIC_ACQUIRE);
}

static void set(struct fl_scn_mark *mark)
{
	if (is_set(mark))
		return;
	mark->ns = fl_now_ns(CLOCK_MONOTONIC);
	mark->by_host = 0;
	__atomic_store_n(&mark->set, 1, __ATOMIC_RELEASE);
}

struct fl_actor_result fl_actor_op_mark(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	set(mark_of(self, step->n[0]));
	return fl_actor_did(0);
}

struct fl_actor_result fl_actor_op_wait(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct fl_scn_mark *mark = mark_of(self, step->n[0]);
	uint64_t from;

	if (!fl_actor_wait(self, is_set, mark))
		return late();
	from = mark->ns;
	if (mark->by_host)
		from += self->process->world->page->guest_minus_host_ns;
	return in_time(!step->n[1] || fl_actor_sleep_until(self, from + step->n[1]));
}

struct barrier {
	struct fl_scn_mark *mark;
	uint64_t parties;
};

static bool all_are_there(void *arg)
{
	const struct barrier *barrier = arg;
	uint64_t arrived = __atomic_load_n(&barrier->mark->arrived, __ATOMIC_SEQ_CST);

	if (is_set(barrier->mark))
		return true;
	arrived += __atomic_load_n(&barrier->mark->host_arrived, __ATOMIC_SEQ_CST);
	if (arrived < barrier->parties)
		return false;
	set(barrier->mark);
	return true;
}

struct fl_actor_result fl_actor_op_barrier(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct barrier barrier = {.mark = mark_of(self, step->n[0]), .parties = step->n[1]};

	__atomic_add_fetch(&barrier.mark->arrived, 1, __ATOMIC_SEQ_CST);
	return in_time(fl_actor_wait(self, all_are_there, &barrier));
}

struct fl_actor_result fl_actor_op_sleep(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	return in_time(fl_actor_sleep_until(self, fl_now_ns(CLOCK_MONOTONIC) + step->n[0]));
}

struct fl_actor_result fl_actor_op_spin(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint64_t now = fl_now_ns(CLOCK_MONOTONIC), until = now + step->n[0];

	for (; now < until; now = fl_now_ns(CLOCK_MONOTONIC))
		if (!fl_actor_may_go_on(self, now))
			return late();
	return fl_actor_did(0);
}

struct fl_actor_result fl_actor_op_loop(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	self->turns[step - self->actor->steps] = 0;
	return fl_actor_did(0);
}

struct fl_actor_result fl_actor_op_end(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const struct fl_actor_step *loop = &self->actor->steps[step->n[0]];
	uint64_t turns = ++self->turns[step->n[0]];

	__atomic_store_n(&self->progress->iterations, self->progress->iterations + 1, __ATOMIC_RELAXED);
	if (loop->n[0] ? turns >= loop->n[0] : is_set(mark_of(self, loop->n[1])))
		return fl_actor_did(0);
	if (!fl_actor_may_go_on(self, self->now_ns))
		return late();
	self->next = (uint32_t)step->n[0] + 1;
	return fl_actor_did(0);
}

static bool has_ended(void *arg)
{
	return __atomic_load_n(&((const struct fl_actor *)arg)->state, __ATOMIC_ACQUIRE) == FL_ACTOR_ENDED;
}

struct fl_actor_result fl_actor_op_join(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	return in_time(fl_actor_wait(self, has_ended, &self->process->world->actors[step->n[0]]));
}

struct fl_actor_result fl_actor_op_say(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct fl_actor *actor = self->actor;

	if (actor->says < FL_SCN_SAYS_MAX) {
		actor->says++;
		fl_actor_log(actor, FL_ACTOR_LOG_SAY | (uint32_t)(step - actor->steps));
		fl_actor_note(self->process->world);
	}
	return fl_actor_did(0);
}
