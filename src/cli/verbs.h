/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What faultline can be told: its verbs and their options, in one table that feeds the parser, --help, the manual pages
 * (cli/manual.h) and the completions of shells (cli/completion.h), so that they cannot differ. Constant data.
 */
#ifndef FL_CLI_VERBS_H
#define FL_CLI_VERBS_H

#include "faultline/faultline.h"

/* Values of the options that have no letter start above every char. */
enum fl_cli_option_value {
	FL_CLI_OPTION_ROOT = 256,
	FL_CLI_OPTION_RODIR,
	FL_CLI_OPTION_RWDIR,
	FL_CLI_OPTION_VOLUME,
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
	FL_CLI_OPTION_NET,
	FL_CLI_OPTION_EVENTS,
	FL_CLI_OPTION_REPORT,
	FL_CLI_OPTION_ENV,
	FL_CLI_OPTION_CWD,
	FL_CLI_OPTION_USER,
	FL_CLI_OPTION_HOSTNAME,
	FL_CLI_OPTION_TTY,
	FL_CLI_OPTION_UNPATCHED,
	FL_CLI_OPTION_TIMEOUT,
	FL_CLI_OPTION_NAME,
	FL_CLI_OPTION_LOG_LEVEL,
	FL_CLI_OPTION_CONFIG,
	FL_CLI_OPTION_NO_CONFIG,
	FL_CLI_OPTION_DRY_RUN,
	FL_CLI_OPTION_HOST,
	FL_CLI_OPTION_JSON,
	FL_CLI_OPTION_FORCE,
	FL_CLI_OPTION_FILTER,
	FL_CLI_OPTION_LIST,
	FL_CLI_OPTION_SEED,
	FL_CLI_OPTION_REPEAT,
	FL_CLI_OPTION_NATIVE,
	FL_CLI_OPTION_EXPLORE,
	FL_CLI_OPTION_MOMENT,
	FL_CLI_OPTION_SLOWNESS,
	FL_CLI_OPTION_BY,
	FL_CLI_OPTION_HOST_KERNEL,
	FL_CLI_OPTION_ALLOW_SKIPPED,
	FL_CLI_OPTION_KEEP,
	FL_CLI_OPTION_JUNIT,
	FL_CLI_OPTION_HTML,
	FL_CLI_OPTION_VERSION,
};

#define FL_CLI_COMMON	   1u /* is shown by --help; the others by --help=all */
#define FL_CLI_NOT_IN_FILE 2u /* has no place in faultline.conf */
#define FL_CLI_REPEATED	   4u /* each time adds to what was said before */

struct fl_cli_choice {
	const char *word;
	unsigned int value; /* what the launcher makes of it: of an enum or bool */
	const char *meaning;
};

struct fl_cli_option {
	int value; /* a letter, or FL_CLI_OPTION_* */
	unsigned int flags;
	const char *name;
	const char *argument;		     /* NULL: takes none */
	const char *brief;		     /* for --help: fits its line; in parentheses at its end: the default */
	const char *text;		     /* for the manual, after brief: whole sentences; or NULL */
	const struct fl_cli_choice *choices; /* ends with a word NULL; or NULL */
	const char *complete; /* what the argument is: "file", "dir", "vm"; NULL: choices, or nothing known */
};

struct fl_cli_exit_row {
	const char *status;
	const char *meaning;
};

struct fl_cli_verb {
	const char *name;
	const char *arguments; /* after the options, for the line of usage; "" for none */
	const char *brief;
	const char *about;		     /* lines for --help */
	const struct fl_cli_option *options; /* ends with a name NULL */
	const struct fl_cli_exit_row *exits; /* ends with a status NULL */
	bool takes_vm;			     /* its argument is the name of a VM */
};

/* All verbs, in the order in which they are shown; the end has a name NULL. */
extern const struct fl_cli_verb fl_cli_verbs[];

extern const struct fl_cli_option fl_cli_run_options[];
extern const struct fl_cli_exit_row fl_cli_run_exits[];
extern const struct fl_cli_option fl_cli_scenario_options[];
extern const struct fl_cli_exit_row fl_cli_scenario_exits[];

/* NULL: there is none. */
const struct fl_cli_verb *fl_cli_find_verb(const char *name);
/* By its value; NULL. */
const struct fl_cli_option *fl_cli_find_option(const struct fl_cli_verb *verb, int value);

#endif
