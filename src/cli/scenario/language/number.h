/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, times and names of a scenario. PURE. */
#ifndef FL_SCN_NUMBER_H
#define FL_SCN_NUMBER_H

#include "cli/scenario/language/scenario.h"

/*
 * All take a text that ends with NUL, and return NULL or what is wrong with it, to be said behind `"TEXT" is no number:
 * `. Nothing is stored then.
 */

/* "12K", "0x10", "4K*(2+1)-8" */
const char *fl_scn_parse_number(const char *text, uint64_t *number);
/* "N..M", "N.." if open (then *to is UINT64_MAX), or "N" */
const char *fl_scn_parse_range(const char *text, bool open, uint64_t *from, uint64_t *to);
/* "0644" */
const char *fl_scn_parse_octal(const char *text, uint64_t *mode);
/* "200us", "1.5s", or "0" */
const char *fl_scn_parse_time(const char *text, uint64_t *ns);
/* "0..5ms"; or a time, which begins and ends the range */
const char *fl_scn_parse_times(const char *text, uint64_t *from, uint64_t *to);
/* Letters, digits, "_" and "-", of which the first is a letter or "_"; not a word that stands between names. */
const char *fl_scn_check_name(const char *text);

#endif
