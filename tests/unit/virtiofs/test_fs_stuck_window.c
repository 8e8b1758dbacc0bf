/* SPDX-License-Identifier: Apache-2.0 */
/* Two shares with DAX, of which one lies on a file system that does not answer: the files of the other are followed. */
#include "tests/unit/mmu_backing/watch_test.h"

#include "stuck_fuse.h"

/* A change is followed within milliseconds; this is for busy machines. */
#define IN_TIME_NS UINT64_C(5000000000)

/* A share's window, and a file that it maps the first two MiB of. */
struct side {
	struct fl_window *window;
	struct fl_backing *backing;
};

struct both {
	char dir[32];
	struct stuck_fuse *fuse;
	struct fl_watch *watch;
	struct side stuck, local;
};

static struct side side_new(struct fl_watch *watch, int fd)
{
	struct side side = {.window = test_watched_window(watch, 2 * RANGE, true), .backing = test_backing(fd)};

	assert_int_equal(fl_window_map(side.window, 0, RANGE, side.backing, 0, true), 0);
	return side;
}

static void side_free(struct side *side)
{
	fl_window_free(side->window);
	fl_backing_unref(side->backing);
}

/* False: no such file system can be mounted here. */
static bool both_init(struct both *both)
{
	char path[64];

	strcpy(both->dir, "/tmp/fl-stuck-XXXXXX");
	assert_non_null(mkdtemp(both->dir));
	/* before the watch's thread is there */
	both->fuse = stuck_fuse_mount(both->dir);
	if (!both->fuse) {
		rmdir(both->dir);
		return false;
	}
	both->watch = test_started_watch();
	snprintf(path, sizeof(path), "%s/%s", both->dir, STUCK_NAME);
	both->stuck = side_new(both->watch, open(path, O_RDWR | O_CLOEXEC));
	both->local = side_new(both->watch, test_memfd(RANGE));
	return true;
}

static void both_fini(struct both *both)
{
	stuck_fuse_let_go(both->fuse);
	side_free(&both->stuck);
	side_free(&both->local);
	fl_watch_free(both->watch);
	stuck_fuse_unmount(both->fuse, both->dir);
	rmdir(both->dir);
}

static void assert_is_followed(const struct side *side)
{
	assert_int_equal(ftruncate(side->backing->fd, PAGE), 0);
	assert_in_range(test_wait_hidden(side->window, PAGE, true), 0, IN_TIME_NS);
	assert_int_equal(ftruncate(side->backing->fd, RANGE), 0);
	assert_in_range(test_wait_hidden(side->window, PAGE, false), 0, IN_TIME_NS);
}

#define BOTH_OR_SKIP(both)     \
	struct both both;      \
	if (!both_init(&both)) \
	SKIP_FOR("no FUSE file system can be mounted here")

static uint64_t looks(const struct both *both)
{
	struct fl_watch_stats stats;

	fl_watch_get_stats(both->watch, &stats);
	return stats.looks;
}

static uint64_t files_of(struct fl_watch *watch)
{
	struct fl_watch_stats stats;

	fl_watch_get_stats(watch, &stats);
	return stats.files;
}

/* Its server says that it can be set, and that it is as long as before: an event, and nobody who tells a length. */
static void a_file_whose_server_hangs_holds_up_no_other(void **state)
{
	uint64_t before;
	(void)state;

	BOTH_OR_SKIP(both);
	stuck_fuse_hold_attributes(both.fuse);
	before = looks(&both);
	assert_int_equal(ftruncate(both.stuck.backing->fd, STUCK_FILE_LEN), 0);
	while (looks(&both) == before)
		usleep(200);
	assert_is_followed(&both.local);
	both_fini(&both);
}

/* What is known of the file is enough, so its window's lock is not held while anybody waits. */
static void mapping_more_of_a_followed_file_asks_no_server(void **state)
{
	(void)state;

	BOTH_OR_SKIP(both);
	stuck_fuse_hold_attributes(both.fuse);
	assert_int_equal(fl_window_map(both.stuck.window, RANGE, RANGE, both.stuck.backing, RANGE, true), 0);
	assert_int_equal(fl_window_unmap(both.stuck.window, 0, RANGE), 0);
	assert_int_equal(fl_window_map(both.stuck.window, 0, RANGE, both.stuck.backing, 0, false), 0);
	assert_is_followed(&both.local);
	both_fini(&both);
}

static void *map_again(void *arg)
{
	struct side *side = arg;

	assert_int_equal(fl_window_map(side->window, 0, RANGE, side->backing, 0, true), 0);
	return NULL;
}

/* inotify wants permission, for which the server is asked: the share that waits for it does so without any lock. */
static void following_a_file_waits_for_its_server_alone(void **state)
{
	pthread_t thread;
	(void)state;

	BOTH_OR_SKIP(both);
	assert_int_equal(fl_window_unmap(both.stuck.window, 0, RANGE), 0);
	stuck_fuse_hold_attributes(both.fuse);
	assert_int_equal(pthread_create(&thread, NULL, map_again, &both.stuck), 0);
	stuck_fuse_wait_held(both.fuse, 1);
	assert_is_followed(&both.local);
	assert_int_equal(fl_window_map(both.local.window, RANGE, RANGE, both.local.backing, 0, false), 0);
	assert_false(test_is_hidden(both.stuck.window, 0));
	stuck_fuse_let_go(both.fuse);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(files_of(both.watch), 2);
	both_fini(&both);
}

static void *unmap(void *arg)
{
	struct side *side = arg;

	assert_int_equal(fl_window_unmap(side->window, 0, RANGE), 0);
	return NULL;
}

/* The last that held it open was the mapping: closing it flushes. */
static void closing_a_file_waits_for_its_server_alone(void **state)
{
	pthread_t thread;
	(void)state;

	BOTH_OR_SKIP(both);
	fl_backing_unref(both.stuck.backing);
	both.stuck.backing = NULL;
	stuck_fuse_hold_attributes(both.fuse);
	assert_int_equal(pthread_create(&thread, NULL, unmap, &both.stuck), 0);
	stuck_fuse_wait_held(both.fuse, 1);
	assert_is_followed(&both.local);
	assert_false(test_is_hidden(both.stuck.window, 0));
	assert_int_equal(files_of(both.watch), 1);
	stuck_fuse_let_go(both.fuse);
	assert_int_equal(pthread_join(thread, NULL), 0);
	both_fini(&both);
}

/* Its events stay armed: each is followed, and none is when nothing of it is mapped any more. */
static void a_file_of_a_server_is_followed_again_and_again(void **state)
{
	uint64_t before;
	(void)state;

	BOTH_OR_SKIP(both);
	for (unsigned int i = 0; i < 10; i++) {
		before = looks(&both);
		assert_int_equal(ftruncate(both.stuck.backing->fd, STUCK_FILE_LEN), 0);
		while (looks(&both) == before)
			usleep(200);
	}
	assert_int_equal(fl_window_unmap(both.stuck.window, 0, RANGE), 0);
	assert_int_equal(files_of(both.watch), 1);
	before = looks(&both);
	assert_int_equal(ftruncate(both.stuck.backing->fd, STUCK_FILE_LEN), 0);
	usleep(20000);
	assert_int_equal(looks(&both), before);
	both_fini(&both);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_file_whose_server_hangs_holds_up_no_other),
	cmocka_unit_test(mapping_more_of_a_followed_file_asks_no_server),
	cmocka_unit_test(following_a_file_waits_for_its_server_alone),
	cmocka_unit_test(closing_a_file_waits_for_its_server_alone),
	cmocka_unit_test(a_file_of_a_server_is_followed_again_and_again),
};

FL_TEST_MAIN(40, tests)
