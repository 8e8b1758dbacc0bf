/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>

#include "fl_base.h"

static void test_add_overflows_at_the_edge_only(void **state)
{
	uint64_t sum;

	(void)state;
	assert_false(fl_add_overflows(UINT64_MAX - 1, 1, &sum));
	assert_true(sum == UINT64_MAX);
	assert_true(fl_add_overflows(UINT64_MAX, 1, &sum));
	assert_true(fl_add_overflows(UINT64_C(1) << 63, UINT64_C(1) << 63, &sum));
	assert_false(fl_add_overflows(0, 0, &sum));
	assert_true(sum == 0);
}

static void test_range_fits_never_wraps(void **state)
{
	(void)state;
	assert_true(fl_range_fits(0, 0, 0));
	assert_true(fl_range_fits(0, 10, 10));
	assert_true(fl_range_fits(10, 0, 10));
	assert_false(fl_range_fits(11, 0, 10));
	assert_false(fl_range_fits(1, 10, 10));
	assert_false(fl_range_fits(UINT64_MAX, 2, 10));
	assert_false(fl_range_fits(2, UINT64_MAX, UINT64_MAX));
	assert_true(fl_range_fits(1, UINT64_MAX - 1, UINT64_MAX));
}

static void test_alignment(void **state)
{
	(void)state;
	assert_true(fl_is_aligned(0, 4096));
	assert_true(fl_is_aligned(8192, 4096));
	assert_false(fl_is_aligned(8193, 4096));
	assert_true(fl_align_up(1, 4096) == 4096);
	assert_true(fl_align_up(4096, 4096) == 4096);
	assert_true(fl_align_down(4097, 4096) == 4096);
	assert_true(fl_align_down(UINT64_MAX, FL_RANGE_LEN) == UINT64_MAX - (FL_RANGE_LEN - 1));
}

static void close_at_scope_end(int victim)
{
	FL_CLOSE int fd = victim;

	errno = EXDEV;
	(void)fd;
}

static void test_scoped_close_keeps_errno(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	close_at_scope_end(fd);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_stolen_descriptor_stays_open(void **state)
{
	int kept;

	(void)state;
	{
		FL_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		kept = fl_steal_fd(&fd);
		assert_int_equal(fd, -1);
	}
	assert_int_not_equal(fcntl(kept, F_GETFD), -1);
	fl_close(&kept);
	assert_int_equal(kept, -1);
}

static void lock_for_scope(pthread_mutex_t *lock)
{
	FL_LOCKED(lock);

	assert_int_equal(pthread_mutex_trylock(lock), EBUSY);
}

static void test_scoped_lock_unlocks(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	(void)state;
	lock_for_scope(&lock);
	assert_int_equal(pthread_mutex_trylock(&lock), 0);
	pthread_mutex_unlock(&lock);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_add_overflows_at_the_edge_only),
	cmocka_unit_test(test_range_fits_never_wraps),
	cmocka_unit_test(test_alignment),
	cmocka_unit_test(test_scoped_close_keeps_errno),
	cmocka_unit_test(test_stolen_descriptor_stays_open),
	cmocka_unit_test(test_scoped_lock_unlocks),
};
FL_TEST_MAIN(20, tests)
