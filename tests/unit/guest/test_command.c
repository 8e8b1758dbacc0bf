/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's command, started and relayed as in a guest, with socket pairs in place of virtio-console ports: what it
 * finds, and that its terminal is one.
 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "guest/command.h"
#include "guest/ports.h"
#include "guest/relay.h"

enum { IN, OUT, ERR, CONTROL, PORTS };

struct guest {
	int host[PORTS]; /* the host's ends */
	int ports[PORTS];
	sigset_t old_mask;
	int sigchld_fd;
	struct fl_conf conf;
	char *argv[4];
	char *envp[4];
};

static int setup(void **state)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	sigset_t mask;

	for (int i = 0; i < PORTS; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		guest->host[i] = pair[0];
		guest->ports[i] = pair[1];
		assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &guest->old_mask);
	guest->sigchld_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	guest->argv[0] = (char *)(uintptr_t) "/bin/sh";
	guest->argv[1] = (char *)(uintptr_t) "-c";
	guest->conf = (struct fl_conf){
		.argv = guest->argv, .envp = guest->envp, .cwd = "/", .has_terminal = true, .rows = 24, .cols = 80};
	*state = guest;
	return 0;
}

static int teardown(void **state)
{
	struct guest *guest = *state;

	for (int i = 0; i < PORTS; i++) {
		close(guest->ports[i]);
		close(guest->host[i]);
	}
	close(guest->sigchld_fd);
	sigprocmask(SIG_SETMASK, &guest->old_mask, NULL);
	free(guest);
	return 0;
}

/* ---- the host's part, played by a process of its own ---- */

/* Reads until there is that text, and forgets all up to its end. */
static void expect(int fd, const char *text)
{
	static char seen[8192];
	static size_t len;
	char *found;

	while (!(found = strstr(seen, text))) {
		ssize_t n = len < sizeof(seen) - 1 ? read(fd, seen + len, sizeof(seen) - 1 - len) : 0;

		if (n <= 0) {
			printf("# \"%s\" instead of \"%s\"\n", seen, text);
			fflush(stdout);
			_exit(1);
		}
		len += (size_t)n;
		seen[len] = '\0';
	}
	found += strlen(text);
	len -= (size_t)(found - seen);
	memmove(seen, found, len + 1);
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(2);
}

typedef void (*host_part)(const int host[PORTS]);

/* Not a child that the relay would reap without telling: its end is told by a pipe. */
static int play_host(struct guest *guest, host_part part)
{
	int verdict[2];

	assert_int_equal(pipe2(verdict, O_CLOEXEC), 0);
	pid_t pid = fork();

	if (pid == 0) {
		for (int i = 0; i < PORTS; i++)
			close(guest->ports[i]);
		close(verdict[0]);
		if (fork() > 0)
			_exit(0);
		alarm(20);
		part(guest->host);
		_exit(write(verdict[1], "y", 1) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(verdict[1]);
	return verdict[0];
}

/* ---- the agent's ---- */

static int relay(struct guest *guest, const struct fl_child *child)
{
	struct fl_orders orders = {.port = guest->ports[CONTROL],
				   .command = child->pid,
				   .everyone = -child->pid,
				   .terminal = child->master,
				   .patience_ms = 500};
	struct fl_relay_opts opts = {
		.command = child->pid,
		.sigchld_fd = guest->sigchld_fd,
		.stdin_port = guest->ports[IN],
		.stdout_port = guest->ports[OUT],
		.stderr_port = guest->ports[ERR],
		.stdin_pipe = child->pipes[0],
		.stdout_pipe = child->pipes[1],
		.stderr_pipe = child->pipes[2],
		.master = child->master,
		.slave = child->slave,
		.grace_ms = 300,
		.connect_ms = 1000,
		.orders = &orders,
	};
	int wait_status = -1;

	assert_int_equal(fl_relay_run(&opts, &wait_status, NULL), 0);
	assert_int_equal(orders.terminal, -1); /* closed: nobody must use its number */
	return wait_status;
}

/* Runs the script while the host does its part, which must come to its end; returns the wait status. */
static int run(struct guest *guest, const char *script, host_part part)
{
	struct fl_child child;
	struct fl_diag diag = {0};
	int exit_code;
	char verdict = 'n';
	int host = part ? play_host(guest, part) : -1;

	guest->argv[2] = (char *)(uintptr_t)script;
	while (guest->envp[guest->conf.envc])
		guest->conf.envc++;
	if (fl_command_start(&guest->conf, &guest->old_mask, &child, &exit_code, &diag))
		fail_msg("%s", diag.text);
	int wait_status = relay(guest, &child);

	for (int i = 0; i < PORTS; i++)
		shutdown(guest->ports[i], SHUT_RDWR);
	if (part) {
		assert_int_equal(read(host, &verdict, 1), 1);
		close(host);
	}
	return wait_status;
}

static void take(const struct guest *guest, int port, char *text, size_t len)
{
	ssize_t n = recv(guest->host[port], text, len - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
}

static void assert_exit(int wait_status, int code)
{
	assert_true(WIFEXITED(wait_status));
	assert_int_equal(WEXITSTATUS(wait_status), code);
}

static void all_streams_are_one_terminal(void **state)
{
	struct guest *guest = *state;
	char text[200];

	assert_exit(
		run(guest, "test -t 0 && test -t 1 && test -t 2 && stty size; echo err >&2; echo tty >/dev/tty", NULL),
		0);
	take(guest, OUT, text, sizeof(text));
	assert_string_equal(text, "24 80\r\nerr\r\ntty\r\n");
	take(guest, ERR, text, sizeof(text));
	assert_string_equal(text, "");
}

static void job_control_works(void **state)
{
	struct guest *guest = *state;
	char text[200];

	assert_exit(run(guest, "set -m; sh -c 'kill -STOP $$; echo continued' & wait $!; fg >/dev/null", NULL), 0);
	take(guest, OUT, text, sizeof(text));
	assert_non_null(strstr(text, "continued\r\n"));
	assert_null(strstr(text, "job control turned off"));
}

static void interrupt_it(const int host[PORTS])
{
	expect(host[OUT], "ready");
	say(host[IN], "\003");
	expect(host[OUT], "interrupted");
}

static void byte_3_interrupts(void **state)
{
	assert_exit(run(*state, "trap 'echo interrupted; exit 3' INT; echo ready; sleep 15", interrupt_it), 3);
}

static void end_its_input(const int host[PORTS])
{
	say(host[IN], "whole\n");
	expect(host[OUT], "got whole");
	shutdown(host[IN], SHUT_WR);
	expect(host[OUT], "end");
}

static void end_its_input_in_a_line(const int host[PORTS])
{
	say(host[IN], "part");
	shutdown(host[IN], SHUT_WR);
	expect(host[OUT], "got part");
	expect(host[OUT], "end");
}

static void the_end_of_input_is_typed(void **state)
{
	assert_exit(run(*state, "while read x; do echo got $x; done; echo end", end_its_input), 0);
}

static void the_end_of_input_ends_an_unfinished_line_too(void **state)
{
	assert_exit(run(*state, "x=$(cat); echo got $x; echo end", end_its_input_in_a_line), 0);
}

static void change_its_size(const int host[PORTS])
{
	expect(host[OUT], "ready");
	say(host[CONTROL], "size 50 132\n");
	expect(host[OUT], "50 132");
}

static void a_new_size_is_told(void **state)
{
	assert_exit(run(*state, "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done",
			change_its_size),
		    0);
}

#define LINES 30000

/* Reads slowly at first, and wants every line. */
static void read_lines(const int host[PORTS])
{
	FILE *file = fdopen(host[OUT], "r");
	char line[32], wanted[32];

	poll(NULL, 0, 300);
	for (int i = 1; i <= LINES; i++) {
		snprintf(wanted, sizeof(wanted), "%d\r\n", i);
		if (!fgets(line, sizeof(line), file) || strcmp(line, wanted) != 0)
			_exit(1);
	}
	if (fgets(line, sizeof(line), file))
		_exit(1);
}

static void no_output_is_lost_at_the_end(void **state)
{
	assert_exit(run(*state, "exec seq 1 30000", read_lines), 0);
}

static void no_output_is_lost_when_others_hold_the_terminal(void **state)
{
	struct guest *guest = *state;
	int64_t before_ms = fl_now_ms();

	assert_exit(run(guest, "trap '' HUP; sleep 15 & seq 1 30000", read_lines), 0);
	assert_in_range(fl_now_ms() - before_ms, 300, 12000);
}

static void read_for_ever(const int host[PORTS])
{
	char bytes[4096];

	while (read(host[OUT], bytes, sizeof(bytes)) > 0)
		;
}

static void a_child_that_writes_for_ever_does_not_hold_the_end_up(void **state)
{
	assert_exit(run(*state, "trap '' HUP; yes & exit 4", read_for_ever), 4);
}

static void read_a_little(const int host[PORTS])
{
	expect(host[OUT], "y");
	shutdown(host[OUT], SHUT_RDWR);
}

static void a_host_that_stops_reading_hangs_up(void **state)
{
	int wait_status = run(*state, "exec yes", read_a_little);

	assert_true(WIFSIGNALED(wait_status));
	assert_int_equal(WTERMSIG(wait_status), SIGHUP);
}

static void ask_for_the_end(const int host[PORTS])
{
	expect(host[OUT], "ready");
	say(host[CONTROL], "poweroff\n");
}

/* As interactive shells do with SIGTERM. */
static void who_ignores_sigterm_gets_sighup_with_a_terminal(void **state)
{
	int wait_status = run(*state, "trap '' TERM; trap 'exit 6' HUP; echo ready; while :; do sleep 0.05; done",
			      ask_for_the_end);

	assert_exit(wait_status, 6);
}

static void pipes_are_no_terminal(void **state)
{
	struct guest *guest = *state;
	char text[64];

	guest->conf.has_terminal = false;
	assert_exit(run(guest, "test -t 0 || test -t 1 || test -t 2 || echo none; echo err >&2", NULL), 0);
	take(guest, OUT, text, sizeof(text));
	assert_string_equal(text, "none\n");
	take(guest, ERR, text, sizeof(text));
	assert_string_equal(text, "err\n");
}

/* ---- what the command finds, and why there may be none ---- */

static void variables_of_the_caller_win(void **state)
{
	struct guest *guest = *state;
	char text[200];

	guest->conf.has_terminal = false;
	guest->envp[0] = (char *)(uintptr_t) "TERM=xterm-256color";
	guest->envp[1] = (char *)(uintptr_t) "LANG=C.UTF-8";
	assert_exit(run(guest, "echo $TERM $LANG $HOME $USER $PATH", NULL), 0);
	take(guest, OUT, text, sizeof(text));
	assert_string_equal(text, "xterm-256color C.UTF-8 /root "
				  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
}

static void a_user_has_an_environment(void **state)
{
	struct guest *guest = *state;
	char text[200];

	if (getuid() != 0)
		SKIP_FOR("only root can become somebody else");
	guest->conf.has_terminal = false;
	guest->conf.user = "54321:54322";
	guest->envp[0] = (char *)(uintptr_t) "USER=me";
	/* its own streams can be opened by name */
	assert_exit(run(guest, "id -u; id -g; id -G; echo $HOME $USER $LOGNAME $SHELL >/dev/stdout", NULL), 0);
	take(guest, OUT, text, sizeof(text));
	assert_string_equal(text, "54321\n54322\n54322\n/ me 54321 /bin/sh\n");
}

static void a_user_owns_the_terminal(void **state)
{
	struct guest *guest = *state;
	char text[64];

	if (getuid() != 0)
		SKIP_FOR("only root can become somebody else");
	guest->conf.user = "54321";
	assert_exit(run(guest, "stat -L -c %u /dev/stdin; echo mine >/dev/tty", NULL), 0);
	take(guest, OUT, text, sizeof(text));
	assert_string_equal(text, "54321\r\nmine\r\n");
}

static void expect_failure(struct guest *guest, const char *command, int code, const char *word)
{
	struct fl_child child;
	struct fl_diag diag = {0};
	int exit_code = 0;

	guest->argv[0] = (char *)(uintptr_t)command;
	guest->argv[1] = NULL;
	assert_true(fl_command_start(&guest->conf, &guest->old_mask, &child, &exit_code, &diag) < 0);
	assert_int_equal(exit_code, code);
	if (!strstr(diag.text, word))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, word);
	assert_int_equal(child.master, -1);
	assert_int_equal(child.pipes[1], -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void what_cannot_be_run_is_explained(void **state)
{
	struct guest *guest = *state;

	expect_failure(guest, "no-such-command", 127, "no-such-command was not found in the guest's PATH");
	expect_failure(guest, "/no/such/command", 127, "/no/such/command");
	expect_failure(guest, "/etc/passwd", 126, "/etc/passwd");
	guest->conf.has_terminal = false;
	expect_failure(guest, "no-such-command", 127, "no-such-command");
	guest->conf.cwd = "/no/such/place";
	expect_failure(guest, "/bin/true", 125, "the working directory /no/such/place");
	guest->conf.user = "no-such-user";
	expect_failure(guest, "/bin/true", 125, "the user \"no-such-user\" does not exist in the guest");
}

#define COMMAND_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static const struct CMUnitTest tests[] = {
	COMMAND_TEST(all_streams_are_one_terminal),
	COMMAND_TEST(job_control_works),
	COMMAND_TEST(byte_3_interrupts),
	COMMAND_TEST(the_end_of_input_is_typed),
	COMMAND_TEST(the_end_of_input_ends_an_unfinished_line_too),
	COMMAND_TEST(a_new_size_is_told),
	COMMAND_TEST(no_output_is_lost_at_the_end),
	COMMAND_TEST(no_output_is_lost_when_others_hold_the_terminal),
	COMMAND_TEST(a_child_that_writes_for_ever_does_not_hold_the_end_up),
	COMMAND_TEST(a_host_that_stops_reading_hangs_up),
	COMMAND_TEST(who_ignores_sigterm_gets_sighup_with_a_terminal),
	COMMAND_TEST(pipes_are_no_terminal),
	COMMAND_TEST(variables_of_the_caller_win),
	COMMAND_TEST(a_user_has_an_environment),
	COMMAND_TEST(a_user_owns_the_terminal),
	COMMAND_TEST(what_cannot_be_run_is_explained),
};
FL_TEST_MAIN(55, tests)
