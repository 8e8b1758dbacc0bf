/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/window_priv.h"

#include <string.h>

/* ---- is what the kernel has what the table says? ---------------------------------------- */

struct intact_walk {
	const struct fl_window *window;
	uint64_t next; /* up to here it is */
	uint64_t end;
};

/* No device number: for btrfs and overlayfs stat(2) and /proc/self/maps differ in it. */
static bool is_file(const struct fl_vma *vma, const char *perms, uint64_t ino, uint64_t start, uint64_t file_offset)
{
	return strcmp(vma->perms, perms) == 0 && vma->ino == ino &&
	       vma->file_offset + (start - vma->start) == file_offset;
}

static bool is_none(const struct fl_window *window, const struct fl_vma *vma, uint64_t start)
{
	return is_file(vma, "---s", window->none.ino, start, start - (uintptr_t)window->none.origin);
}

/* Of the page at start, part of vma. */
static bool page_matches(const struct fl_window *window, const struct fl_range *range, unsigned int page,
			 const struct fl_vma *vma, uint64_t start)
{
	switch (fl_range_page_kind(range, page)) {
	case FL_PAGE_HIDDEN:
		return is_none(window, vma, start);
	case FL_PAGE_SUBSTITUTE:
		return is_file(vma, "rw-p", window->zero.ino, start, 0);
	case FL_PAGE_FILE:
		break;
	}
	return is_file(vma, range->state == FL_RANGE_MAPPED_RW ? "rw-s" : "r--s", range->backing->ino, start,
		       range->file_offset + page * FL_PAGE_LEN);
}

/* Up to where, from start on, vma can be compared at its first page alone; start itself if that is wrong. */
static uint64_t matches_until(const struct fl_window *window, const struct fl_vma *vma, uint64_t start)
{
	uint64_t offset = start - (uintptr_t)window->hva;
	const struct fl_range *range = &window->ranges[offset / FL_RANGE_LEN];
	uint64_t range_start = (uintptr_t)window->hva + fl_align_down(offset, FL_RANGE_LEN);
	unsigned int page = (unsigned int)(offset % FL_RANGE_LEN / FL_PAGE_LEN);

	if (range->state == FL_RANGE_RESERVED)
		return is_none(window, vma, start) ? FL_MIN(vma->end, range_start + FL_RANGE_LEN) : start;
	if (!fl_range_is_mapped(range) || !page_matches(window, range, page, vma, start))
		return start;
	return FL_MIN(vma->end, range_start + fl_range_run_end(range, page) * FL_PAGE_LEN);
}

static bool check_vma(void *arg, const struct fl_vma *vma)
{
	struct intact_walk *walk = arg;

	if (vma->start > walk->next)
		return false;
	while (walk->next < vma->end && walk->next < walk->end) {
		uint64_t until = matches_until(walk->window, vma, walk->next);

		if (until == walk->next)
			return false;
		walk->next = FL_MIN(until, walk->end);
	}
	return walk->next < walk->end;
}

static bool is_intact(const struct fl_window *window, struct fl_span span)
{
	uint64_t start = (uintptr_t)fl_span_hva(window, span);
	struct intact_walk walk = {.window = window, .next = start, .end = start + fl_span_len(span)};

	return fl_vma_walk(window->maps_fd, walk.next, walk.end, check_vma, &walk) == 0 && walk.next == walk.end;
}

/* ---- range by range --------------------------------------------------------------------- */

/* The part of span that lies in the range of its page `at`. */
struct part {
	struct fl_range *range;
	unsigned int first, end;
};

static struct part part_at(struct fl_window *window, struct fl_span span, uint64_t at)
{
	uint64_t range_start = fl_align_down(at, FL_RANGE_PAGES);

	return (struct part){.range = &window->ranges[at / FL_RANGE_PAGES],
			     .first = (unsigned int)(at - range_start),
			     .end = (unsigned int)FL_MIN(span.first + span.count - range_start, FL_RANGE_PAGES)};
}

/* Some of a mapped range's pages are PROT_NONE, whatever they should be: following the file will put them right. */
static void mark_lost(struct fl_window *window, struct part part)
{
	fl_range_mark(window, part.range, part.first, part.end, FL_PAGE_HIDDEN);
	part.range->file->behind = true;
}

static void give_up_part(struct fl_window *window, struct part part)
{
	struct fl_span span = fl_range_span(window, part.range, part.first, part.end);
	bool closed = fl_vma_fill_none(fl_span_hva(window, span), fl_span_len(span), &window->none) == 0;

	if (!closed)
		fl_range_set(window, part.range, (struct fl_range){.state = FL_RANGE_BROKEN});
	else if (span.count == FL_RANGE_PAGES)
		fl_range_set(window, part.range, (struct fl_range){.state = FL_RANGE_RESERVED});
	else if (fl_range_is_mapped(part.range))
		mark_lost(window, part);
}

/*
 * Something that is not ours is in the window. It is left alone (it is somebody's memory), what is
 * still free is closed, and the owner must stop the VM.
 */
static void give_up(struct fl_window *window, struct fl_span span)
{
	struct part part;

	window->broken = true;
	for (uint64_t at = span.first; at < span.first + span.count; at += part.end - part.first) {
		part = part_at(window, span, at);
		give_up_part(window, part);
	}
	if (window->on_broken)
		window->on_broken(window->on_broken_arg);
}

/* It could not be brought back: it stays closed. */
static void lose(struct fl_window *window, struct part run)
{
	struct fl_span span = fl_range_span(window, run.range, run.first, run.end);
	int error = fl_vma_fill_none(fl_span_hva(window, span), fl_span_len(span), &window->none);

	mark_lost(window, run);
	if (error && !(error == -EEXIST && is_intact(window, span)))
		give_up(window, span);
}

/*
 * Brings back what a hole swallowed, so that the failure costs the guest nothing; only the bytes of substituted
 * pages, which nobody else had, are zero again.
 */
static void restore(struct fl_window *window, struct part part)
{
	struct part run = {.range = part.range};

	part.range->seq++; /* who looked on has seen it empty */
	if (!fl_range_is_mapped(part.range))
		return;
	for (run.first = part.first; run.first < part.end && !window->broken; run.first = run.end) {
		enum fl_page_kind kind = fl_range_page_kind(part.range, run.first);

		run.end = FL_MIN(fl_range_run_end(part.range, run.first), part.end);
		if (kind != FL_PAGE_HIDDEN && fl_range_put(window, run.range, run.first, run.end, kind))
			lose(window, run);
	}
}

void fl_window_recover(struct fl_window *window, struct fl_span span)
{
	int error = fl_vma_fill_none(fl_span_hva(window, span), fl_span_len(span), &window->none);
	struct part part;

	if (error) {
		if (error != -EEXIST || !is_intact(window, span))
			give_up(window, span);
		return;
	}
	window->stats.repairs++;
	for (uint64_t at = span.first; at < span.first + span.count && !window->broken; at += part.end - part.first) {
		part = part_at(window, span, at);
		restore(window, part);
	}
}
