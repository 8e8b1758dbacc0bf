/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/diag.h"
#include "cli/doctor.h"
#include "cli/help.h"
#include "cli/life.h"
#include "cli/options.h"
#include "cli/parse.h"
#include "cli/run.h"
#include "cli/scenario/scenario_main.h"

static int refuse(const struct fl_diag *diag)
{
	fprintf(stderr, "faultline: %s\n", diag->text);
	return FL_CLI_EXIT_USAGE;
}

static int do_help(int argc, char **argv)
{
	const struct fl_cli_verb *verb = argc > 1 ? fl_cli_find_verb(argv[1]) : NULL;
	struct fl_diag diag;

	if (argc > 1 && !verb && argv[1][0] != '-') {
		(void)fl_cli_diag(&diag, -EINVAL, "\"%s\" is nothing faultline does; see faultline --help.", argv[1]);
		return refuse(&diag);
	}
	if (verb)
		fl_cli_print_verb_help(stdout, verb, false);
	else
		fl_cli_print_help(stdout);
	return 0;
}

static int do_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("faultline %s\n", fl_version());
	return 0;
}

static const struct {
	const char *name;
	int (*call)(int argc, char **argv); /* argv[0] is the verb; returns the exit status */
} calls[] = {
	{"run", fl_cli_run_main},
	{"scenario", fl_scn_main},
	{"ps", fl_cli_life_main},
	{"status", fl_cli_life_main},
	{"faults", fl_cli_life_main},
	{"console", fl_cli_life_main},
	{"inspect", fl_cli_life_main},
	{"pause", fl_cli_life_main},
	{"resume", fl_cli_life_main},
	{"stop", fl_cli_life_main},
	{"doctor", fl_cli_doctor_main},
	{"help", do_help},
	{"--help", do_help},
	{"-h", do_help},
	{"version", do_version},
	{"--version", do_version},
};

int fl_cli_main(int argc, char **argv)
{
	struct fl_diag diag;

	if (argc < 2) {
		(void)fl_cli_diag(&diag, -EINVAL,
				  "Say what to do, such as faultline run -- uname -a; see faultline --help.");
		return refuse(&diag);
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(argv[1], calls[i].name) == 0)
			return calls[i].call(argc - 1, argv + 1);
	(void)fl_cli_diag(&diag, -EINVAL, "\"%s\" is nothing faultline does; see faultline --help.", argv[1]);
	return refuse(&diag);
}
