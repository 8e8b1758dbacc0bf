/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of options, which feeds the parser and --help, so that they cannot differ. */
#ifndef FL_CLI_OPTION_TABLE_H
#define FL_CLI_OPTION_TABLE_H

#include <getopt.h>

#include "cli/options.h"

/* Values of the options that have no letter start above every char. */
enum fl_cli_option_value {
	FL_CLI_OPTION_ROOT = 256,
	FL_CLI_OPTION_RODIR,
	FL_CLI_OPTION_RWDIR,
	FL_CLI_OPTION_DAX,
	FL_CLI_OPTION_DAX_WINDOW,
	FL_CLI_OPTION_PREFAULT,
	FL_CLI_OPTION_ATTR_TIMEOUT,
	FL_CLI_OPTION_ENTRY_TIMEOUT,
	FL_CLI_OPTION_MAP,
	FL_CLI_OPTION_MOUNTS,
	FL_CLI_OPTION_ON_FAULT,
	FL_CLI_OPTION_ON_STOP,
	FL_CLI_OPTION_FAULT_MODE,
	FL_CLI_OPTION_WINDOW,
	FL_CLI_OPTION_EVENTS,
	FL_CLI_OPTION_REPORT,
	FL_CLI_OPTION_ENV,
	FL_CLI_OPTION_CWD,
	FL_CLI_OPTION_UNPATCHED,
	FL_CLI_OPTION_TIMEOUT,
	FL_CLI_OPTION_VERSION,
};

#define FL_CLI_OPTIONS_MAX 32

/* What getopt_long() wants. */
struct fl_cli_getopt_tables {
	struct option longs[FL_CLI_OPTIONS_MAX + 1];
	char shorts[2 * FL_CLI_OPTIONS_MAX + 3];
};
void fl_cli_make_getopt_tables(struct fl_cli_getopt_tables *tables);

/* The long name of an option by its value (a letter or FL_CLI_OPTION_*), or NULL. */
const char *fl_cli_option_name(int value);

#endif
