/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/take_option.h"

/* Cuts the blanks off both ends, in place. */
static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	size_t len = strlen(text);

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	text[len] = '\0';
	return text;
}

static const struct fl_cli_option *find_row(const char *name)
{
	for (const struct fl_cli_option *row = fl_cli_run_options; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

static int keep(struct fl_cli_options *options, const char *value, const char **kept)
{
	char **grown = reallocarray(options->kept, options->kept_count + 1, sizeof(*grown));
	char *copy = strdup(value);

	if (grown)
		options->kept = grown;
	if (!grown || !copy) {
		free(copy);
		return -ENOMEM;
	}
	options->kept[options->kept_count++] = copy;
	*kept = copy;
	return 0;
}

static int take_switch(const struct fl_cli_option *row, const char *value, struct fl_cli_options *options,
		       struct fl_diag *diag)
{
	bool took_next = false;

	if (strcmp(value, "no") == 0)
		return 0;
	if (strcmp(value, "yes") != 0)
		return fl_cli_diag(diag, -EINVAL, "%s is yes or no, not \"%s\".", row->name, value);
	return fl_cli_take_option(options, row->value, NULL, NULL, &took_next, diag);
}

static int take_line(char *line, struct fl_cli_options *options, struct fl_diag *diag)
{
	char *text = trim(line);
	char *equals = strchr(text, '=');
	bool took_next = false;
	const char *value;

	if (!*text || *text == '#')
		return 0;
	if (!equals)
		return fl_cli_diag(diag, -EINVAL, "\"%s\" is not of the form NAME = VALUE.", text);
	*equals = '\0';
	const struct fl_cli_option *row = find_row(trim(text));

	if (!row)
		return fl_cli_diag(diag, -EINVAL, "There is no option \"%s\"; see faultline run --help=all.",
				   trim(text));
	if (row->flags & FL_CLI_NOT_IN_FILE)
		return fl_cli_diag(diag, -EINVAL, "%s can only be said on the command line.", row->name);
	value = trim(equals + 1);
	if (!row->argument)
		return take_switch(row, value, options, diag);
	if (keep(options, value, &value) < 0)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	return fl_cli_take_option(options, row->value, value, NULL, &took_next, diag);
}

static int at_line(const char *path, unsigned int number, struct fl_diag *diag)
{
	struct fl_diag said = *diag;

	return fl_cli_diag(diag, said.error, "%s:%u: %s", path, number, said.text);
}

static int take_lines(FILE *file, const char *path, struct fl_cli_options *options, struct fl_diag *diag)
{
	char line[FL_CLI_CONFIG_LINE_MAX];
	unsigned int number = 0;

	while (fgets(line, sizeof(line), file)) {
		number++;
		if (strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n')
			return fl_cli_diag(diag, -EINVAL, "%s:%u: The line is too long.", path, number);
		if (number > FL_CLI_CONFIG_LINES_MAX)
			return fl_cli_diag(diag, -EINVAL, "%s has more than %d lines.", path, FL_CLI_CONFIG_LINES_MAX);
		if (take_line(line, options, diag) < 0)
			return at_line(path, number, diag);
	}
	return ferror(file) ? fl_cli_diag(diag, -EIO, "The file %s cannot be read.", path) : 0;
}

/* O_NONBLOCK: a FIFO that nobody writes to must not hold us. */
static int open_regular(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -EINVAL;
}

int fl_cli_read_config(const char *path, bool must_exist, struct fl_cli_options *options, struct fl_diag *diag)
{
	struct fl_diag own = {0};
	int fd = open_regular(path);

	if (fd == -ENOENT && !must_exist)
		return 0;
	if (fd < 0)
		return fl_cli_diag(diag, fd, "The file %s cannot be read: %s.", path,
				   fd == -EINVAL ? "it is no regular file" : strerror(-fd));
	FILE *file = fdopen(fd, "r");

	if (!file) {
		close(fd);
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	}
	int ret = take_lines(file, path, options, &own);

	fclose(file);
	if (ret < 0 && diag)
		*diag = own;
	return ret;
}
