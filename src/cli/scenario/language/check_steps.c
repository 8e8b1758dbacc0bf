/* SPDX-License-Identifier: Apache-2.0 */
/* Steps: is what they use there, and can come of them what is wished? */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "cli/scenario/language/build.h"

/* ---- open files and mappings ----------------------------------------------------------------- */

static uint32_t process_of(const struct fl_scn_build *build, uint32_t actor)
{
	while (build->actors[actor].relation == FL_SCN_THREAD)
		actor = build->actors[actor].parent;
	return actor;
}

/* Where a guest that has a parent is started. */
static uint32_t start_of(const struct fl_scn_build *build, uint32_t actor)
{
	uint32_t parent = build->actors[actor].parent, i = 0;

	for (; i < build->actors[parent].steps_count; i++) {
		const struct fl_scn_step *step = &build->steps[parent][i];

		if ((step->row->op == FL_SCN_OP_THREAD || step->row->op == FL_SCN_OP_FORK) &&
		    step->operands[0].n == actor)
			break;
	}
	return i;
}

/*
 * Whether a handle can be there at a step. What another thread makes may be there in time, if marks see to that; a
 * child has what its parent had when it was forked.
 */
static bool is_available(const struct fl_scn_build *build, const struct fl_scn_handle *handle, uint32_t actor,
			 uint32_t step)
{
	for (;;) {
		uint32_t process;

		if (handle->actor == actor)
			return handle->step < step;
		process = process_of(build, actor);
		if (process_of(build, handle->actor) == process)
			return true;
		if (build->actors[process].relation == FL_SCN_PROCESS)
			return false;
		actor = build->actors[process].parent;
		step = start_of(build, process);
	}
}

static bool check_handle(struct fl_scn_build *build, const struct fl_scn_handle *handle, uint32_t actor, uint32_t step,
			 struct fl_scn_pos pos)
{
	if (is_available(build, handle, actor, step))
		return true;
	if (handle->actor == actor)
		return fl_scn_wrong(build->reader, pos, "%s is made in line %u only: put this step behind it.",
				    handle->name, handle->pos.line);
	return fl_scn_wrong(
		build->reader, pos,
		"%s is not there: %s makes it in line %u, in another process or after the fork, so make one here.",
		handle->name, build->actors[handle->actor].name, handle->pos.line);
}

/* How many bytes a step touches from the place on that is its operand `at`, which the signature has at `kind`. */
static uint64_t reach_of(const struct fl_scn_step *step, const char *kind, uint32_t at)
{
	for (; *kind; kind++) {
		if (*kind == 'n' || *kind == 'i')
			return step->operands[at].n;
		at += *kind != '?';
	}
	switch (step->row->op) {
	case FL_SCN_OP_VECTOR:
		return 16;
	case FL_SCN_OP_FUTEX:
		return 4;
	default:
		return 1;
	}
}

static bool check_reach(struct fl_scn_build *build, const struct fl_scn_step *step, const struct fl_scn_handle *map,
			uint64_t offset, uint64_t len)
{
	if (map->len == 0 || (len <= map->len && offset <= map->len - len))
		return true;
	return fl_scn_wrong(build->reader, step->pos,
			    "This goes beyond the %" PRIu64
			    " bytes that were mapped as %s: map more, or take fewer bytes.",
			    map->len, map->name);
}

static bool check_handles(struct fl_scn_build *build, uint32_t actor, uint32_t index)
{
	const struct fl_scn_step *step = &build->steps[actor][index];
	const struct fl_scn_family *family = fl_scn_family_of(build, actor);
	uint32_t at = 0;
	bool good = true;

	for (const char *kind = step->row->signature; *kind; kind++) {
		const struct fl_scn_operand *operand = &step->operands[at];

		if (*kind == '?')
			continue;
		if (*kind == 'f')
			good &= check_handle(build, &family->files[operand->n], actor, index, step->pos);
		if (*kind == 'm' || *kind == 'u')
			good &= check_handle(build, &family->maps[operand->n], actor, index, step->pos);
		if (*kind == 'm')
			good &= check_reach(build, step, &family->maps[operand->n], operand->offset,
					    reach_of(step, kind, at));
		at += *kind == 'L' ? 2 : 1;
	}
	for (uint32_t i = 0; i < step->wishes_count; i++)
		if (step->wishes[i].has_address)
			good &= check_handle(build, &family->maps[step->wishes[i].map], actor, index,
					     step->wishes[i].pos);
	return good;
}

/* ---- what the host can do to a dir ----------------------------------------------------------- */

static bool check_dir(struct fl_scn_build *build, const struct fl_scn_step *step, const struct fl_scn_dir *dir)
{
	switch (step->row->op) {
	case FL_SCN_HOST_FAIL_READS:
	case FL_SCN_HOST_HEAL:
	case FL_SCN_HOST_FREEZE:
	case FL_SCN_HOST_THAW:
		return dir->kind == FL_SCN_DIR_FAILING ||
		       fl_scn_wrong(build->reader, step->pos,
				    "This takes a dir that can fail: write \"dir %s failing\" in line %u.", dir->name,
				    dir->pos.line);
	case FL_SCN_HOST_FILL:
	case FL_SCN_HOST_FREE:
		return dir->kind == FL_SCN_DIR_TMPFS ||
		       fl_scn_wrong(
			       build->reader, step->pos,
			       "This would fill the host's disk: write \"dir %s tmpfs 16M\" or the like in line %u.",
			       dir->name, dir->pos.line);
	case FL_SCN_HOST_POISON:
		return dir->kind == FL_SCN_DIR_TMPFS ||
		       fl_scn_wrong(
			       build->reader, step->pos,
			       "Another file system would read the page anew: write \"dir %s tmpfs 16M\" or the like in "
			       "line %u.",
			       dir->name, dir->pos.line);
	case FL_SCN_HOST_REMOUNT:
		return dir->kind != FL_SCN_DIR_PLAIN ||
		       fl_scn_wrong(
			       build->reader, step->pos,
			       "This takes a dir that is a mount: write \"dir %s tmpfs 16M\" or \"dir %s failing\" in "
			       "line %u.",
			       dir->name, dir->name, dir->pos.line);
	default:
		return true;
	}
}

static bool check_host_step(struct fl_scn_build *build, const struct fl_scn_step *step)
{
	const struct fl_scn_operand *operand = &step->operands[0];

	if (step->row->op == FL_SCN_HOST_POISON || step->row->op == FL_SCN_HOST_DROP_CACHES)
		build->made->needs_root = true;
	build->made->poisons |= step->row->op == FL_SCN_HOST_POISON;
	switch (step->row->signature[0]) {
	case 'P':
		return check_dir(build, step, &build->dirs[operand->dir]);
	case 'D':
		return check_dir(build, step, &build->dirs[operand->n]);
	default:
		return true;
	}
}

/* ---- marks ----------------------------------------------------------------------------------- */

static bool check_wait(struct fl_scn_build *build, uint32_t actor, const struct fl_scn_step *step, uint64_t mark)
{
	const struct fl_scn_mark_uses *uses = &build->uses[mark];

	if (uses->parties || uses->actor != FL_SCN_NOBODY)
		return true;
	return fl_scn_wrong(build->reader, step->pos,
			    "Nobody sets the mark %s: put a step \"mark %s\" where %s is to go on.", build->marks[mark],
			    build->marks[mark], build->actors[actor].name);
}

static bool has_loop(const struct fl_scn_actor *actor)
{
	for (uint32_t i = 0; i < actor->steps_count; i++)
		if (actor->steps[i].row->op == FL_SCN_OP_LOOP)
			return true;
	return false;
}

static bool check_order(struct fl_scn_build *build, uint32_t actor, struct fl_scn_step *step)
{
	switch (step->row->op) {
	case FL_SCN_OP_WAIT:
		return check_wait(build, actor, step, step->operands[0].n);
	case FL_SCN_OP_LOOP:
		return step->operands[0].n != 0 || check_wait(build, actor, step, step->operands[1].n);
	case FL_SCN_OP_BARRIER:
		step->operands[1].n = build->uses[step->operands[0].n].parties;
		return step->operands[1].n > 1 ||
		       fl_scn_wrong(
			       build->reader, step->pos,
			       "Nobody else comes to the barrier %s: put a step \"barrier %s\" into another block.",
			       build->marks[step->operands[0].n], build->marks[step->operands[0].n]);
	case FL_SCN_HOST_WAIT_TURNS:
		return has_loop(&build->actors[step->operands[0].n]) ||
		       fl_scn_wrong(build->reader, step->pos, "%s has no loop whose turns could be waited for.",
				    build->actors[step->operands[0].n].name);
	default:
		return true;
	}
}

/* ---- wishes ---------------------------------------------------------------------------------- */

/* Why a wish can never come true; NULL if it can. */
static const char *why_never(const struct fl_scn_actor *actor, const struct fl_scn_step *step,
			     const struct fl_scn_wish *wish)
{
	uint32_t can = step->row->can;

	switch (wish->kind) {
	case FL_SCN_WISH_OK:
		return wish->has_value && !(can & FL_SCN_CAN_RETURN) ? "it returns no value: write ok" : NULL;
	case FL_SCN_WISH_ERROR:
		if (can & FL_SCN_CAN_FAIL)
			return NULL;
		return can & FL_SCN_CAN_FAULT ? "it is no system call: write a signal, like \"lost at MAPPING+OFFSET\""
					      : "it does not fail";
	case FL_SCN_WISH_SIGNAL:
	case FL_SCN_WISH_LOST:
		if (!(can & FL_SCN_CAN_FAULT))
			return can & FL_SCN_CAN_FAIL ? "in a system call memory that is lost is an errno: write EFAULT"
						     : "it touches no memory";
		if (actor->fatal)
			return "the guest is fatal, so signals end it: write \"killed\" and the signal";
		return actor->blocked ? "the guest has signals blocked, so they end it: write \"killed\" and the signal"
				      : NULL;
	case FL_SCN_WISH_KILLED:
		if (can & FL_SCN_CAN_DIE)
			return NULL;
		if (!(can & FL_SCN_CAN_FAULT))
			return "nothing kills the guest here";
		if (!actor->fatal && !actor->blocked && wish->value != SIGKILL)
			return "the guest catches signals: say \"fatal\" or \"blocked\" of it, or leave \"killed\" away";
		return NULL;
	case FL_SCN_WISH_ANY:
		return NULL;
	}
	return NULL;
}

static bool check_wishes(struct fl_scn_build *build, const struct fl_scn_actor *actor, const struct fl_scn_step *step)
{
	bool good = true;

	for (uint32_t i = 0; i < step->wishes_count; i++) {
		const char *why = why_never(actor, step, &step->wishes[i]);

		if (why)
			good &= fl_scn_wrong(build->reader, step->wishes[i].pos, "This never comes of \"%s\": %s.",
					     step->row->name, why);
	}
	return good;
}

/* Whether the guest is gone for certain behind this step. */
static bool ends_guest(const struct fl_scn_step *step)
{
	uint32_t deaths = 0;

	for (uint32_t i = 0; i < step->wishes_count; i++)
		deaths += step->wishes[i].kind == FL_SCN_WISH_KILLED;
	return deaths && deaths == step->wishes_count && !(step->row->can & FL_SCN_CAN_DIE) && !step->may_be_left_out;
}

static bool check_behind_end(struct fl_scn_build *build, uint32_t actor, uint32_t index)
{
	if (!ends_guest(&build->steps[actor][index]))
		return true;
	for (uint32_t i = index + 1; i < build->actors[actor].steps_count; i++) {
		const struct fl_scn_step *step = &build->steps[actor][i];

		if (!step->may_be_left_out && step->row->op != FL_SCN_OP_END)
			return fl_scn_wrong(
				build->reader, step->pos,
				"This is never reached, since the step in line %u ends the guest: take it away.",
				build->steps[actor][index].pos.line);
	}
	return true;
}

bool fl_scn_check_steps(struct fl_scn_build *build)
{
	bool good = true;

	for (uint32_t i = 0; i < build->made->actors_count; i++) {
		for (uint32_t j = 0; j < build->actors[i].steps_count; j++) {
			struct fl_scn_step *step = &build->steps[i][j];

			good &= check_handles(build, i, j);
			good &= !build->actors[i].by_host || check_host_step(build, step);
			good &= check_order(build, i, step);
			good &= check_wishes(build, &build->actors[i], step);
			good &= check_behind_end(build, i, j);
		}
	}
	return good;
}
