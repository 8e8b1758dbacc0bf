/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/event_lines.h"

#include <stdlib.h>

#include "cli/json_out.h"
#include "cli/machine.h"

struct line {
	struct fl_json json;
	char *text;
	size_t len;
};

/* What all events begin with. */
static bool begin(struct line *line, const char *event, uint64_t time_ns, size_t *len)
{
	*line = (struct line){0};
	*len = 0;
	FILE *out = open_memstream(&line->text, &line->len);

	if (!out)
		return false;
	fl_json_begin(&line->json, out);
	fl_json_object(&line->json, NULL);
	fl_json_string(&line->json, "event", event);
	fl_json_time(&line->json, "time", time_ns);
	return true;
}

/* The text, which is the caller's then. */
static char *end(struct line *line, size_t *len)
{
	fl_json_close(&line->json);
	int ret = fl_json_end(&line->json);

	if (fclose(line->json.out) == 0 && ret == 0) {
		*len = line->len - 1;
		line->text[*len] = '\0'; /* for the newline */
		return line->text;
	}
	free(line->text);
	return NULL;
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

/* What the regions of other events are to a person. */
static void add_shares(struct fl_json *json, const struct fl_cli_options *options)
{
	char tag[FL_CLI_TAG_ROOM];

	fl_json_array(json, "shares");
	for (size_t i = 0; options && i < options->share_count; i++) {
		fl_json_object(json, NULL);
		fl_json_string(json, "region", fl_cli_make_tag(tag, i));
		fl_json_string(json, "mount", options->shares[i].mount);
		fl_json_string(json, "dir", options->shares[i].dir);
		fl_json_close(json);
	}
	fl_json_close(json);
}

char *fl_cli_start_line(const struct fl_cli_start_event *event, size_t *len)
{
	struct line line;
	struct fl_json *json = &line.json;

	if (!begin(&line, "start", event->time_ns, len))
		return NULL;
	fl_json_string(json, "version", FL_VERSION);
	fl_json_u64(json, "pid", event->pid);
	fl_json_string(json, "name", event->name);
	fl_json_u64(json, "vcpus", event->vcpus);
	fl_json_u64(json, "memory", event->ram_len);
	fl_json_string(json, "mode", fl_fault_mode_name(event->status->mode));
	fl_json_string(json, "why", event->status->mode_why);
	add_shares(json, event->options);
	return end(&line, len);
}

char *fl_cli_window_line(const struct fl_window_event *event, size_t *len)
{
	struct line line;
	struct fl_json *json = &line.json;

	if (!begin(&line, "window", event->time_ns, len))
		return NULL;
	fl_json_string(json, "region", event->region);
	fl_json_string(json, "trouble", event->trouble == FL_WINDOW_NEARLY_FULL ? "nearly-full" : "no-mappings");
	fl_json_u64(json, "ranges", event->ranges);
	fl_json_u64(json, "ranges_mapped", event->ranges_mapped);
	fl_json_u64(json, "times", event->times);
	fl_json_u64(json, "mappings_max", event->mappings_max);
	return end(&line, len);
}

static void add_counters(struct fl_json *json, const struct fl_counters *counters)
{
	fl_json_u64(json, "faults", counters->faults);
	fl_json_object(json, "outcomes");
	for (unsigned int i = FL_OUTCOME_RETRIED; i <= FL_OUTCOME_SUBSTITUTED; i++)
		fl_json_u64(json, fl_outcome_name((enum fl_outcome)i), counters->outcome[i]);
	fl_json_close(json);
	fl_json_object(json, "causes");
	for (unsigned int i = FL_CAUSE_NONE; i <= FL_CAUSE_UNKNOWN; i++)
		fl_json_u64(json, fl_cause_name((enum fl_cause)i), counters->cause[i]);
	fl_json_close(json);
	fl_json_object(json, "windows");
	fl_json_u64(json, "ranges", counters->window_ranges);
	fl_json_u64(json, "most", counters->window_ranges_most);
	fl_json_u64(json, "nearly_full", counters->window_nearly_full);
	fl_json_u64(json, "no_mappings", counters->window_no_mappings);
	fl_json_close(json);
}

char *fl_cli_end_line(const struct fl_cli_end_event *event, size_t *len)
{
	struct line line;
	struct fl_json *json = &line.json;

	if (!begin(&line, "end", event->time_ns, len))
		return NULL;
	fl_json_string(json, "end", end_name(event->end));
	fl_json_i64(json, "code", event->code);
	fl_json_i64(json, "status", event->status);
	fl_json_string(json, "text", event->text);
	add_counters(json, event->counters);
	fl_json_u64(json, "lost_events", event->lost_events);
	return end(&line, len);
}
