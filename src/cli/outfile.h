/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_OUTFILE_H
#define FL_CLI_OUTFILE_H

#include "faultline/faultline.h"

/*
 * Opens a file for writing, made anew, with more open(2) flags if wanted. Never waits: a FIFO that nobody reads is
 * -ENXIO. A descriptor or -errno.
 */
FL_CHECKED int fl_cli_open_outfile(const char *path, int flags);

/* What is wrong with such a file, for a sentence. */
const char *fl_cli_outfile_error(int error);

#endif
