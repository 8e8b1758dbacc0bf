/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor found, for people and for machines (docs/doctor.md). */
#include <string.h>

#include "cli/doctor_impl.h"

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

/* RFC 8259: what is not ASCII is passed on; findings hold UTF-8 or what the host calls its files. */
static void put_string(FILE *out, const char *name, const char *value)
{
	fprintf(out, "\"%s\":\"", name);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ')
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

void fl_cli_show_json(const struct fl_cli_verdict *verdict, FILE *out)
{
	fputc('{', out);
	put_string(out, "version", fl_version());
	fprintf(out, ",\"status\":%d,", verdict->status);
	put_string(out, "verdict", verdict->word);
	fputc(',', out);
	put_string(out, "guests", verdict->guests);
	fputc(',', out);
	put_string(out, "runs_in", verdict->runs_in);
	fputc(',', out);
	put_string(out, "text", verdict->text);
	fputs(",\"items\":[", out);
	for (size_t i = 0; i < verdict->count; i++) {
		const struct fl_cli_finding *finding = &verdict->findings[i];

		fputs(i ? ",{" : "{", out);
		put_string(out, "name", finding->key);
		fputc(',', out);
		put_string(out, "state", states[finding->state].name);
		fputc(',', out);
		put_string(out, "why", finding->why);
		fputc(',', out);
		put_string(out, "fix", finding->fix);
		fputc('}', out);
	}
	fputs("]}\n", out);
}
