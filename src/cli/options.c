/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diag.h"
#include "cli/values.h"

#define MIB		   (UINT64_C(1) << 20)
#define RAM_LEN_MIN	   (64 * MIB)
#define RAM_LEN_MAX	   (UINT64_C(2) << 40)
#define RAM_LEN_DEFAULT	   (1024 * MIB)
#define WINDOW_LEN_MIN	   (64 * MIB)
#define WINDOW_LEN_DEFAULT (512 * MIB)
#define LEN_ALIGNMENT	   (2 * MIB)
#define VCPUS_MAX	   64
#define TIMEOUT_MAX_S	   (365 * 24 * 3600)

/* Values of the options that have no letter start above every char. */
enum {
	OPTION_ROOT = 256,
	OPTION_RODIR,
	OPTION_RWDIR,
	OPTION_DAX_WINDOW,
	OPTION_ON_FAULT,
	OPTION_ENV,
	OPTION_CWD,
	OPTION_UNPATCHED,
	OPTION_TIMEOUT,
	OPTION_VERSION,
};

struct option_row {
	int value; /* a letter, or OPTION_* */
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
	{OPTION_ROOT, "root", "DIR[:rw]", "the host directory that is the guest's / (/), read-only without \":rw\""},
	{OPTION_RODIR, "rodir", "GUESTPATH=DIR", "shares DIR at GUESTPATH, read-only; may be repeated"},
	{OPTION_RWDIR, "rwdir", "GUESTPATH=DIR", "shares DIR at GUESTPATH; may be repeated"},
	{OPTION_DAX_WINDOW, "dax-window", "SIZE",
	 "how much of a share's files is mapped into the guest at a time (512M);\n"
	 "0: nothing, files are read and written instead"},
	{OPTION_ON_FAULT, "on-fault", "LIST",
	 "what to do when a mapped page is lost, tried in turn (reflect,stop):\n"
	 "reflect: only the process in the guest that needs the page is told\n"
	 "stop: the guest is stopped with a report"},
	{OPTION_ENV, "env", "NAME=VALUE", "sets a variable for COMMAND; may be repeated"},
	{OPTION_CWD, "cwd", "DIR", "COMMAND's working directory in the guest (/)"},
	{OPTION_UNPATCHED, "unpatched", NULL, "treats the guest's kernel as one without Faultline's patches"},
	{OPTION_TIMEOUT, "timeout", "SECONDS", "stops the guest after this time"},
	{'v', "verbose", NULL, "shows the guest's console and what Faultline does; twice: more"},
	{'h', "help", NULL, "shows this text"},
	{OPTION_VERSION, "version", NULL, "shows the version"},
};

#define ROW_COUNT (sizeof(option_rows) / sizeof(option_rows[0]))

static const struct option_row *find_row(int value)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (option_rows[i].value == value)
			return &option_rows[i];
	return NULL;
}

/* The leading '+' ends the options at the first word that is none, ':' tells a missing argument apart. */
static void make_getopt_tables(struct option longs[ROW_COUNT + 1], char shorts[2 * ROW_COUNT + 3])
{
	char *letter = stpcpy(shorts, "+:");

	memset(longs, 0, (ROW_COUNT + 1) * sizeof(*longs));
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct option_row *row = &option_rows[i];

		longs[i] = (struct option){.name = row->name,
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

static int add_share(struct fl_cli_options *options, const char *option, const char *text, bool writable,
		     struct fl_diag *diag)
{
	struct fl_cli_share *grown = reallocarray(options->shares, options->share_count + 1, sizeof(*grown));

	if (!grown)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	options->shares = grown;
	struct fl_cli_share share = {.writable = writable};
	int ret = fl_cli_parse_share(option, text, &share, diag);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < options->share_count; i++) {
		if (strcmp(grown[i].mount, share.mount) == 0) {
			ret = fl_cli_diag(diag, -EINVAL, "%s: two directories are to be shared at %s: choose one.",
					  option, share.mount);
			fl_cli_share_fini(&share);
			return ret;
		}
	}
	grown[options->share_count++] = share;
	return 0;
}

static int set_root(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	struct fl_cli_share root = {0};
	int ret = fl_cli_parse_root("--root", text, &root, diag);

	if (ret == 0) {
		fl_cli_share_fini(&options->shares[0]);
		options->shares[0] = root;
	}
	return ret;
}

static int add_env(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	if (text[0] == '=' || !strchr(text, '='))
		return fl_cli_diag(diag, -EINVAL, "--env wants NAME=VALUE, not \"%s\".", text);
	const char **grown = reallocarray(options->env, options->env_count + 2, sizeof(*grown));

	if (!grown)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	grown[options->env_count++] = text;
	grown[options->env_count] = NULL;
	options->env = grown;
	return 0;
}

static int set_ram(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	uint64_t len;
	int ret = fl_cli_parse_size("--memory", text, &len, diag);

	if (ret < 0)
		return ret;
	if (len < RAM_LEN_MIN || len > RAM_LEN_MAX || len % LEN_ALIGNMENT)
		return fl_cli_diag(diag, -EINVAL, "--memory wants a multiple of 2M from 64M to 2T, not %s.", text);
	options->ram_len = len;
	return 0;
}

static int set_window(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	uint64_t len;
	int ret = fl_cli_parse_size("--dax-window", text, &len, diag);

	if (ret < 0)
		return ret;
	if (len && (len < WINDOW_LEN_MIN || len % LEN_ALIGNMENT))
		return fl_cli_diag(diag, -EINVAL,
				   "--dax-window wants a multiple of 2M, at least 64M, or 0 for none, not %s.", text);
	options->window_len = len;
	return 0;
}

static int set_cwd(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	if (text[0] != '/')
		return fl_cli_diag(diag, -EINVAL, "--cwd wants an absolute path in the guest, not \"%s\".", text);
	options->cwd = text;
	return 0;
}

static int take_option(struct fl_cli_options *options, int value, const char *text, struct fl_diag *diag)
{
	switch (value) {
	case 'k':
		options->kernel = text;
		return 0;
	case 'm':
		return set_ram(options, text, diag);
	case 'c':
		return fl_cli_parse_number("--cpus", text, 1, VCPUS_MAX, &options->vcpus, diag);
	case 'p':
		options->params = text;
		return 0;
	case OPTION_ROOT:
		return set_root(options, text, diag);
	case OPTION_RODIR:
		return add_share(options, "--rodir", text, false, diag);
	case OPTION_RWDIR:
		return add_share(options, "--rwdir", text, true, diag);
	case OPTION_DAX_WINDOW:
		return set_window(options, text, diag);
	case OPTION_ON_FAULT:
		return fl_cli_parse_policy("--on-fault", text, &options->policy, diag);
	case OPTION_ENV:
		return add_env(options, text, diag);
	case OPTION_CWD:
		return set_cwd(options, text, diag);
	case OPTION_UNPATCHED:
		options->unpatched = true;
		return 0;
	case OPTION_TIMEOUT:
		return fl_cli_parse_number("--timeout", text, 1, TIMEOUT_MAX_S, &options->timeout_s, diag);
	case 'v':
		options->verbosity++;
		return 0;
	case 'h':
		options->verb = FL_CLI_HELP;
		return 0;
	default:
		options->verb = FL_CLI_VERSION;
		return 0;
	}
}

static int refuse_option(int found, char **argv, struct fl_diag *diag)
{
	if (found == ':')
		return fl_cli_diag(diag, -EINVAL, "%s needs a value; see faultline --help.", argv[optind - 1]);
	/* optopt is an unknown letter; or, for a long option, 0 (unknown) or its value (it was given an argument) */
	bool is_long = strncmp(argv[optind - 1], "--", 2) == 0;

	if (!is_long)
		return fl_cli_diag(diag, -EINVAL, "There is no option -%c; see faultline --help.", optopt);
	const struct option_row *row = find_row(optopt);

	if (row)
		return fl_cli_diag(diag, -EINVAL, "--%s takes no value.", row->name);
	return fl_cli_diag(diag, -EINVAL, "There is no option %s; see faultline --help.", argv[optind - 1]);
}

/* getopt_long() keeps its place in globals: only one thread may parse. optind = 0 makes it start anew. */
static int take_options(int argc, char **argv, struct fl_cli_options *options, struct fl_diag *diag)
{
	struct option longs[ROW_COUNT + 1];
	char shorts[2 * ROW_COUNT + 3];
	int found;
	int ret = 0;

	make_getopt_tables(longs, shorts);
	optind = 0;
	opterr = 0;
	while (ret == 0 && (found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (found == ':' || found == '?')
			ret = refuse_option(found, argv, diag);
		else
			ret = take_option(options, found, optarg, diag);
	}
	return ret;
}

static int take_command(int argc, char **argv, struct fl_cli_options *options, struct fl_diag *diag)
{
	if (options->verb == FL_CLI_HELP || options->verb == FL_CLI_VERSION)
		return 0;
	if (options->verb == FL_CLI_DOCTOR)
		return optind == argc ? 0 : fl_cli_diag(diag, -EINVAL, "faultline doctor takes no arguments.");
	bool separated = optind > 1 && strcmp(argv[optind - 1], "--") == 0;

	if (optind < argc && !separated)
		return fl_cli_diag(diag, -EINVAL,
				   "\"%s\" is no option: put \"--\" before the command: faultline run [OPTION...] -- "
				   "COMMAND.",
				   argv[optind]);
	if (optind == argc)
		return fl_cli_diag(diag, -EINVAL,
				   "There is no command to run: faultline run [OPTION...] -- COMMAND [ARGUMENT...].");
	options->command = argv + optind;
	return 0;
}

static int by_mount(const void *a, const void *b)
{
	return strcmp(((const struct fl_cli_share *)a)->mount, ((const struct fl_cli_share *)b)->mount);
}

static int take_verb(char **argv, struct fl_cli_options *options, struct fl_diag *diag)
{
	static const struct {
		const char *name;
		enum fl_cli_verb verb;
	} verbs[] = {
		{"run", FL_CLI_RUN},	       {"doctor", FL_CLI_DOCTOR}, {"help", FL_CLI_HELP},
		{"--help", FL_CLI_HELP},       {"-h", FL_CLI_HELP},	  {"version", FL_CLI_VERSION},
		{"--version", FL_CLI_VERSION},
	};

	if (!argv[0] || !argv[1])
		return fl_cli_diag(diag, -EINVAL, "Say what to do: faultline run or faultline doctor; see --help.");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0) {
			options->verb = verbs[i].verb;
			return 0;
		}
	}
	return fl_cli_diag(diag, -EINVAL, "\"%s\" is nothing faultline does: it does run and doctor; see --help.",
			   argv[1]);
}

static int set_defaults(struct fl_cli_options *options, struct fl_diag *diag)
{
	*options = (struct fl_cli_options){
		.ram_len = RAM_LEN_DEFAULT,
		.window_len = WINDOW_LEN_DEFAULT,
		.vcpus = 1,
		.policy = {{FL_ACTION_REFLECT, FL_ACTION_STOP}},
		.shares = calloc(1, sizeof(*options->shares)),
	};
	if (!options->shares)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	options->share_count = 1;
	return set_root(options, "/", diag);
}

int fl_cli_options_parse(int argc, char **argv, struct fl_cli_options *options, struct fl_diag *diag)
{
	int ret = set_defaults(options, diag);

	if (ret == 0)
		ret = take_verb(argv, options, diag);
	if (ret == 0 && (options->verb == FL_CLI_RUN || options->verb == FL_CLI_DOCTOR)) {
		/* the verb stands where getopt expects the program's name */
		ret = take_options(argc - 1, argv + 1, options, diag);
		if (ret == 0)
			ret = take_command(argc - 1, argv + 1, options, diag);
	}
	/* "/a" must be mounted before "/a/b"; "/" is in its place already */
	if (ret == 0)
		qsort(options->shares + 1, options->share_count - 1, sizeof(*options->shares), by_mount);
	return ret;
}

void fl_cli_options_fini(struct fl_cli_options *options)
{
	for (size_t i = 0; i < options->share_count; i++)
		fl_cli_share_fini(&options->shares[i]);
	free(options->shares);
	free(options->env);
	*options = (struct fl_cli_options){0};
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
	fprintf(out, "%-31s ", left);
	for (;;) {
		size_t len = strcspn(line, "\n");

		fprintf(out, "%.*s\n", (int)len, line);
		if (!line[len])
			return;
		line += len + 1;
		fprintf(out, "%-32s", "");
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
