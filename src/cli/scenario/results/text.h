/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writers of results share. Names, paths and consoles are bytes that a guest or a stranger's file has chosen:
 * what reaches people and their tools is valid UTF-8 without controls. (The JSON has the bytes themselves.) PURE.
 */
#ifndef FL_SCN_TEXT_H
#define FL_SCN_TEXT_H

#include "cli/scenario/results/result.h"

/*
 * The character that stands for the next bytes, of which there is at least one, and their number in *len. Controls but
 * for newline and tab are their pictures (U+2400...); what is no UTF-8, and what would turn the direction of the text
 * around it, is U+FFFD.
 */
uint32_t fl_scn_next_char(const char *at, size_t left, size_t *len);
void fl_scn_put_char(FILE *out, uint32_t code);

/* As content of an element of XML or HTML, and between the quotation marks of an attribute. NULL: nothing. */
void fl_scn_put_content(FILE *out, const char *bytes, size_t len);
void fl_scn_put_text(FILE *out, const char *text);
void fl_scn_put_attribute(FILE *out, const char *text);

/* For people: "0 ns", "1.25 µs", "340 ms", "2 min 5 s". */
#define FL_SCN_DURATION_LEN 48
const char *fl_scn_duration(uint64_t ns, char buf[FL_SCN_DURATION_LEN]);
/* RFC 3339, in UTC, to the second. */
#define FL_SCN_TIME_LEN 40
const char *fl_scn_time(uint64_t time_ns, char buf[FL_SCN_TIME_LEN]);

const char *fl_scn_verdict_name(enum fl_scn_verdict verdict); /* "passed", ... */
const char *fl_scn_event_name(enum fl_scn_event_kind kind);   /* "step", ... */
/* When it ended; and for the last time, if it came out so more than once. */
uint64_t fl_scn_event_end_ns(const struct fl_scn_event *event);
uint64_t fl_scn_event_last_ns(const struct fl_scn_event *event);
/* Has it a length, or is it a moment? */
bool fl_scn_event_is_bar(const struct fl_scn_event *event);
size_t fl_scn_count(const struct fl_scn_results *results, enum fl_scn_verdict verdict);
/* What to call it: the case's name; "?" without one. */
const char *fl_scn_result_name(const struct fl_scn_result *result);
/* The same case has other results, so that the run's number has to be told with the name. */
bool fl_scn_is_repeated(const struct fl_scn_result *result);
/* The sentence for a list that has room for one: its first failure, or why it was not run. Never NULL. */
const char *fl_scn_result_brief(const struct fl_scn_result *result);

/* "?": the result's case has none of that index. */
const char *fl_scn_machine_name(const struct fl_scn_result *result, uint32_t machine);

/* After the last byte: 0, or -errno of the stream. */
FL_CHECKED int fl_scn_finish(FILE *out);

#endif
