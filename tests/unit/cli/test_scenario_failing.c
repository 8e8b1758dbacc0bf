/* SPDX-License-Identifier: Apache-2.0 */
/* The file system of scenarios that fails when told: it is one like others, until its reads fail. */
#include "tests/unit/cli/scenario_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define PAGE 4096u

/* ---- a touch that may be SIGBUS ----------------------------------------------------------- */

static sigjmp_buf landing;
static void *volatile bus_address;
static volatile int bus_code;

static void land(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	bus_address = info->si_addr;
	bus_code = info->si_code;
	siglongjmp(landing, 1);
}

/* The byte there; -1: SIGBUS, of which bus_address and bus_code tell. */
static int touch(const volatile uint8_t *place)
{
	struct sigaction action = {.sa_sigaction = land, .sa_flags = SA_SIGINFO}, before;
	volatile int byte = -1;

	assert_int_equal(sigaction(SIGBUS, &action, &before), 0);
	if (sigsetjmp(landing, 1) == 0)
		byte = *place;
	assert_int_equal(sigaction(SIGBUS, &before, NULL), 0);
	return byte;
}

static void assert_lost(const volatile uint8_t *place)
{
	assert_int_equal(touch(place), -1);
	assert_ptr_equal(bus_address, place);
	assert_int_equal(bus_code, BUS_ADRERR);
}

/* ---- it is a file system ------------------------------------------------------------------ */

static void files_are_files(void **state)
{
	struct scn_world *world = scn_world_of(state);
	char path[PATH_MAX], second[PATH_MAX], bytes[8] = "";
	struct stat status, other;
	int fd = scn_world_open_in(world, "new", O_RDWR | O_CREAT | O_EXCL);

	assert_int_equal(pwrite(fd, "hello", 5, 10000), 5);
	assert_int_equal(pread(fd, bytes, 8, 10000), 5);
	assert_string_equal(bytes, "hello");
	assert_int_equal(fchmod(fd, 0604), 0);
	assert_int_equal(futimens(fd, (struct timespec[2]){{.tv_sec = 11}, {.tv_sec = 22, .tv_nsec = 33}}), 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0604);
	assert_int_equal(status.st_size, 10005);
	assert_int_equal(status.st_atim.tv_sec, 11);
	assert_int_equal(status.st_mtim.tv_sec, 22);
	assert_int_equal(status.st_mtim.tv_nsec, 33);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	scn_world_path_of(world, SCN_WORLD_FAILING, "new", path);
	scn_world_path_of(world, SCN_WORLD_FAILING, "second", second);
	assert_int_equal(rename(path, second), 0);
	assert_int_equal(stat(path, &other), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(link(second, path), 0);
	assert_int_equal(stat(path, &other), 0);
	assert_true(other.st_ino == status.st_ino && other.st_nlink == 2);
	assert_int_equal(unlink(second), 0);
}

static void lengths_and_holes(void **state)
{
	struct scn_world *world = scn_world_of(state);
	int fd = scn_world_open_in(world, "log", O_RDWR);
	uint8_t byte = 1;

	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE), 0);
	assert_int_equal(pread(fd, &byte, 1, PAGE + 1), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(pread(fd, &byte, 1, PAGE - 1), 1);
	assert_int_equal(byte, scn_world_pattern_byte(PAGE - 1));
	assert_int_equal(lseek(fd, 0, SEEK_END), SCN_WORLD_FILE_LEN);
	assert_true(lseek(fd, 0, SEEK_HOLE) >= PAGE);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 100);
	assert_int_equal(ftruncate(fd, 3 * PAGE), 0);
	assert_int_equal(pread(fd, &byte, 1, 100), 1);
	assert_int_equal(byte, 0);
	close(fd);
	fd = scn_world_open_in(world, "log", O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(lseek(fd, 0, SEEK_END), 3 * PAGE + 1);
	close(fd);
	fd = scn_world_open_in(world, "log", O_RDWR | O_TRUNC);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	close(fd);
}

static void directories_and_links(void **state)
{
	struct scn_world *world = scn_world_of(state);
	char path[PATH_MAX], name[32], target[16] = "";
	struct statvfs status;
	unsigned int seen = 0;

	assert_int_equal(mkdir(scn_world_path_of(world, SCN_WORLD_FAILING, "deep", path), 0750), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "deep/%d", i);
		close(scn_world_open_in(world, name, O_CREAT | O_WRONLY));
	}
	DIR *dir = opendir(path);

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		seen += entry->d_name[0] != '.';
	closedir(dir);
	assert_int_equal(seen, 300);
	assert_int_equal(rmdir(path), -1);
	assert_int_equal(errno, ENOTEMPTY);
	assert_int_equal(symlink("../log", scn_world_path_of(world, SCN_WORLD_FAILING, "deep/link", path)), 0);
	assert_int_equal(readlink(path, target, sizeof(target) - 1), 6);
	assert_string_equal(target, "../log");
	assert_int_equal(access(path, R_OK), 0);
	assert_int_equal(statvfs(path, &status), 0);
	assert_true(status.f_blocks > 0 && status.f_namemax >= 255);
	/* what this server does not know */
	assert_int_equal(mkfifo(scn_world_path_of(world, SCN_WORLD_FAILING, "pipe", path), 0600), -1);
	assert_int_equal(errno, ENOSYS);
}

/* ---- reads fail --------------------------------------------------------------------------- */

static void a_read_fails_until_healed(void **state)
{
	struct scn_world *world = scn_world_of(state);
	int fd = scn_world_open_in(world, "log", O_RDONLY), other = scn_world_open_in(world, "other", O_RDONLY);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, PAGE), 1);
	assert_int_equal(scn_world_fail_reads(world, "log"), 0);
	assert_int_equal(pread(fd, &byte, 1, PAGE), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(pread(other, &byte, 1, PAGE), 1);
	assert_int_equal(scn_world_heal(world, "log"), 0);
	assert_int_equal(pread(fd, &byte, 1, PAGE), 1);
	assert_int_equal(byte, scn_world_pattern_byte(PAGE));
	close(fd);
	close(other);
	assert_int_equal(scn_world_fail_reads(world, "nowhere"), -ENOENT);
	assert_int_equal(scn_world_fail_reads(world, ""), -EINVAL); /* a directory */
	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FAIL_READS, SCN_WORLD_SMALL, "log", 0), -ENOTSUP);
	assert_int_equal(scn_world_do_step(world, FL_SCN_HOST_FREEZE, SCN_WORLD_SMALL, NULL, 0), -ENOTSUP);
}

static void a_mapping_is_sigbus_until_healed(void **state)
{
	struct scn_world *world = scn_world_of(state);
	uint8_t *map = scn_world_map_file(world, "log"), *other = scn_world_map_file(world, "other");

	for (uint32_t at = 0; at < SCN_WORLD_FILE_LEN; at += PAGE)
		assert_int_equal(touch(map + at), scn_world_pattern_byte(at));
	assert_int_equal(touch(other), scn_world_pattern_byte(0));
	map[5 * PAGE + 7] = 0xa5;
	assert_int_equal(scn_world_fail_reads(world, "log"), 0);
	for (uint32_t at = 3; at < SCN_WORLD_FILE_LEN; at += PAGE)
		assert_lost(map + at);
	assert_int_equal(touch(other + PAGE), scn_world_pattern_byte(PAGE));
	assert_int_equal(scn_world_heal(world, "log"), 0);
	for (uint32_t at = 0; at < SCN_WORLD_FILE_LEN; at += PAGE)
		assert_int_equal(touch(map + at), scn_world_pattern_byte(at));
	assert_int_equal(touch(map + 5 * PAGE + 7), 0xa5); /* what was stored before is not lost */
	munmap(map, SCN_WORLD_FILE_LEN);
	munmap(other, SCN_WORLD_FILE_LEN);
}

/* Inode numbers are given again, at once by some file systems. */
static void a_new_file_does_not_inherit(void **state)
{
	struct scn_world *world = scn_world_of(state);
	char path[PATH_MAX];
	uint8_t byte;

	assert_int_equal(scn_world_fail_reads(world, "log"), 0);
	assert_int_equal(unlink(scn_world_path_of(world, SCN_WORLD_FAILING, "log", path)), 0);
	for (int i = 0; i < 8; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, "x", 1), 1);
		close(fd);
		fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (fd < 0)
			fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		assert_int_equal(read(fd, &byte, 1), 1);
		close(fd);
		assert_int_equal(unlink(path), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scn_world_setup, scn_world_teardown)

static const struct CMUnitTest tests[] = {
	TEST(files_are_files),
	TEST(lengths_and_holes),
	TEST(directories_and_links),
	TEST(a_read_fails_until_healed),
	TEST(a_mapping_is_sigbus_until_healed),
	TEST(a_new_file_does_not_inherit),
};

FL_TEST_MAIN(60, tests)
