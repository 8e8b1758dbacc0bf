/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes and wishes in words, as the language has them. All texts are cut where there is no room. */
#ifndef FL_SCN_WORDS_H
#define FL_SCN_WORDS_H

#include "cli/scenario/verdict/seen.h"

#define FL_SCN_WORDS_LEN 256

/* "SIGBUS", "EIO"; numbers that have no name: as numbers. */
const char *fl_scn_signal_name(uint64_t number, char text[FL_SCN_WORDS_LEN]);
const char *fl_scn_errno_name(uint64_t number, char text[FL_SCN_WORDS_LEN]);
/* "BUS_ADRERR"; of another one, or of a signal that has none: the number */
const char *fl_scn_code_name(uint64_t signal, int32_t code, char text[FL_SCN_WORDS_LEN]);

/* "SIGBUS BUS_ADRERR at m+12288": addresses in the actor's mappings by their names. */
void fl_scn_say_seen(const struct fl_scn_case *scenario_case, uint32_t actor, const struct fl_scn_seen *seen,
		     char text[FL_SCN_WORDS_LEN]);
/* "ok, or SIGBUS BUS_ADRERR at m+12288" */
void fl_scn_say_wishes(const struct fl_scn_case *scenario_case, uint32_t actor, const struct fl_scn_step *step,
		       char text[FL_SCN_WORDS_LEN]);
void fl_scn_say_wish(const struct fl_scn_case *scenario_case, uint32_t actor, const struct fl_scn_wish *wish,
		     char text[FL_SCN_WORDS_LEN]);
/* The step as it could have been written: "read m+12288 8" */
void fl_scn_say_step(const struct fl_scn_case *scenario_case, uint32_t actor, const struct fl_scn_step *step,
		     char text[FL_SCN_WORDS_LEN]);

#endif
