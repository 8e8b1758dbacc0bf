/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/choices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/diag.h"

static const struct fl_cli_option *option_with(int value)
{
	const struct fl_cli_option *row = fl_cli_find_option(fl_cli_find_verb("run"), value);

	return row ? row : fl_cli_find_option(fl_cli_find_verb("scenario"), value);
}

int fl_cli_find_choice(int option, const char *word, size_t len, unsigned int *value)
{
	for (const struct fl_cli_choice *choice = option_with(option)->choices; choice->word; choice++) {
		if (strlen(choice->word) == len && memcmp(choice->word, word, len) == 0) {
			*value = choice->value;
			return 0;
		}
	}
	return -EINVAL;
}

int fl_cli_parse_choice(int option, const char *word, unsigned int *value, struct fl_diag *diag)
{
	const struct fl_cli_option *row = option_with(option);
	char text[FL_CLI_CHOICES_TEXT_LEN];

	if (fl_cli_find_choice(option, word, strlen(word), value) == 0)
		return 0;
	return fl_cli_diag(diag, -EINVAL, "--%s is %s, not \"%s\".", row->name, fl_cli_choices_text(row->choices, text),
			   word);
}

const char *fl_cli_choice_word(int option, unsigned int value)
{
	for (const struct fl_cli_choice *choice = option_with(option)->choices; choice->word; choice++)
		if (choice->value == value)
			return choice->word;
	return "?";
}

const char *fl_cli_choices_text(const struct fl_cli_choice *choices, char text[FL_CLI_CHOICES_TEXT_LEN])
{
	size_t used = 0;

	text[0] = '\0';
	for (const struct fl_cli_choice *choice = choices; choice->word && used < FL_CLI_CHOICES_TEXT_LEN; choice++) {
		const char *before = choice == choices ? "" : choice[1].word ? ", " : " or ";

		used += (size_t)snprintf(text + used, FL_CLI_CHOICES_TEXT_LEN - used, "%s%s", before, choice->word);
	}
	return text;
}
