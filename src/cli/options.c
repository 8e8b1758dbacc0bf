/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diag.h"
#include "cli/option_table.h"
#include "cli/share_settings.h"
#include "cli/values.h"

#define MIB		   (UINT64_C(1) << 20)
#define RAM_LEN_MIN	   (64 * MIB)
#define RAM_LEN_MAX	   (UINT64_C(2) << 40)
#define RAM_LEN_DEFAULT	   (1024 * MIB)
#define WINDOW_LEN_MIN	   (64 * MIB)
#define WINDOW_LEN_DEFAULT (512 * MIB)
#define LEN_ALIGNMENT	   (2 * MIB)
#define VCPUS_MAX	   64
#define TIMEOUT_MS_DEFAULT 1000
#define TIMEOUT_MS_MAX	   (24 * 3600 * 1000)
#define TIMEOUT_MAX_S	   (365 * 24 * 3600)

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

static int add_window(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	struct fl_cli_window *grown = reallocarray(options->windows, options->window_count + 1, sizeof(*grown));
	int ret;

	if (!grown)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	options->windows = grown;
	ret = fl_cli_parse_window("--window", text, &grown[options->window_count], diag);
	if (ret == 0)
		options->window_count++;
	return ret;
}

static int set_policy(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	struct fl_cli_override *grown = reallocarray(options->overrides, options->override_count + 1, sizeof(*grown));
	struct fl_cli_override override = {0};
	int ret;

	if (!grown)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	options->overrides = grown;
	ret = fl_cli_parse_override("--on-fault", text, &override, diag);
	if (ret == 0 && override.where)
		grown[options->override_count++] = override;
	else if (ret == 0)
		options->policy = override.policy;
	return ret;
}

static int apply_override(struct fl_cli_options *options, const struct fl_cli_override *override, struct fl_diag *diag)
{
	if (strcmp(override->where, "ram") == 0) {
		options->ram_policy = override->policy;
		return 0;
	}
	for (size_t i = 0; i < options->share_count; i++) {
		if (strcmp(options->shares[i].mount, override->where) == 0) {
			options->shares[i].policy = override->policy;
			return 0;
		}
	}
	return fl_cli_diag(diag, -EINVAL, "--on-fault: no directory is shared at %s.", override->where);
}

/* What was said for all comes first, wherever it stands on the line; of what was said for one place, the last wins. */
static int settle_policies(struct fl_cli_options *options, struct fl_diag *diag)
{
	int ret = 0;

	for (size_t i = 0; i < options->share_count; i++)
		options->shares[i].policy = options->policy;
	for (size_t i = 0; i < options->window_count; i++)
		if (!options->windows[i].has_policy)
			options->windows[i].policy = options->policy;
	for (size_t i = 0; ret == 0 && i < options->override_count; i++)
		ret = apply_override(options, &options->overrides[i], diag);
	return ret;
}

static int set_on_stop(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	options->wait_on_stop = strcmp(text, "wait") == 0;
	if (!options->wait_on_stop && strcmp(text, "exit") != 0)
		return fl_cli_diag(diag, -EINVAL, "--on-stop is exit or wait, not \"%s\".", text);
	return 0;
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
	case FL_CLI_OPTION_ROOT:
		return set_root(options, text, diag);
	case FL_CLI_OPTION_RODIR:
		return add_share(options, "--rodir", text, false, diag);
	case FL_CLI_OPTION_RWDIR:
		return add_share(options, "--rwdir", text, true, diag);
	case FL_CLI_OPTION_DAX:
	case FL_CLI_OPTION_MAP:
	case FL_CLI_OPTION_MOUNTS:
		return fl_cli_add_setting(options, value, text, diag);
	case FL_CLI_OPTION_DAX_WINDOW:
		return set_window(options, text, diag);
	case FL_CLI_OPTION_PREFAULT:
		options->prefault = true;
		return 0;
	case FL_CLI_OPTION_ATTR_TIMEOUT:
		return fl_cli_parse_number("--attr-timeout", text, 0, TIMEOUT_MS_MAX, &options->attr_timeout_ms, diag);
	case FL_CLI_OPTION_ENTRY_TIMEOUT:
		return fl_cli_parse_number("--entry-timeout", text, 0, TIMEOUT_MS_MAX, &options->entry_timeout_ms,
					   diag);
	case FL_CLI_OPTION_FAULT_MODE:
		return fl_cli_parse_fault_mode("--fault-mode", text, &options->fault_mode, diag);
	case FL_CLI_OPTION_ON_FAULT:
		return set_policy(options, text, diag);
	case FL_CLI_OPTION_ON_STOP:
		return set_on_stop(options, text, diag);
	case FL_CLI_OPTION_REPORT:
		options->report = text;
		return 0;
	case FL_CLI_OPTION_EVENTS:
		options->events = text;
		return 0;
	case FL_CLI_OPTION_WINDOW:
		return add_window(options, text, diag);
	case FL_CLI_OPTION_ENV:
		return add_env(options, text, diag);
	case FL_CLI_OPTION_CWD:
		return set_cwd(options, text, diag);
	case FL_CLI_OPTION_UNPATCHED:
		options->unpatched = true;
		return 0;
	case FL_CLI_OPTION_TIMEOUT:
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
	const char *name = fl_cli_option_name(optopt);

	if (name)
		return fl_cli_diag(diag, -EINVAL, "--%s takes no value.", name);
	return fl_cli_diag(diag, -EINVAL, "There is no option %s; see faultline --help.", argv[optind - 1]);
}

/* getopt_long() keeps its place in globals: only one thread may parse. optind = 0 makes it start anew. */
static int take_options(int argc, char **argv, struct fl_cli_options *options, struct fl_diag *diag)
{
	struct fl_cli_getopt_tables tables;
	int found;
	int ret = 0;

	fl_cli_make_getopt_tables(&tables);
	optind = 0;
	opterr = 0;
	while (ret == 0 && (found = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
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
		.attr_timeout_ms = TIMEOUT_MS_DEFAULT,
		.entry_timeout_ms = TIMEOUT_MS_DEFAULT,
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
		if (ret == 0)
			ret = settle_policies(options, diag);
		if (ret == 0)
			ret = fl_cli_settle_settings(options, diag);
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
	for (size_t i = 0; i < options->window_count; i++)
		fl_cli_window_fini(&options->windows[i]);
	for (size_t i = 0; i < options->override_count; i++)
		fl_cli_override_fini(&options->overrides[i]);
	fl_cli_settings_fini(options);
	free(options->shares);
	free(options->windows);
	free(options->overrides);
	free(options->env);
	*options = (struct fl_cli_options){0};
}
