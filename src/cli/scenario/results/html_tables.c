/* SPDX-License-Identifier: Apache-2.0 */
/* Fault records and events as tables. */
#include <inttypes.h>
#include <string.h>

#include "cli/scenario/results/html.h"

#define NS_IN_US  1000
#define NOT_KNOWN "\xe2\x80\x93"

/* Microseconds with three digits behind the point, which makes the points stand below each other. */
static void put_us(FILE *out, uint64_t ns)
{
	fprintf(out, "<td class=\"number\">%" PRIu64 ".%03" PRIu64 "</td>", ns / NS_IN_US, ns % NS_IN_US);
}

static void put_cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	fl_scn_put_text(out, text && text[0] ? text : NOT_KNOWN);
	fputs("</td>", out);
}

/* May be long, and has few places where a line could end. */
static void put_name(FILE *out, const char *name)
{
	fputs("<td class=\"file\">", out);
	fl_scn_put_text(out, name && name[0] ? name : NOT_KNOWN);
	fputs("</td>", out);
}

static void put_number(FILE *out, bool valid, uint64_t number)
{
	if (valid)
		fprintf(out, "<td class=\"number\">%" PRIu64 "</td>", number);
	else
		fputs("<td class=\"number\">" NOT_KNOWN "</td>", out);
}

static void put_address(FILE *out, bool valid, uint64_t address)
{
	if (valid)
		fprintf(out, "<td class=\"number\">0x%" PRIx64 "</td>", address);
	else
		fputs("<td class=\"number\">" NOT_KNOWN "</td>", out);
}

static void put_headings(FILE *out, const char *const *names)
{
	fputs("<thead><tr>", out);
	for (; *names; names++)
		fprintf(out, "<th scope=\"col\">%s</th>", *names);
	fputs("</tr></thead>\n<tbody>\n", out);
}

static void put_left_out(FILE *out, size_t shown, size_t count, const char *what)
{
	if (shown < count)
		fprintf(out, "<p class=\"left-out\">The first %zu of %zu %s; the page\xe2\x80\x99s data has all.</p>\n",
			shown, count, what);
}

static void put_times(FILE *out, const struct fl_fault_times *times)
{
	const uint32_t steps[] = {times->intake_ns, times->locate_ns, times->classify_ns, times->decide_ns,
				  times->deliver_ns};

	fputs("<td class=\"number\">", out);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		fprintf(out, "%s%" PRIu32 ".%" PRIu32, i ? " + " : "", steps[i] / NS_IN_US, steps[i] % NS_IN_US / 100);
	fputs("</td>", out);
}

static void put_fault(FILE *out, const struct fl_scn_result *result, size_t index, size_t number)
{
	const struct fl_scn_fault *record = &result->faults[index];
	const struct fl_fault *fault = &record->fault;
	bool has_file = fault->flags & FL_FAULT_FILE_VALID;

	fprintf(out,
		"<tr id=\"case-%zu-fault-%zu\"><th scope=\"row\"><a href=\"#case-%zu-timeline\" data-fault=\"%zu\">%" PRIu64
		"</a></th>",
		number, index, number, index, fault->id);
	put_us(out, record->at_ns);
	fputs("<td>", out);
	fl_scn_put_text(out, fl_scn_machine_name(result, record->machine));
	fprintf(out, ", vcpu %" PRIu32 "</td><td>%s, CPL %" PRIu32 "</td>", fault->vcpu, fl_access_name(fault->access),
		fault->cpl);
	put_cell(out, fl_cause_name(fault->cause));
	put_cell(out, fl_outcome_name(fault->outcome));
	put_name(out, has_file ? fault->path : fault->share);
	put_number(out, has_file, fault->file_offset);
	put_number(out, has_file, fault->file_len);
	put_number(out, has_file, fault->mapped_file_len);
	put_address(out, fault->flags & FL_FAULT_GVA_VALID, fault->gva);
	put_address(out, fault->flags & FL_FAULT_GPA_VALID, fault->gpa);
	put_address(out, true, fault->rip);
	put_cell(out, fault->shape);
	put_times(out, &fault->times);
	fputs("</tr>\n", out);
}

void fl_scn_html_faults(FILE *out, const struct fl_scn_result *result, size_t number)
{
	static const char *const names[] = {"Fault",
					    "At (\xc2\xb5s)",
					    "Where",
					    "Access",
					    "Cause",
					    "Outcome",
					    "File",
					    "Offset",
					    "Length",
					    "When mapped",
					    "gva",
					    "gpa",
					    "rip",
					    "Shape",
					    "Intake + locate + classify + decide + deliver (\xc2\xb5s)",
					    NULL};
	size_t shown = result->faults_count < FL_SCN_FAULTS_SHOWN ? result->faults_count : FL_SCN_FAULTS_SHOWN;

	if (shown == 0)
		return;
	fputs("<h3>Fault records</h3>\n<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Fault records\"><table class=\"faults\">\n",
	      out);
	put_headings(out, names);
	for (size_t i = 0; i < shown; i++)
		put_fault(out, result, i, number);
	fputs("</tbody></table></div>\n", out);
	put_left_out(out, shown, result->faults_count, "faults");
}

static void put_event(FILE *out, const struct fl_scn_result *result, const struct fl_scn_event *event)
{
	bool lasts = event->end_ns > event->begin_ns;

	fprintf(out, "<tr%s>", event->unexpected ? " class=\"unexpected\"" : "");
	put_us(out, event->begin_ns);
	if (lasts)
		put_us(out, event->end_ns - event->begin_ns);
	else
		fputs("<td></td>", out);
	put_cell(out, event->lane < result->lanes_count ? result->lanes[event->lane].name : NULL);
	put_cell(out, fl_scn_event_name(event->kind));
	put_cell(out, event->label);
	fputs("<td>", out);
	fl_scn_put_text(out, event->detail);
	if (event->wish) {
		fputs(" (expected: ", out);
		fl_scn_put_text(out, event->wish);
		putc(')', out);
	}
	fprintf(out, "%s</td>", event->unexpected ? " <strong>\xe2\x9c\x97 unexpected</strong>" : "");
	put_number(out, true, event->count);
	if (event->count > 1)
		put_us(out, fl_scn_event_last_ns(event));
	else
		fputs("<td></td>", out);
	put_number(out, event->pos.line > 0, event->pos.line);
	fputs("</tr>\n", out);
}

void fl_scn_html_events(FILE *out, const struct fl_scn_result *result)
{
	static const char *const names[] = {
		"At (\xc2\xb5s)", "Took (\xc2\xb5s)",  "Who",  "Kind", "What", "What came of it",
		"Times",	  "Until (\xc2\xb5s)", "Line", NULL};
	size_t shown = result->events_count < FL_SCN_EVENTS_SHOWN ? result->events_count : FL_SCN_EVENTS_SHOWN;

	fprintf(out, "<details class=\"events\"><summary>All events as a table (%zu)</summary>\n", shown);
	fputs("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Events\"><table>\n", out);
	put_headings(out, names);
	for (size_t i = 0; i < shown; i++)
		put_event(out, result, &result->events[i]);
	fputs("</tbody></table></div>\n", out);
	put_left_out(out, shown, result->events_count, "events");
	fputs("</details>\n", out);
}
