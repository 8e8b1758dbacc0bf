/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/box_terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/host.h"
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

/* The wait status of the box; signals that come meanwhile are the box's to handle. */
static int attend(pid_t box, const sigset_t *signals)
{
	int wait_status = 0, signal_number;

	while (sigwait(signals, &signal_number) == 0) {
		if (signal_number != SIGCHLD)
			kill(box, signal_number);
		else if (waitpid(box, &wait_status, WNOHANG) != 0)
			break;
	}
	return wait_status;
}

static int run_box(char *const *command, const sigset_t *signals, const sigset_t *before, int *status,
		   struct fl_diag *diag)
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
		be_box(command, keys, before, self);
	int error = errno;

	close(keys);
	int wait_status = box > 0 ? attend(box, signals) : 0;

	fl_cli_terminal_close(terminal);
	if (box < 0)
		return fl_cli_diag(diag, -error, "There is no process for the box: %s.", strerror(error));
	*status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : FL_CLI_EXIT_SIGNAL + WTERMSIG(wait_status);
	return 0;
}

int fl_cli_run_box_at_terminal(char *const *command, int *status, struct fl_diag *diag)
{
	static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t signals, before;
	int ret = tell_size();

	if (ret < 0)
		return fl_cli_diag(diag, ret, "Out of memory.");
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&signals, passed_on[i]);
	sigprocmask(SIG_BLOCK, &signals, &before);
	ret = run_box(command, &signals, &before, status, diag);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ret;
}
