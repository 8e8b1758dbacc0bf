/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "guest/users.h"

/* What the child could not do before the command: sent over a pipe that a successful exec closes. */
struct failure {
	enum { STEP_EXEC, STEP_TERMINAL, STEP_USER, STEP_CHDIR } step;
	int error;
};

struct start {
	const struct fl_conf *conf;
	const sigset_t *mask;
	bool has_user;
	struct fl_user user;
	int streams[3]; /* the command's side; with a terminal all the same */
	int failure_fd;
};

static void set_user_environment(const struct fl_user *user)
{
	setenv("HOME", user->home, 0);
	setenv("USER", user->name, 0);
	setenv("LOGNAME", user->name, 0);
	setenv("SHELL", user->shell, 0);
}

static void set_environment(const struct start *start)
{
	clearenv();
	for (size_t i = 0; i < start->conf->envc; i++)
		putenv(start->conf->envp[i]);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
	if (start->has_user)
		set_user_environment(&start->user);
	setenv("HOME", "/root", 0);
}

/* A stream that the command cannot open again by its name in /dev is none: /proc/self/fd/1 asks for permission. */
static void give_streams(const struct start *start)
{
	for (int i = 0; i < 3; i++)
		if (fchown(start->streams[i], start->user.uid, (gid_t)-1) < 0)
			continue;
}

static int prepare(const struct start *start, struct failure *failure)
{
	int ret = 0;

	failure->step = STEP_TERMINAL;
	setsid();
	if (start->conf->has_terminal && ioctl(start->streams[0], TIOCSCTTY, 0) < 0)
		return -errno;
	for (int i = 0; i < 3; i++)
		dup2(start->streams[i], i);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, start->mask, NULL);
	set_environment(start);
	failure->step = STEP_USER;
	if (start->has_user) {
		give_streams(start);
		ret = fl_user_become(&start->user);
	}
	if (ret < 0)
		return ret;
	failure->step = STEP_CHDIR;
	return chdir(start->conf->cwd) < 0 ? -errno : 0;
}

static void __attribute__((noreturn)) become_command(const struct start *start)
{
	struct failure failure;
	int ret = prepare(start, &failure);

	if (ret == 0) {
		failure.step = STEP_EXEC;
		execvp(start->conf->argv[0], start->conf->argv);
		ret = -errno;
	}
	failure.error = -ret;
	if (write(start->failure_fd, &failure, sizeof(failure)) < 0)
		_exit(FL_EXIT_SETUP);
	_exit(FL_EXIT_NOT_FOUND);
}

static int explain(const struct start *start, const struct failure *failure, int *exit_code, struct fl_diag *diag)
{
	const struct fl_conf *conf = start->conf;
	const char *why = strerror(failure->error);

	*exit_code = FL_EXIT_SETUP;
	switch (failure->step) {
	case STEP_TERMINAL:
		return fl_diag(diag, -failure->error, "the command cannot have a terminal in the guest: %s", why);
	case STEP_USER:
		return fl_diag(diag, -failure->error, "the command cannot run as the user %s in the guest: %s",
			       conf->user, why);
	case STEP_CHDIR:
		return fl_diag(diag, -failure->error, "the working directory %s cannot be entered in the guest%s%s: %s",
			       conf->cwd, start->has_user ? " by the user " : "", start->has_user ? conf->user : "",
			       why);
	case STEP_EXEC:
	default:
		break;
	}
	*exit_code = failure->error == ENOENT ? FL_EXIT_NOT_FOUND : FL_EXIT_NOT_EXECUTABLE;
	if (failure->error == ENOENT && !strchr(conf->argv[0], '/'))
		return fl_diag(diag, -ENOENT, "the command %s was not found in the guest's PATH", conf->argv[0]);
	return fl_diag(diag, -failure->error, "the command %s cannot be run in the guest: %s", conf->argv[0], why);
}

static void close_child(struct fl_child *child)
{
	for (int i = 0; i < 3; i++)
		fl_close(&child->pipes[i]);
	fl_close(&child->master);
	fl_close(&child->slave);
}

/* Not by its path: the guest's root may have anything in /dev/pts. */
static int open_terminal(const struct fl_conf *conf, struct fl_child *child, struct fl_diag *diag)
{
	struct winsize size = {.ws_row = conf->rows, .ws_col = conf->cols};
	struct termios termios;
	int locked = 0;

	child->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (child->master >= 0 && ioctl(child->master, TIOCSPTLCK, &locked) == 0)
		child->slave = ioctl(child->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (child->slave < 0 || tcgetattr(child->slave, &termios) < 0)
		return fl_diag(diag, -errno, "the command cannot have a terminal in the guest: %s", strerror(errno));
	termios.c_iflag |= IUTF8; /* what is erased is a character, not a byte */
	if (tcsetattr(child->slave, TCSANOW, &termios) < 0 || ioctl(child->slave, TIOCSWINSZ, &size) < 0)
		return fl_diag(diag, -errno, "the command's terminal cannot be set up: %s", strerror(errno));
	return 0;
}

static int open_pipes(struct start *start, struct fl_child *child, struct fl_diag *diag)
{
	for (int i = 0; i < 3; i++) {
		int ends[2]; /* [0] is the reading end */

		if (pipe2(ends, O_CLOEXEC) < 0)
			return fl_diag(diag, -errno, "no pipe for the command: %s", strerror(errno));
		start->streams[i] = ends[i == 0 ? 0 : 1];
		child->pipes[i] = ends[i == 0 ? 1 : 0];
	}
	return 0;
}

static int open_streams(struct start *start, struct fl_child *child, struct fl_diag *diag)
{
	if (!start->conf->has_terminal)
		return open_pipes(start, child, diag);
	int ret = open_terminal(start->conf, child, diag);

	for (int i = 0; ret == 0 && i < 3; i++)
		start->streams[i] = child->slave;
	return ret;
}

/* Waits until the child has become the command, or has failed to. */
static int fork_command(struct start *start, struct fl_child *child, int *exit_code, struct fl_diag *diag)
{
	struct failure failure;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fl_diag(diag, -errno, "no pipe for the command: %s", strerror(errno));
	FL_CLOSE int from_child = ends[0];

	start->failure_fd = ends[1];
	child->pid = fork();
	if (child->pid == 0)
		become_command(start);
	int error = errno;

	close(ends[1]);
	if (child->pid < 0)
		return fl_diag(diag, -error, "no process for the command: %s", strerror(error));
	if (read(from_child, &failure, sizeof(failure)) != (ssize_t)sizeof(failure))
		return 0;
	waitpid(child->pid, NULL, 0);
	return explain(start, &failure, exit_code, diag);
}

int fl_command_start(const struct fl_conf *conf, const sigset_t *mask, struct fl_child *child, int *exit_code,
		     struct fl_diag *diag)
{
	struct start start = {.conf = conf, .mask = mask, .has_user = conf->user, .streams = {-1, -1, -1}};
	int ret = 0;

	*child = (struct fl_child){.pid = -1, .pipes = {-1, -1, -1}, .master = -1, .slave = -1};
	*exit_code = FL_EXIT_SETUP;
	if (conf->user)
		ret = fl_user_resolve(conf->user, FL_PASSWD_PATH, FL_GROUP_PATH, &start.user, diag);
	if (ret == 0)
		ret = open_streams(&start, child, diag);
	if (ret == 0)
		ret = fork_command(&start, child, exit_code, diag);
	for (int i = 0; i < 3 && !conf->has_terminal; i++)
		fl_close(&start.streams[i]);
	if (ret < 0)
		close_child(child);
	fl_user_fini(&start.user);
	return ret;
}
