/* SPDX-License-Identifier: Apache-2.0 */
/* Which pages are there when a mapping is made, by /proc/self/pagemap. */
#include "mmu_test.h"

#define WINDOW_LEN (8 * RANGE)
#define FILE_LEN   (2 * RANGE + 3 * PAGE + 100)

struct fixture {
	struct fl_window *window;
	struct fl_backing *backing;
	uint8_t *hva;
	int fd;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->fd = test_disk_file(FILE_LEN);
	test_fill(f->fd, 0, 2 * RANGE);
	f->window = test_window(WINDOW_LEN);
	f->hva = fl_window_hva(f->window);
	fl_window_set_prefault(f->window, true);
	f->backing = test_backing(f->fd);
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

/* admin-guide/mm/pagemap.rst: bit 63, present */
static uint64_t pages_present(const uint8_t *hva, uint64_t len)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t present = 0, entry;

	assert_true(fd >= 0);
	for (uint64_t at = 0; at < len; at += PAGE) {
		off_t place = (off_t)(((uintptr_t)hva + at) / PAGE * sizeof(entry));

		assert_int_equal(pread(fd, &entry, sizeof(entry), place), sizeof(entry));
		present += entry >> 63;
	}
	close(fd);
	return present;
}

static void map(const struct fixture *f, uint64_t range, uint64_t ranges, uint64_t file_offset, bool writable)
{
	assert_int_equal(fl_window_map(f->window, range * RANGE, ranges * RANGE, f->backing, file_offset, writable), 0);
}

static void test_all_pages_are_there_at_once(void **state)
{
	struct fixture *f = *state;

	fl_window_set_prefault(f->window, false);
	map(f, 0, 1, 0, false);
	assert_int_equal(pages_present(f->hva, RANGE), 0);
	fl_window_set_prefault(f->window, true);
	map(f, 1, 1, RANGE, false);
	assert_int_equal(pages_present(f->hva + RANGE, RANGE), RANGE / PAGE);
	map(f, 0, 1, 0, true);
	assert_int_equal(pages_present(f->hva, RANGE), RANGE / PAGE);
	assert_int_equal(f->hva[RANGE + 5], test_byte(RANGE + 5));
}

static void test_no_further_than_the_file(void **state)
{
	struct fixture *f = *state;

	map(f, 0, 1, 2 * RANGE, false);
	assert_int_equal(pages_present(f->hva, 4 * PAGE), 4); /* the last one in part */
	assert_int_equal(pages_present(f->hva + 4 * PAGE, RANGE - 4 * PAGE), 0);
	map(f, 1, 1, 4 * RANGE, false);
	assert_int_equal(pages_present(f->hva + RANGE, RANGE), 0);
}

/* A request may map as much as the window holds: what it costs must not grow with that. */
static void test_two_mib_at_most(void **state)
{
	struct fixture *f = *state;

	map(f, 0, 8, 0, false);
	assert_int_equal(pages_present(f->hva, RANGE), RANGE / PAGE);
	assert_int_equal(pages_present(f->hva + RANGE, 7 * RANGE), 0);
}

/* Room on a disk is for the guest to take. */
static void test_holes_stay_holes(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	int fd = test_disk_file(RANGE);
	struct fl_backing *sparse = test_backing(fd);

	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, sparse, 0, true), 0);
	assert_int_equal(pages_present(f->hva, RANGE), RANGE / PAGE);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_blocks, before.st_blocks);
	fl_backing_unref(sparse);
}

#define PREFAULT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	PREFAULT_TEST(test_all_pages_are_there_at_once),
	PREFAULT_TEST(test_no_further_than_the_file),
	PREFAULT_TEST(test_two_mib_at_most),
	PREFAULT_TEST(test_holes_stay_holes),
};

FL_TEST_MAIN(30, tests)
