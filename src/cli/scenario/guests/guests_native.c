/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/guests/guests_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/diag.h"

#define CHANNEL_FD 3 /* of the program, which is told its number */
#define PAGE_NAME  FL_SCN_PAGE_ENV "="

/* The library has the program in it, for its guests. */
static int program_fd(struct fl_diag *diag)
{
	size_t len;
	const void *program = fl_agent_program(&len);
	int fd = memfd_create("faultline-agent", MFD_CLOEXEC);

	if (fd < 0)
		return fl_cli_diag(diag, -errno, "memfd_create: %s.", strerror(errno));
	if (write(fd, program, len) == (ssize_t)len)
		return fd;
	close(fd);
	return fl_cli_diag(diag, -EIO, "The actors' program cannot be written to memory.");
}

static int spawn(const char *path, int channel, char *const *env, pid_t *pid)
{
	char number[] = "3";
	char *const argv[] = {(char *)(uintptr_t) "faultline-actors", (char *)(uintptr_t) "scenario", number, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int ret = posix_spawn_file_actions_init(&actions);

	if (ret)
		return -ret;
	ret = posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	if (ret == 0)
		ret = posix_spawnattr_setsigmask(&attributes, &none);
	if (ret == 0)
		ret = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (ret == 0)
		ret = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	if (ret == 0)
		ret = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	if (ret == 0)
		ret = posix_spawn_file_actions_adddup2(&actions, channel, CHANNEL_FD);
	if (ret == 0)
		ret = posix_spawn(pid, path, &actions, &attributes, argv, env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}

static int start_program(struct fl_scn_guests *guests, int fd, int channel, struct fl_diag *diag)
{
	char path[32], page[PATH_MAX + sizeof(PAGE_NAME)];
	char here[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *const env[] = {page, here, NULL};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(page, sizeof(page), PAGE_NAME "%s", guests->page.path);
	int ret = spawn(path, channel, env, &guests->pid);

	return ret < 0 ? fl_cli_diag(diag, ret, "The actors' program cannot be started: %s.", strerror(-ret)) : 0;
}

int fl_scn_guests_start_native(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	int pair[2];
	int fd = program_fd(diag);
	int ret;

	if (fd < 0)
		return fd;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		ret = fl_cli_diag(diag, -errno, "socketpair: %s.", strerror(errno));
	} else {
		guests->channel = pair[0];
		ret = start_program(guests, fd, pair[1], diag);
		close(pair[1]);
	}
	close(fd);
	return ret;
}

/* It ends all its actors when the channel goes, and has a time for that. */
void fl_scn_guests_end_native(struct fl_scn_guests *guests)
{
	if (!guests->pid)
		return;
	(void)shutdown(guests->channel, SHUT_RDWR);
	for (unsigned int tries = 0; tries < 200; tries++) {
		struct timespec pause = {.tv_nsec = 10000000};

		if (waitpid(guests->pid, NULL, WNOHANG) != 0) {
			guests->pid = 0;
			return;
		}
		nanosleep(&pause, NULL);
	}
	(void)kill(guests->pid, SIGKILL);
	(void)waitpid(guests->pid, NULL, 0);
	guests->pid = 0;
}
