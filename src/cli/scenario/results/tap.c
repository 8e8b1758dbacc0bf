/* SPDX-License-Identifier: Apache-2.0 */
/* https://testanything.org/tap-version-14-specification.html */
#include <inttypes.h>
#include <string.h>

#include "cli/scenario/results/text.h"

/* In a description "\" and "#" are written with a backslash before them, and nothing else is. */
static void put_description(FILE *out, const char *text)
{
	size_t left = strlen(text), used;

	for (; left > 0; text += used, left -= used) {
		uint32_t code = fl_scn_next_char(text, left, &used);

		if (code == '\\' || code == '#')
			putc('\\', out);
		fl_scn_put_char(out, code < ' ' ? ' ' : code);
	}
}

/* A double-quoted scalar of YAML 1.2 (7.3.1). */
static void put_scalar(FILE *out, const char *text)
{
	size_t left = strlen(text), used;

	putc('"', out);
	for (; left > 0; text += used, left -= used) {
		uint32_t code = fl_scn_next_char(text, left, &used);

		if (code < ' ')
			fputs(code == '\n' ? "\\n" : "\\t", out);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (char)code);
		else
			fl_scn_put_char(out, code);
	}
	putc('"', out);
}

static void put_member(FILE *out, const char *name, const char *text)
{
	if (!text)
		return;
	fprintf(out, "  %s: ", name);
	put_scalar(out, text);
	putc('\n', out);
}

static void put_failures(FILE *out, const struct fl_scn_result *result)
{
	if (result->failures_count == 0)
		return;
	fputs("  failures:\n", out);
	for (size_t i = 0; i < result->failures_count; i++) {
		const struct fl_scn_failure *failure = &result->failures[i];

		fputs("    - text: ", out);
		put_scalar(out, failure->text ? failure->text : "");
		putc('\n', out);
		if (failure->pos.line)
			fprintf(out, "      line: %" PRIu32 "\n      column: %" PRIu32 "\n", failure->pos.line,
				failure->pos.column);
	}
}

static void put_block(FILE *out, const struct fl_scn_result *result)
{
	fputs("  ---\n", out);
	put_member(out, "message", fl_scn_result_brief(result));
	if (result->text)
		put_member(out, "file", result->text->path);
	put_failures(out, result);
	put_member(out, "machine", result->machine);
	fprintf(out, "  seed: %" PRIu64 "\n  duration_ms: %" PRIu64 ".%03" PRIu64 "\n", result->seed,
		result->took_ns / 1000000, result->took_ns / 1000 % 1000);
	put_member(out, "repeat", result->repeat);
	fputs("  ...\n", out);
}

void fl_scn_tap_begin(FILE *out, size_t cases)
{
	fprintf(out, "TAP version 14\n1..%zu\n", cases);
	fflush(out);
}

/* Each is flushed: whoever looks on sees how far it is. */
void fl_scn_tap_result(FILE *out, size_t number, const struct fl_scn_result *result)
{
	fprintf(out, "%s %zu - ", result->verdict == FL_SCN_FAILED ? "not ok" : "ok", number);
	put_description(out, fl_scn_result_name(result));
	if (fl_scn_is_repeated(result))
		fprintf(out, " (run %" PRIu32 ")", result->run);
	if (result->verdict == FL_SCN_SKIPPED) {
		fputs(" # SKIP ", out);
		put_description(out, fl_scn_result_brief(result));
	}
	putc('\n', out);
	if (result->verdict == FL_SCN_FAILED)
		put_block(out, result);
	fflush(out);
}
