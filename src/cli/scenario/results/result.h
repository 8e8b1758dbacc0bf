/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came of scenarios: collected by the runner, written as TAP, JUnit, JSON and as a page. All times of a case are
 * ns since its start on the host's CLOCK_MONOTONIC; those that a guest measured are converted, and may be off by
 * clock_error_ns of their lane.
 */
#ifndef FL_SCN_RESULT_H
#define FL_SCN_RESULT_H

#include <stdio.h>

#include "cli/scenario/language/scenario.h"

enum fl_scn_verdict { FL_SCN_PASSED = 0, FL_SCN_FAILED = 1, FL_SCN_SKIPPED = 2 };

struct fl_scn_failure {
	struct fl_scn_pos pos;
	char *text;	  /* one sentence: what was expected, what was seen */
	const char *kind; /* what tells it from others, where the sentence says what no two runs share; else NULL */
};

enum fl_scn_lane_kind { FL_SCN_LANE_HOST = 0, FL_SCN_LANE_ACTOR = 1, FL_SCN_LANE_VCPU = 2 };

/* A line of the timeline. */
struct fl_scn_lane {
	enum fl_scn_lane_kind kind;
	char *name;    /* of the actor, or "vcpu 0" */
	char *machine; /* NULL: the host's */
	uint64_t clock_error_ns;
};

enum fl_scn_event_kind {
	FL_SCN_EVENT_STEP = 0,	   /* from begin to end */
	FL_SCN_EVENT_WAIT = 1,	   /* likewise: a wait, barrier or sleep */
	FL_SCN_EVENT_MARK = 2,	   /* a moment */
	FL_SCN_EVENT_FAULT = 3,	   /* from KVM_RUN's return to the delivery */
	FL_SCN_EVENT_DELIVERY = 4, /* a moment: the signal or error reached the actor */
};

struct fl_scn_event {
	uint32_t lane;
	enum fl_scn_event_kind kind;
	uint64_t begin_ns, end_ns;
	uint64_t count; /* how often it came out so; the times are the first one's */
	struct fl_scn_pos pos;
	bool unexpected;
	char *label;	  /* short: "read m+12K" */
	char *detail;	  /* what came of it: "SIGBUS BUS_ADRERR at m+12K" */
	uint64_t fault;	  /* index into faults + 1; 0: none */
	char *wish;	  /* the one that came true: "lost at m+8K..m+16K"; NULL: none was said, or none did */
	uint64_t last_ns; /* if there are more than one: when the last one ended */
};

struct fl_scn_console {
	char *machine;
	char *text; /* bounded, its end; control bytes as they came */
	size_t len;
};

struct fl_scn_fault {
	struct fl_fault fault; /* its strings are copies */
	uint32_t machine;      /* index into the case's */
	uint64_t at_ns;
};

struct fl_scn_result {
	const struct fl_scn_text *text;
	const struct fl_scn_case *scenario_case;
	enum fl_scn_verdict verdict;
	char *reason;  /* why it was skipped, or could not be run */
	char *repeat;  /* the command that repeats it */
	char *machine; /* "2 CPUs, 512 MiB, kernel patched, strict": one line */
	uint64_t seed;
	uint64_t start_time_ns; /* CLOCK_REALTIME */
	uint64_t took_ns;
	uint64_t checks; /* that held */
	uint32_t run;	 /* of --repeat, from 1 */
	struct fl_scn_failure *failures;
	struct fl_scn_lane *lanes;
	struct fl_scn_event *events; /* by begin_ns */
	struct fl_scn_fault *faults;
	struct fl_scn_console *consoles;
	size_t failures_count, lanes_count, events_count, faults_count, consoles_count;
};

struct fl_scn_results {
	struct fl_scn_result **all; /* in the order of running */
	size_t count;
	size_t not_run; /* of these, since the run was ended */
	uint64_t seed;
	uint64_t start_time_ns; /* CLOCK_REALTIME */
	uint64_t took_ns;
	const char *host; /* one line: "local /dev/kvm (SVM)", "in the box", "native, without a guest" */
};

void fl_scn_result_free(struct fl_scn_result *result); /* NULL is allowed */

/* ---- writers: 0 or -errno of the stream --------------------------------------------------- */

/* https://testanything.org, version 14; the plan comes first. */
void fl_scn_tap_begin(FILE *out, size_t cases);
void fl_scn_tap_result(FILE *out, size_t number, const struct fl_scn_result *result);
FL_CHECKED int fl_scn_write_junit(FILE *out, const struct fl_scn_results *results);
FL_CHECKED int fl_scn_write_json(FILE *out, const struct fl_scn_results *results);
/* One self-contained page. */
FL_CHECKED int fl_scn_write_html(FILE *out, const struct fl_scn_results *results);

#endif
