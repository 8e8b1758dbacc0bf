/* SPDX-License-Identifier: Apache-2.0 */
/* Which word was meant. PURE. */
#ifndef FL_SCN_NEAR_H
#define FL_SCN_NEAR_H

#include <stddef.h>

#define FL_SCN_HINT_LEN 96

/* The best so far of the words that were offered. */
struct fl_scn_near {
	const char *word;
	const char *best;
	unsigned int distance;
};

#define FL_SCN_NEAR(text) ((struct fl_scn_near){.word = (text), .best = NULL, .distance = 0})

/* NULL is allowed. */
void fl_scn_offer(struct fl_scn_near *near, const char *candidate);
/* ": did you mean read?", or "." if no word is near; to end a sentence with. */
const char *fl_scn_hint(const struct fl_scn_near *near, char hint[FL_SCN_HINT_LEN]);

#endif
