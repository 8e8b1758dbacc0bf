/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's terminal, played by a pseudo terminal: raw, its keys, the escape sequence, and how it is left. */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "cli/terminal.h"

#define E "\x1d"

/* ---- the escape sequence ---- */

static void expect_filter(struct fl_cli_escape *escape, const char *typed, int64_t now_ms, const char *passed, bool end)
{
	char out[64];
	bool found = !end;
	size_t len = fl_cli_escape_filter(escape, typed, strlen(typed), now_ms, out, &found);

	out[len] = '\0';
	assert_string_equal(out, passed);
	assert_int_equal(found, end);
}

static void keys_go_through(void **state)
{
	struct fl_cli_escape escape = {0};

	(void)state;
	expect_filter(&escape, "abc\003\004~.", 0, "abc\003\004~.", false);
	assert_int_equal(fl_cli_escape_timeout_ms(&escape, 0), -1);
	expect_filter(&escape, E "a", 5, E "a", false);
	expect_filter(&escape, E E "a" E, 5, E E "a", false);
	expect_filter(&escape, "b", 6, E "b", false);
}

static void three_in_time_are_the_end(void **state)
{
	struct fl_cli_escape escape = {0};

	(void)state;
	expect_filter(&escape, "x" E E E "dropped", 0, "x", true);
	expect_filter(&escape, E, 10, "", false);
	expect_filter(&escape, E, 500, "", false);
	expect_filter(&escape, E, 1009, "", true);
}

static void what_is_held_too_long_goes_to_the_guest(void **state)
{
	struct fl_cli_escape escape = {0};
	char out[FL_CLI_ESCAPE_COUNT];

	(void)state;
	expect_filter(&escape, E E, 100, "", false);
	assert_int_equal(fl_cli_escape_timeout_ms(&escape, 400), 700);
	assert_int_equal(fl_cli_escape_flush(&escape, 1099, out), 0);
	assert_int_equal(fl_cli_escape_flush(&escape, 1100, out), 2);
	assert_memory_equal(out, E E, 2);
	assert_int_equal(fl_cli_escape_timeout_ms(&escape, 1100), -1);
	/* a third one that comes late is a first one */
	expect_filter(&escape, E E, 2000, "", false);
	expect_filter(&escape, E, 3000, E E, false);
	expect_filter(&escape, E E, 3500, "", true);
}

static void nothing_is_written_behind_the_promised_room(void **state)
{
	struct fl_cli_escape escape = {0};
	char typed[100], *out = malloc(sizeof(typed) + FL_CLI_ESCAPE_COUNT);
	bool found;

	(void)state;
	expect_filter(&escape, E E, 0, "", false);
	memset(typed, 'x', sizeof(typed));
	assert_int_equal(fl_cli_escape_filter(&escape, typed, sizeof(typed), 1, out, &found), sizeof(typed) + 2);
	free(out);
}

/* ---- a launcher of a terminal of its own ---- */

struct launcher {
	int master;
	int slave;   /* to look at the settings */
	pid_t shell; /* leads the session, and lives on when the launcher is dead */
	int from;    /* what the launcher says, and then the shell of its end: as a shell's $? */
	struct termios before;
};

static volatile sig_atomic_t asked;
static void on_term(int signal_number)
{
	(void)signal_number;
	asked = 1;
}

/* Passes on what it is given as keys; ends by itself after 'q', and is killed after 'k'. */
static void __attribute__((noreturn)) launch(int slave, int to)
{
	struct fl_cli_terminal *terminal;
	char byte = 'r';
	int keys;

	signal(SIGTERM, on_term);
	alarm(20);
	if (!fl_cli_terminal_wanted(slave, slave) || fl_cli_terminal_open(slave, SIGTERM, &terminal, &keys, NULL))
		_exit(1);
	while (byte != 'q') {
		if (write(to, &byte, 1) != 1)
			_exit(2);
		if (byte == 'k')
			raise(SIGKILL);
		struct pollfd pollfd = {.fd = keys, .events = POLLIN};

		while (!asked && poll(&pollfd, 1, 50) <= 0)
			;
		if (asked)
			byte = 'q';
		else if (read(keys, &byte, 1) != 1)
			byte = 'q';
	}
	fl_cli_terminal_close(terminal);
	_exit(asked ? 3 : 0);
}

static void __attribute__((noreturn)) be_shell(int slave, int to)
{
	int wait_status = 0;

	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	alarm(20);
	pid_t pid = fork();

	if (pid == 0)
		launch(slave, to);
	waitpid(pid, &wait_status, 0);
	char status = (char)(WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status));

	if (write(to, &status, 1) == 1)
		pause();
	_exit(1);
}

static void expect_byte(const struct launcher *launcher, char expected)
{
	char byte = 0;

	assert_int_equal(read(launcher->from, &byte, 1), 1);
	assert_int_equal(byte, expected);
}

static int setup(void **state)
{
	struct launcher *launcher = calloc(1, sizeof(*launcher));
	int pipe_fds[2];

	launcher->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(launcher->master >= 0);
	assert_int_equal(grantpt(launcher->master), 0);
	assert_int_equal(unlockpt(launcher->master), 0);
	launcher->slave = open(ptsname(launcher->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(tcgetattr(launcher->slave, &launcher->before), 0);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	launcher->shell = fork();
	if (launcher->shell == 0) {
		close(launcher->master);
		be_shell(launcher->slave, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	launcher->from = pipe_fds[0];
	expect_byte(launcher, 'r');
	*state = launcher;
	return 0;
}

static int teardown(void **state)
{
	struct launcher *launcher = *state;

	kill(launcher->shell, SIGKILL);
	assert_int_equal(waitpid(launcher->shell, NULL, 0), launcher->shell);
	close(launcher->master);
	close(launcher->slave);
	close(launcher->from);
	free(launcher);
	return 0;
}

static bool is_as_before(const struct launcher *launcher)
{
	struct termios now;

	assert_int_equal(tcgetattr(launcher->slave, &now), 0);
	return now.c_iflag == launcher->before.c_iflag && now.c_oflag == launcher->before.c_oflag &&
	       now.c_lflag == launcher->before.c_lflag && now.c_cflag == launcher->before.c_cflag;
}

static void type(const struct launcher *launcher, const char *keys)
{
	assert_int_equal(write(launcher->master, keys, strlen(keys)), strlen(keys));
}

static void expect_end(const struct launcher *launcher, int status)
{
	expect_byte(launcher, (char)status);
}

static void every_key_is_passed_on(void **state)
{
	static const char keys[] = "a\003\032\004\r\n\021\023\034\177" E "b";
	struct launcher *launcher = *state;
	struct termios now;

	assert_int_equal(tcgetattr(launcher->slave, &now), 0);
	assert_int_equal(now.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), 0);
	assert_int_equal(now.c_oflag & OPOST, 0);
	type(launcher, keys);
	for (size_t i = 0; i < sizeof(keys) - 1; i++)
		expect_byte(launcher, keys[i]);
	type(launcher, "q");
	expect_end(launcher, 0);
	assert_true(is_as_before(launcher));
}

static void the_escape_sequence_asks_for_the_end(void **state)
{
	struct launcher *launcher = *state;

	type(launcher, E E E);
	expect_end(launcher, 3);
	assert_true(is_as_before(launcher));
}

static void half_an_escape_sequence_comes_late(void **state)
{
	struct launcher *launcher = *state;

	type(launcher, E E);
	expect_byte(launcher, E[0]);
	expect_byte(launcher, E[0]);
	type(launcher, "q");
	expect_end(launcher, 0);
}

static void a_killed_launcher_leaves_the_terminal_as_it_was(void **state)
{
	struct launcher *launcher = *state;

	assert_false(is_as_before(launcher));
	type(launcher, "k");
	expect_byte(launcher, 'k');
	expect_end(launcher, 128 + SIGKILL);
	/* who puts it back is not waited for by anybody */
	for (int i = 0; i < 1000 && !is_as_before(launcher); i++)
		usleep(10000);
	assert_true(is_as_before(launcher));
}

static void sizes_are_told(void **state)
{
	struct launcher *launcher = *state;
	const struct winsize size = {.ws_row = 50, .ws_col = 132};
	uint16_t rows, cols;

	assert_int_equal(ioctl(launcher->master, TIOCSWINSZ, &size), 0);
	fl_cli_terminal_size(launcher->slave, &rows, &cols);
	assert_int_equal(rows, 50);
	assert_int_equal(cols, 132);
	fl_cli_terminal_size(launcher->from, &rows, &cols);
	assert_int_equal(rows, 0);
	assert_int_equal(cols, 0);
	type(launcher, "q");
	expect_end(launcher, 0);
}

static void pipes_are_not_made_raw(void **state)
{
	struct fl_cli_terminal *terminal;
	struct fl_diag diag = {0};
	int fds[2], keys;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_false(fl_cli_terminal_wanted(fds[0], fds[1]));
	assert_true(fl_cli_terminal_open(fds[0], SIGTERM, &terminal, &keys, &diag) < 0);
	assert_non_null(strstr(diag.text, "terminal"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody was left behind */
	close(fds[0]);
	close(fds[1]);
}

#define LAUNCHER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static const struct CMUnitTest tests[] = {
	cmocka_unit_test(keys_go_through),
	cmocka_unit_test(three_in_time_are_the_end),
	cmocka_unit_test(what_is_held_too_long_goes_to_the_guest),
	cmocka_unit_test(nothing_is_written_behind_the_promised_room),
	LAUNCHER_TEST(every_key_is_passed_on),
	LAUNCHER_TEST(the_escape_sequence_asks_for_the_end),
	LAUNCHER_TEST(half_an_escape_sequence_comes_late),
	LAUNCHER_TEST(a_killed_launcher_leaves_the_terminal_as_it_was),
	LAUNCHER_TEST(sizes_are_told),
	cmocka_unit_test(pipes_are_not_made_raw),
};
FL_TEST_MAIN(50, tests)
