/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/run/case_state.h"

#include "cli/scenario/guests/guests_impl.h"

#define NO_MACHINE	 UINT32_MAX
#define SEVERAL_MACHINES (UINT32_MAX - 1)

/* parties: of all, as each of its steps says it; 0: the mark is no barrier. Returns the machine of those in guests. */
static uint32_t machine_of(const struct fl_scn_case *of, uint32_t mark, uint32_t *parties)
{
	uint32_t machine = NO_MACHINE;

	*parties = 0;
	for (uint32_t i = 0; i < of->actors_count; i++)
		for (uint32_t j = 0; j < of->actors[i].steps_count; j++) {
			const struct fl_scn_step *step = &of->actors[i].steps[j];

			if (step->row->op != FL_SCN_OP_BARRIER || step->operands[0].n != mark)
				continue;
			*parties = (uint32_t)step->operands[1].n;
			if (!of->actors[i].by_host)
				machine = machine == NO_MACHINE || machine == of->actors[i].machine
						  ? of->actors[i].machine
						  : SEVERAL_MACHINES;
		}
	return machine;
}

int fl_scn_case_arrive(struct fl_scn_case_state *state, uint32_t mark)
{
	uint64_t now_ns = fl_scn_now_ns();
	uint32_t parties, machine = machine_of(state->scenario_case, mark, &parties);

	pthread_mutex_lock(&state->lock);
	uint32_t arrived = ++state->arrived[mark];

	pthread_mutex_unlock(&state->lock);
	if (machine == SEVERAL_MACHINES)
		return 0;
	if (machine == NO_MACHINE)
		return arrived == parties ? fl_scn_case_set_mark(state, mark, now_ns) : 0;
	int ret = fl_scn_page_arrive(fl_scn_guests_page(state->opts->guests[machine]), mark, arrived, parties, now_ns);

	return ret < 0 ? ret : 0;
}

void fl_scn_case_carry_barrier(struct fl_scn_case_state *state, uint32_t mark)
{
	uint32_t parties, machine = machine_of(state->scenario_case, mark, &parties);

	if (machine != SEVERAL_MACHINES)
		return;
	pthread_mutex_lock(&state->lock);
	uint64_t arrived = state->arrived[mark];

	pthread_mutex_unlock(&state->lock);
	for (uint32_t i = 0; i < state->scenario_case->machines_count; i++)
		arrived += fl_scn_page_read_arrived(fl_scn_guests_page(state->opts->guests[i]), mark);
	/* a mark that cannot be set is one that is never seen: the case ends with its time, and says who waited */
	if (arrived >= parties)
		(void)!fl_scn_case_set_mark(state, mark, fl_scn_now_ns());
}
