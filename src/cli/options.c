/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config_file.h"
#include "cli/diag.h"
#include "cli/parse.h"
#include "cli/share_settings.h"
#include "cli/take_option.h"
#include "cli/values.h"

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

static int by_mount(const void *a, const void *b)
{
	return strcmp(((const struct fl_cli_share *)a)->mount, ((const struct fl_cli_share *)b)->mount);
}

static int take_command(int argc, char **argv, int used, bool separated, struct fl_cli_options *options,
			struct fl_diag *diag)
{
	if (used < argc && !separated)
		return fl_cli_diag(diag, -EINVAL,
				   "\"%s\" is no option: put \"--\" before the command: faultline run [OPTION...] -- "
				   "COMMAND.",
				   argv[used]);
	if (options->initrd && used < argc)
		return fl_cli_diag(
			diag, -EINVAL,
			"--initrd and a COMMAND exclude each other: an initramfs of your own does not know of \"%s\"; "
			"leave one of them out.",
			argv[used]);
	if (used == argc && !options->initrd)
		return fl_cli_diag(diag, -EINVAL,
				   "There is no command to run: faultline run [OPTION...] -- COMMAND [ARGUMENT...].");
	options->command = options->initrd ? NULL : argv + used;
	return 0;
}

/* A first look, for what decides whether and which files are read. Errors are for the second. */
static int look_ahead(void *target, int value, const char *text, const char *next, bool *took_next,
		      struct fl_diag *diag)
{
	struct fl_cli_options *options = target;

	(void)diag;
	if (value == FL_CLI_OPTION_CONFIG)
		options->config = text;
	if (value == FL_CLI_OPTION_NO_CONFIG)
		options->no_config = true;
	*took_next = value == 'v' && next && next[0] != '-' && strchr(next, ':');
	return 0;
}

static int read_files(const struct fl_cli_config_places *places, struct fl_cli_options *options, struct fl_diag *diag)
{
	const char *user = options->config ? options->config : places ? places->user : NULL;
	int ret = 0;

	if (options->no_config)
		return 0;
	options->reading_file = true;
	if (places && places->system)
		ret = fl_cli_read_config(places->system, false, options, diag);
	if (ret == 0 && user)
		ret = fl_cli_read_config(user, options->config, options, diag);
	options->reading_file = false;
	return ret;
}

int fl_cli_options_parse(int argc, char **argv, const struct fl_cli_config_places *places,
			 struct fl_cli_options *options, struct fl_diag *diag)
{
	const struct fl_cli_verb *verb = fl_cli_find_verb("run");
	struct fl_diag ignored;
	bool separated;
	int used;
	int ret = fl_cli_set_defaults(options, diag);

	if (ret < 0)
		return ret;
	(void)!fl_cli_take_options(verb, argc, argv, look_ahead, options, &used, &separated, &ignored);
	ret = read_files(places, options, diag);
	if (ret == 0)
		ret = fl_cli_take_options(verb, argc, argv, fl_cli_take_option, options, &used, &separated, diag);
	if (ret == 0 && options->help == FL_CLI_NO_HELP)
		ret = take_command(argc, argv, used, separated, options, diag);
	if (ret == 0)
		ret = settle_policies(options, diag);
	if (ret == 0)
		ret = fl_cli_settle_settings(options, diag);
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
	for (size_t i = 0; i < options->kept_count; i++)
		free(options->kept[i]);
	free(options->kept);
	*options = (struct fl_cli_options){0};
}
