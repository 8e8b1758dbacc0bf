/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_read.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/diag.h"

#define TEXT_LEN_MAX ((size_t)1 << 20)
#define FILES_MAX    4096

static bool is_scenario(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && strcmp(dot, ".scn") == 0;
}

/* One byte more than may be: so that a longer one is seen to be too long. */
static int read_all(const char *path, char **bytes, size_t *len, struct fl_diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = 0;

	if (fd < 0)
		return fl_cli_diag(diag, -errno, "%s cannot be read: %s.", path, strerror(errno));
	*bytes = malloc(TEXT_LEN_MAX + 1);
	*len = 0;
	while (*bytes && *len <= TEXT_LEN_MAX && (got = read(fd, *bytes + *len, TEXT_LEN_MAX + 1 - *len)) > 0)
		*len += (size_t)got;
	int error = errno;

	close(fd);
	if (*bytes && got >= 0)
		return 0;
	free(*bytes);
	return fl_cli_diag(diag, *bytes ? -error : -ENOMEM, "%s cannot be read: %s.", path, strerror(error));
}

static int add(struct fl_scn_readings *readings, struct fl_scn_reading *reading)
{
	struct fl_scn_reading **all = realloc(readings->all, (readings->count + 1) * sizeof(*all));
	const struct fl_scn_text **texts;

	if (!all)
		return -ENOMEM;
	readings->all = all;
	texts = realloc(readings->texts, (readings->count + 1) * sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	readings->texts = texts;
	readings->all[readings->count] = reading;
	readings->texts[readings->count++] = fl_scn_text(reading);
	return 0;
}

static void print_errors(const char *path, const struct fl_scn_reading *reading)
{
	uint32_t count;
	const struct fl_scn_error *errors = fl_scn_errors(reading, &count);

	for (uint32_t i = 0; i < count; i++)
		fprintf(stderr, "%s:%u:%u: %s\n", path, errors[i].pos.line, errors[i].pos.column, errors[i].text);
}

static int read_file(const char *path, struct fl_scn_readings *readings, bool *has_errors, struct fl_diag *diag)
{
	struct fl_scn_reading *reading = NULL;
	char *bytes = NULL;
	size_t len = 0;
	int ret;

	if (readings->count >= FILES_MAX)
		return fl_cli_diag(diag, -E2BIG, "There are more than %d scenarios: name fewer.", FILES_MAX);
	ret = read_all(path, &bytes, &len, diag);
	if (ret < 0)
		return ret;
	ret = fl_scn_read(path, bytes, len, &reading);
	free(bytes);
	if (ret == 0 && !fl_scn_text(reading)) {
		print_errors(path, reading);
		*has_errors = true;
		fl_scn_forget(reading);
		return 0;
	}
	if (ret == 0)
		ret = add(readings, reading);
	if (ret < 0) {
		fl_scn_forget(reading);
		return fl_cli_diag(diag, ret, "Out of memory.");
	}
	return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int read_directory(char *path, struct fl_scn_readings *readings, bool *has_errors, struct fl_diag *diag)
{
	char *const paths[] = {path, NULL};
	size_t before = readings->count;
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *entry;
	int ret = 0;

	if (!walk)
		return fl_cli_diag(diag, -errno, "%s cannot be read: %s.", path, strerror(errno));
	while (ret == 0 && (entry = fts_read(walk)) != NULL)
		if (entry->fts_info == FTS_F && is_scenario(entry->fts_name))
			ret = read_file(entry->fts_path, readings, has_errors, diag);
		else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
			ret = fl_cli_diag(diag, -entry->fts_errno, "%s cannot be read: %s.", entry->fts_path,
					  strerror(entry->fts_errno));
	fts_close(walk);
	if (ret == 0 && readings->count == before && !*has_errors)
		return fl_cli_diag(diag, -ENOENT, "%s has no scenarios (*.scn).", path);
	return ret;
}

int fl_scn_read_paths(char *const *paths, struct fl_scn_readings *readings, struct fl_diag *diag)
{
	bool has_errors = false;
	int ret = 0;

	*readings = (struct fl_scn_readings){0};
	diag->text[0] = '\0';
	for (; ret == 0 && *paths; paths++) {
		struct stat status;

		if (stat(*paths, &status) == 0 && S_ISDIR(status.st_mode))
			ret = read_directory(*paths, readings, &has_errors, diag);
		else
			ret = read_file(*paths, readings, &has_errors, diag);
	}
	return ret == 0 && has_errors ? -EINVAL : ret;
}

void fl_scn_readings_fini(struct fl_scn_readings *readings)
{
	for (size_t i = 0; i < readings->count; i++)
		fl_scn_forget(readings->all[i]);
	free(readings->all);
	free(readings->texts);
	*readings = (struct fl_scn_readings){0};
}
