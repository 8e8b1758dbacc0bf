/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/option_table.h"

#include <string.h>

#define HELP_COLUMN 32 /* where the help of an option begins */

struct option_row {
	int value; /* a letter, or FL_CLI_OPTION_* */
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;     /* lines after the first are indented by the printer */
};

static const struct option_row option_rows[] = {
	{'k', "kernel", "FILE",
	 "the guest's kernel, a bzImage; without it $FAULTLINE_KERNEL, guest-kernel/bzImage\n"
	 "beside this program, /usr/lib/faultline/bzImage"},
	{'m', "memory", "SIZE", "the guest's memory (1G)"},
	{'c', "cpus", "N", "its virtual CPUs (1)"},
	{'p', "params", "TEXT", "more parameters for its kernel, separated by blanks"},
	{FL_CLI_OPTION_ROOT, "root", "DIR[:rw]",
	 "the host directory that is the guest's / (/), read-only without \":rw\""},
	{FL_CLI_OPTION_RODIR, "rodir", "GUESTPATH=DIR", "shares DIR at GUESTPATH, read-only; may be repeated"},
	{FL_CLI_OPTION_RWDIR, "rwdir", "GUESTPATH=DIR", "shares DIR at GUESTPATH; may be repeated"},
	{FL_CLI_OPTION_DAX, "dax", "[GUESTPATH=]WHICH",
	 "which files are mapped into the guest instead of being read and written (inode):\n"
	 "inode: those that the host can map\n"
	 "always: all; others cannot be read then, and a guest that maps none does not start\n"
	 "never: none"},
	{FL_CLI_OPTION_DAX_WINDOW, "dax-window", "SIZE",
	 "how much of a share's files is mapped into the guest at a time (512M);\n"
	 "0: nothing, files are read and written instead"},
	{FL_CLI_OPTION_PREFAULT, "prefault", NULL,
	 "reads what is mapped at once and not when the guest touches it, if possible in\n"
	 "pages of 2 MiB: for guests that read most of their files"},
	{FL_CLI_OPTION_ATTR_TIMEOUT, "attr-timeout", "MS",
	 "how long the guest may believe the attributes of shared files, in milliseconds\n"
	 "(1000); 0: it asks every time"},
	{FL_CLI_OPTION_ENTRY_TIMEOUT, "entry-timeout", "MS", "the same for names, and that there is none (1000)"},
	{FL_CLI_OPTION_MAP, "map", "[GUESTPATH=]TO",
	 "who the guest's users are on the host (self):\n"
	 "self: all are who runs this program, with that user's files and rights\n"
	 "host: the host's of the same number, root too; only for root"},
	{FL_CLI_OPTION_MOUNTS, "mounts", "[GUESTPATH=]HOW",
	 "whether the guest sees what else is mounted below a shared directory (show):\n"
	 "show or hide; where something hidden is mounted it sees an empty directory"},
	{FL_CLI_OPTION_FAULT_MODE, "fault-mode", "MODE",
	 "how lost pages are noticed (auto):\n"
	 "strict: at once, but an idle guest without Faultline's patches looks busy\n"
	 "watch: by the lengths of files, and by a look at CPUs that stand still\n"
	 "auto: strict where that costs nothing, else watch; doctor shows which"},
	{FL_CLI_OPTION_ON_FAULT, "on-fault", "[WHERE=]LIST",
	 "what to do when a mapped page is lost, tried in turn (reflect,stop):\n"
	 "reflect: only the process in the guest that needs the page is told\n"
	 "substitute: the guest finds a page of zeros there instead\n"
	 "stop: the guest is stopped with a report\n"
	 "WHERE: a GUESTPATH, \"/\" or \"ram\" (stop), for that alone; may be repeated"},
	{FL_CLI_OPTION_ON_STOP, "on-stop", "exit|wait",
	 "after a fault has stopped the guest (exit): wait keeps its memory, with a report,\n"
	 "for whoever wants to look, until SIGINT or SIGTERM"},
	{FL_CLI_OPTION_REPORT, "report", "FILE", "writes all that is known of the guest to FILE when it has ended"},
	{FL_CLI_OPTION_EVENTS, "events", "FILE|fd:N", "writes a line of JSON for the start, each fault and the end"},
	{FL_CLI_OPTION_WINDOW, "window", "FILE@ADDRESS[,OPTION...]",
	 "puts FILE, or memfd:SIZE for new memory, at a physical address of the guest, a\n"
	 "multiple of 2M; options: ro, size=SIZE, and last on-fault=LIST; may be repeated"},
	{FL_CLI_OPTION_ENV, "env", "NAME=VALUE", "sets a variable for COMMAND; may be repeated"},
	{FL_CLI_OPTION_CWD, "cwd", "DIR", "COMMAND's working directory in the guest (/)"},
	{FL_CLI_OPTION_UNPATCHED, "unpatched", NULL, "treats the guest's kernel as one without Faultline's patches"},
	{FL_CLI_OPTION_TIMEOUT, "timeout", "SECONDS", "stops the guest after this time"},
	{'v', "verbose", NULL, "shows the guest's console and what Faultline does; twice: more"},
	{'h', "help", NULL, "shows this text"},
	{FL_CLI_OPTION_VERSION, "version", NULL, "shows the version"},
};

#define ROW_COUNT (sizeof(option_rows) / sizeof(option_rows[0]))

_Static_assert(ROW_COUNT <= FL_CLI_OPTIONS_MAX, "the tables for getopt_long() hold every option");

const char *fl_cli_option_name(int value)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (option_rows[i].value == value)
			return option_rows[i].name;
	return NULL;
}

/* The leading '+' ends the options at the first word that is none, ':' tells a missing argument apart. */
void fl_cli_make_getopt_tables(struct fl_cli_getopt_tables *tables)
{
	char *letter = stpcpy(tables->shorts, "+:");

	memset(tables->longs, 0, sizeof(tables->longs));
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct option_row *row = &option_rows[i];

		tables->longs[i] = (struct option){.name = row->name,
						   .has_arg = row->argument ? required_argument : no_argument,
						   .val = row->value};
		if (row->value < 256) {
			*letter++ = (char)row->value;
			if (row->argument)
				*letter++ = ':';
		}
	}
	*letter = '\0';
}

static void print_row(FILE *out, const struct option_row *row)
{
	char left[64];
	char letter[8] = "    ";
	const char *line = row->help;

	if (row->value < 256)
		snprintf(letter, sizeof(letter), "-%c, ", row->value);
	snprintf(left, sizeof(left), "  %s--%s%s%s", letter, row->name, row->argument ? " " : "",
		 row->argument ? row->argument : "");
	if (strlen(left) < HELP_COLUMN)
		fprintf(out, "%-*s", HELP_COLUMN, left);
	else
		fprintf(out, "%s\n%*s", left, HELP_COLUMN, "");
	for (;;) {
		size_t len = strcspn(line, "\n");

		fprintf(out, "%.*s\n", (int)len, line);
		if (!line[len])
			return;
		line += len + 1;
		fprintf(out, "%*s", HELP_COLUMN, "");
	}
}

void fl_cli_print_help(FILE *out)
{
	fputs("usage: faultline run [OPTION...] -- COMMAND [ARGUMENT...]\n"
	      "       faultline doctor\n"
	      "\n"
	      "run runs COMMAND in a Linux guest whose file system is this host's. When a file that\n"
	      "the guest has mapped is truncated on the host, only the process in the guest that needs\n"
	      "the lost page gets SIGBUS; the rest of the guest goes on.\n"
	      "doctor tells what this host can do.\n"
	      "\n",
	      out);
	for (size_t i = 0; i < ROW_COUNT; i++)
		print_row(out, &option_rows[i]);
	fputs("\n"
	      "Sizes are whole numbers with K, M, G or T. /tmp, /run and /dev/shm in the guest are its own.\n"
	      "\n"
	      "Exit status of run: COMMAND's; 128+N if signal N ended it or this program; 127 COMMAND was not\n"
	      "found; 126 it could not be run; 125 the guest could not be set up; 124 the time limit was over;\n"
	      "255 the guest ended without a status (it crashed, or a fault stopped it); 2 wrong usage.\n"
	      "Of doctor: 0 Linux guests run here; 1 only small guests; 2 none.\n",
	      out);
}
