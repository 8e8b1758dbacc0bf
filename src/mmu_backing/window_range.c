/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/window_priv.h"

void fl_range_set(struct fl_window *window, struct fl_range *range, struct fl_range entry)
{
	struct fl_backing *old_backing = range->backing;
	struct fl_window_file *old_file = range->file;

	if (old_file) {
		unsigned int substitutes = fl_page_set_count(&range->substituted, 0, FL_RANGE_PAGES);

		window->stats.ranges_mapped--;
		window->stats.substitutes -= substitutes;
		old_file->substitutes -= substitutes;
		fl_window_file_unlink(range);
	}
	entry.seq = range->seq + 1;
	*range = entry;
	if (range->file) {
		window->stats.ranges_mapped++;
		fl_window_file_link(range->file, range);
	}
	if (old_file)
		fl_window_file_settle(window, old_file);
	fl_backing_unref_later(old_backing, &window->unused);
}

void fl_window_set_reserved(struct fl_window *window, struct fl_span span)
{
	for (uint64_t page = span.first; page < span.first + span.count; page += FL_RANGE_PAGES)
		fl_range_set(window, &window->ranges[page / FL_RANGE_PAGES],
			     (struct fl_range){.state = FL_RANGE_RESERVED});
}

enum fl_page_kind fl_range_page_kind(const struct fl_range *range, unsigned int page)
{
	if (fl_page_set_has(&range->hidden, page))
		return FL_PAGE_HIDDEN;
	return fl_page_set_has(&range->substituted, page) ? FL_PAGE_SUBSTITUTE : FL_PAGE_FILE;
}

unsigned int fl_range_run_end(const struct fl_range *range, unsigned int page)
{
	switch (fl_range_page_kind(range, page)) {
	case FL_PAGE_HIDDEN:
		return fl_page_set_next(&range->hidden, page, false);
	case FL_PAGE_SUBSTITUTE:
		return page + 1;
	case FL_PAGE_FILE:
		break;
	}
	return FL_MIN(fl_page_set_next(&range->hidden, page, true), fl_page_set_next(&range->substituted, page, true));
}

struct fl_span fl_range_span(const struct fl_window *window, const struct fl_range *range, unsigned int first,
			     unsigned int end)
{
	return (struct fl_span){(uint64_t)(range - window->ranges) * FL_RANGE_PAGES + first, end - first};
}

int fl_range_put(struct fl_window *window, const struct fl_range *range, unsigned int first, unsigned int end,
		 enum fl_page_kind kind)
{
	struct fl_span span = fl_range_span(window, range, first, end);
	int prot = fl_range_prot(range->state);
	uint8_t *hva = fl_span_hva(window, span);

	switch (kind) {
	case FL_PAGE_HIDDEN:
		return fl_vma_put_none(hva, fl_span_len(span), &window->none);
	case FL_PAGE_SUBSTITUTE:
		return fl_vma_put_zero(hva, &window->zero);
	case FL_PAGE_FILE:
		break;
	}
	return fl_vma_put_file(hva, fl_span_len(span), prot, range->backing, range->file_offset + first * FL_PAGE_LEN);
}

void fl_range_mark(struct fl_window *window, struct fl_range *range, unsigned int first, unsigned int end,
		   enum fl_page_kind kind)
{
	unsigned int were_substitutes = fl_page_set_count(&range->substituted, first, end);
	unsigned int are_substitutes = kind == FL_PAGE_SUBSTITUTE ? end - first : 0;

	fl_page_set_remove(&range->hidden, first, end);
	fl_page_set_remove(&range->substituted, first, end);
	fl_page_set_remove(&range->ended, first, end);
	if (kind == FL_PAGE_HIDDEN)
		fl_page_set_add(&range->hidden, first, end);
	if (kind == FL_PAGE_SUBSTITUTE)
		fl_page_set_add(&range->substituted, first, end);
	window->stats.substitutes += are_substitutes;
	window->stats.substitutes -= were_substitutes;
	range->file->substitutes += are_substitutes;
	range->file->substitutes -= were_substitutes;
	range->seq++;
}

static void count(struct fl_window *window, unsigned int pages, enum fl_page_kind kind)
{
	switch (kind) {
	case FL_PAGE_FILE:
		window->stats.restored += pages;
		break;
	case FL_PAGE_HIDDEN:
		window->stats.hidden += pages;
		break;
	case FL_PAGE_SUBSTITUTE:
		window->stats.substituted += pages;
		break;
	}
}

int fl_range_change(struct fl_window *window, struct fl_range *range, unsigned int first, unsigned int end,
		    enum fl_page_kind kind)
{
	int prot = fl_range_prot(range->state);
	int error = 0;

	if (kind == FL_PAGE_FILE)
		error = fl_vma_try_file((end - first) * FL_PAGE_LEN, prot, range->backing,
					range->file_offset + first * FL_PAGE_LEN);
	if (error)
		return error;
	error = fl_range_put(window, range, first, end, kind);
	if (error) {
		fl_window_recover(window, fl_range_span(window, range, first, end));
		return window->broken ? -ENOTRECOVERABLE : error;
	}
	fl_range_mark(window, range, first, end, kind);
	count(window, end - first, kind);
	return 0;
}

/* How many of the range's pages the file has a byte of. */
static unsigned int pages_in_file(const struct fl_range *range, uint64_t file_len)
{
	uint64_t len = file_len > range->file_offset ? file_len - range->file_offset : 0;

	return (unsigned int)(fl_align_up(FL_MIN(len, FL_RANGE_LEN), FL_PAGE_LEN) / FL_PAGE_LEN);
}

/* Which pages are not what they should be (*wrong), and which should be hidden. */
static void compare(const struct fl_window *window, struct fl_range *range, unsigned int in_file,
		    struct fl_page_set *wrong, struct fl_page_set *hide)
{
	for (unsigned int i = 0; i < FL_PAGE_SET_WORDS; i++) {
		uint64_t beyond = fl_page_set_mask(i, in_file, FL_RANGE_PAGES);
		uint64_t substituted = range->substituted.words[i];

		range->ended.words[i] |= substituted & beyond;
		hide->words[i] = window->hide_ends ? beyond & ~substituted : 0;
		wrong->words[i] = (range->hidden.words[i] ^ hide->words[i]) | (range->ended.words[i] & ~beyond);
	}
}

int fl_range_follow(struct fl_window *window, struct fl_range *range, uint64_t file_len)
{
	struct fl_page_set wrong, hide;
	unsigned int first, end;
	int first_error = 0;

	compare(window, range, pages_in_file(range, file_len), &wrong, &hide);
	for (first = fl_page_set_next(&wrong, 0, true); first < FL_RANGE_PAGES && !window->broken;
	     first = fl_page_set_next(&wrong, end, true)) {
		bool hidden = fl_page_set_has(&hide, first);
		int error;

		end = FL_MIN(fl_page_set_next(&wrong, first, false), fl_page_set_next(&hide, first, !hidden));
		error = fl_range_change(window, range, first, end, hidden ? FL_PAGE_HIDDEN : FL_PAGE_FILE);
		first_error = first_error ? first_error : error;
	}
	return first_error;
}
