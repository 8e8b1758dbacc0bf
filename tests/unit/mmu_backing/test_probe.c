/* SPDX-License-Identifier: Apache-2.0 */
/* Probe and classify on real mappings; the expected verdicts are what mmap(2) promises a process that touches such a
 * page. */
#include "mmu_test.h"

#include <sched.h>
#include <sys/mount.h>

#include "mmu_backing/fault_site.h"
#include "mmu_backing/guest_ram.h"

#define WINDOW_GPA (4 * FL_GIB)
#define WINDOW_LEN (4 * RANGE)

struct fixture {
	struct fl_guest_ram ram;
	struct fl_window *window;
	struct fl_gpa_map map;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct fl_region ram, window;

	assert_int_equal(fl_guest_ram_init(&f->ram, RANGE, NULL), 0);
	f->window = test_window(WINDOW_LEN);
	ram = (struct fl_region){FL_REGION_RAM, 0, RANGE, f->ram.hva, "ram", NULL, {{0}}};
	window = test_window_region(f->window, WINDOW_GPA);
	assert_int_equal(fl_gpa_map_add(&f->map, &ram, NULL), 0);
	assert_int_equal(fl_gpa_map_add(&f->map, &window, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fl_window_free(f->window);
	fl_guest_ram_fini(&f->ram);
	free(f);
	return 0;
}

/* Maps fd over the window's second range and lets go of it. */
static void map_file(const struct fixture *f, int fd, uint64_t file_offset, bool writable)
{
	struct fl_backing *backing = test_backing(fd);

	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, backing, file_offset, writable), 0);
	fl_backing_unref(backing);
}

static struct fl_finding find(const struct fixture *f, uint64_t gpa, enum fl_access access)
{
	struct fl_finding finding;
	struct fl_probe probe;

	fl_probe_page(&f->map, gpa, access == FL_ACCESS_WRITE, &probe);
	finding = fl_classify(&probe, gpa, access);
	fl_probe_put(&probe);
	return finding;
}

static void assert_healthy(const struct fixture *f, uint64_t offset, enum fl_access access)
{
	struct fl_finding finding = find(f, WINDOW_GPA + offset, access);

	assert_int_equal(finding.verdict, FL_VERDICT_RETRY);
	assert_int_equal(finding.cause, FL_CAUSE_NONE);
}

static void assert_bad(const struct fixture *f, uint64_t offset, enum fl_access access, enum fl_cause cause)
{
	struct fl_finding finding = find(f, WINDOW_GPA + offset, access);

	assert_int_equal(finding.verdict, FL_VERDICT_BAD);
	assert_int_equal(finding.cause, cause);
	assert_int_equal(finding.bad_len, PAGE - offset % PAGE);
}

static void truncation_on(const struct fixture *f, int fd)
{
	const uint64_t at = RANGE + 2 * PAGE + 40; /* window offset; the file is mapped from RANGE on */
	struct fl_probe probe;

	test_fill(fd, 0, 2 * RANGE);
	map_file(f, fd, RANGE, true);
	assert_healthy(f, at, FL_ACCESS_READ);
	assert_healthy(f, at, FL_ACCESS_WRITE);
	assert_healthy(f, at, FL_ACCESS_FETCH);

	assert_int_equal(ftruncate(fd, (off_t)(RANGE + PAGE + 100)), 0);
	assert_healthy(f, RANGE + PAGE - 1, FL_ACCESS_WRITE);
	/* the last page is whole, though the file fills 100 bytes of it */
	assert_healthy(f, RANGE + 2 * PAGE - 1, FL_ACCESS_READ);
	assert_healthy(f, RANGE + 2 * PAGE - 1, FL_ACCESS_WRITE);
	assert_bad(f, RANGE + 2 * PAGE, FL_ACCESS_READ, FL_CAUSE_TRUNCATED);
	assert_bad(f, at, FL_ACCESS_READ, FL_CAUSE_TRUNCATED);
	assert_bad(f, at, FL_ACCESS_WRITE, FL_CAUSE_TRUNCATED);
	assert_bad(f, at, FL_ACCESS_FETCH, FL_CAUSE_TRUNCATED);
	assert_bad(f, 2 * RANGE - 1, FL_ACCESS_READ, FL_CAUSE_TRUNCATED);

	fl_probe_page(&f->map, WINDOW_GPA + at, false, &probe);
	assert_true(probe.has_file);
	assert_int_equal(probe.file_len, RANGE + PAGE + 100);
	assert_int_equal(probe.view.file_offset, RANGE + 2 * PAGE + 40);
	assert_int_equal(probe.view.backing->fd, fd);
	assert_int_equal(probe.read_error, EFAULT);
	fl_probe_put(&probe);

	/* one byte into the page is enough for all of it */
	assert_int_equal(ftruncate(fd, (off_t)(RANGE + 2 * PAGE + 1)), 0);
	assert_healthy(f, at, FL_ACCESS_WRITE);
	assert_int_equal(ftruncate(fd, (off_t)(RANGE + 2 * PAGE)), 0);
	assert_bad(f, at, FL_ACCESS_READ, FL_CAUSE_TRUNCATED);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_bad(f, RANGE, FL_ACCESS_READ, FL_CAUSE_TRUNCATED);
	assert_int_equal(ftruncate(fd, (off_t)(2 * RANGE)), 0);
	assert_healthy(f, at, FL_ACCESS_READ);
}

static void test_truncation_on_tmpfs(void **state)
{
	truncation_on(*state, test_memfd(0));
}

static void test_truncation_on_disk(void **state)
{
	truncation_on(*state, test_disk_file(0));
}

static void test_store_to_a_read_only_mapping(void **state)
{
	const struct fixture *f = *state;
	int fd = test_memfd(RANGE);

	map_file(f, fd, 0, false);
	assert_healthy(f, RANGE, FL_ACCESS_READ);
	assert_bad(f, RANGE, FL_ACCESS_WRITE, FL_CAUSE_NOT_PERMITTED);
	/* without a page there is nothing to be permitted */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_bad(f, RANGE, FL_ACCESS_WRITE, FL_CAUSE_TRUNCATED);
}

static void test_nothing_mapped(void **state)
{
	const struct fixture *f = *state;

	assert_bad(f, 3 * RANGE + 5, FL_ACCESS_READ, FL_CAUSE_UNMAPPED);
	assert_bad(f, 3 * RANGE + 5, FL_ACCESS_WRITE, FL_CAUSE_UNMAPPED);
	map_file(f, test_memfd(RANGE), 0, true);
	assert_healthy(f, RANGE, FL_ACCESS_READ);
	fl_window_unmap_all(f->window);
	assert_bad(f, RANGE, FL_ACCESS_READ, FL_CAUSE_UNMAPPED);
}

static void test_no_memslot(void **state)
{
	const struct fixture *f = *state;
	struct fl_finding finding = find(f, RANGE + 8, FL_ACCESS_READ);
	const struct fl_possible possible = {true, true, true};
	unsigned int at = 0;

	assert_int_equal(finding.verdict, FL_VERDICT_BAD);
	assert_int_equal(finding.cause, FL_CAUSE_UNMAPPED);
	assert_int_equal(finding.bad_len, PAGE - 8);
	assert_int_equal(fl_decide(fl_gpa_map_find(&f->map, RANGE + 8), &finding, &possible, &at), FL_ACTION_STOP);
}

static void test_ram_is_healthy(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(find(f, 0, FL_ACCESS_READ).verdict, FL_VERDICT_RETRY);
	assert_int_equal(find(f, RANGE - 1, FL_ACCESS_WRITE).verdict, FL_VERDICT_RETRY);
}

/* A hole in the VMM's own address space must be told from all that can be blamed on a file. */
static void test_hole_in_our_address_space(void **state)
{
	const struct fixture *f = *state;
	uint8_t *gone = fl_window_hva(f->window) + 2 * RANGE;

	munmap(gone, RANGE);
	assert_int_equal(find(f, WINDOW_GPA + 2 * RANGE, FL_ACCESS_READ).verdict, FL_VERDICT_HOLE);
	assert_int_equal(find(f, WINDOW_GPA + 2 * RANGE, FL_ACCESS_WRITE).verdict, FL_VERDICT_HOLE);
	assert_ptr_equal(mmap(gone, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), gone);
}

/* A tmpfs of len bytes that nobody else sees, opened; -1 where that is not allowed. */
static int tiny_tmpfs(unsigned int len)
{
	char dir[] = "/tmp/fl-tiny-XXXXXX", options[32];
	int fd = -1;

	if (!mkdtemp(dir))
		return -1;
	snprintf(options, sizeof(options), "size=%u", len);
	if ((unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("tiny", dir, "tmpfs", 0, options) == 0) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
	return fd;
}

static void test_file_system_is_full(void **state)
{
	const struct fixture *f = *state;
	int dir = tiny_tmpfs(16 * PAGE), fd, other;
	uint8_t page[PAGE] = {1};

	if (dir < 0)
		skip();
	fd = openat(dir, "holes", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	other = openat(dir, "other", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(pwrite(fd, page, PAGE, 0), PAGE);
	assert_int_equal(ftruncate(fd, RANGE), 0);
	while (write(other, page, PAGE) == PAGE)
		;
	assert_int_equal(errno, ENOSPC);
	map_file(f, fd, 0, true);
	assert_healthy(f, RANGE, FL_ACCESS_WRITE);
	assert_bad(f, RANGE + PAGE + 1, FL_ACCESS_WRITE, FL_CAUSE_NO_SPACE);
	/* tmpfs wants a page for a load from a hole as well */
	assert_bad(f, RANGE + PAGE + 1, FL_ACCESS_READ, FL_CAUSE_NO_SPACE);
	assert_bad(f, 2 * RANGE - 1, FL_ACCESS_READ, FL_CAUSE_NO_SPACE);
	assert_int_equal(ftruncate(other, 0), 0);
	assert_healthy(f, RANGE + PAGE + 1, FL_ACCESS_WRITE);
	close(other);
	close(dir);
}

/* ---- a file and a mapping that do not hold still ------------------------------------------ */

struct race {
	const struct fixture *f;
	int fd;
	struct fl_backing *backing;
	atomic_uint wrong; /* cmocka's asserts work in its own thread only */
	atomic_bool over;
};

static void *keep_mapping(void *arg)
{
	struct race *race = arg;

	for (unsigned int i = 0; !atomic_load(&race->over); i++) {
		race->wrong += fl_window_map(race->f->window, RANGE, RANGE, race->backing, 0, i % 2) != 0;
		if (i % 64 == 0)
			usleep(1);
	}
	return NULL;
}

static void *keep_truncating(void *arg)
{
	struct race *race = arg;

	for (unsigned int i = 0; !atomic_load(&race->over); i++) {
		race->wrong += ftruncate(race->fd, i % 2 ? RANGE : 0) != 0;
		usleep(100);
	}
	return NULL;
}

/*
 * Facts of different moments must not be put together: here only "truncated", "read-only" and
 * "healthy" are ever true, so no space, I/O error, unknown or a hole would be a mixture.
 */
static void test_facts_of_one_moment(void **state)
{
	const struct fixture *f = *state;
	int fd = test_memfd(RANGE);
	struct race race = {.f = f, .fd = fd, .backing = test_backing(fd)};
	unsigned int seen[FL_CAUSE_UNKNOWN + 1] = {0};
	pthread_t mapper, truncater;

	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, race.backing, 0, true), 0);
	assert_int_equal(pthread_create(&mapper, NULL, keep_mapping, &race), 0);
	assert_int_equal(pthread_create(&truncater, NULL, keep_truncating, &race), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		struct fl_finding finding = find(f, WINDOW_GPA + RANGE, i % 2 ? FL_ACCESS_WRITE : FL_ACCESS_READ);

		assert_int_not_equal(finding.verdict, FL_VERDICT_HOLE);
		seen[finding.cause]++;
	}
	atomic_store(&race.over, true);
	assert_int_equal(pthread_join(mapper, NULL), 0);
	assert_int_equal(pthread_join(truncater, NULL), 0);
	fl_backing_unref(race.backing);
	assert_int_equal(race.wrong, 0);
	assert_true(seen[FL_CAUSE_NONE] > 0);
	assert_int_equal(seen[FL_CAUSE_NONE] + seen[FL_CAUSE_TRUNCATED] + seen[FL_CAUSE_NOT_PERMITTED], 20000);
}

#define PROBE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	PROBE_TEST(test_truncation_on_tmpfs),
	PROBE_TEST(test_truncation_on_disk),
	PROBE_TEST(test_store_to_a_read_only_mapping),
	PROBE_TEST(test_nothing_mapped),
	PROBE_TEST(test_no_memslot),
	PROBE_TEST(test_ram_is_healthy),
	PROBE_TEST(test_hole_in_our_address_space),
	PROBE_TEST(test_facts_of_one_moment),
	PROBE_TEST(test_file_system_is_full), /* last: leaves the mount namespace */
};

FL_TEST_MAIN(60, tests)
