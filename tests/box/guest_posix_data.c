/* SPDX-License-Identifier: Apache-2.0 */
/* What is in files: holes, writing in all its ways, copies, mappings, locks. */
#include "tests/box/guest_posix.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096
#define KIB  1024ll
#define MIB  (1024 * KIB)

/* FNV-1a of what is there from `at` to `end`, by read(2) */
static uint64_t sum_of(int fd, off_t at, off_t end)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	static unsigned char bytes[64 * 1024];

	while (at < end) {
		size_t part = end - at < (off_t)sizeof(bytes) ? (size_t)(end - at) : sizeof(bytes);
		ssize_t len = pread(fd, bytes, part, at);

		if (len <= 0)
			break;
		for (ssize_t i = 0; i < len; i++)
			sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
		at += len;
	}
	return sum;
}

static void fill(int fd, off_t at, size_t len, unsigned int seed)
{
	static unsigned char bytes[64 * 1024];

	for (size_t done = 0; done < len; done += sizeof(bytes)) {
		size_t part = len - done < sizeof(bytes) ? len - done : sizeof(bytes);

		for (size_t i = 0; i < part; i++)
			bytes[i] = (unsigned char)(seed = seed * 1103515245 + 12345);
		if (pwrite(fd, bytes, part, at + (off_t)done) != (ssize_t)part)
			printf("cannot write: %s\n", strerrorname_np(errno));
	}
}

/*
 * Only data are read: a load from a hole of a tmpfs makes it data, and what is read by way of a DAX window is loaded
 * (docs/virtiofs.md).
 */
static void show_file(int fd)
{
	struct stat st = {0};

	fstat(fd, &st);
	printf("%lld bytes, %lld blocks; data at", (long long)st.st_size, (long long)st.st_blocks);
	for (off_t at = 0; at < st.st_size;) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0) {
			printf(" %s", strerrorname_np(errno));
			break;
		}
		hole = lseek(fd, data, SEEK_HOLE);
		printf(" %lld-%lld (%016llx)", (long long)data, (long long)hole,
		       (unsigned long long)sum_of(fd, data, hole));
		at = hole > data ? hole : st.st_size;
	}
	printf("\n");
}

void posix_holes(void)
{
	int fd = posix_text("f", "");

	TRY(ftruncate(fd, 3 * MIB));
	show_file(fd);
	fill(fd, MIB, 8 * KIB, 1);
	fill(fd, 2 * MIB + 100, 3 * KIB, 2);
	show_file(fd);
	TRY(lseek(fd, 3 * MIB, SEEK_DATA));
	TRY(lseek(fd, 3 * MIB - 1, SEEK_HOLE));
	TRY(lseek(fd, -1, SEEK_HOLE));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MIB + 100, 4 * KIB));
	show_file(fd);
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * MIB));
	show_file(fd);
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 3 * MIB, 16 * KIB));
	show_file(fd);
	TRY(fallocate(fd, 0, 3 * MIB, 16 * KIB));
	show_file(fd);
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE));
	TRY(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE));
	TRY(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE));
	TRY(fallocate(fd, 0, 0, 0));
	TRY(fallocate(fd, 0, -1, PAGE));
	TRY(posix_fallocate(fd, 4 * MIB, 10));
	TRY(lseek(fd, 0, SEEK_END));
	TRY(ftruncate(fd, 100));
	TRY(ftruncate(fd, PAGE));
	show_file(fd);
	TRY(ftruncate(fd, -1));
	close(fd);
}

static void limit_size(rlim_t len)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = len;
	setrlimit(RLIMIT_FSIZE, &limit);
}

void posix_writing(void)
{
	char one[] = "one", three[] = "three";
	struct iovec iov[3] = {{one, 3}, {NULL, 0}, {three, 5}};
	int fd = posix_text("f", "12345"), appending = open("f", O_WRONLY | O_APPEND | O_CLOEXEC), second;
	char bytes[16] = "";

	TRY(write(appending, "6", 1));
	TRY(pwrite(fd, "0", 1, 0));
	/* Linux: at the end whatever the offset (pwrite(2), BUGS) */
	TRY(pwrite(appending, "7", 1, 2));
	second = open("f", O_WRONLY | O_APPEND | O_CLOEXEC);
	TRY(write(second, "8", 1));
	TRY(write(appending, "9", 1));
	TRY(lseek(appending, 0, SEEK_CUR));
	show_file(fd);
	TRY(writev(fd, iov, 3));
	TRY(pwritev(fd, iov, 3, 20));
	TRY(pwritev2(fd, iov, 3, -1, RWF_APPEND));
	TRY(pwritev2(fd, iov, 1, 0, RWF_DSYNC));
	show_file(fd);
	TRY(pread(fd, bytes, sizeof(bytes), 1000));
	TRY(pread(fd, bytes, sizeof(bytes), -1));
	TRY(pwrite(fd, "x", 1, INT64_MAX));
	TRY(pwrite(fd, "x", 1, INT64_MAX - 1));
	TRY(ftruncate(fd, INT64_MAX));
	TRY(ftruncate(fd, 10));
	(void)signal(SIGXFSZ, SIG_IGN);
	limit_size(12);
	TRY(pwrite(fd, "abcdef", 6, 9));
	TRY(pwrite(fd, "abcdef", 6, 12));
	TRY(ftruncate(fd, 13));
	limit_size(RLIM_INFINITY);
	show_file(fd);
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	TRY(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	TRY(syncfs(fd));
	TRY(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	show_file(fd);
	close(second);
	close(appending);
	close(fd);
}

static long long copy(int from, off_t from_at, int to, off_t to_at, size_t len)
{
	return copy_file_range(from, &from_at, to, &to_at, len, 0);
}

void posix_copying(void)
{
	int from = posix_text("from", ""), to = posix_text("to", ""), ends[2];
	off_t at = 5;

	fill(from, 0, 300 * KIB, 3);
	TRY(copy(from, 0, to, 0, 300 * KIB));
	TRY(copy(from, 100, to, 300 * KIB + 7, 1000));
	TRY(copy(from, 300 * KIB - 10, to, 0, 100));
	TRY(copy(from, 300 * KIB, to, 0, 100));
	TRY(copy(from, 0, from, 200 * KIB, 50 * KIB));
	TRY(copy(from, 0, from, 10, 100));
	show_file(to);
	TRY(ftruncate(to, 0));
	TRY(sendfile(to, from, &at, 200 * KIB));
	SHOW(at);
	TRY(pipe2(ends, O_CLOEXEC));
	TRY(splice(from, NULL, ends[1], NULL, 10000, 0));
	TRY(splice(ends[0], NULL, to, NULL, 10000, 0));
	show_file(to);
	TRY(lseek(from, 0, SEEK_CUR));
	close(ends[0]);
	close(ends[1]);
	close(from);
	close(to);
}

static sigjmp_buf back;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* 256: SIGBUS */
static int byte_at(const volatile unsigned char *map, size_t at)
{
	return sigsetjmp(back, 1) ? 256 : map[at];
}

static bool store(volatile unsigned char *map, size_t at, unsigned char value)
{
	if (sigsetjmp(back, 1))
		return false;
	map[at] = value;
	return true;
}

void posix_mappings(void)
{
	int fd = posix_text("f", ""), read_only;
	unsigned char *map, *own;
	char bytes[3] = "";

	(void)signal(SIGBUS, on_bus);
	fill(fd, 0, 3 * PAGE + 100, 4);
	read_only = open("f", O_RDONLY | O_CLOEXEC);
	SHOW(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, read_only, 0) == MAP_FAILED ? errno : 0);
	map = mmap(NULL, (size_t)8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	own = mmap(NULL, (size_t)8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, read_only, 0);
	if (map == MAP_FAILED || own == MAP_FAILED) {
		printf("cannot map: %s\n", strerrorname_np(errno));
		return;
	}
	SHOW(byte_at(map, 0));
	SHOW(byte_at(map, 3 * PAGE + 99));
	SHOW(byte_at(map, 3 * PAGE + 100));
	SHOW(byte_at(map, (size_t)4 * PAGE));
	SHOW(store(map, 3 * PAGE + 100, 1));
	SHOW(store(map, (size_t)4 * PAGE, 1));
	SHOW(store(map, 10, 77));
	TRY(pread(fd, bytes, 1, 10));
	SHOW(bytes[0]);
	TRY(pwrite(fd, "A", 1, 11));
	SHOW(byte_at(map, 11));
	SHOW(store(own, 12, 88));
	SHOW(byte_at(own, 12));
	TRY(pread(fd, bytes, 1, 12));
	SHOW((unsigned char)bytes[0]);
	TRY(ftruncate(fd, PAGE + 10));
	SHOW(byte_at(map, PAGE + 9));
	SHOW(byte_at(map, PAGE + 10));
	SHOW(byte_at(map, (size_t)2 * PAGE));
	SHOW(byte_at(own, (size_t)2 * PAGE));
	TRY(ftruncate(fd, 6 * PAGE));
	SHOW(byte_at(map, PAGE + 10));
	SHOW(byte_at(map, (size_t)5 * PAGE));
	SHOW(store(map, (size_t)5 * PAGE, 55));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	SHOW(byte_at(map, 10));
	TRY(msync(map, (size_t)6 * PAGE, MS_SYNC));
	TRY(pwrite(fd, map + PAGE, PAGE, 2 * PAGE));
	TRY(pwrite(fd, map + (size_t)7 * PAGE, PAGE, 0));
	TRY(unlink("f"));
	SHOW(store(map, 1, 11));
	/* without DAX it is only in the guest's page cache until then */
	TRY(msync(map, PAGE, MS_SYNC));
	show_file(fd);
	close(fd);
	close(read_only);
	SHOW(byte_at(map, 1));
	munmap(map, (size_t)8 * PAGE);
	munmap(own, (size_t)8 * PAGE);
}

void posix_locks(void)
{
	struct flock region = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
	int a = posix_text("f", "x"), b = open("f", O_RDWR | O_CLOEXEC);

	TRY(flock(a, LOCK_EX));
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(a, LOCK_SH));
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(b, LOCK_UN));
	TRY(flock(a, LOCK_UN));
	TRY(fcntl(a, F_OFD_SETLK, &region));
	region.l_start = 15;
	TRY(fcntl(b, F_OFD_SETLK, &region));
	region.l_start = 20;
	TRY(fcntl(b, F_OFD_SETLK, &region));
	close(a);
	region.l_start = 0;
	TRY(fcntl(b, F_OFD_SETLK, &region));
	close(b);
}
