/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mdoc.h"

#include <ctype.h>
#include <string.h>

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void put_escaped(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			fputs("\\e", out);
		else
			fputc(text[i], out);
	}
}

static void put_in_font(FILE *out, char font, const char *text, size_t len)
{
	fprintf(out, "\\f%c", font);
	/* "\-" is the character that a shell takes for one, "-" is a hyphen */
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%s%c", text[i] == '-' ? "\\" : "", text[i]);
	fputs("\\fR", out);
}

/* How much of the word, from its beginning, is the name of an option: "--dax", "-v". */
static size_t option_len(const char *word, size_t len)
{
	size_t dashes = strspn(word, "-");
	size_t i = dashes;

	while (i < len && (islower((unsigned char)word[i]) || word[i] == '-'))
		i++;
	return (dashes == 1 || dashes == 2) && i > dashes ? i : 0;
}

/* How much of the word, from its beginning, is a word that the argument has as a whole: "DIR" of "GUESTPATH=DIR". */
static size_t placeholder_len(const char *word, size_t len, const char *argument)
{
	size_t found_len = strspn(word, CAPITALS);

	if (!argument || found_len == 0 || found_len > len)
		return 0;
	for (const char *at = argument; (at = strpbrk(at, CAPITALS));) {
		size_t at_len = strspn(at, CAPITALS);

		if (at_len == found_len && strncmp(at, word, at_len) == 0)
			return at_len;
		at += at_len;
	}
	return 0;
}

static void put_word(FILE *out, const char *word, size_t len, const char *argument)
{
	size_t before = strspn(word, "\"(");

	if (before > len)
		before = len;
	put_escaped(out, word, before);
	word += before;
	len -= before;
	size_t option = option_len(word, len);
	size_t placeholder = option ? 0 : placeholder_len(word, len, argument);

	if (option)
		put_in_font(out, 'B', word, option);
	else if (placeholder)
		put_in_font(out, 'I', word, placeholder);
	put_escaped(out, word + option + placeholder, len - option - placeholder);
}

static bool ends_sentence(const char *word, size_t len, const char *next)
{
	return len > 0 && word[len - 1] == '.' && !islower((unsigned char)*next);
}

void fl_cli_mdoc_text(FILE *out, const char *text, const char *argument, bool capital)
{
	bool first_of_line = true;

	for (const char *word = text + strspn(text, " \n"); *word;) {
		size_t len = strcspn(word, " \n");
		const char *next = word + len + strspn(word + len, " \n");

		if (!first_of_line)
			fputc(' ', out);
		else if (*word == '.' || *word == '\'')
			fputs("\\&", out); /* else it would be a macro */
		if (capital && word == text && islower((unsigned char)*word)) {
			fputc(toupper((unsigned char)*word), out);
			put_word(out, word + 1, len - 1, NULL);
		} else {
			put_word(out, word, len, argument);
		}
		first_of_line = ends_sentence(word, len, next);
		if (first_of_line && *next)
			fputc('\n', out);
		word = next;
	}
	fputc('\n', out);
}

void fl_cli_mdoc_argument(FILE *out, const char *argument)
{
	const char *gap = "";

	while (*argument) {
		size_t word = strspn(argument, CAPITALS);
		size_t len = word ? word : strcspn(argument, CAPITALS);

		fprintf(out, "%s%s%.*s", gap, word ? "Ar " : "No \\&", (int)len, argument);
		gap = " Ns ";
		argument += len;
	}
}

/* "its memory (1G)": what stands in parentheses at the end is the default. Returns where it begins, or NULL. */
static const char *find_default(const char *brief)
{
	size_t len = strlen(brief);
	const char *open = strrchr(brief, '(');

	return open && open > brief + 1 && brief[len - 1] == ')' ? open + 1 : NULL;
}

void fl_cli_mdoc_brief(FILE *out, const struct fl_cli_option *option)
{
	const char *by_default = find_default(option->brief);
	char brief[256];

	snprintf(brief, sizeof(brief), "%.*s.",
		 (int)(by_default ? (size_t)(by_default - option->brief) - 2 : strlen(option->brief)), option->brief);
	fl_cli_mdoc_text(out, brief, option->argument, true);
}

void fl_cli_mdoc_default(FILE *out, const struct fl_cli_option *option)
{
	const char *by_default = find_default(option->brief);

	if (by_default)
		fprintf(out, "Default: %.*s.\n", (int)strlen(by_default) - 1, by_default);
}

static void put_choices(FILE *out, const struct fl_cli_choice *choice)
{
	fputs(".Bl -tag -width substitute\n", out);
	for (; choice->word; choice++) {
		fprintf(out, ".It Cm %s\n", choice->word);
		fl_cli_mdoc_text(out, choice->meaning, NULL, false);
	}
	fputs(".El\n", out);
}

void fl_cli_mdoc_option(FILE *out, const struct fl_cli_option *option)
{
	bool attached = option->argument && strncmp(option->argument, "[=", 2) == 0;

	fputs(".It ", out);
	if (option->value < 256)
		fprintf(out, "Fl %c , ", option->value);
	fprintf(out, "Fl -%s", option->name);
	if (option->argument) {
		fputs(attached ? " Ns " : " ", out);
		fl_cli_mdoc_argument(out, option->argument);
	}
	fputc('\n', out);
	if (option->value == 'h') {
		fprintf(out, "List the%s options%s.\n", attached ? " most common" : "", attached ? ", or all" : "");
		return;
	}
	fl_cli_mdoc_brief(out, option);
	if (option->text)
		fl_cli_mdoc_text(out, option->text, option->argument, false);
	if (option->flags & FL_CLI_REPEATED)
		fputs("May be repeated.\n", out);
	fl_cli_mdoc_default(out, option);
	if (option->choices)
		put_choices(out, option->choices);
}

void fl_cli_mdoc_exits(FILE *out, const struct fl_cli_exit_row *row)
{
	fputs(".Bl -tag -width \"0 to 123\"\n", out);
	for (; row->status; row++) {
		fprintf(out, ".It %s\n", row->status);
		fl_cli_mdoc_text(out, row->meaning, NULL, false);
	}
	fputs(".El\n", out);
}
