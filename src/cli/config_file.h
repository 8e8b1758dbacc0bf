/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of defaults for "faultline run": faultline.conf(5). A line is empty, a comment ("#" first), or
 *
 *	NAME = VALUE
 *
 * with the long name of an option; one without a value is yes or no. Blanks around both do not count. Options that can
 * be repeated can be so here.
 */
#ifndef FL_CLI_CONFIG_FILE_H
#define FL_CLI_CONFIG_FILE_H

#include "cli/options.h"

#define FL_CLI_CONFIG_LINE_MAX	4096 /* with its newline */
#define FL_CLI_CONFIG_LINES_MAX 1000

/*
 * Takes what the file says. A file that is not there is an error only if it must be there. -EINVAL and others with a
 * sentence that names file and line.
 */
FL_CHECKED int fl_cli_read_config(const char *path, bool must_exist, struct fl_cli_options *options,
				  struct fl_diag *diag);

#endif
