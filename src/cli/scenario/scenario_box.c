/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/host.h"
#include "cli/scenario/scenario_outputs.h"

#define MEMORY		"4G"
#define OUTPUT_FD_MIN	20 /* what the box can pass on: as in cli/host.c */
#define OUTPUT_FD_LIMIT 64

struct command {
	char **words;
	size_t count;
	bool failed;
};

static void __attribute__((format(printf, 2, 3))) add(struct command *command, const char *format, ...)
{
	char **words = realloc(command->words, (command->count + 2) * sizeof(*words));
	va_list args;

	if (!words) {
		command->failed = true;
		return;
	}
	command->words = words;
	va_start(args, format);
	if (vasprintf(&words[command->count], format, args) < 0) {
		words[command->count] = NULL;
		command->failed = true;
	}
	va_end(args);
	words[++command->count] = NULL;
}

static void free_command(struct command *command)
{
	for (size_t i = 0; i < command->count; i++)
		free(command->words[i]);
	free(command->words);
}

/* What results are written to is opened here: the box cannot write to this host's files. */
static int add_outputs(struct command *command, const struct fl_scn_options *options, int fds[FL_SCN_OUTPUTS],
		       struct fl_diag *diag)
{
	struct fl_scn_outputs outputs;
	int ret = fl_scn_outputs_open(options, &outputs, diag);

	for (size_t i = 0; ret == 0 && i < FL_SCN_OUTPUTS; i++) {
		fds[i] = outputs.fds[i] < 0 ? -1 : fcntl(outputs.fds[i], F_DUPFD, OUTPUT_FD_MIN);
		if (outputs.fds[i] < 0)
			continue;
		if (fds[i] < 0 || fds[i] >= OUTPUT_FD_LIMIT)
			ret = fl_cli_diag(diag, -EMFILE, "%s: too many descriptors are open here.",
					  fl_scn_output_option(i));
		add(command, "--output");
		add(command, "%d", fds[i]);
	}
	if (ret == 0)
		fl_scn_outputs_close(&outputs);
	return ret;
}

/* The same words, but where the results go; "--" keeps a file's name from being taken for an option. */
static void add_line(struct command *command, const struct fl_scn_options *options, char **argv,
		     const int fds[FL_SCN_OUTPUTS])
{
	for (char **word = argv; word < options->paths; word++)
		if (strcmp(*word, "--") != 0)
			add(command, "%s", *word);
	add(command, "--host=kvm");
	for (size_t i = 0; i < FL_SCN_OUTPUTS; i++)
		if (fds[i] >= 0)
			add(command, "%s=fd:%d", fl_scn_output_option(i), fds[i]);
	add(command, "--");
	for (char **path = options->paths; *path; path++)
		add(command, "%s", *path);
}

static int become_box(const struct fl_scn_options *options, const char *box, char **argv, struct fl_diag *diag)
{
	struct command command = {0};
	int fds[FL_SCN_OUTPUTS] = {-1, -1, -1};
	char program[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (len < 0)
		return fl_cli_diag(diag, -errno, "/proc/self/exe cannot be read: %s.", strerror(errno));
	program[len] = '\0';
	add(&command, "%s", box);
	add(&command, "--cpus");
	add(&command, "1");
	add(&command, "--memory");
	add(&command, MEMORY);
	for (char **path = options->paths; *path; path++) {
		add(&command, "--show");
		add(&command, "%s", *path);
	}
	int ret = add_outputs(&command, options, fds, diag);

	add(&command, "--");
	add(&command, "%s", program);
	add_line(&command, options, argv, fds);
	if (ret == 0 && command.failed)
		ret = fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	if (ret == 0) {
		execv(box, command.words);
		ret = fl_cli_diag(diag, -errno, "The box %s cannot be run: %s.", box, strerror(errno));
	}
	free_command(&command);
	return ret;
}

/* The small kernel takes no more than a KVM that runs anything. */
static bool host_is_fit(bool needs_linux)
{
	struct fl_diag unfit;
	int ret = fl_cli_check_host(&unfit);

	return ret == 0 || (ret == -ENOTSUP && !needs_linux);
}

int fl_scn_enter_box(const struct fl_scn_options *options, bool needs_linux, char **argv, struct fl_diag *diag)
{
	char box[PATH_MAX];

	if (options->native || options->host == FL_CLI_HOST_KVM || fl_cli_in_box())
		return 0;
	if (options->host == FL_CLI_HOST_AUTO && host_is_fit(needs_linux))
		return 0;
	int ret = fl_cli_default_box(box, diag);

	if (ret < 0)
		return ret;
	if (options->host == FL_CLI_HOST_AUTO && !options->quiet)
		fprintf(stderr,
			"faultline: /dev/kvm here cannot run Linux guests (\"faultline doctor\" says why), so the "
			"scenarios run on an emulated host, the box, where all is many times as slow.\n");
	return become_box(options, box, argv, diag);
}
