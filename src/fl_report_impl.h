/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the two ways of writing a fault down: fl_report.c, fl_report_json.c. */
#ifndef FL_REPORT_IMPL_H
#define FL_REPORT_IMPL_H

#include "fl_base.h"

/* A line under construction: used counts what the whole line needs, also beyond cap. */
struct fl_line {
	char *buf;
	size_t cap;
	size_t used;
};

void fl_line_add(struct fl_line *line, const char *format, ...) FL_PRINTF(2, 3);

/*
 * Length of what stands at text (NUL-terminated, not empty) if it can be shown as it is: a printable ASCII character
 * or a UTF-8 sequence (RFC 3629). 0: the byte must be escaped. C1 controls (U+0080 to U+009F) count as
 * controls: terminals obey them.
 */
size_t fl_text_plain_len(const char *text);

#endif
