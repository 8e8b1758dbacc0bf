/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/window_priv.h"

/*
 * Linux begins to give ranges back when a fifth of them is left (fs/fuse/dax.c FUSE_DAX_RECLAIM_THRESHOLD), so a window
 * that is used moderately is never as full as this; a guest whose working set is larger than its window goes up and
 * down between the two.
 */
static bool is_nearly_full(const struct fl_window_stats *stats)
{
	return stats->ranges_mapped >= stats->ranges_total - stats->ranges_total / 16;
}

static bool has_room_again(const struct fl_window_stats *stats)
{
	return stats->ranges_mapped <= stats->ranges_total - stats->ranges_total / 8;
}

/* A guest can bring any of this about as often as it likes: whoever is told does not have to be protected from it. */
static bool may_tell(struct fl_window *window, enum fl_window_trouble trouble)
{
	uint64_t now_ns;

	if (!trouble)
		return false;
	now_ns = fl_now_ns(CLOCK_MONOTONIC);
	if (now_ns < window->may_tell_from_ns[trouble])
		return false;
	window->may_tell_from_ns[trouble] = now_ns + FL_WINDOW_TELL_NS;
	return true;
}

static enum fl_window_trouble count_trouble(struct fl_window *window, int error)
{
	struct fl_window_stats *stats = &window->stats;

	if (error == -ENOMEM) {
		stats->no_mappings++;
		return FL_WINDOW_NO_MAPPINGS;
	}
	stats->ranges_most = FL_MAX(stats->ranges_most, stats->ranges_mapped);
	if (has_room_again(stats))
		window->nearly_full = false;
	if (window->nearly_full || !is_nearly_full(stats))
		return FL_WINDOW_NO_TROUBLE;
	window->nearly_full = true;
	stats->nearly_full++;
	return FL_WINDOW_NEARLY_FULL;
}

struct fl_window_note fl_window_note(struct fl_window *window, int error)
{
	enum fl_window_trouble trouble = count_trouble(window, error);
	struct fl_window_note note = {.unused = window->unused};

	window->unused = NULL;
	note.trouble = may_tell(window, trouble) ? trouble : FL_WINDOW_NO_TROUBLE;
	if (note.trouble)
		note.stats = window->stats;
	return note;
}

void fl_window_pass_on(struct fl_window *window, const struct fl_window_note *note)
{
	if (note->trouble && window->on_trouble)
		window->on_trouble(window->on_trouble_arg, note->trouble, &note->stats);
	fl_backing_close_all(note->unused);
}

void fl_window_set_on_trouble(struct fl_window *window, fl_window_trouble_fn fn, void *arg)
{
	window->on_trouble = fn;
	window->on_trouble_arg = arg;
}
