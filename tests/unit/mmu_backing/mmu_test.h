/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of mmu_backing: files to map, and a look at a process' own mappings that uses none of its code.
 */
#ifndef MMU_TEST_H
#define MMU_TEST_H

#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "mmu_backing/gmem.h"
#include "mmu_backing/window.h"

#define MIB   UINT64_C(1048576)
#define RANGE (2 * MIB)
#define PAGE  UINT64_C(4096)

/* The file's byte at an offset, told from the offset alone. */
static inline uint8_t test_byte(uint64_t offset)
{
	return (uint8_t)(offset / PAGE * 7 + offset % 251 + 1);
}

static inline void test_fill(int fd, uint64_t from, uint64_t len)
{
	uint8_t page[PAGE];

	for (uint64_t at = from; at < from + len; at += PAGE) {
		for (uint64_t i = 0; i < PAGE; i++)
			page[i] = test_byte(at + i);
		assert_int_equal(pwrite(fd, page, PAGE, (off_t)at), PAGE);
	}
}

/* A file of len bytes, all of it a hole, on tmpfs. */
static inline int test_memfd(uint64_t len)
{
	int fd = memfd_create("mmu-test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	return fd;
}

/* The same on whatever file system temporary files are. */
static inline int test_disk_file(uint64_t len)
{
	const char *dir = getenv("TMPDIR");
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/mmu-test-XXXXXX", dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	return fd;
}

static inline struct fl_backing *test_backing(int fd)
{
	struct fl_backing *backing = NULL;

	assert_int_equal(fl_backing_new(fd, true, &backing), 0);
	return backing;
}

static inline struct fl_window *test_window(uint64_t len)
{
	struct fl_window *window = NULL;

	assert_int_equal(fl_window_new(len, &window, NULL), 0);
	return window;
}

static inline struct fl_region test_window_region(struct fl_window *window, uint64_t gpa)
{
	return (struct fl_region){
		.kind = FL_REGION_WINDOW,
		.gpa = gpa,
		.len = fl_window_len(window),
		.hva = fl_window_hva(window),
		.name = "share",
		.window = window,
		.policy = {{FL_ACTION_REFLECT, FL_ACTION_STOP}},
	};
}

/* Whatever is there, it is to be substituted. */
static const struct fl_window_loss any_loss __attribute__((unused)) = {0};

/* What the kernel says is mapped at an address: "rw-s" and so on, or "hole". */
struct test_mapping {
	char perms[8];
	uint64_t offset, ino;
};

static inline struct test_mapping test_mapping_at(const void *address)
{
	struct test_mapping found = {.perms = "hole"};
	uint64_t at = (uintptr_t)address;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[8192];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		struct test_mapping here;
		uint64_t start, end;

		assert_int_equal(sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %" SCNu64, &start, &end,
					here.perms, &here.offset, &here.ino),
				 5);
		if (at >= start && at < end) {
			here.offset += at - start;
			found = here;
			break;
		}
	}
	fclose(maps);
	return found;
}

/* Reads a byte as a system call does: -1 where a load would fault (process_vm_readv(2)). */
static inline int test_peek(const uint8_t *hva)
{
	uint8_t byte;
	struct iovec local = {&byte, 1}, remote = {(void *)(uintptr_t)hva, 1};

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1)
		return byte;
	return errno == EFAULT ? -1 : -2;
}

/* Is every page of [hva, hva+len) mapped to something? mincore(2) says ENOMEM where nothing is. */
static inline bool test_no_hole(const uint8_t *hva, uint64_t len)
{
	unsigned char *resident = malloc(len / PAGE);
	int rc;

	assert_non_null(resident);
	rc = mincore((void *)(uintptr_t)hva, len, resident);
	free(resident);
	return rc == 0;
}

#endif
