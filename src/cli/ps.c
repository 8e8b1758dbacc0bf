/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control_client.h"
#include "cli/diag.h"
#include "cli/runtime_dir.h"

#define PATIENCE_MS 2000
#define COLUMNS_MAX 16
#define HEADING	    "NAME\tPID\tSTATE\tUP\tCPUS\tMEMORY\tFAULTS\tCOMMAND"

struct rows {
	char **rows;
	size_t count;
};

static int add_row(struct rows *rows, char *row)
{
	char **grown = row ? reallocarray(rows->rows, rows->count + 1, sizeof(*grown)) : NULL;

	if (!grown) {
		free(row);
		return -ENOMEM;
	}
	rows->rows = grown;
	grown[rows->count++] = row;
	return 0;
}

static void free_rows(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->rows[i]);
	free(rows->rows);
}

void fl_cli_print_columns(char *const *rows, size_t count, FILE *out)
{
	size_t widths[COLUMNS_MAX] = {0};

	for (size_t i = 0; i < count; i++) {
		const char *field = rows[i];

		for (unsigned int column = 0; column < COLUMNS_MAX && field; column++) {
			size_t len = strcspn(field, "\t");

			widths[column] = len > widths[column] ? len : widths[column];
			field = field[len] ? field + len + 1 : NULL;
		}
	}
	for (size_t i = 0; i < count; i++) {
		const char *field = rows[i];

		for (unsigned int column = 0; column < COLUMNS_MAX; column++) {
			size_t len = strcspn(field, "\t");
			bool last = !field[len];

			fprintf(out, "%.*s%*s", (int)len, field, last ? 0 : (int)(widths[column] - len + 2), "");
			if (last)
				break;
			field += len + 1;
		}
		fputc('\n', out);
	}
}

/* A guest that ends meanwhile is none; one that does not answer is listed as that. */
static int ask_one(int dir_fd, const char *name, bool json, struct rows *rows)
{
	struct fl_diag ignored;
	char *line = NULL;
	size_t size = 0;
	FILE *reply;
	int ret = fl_cli_ask(dir_fd, name, json ? "ps json" : "ps text", PATIENCE_MS, &reply, &ignored);

	if (ret == -ETIMEDOUT && !json) {
		ret = asprintf(&line, "%s\t?\tdoes not answer", name);
		return add_row(rows, ret < 0 ? NULL : line);
	}
	if (ret < 0)
		return 0;
	ssize_t len = getline(&line, &size, reply);

	fclose(reply);
	if (len <= 0) {
		free(line);
		return 0;
	}
	line[strcspn(line, "\n")] = '\0';
	return add_row(rows, line);
}

static int ask_all(int dir_fd, bool json, struct rows *rows)
{
	struct fl_cli_names names = {0};
	int ret = dir_fd < 0 ? 0 : fl_cli_list_names(dir_fd, &names);

	for (size_t i = 0; ret == 0 && i < names.count; i++)
		ret = ask_one(dir_fd, names.names[i], json, rows);
	fl_cli_names_fini(&names);
	return ret;
}

int fl_cli_ps(int dir_fd, bool json, FILE *out, struct fl_diag *diag)
{
	struct rows rows = {0};
	int ret = json ? 0 : add_row(&rows, strdup(HEADING));

	if (ret == 0)
		ret = ask_all(dir_fd, json, &rows);
	if (ret == 0 && json) {
		for (size_t i = 0; i < rows.count; i++)
			fprintf(out, "%s%s", i ? ",\n " : "[", rows.rows[i]);
		fputs(rows.count ? "]\n" : "[]\n", out);
	} else if (ret == 0) {
		fl_cli_print_columns(rows.rows, rows.count, out);
	}
	free_rows(&rows);
	return ret == 0 ? 0 : (fl_cli_diag(diag, ret, "The guests cannot be listed: %s.", strerror(-ret)), 1);
}
