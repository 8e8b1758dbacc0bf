/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/choices.h"
#include "cli/diag.h"
#include "cli/parse.h"
#include "cli/scenario/run/runner.h"
#include "cli/values.h"

#define REPEAT_MAX	100000
#define SLOWNESS_MAX	1000
#define EXPLORE_DEFAULT 64
#define EXPLORE_MAX	100000

static int take_u64(const char *option, const char *text, uint64_t *number, struct fl_diag *diag)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	if (errno || end == text || *end || text[0] == '-')
		return fl_cli_diag(diag, -EINVAL, "%s: \"%s\" is no number from 0 to 18446744073709551615.", option,
				   text);
	return 0;
}

static int take_host(const char *text, struct fl_scn_options *options, struct fl_diag *diag)
{
	unsigned int value = 0;
	int ret = fl_cli_parse_choice(FL_CLI_OPTION_HOST, text, &value, diag);

	options->host = (enum fl_cli_host)value;
	return ret;
}

static int take_by(const char *text, struct fl_scn_options *options, struct fl_diag *diag)
{
	unsigned int value = 0;
	int ret = fl_cli_parse_choice(FL_CLI_OPTION_BY, text, &value, diag);

	options->by = (enum fl_scn_by)value;
	return ret;
}

static int take_host_kernel(const char *text, struct fl_scn_options *options, struct fl_diag *diag)
{
	for (const char *const *name = fl_scn_host_kernels; *name; name++)
		if (strcmp(*name, text) == 0) {
			options->host_kernel = *name;
			return 0;
		}
	return fl_cli_diag(diag, -EINVAL, "--host-kernel: \"%s\" is no kernel of the box: 6.12, 6.1 or 6.12-patched.",
			   text);
}

static int take(void *target, int value, const char *text, const char *next, bool *took_next, struct fl_diag *diag)
{
	struct fl_scn_options *options = target;

	(void)next;
	(void)took_next;
	switch (value) {
	case FL_CLI_OPTION_FILTER:
		options->filter = text;
		return 0;
	case FL_CLI_OPTION_LIST:
		options->list = true;
		return 0;
	case 'j':
		return fl_cli_parse_number("--jobs", text, 1, FL_SCN_JOBS_MAX, &options->jobs, diag);
	case FL_CLI_OPTION_SEED:
		options->has_seed = true;
		return take_u64("--seed", text, &options->seed, diag);
	case FL_CLI_OPTION_EXPLORE:
		options->explore = EXPLORE_DEFAULT;
		return text ? fl_cli_parse_number("--explore", text, 2, EXPLORE_MAX, &options->explore, diag) : 0;
	case FL_CLI_OPTION_MOMENT:
		options->has_moment = true;
		return take_u64("--moment", text, &options->moment_ns, diag);
	case FL_CLI_OPTION_REPEAT:
		return fl_cli_parse_number("--repeat", text, 1, REPEAT_MAX, &options->repeat, diag);
	case FL_CLI_OPTION_BY:
		return take_by(text, options, diag);
	case FL_CLI_OPTION_HOST_KERNEL:
		return take_host_kernel(text, options, diag);
	case FL_CLI_OPTION_SLOWNESS:
		return fl_cli_parse_number("--slowness", text, 1, SLOWNESS_MAX, &options->slowness, diag);
	case FL_CLI_OPTION_ALLOW_SKIPPED:
		options->allow_skipped = true;
		return 0;
	case FL_CLI_OPTION_NATIVE:
		options->native = true;
		return 0;
	case FL_CLI_OPTION_HOST:
		return take_host(text, options, diag);
	case FL_CLI_OPTION_KEEP:
		options->keep = true;
		return 0;
	case FL_CLI_OPTION_JUNIT:
		options->junit = text;
		return 0;
	case FL_CLI_OPTION_JSON:
		options->json = text;
		return 0;
	case FL_CLI_OPTION_HTML:
		options->html = text;
		return 0;
	case 'k':
		options->kernel = text;
		return 0;
	case 'q':
		options->quiet++;
		return 0;
	case 'h':
		options->help = text ? FL_CLI_ALL_HELP : FL_CLI_COMMON_HELP;
		return text && strcmp(text, "all") != 0
			       ? fl_cli_diag(diag, -EINVAL, "--help alone or --help=all, not \"%s\".", text)
			       : 0;
	default:
		return fl_cli_diag(diag, -EINVAL, "An option of the table is not taken: %d.", value);
	}
}

int fl_scn_options_parse(int argc, char **argv, struct fl_scn_options *options, struct fl_diag *diag)
{
	bool separated;
	int used;

	*options = (struct fl_scn_options){.repeat = 1, .jobs = 1};
	int ret = fl_cli_take_options(fl_cli_find_verb("scenario"), argc, argv, take, options, &used, &separated, diag);

	if (ret < 0 || options->help)
		return ret;
	options->paths = argv + used;
	if (used == argc)
		return fl_cli_diag(diag, -EINVAL,
				   "Say which scenarios are to be run: files *.scn, or directories that have some; see "
				   "faultline scenario --help.");
	if (options->by == FL_SCN_BY_INSTRUCTIONS && !options->explore && !options->has_moment)
		return fl_cli_diag(diag, -EINVAL, "--by says what --explore and --moment go by: add one of them.");
	if (options->native && options->host == FL_CLI_HOST_BOX)
		return fl_cli_diag(diag, -EINVAL, "--native needs no other host: leave --host=box out.");
	return 0;
}
