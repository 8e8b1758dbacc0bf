/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verbs.h"

#include <string.h>

#define HELP_ROW                                                                                     \
	{                                                                                            \
		'h', FL_CLI_COMMON | FL_CLI_NOT_IN_FILE, "help", NULL, "this text", NULL, NULL, NULL \
	}
#define JSON_ROW                                                                                                   \
	{                                                                                                          \
		FL_CLI_OPTION_JSON, FL_CLI_COMMON, "json", NULL, "JSON (RFC 8259), for programs", NULL, NULL, NULL \
	}
#define END_ROW                                          \
	{                                                \
		0, 0, NULL, NULL, NULL, NULL, NULL, NULL \
	}

static const struct fl_cli_option help_alone[] = {HELP_ROW, END_ROW};
static const struct fl_cli_option json_options[] = {JSON_ROW, HELP_ROW, END_ROW};

static const struct fl_cli_option faults_options[] = {
	{'f', FL_CLI_COMMON, "follow", NULL, "go on with those to come, until the guest ends", NULL, NULL, NULL},
	JSON_ROW,
	HELP_ROW,
	END_ROW,
};

static const struct fl_cli_option console_options[] = {
	{'f', FL_CLI_COMMON, "follow", NULL, "go on with what comes, until the guest ends", NULL, NULL, NULL},
	HELP_ROW,
	END_ROW,
};

static const struct fl_cli_option stop_options[] = {
	{FL_CLI_OPTION_TIMEOUT, FL_CLI_COMMON, "timeout", "SECONDS", "how long the guest may take to end (20)",
	 "It is stopped then.", NULL, NULL},
	{FL_CLI_OPTION_FORCE, FL_CLI_COMMON, "force", NULL, "do not ask the guest, stop it at once", NULL, NULL, NULL},
	HELP_ROW,
	END_ROW,
};

static const struct fl_cli_exit_row plain_exits[] = {
	{"0", "It was done."},
	{"1", "There is no such guest, or it did not answer."},
	{"2", "The command line is wrong."},
	{NULL, NULL},
};

static const struct fl_cli_exit_row doctor_exits[] = {
	{"0", "Usable: Linux guests run here."},
	{"1",
	 "Usable with limits: they run in the box, something that they need is missing, or only small guests run here."},
	{"2", "Not usable: no guest runs here, or the command line is wrong."},
	{NULL, NULL},
};

static const struct fl_cli_exit_row no_exits[] = {{NULL, NULL}};

const struct fl_cli_verb fl_cli_verbs[] = {
	{"run", "-- COMMAND [ARGUMENT...]", "run a command in a Linux guest",
	 "Runs COMMAND in a Linux guest whose files are this host's. Where a page of a\n"
	 "mapped file is lost, only the process that needs it gets SIGBUS.\n",
	 fl_cli_run_options, fl_cli_run_exits, false},
	{"scenario", "FILE|DIR...", "run scenarios: files that change under a guest",
	 "Runs the cases of scenarios (*.scn), and prints TAP.\n", fl_cli_scenario_options, fl_cli_scenario_exits, false},
	{"ps", "", "list the guests that run", "Only those of this user.\n", json_options, plain_exits, false},
	{"status", "[NAME]", "what a guest is doing", "Without NAME: of the only guest there is.\n", json_options,
	 plain_exits, true},
	{"faults", "[NAME]", "the pages a guest has lost", "The last ones (256 KiB of them), oldest first.\n",
	 faults_options, plain_exits, true},
	{"console", "[NAME]", "what a guest's kernel says", "The last 64 KiB.\n", console_options, plain_exits, true},
	{"inspect", "[NAME]", "a guest's CPUs, memory map and windows", "Without NAME: of the only guest there is.\n",
	 json_options, plain_exits, true},
	{"pause", "[NAME]", "hold a guest's CPUs", "Until \"faultline resume\".\n", help_alone, plain_exits, true},
	{"resume", "[NAME]", "let a paused guest's CPUs go on", "After \"faultline pause\".\n", help_alone, plain_exits,
	 true},
	{"stop", "[NAME]", "end a guest", "Asks the guest to power off, and stops it if it does not.\n", stop_options,
	 plain_exits, true},
	{"doctor", "", "what this host can do",
	 "One line for each thing that guests need, and what to do if it is missing.\n", json_options, doctor_exits,
	 false},
	{"help", "[VERB]", "this, or the options of a verb", "", help_alone, no_exits, false},
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
