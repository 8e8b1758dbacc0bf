/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/diag.h"

#define PIECE_LEN 1024

/* ---- the escape sequence ---- */

static size_t release(struct fl_cli_escape *escape, char *out)
{
	size_t len = escape->held;

	memset(out, FL_CLI_ESCAPE_BYTE, len);
	escape->held = 0;
	return len;
}

size_t fl_cli_escape_flush(struct fl_cli_escape *escape, int64_t now_ms, char *out)
{
	return fl_cli_escape_timeout_ms(escape, now_ms) == 0 ? release(escape, out) : 0;
}

int fl_cli_escape_timeout_ms(const struct fl_cli_escape *escape, int64_t now_ms)
{
	int64_t left = escape->first_ms + FL_CLI_ESCAPE_MS - now_ms;

	if (!escape->held)
		return -1;
	return left > 0 ? (int)left : 0;
}

size_t fl_cli_escape_filter(struct fl_cli_escape *escape, const char *bytes, size_t len, int64_t now_ms, char *out,
			    bool *found)
{
	size_t used = fl_cli_escape_flush(escape, now_ms, out);

	*found = false;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != FL_CLI_ESCAPE_BYTE) {
			used += release(escape, out + used);
			out[used++] = bytes[i];
			continue;
		}
		if (!escape->held)
			escape->first_ms = now_ms;
		if (++escape->held == FL_CLI_ESCAPE_COUNT) {
			escape->held = 0;
			*found = true;
			return used;
		}
	}
	return used;
}

/* ---- the keeper: the process that the keys go through ---- */

struct keeper {
	int in_fd;    /* the terminal */
	int keys;     /* a pipe to the launcher; blocks */
	int launcher; /* a pipe that is closed with the launcher */
	int escape_signal;
	pid_t parent;
	struct termios before;
	struct fl_cli_escape escape;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False if nobody takes keys any more. A guest that does not read holds the keys up, but not the launcher's end. */
static bool pass_on(const struct keeper *keeper, const char *bytes, size_t len)
{
	while (len > 0) {
		struct pollfd fds[] = {{.fd = keeper->keys, .events = POLLOUT}, {.fd = keeper->launcher}};

		if (poll(fds, 2, -1) < 0 && errno == EINTR)
			continue;
		if (fds[1].revents)
			return false;
		ssize_t n = write(keeper->keys, bytes, len);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* False at the end of the keys. */
static bool take_keys(struct keeper *keeper)
{
	char bytes[PIECE_LEN], out[PIECE_LEN + FL_CLI_ESCAPE_COUNT];
	bool found;
	ssize_t n = read(keeper->in_fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	size_t len = fl_cli_escape_filter(&keeper->escape, bytes, (size_t)n, now_ms(), out, &found);

	if (!pass_on(keeper, out, len))
		return false;
	if (found)
		kill(keeper->parent, keeper->escape_signal);
	return true;
}

static void keep(struct keeper *keeper)
{
	bool keys = true;

	for (;;) {
		struct pollfd fds[] = {{.fd = keys ? keeper->in_fd : -1, .events = POLLIN}, {.fd = keeper->launcher}};
		char out[FL_CLI_ESCAPE_COUNT];

		if (poll(fds, 2, fl_cli_escape_timeout_ms(&keeper->escape, now_ms())) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			return;
		size_t len = fl_cli_escape_flush(&keeper->escape, now_ms(), out);

		if (keys && len > 0)
			keys = pass_on(keeper, out, len);
		if (keys && fds[0].revents)
			keys = take_keys(keeper);
		if (!keys && keeper->keys >= 0) {
			close(keeper->keys); /* the end of the guest's standard input */
			keeper->keys = -1;
		}
	}
}

/* What ends the launcher from the keyboard or the session must not end who cleans up behind it. */
static void __attribute__((noreturn)) be_keeper(struct keeper *keeper)
{
	static const int ignored[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTOU, SIGTTIN, SIGPIPE};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	keep(keeper);
	tcsetattr(keeper->in_fd, TCSADRAIN, &keeper->before);
	_exit(0);
}

/* ---- the launcher's side ---- */

struct fl_cli_terminal {
	int in_fd;
	int keeper_fd; /* closed: the keeper's end */
	pid_t keeper;
};

bool fl_cli_terminal_wanted(int in_fd, int out_fd)
{
	/* in the background, a shell's job is stopped when it changes the terminal */
	return isatty(in_fd) && isatty(out_fd) && tcgetpgrp(in_fd) == getpgrp();
}

bool fl_cli_terminal_is_others(int in_fd)
{
	pid_t foreground = tcgetpgrp(in_fd); /* -1: no terminal, or not of this session, which stops nobody */

	return foreground >= 0 && foreground != getpgrp();
}

void fl_cli_terminal_size(int fd, uint16_t *rows, uint16_t *cols)
{
	struct winsize size = {0};

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){0};
	*rows = size.ws_row;
	*cols = size.ws_col;
}

static int start_keeper(struct keeper *keeper, struct fl_cli_terminal *terminal, int *keys)
{
	int key_pipe[2], life_pipe[2];

	if (pipe2(key_pipe, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(life_pipe, O_CLOEXEC) < 0) {
		int error = errno;

		close(key_pipe[0]);
		close(key_pipe[1]);
		return -error;
	}
	fcntl(key_pipe[1], F_SETFL, O_NONBLOCK);
	keeper->keys = key_pipe[1];
	keeper->launcher = life_pipe[0];
	terminal->keeper = fork();
	if (terminal->keeper == 0) {
		close(key_pipe[0]);
		close(life_pipe[1]);
		be_keeper(keeper);
	}
	int error = errno;

	close(key_pipe[1]);
	close(life_pipe[0]);
	*keys = key_pipe[0];
	terminal->keeper_fd = life_pipe[1];
	if (terminal->keeper > 0)
		return 0;
	close(key_pipe[0]);
	close(life_pipe[1]);
	return -error;
}

static int open_terminal(int in_fd, int escape_signal, struct fl_cli_terminal *terminal, int *keys)
{
	struct keeper keeper = {.in_fd = in_fd, .escape_signal = escape_signal, .parent = getpid()};

	terminal->in_fd = in_fd;
	if (tcgetattr(in_fd, &keeper.before) < 0)
		return -errno;
	int ret = start_keeper(&keeper, terminal, keys);

	if (ret < 0)
		return ret;
	struct termios raw = keeper.before;

	/* output too: the guest's terminal has done with it what its program wants */
	cfmakeraw(&raw);
	/* after the keeper is there: from now on it may have something to put back */
	if (tcsetattr(in_fd, TCSADRAIN, &raw) == 0)
		return 0;
	ret = -errno;
	close(*keys);
	close(terminal->keeper_fd);
	waitpid(terminal->keeper, NULL, 0);
	return ret;
}

int fl_cli_terminal_open(int in_fd, int escape_signal, struct fl_cli_terminal **terminal, int *keys,
			 struct fl_diag *diag)
{
	struct fl_cli_terminal *fresh = calloc(1, sizeof(*fresh));
	int ret = fresh ? open_terminal(in_fd, escape_signal, fresh, keys) : -ENOMEM;

	if (ret < 0) {
		free(fresh);
		return fl_cli_diag(diag, ret, "The terminal cannot be used: %s.", strerror(-ret));
	}
	*terminal = fresh;
	return 0;
}

void fl_cli_terminal_say_escape(void)
{
	fputs("faultline: this terminal is the guest's console now; Ctrl-] three times ends the guest.\n", stderr);
}

void fl_cli_terminal_close(struct fl_cli_terminal *terminal)
{
	if (!terminal)
		return;
	close(terminal->keeper_fd);
	while (waitpid(terminal->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	free(terminal);
}
