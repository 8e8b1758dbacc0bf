/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a case only when all of it was read: files and guests. */
#include <inttypes.h>
#include <string.h>

#include "cli/scenario/language/build.h"

#define PAGE_LEN UINT64_C(4096)

/* ---- files ---------------------------------------------------------------------------------- */

static const struct fl_scn_file *find_file(const struct fl_scn_build *build, uint32_t dir, const char *path, size_t len)
{
	for (uint32_t i = 0; i < build->made->files_count; i++) {
		const struct fl_scn_file *file = &build->files[i];

		if (file->dir == dir && strlen(file->path) == len && memcmp(file->path, path, len) == 0)
			return file;
	}
	return NULL;
}

static bool check_parent(struct fl_scn_build *build, const struct fl_scn_file *file)
{
	const char *slash = strrchr(file->path, '/');
	const struct fl_scn_file *parent =
		slash ? find_file(build, file->dir, file->path, (size_t)(slash - file->path)) : NULL;

	if (!slash || (parent && parent->content == FL_SCN_FILE_DIR))
		return true;
	return fl_scn_wrong(build->reader, file->pos,
			    "The directory of %s/%s is missing: put a line \"subdir %s/%.*s\" before this one.",
			    build->dirs[file->dir].name, file->path, build->dirs[file->dir].name,
			    (int)(slash - file->path), file->path);
}

/* What the files take of a tmpfs: holes take nothing. */
static bool check_space(struct fl_scn_build *build, uint32_t dir)
{
	uint64_t need = 0;

	for (uint32_t i = 0; i < build->made->files_count; i++)
		if (build->files[i].dir == dir && build->files[i].content != FL_SCN_FILE_ZEROS)
			need += (build->files[i].len + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN;
	if (build->dirs[dir].kind != FL_SCN_DIR_TMPFS || need <= build->dirs[dir].len)
		return true;
	return fl_scn_wrong(build->reader, build->dirs[dir].pos,
			    "The tmpfs is too small: the files in it take %" PRIu64
			    "K, so make it that large at least.",
			    need / 1024);
}

bool fl_scn_check_files(struct fl_scn_build *build)
{
	bool good = true;

	for (uint32_t i = 0; i < build->made->files_count; i++)
		good &= check_parent(build, &build->files[i]);
	for (uint32_t i = 0; i < build->made->dirs_count; i++)
		good &= check_space(build, i);
	return good;
}

/* ---- guests --------------------------------------------------------------------------------- */

static bool check_start(struct fl_scn_build *build, uint32_t actor, uint32_t index, uint32_t *started)
{
	const struct fl_scn_step *step = &build->steps[actor][index];
	uint32_t who = (uint32_t)step->operands[0].n;
	const struct fl_scn_actor *other = &build->actors[who];
	enum fl_scn_relation relation = step->row->op == FL_SCN_OP_THREAD ? FL_SCN_THREAD : FL_SCN_CHILD;

	if (other->relation != relation || other->parent != actor)
		return fl_scn_wrong(build->reader, step->pos,
				    "%s is no %s of %s: say so in line %u, \"guest %s %s of %s\".", other->name,
				    relation == FL_SCN_THREAD ? "thread" : "child", build->actors[actor].name,
				    other->pos.line, other->name, relation == FL_SCN_THREAD ? "thread" : "child",
				    build->actors[actor].name);
	if (started[who]++)
		return fl_scn_wrong(build->reader, step->pos,
				    "%s is started for the second time: take one of the steps away.", other->name);
	for (uint32_t i = 0; i < index; i++)
		if (build->steps[actor][i].row->op == FL_SCN_OP_LOOP && build->steps[actor][i].jump > index)
			return fl_scn_wrong(build->reader, step->pos,
					    "%s can be started only once: put the step before or behind the loop.",
					    other->name);
	return true;
}

static bool check_join(struct fl_scn_build *build, uint32_t actor, const struct fl_scn_step *step)
{
	const struct fl_scn_actor *other = &build->actors[step->operands[0].n];

	return (other->relation != FL_SCN_PROCESS && other->parent == actor) ||
	       fl_scn_wrong(build->reader, step->pos,
			    "%s is no thread or child of %s: only these can be joined, so wait for a mark.",
			    other->name, build->actors[actor].name);
}

static bool check_starts(struct fl_scn_build *build)
{
	uint32_t started[FL_SCN_ALL_ACTORS] = {0};
	bool good = true;

	for (uint32_t i = 0; i < build->made->actors_count; i++) {
		for (uint32_t j = 0; j < build->actors[i].steps_count; j++) {
			const struct fl_scn_step *step = &build->steps[i][j];

			if (step->row->op == FL_SCN_OP_THREAD || step->row->op == FL_SCN_OP_FORK)
				good &= check_start(build, i, j, started);
			else if (step->row->op == FL_SCN_OP_JOIN)
				good &= check_join(build, i, step);
		}
	}
	for (uint32_t i = 0; i < build->made->actors_count; i++) {
		const struct fl_scn_actor *actor = &build->actors[i];

		if (actor->relation != FL_SCN_PROCESS && !started[i])
			good &= fl_scn_wrong(build->reader, actor->pos,
					     "Nobody starts %s: put a step \"%s %s\" into %s.", actor->name,
					     actor->relation == FL_SCN_THREAD ? "thread" : "fork", actor->name,
					     build->actors[actor->parent].name);
	}
	return good;
}

/* Text that goes with an actor over the wire; paths become longer there by the share's and the case's. */
static size_t text_len(const struct fl_scn_actor *actor)
{
	size_t len = 0;

	for (uint32_t i = 0; i < actor->steps_count; i++)
		for (uint32_t j = 0; j < FL_SCN_OPERANDS_MAX; j++) {
			const struct fl_scn_operand *operand = &actor->steps[i].operands[j];

			len += operand->text ? strlen(operand->text) + 1 + 320 : 0;
			for (const char *const *word = operand->words; word && *word; word++)
				len += strlen(*word) + 1;
		}
	return len;
}

static bool check_actor(struct fl_scn_build *build, const struct fl_scn_actor *actor, uint32_t *in_machine)
{
	const struct fl_scn_machine *machine = &build->machines[actor->machine];
	size_t room = FL_SCN_BODY_MAX - sizeof(struct fl_scn_wire_actor) -
		      actor->steps_count * sizeof(struct fl_scn_wire_step);

	if (actor->cpu >= 0 && (uint32_t)actor->cpu >= machine->vcpus)
		return fl_scn_wrong(
			build->reader, actor->pos,
			"The machine %s has %u CPUs, counted from 0: take a lower one than %d, or give it more.",
			machine->name, machine->vcpus, actor->cpu);
	if (++in_machine[actor->machine] > FL_SCN_ACTORS_MAX)
		return fl_scn_wrong(build->reader, actor->pos, "A machine has %u guests at most.", FL_SCN_ACTORS_MAX);
	if (text_len(actor) > room)
		return fl_scn_wrong(build->reader, actor->pos,
				    "Its paths and texts are too long all together: make two guests of it.");
	return true;
}

bool fl_scn_check_actors(struct fl_scn_build *build)
{
	uint32_t in_machine[FL_SCN_MACHINES_MAX] = {0};
	bool good = true;

	for (uint32_t i = 0; i < build->made->actors_count; i++)
		if (!build->actors[i].by_host)
			good &= check_actor(build, &build->actors[i], in_machine);
	return check_starts(build) && good;
}
