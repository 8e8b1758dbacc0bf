/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XML that JUnit's runner of Ant writes, as far as Jenkins (its plugin's junit-10.xsd) and GitLab (unit test
 * reports) read it. A suite is a scenario's file.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/results/text.h"

#define NS_IN_S UINT64_C(1000000000)

/* Of the timeline of a failed case: who reads this may have nothing else. */
#define EVENTS_MAX 500u

struct sums {
	size_t tests, failures, skipped;
	uint64_t took_ns;
};

static void add_to(struct sums *sums, const struct fl_scn_result *result)
{
	sums->tests++;
	sums->failures += result->verdict == FL_SCN_FAILED;
	sums->skipped += result->verdict == FL_SCN_SKIPPED;
	sums->took_ns += result->took_ns;
}

static void put_time(FILE *out, uint64_t took_ns)
{
	fprintf(out, " time=\"%" PRIu64 ".%06" PRIu64 "\"", took_ns / NS_IN_S, took_ns % NS_IN_S / 1000);
}

static void put_sums(FILE *out, const struct sums *sums)
{
	fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\"", sums->tests, sums->failures,
		sums->skipped);
	put_time(out, sums->took_ns);
}

static void put_named(FILE *out, const char *name, const char *text)
{
	fprintf(out, " %s=\"", name);
	fl_scn_put_attribute(out, text);
	putc('"', out);
}

static const char *path_of(const struct fl_scn_result *result)
{
	return result->text && result->text->path ? result->text->path : "?";
}

static void put_failure(FILE *out, const struct fl_scn_result *result)
{
	fputs("<failure type=\"expectation\"", out);
	put_named(out, "message", fl_scn_result_brief(result));
	putc('>', out);
	for (size_t i = 0; i < result->failures_count; i++) {
		const struct fl_scn_failure *failure = &result->failures[i];

		fl_scn_put_text(out, path_of(result));
		if (failure->pos.line)
			fprintf(out, ":%" PRIu32 ":%" PRIu32, failure->pos.line, failure->pos.column);
		fputs(": ", out);
		fl_scn_put_text(out, failure->text);
		putc('\n', out);
	}
	if (result->reason && result->failures_count > 0) {
		fl_scn_put_text(out, result->reason);
		putc('\n', out);
	}
	fputs("</failure>\n", out);
}

static void put_line(FILE *out, const char *name, const char *text)
{
	if (!text)
		return;
	fprintf(out, "%s: ", name);
	fl_scn_put_text(out, text);
	putc('\n', out);
}

static void put_event(FILE *out, const struct fl_scn_result *result, const struct fl_scn_event *event)
{
	fprintf(out, "%10" PRIu64 ".%03" PRIu64 " us  ", event->begin_ns / 1000, event->begin_ns % 1000);
	fl_scn_put_text(out, event->lane < result->lanes_count ? result->lanes[event->lane].name : "?");
	fprintf(out, "%s %s", event->unexpected ? "!" : ":", event->kind == FL_SCN_EVENT_MARK ? "mark " : "");
	fl_scn_put_text(out, event->label);
	if (event->detail && event->detail[0]) {
		fputs(": ", out);
		fl_scn_put_text(out, event->detail);
	}
	if (event->count > 1)
		fprintf(out, " (%" PRIu64 " times)", event->count);
	putc('\n', out);
}

static void put_events(FILE *out, const struct fl_scn_result *result)
{
	size_t shown = result->events_count < EVENTS_MAX ? result->events_count : EVENTS_MAX;

	if (shown > 0)
		fputs("what happened, since the case's start (! is what no step expected):\n", out);
	for (size_t i = 0; i < shown; i++)
		put_event(out, result, &result->events[i]);
	if (shown < result->events_count)
		fprintf(out, "... and %zu more\n", result->events_count - shown);
}

/*
 * Tools take "[[ATTACHMENT|path]]" in such a text for an order to fetch that file, and a guest must not give orders. So
 * of each two of these brackets one is set apart.
 */
static void put_console(FILE *out, const struct fl_scn_console *console)
{
	const char *at = console->text, *end = at + (at ? console->len : 0), *next;

	fputs("console of ", out);
	fl_scn_put_text(out, console->machine);
	fputs(":\n", out);
	for (; at < end && (next = memmem(at, (size_t)(end - at), "[[", 2)); at = next + 1) {
		fl_scn_put_content(out, at, (size_t)(next + 1 - at));
		putc(' ', out);
	}
	fl_scn_put_content(out, at, (size_t)(end - at));
	putc('\n', out);
}

static void put_output(FILE *out, const struct fl_scn_result *result)
{
	fputs("<system-out>", out);
	put_line(out, "about", result->text ? result->text->about : NULL);
	put_line(out, "machine", result->machine);
	fprintf(out, "seed: %" PRIu64 "\n", result->seed);
	put_line(out, "repeat", result->repeat);
	if (result->verdict == FL_SCN_FAILED) {
		put_events(out, result);
		for (size_t i = 0; i < result->consoles_count; i++)
			put_console(out, &result->consoles[i]);
	}
	fputs("</system-out>\n", out);
}

/*
 * Jenkins takes what stands before the last dot for a package, and the rest for a class: "scenarios/reader.scn" becomes
 * scenarios.reader.
 */
static void put_class(FILE *out, const char *path)
{
	size_t len;
	char *name;

	while (*path == '.' || *path == '/')
		path++;
	len = strlen(path);
	if (len > 4 && strcmp(path + len - 4, ".scn") == 0)
		len -= 4;
	name = strndup(path, len);
	for (char *at = name; at && *at; at++)
		if (*at == '/')
			*at = '.';
	put_named(out, "classname", name);
	free(name);
}

static void put_case(FILE *out, const struct fl_scn_result *result)
{
	fputs("<testcase", out);
	put_class(out, path_of(result));
	fputs(" name=\"", out);
	fl_scn_put_attribute(out, fl_scn_result_name(result));
	if (fl_scn_is_repeated(result))
		fprintf(out, " (run %" PRIu32 ")", result->run);
	putc('"', out);
	put_named(out, "file", path_of(result));
	put_time(out, result->took_ns);
	fputs(">\n", out);
	if (result->verdict == FL_SCN_FAILED)
		put_failure(out, result);
	if (result->verdict == FL_SCN_SKIPPED) {
		fputs("<skipped", out);
		put_named(out, "message", fl_scn_result_brief(result));
		fputs("/>\n", out);
	}
	put_output(out, result);
	fputs("</testcase>\n", out);
}

/* Cases that run side by side end in any order, but those of a file are mostly neighbours. */
static bool is_first_of_file(const struct fl_scn_results *results, size_t index)
{
	for (size_t i = index; i-- > 0;)
		if (results->all[i]->text == results->all[index]->text)
			return false;
	return true;
}

static void put_suite(FILE *out, const struct fl_scn_results *results, size_t first)
{
	const struct fl_scn_result *result = results->all[first];
	struct sums sums = {0};
	char time[FL_SCN_TIME_LEN];

	for (size_t i = first; i < results->count; i++)
		if (results->all[i]->text == result->text)
			add_to(&sums, results->all[i]);
	fputs("<testsuite", out);
	put_named(out, "name", path_of(result));
	put_sums(out, &sums);
	/* the schema wants it without a zone */
	fprintf(out, " timestamp=\"%.19s\"", fl_scn_time(result->start_time_ns, time));
	fputs(">\n<properties>\n<property name=\"host\"", out);
	put_named(out, "value", results->host);
	fprintf(out, "/>\n<property name=\"seed\" value=\"%" PRIu64 "\"/>\n</properties>\n", results->seed);
	for (size_t i = first; i < results->count; i++)
		if (results->all[i]->text == result->text)
			put_case(out, results->all[i]);
	fputs("</testsuite>\n", out);
}

int fl_scn_write_junit(FILE *out, const struct fl_scn_results *results)
{
	struct sums sums = {0};

	for (size_t i = 0; i < results->count; i++)
		add_to(&sums, results->all[i]);
	sums.took_ns = results->took_ns;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"faultline scenario\"", out);
	put_sums(out, &sums);
	fputs(">\n", out);
	for (size_t i = 0; i < results->count; i++)
		if (is_first_of_file(results, i))
			put_suite(out, results, i);
	fputs("</testsuites>\n", out);
	return fl_scn_finish(out);
}
