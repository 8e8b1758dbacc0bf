/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of inotify, as inotify_init1(2) and inotify_add_watch(2) say that they are reported. The program is
 * linked with --wrap for both.
 */
#include "watch_test.h"

#include <sys/inotify.h>
#include <sys/resource.h>

static struct {
	int init_error;
	atomic_int add_error;
} fake;

int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);
int __real_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);

int __wrap_inotify_init1(int flags)
{
	if (!fake.init_error)
		return __real_inotify_init1(flags);
	errno = fake.init_error;
	return -1;
}

int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	if (!fake.add_error)
		return __real_inotify_add_watch(fd, path, mask);
	errno = fake.add_error;
	return -1;
}

static void test_no_instance_left(void **state)
{
	struct fl_watch *watch = NULL;
	struct fl_diag diag = {0};
	(void)state;

	fake.init_error = EMFILE;
	assert_int_equal(fl_watch_new(NULL, &watch, &diag), -EMFILE);
	assert_non_null(strstr(diag.text, "fs.inotify.max_user_instances"));
	assert_null(watch);
	fake.init_error = 0;
}

/* The same error number, but another limit. */
static void test_no_descriptor_left(void **state)
{
	struct fl_watch *watch = NULL;
	struct rlimit old, tight;
	struct fl_diag diag = {0};
	int next = test_memfd(0);
	(void)state;

	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(fl_watch_new(NULL, &watch, &diag), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_null(strstr(diag.text, "inotify instances"));
	assert_non_null(strstr(diag.text, "ulimit"));
}

static void keep(void *arg, enum fl_log_level level, const char *text)
{
	assert_int_equal(level, FL_LOG_WARN);
	snprintf(arg, 256, "%s", text);
}

static void test_no_watch_left(void **state)
{
	char said[256] = "";
	const struct fl_log log = {.sink = keep, .arg = said, .level = FL_LOG_WARN};
	struct fl_watch *watch = NULL;
	struct fl_window *hiding = test_window(2 * RANGE), *plain = test_window(RANGE);
	struct fl_backing *one = test_backing(test_memfd(RANGE)), *two = test_backing(test_memfd(RANGE));
	struct fl_watch_stats stats;
	(void)state;

	assert_int_equal(fl_watch_new(&log, &watch, NULL), 0);
	fl_window_set_watch(hiding, watch, true);
	fl_window_set_watch(plain, watch, false);
	assert_int_equal(fl_window_map(hiding, 0, RANGE, one, 0, true), 0);
	fake.add_error = ENOSPC;
	/* what cannot be followed is not mapped: the old mapping stands */
	assert_int_equal(fl_window_map(hiding, 0, RANGE, two, 0, true), -ENOSPC);
	assert_non_null(strstr(said, "fs.inotify.max_user_watches"));
	assert_int_equal(test_mapping_at(fl_window_hva(hiding)).ino, one->ino);
	assert_int_equal(two->refs, 1);
	/* what is followed needs no other */
	assert_int_equal(fl_window_map(hiding, RANGE, RANGE, one, 0, true), 0);
	/* a substituted page only stays longer */
	assert_int_equal(fl_window_map(plain, 0, RANGE, two, 0, true), 0);
	assert_int_equal(fl_window_substitute(plain, 0, &any_loss), 0);
	fake.add_error = 0;
	fl_watch_get_stats(watch, &stats);
	assert_int_equal(stats.files, 1);
	assert_int_equal(fl_window_substitute(plain, PAGE, &any_loss), 0); /* now it can be */
	fl_watch_get_stats(watch, &stats);
	assert_int_equal(stats.files, 2);
	fl_window_free(hiding);
	fl_window_free(plain);
	fl_watch_get_stats(watch, &stats);
	assert_int_equal(stats.files, 0);
	fl_watch_free(watch);
	fl_backing_unref(one);
	fl_backing_unref(two);
}

/* A file that is followed and that inotify will not take again is looked at all the same, and armed when it will. */
static void test_watch_lost(void **state)
{
	struct fl_watch *watch = test_started_watch();
	struct fl_window *window = test_watched_window(watch, RANGE, true);
	struct fl_backing *backing = test_backing(test_memfd(RANGE));
	struct fl_watch_stats before, after;
	(void)state;

	assert_int_equal(fl_window_map(window, 0, RANGE, backing, 0, true), 0);
	atomic_store(&fake.add_error, ENOSPC);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ftruncate(backing->fd, 0), 0);
		test_wait_hidden(window, 0, true);
		assert_int_equal(ftruncate(backing->fd, RANGE), 0);
		test_wait_hidden(window, 0, false);
	}
	atomic_store(&fake.add_error, 0);
	usleep(100000);
	fl_watch_get_stats(watch, &before);
	usleep(100000);
	fl_watch_get_stats(watch, &after);
	assert_int_equal(before.looks, after.looks); /* nobody polls any more */
	assert_int_equal(ftruncate(backing->fd, 0), 0);
	test_wait_hidden(window, 0, true);
	/* and one that goes while it is polled */
	atomic_store(&fake.add_error, ENOSPC);
	assert_int_equal(ftruncate(backing->fd, RANGE), 0);
	test_wait_hidden(window, 0, false);
	fl_window_free(window);
	atomic_store(&fake.add_error, 0);
	fl_watch_free(watch);
	assert_int_equal(backing->refs, 1);
	fl_backing_unref(backing);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_no_instance_left),
	cmocka_unit_test(test_no_descriptor_left),
	cmocka_unit_test(test_no_watch_left),
	cmocka_unit_test(test_watch_lost),
};

FL_TEST_MAIN(30, tests)
