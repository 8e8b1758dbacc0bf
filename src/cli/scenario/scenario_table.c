/* SPDX-License-Identifier: Apache-2.0 */
/* The options of "faultline scenario". */
#include <stddef.h>

#include "cli/scenario/scenario_options.h"

static const struct fl_cli_choice host_choices[] = {
	{"auto", FL_CLI_HOST_AUTO, "This one if it can run what the chosen cases want, else the box. The default."},
	{"kvm", FL_CLI_HOST_KVM, "This one. Where it cannot run Linux, cases that want it are skipped."},
	{"box", FL_CLI_HOST_BOX, "An emulated host, which takes some seconds to start."},
	{NULL, 0, NULL},
};

static const struct fl_cli_choice by_choices[] = {
	{"time", FL_SCN_BY_TIME, "Of the host's clock. The default."},
	{"instructions", FL_SCN_BY_INSTRUCTIONS,
	 "Of the box's only CPU, on which each takes 1 ns: how busy the machine under the box is makes no difference."},
	{NULL, 0, NULL},
};

const struct fl_cli_option fl_cli_scenario_options[] = {
	{FL_CLI_OPTION_FILTER, FL_CLI_COMMON, "filter", "PATTERN", "only cases whose name has it",
	 "A shell pattern of a whole name, or a part of one.", NULL, NULL},
	{FL_CLI_OPTION_LIST, FL_CLI_COMMON, "list", NULL, "print the names of the cases, and run none", NULL, NULL,
	 NULL},
	{'j', FL_CLI_COMMON, "jobs", "N", "run N cases at the same time (1)",
	 "Each with machines of its own, so N times the memory is needed.", NULL, NULL},
	{FL_CLI_OPTION_SEED, FL_CLI_COMMON, "seed", "N", "what random times are drawn from (a new one)",
	 "It is printed, so that a run can be repeated.", NULL, NULL},
	{FL_CLI_OPTION_REPEAT, FL_CLI_COMMON, "repeat", "N", "run each case N times (1)",
	 "Besides what a scenario says of itself. Each time draws its own random times.", NULL, NULL},
	{FL_CLI_OPTION_EXPLORE, FL_CLI_COMMON, "explore", "[=N]", "walk free moments over their spans (64)",
	 "A case with a time \"span FROM..TO\" is run with N moments spread over the span, and with as many again between "
	 "those that came out differently. Each distinct outcome is printed, with the moments that it came at.",
	 NULL, NULL},
	{FL_CLI_OPTION_BY, 0, "by", "WHAT", "what moments are counted in (time)", "What --explore and --moment go by.",
	 by_choices, NULL},
	{FL_CLI_OPTION_MOMENT, 0, "moment", "NS", "the free moment, in ns (drawn from the seed)",
	 "Where a time of a scenario is a span, it is this long.", NULL, NULL},
	{FL_CLI_OPTION_NATIVE, FL_CLI_COMMON, "native", NULL, "the guests' steps on this host itself",
	 "To see what Linux itself does. There are no fault records then, and nobody looks for any.", NULL, NULL},
	{FL_CLI_OPTION_HOST, FL_CLI_COMMON, "host", "WHERE", "auto, kvm or box (auto)", NULL, host_choices, NULL},
	{FL_CLI_OPTION_HOST_KERNEL, 0, "host-kernel", "NAME", "the box, with this kernel",
	 "6.12, 6.1 or 6.12-patched, which has KVM's modules of scripts/host-kernel. Where all cases say one, that is taken; "
	 "cases that say another are skipped.",
	 NULL, NULL},
	{FL_CLI_OPTION_SLOWNESS, 0, "slowness", "N", "steps may take N times as long (1)",
	 "Times that scenarios state (\"within\", and the longest of \"time\") are for an ordinary host. So many times as "
	 "slow is this one taken to be, 50 times in the box where nothing is said, and limits are as many times as long, "
	 "up to 10 times.",
	 NULL, NULL},
	{FL_CLI_OPTION_ALLOW_SKIPPED, FL_CLI_COMMON, "allow-skipped", NULL, "status 0 also if a case was skipped",
	 "For hosts that are known to lack something. That something was tried is asked for all the same.", NULL, NULL},
	{FL_CLI_OPTION_KEEP, 0, "keep", NULL, "keep the files of the cases, and say where", NULL, NULL, NULL},
	{FL_CLI_OPTION_JUNIT, FL_CLI_COMMON, "junit", "FILE", "write the results as JUnit's XML", NULL, NULL, "file"},
	{FL_CLI_OPTION_JSON, FL_CLI_COMMON, "json", "FILE", "write the results as JSON", NULL, NULL, "file"},
	{FL_CLI_OPTION_HTML, FL_CLI_COMMON, "html", "FILE", "write the results as a page with timelines",
	 "One file, which needs nothing else.", NULL, "file"},
	{'k', 0, "kernel", "FILE", "the kernel of guests that want a patched one", NULL, NULL, "file"},
	{'q', FL_CLI_COMMON, "quiet", NULL, "no progress on standard error", NULL, NULL, NULL},
	{'h', FL_CLI_COMMON | FL_CLI_NOT_IN_FILE, "help", "[=all]", "this text; --help=all: all options", NULL, NULL,
	 NULL},
	{0, 0, NULL, NULL, NULL, NULL, NULL, NULL},
};

const struct fl_cli_exit_row fl_cli_scenario_exits[] = {
	{"0", "All that was expected was looked at, and was so."},
	{"1", "Something was not so, or could not be run, or nothing was: all was skipped."},
	{"2", "The command line is wrong, or a scenario has an error."},
	{"3", "What was looked at was so, but a case was skipped; 0 with --allow-skipped."},
	{"125", "Nothing could be run."},
	{"128+N", "Signal N ended it; what had run until then was written."},
	{NULL, NULL},
};
