/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client of the control socket asks: the input is its line. What the parser makes of it must be what
 * docs/control.md says of requests, which stands here as regular expressions.
 */
#include "fuzz.h"

#include <errno.h>
#include <regex.h>

#include "cli/control_request.h"

#define LINE_MAX_LEN 600u /* more than any request may have */

enum { GROUP_FORMAT = 1, GROUP_FOLLOW, GROUP_SECONDS, GROUP_ROWS, GROUP_COLUMNS, GROUPS };

static const struct form {
	const char *pattern;
	unsigned int groups[GROUPS]; /* which one of the pattern it is; 0: none */
	enum fl_cli_control_verb verb;
	enum fl_cli_control_what what;
} forms[] = {
	{"^ps (text|json)$", {[GROUP_FORMAT] = 1}, FL_CLI_CONTROL_DESCRIBE, FL_CLI_CONTROL_PS},
	{"^status (text|json)$", {[GROUP_FORMAT] = 1}, FL_CLI_CONTROL_DESCRIBE, FL_CLI_CONTROL_STATUS},
	{"^inspect (text|json)$", {[GROUP_FORMAT] = 1}, FL_CLI_CONTROL_DESCRIBE, FL_CLI_CONTROL_INSPECT},
	{"^faults (text|json)( follow)?$", {[GROUP_FORMAT] = 1, [GROUP_FOLLOW] = 2}, FL_CLI_CONTROL_FAULTS, 0},
	{"^console( follow)?$", {[GROUP_FOLLOW] = 1}, FL_CLI_CONTROL_CONSOLE, 0},
	{"^pause$", {0}, FL_CLI_CONTROL_PAUSE, 0},
	{"^resume$", {0}, FL_CLI_CONTROL_RESUME, 0},
	{"^stop ([0-9]+)$", {[GROUP_SECONDS] = 1}, FL_CLI_CONTROL_STOP, 0},
	{"^terminal ([0-9]+) ([0-9]+)$", {[GROUP_ROWS] = 1, [GROUP_COLUMNS] = 2}, FL_CLI_CONTROL_TERMINAL, 0},
};

struct expected {
	bool ok;
	struct fl_cli_control_request request;
};

/* Of the digits of a group, 0 for none; what is above the most that may be asked for stays there. */
static uint32_t number_of(const char *line, const regmatch_t *found, unsigned int group, uint32_t most)
{
	uint32_t number = 0;

	for (regoff_t at = found[group].rm_so; group && at < found[group].rm_eo && number <= most; at++)
		number = 10 * number + (uint32_t)(line[at] - '0');
	return number;
}

static void fill(const struct form *form, const char *line, const regmatch_t *found, struct expected *expected)
{
	const regmatch_t *format = &found[form->groups[GROUP_FORMAT]];
	const regmatch_t *follow = &found[form->groups[GROUP_FOLLOW]];
	struct fl_cli_control_request *request = &expected->request;

	request->verb = form->verb;
	request->what = form->what;
	request->json = form->groups[GROUP_FORMAT] && line[format->rm_so] == 'j';
	request->follow = form->groups[GROUP_FOLLOW] && follow->rm_so >= 0;
	request->timeout_s = number_of(line, found, form->groups[GROUP_SECONDS], FL_CLI_CONTROL_STOP_MAX_S);
	request->rows = number_of(line, found, form->groups[GROUP_ROWS], UINT16_MAX);
	request->columns = number_of(line, found, form->groups[GROUP_COLUMNS], UINT16_MAX);
	expected->ok = request->timeout_s <= FL_CLI_CONTROL_STOP_MAX_S && request->rows <= UINT16_MAX &&
		       request->columns <= UINT16_MAX;
}

static struct expected expect(const char *line)
{
	struct expected expected = {0};

	/* docs/control.md: at most 255 bytes, the newline among them or not */
	if (strlen(line) >= FL_CLI_CONTROL_REQUEST_MAX)
		return expected;
	for (size_t i = 0; i < FL_ARRAY_SIZE(forms); i++) {
		regmatch_t found[GROUPS];
		regex_t regex;

		FUZZ_CHECK(regcomp(&regex, forms[i].pattern, REG_EXTENDED) == 0);
		/* without REG_NEWLINE a "$" is the end of all of it */
		if (regexec(&regex, line, GROUPS, found, 0) == 0)
			fill(&forms[i], line, found, &expected);
		regfree(&regex);
	}
	return expected;
}

uint64_t fuzz_one(const uint8_t *data, size_t len)
{
	char line[LINE_MAX_LEN + 1];
	struct fl_cli_control_request request = {0};
	struct fl_diag diag = {0};
	uint64_t digest = FUZZ_DIGEST_FIRST;

	len = FL_MIN(len, (size_t)LINE_MAX_LEN);
	memcpy(line, data, len);
	line[len] = '\0';
	struct expected expected = expect(line);
	int result = fl_cli_control_parse(line, &request, &diag);

	FUZZ_CHECK(result == (expected.ok ? 0 : -EINVAL));
	fuzz_digest(&digest, (uint64_t)(unsigned int)result);
	if (!expected.ok) {
		/* the sentence is one line of an answer */
		FUZZ_CHECK(diag.text[0] && !strpbrk(diag.text, "\n\r\x1b"));
		return digest;
	}
	FUZZ_CHECK(request.verb == expected.request.verb && request.what == expected.request.what);
	FUZZ_CHECK(request.json == expected.request.json && request.follow == expected.request.follow);
	FUZZ_CHECK(request.timeout_s == expected.request.timeout_s);
	FUZZ_CHECK(request.rows == expected.request.rows && request.columns == expected.request.columns);
	fuzz_digest(&digest, request.verb);
	fuzz_digest(&digest, request.what);
	fuzz_digest(&digest, request.json);
	fuzz_digest(&digest, request.follow);
	fuzz_digest(&digest, request.timeout_s);
	fuzz_digest(&digest, request.rows);
	fuzz_digest(&digest, request.columns);
	return digest;
}
