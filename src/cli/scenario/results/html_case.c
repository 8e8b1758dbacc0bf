/* SPDX-License-Identifier: Apache-2.0 */
/* A case on the page: readable without its script, from the verdict down to the consoles. */
#include <inttypes.h>
#include <string.h>

#include "cli/scenario/results/html.h"

/* A sign, so that it is not told by the colour alone. */
static void put_verdict(FILE *out, enum fl_scn_verdict verdict)
{
	const char *name = fl_scn_verdict_name(verdict);
	const char *sign = verdict == FL_SCN_PASSED    ? "\xe2\x9c\x93"
			   : verdict == FL_SCN_SKIPPED ? "\xe2\x80\x93"
						       : "\xe2\x9c\x97";

	fprintf(out, "<span class=\"verdict %s\"><span aria-hidden=\"true\">%s</span> %s</span>\n", name, sign, name);
}

static const char *about_of(const struct fl_scn_result *result)
{
	return result->text ? result->text->about : NULL;
}

static void put_summary(FILE *out, const struct fl_scn_result *result)
{
	char took[FL_SCN_DURATION_LEN];

	fputs("<summary>\n", out);
	put_verdict(out, result->verdict);
	fputs("<span class=\"name\">", out);
	fl_scn_put_text(out, fl_scn_result_name(result));
	if (fl_scn_is_repeated(result))
		fprintf(out, " (run %" PRIu32 ")", result->run);
	fputs("</span>\n<span class=\"brief\">", out);
	fl_scn_put_text(out, result->verdict != FL_SCN_PASSED ? fl_scn_result_brief(result) : about_of(result));
	fputs("</span>\n", out);
	fprintf(out, "<span class=\"took\">%s</span>\n</summary>\n",
		result->verdict == FL_SCN_SKIPPED ? "" : fl_scn_duration(result->took_ns, took));
}

static void put_failures(FILE *out, const struct fl_scn_result *result)
{
	if (result->failures_count > 0)
		fputs("<h3>What failed</h3>\n<ul class=\"failures\">\n", out);
	for (size_t i = 0; i < result->failures_count; i++) {
		const struct fl_scn_failure *failure = &result->failures[i];

		fputs("<li>", out);
		if (failure->pos.line)
			fprintf(out, "<span class=\"where\">line %" PRIu32 ", column %" PRIu32 ":</span> ",
				failure->pos.line, failure->pos.column);
		fl_scn_put_text(out, failure->text);
		fputs("</li>\n", out);
	}
	if (result->failures_count > 0)
		fputs("</ul>\n", out);
	if (result->reason) {
		fprintf(out, "<p class=\"reason\"><b>%s</b> ",
			result->verdict == FL_SCN_SKIPPED ? "Why it was skipped:" : "Why it could not be run:");
		fl_scn_put_text(out, result->reason);
		fputs("</p>\n", out);
	}
}

static void put_fact(FILE *out, const char *name, const char *text)
{
	if (!text)
		return;
	fprintf(out, "<div><dt>%s</dt><dd>", name);
	fl_scn_put_text(out, text);
	fputs("</dd></div>\n", out);
}

static void put_facts(FILE *out, const struct fl_scn_result *result)
{
	char number[24], time[FL_SCN_TIME_LEN], took[FL_SCN_DURATION_LEN];

	fputs("<dl class=\"facts\">\n", out);
	put_fact(out, "File", result->text ? result->text->path : NULL);
	put_fact(out, "Machine", result->machine);
	snprintf(number, sizeof(number), "%" PRIu64, result->seed);
	put_fact(out, "Seed", number);
	put_fact(out, "Began", fl_scn_time(result->start_time_ns, time));
	put_fact(out, "Took", fl_scn_duration(result->took_ns, took));
	snprintf(number, sizeof(number), "%" PRIu64, result->checks);
	put_fact(out, "Checks that held", number);
	fputs("</dl>\n", out);
}

static void put_repeat(FILE *out, const struct fl_scn_result *result)
{
	if (!result->repeat)
		return;
	fputs("<p class=\"repeat\"><span>To repeat it:</span> <code>", out);
	fl_scn_put_text(out, result->repeat);
	fputs("</code> <button type=\"button\" class=\"copy\" hidden>Copy</button></p>\n", out);
}

static size_t lines_of(const struct fl_scn_console *console)
{
	size_t lines = 0;

	for (size_t i = 0; i < console->len; i++)
		lines += console->text[i] == '\n' || i + 1 == console->len;
	return lines;
}

static void put_consoles(FILE *out, const struct fl_scn_result *result)
{
	for (size_t i = 0; i < result->consoles_count; i++) {
		const struct fl_scn_console *console = &result->consoles[i];
		size_t lines = lines_of(console);

		if (lines == 0)
			continue;
		fputs("<details class=\"console\"><summary>Console of ", out);
		fl_scn_put_text(out, console->machine);
		fprintf(out, " (%zu line%s)</summary>\n<pre tabindex=\"0\">", lines, lines == 1 ? "" : "s");
		fl_scn_put_content(out, console->text, console->len);
		fputs("</pre></details>\n", out);
	}
}

int fl_scn_html_case(FILE *out, const struct fl_scn_result *result, size_t number, bool open)
{
	int ret = 0;

	fprintf(out, "<details class=\"case\" id=\"case-%zu\" data-verdict=\"%s\"%s>\n", number,
		fl_scn_verdict_name(result->verdict), open ? " open" : "");
	put_summary(out, result);
	fputs("<div class=\"body\">\n<p class=\"about\">", out);
	fl_scn_put_text(out, about_of(result));
	fputs("</p>\n", out);
	put_failures(out, result);
	put_repeat(out, result);
	if (result->events_count > 0) {
		ret = fl_scn_html_picture(out, result, number);
		fl_scn_html_faults(out, result, number);
		fl_scn_html_events(out, result);
	}
	put_facts(out, result);
	put_consoles(out, result);
	fputs("</div>\n</details>\n", out);
	return ret;
}
