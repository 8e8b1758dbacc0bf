/* SPDX-License-Identifier: Apache-2.0 */
/* A watch with a window, and waiting for what its thread does. */
#ifndef WATCH_TEST_H
#define WATCH_TEST_H

#include "mmu_test.h"

#include <time.h>

#include "mmu_backing/watch.h"

/* Longer than any of it takes on the busiest machine; what is slower has been lost. */
#define WATCH_PATIENCE_NS UINT64_C(10000000000)

static inline uint64_t test_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline bool test_is_hidden(struct fl_window *window, uint64_t offset)
{
	struct fl_window_view view;
	bool hidden;

	assert_true(fl_window_look(window, offset, &view));
	hidden = view.hidden;
	fl_window_view_put(&view);
	return hidden;
}

/* Waits for the watch's thread to hide the page, or to show it again; returns how long that took. */
static inline uint64_t test_wait_hidden(struct fl_window *window, uint64_t offset, bool hidden)
{
	const struct timespec pause = {.tv_nsec = 20000};
	uint64_t start = test_now_ns(), took = 0;

	while (test_is_hidden(window, offset) != hidden && took < WATCH_PATIENCE_NS) {
		nanosleep(&pause, NULL);
		took = test_now_ns() - start;
	}
	assert_int_equal(test_is_hidden(window, offset), hidden);
	return took;
}

static inline struct fl_watch *test_watch(void)
{
	struct fl_watch *watch = NULL;
	struct fl_diag diag = {0};

	if (fl_watch_new(NULL, &watch, &diag))
		fail_msg("%s", diag.text);
	return watch;
}

static inline struct fl_watch *test_started_watch(void)
{
	struct fl_watch *watch = test_watch();

	assert_int_equal(fl_watch_start(watch, NULL), 0);
	return watch;
}

static inline struct fl_window *test_watched_window(struct fl_watch *watch, uint64_t len, bool hide_ends)
{
	struct fl_window *window = test_window(len);

	fl_window_set_watch(window, watch, hide_ends);
	return window;
}

#endif
