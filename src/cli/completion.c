/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/completion.h"

#include <errno.h>
#include <string.h>

#include "cli/diag.h"

#define SEPARATORS_MAX 4

/* What stands between the pieces of a value, of which the last is completed. */
static void find_separators(const struct fl_cli_option *option, char separators[SEPARATORS_MAX])
{
	const char *argument = option->argument;
	char *out = separators;

	if (strchr(argument, '='))
		*out++ = '=';
	if (strchr(argument, ':'))
		*out++ = ':';
	if (strstr(argument, "LIST"))
		*out++ = ',';
	*out = '\0';
}

static bool value_is_attached(const struct fl_cli_option *option)
{
	return option->argument && strncmp(option->argument, "[=", 2) == 0;
}

static void put_choice_words(FILE *out, const struct fl_cli_option *option)
{
	for (const struct fl_cli_choice *choice = option->choices; choice->word; choice++)
		fprintf(out, "%s%s", choice == option->choices ? "" : " ", choice->word);
}

/* ---- bash ---- */

static void put_bash_option_words(FILE *out, const struct fl_cli_verb *verb)
{
	fprintf(out, "\t%s) options='", verb->name);
	for (const struct fl_cli_option *option = verb->options; option->name; option++) {
		bool takes_one = option->argument && !value_is_attached(option);

		fprintf(out, "%s--%s%s", option == verb->options ? "" : " ", option->name, takes_one ? "=" : "");
	}
	fputs("' ;;\n", out);
}

static void put_bash_value(FILE *out, const struct fl_cli_verb *verb, const struct fl_cli_option *option)
{
	char separators[SEPARATORS_MAX];

	if (!option->argument || value_is_attached(option))
		return;
	find_separators(option, separators);
	fputc('\t', out);
	if (option->value < 256)
		fprintf(out, "%s:-%c | ", verb->name, option->value);
	fprintf(out, "%s:--%s) kind=", verb->name, option->name);
	if (option->choices) {
		fputs("words choices='", out);
		put_choice_words(out, option);
		fputc('\'', out);
	} else {
		fputs(option->complete ? option->complete : "unknown", out);
	}
	fprintf(out, " separators='%s' ;;\n", separators);
}

static const char *arguments_of(const struct fl_cli_verb *verb)
{
	if (verb->takes_vm)
		return "vm";
	if (strcmp(verb->name, "help") == 0)
		return "verb";
	return strstr(verb->arguments, "COMMAND") ? "command" : "none";
}

static void put_bash_tables(FILE *out)
{
	const struct fl_cli_verb *verb;

	fputs("_faultline_verbs='", out);
	for (verb = fl_cli_verbs; verb->name; verb++)
		fprintf(out, "%s%s", verb == fl_cli_verbs ? "" : " ", verb->name);
	fputs("'\n\n# VERB: sets options, and arguments to what comes behind them\n_faultline_options() {\n"
	      "\tcase $1 in\n",
	      out);
	for (verb = fl_cli_verbs; verb->name; verb++)
		put_bash_option_words(out, verb);
	fputs("\tesac\n\tcase $1 in\n", out);
	for (verb = fl_cli_verbs; verb->name; verb++)
		fprintf(out, "\t%s) arguments='%s' ;;\n", verb->name, arguments_of(verb));
	fputs("\tesac\n}\n\n# VERB:OPTION: sets kind, choices and separators; fails if the option takes no word as its value\n"
	      "_faultline_value() {\n\tcase $1 in\n",
	      out);
	for (verb = fl_cli_verbs; verb->name; verb++)
		for (const struct fl_cli_option *option = verb->options; option->name; option++)
			put_bash_value(out, verb, option);
	fputs("\t*) return 1 ;;\n\tesac\n}\n", out);
}

/* ---- zsh ---- */

/* Inside single quotes; special: what _arguments wants a backslash before. */
static void put_zsh_text(FILE *out, const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fprintf(out, "%s%c", strchr(special, *text) ? "\\" : "", *text);
	}
}

/* A blank in front of a function keeps _arguments from adding words of its own. */
static void put_zsh_action(FILE *out, const struct fl_cli_option *option)
{
	char separators[SEPARATORS_MAX];

	if (!option->choices && option->complete && strcmp(option->complete, "file") == 0) {
		fputs("_files", out);
		return;
	}
	if (!option->choices && !option->complete)
		return;
	find_separators(option, separators);
	fprintf(out, " _faultline_%ss \"", option->choices ? "word" : option->complete);
	put_zsh_text(out, separators, ":");
	fputs(option->choices ? "\" " : "\"", out);
	if (option->choices)
		put_choice_words(out, option);
}

static void put_zsh_option(FILE *out, const struct fl_cli_option *option)
{
	bool again = option->flags & FL_CLI_REPEATED || option->value == 'v';
	bool takes_one = option->argument && !value_is_attached(option);
	const char *equals = !option->argument ? "" : takes_one ? "=" : "=-";

	fputs(" \\\n\t\t'", out);
	if (again)
		fputc('*', out);
	else if (option->value < 256)
		fprintf(out, "(-%c --%s)", option->value, option->name);
	if (option->value < 256)
		fprintf(out, "'{-%c%s,--%s%s}'[", option->value, takes_one ? "+" : "", option->name, equals);
	else
		fprintf(out, "--%s%s[", option->name, equals);
	put_zsh_text(out, option->brief, "[]\\");
	fputc(']', out);
	if (option->argument) {
		fputs(takes_one ? ":" : "::", out);
		put_zsh_text(out, option->argument, ":\\");
		fputc(':', out);
		put_zsh_action(out, option);
	}
	fputc('\'', out);
}

static void put_zsh_verb(FILE *out, const struct fl_cli_verb *verb)
{
	const char *arguments = arguments_of(verb);

	fprintf(out, "\n_faultline_%s() {\n\t_arguments -s -S -A '-*'", verb->name);
	for (const struct fl_cli_option *option = verb->options; option->name; option++)
		put_zsh_option(out, option);
	if (strcmp(arguments, "command") == 0)
		fputs(" \\\n\t\t'(-)1:command: _command_names -e' '*::arguments: _normal'", out);
	else if (strcmp(arguments, "none") != 0)
		fprintf(out, " \\\n\t\t'*:%s: _faultline_%ss \"\"'", arguments, arguments);
	fputs("\n}\n", out);
}

static void put_zsh_tables(FILE *out)
{
	const struct fl_cli_verb *verb;

	fputs("_faultline_verbs() {\n\tlocal -a verbs\n\tverbs=(\n", out);
	for (verb = fl_cli_verbs; verb->name; verb++) {
		fprintf(out, "\t\t'%s:", verb->name);
		put_zsh_text(out, verb->brief, ":\\");
		fputs("'\n", out);
	}
	fputs("\t)\n\t_describe -t verbs verb verbs\n}\n", out);
	for (verb = fl_cli_verbs; verb->name; verb++)
		put_zsh_verb(out, verb);
}

int fl_cli_write_completion(enum fl_cli_shell shell, const char *template, FILE *out, struct fl_diag *diag)
{
	static const char order[] = "\n@tables\n";
	const char *at = strstr(template, order);

	if (!at || strstr(at + 1, order))
		return fl_cli_diag(diag, -EINVAL, "There must be one line \"@tables\".");
	fwrite(template, 1, (size_t)(at - template) + 1, out);
	if (shell == FL_CLI_BASH)
		put_bash_tables(out);
	else
		put_zsh_tables(out);
	fputs(at + strlen(order), out);
	return 0;
}
