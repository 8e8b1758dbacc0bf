/* SPDX-License-Identifier: Apache-2.0 */
/* Results as JSON: docs/scenarios.md says what each member means and is the authority. */
#include <errno.h>
#include <stdlib.h>

#include "cli/json_out.h"
#include "cli/scenario/results/text.h"

/* A path of which each byte is escaped, and the numbers. */
#define FAULT_LEN 25600

static void put_failures(struct fl_json *json, const struct fl_scn_result *result)
{
	fl_json_array(json, "failures");
	for (size_t i = 0; i < result->failures_count; i++) {
		fl_json_object(json, NULL);
		fl_json_u64(json, "line", result->failures[i].pos.line);
		fl_json_u64(json, "column", result->failures[i].pos.column);
		fl_json_string(json, "text", result->failures[i].text);
		fl_json_close(json);
	}
	fl_json_close(json);
}

static const char *lane_kind(enum fl_scn_lane_kind kind)
{
	return kind == FL_SCN_LANE_HOST ? "host" : kind == FL_SCN_LANE_ACTOR ? "actor" : "vcpu";
}

static void put_lanes(struct fl_json *json, const struct fl_scn_result *result)
{
	fl_json_array(json, "lanes");
	for (size_t i = 0; i < result->lanes_count; i++) {
		fl_json_object(json, NULL);
		fl_json_string(json, "name", result->lanes[i].name);
		fl_json_string(json, "kind", lane_kind(result->lanes[i].kind));
		fl_json_string(json, "machine", result->lanes[i].machine);
		fl_json_u64(json, "clock_error_ns", result->lanes[i].clock_error_ns);
		fl_json_close(json);
	}
	fl_json_close(json);
}

static void put_event(struct fl_json *json, const struct fl_scn_event *event)
{
	fl_json_object(json, NULL);
	fl_json_u64(json, "lane", event->lane);
	fl_json_string(json, "kind", fl_scn_event_name(event->kind));
	fl_json_u64(json, "begin_ns", event->begin_ns);
	fl_json_u64(json, "end_ns", event->end_ns);
	fl_json_u64(json, "count", event->count);
	fl_json_u64(json, "last_ns", fl_scn_event_last_ns(event));
	fl_json_u64(json, "line", event->pos.line);
	fl_json_string(json, "label", event->label);
	fl_json_string(json, "detail", event->detail);
	fl_json_string(json, "wish", event->wish);
	fl_json_bool(json, "unexpected", event->unexpected);
	if (event->fault > 0)
		fl_json_u64(json, "fault", event->fault - 1);
	else
		fl_json_null(json, "fault");
	fl_json_close(json);
}

static void put_fault(struct fl_json *json, const struct fl_scn_result *result, const struct fl_scn_fault *fault)
{
	char members[FAULT_LEN];
	int len = fl_fault_format_json(&fault->fault, members, sizeof(members));

	fl_json_object(json, NULL);
	fl_json_u64(json, "at_ns", fault->at_ns);
	fl_json_string(json, "machine", fl_scn_machine_name(result, fault->machine));
	/* none of them is better than a half */
	if (len > 0 && (size_t)len < sizeof(members))
		fl_json_members(json, members);
	fl_json_close(json);
}

static void put_what_happened(struct fl_json *json, const struct fl_scn_result *result)
{
	put_lanes(json, result);
	fl_json_array(json, "events");
	for (size_t i = 0; i < result->events_count; i++)
		put_event(json, &result->events[i]);
	fl_json_close(json);
	fl_json_array(json, "faults");
	for (size_t i = 0; i < result->faults_count; i++)
		put_fault(json, result, &result->faults[i]);
	fl_json_close(json);
	fl_json_array(json, "consoles");
	for (size_t i = 0; i < result->consoles_count; i++) {
		fl_json_object(json, NULL);
		fl_json_string(json, "machine", result->consoles[i].machine);
		fl_json_bytes(json, "text", result->consoles[i].text, result->consoles[i].len);
		fl_json_close(json);
	}
	fl_json_close(json);
}

static void put_case(struct fl_json *json, const struct fl_scn_result *result)
{
	fl_json_object(json, NULL);
	fl_json_string(json, "name", fl_scn_result_name(result));
	fl_json_string(json, "file", result->text ? result->text->path : NULL);
	fl_json_string(json, "about", result->text ? result->text->about : NULL);
	fl_json_string(json, "verdict", fl_scn_verdict_name(result->verdict));
	fl_json_string(json, "reason", result->reason);
	fl_json_string(json, "repeat", result->repeat);
	fl_json_string(json, "machine", result->machine);
	fl_json_u64(json, "seed", result->seed);
	fl_json_u64(json, "run", result->run);
	fl_json_time(json, "started", result->start_time_ns);
	fl_json_u64(json, "took_ns", result->took_ns);
	fl_json_u64(json, "checks", result->checks);
	put_failures(json, result);
	put_what_happened(json, result);
	fl_json_close(json);
}

int fl_scn_write_json(FILE *out, const struct fl_scn_results *results)
{
	struct fl_json json;

	fl_json_begin(&json, out);
	fl_json_object(&json, NULL);
	fl_json_string(&json, "faultline", fl_version());
	fl_json_string(&json, "host", results->host);
	fl_json_u64(&json, "seed", results->seed);
	fl_json_time(&json, "started", results->start_time_ns);
	fl_json_u64(&json, "took_ns", results->took_ns);
	fl_json_u64(&json, "passed", fl_scn_count(results, FL_SCN_PASSED));
	fl_json_u64(&json, "failed", fl_scn_count(results, FL_SCN_FAILED));
	fl_json_u64(&json, "skipped", fl_scn_count(results, FL_SCN_SKIPPED));
	fl_json_array(&json, "cases");
	for (size_t i = 0; i < results->count; i++)
		put_case(&json, results->all[i]);
	fl_json_close(&json);
	fl_json_close(&json);
	return fl_json_end(&json);
}
