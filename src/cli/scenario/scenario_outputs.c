/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/outfile.h"

typedef int (*write_fn)(FILE *out, const struct fl_scn_results *results);

static const struct {
	const char *option;
	write_fn write;
} kinds[FL_SCN_OUTPUTS] = {
	{"--junit", fl_scn_write_junit},
	{"--json", fl_scn_write_json},
	{"--html", fl_scn_write_html},
};

const char *fl_scn_output_option(size_t index)
{
	return kinds[index].option;
}

const char *fl_scn_output_path(const struct fl_scn_options *options, size_t index)
{
	const char *const paths[FL_SCN_OUTPUTS] = {options->junit, options->json, options->html};

	return paths[index];
}

/* "FILE" or "fd:N" */
static int open_one(const char *path)
{
	char *end;

	if (strncmp(path, "fd:", 3) != 0)
		return fl_cli_open_outfile(path, 0);
	long fd = strtol(path + 3, &end, 10);

	if (end == path + 3 || *end || fd < 0 || fd > 1 << 20)
		return -EINVAL;
	int copy = fcntl((int)fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

int fl_scn_outputs_open(const struct fl_scn_options *options, struct fl_scn_outputs *outputs, struct fl_diag *diag)
{
	for (size_t i = 0; i < FL_SCN_OUTPUTS; i++)
		outputs->fds[i] = -1;
	for (size_t i = 0; i < FL_SCN_OUTPUTS; i++) {
		const char *path = fl_scn_output_path(options, i);

		if (!path)
			continue;
		int fd = open_one(path);

		if (fd < 0) {
			fl_scn_outputs_close(outputs);
			return fl_cli_diag(diag, fd, "%s: %s cannot be written: %s.", kinds[i].option, path,
					   fl_cli_outfile_error(fd));
		}
		outputs->fds[i] = fd;
	}
	return 0;
}

/* Takes fd. */
static int write_one(int fd, write_fn write, const struct fl_scn_results *results)
{
	FILE *out = fdopen(fd, "w");

	if (!out) {
		close(fd);
		return -errno;
	}
	int ret = write(out, results);

	if (fclose(out) != 0 && ret == 0)
		ret = -errno;
	return ret;
}

int fl_scn_outputs_write(struct fl_scn_outputs *outputs, const struct fl_scn_options *options,
			 const struct fl_scn_results *results, struct fl_diag *diag)
{
	int first = 0;

	for (size_t i = 0; i < FL_SCN_OUTPUTS; i++) {
		if (outputs->fds[i] < 0)
			continue;
		int ret = write_one(outputs->fds[i], kinds[i].write, results);

		outputs->fds[i] = -1;
		if (ret < 0 && first == 0)
			first = fl_cli_diag(diag, ret, "%s: %s cannot be written: %s.", kinds[i].option,
					    fl_scn_output_path(options, i), strerror(-ret));
	}
	return first;
}

void fl_scn_outputs_close(struct fl_scn_outputs *outputs)
{
	for (size_t i = 0; i < FL_SCN_OUTPUTS; i++) {
		if (outputs->fds[i] >= 0)
			close(outputs->fds[i]);
		outputs->fds[i] = -1;
	}
}
