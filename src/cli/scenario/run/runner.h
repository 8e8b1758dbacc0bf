/* SPDX-License-Identifier: Apache-2.0 */
/* Runs many cases: chooses them, makes machines and keeps them from case to case, collects what came. */
#ifndef FL_SCN_RUNNER_H
#define FL_SCN_RUNNER_H

#include "cli/scenario/results/result.h"

#define FL_SCN_JOBS_MAX 16u

struct fl_scn_runner_opts {
	const struct fl_scn_text *const *texts;
	size_t texts_count;
	const char *filter; /* shell pattern, or part, of a case's name; NULL: all */
	uint64_t seed;
	uint32_t repeat; /* each case so often, besides what it says itself */
	uint32_t jobs;
	bool native, keep;
	bool by_instructions; /* as in fl_scn_case_opts */
	bool has_moment;      /* times of kind span are this long, and not drawn */
	uint64_t moment_ns;
	unsigned int slowness;	  /* times that are stated are so many times as long at most; at least 1 */
	unsigned int patience_ms; /* for a machine to come up, and to answer */
	const char *host_kernel;  /* of the box that this is in; NULL: it is in none */
	const char *host;	  /* in a few words, for the results */
	const char *work_parent;  /* NULL: TMPDIR */
	/* Which kernel a machine gets; 0, or -errno with a sentence, and the case is skipped. */
	int (*kernel)(void *arg, const struct fl_scn_machine *machine, char path[4096], bool *idles_politely,
		      struct fl_diag *diag);
	/* How somebody repeats this run of the case; for the caller to free. moment_ns: NULL if it has none. */
	char *(*repeat_command)(void *arg, const struct fl_scn_text *text, const struct fl_scn_case *scenario_case,
				uint64_t seed, const uint64_t *moment_ns);
	/* A case begins, has ended; one at a time, on any thread. */
	void (*began)(void *arg, size_t number, const struct fl_scn_case *scenario_case);
	void (*ended)(void *arg, size_t number, const struct fl_scn_result *result);
	bool (*cancelled)(void *arg); /* no further case begins then, and those that run end; any thread */
	void *arg;
};

/* Whether one of the chosen cases has a machine that Linux runs in. */
bool fl_scn_need_linux(const struct fl_scn_text *const *texts, size_t texts_count, const char *filter);
/* filter: as in the options. */
bool fl_scn_is_chosen(const char *filter, const struct fl_scn_case *of);

/* How many runs of cases that would be. */
size_t fl_scn_count_runs(const struct fl_scn_runner_opts *opts);

/*
 * Runs them. 0 and *results, for fl_scn_results_free(), whatever the verdicts; -errno with a sentence if nothing could
 * be run. keep: *work is where the files are, for the caller to free; else NULL.
 */
FL_CHECKED int fl_scn_run(const struct fl_scn_runner_opts *opts, struct fl_scn_results *results, char **work,
			  struct fl_diag *diag);
void fl_scn_results_free(struct fl_scn_results *results);

#endif
