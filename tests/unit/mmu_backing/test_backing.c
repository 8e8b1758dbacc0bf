/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_test.h"

#include <sys/socket.h>

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_last_reference_closes(void **state)
{
	int fd = test_memfd(PAGE);
	struct fl_backing *backing = test_backing(fd);
	struct stat st;
	(void)state;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(backing->dev, st.st_dev);
	assert_int_equal(backing->ino, st.st_ino);
	assert_ptr_equal(fl_backing_ref(backing), backing);
	fl_backing_unref(backing);
	assert_true(is_open(fd));
	fl_backing_unref(backing);
	assert_false(is_open(fd));
	fl_backing_unref(NULL);
}

static void refuses(int fd, bool writable)
{
	struct fl_backing *backing = NULL;

	assert_true(fd >= 0);
	assert_int_equal(fl_backing_new(fd, writable, &backing), -EINVAL);
	assert_null(backing);
	assert_true(is_open(fd));
	close(fd);
}

static void test_only_regular_files_that_can_be_mapped(void **state)
{
	char path[32];
	int memfd = test_memfd(PAGE), pipes[2];
	(void)state;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	refuses(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), false);
	refuses(open("/dev/null", O_RDWR | O_CLOEXEC), true);
	refuses(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), true);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	refuses(pipes[0], false);
	refuses(pipes[1], true);
	refuses(open(path, O_PATH | O_CLOEXEC), false);
	refuses(open(path, O_WRONLY | O_CLOEXEC), false);
	refuses(open(path, O_WRONLY | O_CLOEXEC), true);
	refuses(open(path, O_RDONLY | O_CLOEXEC), true);
	close(memfd);
}

static void test_bad_descriptor(void **state)
{
	struct fl_backing *backing = NULL;
	(void)state;

	assert_int_equal(fl_backing_new(-1, false, &backing), -EBADF);
}

static void test_path_follows_the_file(void **state)
{
	char first[] = "/tmp/fl-backing-XXXXXX", second[64], path[64], small[5];
	int fd = mkostemp(first, O_CLOEXEC);
	struct fl_backing *backing = test_backing(fd);
	(void)state;

	fl_backing_path(backing, path, sizeof(path));
	assert_string_equal(path, first);
	snprintf(second, sizeof(second), "%s-moved", first);
	assert_int_equal(rename(first, second), 0);
	fl_backing_path(backing, path, sizeof(path));
	assert_string_equal(path, second);
	fl_backing_path(backing, small, sizeof(small));
	assert_string_equal(small, "/tmp");
	unlink(second);
	fl_backing_path(backing, path, sizeof(path));
	assert_string_equal(path + strlen(second), " (deleted)");
	fl_backing_unref(backing);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_last_reference_closes),
	cmocka_unit_test(test_only_regular_files_that_can_be_mapped),
	cmocka_unit_test(test_bad_descriptor),
	cmocka_unit_test(test_path_follows_the_file),
};

FL_TEST_MAIN(30, tests)
