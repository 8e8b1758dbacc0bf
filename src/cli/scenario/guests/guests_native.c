/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/guests/guests_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/scenario/host/spawn.h"

#define CHANNEL_NUMBER "3" /* of FL_SCN_SPAWN_CHANNEL_FD: the program is told */
#define PAGE_NAME      FL_SCN_PAGE_ENV "="

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

static int start_program(struct fl_scn_guests *guests, int fd, int channel, struct fl_diag *diag)
{
	char path[32], page[PATH_MAX + sizeof(PAGE_NAME)];
	char here[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char name[] = "faultline-actors", word[] = "scenario", number[] = CHANNEL_NUMBER;
	char *const env[] = {page, here, NULL}, *const argv[] = {name, word, number, NULL};
	const struct fl_scn_spawn what = {.path = path, .argv = argv, .env = env, .channel = channel};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(page, sizeof(page), PAGE_NAME "%s", guests->page.path);
	int ret = fl_scn_spawn(&what, &guests->pid);

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
