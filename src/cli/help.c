/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <string.h>

#include "cli/choices.h"

#define OPTION_COLUMN 34 /* where the brief text of an option begins */
#define VERB_COLUMN   12

static void print_option(FILE *out, const struct fl_cli_option *option)
{
	char left[64];
	char letter[8] = "    ";
	const char *gap = option->argument && strncmp(option->argument, "[=", 2) != 0 ? " " : "";

	if (option->value < 256)
		snprintf(letter, sizeof(letter), "-%c, ", option->value);
	snprintf(left, sizeof(left), "  %s--%s%s%s", letter, option->name, gap,
		 option->argument ? option->argument : "");
	fprintf(out, "%-*s %s\n", OPTION_COLUMN - 1, left, option->brief);
}

static void print_choices(FILE *out, const struct fl_cli_choice *choices)
{
	char text[FL_CLI_CHOICES_TEXT_LEN];

	fprintf(out, "%*s%s\n", OPTION_COLUMN + 2, "", fl_cli_choices_text(choices, text));
}

static size_t print_options(FILE *out, const struct fl_cli_verb *verb, bool all)
{
	size_t left_out = 0;

	for (const struct fl_cli_option *option = verb->options; option->name; option++) {
		if (!all && !(option->flags & FL_CLI_COMMON)) {
			left_out++;
			continue;
		}
		print_option(out, option);
		if (all && option->choices)
			print_choices(out, option->choices);
	}
	return left_out;
}

void fl_cli_print_verb_help(FILE *out, const struct fl_cli_verb *verb, bool all)
{
	fprintf(out, "usage: faultline %s [OPTION...]%s%s\n\n%s%s", verb->name, verb->arguments[0] ? " " : "",
		verb->arguments, verb->about, verb->about[0] ? "\n" : "");
	size_t left_out = print_options(out, verb, all);

	if (left_out)
		fprintf(out, "\n%zu more options: --help=all. What they mean: man faultline-%s.\n", left_out,
			verb->name);
}

void fl_cli_print_help(FILE *out)
{
	fputs("usage: faultline VERB [OPTION...] [ARGUMENT...]\n"
	      "\n"
	      "Linux guests that survive the loss of a mapped page of a host file.\n"
	      "\n",
	      out);
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++)
		fprintf(out, "  %-*s %s\n", VERB_COLUMN - 3, verb->name, verb->brief);
	fputs("\n"
	      "To begin with: faultline run -- uname -a\n"
	      "More: faultline VERB --help, man faultline\n",
	      out);
}
