/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/box_terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/host.h"
#include "cli/runtime_dir.h"
#include "cli/terminal.h"

#define VARIABLE "FAULTLINE_TERMINAL" /* scripts/box passes on what begins like this */

bool fl_cli_box_terminal(uint16_t *rows, uint16_t *cols)
{
	const char *size = fl_cli_in_box() ? getenv(VARIABLE) : NULL;

	return size && sscanf(size, "%" SCNu16 "x%" SCNu16, rows, cols) == 2;
}

void fl_cli_forget_box_terminal(void)
{
	unsetenv(VARIABLE);
}

static int tell_size(void)
{
	uint16_t rows, cols;
	char size[32];

	fl_cli_terminal_size(STDIN_FILENO, &rows, &cols);
	snprintf(size, sizeof(size), "%" PRIu16 "x%" PRIu16, rows, cols);
	return setenv(VARIABLE, size, 1) == 0 ? 0 : -errno;
}

static void __attribute__((noreturn)) be_box(char *const *command, int keys, const sigset_t *mask, pid_t parent)
{
	sigprocmask(SIG_SETMASK, mask, NULL);
	/* a launcher that is shot leaves no box behind; it may have been before this */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == parent && dup2(keys, STDIN_FILENO) == STDIN_FILENO)
		execv(command[0], command);
	dprintf(STDERR_FILENO, "faultline: The box %s cannot be run: %s.\r\n", command[0], strerror(errno));
	_exit(FL_CLI_EXIT_SETUP);
}

/*
 * A connection by which the new size is told, -1 if there is none. It stays open until the next one, since what is said
 * before the guest's launcher listens waits for it only so long. Nobody needs the answer.
 */
static int tell_new_size(const char *name)
{
	uint16_t rows, cols;
	char request[48];
	struct fl_diag ignored;
	int dir_fd = fl_cli_open_runtime_dir(false, &ignored);
	int fd = dir_fd < 0 ? dir_fd : fl_cli_connect(dir_fd, name);

	if (dir_fd >= 0)
		close(dir_fd);
	if (fd < 0)
		return -1;
	fl_cli_terminal_size(STDIN_FILENO, &rows, &cols);
	int len = snprintf(request, sizeof(request), "terminal %" PRIu16 " %" PRIu16 "\n", rows, cols);

	/* a fresh socket has room for that */
	(void)!send(fd, request, (size_t)len, MSG_NOSIGNAL);
	return fd;
}

/* The wait status of the box; signals that come meanwhile are the box's to handle. */
static int attend(pid_t box, const char *name, const sigset_t *signals)
{
	int wait_status = 0, signal_number, told_fd = -1;

	while (sigwait(signals, &signal_number) == 0) {
		if (signal_number == SIGWINCH) {
			if (told_fd >= 0)
				close(told_fd);
			told_fd = tell_new_size(name);
		} else if (signal_number != SIGCHLD) {
			kill(box, signal_number);
		} else if (waitpid(box, &wait_status, WNOHANG) != 0) {
			break;
		}
	}
	if (told_fd >= 0)
		close(told_fd);
	return wait_status;
}

struct job {
	char *const *command;
	const char *name;
	sigset_t signals, before; /* taken here; those of the box */
};

static int run_box(const struct job *job, int *status, struct fl_diag *diag)
{
	struct fl_cli_terminal *terminal = NULL;
	pid_t self = getpid();
	int keys;
	/* the escape sequence asks for the end as SIGTERM does */
	int ret = fl_cli_terminal_open(STDIN_FILENO, SIGTERM, &terminal, &keys, diag);

	if (ret < 0)
		return ret;
	pid_t box = fork();

	if (box == 0)
		be_box(job->command, keys, &job->before, self);
	int error = errno;

	close(keys);
	int wait_status = box > 0 ? attend(box, job->name, &job->signals) : 0;

	fl_cli_terminal_close(terminal);
	if (box < 0)
		return fl_cli_diag(diag, -error, "There is no process for the box: %s.", strerror(error));
	*status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : FL_CLI_EXIT_SIGNAL + WTERMSIG(wait_status);
	return 0;
}

int fl_cli_run_box_at_terminal(char *const *command, const char *name, int *status, struct fl_diag *diag)
{
	static const int taken[] = {SIGCHLD, SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct job job = {.command = command, .name = name};
	int ret = tell_size();

	if (ret < 0)
		return fl_cli_diag(diag, ret, "Out of memory.");
	sigemptyset(&job.signals);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&job.signals, taken[i]);
	sigprocmask(SIG_BLOCK, &job.signals, &job.before);
	ret = run_box(&job, status, diag);
	sigprocmask(SIG_SETMASK, &job.before, NULL);
	return ret;
}
