/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/control_request.h"

#include <errno.h>
#include <string.h>

#include "cli/diag.h"
#include "cli/values.h"

#define WORDS_MAX 3

struct row {
	const char *name;
	enum fl_cli_control_verb verb;
	enum fl_cli_control_what what;
	bool has_format, can_follow;
	unsigned int numbers;
};

static const struct row rows[] = {
	{"ps", FL_CLI_CONTROL_DESCRIBE, FL_CLI_CONTROL_PS, true, false, 0},
	{"status", FL_CLI_CONTROL_DESCRIBE, FL_CLI_CONTROL_STATUS, true, false, 0},
	{"inspect", FL_CLI_CONTROL_DESCRIBE, FL_CLI_CONTROL_INSPECT, true, false, 0},
	{"faults", FL_CLI_CONTROL_FAULTS, 0, true, true, 0},
	{"console", FL_CLI_CONTROL_CONSOLE, 0, false, true, 0},
	{"pause", FL_CLI_CONTROL_PAUSE, 0, false, false, 0},
	{"resume", FL_CLI_CONTROL_RESUME, 0, false, false, 0},
	{"stop", FL_CLI_CONTROL_STOP, 0, false, false, 1},
	{"terminal", FL_CLI_CONTROL_TERMINAL, 0, false, false, 2},
};

/* Splits at single blanks; the number of words, WORDS_MAX + 1 if there are more. */
static unsigned int split(char *line, char *words[WORDS_MAX])
{
	unsigned int count = 0;
	char *word;

	while ((word = strsep(&line, " "))) {
		if (count == WORDS_MAX)
			return WORDS_MAX + 1;
		words[count++] = word;
	}
	return count;
}

static const struct row *find_row(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* All that a request has of numbers, in its order; the name is for a sentence that nobody sees. */
static bool take_numbers(const struct row *row, char **words, struct fl_cli_control_request *request)
{
	struct fl_diag ignored;

	if (row->verb == FL_CLI_CONTROL_STOP)
		return fl_cli_parse_number(row->name, words[0], 0, FL_CLI_CONTROL_STOP_MAX_S, &request->timeout_s,
					   &ignored) == 0;
	return fl_cli_parse_number(row->name, words[0], 0, UINT16_MAX, &request->rows, &ignored) == 0 &&
	       fl_cli_parse_number(row->name, words[1], 0, UINT16_MAX, &request->columns, &ignored) == 0;
}

/* Takes the words after the first; false if they are not what the row wants. */
static bool take_words(const struct row *row, char **words, unsigned int count, struct fl_cli_control_request *request)
{
	unsigned int at = 1;

	if (row->has_format) {
		request->json = at < count && strcmp(words[at], "json") == 0;
		if (at == count || (!request->json && strcmp(words[at], "text") != 0))
			return false;
		at++;
	}
	if (row->numbers) {
		if (count - at < row->numbers || !take_numbers(row, words + at, request))
			return false;
		at += row->numbers;
	}
	if (row->can_follow && at < count && strcmp(words[at], "follow") == 0) {
		request->follow = true;
		at++;
	}
	return at == count;
}

int fl_cli_control_parse(const char *line, struct fl_cli_control_request *request, struct fl_diag *diag)
{
	char copy[FL_CLI_CONTROL_REQUEST_MAX];
	char *words[WORDS_MAX];
	size_t len = strlen(line);

	if (len >= sizeof(copy))
		return fl_cli_diag(diag, -EINVAL, "The request is too long.");
	memcpy(copy, line, len + 1);
	unsigned int count = split(copy, words);
	const struct row *row = count >= 1 && count <= WORDS_MAX ? find_row(words[0]) : NULL;

	if (!row)
		return fl_cli_diag(diag, -EINVAL, "This guest does not know that request; it is of faultline %s.",
				   FL_VERSION);
	*request = (struct fl_cli_control_request){.verb = row->verb, .what = row->what};
	if (!take_words(row, words, count, request))
		return fl_cli_diag(diag, -EINVAL, "The request \"%s\" is not of the form that faultline %s knows.",
				   row->name, FL_VERSION);
	return 0;
}
