/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/host_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/scenario/host/content.h"
#include "cli/scenario/host/host_run.h"

#define PIECE_LEN (64u << 10)
#define PAGE_LEN  4096u
/* Filling ends at the latest here: a dir that is not small is the whole disk's. */
#define FILL_MAX (UINT64_C(1) << 30)

static int path_of(const struct fl_scn_host_place *place, uint32_t dir, const char *rest, char path[PATH_MAX])
{
	return fl_scn_workdir_file(place->workdir, &place->scenario_case->dirs[dir], place->number, rest, path);
}

static int operand_path(const struct fl_scn_host_place *place, const struct fl_scn_operand *operand,
			char path[PATH_MAX])
{
	return path_of(place, operand->dir, operand->text, path);
}

static int open_operand(const struct fl_scn_host_place *place, const struct fl_scn_operand *operand, int flags)
{
	char path[PATH_MAX];
	int ret = operand_path(place, operand, path);

	if (ret < 0)
		return ret;
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int close_with(int fd, int ret)
{
	close(fd);
	return ret;
}

static int resize(const struct fl_scn_host_place *place, const struct fl_scn_operand *operands)
{
	int fd = open_operand(place, &operands[0], O_WRONLY);

	return fd < 0 ? fd : close_with(fd, ftruncate(fd, (off_t)operands[1].n) < 0 ? -errno : 0);
}

static int write_pattern(const struct fl_scn_host_place *place, const struct fl_scn_operand *operands)
{
	int fd = open_operand(place, &operands[0], O_WRONLY);

	if (fd < 0)
		return fd;
	return close_with(fd, fl_scn_content_write(fd, FL_SCN_FILE_PATTERN, operands[1].n, operands[2].n));
}

/* Goes on with the pattern, so that the file is as if it had always been so long. */
static int append(const struct fl_scn_host_place *place, const struct fl_scn_operand *operands)
{
	int fd = open_operand(place, &operands[0], O_WRONLY);
	struct stat status;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return close_with(fd, -errno);
	return close_with(fd, fl_scn_content_write(fd, FL_SCN_FILE_PATTERN, (uint64_t)status.st_size, operands[1].n));
}

static int punch(const struct fl_scn_host_place *place, const struct fl_scn_operand *operands)
{
	int fd = open_operand(place, &operands[0], O_WRONLY);

	if (fd < 0)
		return fd;
	int failed = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)operands[1].n,
			       (off_t)operands[2].n) < 0;

	return close_with(fd, failed ? -errno : 0);
}

/* As editors and package managers do: a new file beside it takes its name. */
static int replace(const struct fl_scn_host_place *place, const struct fl_scn_operand *operands)
{
	char path[PATH_MAX], beside[PATH_MAX];
	struct stat status;
	int ret = operand_path(place, &operands[0], path);

	if (ret < 0)
		return ret;
	if (stat(path, &status) < 0)
		return -errno;
	int len = snprintf(beside, sizeof(beside), "%s.new", path);

	if (len < 0 || (size_t)len >= sizeof(beside))
		return -ENAMETOOLONG;
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	ret = fl_scn_content_write(fd, (enum fl_scn_content)operands[2].n, 0, operands[1].n);
	if (ret == 0 && fchmod(fd, status.st_mode & 07777) < 0)
		ret = -errno;
	close(fd);
	if (ret == 0 && rename(beside, path) < 0)
		ret = -errno;
	if (ret < 0)
		(void)unlink(beside);
	return ret;
}

static int with_path(const struct fl_scn_host_place *place, const struct fl_scn_operand *operand,
		     int (*call)(const char *path))
{
	char path[PATH_MAX];
	int ret = operand_path(place, operand, path);

	if (ret < 0)
		return ret;
	return call(path) < 0 ? -errno : 0;
}

static int with_paths(const struct fl_scn_host_place *place, const struct fl_scn_operand *operands,
		      int (*call)(const char *from, const char *to))
{
	char from[PATH_MAX], to[PATH_MAX];
	int ret = operand_path(place, &operands[0], from);

	if (ret == 0)
		ret = operand_path(place, &operands[1], to);
	if (ret < 0)
		return ret;
	return call(from, to) < 0 ? -errno : 0;
}

static int change_mode(const struct fl_scn_host_place *place, const struct fl_scn_operand *operands)
{
	char path[PATH_MAX];
	int ret = operand_path(place, &operands[0], path);

	if (ret < 0)
		return ret;
	return chmod(path, (mode_t)operands[1].n) < 0 ? -errno : 0;
}

/* Writes in pieces and then in bytes of a page, until there is no space at all. */
static int write_until_full(int fd)
{
	static const char piece[PIECE_LEN];
	uint64_t total = 0;
	size_t len = PIECE_LEN;

	while (total < FILL_MAX) {
		ssize_t done = write(fd, piece, len);

		if (done > 0)
			total += (uint64_t)done;
		else if (done < 0 && errno != ENOSPC && errno != EDQUOT)
			return -errno;
		else if (len > PAGE_LEN)
			len = PAGE_LEN;
		else
			return 0;
	}
	return -EFBIG;
}

static int fill(const struct fl_scn_host_place *place, uint32_t dir)
{
	char path[PATH_MAX];
	int ret = path_of(place, dir, FL_SCN_FILLER, path);

	if (ret < 0)
		return ret;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close_with(fd, write_until_full(fd));
}

static int free_space(const struct fl_scn_host_place *place, uint32_t dir)
{
	char path[PATH_MAX];
	int ret = path_of(place, dir, FL_SCN_FILLER, path);

	if (ret < 0)
		return ret;
	return unlink(path) < 0 ? -errno : 0;
}

/* In a child of a program with threads: system calls only. Its status is errno, which fits. */
static void __attribute__((noreturn)) be_poisoner(int fd, uint64_t offset)
{
	const struct rlimit no_core = {0};
	void *page = mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)offset);

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGBUS, SIG_DFL);
	if (page == MAP_FAILED || madvise(page, PAGE_LEN, MADV_HWPOISON) < 0)
		_exit(errno);
	_exit(0);
}

/*
 * madvise(2): the page behind the mapping is treated as if its memory had failed. For good, so for the box. Who does it
 * gets the signal of who has touched it (memory_failure(), kill_procs()), so it is a process of its own.
 */
static int poison(const struct fl_scn_host_place *place, const struct fl_scn_operand *operands)
{
	int fd = open_operand(place, &operands[0], O_RDWR);
	int status, ret = 0;

	if (fd < 0)
		return fd;
	pid_t child = fork();

	if (child == 0)
		be_poisoner(fd, operands[1].n & ~(uint64_t)(PAGE_LEN - 1));
	if (child < 0)
		return close_with(fd, -errno);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return close_with(fd, -errno);
	if (WIFEXITED(status))
		ret = -WEXITSTATUS(status);
	else if (WTERMSIG(status) != SIGBUS)
		ret = -EIO;
	return close_with(fd, ret);
}

static int remount(const struct fl_scn_host_place *place, const struct fl_scn_operand *operands)
{
	char path[PATH_MAX];
	int ret = path_of(place, (uint32_t)operands[0].n, "..", path);

	if (ret < 0)
		return ret;
	return mount(NULL, path, NULL, MS_REMOUNT | (operands[1].n ? 0u : MS_RDONLY), NULL) < 0 ? -errno : 0;
}

static int set_failing(const struct fl_scn_host_place *place, const struct fl_scn_operand *operand, bool fail)
{
	struct fl_scn_failing *failing =
		fl_scn_workdir_failing(place->workdir, &place->scenario_case->dirs[operand->dir]);
	char path[PATH_MAX];
	int ret = operand_path(place, operand, path);

	if (!failing)
		return -ENOTSUP;
	return ret < 0 ? ret : fl_scn_failing_reads(failing, path, fail);
}

static int set_frozen(const struct fl_scn_host_place *place, const struct fl_scn_operand *operand,
		      int (*call)(struct fl_scn_failing *failing))
{
	struct fl_scn_failing *failing =
		fl_scn_workdir_failing(place->workdir, &place->scenario_case->dirs[operand->n]);

	return failing ? call(failing) : -ENOTSUP;
}

static int drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	sync();
	return close_with(fd, write(fd, "3", 1) == 1 ? 0 : -errno);
}

int fl_scn_host_file_step(const struct fl_scn_host_place *place, const struct fl_scn_step *step, uint64_t deadline_ns,
			  uint64_t *value)
{
	const struct fl_scn_operand *operands = step->operands;

	*value = 0;
	switch (step->row->op) {
	case FL_SCN_HOST_TRUNCATE:
		return resize(place, operands);
	case FL_SCN_HOST_WRITE:
		return write_pattern(place, operands);
	case FL_SCN_HOST_APPEND:
		return append(place, operands);
	case FL_SCN_HOST_PUNCH:
		return punch(place, operands);
	case FL_SCN_HOST_REPLACE:
		return replace(place, operands);
	case FL_SCN_HOST_UNLINK:
		return with_path(place, &operands[0], unlink);
	case FL_SCN_HOST_RENAME:
		return with_paths(place, operands, rename);
	case FL_SCN_HOST_LINK:
		return with_paths(place, operands, link);
	case FL_SCN_HOST_CHMOD:
		return change_mode(place, operands);
	case FL_SCN_HOST_FILL:
		return fill(place, (uint32_t)operands[0].n);
	case FL_SCN_HOST_FREE:
		return free_space(place, (uint32_t)operands[0].n);
	case FL_SCN_HOST_FAIL_READS:
		return set_failing(place, &operands[0], true);
	case FL_SCN_HOST_HEAL:
		return set_failing(place, &operands[0], false);
	case FL_SCN_HOST_FREEZE:
		return set_frozen(place, &operands[0], fl_scn_failing_freeze);
	case FL_SCN_HOST_THAW:
		return set_frozen(place, &operands[0], fl_scn_failing_thaw);
	case FL_SCN_HOST_POISON:
		return poison(place, operands);
	case FL_SCN_HOST_REMOUNT:
		return remount(place, operands);
	case FL_SCN_HOST_DROP_CACHES:
		return drop_caches();
	case FL_SCN_HOST_RUN:
		return fl_scn_host_run(place, operands[0].words, deadline_ns, value);
	default:
		return -ENOSYS;
	}
}
