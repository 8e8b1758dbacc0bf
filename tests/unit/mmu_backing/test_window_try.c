/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a file is tried elsewhere before it is mapped in the window, and what a mapping is told about forks and core
 * dumps: the system calls that each SETUPMAPPING costs.
 */
#include "mmap_fault.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#define WINDOW_LEN (8 * RANGE)

/* What fstatfs() says instead of the truth; 0: the truth. The wrapped function has no argument to hang this on. */
static uint64_t file_system;

int __real_fstatfs64(int fd, struct statfs *fs);
int __wrap_fstatfs64(int fd, struct statfs *fs);

int __wrap_fstatfs64(int fd, struct statfs *fs)
{
	int error = __real_fstatfs64(fd, fs);

	if (file_system)
		fs->f_type = (__typeof__(fs->f_type))file_system;
	return error;
}

struct fixture {
	struct fl_window *window;
	struct fl_backing *backing; /* on tmpfs */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	file_system = 0;
	f->window = test_window(WINDOW_LEN);
	f->backing = test_backing(test_memfd(8 * RANGE));
	arm(FAIL_NOT, 0, 0);
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

/* How often was it tried for that? */
static unsigned int tries_to_map(const struct fixture *f, uint64_t range, bool writable)
{
	unsigned int before = fault.tries;

	assert_int_equal(fl_window_map(f->window, range * RANGE, RANGE, f->backing, range * RANGE, writable), 0);
	return fault.tries - before;
}

static void test_once_for_each_right(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(tries_to_map(f, 0, false), 1);
	assert_int_equal(tries_to_map(f, 1, false), 0);
	assert_int_equal(tries_to_map(f, 0, true), 1);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(tries_to_map(f, i, i % 2), 0);
}

static void test_what_can_be_written_can_be_read(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(tries_to_map(f, 0, true), 1);
	assert_int_equal(tries_to_map(f, 1, false), 0);
}

static void test_a_file_that_is_mapped_no_more_is_tried_anew(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(tries_to_map(f, 0, false), 1);
	assert_int_equal(fl_window_unmap(f->window, 0, RANGE), 0);
	assert_int_equal(tries_to_map(f, 0, false), 1);
}

static void test_each_file_for_itself(void **state)
{
	struct fixture *f = *state;
	struct fl_backing sock = {.refs = 1, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .writable = true};

	assert_int_equal(tries_to_map(f, 0, true), 1);
	fault.replacing = 0;
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(fl_window_map(f->window, RANGE, RANGE, &sock, 0, true), -ENODEV);
		assert_int_equal(fault.tries, 2 + i);
	}
	assert_int_equal(fault.replacing, 0);
	close(sock.fd);
}

/* A file system that asks somebody else may say no at any time. */
static void test_always_where_the_answer_can_change(void **state)
{
	struct fixture *f = *state;
	static const uint64_t types[] = {NFS_SUPER_MAGIC, FUSE_SUPER_MAGIC, HUGETLBFS_MAGIC, OVERLAYFS_SUPER_MAGIC};

	for (size_t i = 0; i < FL_ARRAY_SIZE(types); i++) {
		fl_backing_unref(f->backing);
		file_system = types[i];
		f->backing = test_backing(test_memfd(8 * RANGE));
		assert_int_equal(tries_to_map(f, 0, true), 1);
		assert_int_equal(tries_to_map(f, 1, true), 1);
		assert_int_equal(tries_to_map(f, 0, false), 1);
		fl_window_unmap_all(f->window);
	}
}

static void test_always_once_a_hole_was_closed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(tries_to_map(f, 0, true), 1);
	arm(FAIL_HOLE, 0, 1);
	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->backing, 0, true), -ENODEV);
	assert_int_equal(fault.tries, 0);
	assert_true(test_no_hole(fl_window_hva(f->window), WINDOW_LEN));
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(tries_to_map(f, i, true), 1);
}

/* Does smaps(5) name the flag for the mapping at hva? dc: not copied by a fork; dd: not in a core dump. */
static bool has_flag(const uint8_t *hva, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	bool inside = false, found = false;
	char line[8192];

	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			inside = start <= (uintptr_t)hva && (uintptr_t)hva < end;
		if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag);
	}
	fclose(smaps);
	return found;
}

static void assert_left_out(const uint8_t *hva, bool left_out)
{
	assert_int_equal(has_flag(hva, " dc"), left_out);
	assert_int_equal(has_flag(hva, " dd"), left_out);
}

/* The kernel leaves mappings of files with names out of dumps by itself, but not those of deleted files. */
static void test_what_forks_and_dumps_leave_out(void **state)
{
	struct fixture *f = *state;
	uint8_t *hva = fl_window_hva(f->window);
	char path[] = "/tmp/window-try-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	struct fl_backing *named = test_backing(fd);

	assert_true(named->named);
	assert_false(f->backing->named);
	assert_int_equal(unlink(path), 0);
	assert_left_out(hva, true);
	assert_int_equal(tries_to_map(f, 1, true), 1);
	assert_left_out(hva + RANGE, true);
	assert_int_equal(fl_window_map(f->window, 2 * RANGE, RANGE, named, 0, true), 0);
	assert_left_out(hva + 2 * RANGE, false);
	assert_int_equal(fl_window_substitute(f->window, 2 * RANGE, &any_loss), 0);
	assert_left_out(hva + 2 * RANGE, true);
	assert_int_equal(fl_window_unmap(f->window, RANGE, 2 * RANGE), 0);
	assert_left_out(hva + RANGE, true);
	assert_left_out(hva + 2 * RANGE, true);
	fl_backing_unref(named);
}

#define TRY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	TRY_TEST(test_once_for_each_right),
	TRY_TEST(test_what_can_be_written_can_be_read),
	TRY_TEST(test_a_file_that_is_mapped_no_more_is_tried_anew),
	TRY_TEST(test_each_file_for_itself),
	TRY_TEST(test_always_where_the_answer_can_change),
	TRY_TEST(test_always_once_a_hole_was_closed),
	TRY_TEST(test_what_forks_and_dumps_leave_out),
};

FL_TEST_MAIN(30, tests)
