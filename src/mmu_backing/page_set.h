/* SPDX-License-Identifier: Apache-2.0 */
/* page_set: some of the pages of one range of a window. Pure. */
#ifndef FL_PAGE_SET_H
#define FL_PAGE_SET_H

#include "fl_base.h"

#define FL_RANGE_PAGES	  ((unsigned int)(FL_RANGE_LEN / FL_PAGE_LEN))
#define FL_PAGE_SET_WORDS (FL_RANGE_PAGES / 64)

struct fl_page_set {
	uint64_t words[FL_PAGE_SET_WORDS];
};

/* The bits that [first, end) has in a word. */
static inline uint64_t fl_page_set_mask(unsigned int word, unsigned int first, unsigned int end)
{
	unsigned int low = FL_MAX(first, word * 64), high = FL_MIN(end, word * 64 + 64);

	return low < high ? ~UINT64_C(0) >> (64 - (high - low)) << (low % 64) : 0;
}

static inline bool fl_page_set_has(const struct fl_page_set *set, unsigned int page)
{
	return set->words[page / 64] >> (page % 64) & 1;
}

static inline void fl_page_set_add(struct fl_page_set *set, unsigned int first, unsigned int end)
{
	for (unsigned int i = 0; i < FL_PAGE_SET_WORDS; i++)
		set->words[i] |= fl_page_set_mask(i, first, end);
}

static inline void fl_page_set_remove(struct fl_page_set *set, unsigned int first, unsigned int end)
{
	for (unsigned int i = 0; i < FL_PAGE_SET_WORDS; i++)
		set->words[i] &= ~fl_page_set_mask(i, first, end);
}

/* How many of [first, end) are in the set? */
static inline unsigned int fl_page_set_count(const struct fl_page_set *set, unsigned int first, unsigned int end)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < FL_PAGE_SET_WORDS; i++)
		count += (unsigned int)__builtin_popcountll(set->words[i] & fl_page_set_mask(i, first, end));
	return count;
}

/* The first page from `from` on that is in the set (or, with in false, is not), FL_RANGE_PAGES if there is none. */
static inline unsigned int fl_page_set_next(const struct fl_page_set *set, unsigned int from, bool in)
{
	for (unsigned int i = from / 64; i < FL_PAGE_SET_WORDS; i++) {
		uint64_t word = (in ? set->words[i] : ~set->words[i]) & fl_page_set_mask(i, from, FL_RANGE_PAGES);

		if (word)
			return i * 64 + (unsigned int)__builtin_ctzll(word);
	}
	return FL_RANGE_PAGES;
}

#endif
