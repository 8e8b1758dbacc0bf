/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/share_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/choices.h"
#include "cli/diag.h"
#include "cli/values.h"

static void apply(struct fl_cli_share *share, const struct fl_cli_setting *setting)
{
	if (setting->option == FL_CLI_OPTION_DAX)
		share->dax = (enum fl_cli_dax)setting->value;
	else if (setting->option == FL_CLI_OPTION_MAP)
		share->users = (enum fl_users)setting->value;
	else
		share->one_mount = setting->value;
}

static const struct fl_cli_option *find_row(int option)
{
	return fl_cli_find_option(fl_cli_find_verb("run"), option);
}

static int no_such_word(const struct fl_cli_option *row, const char *text, struct fl_diag *diag)
{
	char choices[FL_CLI_CHOICES_TEXT_LEN];

	return fl_cli_diag(diag, -EINVAL,
			   "--%s wants %s, for one share alone after its GUESTPATH and \"=\", not \"%s\".", row->name,
			   fl_cli_choices_text(row->choices, choices), text);
}

int fl_cli_add_setting(struct fl_cli_options *options, int option, const char *text, struct fl_diag *diag)
{
	struct fl_cli_setting *grown = reallocarray(options->settings, options->setting_count + 1, sizeof(*grown));
	const char *equals = text[0] == '/' ? strrchr(text, '=') : NULL;
	const char *word = equals ? equals + 1 : text;
	struct fl_cli_setting setting = {.option = option};
	char dashed[32];
	int ret;

	if (!grown)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	options->settings = grown;
	if (fl_cli_find_choice(option, word, strlen(word), &setting.value) < 0)
		return no_such_word(find_row(option), text, diag);
	if (equals) {
		snprintf(dashed, sizeof(dashed), "--%s", find_row(option)->name);
		ret = fl_cli_parse_mount(dashed, text, (size_t)(equals - text), &setting.mount, diag);
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
		apply(share, setting);
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
				return fl_cli_diag(diag, -EINVAL, "--%s: no directory is shared at %s.",
						   find_row(setting->option)->name, setting->mount);
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
