/* SPDX-License-Identifier: Apache-2.0 */
#include "fl_log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FL_LOG_LINE_LEN 1024
#define FL_LOG_BURST	5

static void FL_PRINTF(4, 0) say(const struct fl_log *log, enum fl_log_level level, unsigned int suppressed,
				const char *format, va_list args)
{
	char line[FL_LOG_LINE_LEN];
	size_t used = (size_t)snprintf(line, sizeof(line), "%s", log->prefix);

	vsnprintf(line + used, sizeof(line) - used, format, args);
	if (suppressed) {
		used = strlen(line);
		snprintf(line + used, sizeof(line) - used, " (%u such lines left out)", suppressed);
	}
	log->sink(log->arg, level, line);
}

void fl_log(const struct fl_log *log, enum fl_log_level level, const char *format, ...)
{
	va_list args;

	if (!log || !log->sink || level > log->level)
		return;
	va_start(args, format);
	say(log, level, 0, format, args);
	va_end(args);
}

/* Races between threads can let a line more or less through; that is all they can do. */
static bool limit_passes(struct fl_log_limit *limit, unsigned int *suppressed)
{
	struct timespec now;
	uint64_t second;

	clock_gettime(CLOCK_MONOTONIC, &now);
	second = (uint64_t)now.tv_sec;
	if (atomic_exchange(&limit->window_s, second) != second)
		atomic_store(&limit->said, 0);
	if (atomic_fetch_add(&limit->said, 1) >= FL_LOG_BURST) {
		atomic_fetch_add(&limit->suppressed, 1);
		return false;
	}
	*suppressed = atomic_exchange(&limit->suppressed, 0);
	return true;
}

void fl_log_limited(const struct fl_log *log, struct fl_log_limit *limit, enum fl_log_level level, const char *format,
		    ...)
{
	unsigned int suppressed = 0;
	va_list args;

	if (!log || !log->sink || level > log->level || !limit_passes(limit, &suppressed))
		return;
	va_start(args, format);
	say(log, level, suppressed, format, args);
	va_end(args);
}
