/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging to the embedder's sink. A struct fl_log is filled once, before threads start, and then
 * only read, so it needs no lock. Lines a guest can trigger go through fl_log_limited().
 */
#ifndef FL_LOG_H
#define FL_LOG_H

#include <stdatomic.h>

#include "faultline/faultline.h"
#include "fl_base.h"

struct fl_log {
	fl_log_fn sink; /* NULL: nothing is said */
	void *arg;
	enum fl_log_level level;
	char prefix[32]; /* "vm=NAME " */
};

/* A token bucket for one call site or device: at most `burst` lines, refilled one a second. */
struct fl_log_limit {
	_Atomic uint64_t window_s; /* the second the count belongs to */
	atomic_uint said;	   /* lines said in it */
	atomic_uint suppressed;	   /* lines dropped since the last one said */
};

void fl_log(const struct fl_log *log, enum fl_log_level level, const char *format, ...) FL_PRINTF(3, 4);

/* As fl_log(), but at most 5 lines a second for one limit; the next line said names how many were dropped. */
void fl_log_limited(const struct fl_log *log, struct fl_log_limit *limit, enum fl_log_level level,
		    const char *format, ...) FL_PRINTF(4, 5);

#endif
