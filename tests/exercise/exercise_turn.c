/* SPDX-License-Identifier: Apache-2.0 */
/* What an actor does before its own operations, and after them. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/exercise/exercise_look.h"

#define LARGE_PRIME 2654435761u

static bool look_at_sizes(struct ex_actor *actor)
{
	for (unsigned int i = 0; i < actor->model.config.files; i++)
		if (!ex_look_at_size(actor, i))
			return false;
	return true;
}

/* All of it, or of a long one the beginning, the end and a piece between them. */
static bool look_at_change(struct ex_actor *actor, const struct ex_change *change, enum ex_way way)
{
	uint64_t size = actor->model.files[change->file].size;
	uint64_t end = change->offset + change->len < size ? change->offset + change->len : size;
	uint64_t len = end > change->offset ? end - change->offset : 0;

	if (len <= 3 * EX_OP_LEN_MAX)
		return ex_look_at(actor, change->file, change->offset, len, way);
	/* the model's number of operations is as good as a random number */
	uint64_t between = change->offset + (actor->model.ops * LARGE_PRIME) % (len - EX_OP_LEN_MAX);

	return ex_look_at(actor, change->file, change->offset, EX_OP_LEN_MAX, way) &&
	       ex_look_at(actor, change->file, between, EX_OP_LEN_MAX, way) &&
	       ex_look_at(actor, change->file, end - EX_OP_LEN_MAX, EX_OP_LEN_MAX, way);
}

static bool look_at_changes(struct ex_actor *actor)
{
	const struct ex_model *model = &actor->model;
	uint64_t oldest = model->change_count > EX_CHANGES ? model->change_count - EX_CHANGES : 0;

	for (uint64_t i = actor->changes_seen > oldest ? actor->changes_seen : oldest; i < model->change_count; i++) {
		const struct ex_change *change = &model->changes[i % EX_CHANGES];
		/* read() goes by the size that the kernel knows, which may still be the old one */
		enum ex_way way = actor->kernel == EX_CACHED && i % 2 ? EX_BY_READ : EX_BY_MAP;

		if (change->actor != actor->self && !look_at_change(actor, change, way))
			return false;
	}
	return true;
}

/* Before anybody has asked for the size */
static bool look_at_new_ends(struct ex_actor *actor)
{
	for (unsigned int i = 0; i < actor->model.config.files; i++)
		if (actor->model.files[i].size < actor->files[i].known_size && !ex_look_at_end(actor, i))
			return false;
	return true;
}

bool ex_look(struct ex_actor *actor)
{
	bool good;

	if (actor->kernel == EX_CACHED)
		good = look_at_sizes(actor) && look_at_changes(actor);
	else
		good = look_at_changes(actor) && look_at_new_ends(actor) && look_at_sizes(actor);
	actor->changes_seen = actor->model.change_count;
	return good;
}

static bool needs_fsync(const struct ex_actor *actor, const struct ex_open_file *file)
{
	if (actor->kernel == EX_CACHED)
		return file->stored;
	return actor->kernel == EX_DAX && actor->model.config.has_caches && (file->stored || file->written);
}

static bool needs_time(const struct ex_actor *actor, const struct ex_open_file *file)
{
	if (!actor->model.config.has_caches)
		return false;
	return actor->kernel == EX_STOCK ? file->stored || file->written : actor->kernel == EX_HOST && file->stored;
}

bool ex_hand_over(struct ex_actor *actor)
{
	for (unsigned int i = 0; i < actor->model.config.files; i++) {
		struct ex_open_file *file = &actor->files[i];

		if (needs_fsync(actor, file) && fsync(file->fd) < 0)
			return ex_failed(actor, "fsync", i, -1);
		if (needs_time(actor, file) && futimens(file->fd, NULL) < 0)
			return ex_failed(actor, "futimens", i, -1);
		file->stored = file->written = false;
	}
	actor->changes_seen = actor->model.change_count;
	return true;
}

bool ex_look_at_all(struct ex_actor *actor)
{
	for (unsigned int i = 0; i < actor->model.config.files; i++) {
		uint64_t size = actor->model.files[i].size;

		if (!ex_look_at_size(actor, i) || !ex_look_at(actor, i, 0, size, EX_BY_MAP) ||
		    !ex_look_at(actor, i, 0, size, EX_BY_READ) || !ex_look_at_end(actor, i))
			return false;
	}
	return true;
}
