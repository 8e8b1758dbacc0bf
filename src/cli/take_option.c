/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/take_option.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/choices.h"
#include "cli/diag.h"
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
#define HOSTNAME_LEN_MAX   64
#define TIMEOUT_MS_DEFAULT 1000
#define TIMEOUT_MS_MAX	   (24 * 3600 * 1000)
#define TIMEOUT_MAX_S	   (365 * 24 * 3600)

/* The share that is in the way of one at that mount: what the command line says replaces what a file said. */
static int make_room(struct fl_cli_options *options, const char *option, const struct fl_cli_share *share,
		     struct fl_diag *diag)
{
	for (size_t i = 0; i < options->share_count; i++) {
		struct fl_cli_share *other = &options->shares[i];

		if (strcmp(other->mount, share->mount) != 0)
			continue;
		if (!other->is_default || options->reading_file)
			return fl_cli_diag(diag, -EINVAL, "%s: two directories are to be shared at %s: choose one.",
					   option, share->mount);
		fl_cli_share_fini(other);
		options->share_count--;
		memmove(other, other + 1, (options->share_count - i) * sizeof(*other));
		return 0;
	}
	return 0;
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
	ret = make_room(options, option, &share, diag);
	if (ret < 0) {
		fl_cli_share_fini(&share);
		return ret;
	}
	share.is_default = options->reading_file;
	grown[options->share_count++] = share;
	return 0;
}

/* "DIR:GUESTPATH", and behind that ":ro", ":rw", ":overlay" or ":overlay=CHANGES" */
static int add_volume(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	const char *colon = strchr(text, ':');
	const char *second = colon ? strchr(colon + 1, ':') : NULL;
	bool read_only = second && strcmp(second, ":ro") == 0;
	bool overlay = second && (strcmp(second, ":overlay") == 0 || strncmp(second, ":overlay=", 9) == 0);
	bool good = !second || read_only || overlay || strcmp(second, ":rw") == 0;
	char *turned = NULL;

	if (!colon || colon == text || colon[1] != '/' || !good)
		return fl_cli_diag(
			diag, -EINVAL,
			"-v (--volume) wants DIR:GUESTPATH, with :ro or :overlay behind it or not, with an absolute "
			"path in the guest, not \"%s\"; a DIR with a colon goes with --rwdir.",
			text);
	int mount_len = second ? (int)(second - colon - 1) : (int)strlen(colon + 1);

	if (asprintf(&turned, "%.*s=%.*s%s", mount_len, colon + 1, (int)(colon - text), text, overlay ? second : "") <
	    0)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	int ret = add_share(options, "-v", turned, !read_only && !overlay, diag);

	free(turned);
	return ret;
}

/* "-v" alone is --verbose. A word without "-" cannot follow it otherwise: the command comes after "--". */
static int take_v(struct fl_cli_options *options, const char *next, bool *took_next, struct fl_diag *diag)
{
	if (next && next[0] != '-' && strchr(next, ':')) {
		*took_next = true;
		return add_volume(options, next, diag);
	}
	options->verbosity++;
	if (options->log_level < FL_LOG_DEBUG)
		options->log_level = options->verbosity == 1 ? FL_LOG_INFO : FL_LOG_DEBUG;
	return 0;
}

static void set_log_level(struct fl_cli_options *options, enum fl_log_level level)
{
	options->log_level = level;
	options->verbosity = level > FL_LOG_WARN ? level - FL_LOG_WARN : 0;
}

/* It names a socket in a directory, and guests are called by it. */
static int set_name(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t len = strlen(text);

	if (len == 0 || len > FL_CLI_NAME_LEN_MAX || strspn(text, allowed) != len || text[0] == '.' || text[0] == '-')
		return fl_cli_diag(diag, -EINVAL,
				   "--name wants at most %d letters, digits, \"-\", \"_\" and \".\", and no \".\" or "
				   "\"-\" first, not \"%s\".",
				   FL_CLI_NAME_LEN_MAX, text);
	options->name = text;
	return 0;
}

/* As hostname(7) has it, in one label. */
static int set_hostname(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	size_t len = strlen(text);

	if (len == 0 || len > HOSTNAME_LEN_MAX || strspn(text, allowed) != len || text[0] == '-' || text[0] == '.')
		return fl_cli_diag(diag, -EINVAL, "--hostname wants at most %d letters, digits and \"-\", not \"%s\".",
				   HOSTNAME_LEN_MAX, text);
	options->hostname = text;
	return 0;
}

static int set_help(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	options->help = text ? FL_CLI_ALL_HELP : FL_CLI_COMMON_HELP;
	if (text && strcmp(text, "all") != 0)
		return fl_cli_diag(diag, -EINVAL, "--help alone or --help=all, not \"%s\".", text);
	return 0;
}

static int set_root(struct fl_cli_options *options, const char *text, struct fl_diag *diag)
{
	struct fl_cli_share root = {0};
	int ret = fl_cli_parse_root("--root", text, &root, diag);

	if (ret == 0) {
		root.is_default = options->reading_file;
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

int fl_cli_set_defaults(struct fl_cli_options *options, struct fl_diag *diag)
{
	*options = (struct fl_cli_options){
		.ram_len = RAM_LEN_DEFAULT,
		.window_len = WINDOW_LEN_DEFAULT,
		.attr_timeout_ms = TIMEOUT_MS_DEFAULT,
		.entry_timeout_ms = TIMEOUT_MS_DEFAULT,
		.vcpus = 1,
		.log_level = FL_LOG_WARN,
		.policy = {{FL_ACTION_REFLECT, FL_ACTION_STOP}},
		.shares = calloc(1, sizeof(*options->shares)),
	};
	if (!options->shares)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	options->share_count = 1;
	return set_root(options, "/", diag);
}

/* Those options whose table says all that can be said. */
static int take_choice(struct fl_cli_options *options, int option, const char *text, struct fl_diag *diag)
{
	unsigned int value;
	int ret = fl_cli_parse_choice(option, text, &value, diag);

	if (ret < 0)
		return ret;
	if (option == FL_CLI_OPTION_FAULT_MODE)
		options->fault_mode = (enum fl_fault_mode)value;
	else if (option == FL_CLI_OPTION_ON_STOP)
		options->wait_on_stop = value;
	else if (option == FL_CLI_OPTION_TTY)
		options->tty = (enum fl_cli_tty)value;
	else if (option == FL_CLI_OPTION_HOST)
		options->host = (enum fl_cli_host)value;
	else
		set_log_level(options, (enum fl_log_level)value);
	return 0;
}

int fl_cli_take_option(void *target, int value, const char *text, const char *next, bool *took_next,
		       struct fl_diag *diag)
{
	struct fl_cli_options *options = target;

	switch (value) {
	case 'k':
		options->kernel = text;
		return 0;
	case 'i':
		options->initrd = text;
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
	case FL_CLI_OPTION_ON_STOP:
	case FL_CLI_OPTION_TTY:
	case FL_CLI_OPTION_HOST:
	case FL_CLI_OPTION_LOG_LEVEL:
		return take_choice(options, value, text, diag);
	case FL_CLI_OPTION_ON_FAULT:
		return set_policy(options, text, diag);
	case FL_CLI_OPTION_REPORT:
		options->report = text;
		return 0;
	case FL_CLI_OPTION_EVENTS:
		options->events = text;
		return 0;
	case FL_CLI_OPTION_WINDOW:
		return add_window(options, text, diag);
	case FL_CLI_OPTION_NET:
		options->net = true;
		return 0;
	case FL_CLI_OPTION_ENV:
		return add_env(options, text, diag);
	case FL_CLI_OPTION_CWD:
		return set_cwd(options, text, diag);
	case FL_CLI_OPTION_USER:
		options->user = text;
		return 0;
	case FL_CLI_OPTION_HOSTNAME:
		return set_hostname(options, text, diag);
	case FL_CLI_OPTION_UNPATCHED:
		options->unpatched = true;
		return 0;
	case FL_CLI_OPTION_TIMEOUT:
		return fl_cli_parse_number("--timeout", text, 1, TIMEOUT_MAX_S, &options->timeout_s, diag);
	case FL_CLI_OPTION_VOLUME:
		return add_volume(options, text, diag);
	case FL_CLI_OPTION_NAME:
		return set_name(options, text, diag);
	case FL_CLI_OPTION_CONFIG:
		options->config = text;
		return 0;
	case FL_CLI_OPTION_NO_CONFIG:
		options->no_config = true;
		return 0;
	case FL_CLI_OPTION_DRY_RUN:
		options->dry_run = true;
		return 0;
	case 'q':
		set_log_level(options, FL_LOG_ERROR);
		return 0;
	case 'v':
		return take_v(options, next, took_next, diag);
	case 'h':
		return set_help(options, text, diag);
	default:
		return fl_cli_diag(diag, -EINVAL, "An option of the table is not taken: %d.", value);
	}
}
