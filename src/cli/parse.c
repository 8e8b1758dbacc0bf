/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/parse.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/diag.h"

#define OPTIONS_MAX 64

struct tables {
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 3];
};

/* "[=all]": may be given, and only with a "=" */
static int argument_kind(const struct fl_cli_option *row)
{
	if (!row->argument)
		return no_argument;
	return strncmp(row->argument, "[=", 2) == 0 ? optional_argument : required_argument;
}

/* The leading '+' ends the options at the first word that is none, ':' tells a missing argument apart. */
static void make_tables(const struct fl_cli_option *row, struct tables *tables)
{
	char *letter = stpcpy(tables->shorts, "+:");
	struct option *out = tables->longs;

	memset(tables->longs, 0, sizeof(tables->longs));
	for (; row->name && out < tables->longs + OPTIONS_MAX; row++, out++) {
		int kind = argument_kind(row);

		*out = (struct option){.name = row->name, .has_arg = kind, .val = row->value};
		if (row->value < 256) {
			*letter++ = (char)row->value;
			if (kind == required_argument)
				*letter++ = ':';
		}
	}
	*letter = '\0';
}

static int refuse(const struct fl_cli_verb *verb, int found, char **argv, struct fl_diag *diag)
{
	const char *word = argv[optind - 1];

	if (found == ':')
		return fl_cli_diag(diag, -EINVAL, "%s needs a value; see faultline %s --help.", word, verb->name);
	/* optopt is an unknown letter; or, for a long option, 0 (unknown) or its value (it was given an argument) */
	if (strncmp(word, "--", 2) != 0)
		return fl_cli_diag(diag, -EINVAL, "There is no option -%c; see faultline %s --help.", optopt,
				   verb->name);
	const struct fl_cli_option *option = optopt ? fl_cli_find_option(verb, optopt) : NULL;

	if (option)
		return fl_cli_diag(diag, -EINVAL, "--%s takes no value.", option->name);
	return fl_cli_diag(diag, -EINVAL, "There is no option %s; see faultline %s --help.", word, verb->name);
}

/*
 * "-c -- true" is an option without its value, for all that getopt_long() says. A value that is "--" can be given as
 * --params=--.
 */
static bool is_separator(const char *value, char **argv)
{
	return value && value == argv[optind - 1] && strcmp(value, "--") == 0;
}

static int refuse_separator(const struct fl_cli_option *option, struct fl_diag *diag)
{
	char letter[8] = "";

	if (option->value < 256)
		snprintf(letter, sizeof(letter), "-%c, ", option->value);
	return fl_cli_diag(diag, -EINVAL, "%s--%s wants %s, but \"--\" follows it, which ends the options.", letter,
			   option->name, option->argument);
}

/* optind = 0 makes getopt_long() start anew. */
int fl_cli_take_options(const struct fl_cli_verb *verb, int argc, char **argv, fl_cli_take_fn take, void *target,
			int *used, bool *separated, struct fl_diag *diag)
{
	struct tables tables;
	int found;
	int ret = 0;

	make_tables(verb->options, &tables);
	optind = 0;
	opterr = 0;
	while (ret == 0 && (found = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		bool took_next = false;

		if (found == ':' || found == '?')
			return refuse(verb, found, argv, diag);
		if (is_separator(optarg, argv))
			return refuse_separator(fl_cli_find_option(verb, found), diag);
		ret = take(target, found, optarg, optind < argc ? argv[optind] : NULL, &took_next, diag);
		if (took_next)
			optind++;
	}
	*used = optind;
	*separated = optind > 1 && strcmp(argv[optind - 1], "--") == 0;
	return ret;
}
