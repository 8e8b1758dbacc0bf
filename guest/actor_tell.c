/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/actor_tell.h"

#include <string.h>

static void tell_outcome(struct fl_actor_port *port, const struct fl_actor *actor, uint32_t step, uint32_t number)
{
	const struct fl_actor_outcome *outcome = &actor->outcomes[step].each[number];
	const struct fl_scn_wire_outcome wire = {
		.actor = actor->head.actor,
		.step = step,
		.kind = outcome->kind,
		.number = number,
		.code = outcome->code,
		.cpu = outcome->cpu,
		.value = outcome->value,
		.addr = outcome->addr,
		.begin_ns = outcome->begin_ns,
		.end_ns = outcome->end_ns,
		.offset = outcome->offset,
		.map = outcome->map,
		.cause = outcome->cause,
		.access = outcome->access,
	};

	fl_actor_port_put(port, FL_SCN_OUTCOME, &wire, sizeof(wire), NULL, 0);
}

static void tell_entry(struct fl_actor_port *port, const struct fl_actor *actor, uint32_t entry)
{
	const struct fl_scn_wire_actor_id id = {.actor = actor->head.actor};
	const char *text = actor->steps[entry & (FL_SCN_STEPS_MAX - 1)].text;

	if (entry & FL_ACTOR_LOG_SAY)
		fl_actor_port_put(port, FL_SCN_SAY, &id, sizeof(id), text,
				  FL_MIN(strlen(text), FL_SCN_BODY_MAX - sizeof(id)));
	else
		tell_outcome(port, actor, entry & (FL_SCN_STEPS_MAX - 1), entry / FL_SCN_STEPS_MAX);
}
_Static_assert(FL_SCN_STEPS_MAX == 256 && FL_SCN_OUTCOMES_MAX <= 128, "an entry of the log holds both");

static void tell_log(struct fl_actor_port *port, const struct fl_actor *actor, struct fl_actor_told *told)
{
	uint32_t len = __atomic_load_n(&actor->log_len, __ATOMIC_ACQUIRE);

	while (told->log < len && fl_actor_port_has_room(port))
		tell_entry(port, actor, actor->log[told->log++]);
}

static void tell_counts(struct fl_actor_port *port, const struct fl_actor *actor, struct fl_actor_told *told)
{
	while (told->step < actor->head.steps && fl_actor_port_has_room(port)) {
		const struct fl_actor_outcomes *outcomes = &actor->outcomes[told->step];
		const struct fl_actor_outcome *outcome = &outcomes->each[told->number];

		if (told->number == outcomes->count) {
			told->step++;
			told->number = 0;
			continue;
		}
		const struct fl_scn_wire_counts wire = {
			.actor = actor->head.actor,
			.step = told->step,
			.number = told->number++,
			.count = outcome->count,
			.last_ns = outcome->last_ns,
			.longest_ns = outcome->longest_ns,
		};

		fl_actor_port_put(port, FL_SCN_COUNTS, &wire, sizeof(wire), NULL, 0);
	}
}

static void tell_done(struct fl_actor_port *port, const struct fl_actor *actor, struct fl_actor_told *told)
{
	const struct fl_scn_wire_done done = {
		.actor = actor->head.actor,
		.signal = told->signal,
		.next_step = __atomic_load_n(&actor->step, __ATOMIC_ACQUIRE),
	};

	fl_actor_port_put(port, FL_SCN_DONE, &done, sizeof(done), NULL, 0);
	told->done = true;
}

/* Who has not begun, and whose parent can begin nobody any more. */
static bool will_never_begin(const struct fl_actor_told *all, const struct fl_actor *actor)
{
	return fl_actor_is(actor, FL_ACTOR_WAITS) && actor->head.relation != FL_SCN_PROCESS &&
	       all[actor->head.parent].done;
}

static bool tell_actor(struct fl_actor_told *all, struct fl_actor_port *port, const struct fl_actor *actor)
{
	struct fl_actor_told *told = &all[actor->head.actor];
	/* before the log is looked at: an actor that has ended writes no more */
	bool ended = fl_actor_is(actor, FL_ACTOR_ENDED) || will_never_begin(all, actor);

	if (told->done)
		return false;
	tell_log(port, actor, told);
	if (!ended || !fl_actor_port_has_room(port))
		return !fl_actor_port_has_room(port);
	tell_counts(port, actor, told);
	if (!fl_actor_port_has_room(port))
		return true;
	tell_done(port, actor, told);
	return false;
}

bool fl_actor_tell(const struct fl_actor_world *world, struct fl_actor_told all[FL_SCN_ACTORS_MAX],
		   struct fl_actor_port *port)
{
	bool more = false;

	for (uint32_t i = 0; i < FL_SCN_ACTORS_MAX; i++)
		if (world->actors[i].loaded)
			more |= tell_actor(all, port, &world->actors[i]);
	return more;
}
