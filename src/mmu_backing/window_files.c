/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/window_priv.h"

static size_t bucket_of(dev_t dev, ino_t ino)
{
	return (size_t)(fl_file_hash(dev, ino) >> 32) % FL_WINDOW_FILE_BUCKETS;
}

struct fl_window_file *fl_window_file_find(const struct fl_window *window, dev_t dev, ino_t ino)
{
	struct fl_window_file *file = window->files[bucket_of(dev, ino)];

	while (file && (file->dev != dev || file->ino != ino))
		file = file->next_in_bucket;
	return file;
}

struct fl_window_file *fl_window_file_get(struct fl_window *window, const struct fl_backing *backing)
{
	struct fl_window_file *file = fl_window_file_find(window, backing->dev, backing->ino);
	struct fl_window_file **bucket = &window->files[bucket_of(backing->dev, backing->ino)];

	if (file)
		return file;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	*file = (struct fl_window_file){.dev = backing->dev, .ino = backing->ino, .next_in_bucket = *bucket};
	*bucket = file;
	return file;
}

void fl_window_file_link(struct fl_window_file *file, struct fl_range *range)
{
	range->next = file->ranges;
	range->link = &file->ranges;
	if (range->next)
		range->next->link = &range->next;
	file->ranges = range;
}

void fl_window_file_unlink(struct fl_range *range)
{
	*range->link = range->next;
	if (range->next)
		range->next->link = range->link;
}

static void forget(struct fl_window *window, struct fl_window_file *file)
{
	struct fl_window_file **at = &window->files[bucket_of(file->dev, file->ino)];

	while (*at != file)
		at = &(*at)->next_in_bucket;
	*at = file->next_in_bucket;
	free(file);
}

void fl_window_file_settle(struct fl_window *window, struct fl_window_file *file)
{
	if (file->watched && !(file->ranges && (window->hide_ends || file->substitutes))) {
		fl_watch_remove(window->watch, window, file->dev, file->ino);
		file->watched = false;
	}
	if (!file->ranges)
		forget(window, file);
}

/*
 * A file system that has let a file be mapped once will do so again, so a trial for each file and each right is enough
 * to keep what cannot be mapped away from the window. Where that proves wrong, a hole has had to be closed: from then
 * on nothing is taken for granted in this window.
 */
int fl_window_file_try(const struct fl_window *window, struct fl_window_file *file, const struct fl_backing *backing,
		       uint64_t len, uint64_t file_offset, enum fl_range_state state)
{
	bool writable = state == FL_RANGE_MAPPED_RW;
	int error;

	if (backing->steady && file->tried[writable] && !window->stats.repairs)
		return 0;
	error = fl_vma_try_file(len, fl_range_prot(state), backing, file_offset);
	if (error)
		return error;
	file->tried[false] = true;
	file->tried[true] |= writable;
	return 0;
}

int fl_window_file_watch_before(struct fl_window *window, struct fl_backing *backing, bool *watched)
{
	int error;

	*watched = false;
	if (!backing->remote || !window->watch || !window->hide_ends)
		return 0;
	error = fl_watch_add(window->watch, window, backing);
	*watched = error == 0;
	return error;
}

int fl_window_file_watch(struct fl_window *window, struct fl_window_file *file, struct fl_backing *backing)
{
	int error;

	if (!window->watch || file->watched)
		return 0;
	error = fl_watch_add(window->watch, window, backing);
	file->watched = error == 0;
	return error;
}

static int follow_all(struct fl_window *window, struct fl_window_file *file, uint64_t file_len)
{
	int first_error = 0;

	for (struct fl_range *range = file->ranges; range && !window->broken; range = range->next) {
		int error = fl_range_follow(window, range, file_len);

		first_error = first_error ? first_error : error;
	}
	return first_error;
}

static int follow_fresh(struct fl_window *window, struct fl_range *fresh, size_t count, uint64_t file_len)
{
	int first_error = 0;

	for (size_t i = 0; i < count && !window->broken; i++) {
		int error = fl_range_follow(window, &fresh[i], file_len);

		first_error = first_error ? first_error : error;
	}
	return first_error;
}

int fl_window_file_follow(struct fl_window *window, struct fl_window_file *file, uint64_t file_len,
			  struct fl_range *fresh, size_t fresh_count)
{
	bool all = file_len != file->len || file->behind;
	int error = 0, fresh_error;

	if (!window->hide_ends && !file->substitutes && !file->behind)
		return 0;
	file->len = file_len;
	file->behind = false;
	if (all)
		error = follow_all(window, file, file_len);
	fresh_error = follow_fresh(window, fresh, fresh_count, file_len);
	if (window->broken) /* then the file may have lost its ranges, and with them its entry */
		return -ENOTRECOVERABLE;
	/* recovering may have set it as well: what could not be put back is to be tried again */
	file->behind |= error || fresh_error;
	return fresh_error;
}
