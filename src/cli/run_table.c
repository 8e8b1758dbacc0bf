/* SPDX-License-Identifier: Apache-2.0 */
/* The options of "faultline run". */
#include <stddef.h>

#include "cli/options.h"

static const struct fl_cli_choice dax_choices[] = {
	{"inode", FL_CLI_DAX_INODE,
	 "Those files that the host can map; the others are read and written with requests. The default."},
	{"always", FL_CLI_DAX_ALWAYS,
	 "All. What the host cannot map cannot be read then, and a guest whose kernel maps none does not start."},
	{"never", FL_CLI_DAX_NEVER, "None."},
	{NULL, 0, NULL},
};

static const struct fl_cli_choice map_choices[] = {
	{"self", FL_USERS_SELF, "All are who runs faultline, with that user's files and rights. The default."},
	{"host", FL_USERS_HOST, "Each is the host's user of the same number, root too. Only for root."},
	{NULL, 0, NULL},
};

static const struct fl_cli_choice mounts_choices[] = {
	{"show", false, "The guest sees it. The default."},
	{"hide", true, "The guest sees an empty directory there."},
	{NULL, 0, NULL},
};

static const struct fl_cli_choice mode_choices[] = {
	{"auto", FL_FAULT_MODE_AUTO,
	 "Strict where that costs nothing, else watch; \"faultline doctor\" shows which. The default."},
	{"strict", FL_FAULT_MODE_STRICT,
	 "KVM reports each at once, but an idle guest without Faultline's patches looks busy to the host."},
	{"watch", FL_FAULT_MODE_WATCH,
	 "By the lengths of files, which are followed, and by a look at virtual CPUs that stand still."},
	{NULL, 0, NULL},
};

static const struct fl_cli_choice fault_choices[] = {
	{"reflect", FL_ACTION_REFLECT,
	 "Only the process in the guest that needs the page is told (SIGBUS, or its system call fails)."},
	{"substitute", FL_ACTION_SUBSTITUTE, "The guest finds a page of zeros there instead."},
	{"stop", FL_ACTION_STOP, "The guest is stopped with a report. The end of every list."},
	{NULL, 0, NULL},
};

static const struct fl_cli_choice stop_choices[] = {
	{"exit", false, "The guest is gone. The default."},
	{"wait", true, "Its memory is kept, with a report, for whoever wants to look, until SIGINT or SIGTERM."},
	{NULL, 0, NULL},
};

static const struct fl_cli_choice tty_choices[] = {
	{"auto", FL_CLI_TTY_AUTO,
	 "If standard input and output are terminals. The default. In the background, a terminal is not read."},
	{"always", FL_CLI_TTY_ALWAYS, "Also if they are none."},
	{"never", FL_CLI_TTY_NEVER, "Standard input, output and error are three pipes."},
	{NULL, 0, NULL},
};

static const struct fl_cli_choice level_choices[] = {
	{"error", FL_LOG_ERROR, "What keeps the guest from going on."},
	{"warn", FL_LOG_WARN, "And what somebody should know. The default."},
	{"info", FL_LOG_INFO, "And what Faultline does, with the guest's console (as -v)."},
	{"debug", FL_LOG_DEBUG, "And how (as -vv)."},
	{NULL, 0, NULL},
};

static const struct fl_cli_choice host_choices[] = {
	{"auto", FL_CLI_HOST_AUTO,
	 "This one, if its /dev/kvm can run Linux guests, else the box; a line says so. The default."},
	{"kvm", FL_CLI_HOST_KVM, "This one."},
	{"box", FL_CLI_HOST_BOX,
	 "The box: a stock Debian kernel under software emulation. Slow, but it needs no hardware."},
	{NULL, 0, NULL},
};

#define RARE 0
#define ONCE FL_CLI_NOT_IN_FILE

const struct fl_cli_option fl_cli_run_options[] = {
	{'k', FL_CLI_COMMON, "kernel", "FILE|DIR|RELEASE", "the guest's kernel, a bzImage",
	 "Or the directory of a kernel build, or a release that /boot or /lib/modules has. Without it: $FAULTLINE_KERNEL, "
	 "the image of the kernel tree that is the working directory, guest-kernel/bzImage beside this program, the one "
	 "that was installed with it. -v says which was taken.",
	 NULL, "file"},
	{'i', ONCE, "initrd", "FILE", "an initramfs in place of a command",
	 "Its /init is the guest's first program, with the serial console: what is written there goes to standard output, "
	 "and standard input is typed there, at a terminal key by key. Nothing is mounted: the tags of the shares are root, "
	 "share1 and so on. There is no COMMAND then.",
	 NULL, "file"},
	{'p', RARE, "params", "TEXT", "more parameters for its kernel", "Separated by blanks.", NULL, NULL},
	{'c', FL_CLI_COMMON, "cpus", "N", "its virtual CPUs (1)", NULL, NULL, NULL},
	{'m', FL_CLI_COMMON, "memory", "SIZE", "its memory (1G)", "A whole number with K, M, G or T; a multiple of 2M.",
	 NULL, NULL},
	{FL_CLI_OPTION_NAME, FL_CLI_COMMON | ONCE, "name", "NAME", "its name for \"faultline ps\" (guest-PID)",
	 "Letters, digits, \"-\", \"_\" and \".\".", NULL, NULL},
	{FL_CLI_OPTION_HOST, RARE, "host", "WHICH", "the host it runs on (auto)", NULL, host_choices, NULL},
	{FL_CLI_OPTION_UNPATCHED, RARE, "unpatched", NULL, "take its kernel for one without patches",
	 "The guest is not offered Faultline's interface, as if its kernel did not have it.", NULL, NULL},

	{FL_CLI_OPTION_ROOT, FL_CLI_COMMON, "root", "DIR[:rw|overlay]", "the directory that is its / (/, read-only)",
	 "Read-only without \":rw\". With \":overlay\" the guest can write to it and DIR stays as it is: what it changes is "
	 "in its memory, or with \":overlay=CHANGES\" in that directory, where the next run finds it. /tmp, /run and /dev/shm in the guest are its own.",
	 NULL, "dir"},
	{FL_CLI_OPTION_RODIR, FL_CLI_COMMON | FL_CLI_REPEATED, "rodir", "GUESTPATH=DIR[:overlay]",
	 "share DIR at GUESTPATH, read-only",
	 "GUESTPATH is a directory that exists, or below /tmp or /run. With \":overlay\" or \":overlay=CHANGES\" as with "
	 "--root: the guest can write, and DIR stays as it is.",
	 NULL, "dir"},
	{FL_CLI_OPTION_RWDIR, FL_CLI_COMMON | FL_CLI_REPEATED, "rwdir", "GUESTPATH=DIR", "share DIR at GUESTPATH",
	 "The guest can change what is in it.", NULL, "dir"},
	{FL_CLI_OPTION_VOLUME, RARE | FL_CLI_REPEATED, "volume", "DIR:GUESTPATH[:ro|overlay]", "the same the other way round",
	 "As -v DIR:GUESTPATH[:ro|overlay], for those who are used to it.", NULL, "dir"},
	{FL_CLI_OPTION_DAX, RARE | FL_CLI_REPEATED, "dax", "[GUESTPATH=]WHICH", "which files are mapped into the guest",
	 "The others are read and written with requests. With GUESTPATH, for that share alone.", dax_choices, NULL},
	{FL_CLI_OPTION_DAX_WINDOW, RARE, "dax-window", "SIZE", "how much is mapped at a time (512M)",
	 "Of each share; 0: nothing, files are read and written instead.", NULL, NULL},
	{FL_CLI_OPTION_PREFAULT, RARE, "prefault", NULL, "read what is mapped at once",
	 "Instead of when the guest touches it; if possible in pages of 2 MiB. For guests that read most of their files.",
	 NULL, NULL},
	{FL_CLI_OPTION_ATTR_TIMEOUT, RARE, "attr-timeout", "MS", "how long file attributes are cached (1000)",
	 "In milliseconds; 0: the guest asks every time.", NULL, NULL},
	{FL_CLI_OPTION_ENTRY_TIMEOUT, RARE, "entry-timeout", "MS", "how long file names are cached (1000)",
	 "And that there is none. In milliseconds; 0: the guest asks every time.", NULL, NULL},
	{FL_CLI_OPTION_MAP, RARE | FL_CLI_REPEATED, "map", "[GUESTPATH=]TO", "who the guest's users are on the host",
	 "With GUESTPATH, for that share alone.", map_choices, NULL},
	{FL_CLI_OPTION_MOUNTS, RARE | FL_CLI_REPEATED, "mounts", "[GUESTPATH=]HOW",
	 "whether mounts below a share are seen", "What else is mounted below a shared directory on the host.",
	 mounts_choices, NULL},
	{FL_CLI_OPTION_WINDOW, RARE | FL_CLI_REPEATED, "window", "FILE@ADDRESS[,...]", "put FILE at a physical address",
	 "FILE, or memfd:SIZE for new memory, appears at ADDRESS, a multiple of 2M. Options, after commas: ro; size=SIZE; "
	 "and last on-fault=LIST.",
	 NULL, NULL},

	{FL_CLI_OPTION_NET, FL_CLI_COMMON, "net", NULL, "give it a network, by passt",
	 "It reaches what this host reaches, and this host's own services on 127.0.0.1 at 10.0.2.2; from outside nobody "
	 "reaches it. Needs the program passt.",
	 NULL, NULL},

	{FL_CLI_OPTION_CWD, FL_CLI_COMMON, "cwd", "DIR", "COMMAND's directory in the guest (/)", NULL, NULL, NULL},
	{FL_CLI_OPTION_USER, FL_CLI_COMMON, "user", "USER[:GROUP]", "who COMMAND runs as in the guest (root)",
	 "Names of the guest's /etc/passwd and /etc/group, or numbers. Without GROUP with all groups of that user.",
	 NULL, NULL},
	{FL_CLI_OPTION_HOSTNAME, RARE, "hostname", "NAME", "the guest's own name", "Without it --name's.", NULL, NULL},
	{FL_CLI_OPTION_TTY, RARE, "tty", "WHEN", "whether COMMAND gets a terminal (auto)", NULL, tty_choices, NULL},
	{FL_CLI_OPTION_ENV, FL_CLI_COMMON | FL_CLI_REPEATED, "env", "NAME=VALUE", "a variable for COMMAND",
	 "PATH and HOME are there in any case.", NULL, NULL},

	{FL_CLI_OPTION_ON_FAULT, FL_CLI_COMMON | FL_CLI_REPEATED, "on-fault", "[WHERE=]LIST",
	 "what to do with a lost page (reflect,stop)",
	 "What is tried in turn when a mapped page cannot be had any more. WHERE: a GUESTPATH, \"/\" or \"ram\" (stop), "
	 "for that alone.",
	 fault_choices, NULL},
	{FL_CLI_OPTION_ON_STOP, RARE, "on-stop", "WHAT", "what is left when a fault stopped the guest", NULL,
	 stop_choices, NULL},
	{FL_CLI_OPTION_FAULT_MODE, RARE, "fault-mode", "MODE", "how lost pages are noticed (auto)", NULL, mode_choices,
	 NULL},
	{FL_CLI_OPTION_EVENTS, FL_CLI_COMMON, "events", "FILE|fd:N", "write faults as lines of JSON",
	 "One for the start, each fault, and the end.", NULL, "file"},
	{FL_CLI_OPTION_REPORT, RARE, "report", "FILE", "write all that is known at the end",
	 "How it ended, the last fault, registers, the memory map, what the windows map.", NULL, "file"},

	{FL_CLI_OPTION_TIMEOUT, FL_CLI_COMMON, "timeout", "SECONDS", "stop the guest after this time", NULL, NULL,
	 NULL},
	{FL_CLI_OPTION_DRY_RUN, ONCE, "dry-run", NULL, "show what would be run", "In the form of faultline.conf.", NULL,
	 NULL},
	{FL_CLI_OPTION_CONFIG, ONCE, "config", "FILE", "read FILE for defaults",
	 "After /etc/faultline.conf, instead of ~/.config/faultline/faultline.conf.", NULL, "file"},
	{FL_CLI_OPTION_NO_CONFIG, ONCE, "no-config", NULL, "read no file for defaults", NULL, NULL, NULL},
	{'q', RARE, "quiet", NULL, "say errors and faults only", "As --log-level error.", NULL, NULL},
	{'v', FL_CLI_COMMON | ONCE, "verbose", NULL, "show the guest's console; -vv: more",
	 "Followed by DIR:GUESTPATH it is --volume.", NULL, NULL},
	{FL_CLI_OPTION_LOG_LEVEL, RARE, "log-level", "LEVEL", "how much is said (warn)", NULL, level_choices, NULL},
	{'h', FL_CLI_COMMON | ONCE, "help", "[=all]", "this text; --help=all: all options", NULL, NULL, NULL},
	{0, 0, NULL, NULL, NULL, NULL, NULL, NULL},
};

const struct fl_cli_exit_row fl_cli_run_exits[] = {
	{"0 to 123", "COMMAND's own exit status; it may be one of the following, too."},
	{"2", "The command line is wrong."},
	{"124", "The time limit of --timeout was over."},
	{"125", "The guest could not be set up."},
	{"126", "COMMAND could not be run."},
	{"127", "COMMAND was not found."},
	{"128+N", "Signal N ended COMMAND, or this program."},
	{"255", "The guest ended without a status: it crashed, or a fault stopped it."},
	{NULL, NULL},
};
