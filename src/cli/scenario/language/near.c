/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/language/near.h"

#include <stdio.h>
#include <string.h>

#define COMPARED_MAX 32u

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Letters to insert, to take away, to change or to swap with their neighbour. */
static unsigned int distance_of(const char *a, const char *b)
{
	unsigned int rows[3][COMPARED_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > COMPARED_MAX || b_len > COMPARED_MAX)
		return COMPARED_MAX;
	for (unsigned int j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (unsigned int i = 1; i <= a_len; i++) {
		unsigned int *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned int j = 1; j <= b_len; j++) {
			row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

void fl_scn_offer(struct fl_scn_near *near, const char *candidate)
{
	size_t len = strlen(near->word);
	unsigned int distance;

	if (!candidate || len < 2)
		return;
	distance = distance_of(near->word, candidate);
	/* one slip, or two in a word that is long enough to be known by the rest */
	if (distance > (len < 5 ? 1u : 2u) || (near->best && distance >= near->distance))
		return;
	near->best = candidate;
	near->distance = distance;
}

const char *fl_scn_hint(const struct fl_scn_near *near, char hint[FL_SCN_HINT_LEN])
{
	if (near->best)
		snprintf(hint, FL_SCN_HINT_LEN, ": did you mean %s?", near->best);
	else
		snprintf(hint, FL_SCN_HINT_LEN, ".");
	return hint;
}
