/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file exerciser by hand: runs of any length, and the same run again.
 *
 * usage: exerciser [OPTION...] DIR
 *
 *   --places LIST     where the actors are, such as host,dax,dax,cached: host is a process here, dax a guest with a DAX
 *                     window, small one with the smallest window, cached one without, stock one with a window and
 *                     a kernel (--option=--kernel=FILE) without guest-kernel-patches/ (host,host,host)
 *   --seed N          what is done (taken from the clock)
 *   --ops N           how many operations (100000)
 *   --seconds N       at most so long
 *   --files N         how many files, 1 to 8 (4)
 *   --size N          how many pages of 4096 bytes each of them has at most (768)
 *   --launcher FILE   faultline, for guests
 *   --option TEXT     one more option of the launcher, such as --fault-mode=watch; may be repeated
 *
 * DIR gets the files. Exit status 0 only if every byte and size was right. What differs is printed with the seed: the
 * same options do the same again.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/exercise/exercise_run.h"

#define SMALLEST_WINDOW "--dax-window=64M"

struct options {
	struct ex_run run;
	char places[64];
	const char *extra[EX_OPTIONS_MAX];
	size_t extra_count;
	char launcher[PATH_MAX];
	char actor[PATH_MAX];
	char dir[PATH_MAX];
};

static bool add_place(struct ex_run *run, const char *name)
{
	struct ex_place *place = &run->places[run->config.actors];

	if (run->config.actors == EX_ACTORS_MAX)
		return false;
	run->config.actors++;
	place->kernel = EX_DAX;
	if (strcmp(name, "small") == 0)
		place->options[0] = SMALLEST_WINDOW;
	else if (!ex_kernel_parse(name, &place->kernel))
		return false;
	if (place->kernel == EX_CACHED)
		place->options[0] = "--dax-window=0";
	return true;
}

static bool make_places(struct options *options)
{
	char *rest = options->places, *name;
	struct ex_run *run = &options->run;

	while ((name = strsep(&rest, ",")))
		if (!add_place(run, name))
			return false;
	for (unsigned int i = 0; i < run->config.actors; i++) {
		struct ex_place *place = &run->places[i];
		size_t count = place->options[0] ? 1 : 0;

		for (size_t e = 0; e < options->extra_count && count < EX_OPTIONS_MAX; e++)
			place->options[count++] = options->extra[e];
	}
	return true;
}

static bool take_option(struct options *options, int option, const char *text)
{
	struct ex_run *run = &options->run;

	switch (option) {
	case 'p':
		snprintf(options->places, sizeof(options->places), "%s", text);
		return true;
	case 's':
		run->config.seed = strtoull(text, NULL, 0);
		return true;
	case 'o':
		run->ops_max = strtoull(text, NULL, 0);
		return true;
	case 't':
		run->seconds = (unsigned int)strtoul(text, NULL, 0);
		return true;
	case 'f':
		run->config.files = (unsigned int)strtoul(text, NULL, 0);
		return run->config.files >= 1 && run->config.files <= EX_FILES_MAX;
	case 'n':
		run->config.max_len = strtoull(text, NULL, 0) * EX_PAGE;
		return run->config.max_len > 0 && run->config.max_len < (uint64_t)1 << 40;
	case 'l':
		run->launcher = realpath(text, options->launcher);
		return run->launcher;
	case 'x':
		options->extra[options->extra_count] = text;
		return ++options->extra_count < EX_OPTIONS_MAX;
	default:
		return false;
	}
}

static bool take_options(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{"places", 1, NULL, 'p'},   {"seed", 1, NULL, 's'},   {"ops", 1, NULL, 'o'},
		{"seconds", 1, NULL, 't'},  {"files", 1, NULL, 'f'},  {"size", 1, NULL, 'n'},
		{"launcher", 1, NULL, 'l'}, {"option", 1, NULL, 'x'}, {NULL, 0, NULL, 0},
	};
	struct ex_run *run = &options->run;
	int option;

	run->config = (struct ex_config){.seed = (uint64_t)time(NULL), .files = 4, .max_len = 768 * EX_PAGE};
	run->ops_max = 100000;
	snprintf(options->places, sizeof(options->places), "host,host,host");
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1)
		if (!take_option(options, option, optarg))
			return false;
	if (optind != argc - 1 || !realpath(argv[optind], options->dir) || !make_places(options))
		return false;
	for (unsigned int i = 0; i < run->config.actors; i++)
		if (run->places[i].kernel != EX_HOST && !run->launcher)
			return false;
	run->dir = options->dir;
	return true;
}

/* Beside this program. */
static bool find_actor(struct options *options)
{
	ssize_t len = readlink("/proc/self/exe", options->actor, sizeof(options->actor) - 1);
	char *slash = len > 0 ? strrchr(options->actor, '/') : NULL;

	if (!slash)
		return false;
	snprintf(slash, sizeof(options->actor) - (size_t)(slash - options->actor), "/exercise_actor");
	options->run.actor = options->actor;
	return access(options->actor, X_OK) == 0;
}

int main(int argc, char **argv)
{
	static struct options options;
	struct ex_run *run = &options.run;

	if (!find_actor(&options) || !take_options(&options, argc, argv)) {
		fprintf(stderr, "usage: exerciser [--places LIST] [--seed N] [--ops N] [--seconds N] [--files N] "
				"[--size N] [--launcher FILE] [--option TEXT]... DIR\n");
		return 2;
	}
	printf("seed %" PRIu64 "\n", run->config.seed);
	fflush(stdout);
	bool good = ex_run(run);

	printf("%" PRIu64 " operations in %" PRIu64 " turns, %" PRIu64 ".%01" PRIu64 " s: %s\n", run->ops, run->turns,
	       run->took_ms / 1000, run->took_ms / 100 % 10, good ? "no difference" : "a difference");
	if (!good)
		printf("%s%s%s", run->said ? run->said : "", run->errors && *run->errors ? "standard error:\n" : "",
		       run->errors ? run->errors : "");
	ex_run_free(run);
	return good ? 0 : 1;
}
