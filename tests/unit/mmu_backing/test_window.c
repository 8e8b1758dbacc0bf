/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_test.h"

#include <sys/wait.h>

#define WINDOW_LEN (8 * RANGE)

struct fixture {
	struct fl_window *window;
	struct fl_backing *backing; /* 4 ranges long */
	uint64_t ino;
	uint8_t *hva;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd = test_memfd(4 * RANGE);

	test_fill(fd, 0, 4 * RANGE);
	f->window = test_window(WINDOW_LEN);
	f->hva = fl_window_hva(f->window);
	f->backing = test_backing(fd);
	f->ino = f->backing->ino;
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

static void assert_mapped(const struct fixture *f, uint64_t offset, const char *perms, uint64_t file_offset)
{
	struct test_mapping mapping = test_mapping_at(f->hva + offset);

	assert_string_equal(mapping.perms, perms);
	assert_int_equal(mapping.offset, file_offset);
	assert_int_equal(mapping.ino, f->ino);
}

static void assert_view(const struct fixture *f, uint64_t offset, enum fl_range_state state, uint64_t file_offset)
{
	struct fl_window_view view;

	assert_true(fl_window_look(f->window, offset, &view));
	assert_int_equal(view.state, state);
	if (state == FL_RANGE_RESERVED) {
		assert_null(view.backing);
	} else {
		assert_ptr_equal(view.backing, f->backing);
		assert_int_equal(view.file_offset, file_offset);
	}
	fl_window_view_put(&view);
	assert_null(view.backing);
}

static void test_new_window_is_all_reserved(void **state)
{
	struct fixture *f = *state;
	struct fl_window_stats stats;

	assert_int_equal(fl_window_len(f->window), WINDOW_LEN);
	assert_int_equal((uintptr_t)f->hva % (1024 * MIB), 0);
	for (uint64_t at = 0; at < WINDOW_LEN; at += RANGE) {
		assert_string_equal(test_mapping_at(f->hva + at).perms, "---s");
		assert_view(f, at, FL_RANGE_RESERVED, 0);
	}
	fl_window_get_stats(f->window, &stats);
	assert_int_equal(stats.ranges_total, 8);
	assert_int_equal(stats.ranges_mapped, 0);
	assert_false(fl_window_is_broken(f->window));
}

static void test_lengths(void **state)
{
	static const uint64_t bad[] = {0, PAGE, RANGE + PAGE, 64 * FL_GIB + RANGE, UINT64_MAX - RANGE + 1};
	struct fl_window *window = NULL;
	struct fl_diag diag = {0};
	(void)state;

	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++)
		assert_int_equal(fl_window_new(bad[i], &window, &diag), -EINVAL);
	assert_true(strlen(diag.text) > 0);
	assert_null(window);
	assert_int_equal(fl_window_new(64 * FL_GIB, &window, NULL), 0);
	fl_window_free(window);
	fl_window_free(NULL);
}

static void test_map_shows_the_file(void **state)
{
	struct fixture *f = *state;
	struct fl_window_stats stats;

	assert_int_equal(fl_window_map(f->window, 2 * RANGE, 2 * RANGE, f->backing, RANGE, false), 0);
	assert_mapped(f, 2 * RANGE, "r--s", RANGE);
	assert_mapped(f, 3 * RANGE, "r--s", 2 * RANGE);
	assert_int_equal(f->hva[3 * RANGE + 12345], test_byte(2 * RANGE + 12345));
	assert_view(f, 2 * RANGE - 1, FL_RANGE_RESERVED, 0);
	assert_view(f, 2 * RANGE, FL_RANGE_MAPPED_RO, RANGE);
	assert_view(f, 3 * RANGE + 12345, FL_RANGE_MAPPED_RO, 2 * RANGE + 12345);
	assert_view(f, 4 * RANGE - 1, FL_RANGE_MAPPED_RO, 3 * RANGE - 1);
	assert_view(f, 4 * RANGE, FL_RANGE_RESERVED, 0);
	assert_string_equal(test_mapping_at(f->hva + 2 * RANGE - 1).perms, "---s");
	assert_string_equal(test_mapping_at(f->hva + 4 * RANGE).perms, "---s");
	fl_window_get_stats(f->window, &stats);
	assert_int_equal(stats.ranges_mapped, 2);
	assert_int_equal(stats.maps, 1);
}

static void test_upgrade_keeps_the_place(void **state)
{
	struct fixture *f = *state;
	uint8_t byte;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->backing, RANGE, false), 0);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->backing, RANGE, true), 0);
	assert_mapped(f, 0, "rw-s", RANGE);
	assert_view(f, 7, FL_RANGE_MAPPED_RW, RANGE + 7);
	f->hva[7] = 0xab;
	assert_int_equal(pread(f->backing->fd, &byte, 1, (off_t)RANGE + 7), 1);
	assert_int_equal(byte, 0xab);
}

static void test_another_file_replaces(void **state)
{
	struct fixture *f = *state;
	int fd = test_memfd(RANGE);
	struct fl_backing *other = test_backing(fd);
	struct fl_window_stats stats;

	assert_int_equal(pwrite(fd, "other", 5, 0), 5);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, other, 0, false), 0);
	fl_backing_unref(other);
	assert_memory_equal(f->hva, "other", 5);
	assert_true(fcntl(fd, F_GETFD) >= 0); /* the window's own reference */
	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->backing, 0, false), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(f->hva[5], test_byte(5));
	fl_window_get_stats(f->window, &stats);
	assert_int_equal(stats.ranges_mapped, 1);
	assert_int_equal(stats.maps, 2);
}

static void test_view_outlives_the_mapping(void **state)
{
	struct fixture *f = *state;
	int fd = test_memfd(RANGE);
	struct fl_backing *other = test_backing(fd);
	struct fl_window_view view;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, other, 0, false), 0);
	fl_backing_unref(other);
	assert_true(fl_window_look(f->window, 0, &view));
	assert_int_equal(fl_window_unmap(f->window, 0, RANGE), 0);
	assert_int_equal(view.backing->fd, fd);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fl_window_view_put(&view);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_unmap(void **state)
{
	struct fixture *f = *state;
	struct fl_window_stats stats;

	assert_int_equal(fl_window_map(f->window, 0, 4 * RANGE, f->backing, 0, true), 0);
	assert_int_equal(fl_window_unmap(f->window, RANGE, RANGE), 0);
	assert_string_equal(test_mapping_at(f->hva + RANGE).perms, "---s");
	assert_view(f, RANGE, FL_RANGE_RESERVED, 0);
	assert_mapped(f, 0, "rw-s", 0);
	assert_mapped(f, 2 * RANGE, "rw-s", 2 * RANGE);
	assert_int_equal(fl_window_unmap(f->window, RANGE, RANGE), 0); /* again is allowed */
	fl_window_get_stats(f->window, &stats);
	assert_int_equal(stats.ranges_mapped, 3);
	assert_int_equal(stats.unmaps, 2);
	fl_window_unmap_all(f->window);
	for (uint64_t at = 0; at < WINDOW_LEN; at += RANGE)
		assert_string_equal(test_mapping_at(f->hva + at).perms, "---s");
	fl_window_get_stats(f->window, &stats);
	assert_int_equal(stats.ranges_mapped, 0);
	assert_int_equal(f->backing->refs, 1);
}

static void test_arguments_outside(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint64_t offset, len, file_offset;
	} bad[] = {
		{0, 0, 0},
		{PAGE, RANGE, 0},
		{0, RANGE + PAGE, 0},
		{0, RANGE, PAGE},
		{WINDOW_LEN, RANGE, 0},
		{WINDOW_LEN - RANGE, 2 * RANGE, 0},
		{UINT64_MAX - RANGE + 1, RANGE, 0},
		{UINT64_MAX - RANGE + 1, 2 * RANGE, 0}, /* wraps to RANGE */
		{0, UINT64_MAX - RANGE + 1, 0},
		{0, RANGE, UINT64_MAX - RANGE + 1},
		{0, RANGE, (UINT64_C(1) << 63) - RANGE}, /* ends at 2^63, one more than a file offset can be */
	};

	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++)
		assert_int_equal(
			fl_window_map(f->window, bad[i].offset, bad[i].len, f->backing, bad[i].file_offset, false),
			-EINVAL);
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++)
		if (bad[i].file_offset == 0)
			assert_int_equal(fl_window_unmap(f->window, bad[i].offset, bad[i].len), -EINVAL);
	for (uint64_t at = 0; at < WINDOW_LEN; at += RANGE)
		assert_string_equal(test_mapping_at(f->hva + at).perms, "---s");
}

static void test_look_outside(void **state)
{
	struct fixture *f = *state;
	struct fl_window_view view;

	assert_false(fl_window_look(f->window, WINDOW_LEN, &view));
	assert_null(view.backing);
	assert_false(fl_window_look(f->window, UINT64_MAX, &view));
}

static void test_read_only_backing(void **state)
{
	struct fixture *f = *state;
	struct fl_backing *backing = NULL;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->backing->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fl_backing_new(fd, false, &backing), 0);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, backing, 0, true), -EACCES);
	assert_string_equal(test_mapping_at(f->hva).perms, "---s");
	assert_int_equal(fl_window_map(f->window, 0, RANGE, backing, 0, false), 0);
	assert_mapped(f, 0, "r--s", 0);
	fl_backing_unref(backing);
	/* the word of whoever made the backing counts, not what the descriptor could do */
	assert_int_equal(fl_backing_new(dup(f->backing->fd), false, &backing), 0);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, backing, 0, true), -EACCES);
	assert_mapped(f, 0, "r--s", 0);
	fl_backing_unref(backing);
}

static uint64_t seq_at(const struct fixture *f, uint64_t offset)
{
	struct fl_window_view view;

	assert_true(fl_window_look(f->window, offset, &view));
	fl_window_view_put(&view);
	return view.seq;
}

static void test_every_change_has_a_number(void **state)
{
	struct fixture *f = *state;
	uint64_t seen[5];

	seen[0] = seq_at(f, RANGE);
	for (size_t i = 1; i < 3; i++) { /* the second time nothing is different, yet it was changed */
		assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->backing, 0, true), 0);
		seen[i] = seq_at(f, RANGE + 1);
	}
	assert_int_equal(fl_window_unmap(f->window, RANGE, RANGE), 0);
	seen[3] = seq_at(f, RANGE);
	fl_window_unmap_all(f->window);
	seen[4] = seq_at(f, RANGE);
	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->backing, 0, true), 0);
	assert_int_equal(seq_at(f, RANGE), seen[4]);
}

static void test_file_shorter_than_the_range(void **state)
{
	struct fixture *f = *state;
	int fd = test_disk_file(PAGE + 100);
	struct fl_backing *shorter = test_backing(fd);

	assert_int_equal(pwrite(fd, "tail", 4, PAGE + 96), 4);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, shorter, 0, true), 0);
	assert_memory_equal(f->hva + PAGE + 96, "tail", 4);
	/* once the file has grown, what lay beyond its end is there without a further map */
	assert_int_equal(pwrite(fd, "grown", 5, RANGE - 5), 5);
	assert_memory_equal(f->hva + RANGE - 5, "grown", 5);
	fl_backing_unref(shorter);
}

/* DONTFORK belongs to a mapping and is lost with it: every replacement must set it anew. */
static void test_child_has_no_window(void **state)
{
	struct fixture *f = *state;
	pid_t child;
	int status;

	assert_int_equal(fl_window_map(f->window, 0, 2 * RANGE, f->backing, 0, true), 0);
	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->backing, 0, false), 0);
	assert_int_equal(fl_window_unmap(f->window, 0, RANGE), 0);
	child = fork();
	if (child == 0) {
		unsigned char resident;
		unsigned int gone = 0;

		for (uint64_t at = 0; at < WINDOW_LEN; at += RANGE)
			gone += mincore(f->hva + at, PAGE, &resident) < 0 && errno == ENOMEM;
		_exit((int)gone);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 8);
}

/* ---- threads --------------------------------------------------------------------------- */

struct race {
	const struct fixture *f;
	unsigned int wrong; /* looker's own until it is joined */
	atomic_bool over;
};

/* Even ranges are only ever mapped from file offset 0, odd ones from RANGE. */
static void *look_on(void *arg)
{
	struct race *race = arg;

	for (uint64_t i = 0; !atomic_load(&race->over); i++) {
		uint64_t offset = i % 8 * RANGE + i % RANGE;
		struct fl_window_view view;

		if (!fl_window_look(race->f->window, offset, &view))
			race->wrong++;
		if (view.backing)
			race->wrong += view.file_offset != offset / RANGE % 2 * RANGE + offset % RANGE;
		else
			race->wrong += view.state != FL_RANGE_RESERVED;
		fl_window_view_put(&view);
		if (i % 64 == 0)
			usleep(1);
	}
	return NULL;
}

static void test_threads_map_and_look(void **state)
{
	struct fixture *f = *state;
	struct race race = {.f = f};
	pthread_t looker;

	assert_int_equal(pthread_create(&looker, NULL, look_on, &race), 0);
	for (uint64_t i = 0; i < 4000; i++) {
		uint64_t range = i * 5 % 8;

		assert_int_equal(
			fl_window_map(f->window, range * RANGE, RANGE, f->backing, range % 2 * RANGE, i % 3 == 0), 0);
		if (i % 4 == 0)
			assert_int_equal(fl_window_unmap(f->window, range * RANGE, RANGE), 0);
	}
	atomic_store(&race.over, true);
	assert_int_equal(pthread_join(looker, NULL), 0);
	assert_int_equal(race.wrong, 0);
	assert_true(test_no_hole(f->hva, WINDOW_LEN));
}

#define WINDOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	WINDOW_TEST(test_new_window_is_all_reserved),
	cmocka_unit_test(test_lengths),
	WINDOW_TEST(test_map_shows_the_file),
	WINDOW_TEST(test_upgrade_keeps_the_place),
	WINDOW_TEST(test_another_file_replaces),
	WINDOW_TEST(test_view_outlives_the_mapping),
	WINDOW_TEST(test_unmap),
	WINDOW_TEST(test_arguments_outside),
	WINDOW_TEST(test_look_outside),
	WINDOW_TEST(test_read_only_backing),
	WINDOW_TEST(test_every_change_has_a_number),
	WINDOW_TEST(test_file_shorter_than_the_range),
	WINDOW_TEST(test_child_has_no_window),
	WINDOW_TEST(test_threads_map_and_look),
};

FL_TEST_MAIN(30, tests)
