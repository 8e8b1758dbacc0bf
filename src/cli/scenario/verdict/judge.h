/* SPDX-License-Identifier: Apache-2.0 */
/* Was what a case expects what came? Pure: what has to be looked at is looked at by the caller. */
#ifndef FL_SCN_JUDGE_H
#define FL_SCN_JUDGE_H

#include "cli/scenario/results/result.h"
#include "cli/scenario/verdict/seen.h"

#define FL_SCN_ALLOWED_LEN 96

/* How the machines were at the end of the case. */
struct fl_scn_machine_end {
	bool lives;	     /* its actors answer */
	enum fl_end end;     /* of one that does not live */
	bool panic;	     /* FL_RESULT_PANIC of it */
	const char *console; /* what its kernel has said during the case, NUL-terminated */
	const char *why;     /* a sentence, if it does not live; may be empty */
};

/* A file, as host or guest sees it. */
struct fl_scn_look {
	bool absent;
	uint64_t len;
	uint64_t
		same; /* so many of its first bytes are as they should be, if the expectation says how they should be */
};

struct fl_scn_evidence {
	const struct fl_scn_case *scenario_case;
	const struct fl_scn_actor_seen *seen; /* of all actors */
	const struct fl_scn_fault *faults;
	size_t faults_count;
	const struct fl_scn_machine_end *ends; /* of all machines */
	bool native;			       /* no machine: there are no fault records */
	const uint64_t *mark_times;	       /* of all marks; 0: never set */
	unsigned int slowness;		       /* of the host: what may take some time may take so many times as long */
	uint64_t over_ns;		       /* when its time was over before all had ended; 0: it was not */
	/* where a path of the case is on the host; 0 or -errno */
	int (*host_path)(void *arg, uint32_t dir, const char *rest, char path[4096]);
	/* looks at the file of an FL_SCN_EXPECT_FILE; 0 or -errno */
	int (*look)(void *arg, const struct fl_scn_expect *expect, struct fl_scn_look *look);
	void *arg;
};

/*
 * Adds a failure for each expectation that did not hold, each step that never ran and each fault that nobody expected,
 * counts in result->checks what held, and says the verdict. 0; -ENOMEM.
 */
FL_CHECKED int fl_scn_judge(const struct fl_scn_evidence *evidence, struct fl_scn_result *result);

/* The greatest time that a stated one allows on this host, and, if that is longer, words that say why; else "". */
uint64_t fl_scn_allowed_ns(const struct fl_scn_evidence *evidence, uint64_t stated_ns, char why[FL_SCN_ALLOWED_LEN]);

/* Did the step come out as one of its wishes has it? */
bool fl_scn_step_fits(const struct fl_scn_step *step, const struct fl_scn_seen *seen);
/* The first of its wishes that came true; NULL if none did. */
const struct fl_scn_wish *fl_scn_fitting_wish(const struct fl_scn_step *step, const struct fl_scn_seen *seen);

/* Adds a failure; the sentence is copied. 0; -ENOMEM. */
FL_CHECKED int fl_scn_fail(struct fl_scn_result *result, struct fl_scn_pos pos, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * The same, with a sentence that is another one each time (a time that was measured, what a kernel said): two failures
 * at one place of a scenario are the same if they have the same format, which is a literal.
 */
FL_CHECKED int fl_scn_fail_alike(struct fl_scn_result *result, struct fl_scn_pos pos, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Is there a report of trouble (an oops, a warning, a lockup) in what a kernel has said? The line, or NULL. Pure. */
const char *fl_scn_find_oops(const char *console, size_t *len);

#endif
