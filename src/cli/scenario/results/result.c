/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/results/result.h"

#include <stdlib.h>

static void free_events(struct fl_scn_result *result)
{
	for (size_t i = 0; i < result->events_count; i++) {
		free(result->events[i].label);
		free(result->events[i].detail);
		free(result->events[i].wish);
	}
	free(result->events);
}

/* The public structure has them constant, for callers who only look. */
static void free_constant(const char *text)
{
	free((void *)(uintptr_t)text);
}

static void free_faults(struct fl_scn_result *result)
{
	for (size_t i = 0; i < result->faults_count; i++) {
		free_constant(result->faults[i].fault.share);
		free_constant(result->faults[i].fault.path);
		free_constant(result->faults[i].fault.shape);
	}
	free(result->faults);
}

static void free_lanes_and_consoles(struct fl_scn_result *result)
{
	for (size_t i = 0; i < result->lanes_count; i++) {
		free(result->lanes[i].name);
		free(result->lanes[i].machine);
	}
	free(result->lanes);
	for (size_t i = 0; i < result->consoles_count; i++) {
		free(result->consoles[i].machine);
		free(result->consoles[i].text);
	}
	free(result->consoles);
}

void fl_scn_result_free(struct fl_scn_result *result)
{
	if (!result)
		return;
	for (size_t i = 0; i < result->failures_count; i++)
		free(result->failures[i].text);
	free(result->failures);
	free_lanes_and_consoles(result);
	free_events(result);
	free_faults(result);
	free(result->reason);
	free(result->repeat);
	free(result->machine);
	free(result);
}
