/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told, and when, that a window is nearly used up or that the process has no mappings left. */
#include "mmap_fault.h"

#include <time.h>

#define RANGES	   UINT64_C(64)
#define WINDOW_LEN (RANGES * RANGE)
/* window.h: from 15/16 on, and again after at most 7/8 */
#define FULL 60u
#define ROOM 56u

/* CLOCK_MONOTONIC is what the test says. The wrapped function has no argument to hang this on. */
static uint64_t now_ns;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, now);
	*now = (struct timespec){.tv_sec = (time_t)(now_ns / 1000000000), .tv_nsec = (long)(now_ns % 1000000000)};
	return 0;
}

struct fixture {
	struct fl_window *window;
	struct fl_backing *backing;
	uint64_t mapped;
	unsigned int told[3];	      /* by enum fl_window_trouble */
	struct fl_window_stats stats; /* as last told */
};

/* Looks at the window, which it could not with the lock held. */
static void on_trouble(void *arg, enum fl_window_trouble trouble, const struct fl_window_stats *stats)
{
	struct fixture *f = arg;
	struct fl_window_stats now;

	fl_window_get_stats(f->window, &now);
	f->told[trouble]++;
	f->stats = *stats;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	now_ns = 5;
	arm(FAIL_NOT, 0, 0);
	f->window = test_window(WINDOW_LEN);
	f->backing = test_backing(test_memfd(RANGE));
	fl_window_set_on_trouble(f->window, on_trouble, f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fl_window_free(f->window);
	fl_backing_unref(f->backing);
	free(f);
	return 0;
}

static void map_one(struct fixture *f)
{
	assert_int_equal(fl_window_map(f->window, f->mapped++ * RANGE, RANGE, f->backing, 0, false), 0);
}

/* One after the other, up or down. */
static void go_to(struct fixture *f, uint64_t ranges)
{
	while (f->mapped < ranges)
		map_one(f);
	while (f->mapped > ranges)
		assert_int_equal(fl_window_unmap(f->window, --f->mapped * RANGE, RANGE), 0);
}

static uint64_t times_nearly_full(const struct fixture *f)
{
	struct fl_window_stats stats;

	fl_window_get_stats(f->window, &stats);
	return stats.nearly_full;
}

static void test_told_when_it_is_nearly_full(void **state)
{
	struct fixture *f = *state;

	go_to(f, FULL - 1);
	assert_int_equal(f->told[FL_WINDOW_NEARLY_FULL], 0);
	map_one(f);
	assert_int_equal(f->told[FL_WINDOW_NEARLY_FULL], 1);
	assert_int_equal(f->stats.ranges_mapped, FULL);
	assert_int_equal(f->stats.ranges_total, RANGES);
	assert_int_equal(f->stats.nearly_full, 1);
	go_to(f, RANGES);
	assert_int_equal(f->told[FL_WINDOW_NEARLY_FULL], 1);
	assert_int_equal(f->told[FL_WINDOW_NO_MAPPINGS], 0);
}

static void test_counted_again_only_after_there_was_room(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 10; i++) {
		go_to(f, FULL);
		go_to(f, ROOM + 1);
	}
	assert_int_equal(times_nearly_full(f), 1);
	go_to(f, ROOM);
	go_to(f, FULL);
	assert_int_equal(times_nearly_full(f), 2);
	fl_window_unmap_all(f->window);
	f->mapped = 0;
	go_to(f, RANGES);
	assert_int_equal(times_nearly_full(f), 3);
}

static void test_told_once_a_minute(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 5; i++) {
		go_to(f, FULL);
		go_to(f, 0);
	}
	assert_int_equal(f->told[FL_WINDOW_NEARLY_FULL], 1);
	now_ns += FL_WINDOW_TELL_NS - 1;
	go_to(f, FULL);
	go_to(f, 0);
	assert_int_equal(f->told[FL_WINDOW_NEARLY_FULL], 1);
	now_ns++;
	go_to(f, FULL);
	assert_int_equal(f->told[FL_WINDOW_NEARLY_FULL], 2);
	assert_int_equal(f->stats.nearly_full, 7);
}

static void test_the_most_that_was_mapped_is_kept(void **state)
{
	struct fixture *f = *state;
	struct fl_window_stats stats;

	go_to(f, 17);
	go_to(f, 3);
	go_to(f, 5);
	fl_window_get_stats(f->window, &stats);
	assert_int_equal(stats.ranges_most, 17);
	assert_int_equal(stats.ranges_mapped, 5);
}

static void test_told_that_mappings_ran_out(void **state)
{
	struct fixture *f = *state;

	go_to(f, 2);
	arm(FAIL_EARLY, 0, 3);
	assert_int_equal(fl_window_map(f->window, 8 * RANGE, RANGE, f->backing, 0, false), -ENOMEM);
	assert_int_equal(f->told[FL_WINDOW_NO_MAPPINGS], 1);
	assert_int_equal(fl_window_map(f->window, 8 * RANGE, RANGE, f->backing, 0, false), -ENOMEM);
	now_ns += FL_WINDOW_TELL_NS;
	assert_int_equal(fl_window_unmap(f->window, 0, RANGE), -ENOMEM);
	assert_int_equal(f->told[FL_WINDOW_NO_MAPPINGS], 2);
	assert_int_equal(f->stats.no_mappings, 3);
	/* one trouble does not hide the other */
	go_to(f, FULL);
	assert_int_equal(f->told[FL_WINDOW_NEARLY_FULL], 1);
}

static void test_what_is_wrong_otherwise_is_no_trouble(void **state)
{
	struct fixture *f = *state;
	struct fl_backing sock = {.refs = 1, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};

	assert_int_equal(fl_window_map(f->window, 0, RANGE, &sock, 0, false), -ENODEV);
	assert_int_equal(fl_window_map(f->window, 1, RANGE, f->backing, 0, false), -EINVAL);
	assert_int_equal(f->told[FL_WINDOW_NO_MAPPINGS] + f->told[FL_WINDOW_NEARLY_FULL], 0);
	close(sock.fd);
}

#define TROUBLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	TROUBLE_TEST(test_told_when_it_is_nearly_full), TROUBLE_TEST(test_counted_again_only_after_there_was_room),
	TROUBLE_TEST(test_told_once_a_minute),		TROUBLE_TEST(test_the_most_that_was_mapped_is_kept),
	TROUBLE_TEST(test_told_that_mappings_ran_out),	TROUBLE_TEST(test_what_is_wrong_otherwise_is_no_trouble),
};

FL_TEST_MAIN(30, tests)
