/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/share_settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diag.h"
#include "cli/values.h"

#define WORDS_MAX 3

struct setting_kind {
	int option;
	const char *name;
	const char *wanted;
	const char *words[WORDS_MAX]; /* in the order of the values */
	void (*apply)(struct fl_cli_share *share, unsigned int value);
};

static void apply_dax(struct fl_cli_share *share, unsigned int value)
{
	share->dax = (enum fl_cli_dax)value;
}

static void apply_users(struct fl_cli_share *share, unsigned int value)
{
	share->users = (enum fl_users)value;
}

static void apply_mounts(struct fl_cli_share *share, unsigned int value)
{
	share->one_mount = value;
}

static const struct setting_kind kinds[] = {
	{FL_CLI_OPTION_DAX,
	 "--dax",
	 "inode, always or never",
	 {[FL_CLI_DAX_INODE] = "inode", [FL_CLI_DAX_ALWAYS] = "always", [FL_CLI_DAX_NEVER] = "never"},
	 apply_dax},
	{FL_CLI_OPTION_MAP, "--map", "self or host", {[FL_USERS_SELF] = "self", [FL_USERS_HOST] = "host"}, apply_users},
	{FL_CLI_OPTION_MOUNTS, "--mounts", "show or hide", {"show", "hide"}, apply_mounts},
};

static const struct setting_kind *find_kind(int option)
{
	size_t i = 0;

	while (kinds[i].option != option)
		i++;
	return &kinds[i];
}

static int find_word(const struct setting_kind *kind, const char *word, unsigned int *value)
{
	for (unsigned int i = 0; i < WORDS_MAX; i++) {
		if (kind->words[i] && strcmp(kind->words[i], word) == 0) {
			*value = i;
			return 0;
		}
	}
	return -EINVAL;
}

int fl_cli_add_setting(struct fl_cli_options *options, int option, const char *text, struct fl_diag *diag)
{
	struct fl_cli_setting *grown = reallocarray(options->settings, options->setting_count + 1, sizeof(*grown));
	const struct setting_kind *kind = find_kind(option);
	const char *equals = text[0] == '/' ? strrchr(text, '=') : NULL;
	struct fl_cli_setting setting = {.option = option};
	int ret;

	if (!grown)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	options->settings = grown;
	if (find_word(kind, equals ? equals + 1 : text, &setting.value) < 0)
		return fl_cli_diag(diag, -EINVAL,
				   "%s wants %s, for one share alone after its GUESTPATH and \"=\", not \"%s\".",
				   kind->name, kind->wanted, text);
	if (equals) {
		ret = fl_cli_parse_mount(kind->name, text, (size_t)(equals - text), &setting.mount, diag);
		if (ret < 0)
			return ret;
	}
	grown[options->setting_count++] = setting;
	return 0;
}

/* Those for all shares (mount NULL) or for the share at mount; false if there is no such share. */
static bool apply_setting(struct fl_cli_options *options, const struct fl_cli_setting *setting)
{
	bool found = false;

	for (size_t i = 0; i < options->share_count; i++) {
		struct fl_cli_share *share = &options->shares[i];

		if (setting->mount && strcmp(share->mount, setting->mount) != 0)
			continue;
		find_kind(setting->option)->apply(share, setting->value);
		found = true;
	}
	return found;
}

int fl_cli_settle_settings(struct fl_cli_options *options, struct fl_diag *diag)
{
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < options->setting_count; i++) {
			const struct fl_cli_setting *setting = &options->settings[i];

			if ((pass == 0) == !setting->mount && !apply_setting(options, setting))
				return fl_cli_diag(diag, -EINVAL, "%s: no directory is shared at %s.",
						   find_kind(setting->option)->name, setting->mount);
		}
	}
	return 0;
}

void fl_cli_settings_fini(struct fl_cli_options *options)
{
	for (size_t i = 0; i < options->setting_count; i++)
		free(options->settings[i].mount);
	free(options->settings);
}
