/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verbs.h"

#include <string.h>

#define HELP_ROW                                                                                     \
	{                                                                                            \
		'h', FL_CLI_COMMON | FL_CLI_NOT_IN_FILE, "help", NULL, "this text", NULL, NULL, NULL \
	}
#define END_ROW                                          \
	{                                                \
		0, 0, NULL, NULL, NULL, NULL, NULL, NULL \
	}

static const struct fl_cli_option help_alone[] = {HELP_ROW, END_ROW};

static const struct fl_cli_exit_row doctor_exits[] = {
	{"0", "Linux guests run here."},
	{"1", "Only small guests run here, or something that Linux guests need is missing."},
	{"2", "No guest runs here."},
	{NULL, NULL},
};

static const struct fl_cli_exit_row no_exits[] = {{NULL, NULL}};

const struct fl_cli_verb fl_cli_verbs[] = {
	{"run", "-- COMMAND [ARGUMENT...]", "run a command in a Linux guest",
	 "Runs COMMAND in a Linux guest whose files are this host's. Where a page of a\n"
	 "mapped file is lost, only the process that needs it gets SIGBUS.\n",
	 fl_cli_run_options, fl_cli_run_exits, false},
	{"doctor", "", "what this host can do",
	 "One line for each thing that guests need, and what to do if it is missing.\n", help_alone, doctor_exits,
	 false},
	{"help", "[VERB]", "what can be said", "", help_alone, no_exits, false},
	{"version", "", "which faultline this is", "", help_alone, no_exits, false},
	{NULL, NULL, NULL, NULL, NULL, NULL, false},
};

const struct fl_cli_verb *fl_cli_find_verb(const char *name)
{
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

const struct fl_cli_option *fl_cli_find_option(const struct fl_cli_verb *verb, int value)
{
	for (const struct fl_cli_option *option = verb->options; option->name; option++)
		if (option->value == value)
			return option;
	return NULL;
}
