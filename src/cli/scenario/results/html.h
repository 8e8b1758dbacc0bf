/* SPDX-License-Identifier: Apache-2.0 */
/* The page of results: its parts. All texts are written escaped, all lists have an end. */
#ifndef FL_SCN_HTML_H
#define FL_SCN_HTML_H

#include "cli/scenario/results/text.h"

/* The page without what it tells: before, between and behind title, body and data. Made by page/make_page.py. */
#define FL_SCN_PAGE_PARTS 4
extern const char *const fl_scn_page_parts[FL_SCN_PAGE_PARTS];

/* A browser draws so many of a case, and nobody reads more; all of them are in the page's data. */
#define FL_SCN_EVENTS_SHOWN 1500u
#define FL_SCN_FAULTS_SHOWN 500u

/* A case with everything about it; number counts from 1 and names it in links: "case-1". 0 or -ENOMEM. */
FL_CHECKED int fl_scn_html_case(FILE *out, const struct fl_scn_result *result, size_t number, bool open);
void fl_scn_html_faults(FILE *out, const struct fl_scn_result *result, size_t number);
void fl_scn_html_events(FILE *out, const struct fl_scn_result *result);

/* The events as a picture that needs no script, prints, and is what the script starts from. 0 or -ENOMEM. */
FL_CHECKED int fl_scn_html_picture(FILE *out, const struct fl_scn_result *result, size_t number);

#endif
