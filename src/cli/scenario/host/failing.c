/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/failing.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/scenario/host/failing_impl.h"

#define ANSWER_S      10 /* the server asks the disk behind it, no more */
#define OPEN_DIRS_MAX 16

struct fl_scn_failing {
	char path[PATH_MAX];
	pid_t pid;
	pthread_mutex_t lock; /* guards control, from an order to its answer; and mute */
	int control;
	bool mute; /* an answer did not come: what comes now would be taken for another's */
};

/* What the server needs to be made; its ends are closed on the runner's side. */
struct server_ends {
	int dev, root, control;
};

/* ---- the process -------------------------------------------------------------------------- */

static void close_but(const struct server_ends *ends)
{
	unsigned int kept[3] = {(unsigned int)ends->dev, (unsigned int)ends->root, (unsigned int)ends->control};
	unsigned int first = 0;

	for (int i = 0; i < 3; i++)
		for (int j = i + 1; j < 3; j++)
			if (kept[j] < kept[i]) {
				unsigned int swapped = kept[i];

				kept[i] = kept[j];
				kept[j] = swapped;
			}
	for (int i = 0; i < 3; i++) {
		if (kept[i] > first)
			(void)syscall(SYS_close_range, first, kept[i] - 1, 0);
		first = kept[i] + 1;
	}
	(void)syscall(SYS_close_range, first, ~0u, 0);
}

/*
 * Descriptors of the runner that stayed open here would keep alive what it closes: machines, channels, and the devices
 * of other servers, whose death nobody would notice.
 */
static void be_server(struct fl_scn_failing_server *server, const struct server_ends *ends)
{
	struct rlimit limit;

	close_but(ends);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	(void)!chdir("/");
	fl_scn_failing_serve(server, ends->dev, ends->control, ends->root);
	_exit(0);
}

/* Signals stay blocked in it: what a terminal sends to all is for the runner to answer. */
static int start_server(const struct server_ends *ends, pid_t *pid)
{
	struct fl_scn_failing_server *server = calloc(1, sizeof(*server));
	sigset_t all, before;

	if (!server)
		return -ENOMEM;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	*pid = fork();
	int ret = *pid < 0 ? -errno : 0;

	if (*pid == 0)
		be_server(server, ends);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	free(server);
	return ret;
}

/* ---- its life ----------------------------------------------------------------------------- */

static int mount_and_start(struct fl_scn_failing *failing, const struct server_ends *ends)
{
	char options[128];

	/* all users, since a machine's files are opened as the guest's; the kernel sees to permissions */
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
		 ends->dev);
	if (mount("faultline-failing", failing->path, "fuse", 0, options) < 0)
		return -errno;
	int ret = start_server(ends, &failing->pid);

	if (ret < 0)
		(void)umount2(failing->path, MNT_DETACH);
	return ret;
}

static int connect_ends(struct fl_scn_failing *failing, const char *behind, struct server_ends *ends)
{
	const struct timeval patience = {.tv_sec = ANSWER_S};
	int pair[2];

	ends->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (ends->dev < 0)
		return -errno;
	ends->root = open(behind, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ends->root < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	failing->control = pair[0];
	ends->control = pair[1];
	if (setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	return mount_and_start(failing, ends);
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

int fl_scn_failing_new(const char *behind, const char *path, struct fl_scn_failing **failing)
{
	struct fl_scn_failing *made = calloc(1, sizeof(*made));
	struct server_ends ends = {-1, -1, -1};

	if (!made)
		return -ENOMEM;
	made->control = -1;
	int len = snprintf(made->path, sizeof(made->path), "%s", path);
	int ret = len < 0 || (size_t)len >= sizeof(made->path) ? -ENAMETOOLONG : connect_ends(made, behind, &ends);

	/* the device is the server's alone: with the server it is closed, and the kernel answers all that wait */
	close_one(ends.dev);
	close_one(ends.root);
	close_one(ends.control);
	if (ret < 0) {
		close_one(made->control);
		free(made);
		return ret;
	}
	pthread_mutex_init(&made->lock, NULL);
	*failing = made;
	return 0;
}

static int sync_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)walk;
	if (type != FTW_F)
		return 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0)
		(void)fsync(fd);
	close_one(fd);
	return 0;
}

/* File by file: syncfs(2) does not wait for what a FUSE server is still to write. */
static void sync_mapped(const struct fl_scn_failing *failing)
{
	(void)nftw(failing->path, sync_one, OPEN_DIRS_MAX, FTW_PHYS | FTW_MOUNT);
}

void fl_scn_failing_free(struct fl_scn_failing *failing, bool sync)
{
	if (!failing)
		return;
	if (sync && fl_scn_failing_end(failing) == 0)
		sync_mapped(failing);
	(void)kill(failing->pid, SIGKILL);
	while (waitpid(failing->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(failing->control);
	(void)umount2(failing->path, MNT_DETACH);
	pthread_mutex_destroy(&failing->lock);
	free(failing);
}

/* ---- what it is told ---------------------------------------------------------------------- */

static int exchange(struct fl_scn_failing *failing, const struct fl_scn_failing_order *order)
{
	int32_t answer;

	if (failing->mute || send(failing->control, order, sizeof(*order), MSG_NOSIGNAL) != (ssize_t)sizeof(*order))
		return -EPIPE;
	ssize_t len;

	do
		len = recv(failing->control, &answer, sizeof(answer), 0);
	while (len < 0 && errno == EINTR);
	failing->mute = len != (ssize_t)sizeof(answer);
	return failing->mute ? -EPIPE : answer;
}

static int tell(struct fl_scn_failing *failing, enum fl_scn_failing_word word, uint64_t ino)
{
	const struct fl_scn_failing_order order = {.ino = ino, .word = word};

	pthread_mutex_lock(&failing->lock);
	int ret = exchange(failing, &order);

	pthread_mutex_unlock(&failing->lock);
	return ret;
}

/* It is opened without FOPEN_KEEP_CACHE, with which all its pages go. */
static int drop_pages(int path_fd)
{
	char path[FL_SCN_FAILING_PROC_LEN];
	int fd = open(fl_scn_failing_proc_path(path_fd, path), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int fl_scn_failing_reads(struct fl_scn_failing *failing, const char *path, bool fail)
{
	/* as long as it is open, the kernel does not forget the file, and the server knows its number */
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		ret = -errno;
	else if (!S_ISREG(status.st_mode))
		ret = -EINVAL;
	if (ret == 0)
		ret = tell(failing, fail ? FL_SCN_FAILING_FAIL : FL_SCN_FAILING_HEAL, status.st_ino);
	if (ret == 0 && fail)
		ret = drop_pages(fd);
	close(fd);
	return ret;
}

int fl_scn_failing_freeze(struct fl_scn_failing *failing)
{
	return tell(failing, FL_SCN_FAILING_FREEZE, 0);
}

int fl_scn_failing_thaw(struct fl_scn_failing *failing)
{
	return tell(failing, FL_SCN_FAILING_THAW, 0);
}

int fl_scn_failing_begin(struct fl_scn_failing *failing)
{
	return tell(failing, FL_SCN_FAILING_BEGIN, 0);
}

int fl_scn_failing_end(struct fl_scn_failing *failing)
{
	return tell(failing, FL_SCN_FAILING_END, 0);
}
