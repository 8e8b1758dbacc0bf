/* SPDX-License-Identifier: Apache-2.0 */
/* Results as the runner makes them, by hand: for tests of what is written of results. */
#ifndef FL_SCN_SAMPLES_H
#define FL_SCN_SAMPLES_H

#include "cli/scenario/results/result.h"

/*
 * Fills *results with: a case that passed; the same that failed; one that was skipped; one with hostile bytes
 * wherever there are bytes; one of `events` events; one that could not be run. To be given to
 * fl_scn_samples_free().
 */
void fl_scn_samples(struct fl_scn_results *results, size_t events);
void fl_scn_samples_free(struct fl_scn_results *results);

/* What the hostile one has in each place. It begins with the letters "hostile". */
extern const char fl_scn_hostile[];

#endif
