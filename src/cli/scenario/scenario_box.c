/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/box_words.h"
#include "cli/diag.h"
#include "cli/host.h"
#include "cli/scenario/run/runner.h"
#include "cli/scenario/scenario_outputs.h"

#define MEMORY_MIB 4096

const char *fl_scn_box_kernel(void)
{
	return fl_cli_in_box() ? getenv("FAULTLINE_BOX_HOST_KERNEL") : NULL;
}

bool fl_scn_box_counts(void)
{
	const char *counts = fl_cli_in_box() ? getenv("FAULTLINE_BOX_COUNTS") : NULL;

	return counts && counts[0];
}

/* What results are written to is opened here: the box cannot write to this host's files. */
static int add_outputs(struct fl_cli_box_words *words, const struct fl_scn_options *options, int fds[FL_SCN_OUTPUTS],
		       struct fl_diag *diag)
{
	struct fl_scn_outputs outputs;
	int ret = fl_scn_outputs_open(options, &outputs, diag);

	for (size_t i = 0; ret == 0 && i < FL_SCN_OUTPUTS; i++) {
		fds[i] = outputs.fds[i] < 0 ? -1 : fcntl(outputs.fds[i], F_DUPFD, FL_CLI_BOX_FD_MIN);
		if (outputs.fds[i] < 0)
			continue;
		if (fds[i] < 0 || fds[i] >= FL_CLI_BOX_FD_LIMIT)
			ret = fl_cli_diag(diag, -EMFILE, "%s: too many descriptors are open here.",
					  fl_scn_output_option(i));
		fl_cli_box_add_output(words, fds[i]);
	}
	if (ret == 0)
		fl_scn_outputs_close(&outputs);
	return ret;
}

/* The same words, but where the results go; "--" keeps a file's name from being taken for an option. */
static void add_line(struct fl_cli_box_words *words, const struct fl_scn_options *options, char **argv,
		     const int fds[FL_SCN_OUTPUTS])
{
	for (char **word = argv; word < options->paths; word++)
		if (strcmp(*word, "--") != 0)
			fl_cli_box_add(words, "%s", *word);
	fl_cli_box_add(words, "--host=kvm");
	for (size_t i = 0; i < FL_SCN_OUTPUTS; i++)
		if (fds[i] >= 0)
			fl_cli_box_add(words, "%s=fd:%d", fl_scn_output_option(i), fds[i]);
	fl_cli_box_add(words, "--");
	for (char **path = options->paths; *path; path++)
		fl_cli_box_add(words, "%s", *path);
}

static int become_box(const struct fl_scn_options *options, const char *box, const char *host_kernel, char **argv,
		      struct fl_diag *diag)
{
	struct fl_cli_box_words words = {0};
	int fds[FL_SCN_OUTPUTS] = {-1, -1, -1};
	char program[PATH_MAX];
	char **command;
	const struct fl_cli_box_machine machine = {
		.box = box,
		.cpus = 1,
		.memory_mib = MEMORY_MIB,
		.host_kernel = host_kernel,
		.counts_instructions = options->by == FL_SCN_BY_INSTRUCTIONS,
	};
	int ret = fl_cli_own_path(program, diag);

	if (ret < 0)
		return ret;
	fl_cli_box_add_machine(&words, &machine);
	for (char **path = options->paths; *path; path++)
		fl_cli_box_add_place(&words, false, *path);
	ret = add_outputs(&words, options, fds, diag);
	fl_cli_box_add_program(&words, program);
	add_line(&words, options, argv, fds);
	if (ret < 0) {
		fl_cli_box_command_free(words.word);
		return ret;
	}
	ret = fl_cli_box_take(&words, &command, diag);
	if (ret < 0)
		return ret;
	execv(box, command);
	ret = fl_cli_diag(diag, -errno, "The box %s cannot be run: %s.", box, strerror(errno));
	fl_cli_box_command_free(command);
	return ret;
}

/* The one host kernel that cases want; NULL: none wants one, or they differ. all: there is no case without. */
static const char *wanted_kernel(const struct fl_scn_options *options, const struct fl_scn_readings *readings,
				 bool *all)
{
	const char *wanted = NULL;
	bool differ = false;

	*all = true;
	for (size_t i = 0; i < readings->count; i++)
		for (uint32_t j = 0; j < readings->texts[i]->cases_count; j++) {
			const struct fl_scn_case *of = &readings->texts[i]->cases[j];

			if (!fl_scn_is_chosen(options->filter, of))
				continue;
			*all &= of->host_kernel != NULL;
			differ |= wanted && of->host_kernel && strcmp(wanted, of->host_kernel) != 0;
			wanted = of->host_kernel ? of->host_kernel : wanted;
		}
	*all &= wanted && !differ;
	return differ ? NULL : wanted;
}

/* What only the box has is asked for where it is not used. */
static int refuse_here(const struct fl_scn_options *options, struct fl_diag *diag)
{
	bool no_box = options->native || (options->host == FL_CLI_HOST_KVM && !fl_cli_in_box());

	if (no_box && options->host_kernel)
		return fl_cli_diag(
			diag, -EINVAL,
			"--host-kernel chooses the kernel of the box: leave out what keeps this from running "
			"there.");
	if (options->by != FL_SCN_BY_INSTRUCTIONS)
		return 0;
	if (no_box || (fl_cli_in_box() && !fl_scn_box_counts()))
		return fl_cli_diag(
			diag, -EINVAL,
			"Instructions are counted in the box alone, with its --count-instructions: leave out "
			"what keeps this from running there.");
	return 0;
}

/* The small kernel takes no more than a KVM that runs anything. */
static bool host_is_fit(const struct fl_scn_options *options, const struct fl_scn_readings *readings)
{
	struct fl_diag unfit;
	int ret = fl_cli_check_host(&unfit);

	return ret == 0 || (ret == -ENOTSUP && !fl_scn_need_linux(readings->texts, readings->count, options->filter));
}

int fl_scn_enter_box(const struct fl_scn_options *options, const struct fl_scn_readings *readings, char **argv,
		     struct fl_diag *diag)
{
	bool all_want, must = options->host_kernel || options->by == FL_SCN_BY_INSTRUCTIONS;
	const char *kernel = wanted_kernel(options, readings, &all_want);
	char box[PATH_MAX];
	int ret = refuse_here(options, diag);

	if (ret < 0 || options->native || options->host == FL_CLI_HOST_KVM || fl_cli_in_box())
		return ret;
	if (options->host == FL_CLI_HOST_AUTO && !must && !all_want && host_is_fit(options, readings))
		return 0;
	ret = fl_cli_default_box(box, diag);
	if (ret < 0)
		return ret;
	if (options->host == FL_CLI_HOST_AUTO && !must && !all_want && !options->quiet)
		fprintf(stderr,
			"faultline: /dev/kvm here cannot run Linux guests (\"faultline doctor\" says why), so the "
			"scenarios run on an emulated host, the box, where all is many times as slow.\n");
	return become_box(options, box, options->host_kernel ? options->host_kernel : kernel, argv, diag);
}
