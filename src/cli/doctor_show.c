/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor found, for people and for machines (docs/doctor.md). */
#include <string.h>

#include "cli/doctor_impl.h"
#include "cli/json_out.h"

#define WIDTH	   80
#define LABEL_LEN  16 /* with the gap behind it */
#define STATE_LEN  8
#define TEXT_START (LABEL_LEN + STATE_LEN)

static const struct {
	const char *word; /* for people */
	const char *name; /* for machines */
	const char *color;
} states[] = {
	[FL_CLI_STATE_YES] = {"yes", "yes", "\033[32m"},
	[FL_CLI_STATE_PARTLY] = {"partly", "partly", "\033[33m"},
	[FL_CLI_STATE_NO] = {"no", "no", "\033[31m"},
	[FL_CLI_STATE_INFO] = {"", "info", ""},
};

/* Words from TEXT_START to WIDTH; the cursor is at TEXT_START, and in a new line at the end. */
static void put_wrapped(FILE *out, const char *text)
{
	size_t column = TEXT_START;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > TEXT_START && column + 1 + len > WIDTH) {
			fprintf(out, "\n%*s", TEXT_START, "");
			column = TEXT_START;
		} else if (column > TEXT_START) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, len, out);
		column += len;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

void fl_cli_show_text(const struct fl_cli_verdict *verdict, bool color, FILE *out)
{
	fprintf(out, "faultline %s\n\n", fl_version());
	for (size_t i = 0; i < verdict->count; i++) {
		const struct fl_cli_finding *finding = &verdict->findings[i];
		bool colored = color && states[finding->state].color[0];

		fprintf(out, "%-*s%s%-*s%s", LABEL_LEN, finding->label, colored ? states[finding->state].color : "",
			STATE_LEN, states[finding->state].word, colored ? "\033[0m" : "");
		put_wrapped(out, finding->why);
		if (!finding->fix[0])
			continue;
		fprintf(out, "%*s-> ", TEXT_START - 3, "");
		put_wrapped(out, finding->fix);
	}
	fprintf(out, "\n%s\n", verdict->text);
}

int fl_cli_show_json(const struct fl_cli_verdict *verdict, FILE *out)
{
	struct fl_json json;

	fl_json_begin(&json, out);
	fl_json_object(&json, NULL);
	fl_json_string(&json, "version", fl_version());
	fl_json_i64(&json, "status", verdict->status);
	fl_json_string(&json, "verdict", verdict->word);
	fl_json_string(&json, "guests", verdict->guests);
	fl_json_string(&json, "runs_in", verdict->runs_in);
	fl_json_string(&json, "text", verdict->text);
	fl_json_array(&json, "items");
	for (size_t i = 0; i < verdict->count; i++) {
		const struct fl_cli_finding *finding = &verdict->findings[i];

		fl_json_object(&json, NULL);
		fl_json_string(&json, "name", finding->key);
		fl_json_string(&json, "state", states[finding->state].name);
		fl_json_string(&json, "why", finding->why);
		fl_json_string(&json, "fix", finding->fix);
		fl_json_close(&json);
	}
	fl_json_close(&json);
	fl_json_close(&json);
	return fl_json_end(&json);
}
