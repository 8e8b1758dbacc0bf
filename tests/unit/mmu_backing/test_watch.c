/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_test.h"

#include <sys/inotify.h>

/* ---- what the kernel promises ----------------------------------------------------------- */

/*
 * A file on the file system of a directory, followed as watch.c does it: by its descriptor's link in /proc, before
 * its name changes and goes.
 */
struct followed {
	int fd, inotify;
	char path[256], other[260];
};

static unsigned int modified(const struct followed *file)
{
	char buf[4096] __attribute__((aligned(8)));
	unsigned int seen = 0;
	ssize_t len;

	while ((len = read(file->inotify, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + len; at += sizeof(struct inotify_event)) {
			assert_int_equal(((struct inotify_event *)(void *)at)->len, 0);
			seen |= ((struct inotify_event *)(void *)at)->mask;
		}
	}
	assert_int_equal(seen & ~(unsigned int)IN_MODIFY, 0);
	return seen;
}

static bool follow_in(const char *dir, struct followed *file)
{
	char link[32];

	snprintf(file->path, sizeof(file->path), "%s/fl-watch-XXXXXX", dir);
	file->fd = mkostemp(file->path, O_CLOEXEC);
	if (file->fd < 0)
		return false;
	snprintf(file->other, sizeof(file->other), "%s.2", file->path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
	file->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(file->inotify >= 0);
	assert_true(inotify_add_watch(file->inotify, link, IN_MODIFY) >= 0);
	return true;
}

#define RAISES(file, call) (assert_true((call) >= 0), assert_int_equal(modified(file), IN_MODIFY))

static void by_name(const struct followed *file)
{
	RAISES(file, truncate(file->path, 100000));
	RAISES(file, truncate(file->path, 50000));
	RAISES(file, close(open(file->path, O_WRONLY | O_TRUNC | O_CLOEXEC)));
}

static void by_descriptor(const struct followed *file)
{
	RAISES(file, ftruncate(file->fd, 100000));
	RAISES(file, ftruncate(file->fd, 5000));
	RAISES(file, pwrite(file->fd, "grown", 5, 20000));
	RAISES(file, fallocate(file->fd, 0, 0, 65536));
	RAISES(file, fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
}

/* The host's truncate must not escape us, whichever way and wherever it is done. */
static void test_every_change_of_length_is_an_event(void **state)
{
	const char *dirs[] = {getenv("TMPDIR"), "/tmp", "/dev/shm", "/var/tmp"};
	unsigned int done = 0;
	(void)state;

	for (size_t i = 0; i < FL_ARRAY_SIZE(dirs); i++) {
		struct followed file;

		if (!dirs[i] || !follow_in(dirs[i], &file)) {
			printf("# not done in %s\n", dirs[i] ? dirs[i] : "TMPDIR");
			continue;
		}
		by_name(&file);
		by_descriptor(&file);
		assert_int_equal(rename(file.path, file.other), 0);
		by_descriptor(&file);
		assert_int_equal(unlink(file.other), 0);
		by_descriptor(&file);
		close(file.inotify);
		close(file.fd);
		done++;
	}
	assert_true(done > 0);
}

/*
 * Newer kernels (6.14: memfds are FMODE_NONOTIFY) say nothing of writes by a memfd's own descriptor; that it changes
 * length by ftruncate(2) they do.
 */
static void test_truncated_memfd_is_an_event(void **state)
{
	struct followed file = {.fd = test_memfd(RANGE), .inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
	(void)state;

	snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	assert_true(inotify_add_watch(file.inotify, file.path, IN_MODIFY) >= 0);
	RAISES(&file, ftruncate(file.fd, PAGE));
	RAISES(&file, ftruncate(file.fd, RANGE));
	close(file.inotify);
	close(file.fd);
}

/* Stores through a mapping are none of it: a guest that writes by DAX does not keep the watch busy. */
static void test_stores_are_no_events(void **state)
{
	struct followed file = {.fd = test_disk_file(RANGE), .inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
	uint8_t *mapped = mmap(NULL, RANGE, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
	(void)state;

	snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	assert_true(inotify_add_watch(file.inotify, file.path, IN_MODIFY) >= 0);
	assert_ptr_not_equal(mapped, MAP_FAILED);
	memset(mapped, 1, RANGE);
	assert_int_equal(msync(mapped, RANGE, MS_SYNC), 0);
	assert_int_equal(modified(&file), 0);
	munmap(mapped, RANGE);
	close(file.inotify);
	close(file.fd);
}

/* ---- a watch and windows ---------------------------------------------------------------- */

static uint64_t files_of(struct fl_watch *watch)
{
	struct fl_watch_stats stats;

	fl_watch_get_stats(watch, &stats);
	return stats.files;
}

static void cut_and_grow(struct fl_window *window, int fd)
{
	assert_int_equal(ftruncate(fd, PAGE), 0);
	test_wait_hidden(window, PAGE, true);
	assert_int_equal(test_peek(fl_window_hva(window) + PAGE), -1);
	assert_false(test_is_hidden(window, 0));
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	test_wait_hidden(window, PAGE, false);
	assert_int_equal(test_peek(fl_window_hva(window) + PAGE), 0);
}

static void test_ends_are_hidden_and_shown(void **state)
{
	struct fl_watch *watch = test_started_watch();
	struct fl_window *window = test_watched_window(watch, RANGE, true);
	int fds[] = {test_memfd(RANGE), test_disk_file(RANGE)};
	(void)state;

	for (size_t i = 0; i < FL_ARRAY_SIZE(fds); i++) {
		struct fl_backing *backing = test_backing(dup(fds[i]));

		assert_int_equal(fl_window_map(window, 0, RANGE, backing, 0, true), 0);
		fl_backing_unref(backing);
		cut_and_grow(window, fds[i]);
		assert_int_equal(files_of(watch), 1);
		close(fds[i]);
	}
	fl_window_unmap_all(window);
	assert_int_equal(files_of(watch), 0);
	fl_window_free(window);
	fl_watch_free(watch);
}

/* What happens between the mapping and the thread's start, or while nobody looks, is not lost. */
static void test_events_wait_for_the_thread(void **state)
{
	struct fl_watch *watch = test_watch();
	struct fl_window *window = test_watched_window(watch, RANGE, true);
	struct fl_backing *backing = test_backing(test_memfd(RANGE));
	(void)state;

	assert_int_equal(fl_window_map(window, 0, RANGE, backing, 0, true), 0);
	assert_int_equal(ftruncate(backing->fd, 0), 0);
	assert_false(test_is_hidden(window, 0));
	assert_int_equal(fl_watch_start(watch, NULL), 0);
	test_wait_hidden(window, 0, true);
	fl_window_free(window);
	fl_watch_free(watch);
	assert_int_equal(backing->refs, 1);
	fl_backing_unref(backing);
}

/* fs.inotify.max_queued_events; 0: unknown */
static unsigned int max_queued(void)
{
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	unsigned int count = 0;

	if (file && fscanf(file, "%u", &count) != 1)
		count = 0;
	if (file)
		fclose(file);
	return count;
}

/* More events than the kernel queues: those of the last file are lost, its new length is not. */
static void test_overflow(void **state)
{
	struct fl_watch *watch = test_watch();
	struct fl_window *window = test_watched_window(watch, 2 * RANGE, true);
	struct fl_backing *files[2];
	struct fl_watch_stats stats;
	unsigned int limit = max_queued();
	(void)state;

	for (unsigned int i = 0; i < 2; i++) {
		files[i] = test_backing(test_disk_file(RANGE));
		assert_int_equal(fl_window_map(window, i * RANGE, RANGE, files[i], 0, true), 0);
	}
	if (!limit || limit > 100000)
		limit = 100000;			   /* then it is a storm only */
	for (unsigned int i = 0; i < limit; i++) { /* two events each: IN_MODIFY, IN_IGNORED */
		assert_int_equal(pwrite(files[0]->fd, "x", 1, 0), 1);
		fl_watch_remove(watch, window, files[0]->dev, files[0]->ino);
		assert_int_equal(fl_watch_add(watch, window, files[0]), 0);
	}
	assert_int_equal(ftruncate(files[1]->fd, PAGE), 0);
	assert_int_equal(fl_watch_start(watch, NULL), 0);
	test_wait_hidden(window, RANGE + PAGE, true);
	assert_false(test_is_hidden(window, PAGE));
	fl_watch_get_stats(watch, &stats);
	assert_true(stats.events <= limit + 2); /* else nothing was lost, and the test none */
	fl_watch_free(watch);
	fl_window_free(window); /* after it, as well */
	for (unsigned int i = 0; i < 2; i++)
		fl_backing_unref(files[i]);
}

/* The only inotify descriptor of this process. */
static int inotify_fd(void)
{
	char link[32], what[64];

	for (int fd = 0; fd < 256; fd++) {
		ssize_t len;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		len = readlink(link, what, sizeof(what) - 1);
		what[len > 0 ? len : 0] = '\0';
		if (strcmp(what, "anon_inode:inotify") == 0)
			return fd;
	}
	return -1;
}

/* IN_IGNORED for a file that is still mapped: it is followed again, under another number. */
static void test_ignored(void **state)
{
	struct fl_watch *watch = test_started_watch();
	struct fl_window *window = test_watched_window(watch, RANGE, true);
	struct fl_backing *backing = test_backing(test_memfd(RANGE));
	(void)state;

	assert_int_equal(fl_window_map(window, 0, RANGE, backing, 0, true), 0);
	assert_int_equal(inotify_rm_watch(inotify_fd(), 1), 0);
	for (int i = 0; i < 20; i++)
		cut_and_grow(window, backing->fd);
	assert_int_equal(files_of(watch), 1);
	fl_window_free(window);
	fl_watch_free(watch);
	fl_backing_unref(backing);
}

static void test_two_windows_and_counts(void **state)
{
	struct fl_watch *watch = test_started_watch();
	struct fl_window *one = test_watched_window(watch, 4 * RANGE, true);
	struct fl_window *two = test_watched_window(watch, RANGE, true);
	struct fl_backing *backing = test_backing(test_memfd(RANGE));
	(void)state;

	assert_int_equal(fl_window_map(one, 0, RANGE, backing, 0, true), 0);
	assert_int_equal(fl_window_map(one, 3 * RANGE, RANGE, backing, 0, true), 0);
	assert_int_equal(fl_window_map(two, 0, RANGE, backing, 0, false), 0);
	assert_int_equal(files_of(watch), 1);
	assert_int_equal(ftruncate(backing->fd, PAGE), 0);
	test_wait_hidden(one, PAGE, true);
	test_wait_hidden(one, 3 * RANGE + PAGE, true);
	test_wait_hidden(two, PAGE, true);
	assert_int_equal(fl_window_unmap(one, 0, RANGE), 0);
	cut_and_grow(two, backing->fd);
	fl_window_free(two);
	assert_int_equal(files_of(watch), 1);
	test_wait_hidden(one, 3 * RANGE + PAGE, false);
	assert_int_equal(fl_window_unmap(one, 3 * RANGE, RANGE), 0);
	assert_int_equal(files_of(watch), 0);
	/* the interface itself counts */
	assert_int_equal(fl_watch_add(watch, one, backing), 0);
	assert_int_equal(fl_watch_add(watch, one, backing), 0);
	fl_watch_remove(watch, one, backing->dev, backing->ino);
	assert_int_equal(files_of(watch), 1);
	fl_watch_remove(watch, one, backing->dev, backing->ino);
	assert_int_equal(files_of(watch), 0);
	fl_watch_remove(watch, one, backing->dev, backing->ino);
	fl_window_free(one);
	fl_watch_free(watch);
	assert_int_equal(backing->refs, 1);
	fl_backing_unref(backing);
}

static bool is_substituted(struct fl_window *window, uint64_t offset)
{
	struct fl_window_view view;

	assert_true(fl_window_look(window, offset, &view));
	fl_window_view_put(&view);
	return view.substituted;
}

/* A window that does not hide ends is told of files with substituted pages, and of no others. */
static void test_substitutes_are_followed(void **state)
{
	struct fl_watch *watch = test_started_watch();
	struct fl_window *window = test_watched_window(watch, 2 * RANGE, false);
	struct fl_backing *backing = test_backing(test_disk_file(0)), *other = test_backing(test_memfd(RANGE));
	uint64_t start;
	(void)state;

	assert_int_equal(fl_window_map(window, 0, RANGE, backing, 0, true), 0);
	assert_int_equal(fl_window_map(window, RANGE, RANGE, other, 0, true), 0);
	assert_int_equal(files_of(watch), 0);
	assert_int_equal(fl_window_substitute(window, 3 * PAGE, &any_loss), 0);
	assert_int_equal(files_of(watch), 1);
	assert_int_equal(test_peek(fl_window_hva(window) + 3 * PAGE), 0);
	test_fill(backing->fd, 0, RANGE);
	for (start = test_now_ns(); files_of(watch) && test_now_ns() - start < WATCH_PATIENCE_NS;)
		usleep(100);
	assert_false(is_substituted(window, 3 * PAGE));
	assert_int_equal(test_peek(fl_window_hva(window) + 3 * PAGE), test_byte(3 * PAGE));
	assert_int_equal(files_of(watch), 0);
	assert_int_equal(fl_window_substitute(window, 4 * PAGE, &any_loss), 0);
	assert_int_equal(files_of(watch), 1);
	assert_int_equal(fl_window_unmap(window, 0, RANGE), 0);
	assert_int_equal(files_of(watch), 0);
	fl_window_free(window);
	fl_watch_free(watch);
	fl_backing_unref(backing);
	fl_backing_unref(other);
}

/* A freed watch leaves windows that can be unmapped and freed, but follows nothing new. */
static void test_windows_outlive_the_watch(void **state)
{
	struct fl_watch *watch = test_started_watch();
	struct fl_window *window = test_watched_window(watch, 2 * RANGE, true);
	struct fl_backing *backing = test_backing(test_memfd(RANGE)), *other = test_backing(test_memfd(RANGE));
	(void)state;

	assert_int_equal(fl_window_map(window, 0, RANGE, backing, 0, true), 0);
	fl_watch_stop(watch);
	fl_watch_stop(watch);
	fl_watch_free(watch);
	fl_watch_free(NULL);
	assert_int_equal(fl_window_map(window, RANGE, RANGE, other, 0, true), -ESHUTDOWN);
	assert_int_equal(fl_window_unmap(window, 0, RANGE), 0);
	fl_window_free(window);
	assert_int_equal(backing->refs, 1);
	assert_int_equal(other->refs, 1);
	fl_backing_unref(backing);
	fl_backing_unref(other);
}

static void test_no_descriptor_is_left_behind(void **state)
{
	int before = test_memfd(0), after;
	(void)state;

	close(before);
	for (int i = 0; i < 3; i++)
		test_ends_are_hidden_and_shown(state);
	after = test_memfd(0);
	close(after);
	assert_int_equal(before, after);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_every_change_of_length_is_an_event),
	cmocka_unit_test(test_truncated_memfd_is_an_event),
	cmocka_unit_test(test_stores_are_no_events),
	cmocka_unit_test(test_ends_are_hidden_and_shown),
	cmocka_unit_test(test_events_wait_for_the_thread),
	cmocka_unit_test(test_overflow),
	cmocka_unit_test(test_ignored),
	cmocka_unit_test(test_two_windows_and_counts),
	cmocka_unit_test(test_substitutes_are_followed),
	cmocka_unit_test(test_windows_outlive_the_watch),
	cmocka_unit_test(test_no_descriptor_is_left_behind),
};

FL_TEST_MAIN(60, tests)
