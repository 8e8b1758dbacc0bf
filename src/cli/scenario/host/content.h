/* SPDX-License-Identifier: Apache-2.0 */
/* What files of scenarios have in them (enum fl_scn_content): written, and compared. */
#ifndef FL_SCN_FILE_CONTENT_H
#define FL_SCN_FILE_CONTENT_H

#include "cli/scenario/language/scenario.h"

/* The bytes of a file with that content from offset on; not of text. Pure. */
void fl_scn_content_bytes(enum fl_scn_content content, uint64_t offset, void *bytes, size_t len);

/* Writes len bytes at offset, of a file's pattern (or zeros, or code) there. 0, or -errno of the file. */
FL_CHECKED int fl_scn_content_write(int fd, enum fl_scn_content content, uint64_t offset, uint64_t len);

/*
 * How many bytes from the start of the file on are as they should be, at most len. text: of FL_SCN_FILE_TEXT, which
 * len is the length of. 0, or -errno of the file.
 */
FL_CHECKED int fl_scn_content_compare(int fd, enum fl_scn_content content, const char *text, uint64_t len,
				      uint64_t *same);

#endif
