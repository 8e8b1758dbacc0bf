/* SPDX-License-Identifier: Apache-2.0 */
/* mtime and ctime of a file after what changes it, and what does not (POSIX, "File Times Update"). */
#include "tests/box/guest_posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 30000000 /* longer than the kernel's clock of file times takes for a step */
#define LEN	 100

static struct stat last;

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* Since the last time that this was asked. A change that comes now has another time. */
static void show_changes(const char *what, const struct stat *now)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	printf("%s: mtime %s, ctime %s\n", what, later(now->st_mtim, last.st_mtim) ? "changes" : "stays",
	       later(now->st_ctim, last.st_ctim) ? "changes" : "stays");
	last = *now;
	nanosleep(&pause, NULL);
}

#define CHANGES(fd, call)           \
	do {                        \
		TRY(call);          \
		show_fd(#call, fd); \
	} while (0)

static void show_fd(const char *what, int fd)
{
	struct stat now;

	if (fstat(fd, &now) == 0)
		show_changes(what, &now);
}

static void show_name(const char *what, const char *name)
{
	struct stat now;

	if (stat(name, &now) == 0)
		show_changes(what, &now);
}

static void writing(int fd)
{
	char one[] = "one", two[] = "two";
	struct iovec iov[2] = {{one, 3}, {two, 3}};
	char bytes[8];
	off_t from = 0, to = 50;

	CHANGES(fd, pwrite(fd, "x", 1, 0));
	CHANGES(fd, pwrite(fd, "x", 0, 0));
	CHANGES(fd, pread(fd, bytes, sizeof(bytes), 0));
	CHANGES(fd, pwritev(fd, iov, 2, 5));
	CHANGES(fd, lseek(fd, 20, SEEK_SET));
	CHANGES(fd, write(fd, "y", 1));
	CHANGES(fd, writev(fd, iov, 2));
	CHANGES(fd, pwritev2(fd, iov, 2, 30, RWF_DSYNC));
	CHANGES(fd, pwrite(fd, "z", 1, LEN - 1));
	CHANGES(fd, pwrite(fd, "zz", 2, LEN - 1));
	CHANGES(fd, pwrite(fd, "end", 3, LEN + 1));
	CHANGES(fd, copy_file_range(fd, &from, fd, &to, 10, 0));
	CHANGES(fd, ftruncate(fd, LEN));
	CHANGES(fd, ftruncate(fd, LEN));
	CHANGES(fd, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10));
	CHANGES(fd, fsync(fd));
	CHANGES(fd, fdatasync(fd));
}

/* By one descriptor and the name, where the file has two */
static void closing(int fd)
{
	int second = open("f", O_WRONLY | O_CLOEXEC);

	TRY(pwrite(second, "a", 1, 0));
	TRY(close(second));
	show_name("by name after close", "f");
	show_fd("again", fd);
	TRY(pwrite(fd, "b", 1, 0));
	TRY(fsync(fd));
	show_name("by name after fsync", "f");
	TRY(pwrite(fd, "b", 1, 0));
	TRY(fchmod(fd, 0600));
	show_name("by name after chmod", "f");
	second = open("f", O_WRONLY | O_TRUNC | O_CLOEXEC);
	show_fd("O_TRUNC", fd);
	close(second);
}

static void show_seconds(const char *what, int fd)
{
	struct stat now;

	if (fstat(fd, &now) == 0)
		printf("%s: %lld\n", what, (long long)now.st_mtim.tv_sec);
}

/* What is set after a write is what remains, whenever the write's own time is told. */
static void setting(int fd)
{
	const struct timespec both[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	const struct timespec access_only[2] = {{.tv_sec = 1000000001}, {.tv_nsec = UTIME_OMIT}};
	int second = open("f", O_RDWR | O_CLOEXEC);

	TRY(pwrite(second, "c", 1, 0));
	TRY(futimens(fd, both));
	show_seconds("set after a write", fd);
	TRY(fsync(second));
	TRY(close(second));
	show_seconds("after fsync and close", fd);
	show_fd("and now", fd);
	TRY(pwrite(fd, "d", 1, 0));
	TRY(futimens(fd, access_only));
	show_fd("only atime set after a write", fd);
	TRY(futimens(fd, both));
	show_fd("set", fd);
	CHANGES(fd, pwrite(fd, "e", 1, 0));
	TRY(unlink("f"));
	show_fd("unlink", fd);
	CHANGES(fd, pwrite(fd, "f", 1, 0));
}

void posix_times(void)
{
	char bytes[LEN];
	int fd;

	memset(bytes, 'a', sizeof(bytes));
	fd = posix_make("f", bytes, sizeof(bytes));
	show_fd("made", fd);
	writing(fd);
	closing(fd);
	TRY(pwrite(fd, bytes, sizeof(bytes), 0));
	setting(fd);
	close(fd);
}
