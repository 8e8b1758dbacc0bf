/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* RFC 8259, 6: integers up to here are the same number for every reader. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)
#define NS_IN_S	   UINT64_C(1000000000)

struct text {
	char *buf;
	size_t len;
	size_t used; /* what the whole needs, also beyond len */
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...)
{
	size_t room = text->used < text->len ? text->len - text->used : 0;
	va_list args;

	va_start(args, format);
	int len = vsnprintf(room ? text->buf + text->used : NULL, room, format, args);

	va_end(args);
	if (len > 0)
		text->used += (size_t)len;
}

static void add_number(struct text *text, const char *name, uint64_t number)
{
	add(text, number <= NUMBER_MAX ? "\"%s\":%" PRIu64 : "\"%s\":\"%" PRIu64 "\"", name, number);
}

static void add_time(struct text *text, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_IN_S);
	struct tm utc = {0};

	gmtime_r(&seconds, &utc);
	add(text, "\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09" PRIu64 "Z\"", utc.tm_year + 1900, utc.tm_mon + 1,
	    utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, time_ns % NS_IN_S);
}

/* The library's sentences; some quote what a guest wrote, so all but ASCII is escaped as docs/events.md has it. */
static void add_text(struct text *text, const char *name, const char *value)
{
	add(text, "\"%s\":\"", name);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '\\')
			add(text, "\\\\\\\\");
		else if (c == '"')
			add(text, "\\\"");
		else if (c < ' ' || c >= 0x7f)
			add(text, "\\\\%03o", c);
		else
			add(text, "%c", c);
	}
	add(text, "\"");
}

static const char *end_name(enum fl_end end)
{
	static const char *const names[] = {
		[FL_END_NONE] = "none",		[FL_END_EXITED] = "exited",   [FL_END_SIGNALED] = "signaled",
		[FL_END_POWEROFF] = "poweroff", [FL_END_RESET] = "reset",     [FL_END_CRASHED] = "crashed",
		[FL_END_FAULT] = "fault",	[FL_END_STOPPED] = "stopped", [FL_END_ERROR] = "error",
		[FL_END_NOT_RUN] = "not-run",
	};

	return (size_t)end < sizeof(names) / sizeof(names[0]) ? names[end] : "unknown";
}

int fl_cli_json_start(const struct fl_cli_start_event *event, char *buf, size_t buf_len)
{
	struct text text = {.buf = buf, .len = buf_len};

	add(&text, "{\"event\":\"start\",");
	add_time(&text, event->time_ns);
	add(&text, ",\"version\":\"%s\",\"pid\":%" PRIu32 ",", FL_VERSION, event->pid);
	add_text(&text, "name", event->name);
	add(&text, ",\"vcpus\":%" PRIu32 ",", event->vcpus);
	add_number(&text, "memory", event->ram_len);
	add(&text, ",\"mode\":\"%s\",", fl_fault_mode_name(event->status->mode));
	add_text(&text, "why", event->status->mode_why);
	add(&text, "}");
	return (int)text.used;
}

int fl_cli_json_window(const struct fl_window_event *event, char *buf, size_t buf_len)
{
	struct text text = {.buf = buf, .len = buf_len};

	add(&text, "{\"event\":\"window\",");
	add_time(&text, event->time_ns);
	add(&text, ",");
	add_text(&text, "region", event->region);
	add(&text, ",\"trouble\":\"%s\",", event->trouble == FL_WINDOW_NEARLY_FULL ? "nearly-full" : "no-mappings");
	add_number(&text, "ranges", event->ranges);
	add(&text, ",");
	add_number(&text, "ranges_mapped", event->ranges_mapped);
	add(&text, ",");
	add_number(&text, "times", event->times);
	add(&text, ",");
	add_number(&text, "mappings_max", event->mappings_max);
	add(&text, "}");
	return (int)text.used;
}

static void add_outcomes(struct text *text, const struct fl_counters *counters)
{
	add(text, "\"outcomes\":{");
	for (unsigned int i = FL_OUTCOME_RETRIED; i <= FL_OUTCOME_SUBSTITUTED; i++) {
		add(text, i ? "," : "");
		add_number(text, fl_outcome_name((enum fl_outcome)i), counters->outcome[i]);
	}
	add(text, "}");
}

static void add_causes(struct text *text, const struct fl_counters *counters)
{
	add(text, "\"causes\":{");
	for (unsigned int i = FL_CAUSE_NONE; i <= FL_CAUSE_UNKNOWN; i++) {
		add(text, i ? "," : "");
		add_number(text, fl_cause_name((enum fl_cause)i), counters->cause[i]);
	}
	add(text, "}");
}

static void add_windows(struct text *text, const struct fl_counters *counters)
{
	add(text, "\"windows\":{");
	add_number(text, "ranges", counters->window_ranges);
	add(text, ",");
	add_number(text, "most", counters->window_ranges_most);
	add(text, ",");
	add_number(text, "nearly_full", counters->window_nearly_full);
	add(text, ",");
	add_number(text, "no_mappings", counters->window_no_mappings);
	add(text, "}");
}

int fl_cli_json_end(const struct fl_cli_end_event *event, char *buf, size_t buf_len)
{
	struct text text = {.buf = buf, .len = buf_len};

	add(&text, "{\"event\":\"end\",");
	add_time(&text, event->time_ns);
	add(&text, ",\"end\":\"%s\",\"code\":%d,\"status\":%d,", end_name(event->end), event->code, event->status);
	add_text(&text, "text", event->text);
	add(&text, ",");
	add_number(&text, "faults", event->counters->faults);
	add(&text, ",");
	add_outcomes(&text, event->counters);
	add(&text, ",");
	add_causes(&text, event->counters);
	add(&text, ",");
	add_windows(&text, event->counters);
	add(&text, ",");
	add_number(&text, "lost_events", event->lost_events);
	add(&text, "}");
	return (int)text.used;
}
