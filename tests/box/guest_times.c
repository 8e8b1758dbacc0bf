/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest writes by DAX its host does not see; so mtime changes there when the guest tells, which is before
 * anybody in the guest looks, when the file is closed, and when it is synchronised, once for all that was written.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

#define WRITES	  1000
#define SETTLE_NS 50000000 /* longer than the host's clock of file times takes for a step */
#define OLD_S	  1000000000

static void settle(void)
{
	const struct timespec pause = {.tv_nsec = SETTLE_NS};

	nanosleep(&pause, NULL);
}

static bool write_some(const struct test_file *file, unsigned int times)
{
	bool good = true;

	for (unsigned int i = 0; i < times; i++)
		good = good && pwrite(file->fd, "x", 1, i) == 1;
	return good;
}

static void write_and_fstat(const struct test_file *file)
{
	struct stat st;

	if (!write_some(file, 1) || fstat(file->fd, &st) < 0)
		say("%m");
}

static void write_and_stat(const struct test_file *file)
{
	struct stat st;

	if (!write_some(file, 1) || stat(file->name, &st) < 0)
		say("%m");
}

static void write_and_fsync(const struct test_file *file)
{
	if (!write_some(file, 1) || fsync(file->fd) < 0)
		say("%m");
}

static void write_and_syncfs(const struct test_file *file)
{
	if (!write_some(file, 1) || syncfs(file->fd) < 0)
		say("%m");
}

/* A close of any descriptor will do */
static void write_and_close(const struct test_file *file)
{
	if (!write_some(file, 1) || close(dup(file->fd)) < 0)
		say("%m");
}

static void store_and_msync(const struct test_file *file)
{
	file->map[PAGE] ^= 1;
	if (msync(file->map, file->len, MS_SYNC) < 0)
		say("%m");
}

/* Closed first: what is told at the end is told when nobody has it open any more. */
static void store_and_munmap(const struct test_file *file)
{
	int fd = open(file->name, O_RDWR | O_CLOEXEC);
	volatile uint8_t *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		exit(99);
	close(fd);
	map[0] ^= 1;
	munmap((void *)(uintptr_t)map, PAGE);
}

static const struct {
	const char *name;
	void (*change)(const struct test_file *file);
} ways[] = {
	{"write_and_fstat", write_and_fstat},	{"write_and_stat", write_and_stat},
	{"write_and_fsync", write_and_fsync},	{"write_and_syncfs", write_and_syncfs},
	{"write_and_close", write_and_close},	{"store_and_msync", store_and_msync},
	{"store_and_munmap", store_and_munmap},
};

static uint64_t mtime_on_the_host(const struct test_file *file)
{
	return ask("mtime", file->name, 0);
}

static void tell_nothing_in_between(const struct test_file *file)
{
	uint64_t before = mtime_on_the_host(file), between;
	bool good;

	settle();
	good = write_some(file, WRITES);
	between = mtime_on_the_host(file);
	write_and_close(file);
	say("case many_writes: %s, host's mtime %s before close, %s after", good ? "written" : "not written",
	    between == before ? "stays" : "changes", mtime_on_the_host(file) == before ? "stays" : "changes");
}

static void set_time_after_write(const struct test_file *file)
{
	const struct timespec times[2] = {{.tv_sec = OLD_S}, {.tv_sec = OLD_S}};
	struct stat st;
	bool good = write_some(file, 1) && futimens(file->fd, times) == 0 && close(dup(file->fd)) == 0 &&
		    fsync(file->fd) == 0 && fstat(file->fd, &st) == 0;

	say("case set_after_write: %s, here %lld s, there %lld s", good ? "set" : "not set",
	    (long long)st.st_mtim.tv_sec, (long long)(mtime_on_the_host(file) / 1000000000));
}

void run_times(void)
{
	struct test_file file = open_file("times", FILE_PAGES);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		/* and from then on a store is the first one to its page */
		fsync(file.fd);
		uint64_t before = mtime_on_the_host(&file);

		settle();
		ways[i].change(&file);
		say("case %s: host's mtime %s", ways[i].name, mtime_on_the_host(&file) == before ? "stays" : "changes");
	}
	tell_nothing_in_between(&file);
	set_time_after_write(&file);
	close_file(&file);
}
