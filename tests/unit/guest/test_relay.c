/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's relay, with socket pairs in place of virtio-console ports. The host's side is played by a
 * process of its own for each stream, so that either side may be slow.
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

#include "guest/ports.h"
#include "guest/relay.h"

#define GRACE_MS 300

struct fixture {
	int host[3]; /* the host's ends of the ports */
	struct fl_relay_opts opts;
	sigset_t old_mask;
	int64_t cpu_before_ms; /* what this process had used when the test began */
};

static int64_t cpu_ms(void)
{
	struct timespec cpu;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	return (int64_t)cpu.tv_sec * 1000 + cpu.tv_nsec / 1000000;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int *ports[3] = {&fixture->opts.stdin_port, &fixture->opts.stdout_port, &fixture->opts.stderr_port};
	sigset_t mask;

	for (int i = 0; i < 3; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		fixture->host[i] = pair[0];
		*ports[i] = pair[1];
		assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &fixture->old_mask);
	fixture->opts.sigchld_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	fixture->opts.master = fixture->opts.slave = -1;
	fixture->opts.grace_ms = GRACE_MS;
	fixture->opts.connect_ms = 1000;
	fixture->cpu_before_ms = cpu_ms();
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 3; i++)
		if (fixture->host[i] >= 0)
			close(fixture->host[i]);
	close(fixture->opts.stdin_port);
	close(fixture->opts.stdout_port);
	close(fixture->opts.stderr_port);
	close(fixture->opts.sigchld_fd);
	sigprocmask(SIG_SETMASK, &fixture->old_mask, NULL);
	free(fixture);
	return 0;
}

static void start_command(struct fixture *fixture, const char *script)
{
	int pipes[3][2];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(pipes[0][0], 0);
		dup2(pipes[1][1], 1);
		dup2(pipes[2][1], 2);
		setpgid(0, 0);
		signal(SIGPIPE, SIG_DFL);
		alarm(20);
		sigprocmask(SIG_SETMASK, &fixture->old_mask, NULL);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(99);
	}
	setpgid(pid, pid); /* whoever comes first */
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	fixture->opts.command = pid;
	fixture->opts.stdin_pipe = pipes[0][1];
	fixture->opts.stdout_pipe = pipes[1][0];
	fixture->opts.stderr_pipe = pipes[2][0];
}

/* A process that does what the host does with one port. It is no child of ours: the relay reaps those. */
static void play_host(struct fixture *fixture, int stream, void (*part)(int fd, int result), int result)
{
	pid_t pid = fork();

	if (pid == 0) {
		/* the host side of the other streams, and the ports, stay open in the parent alone */
		for (int i = 0; i < 3; i++)
			if (i != stream)
				close(fixture->host[i]);
		close(fixture->opts.stdin_port);
		close(fixture->opts.stdout_port);
		close(fixture->opts.stderr_port);
		/* nor may this process keep the command's pipes open */
		close(fixture->opts.stdin_pipe);
		close(fixture->opts.stdout_pipe);
		close(fixture->opts.stderr_pipe);
		if (fork() > 0)
			_exit(0);
		alarm(20);
		part(fixture->host[stream], result);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fixture->host[stream]);
	fixture->host[stream] = -1;
}

static int run(struct fixture *fixture)
{
	struct fl_diag diag = {0};
	int wait_status = -1;

	assert_int_equal(fl_relay_run(&fixture->opts, &wait_status, &diag), 0);
	return wait_status;
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 167 + (i >> 8) * 13 + (i >> 16));
}

#define LONG_LEN (3u << 20)

static void send_pattern(int fd, int result)
{
	static uint8_t bytes[LONG_LEN];

	(void)result;
	for (size_t i = 0; i < LONG_LEN; i++)
		bytes[i] = pattern(i);
	for (size_t done = 0; done < LONG_LEN;) {
		ssize_t n = write(fd, bytes + done, LONG_LEN - done);

		if (n <= 0)
			_exit(1);
		done += (size_t)n;
	}
}

static void close_at_once(int fd, int result)
{
	(void)fd;
	(void)result;
}

static void wait_for_close(int fd, int result)
{
	char byte;

	(void)result;
	while (read(fd, &byte, 1) > 0)
		;
}

/* Reads everything, slowly at first, and tells by one byte on `result` whether it was the pattern. */
static void check_pattern(int fd, int result)
{
	static uint8_t bytes[65536];
	size_t at = 0;
	bool good = true;
	ssize_t n;

	poll(NULL, 0, 300);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			good = good && bytes[i] == pattern(at + (size_t)i);
		at += (size_t)n;
	}
	char verdict = good && at == LONG_LEN ? 'y' : 'n';

	if (write(result, &verdict, 1) != 1)
		_exit(1);
}

static void read_hundred_and_close(int fd, int result)
{
	char bytes[100];
	size_t got = 0;
	ssize_t n;

	(void)result;
	while (got < sizeof(bytes) && (n = read(fd, bytes + got, sizeof(bytes) - got)) > 0)
		got += (size_t)n;
}

/* What has arrived on the host's side, up to its capacity; only for output that fits into a socket. */
static size_t take(const struct fixture *fixture, int stream, char *text, size_t len)
{
	ssize_t n = recv(fixture->host[stream], text, len - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void output_and_status_arrive(void **state)
{
	struct fixture *fixture = *state;
	char text[64];

	start_command(fixture, "echo out; echo err >&2; exit 7");
	play_host(fixture, 0, close_at_once, -1);
	int status = run(fixture);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	take(fixture, 1, text, sizeof(text));
	assert_string_equal(text, "out\n");
	take(fixture, 2, text, sizeof(text));
	assert_string_equal(text, "err\n");
}

static void a_signal_is_told(void **state)
{
	struct fixture *fixture = *state;

	start_command(fixture, "kill -9 $$");
	int status = run(fixture);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), 9);
}

static void binary_input_goes_through_to_its_end_and_back(void **state)
{
	struct fixture *fixture = *state;
	int result[2];
	char verdict = '?';

	assert_int_equal(pipe2(result, O_CLOEXEC), 0);
	start_command(fixture, "exec cat");
	play_host(fixture, 0, send_pattern, -1);
	play_host(fixture, 1, check_pattern, result[1]);
	int status = run(fixture);

	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* the port stays open in a guest until it is off: here its end is what the reader waits for */
	assert_int_equal(shutdown(fixture->opts.stdout_port, SHUT_WR), 0);
	assert_int_equal(read(result[0], &verdict, 1), 1);
	assert_int_equal(verdict, 'y');
	close(result[0]);
	close(result[1]);
}

static void a_late_reader_gets_the_tail_of_an_ended_command(void **state)
{
	struct fixture *fixture = *state;
	int result[2];
	char verdict = '?';
	static char script[200];

	/* the pattern comes from a file, so that the command has ended long before the reader is done */
	char path[] = "/tmp/fl-relay.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	send_pattern(fd, -1);
	close(fd);
	snprintf(script, sizeof(script), "exec cat %s", path);
	assert_int_equal(pipe2(result, O_CLOEXEC), 0);
	fixture->opts.grace_ms = 0;
	start_command(fixture, script);
	play_host(fixture, 1, check_pattern, result[1]);
	int status = run(fixture);

	unlink(path);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(shutdown(fixture->opts.stdout_port, SHUT_WR), 0);
	assert_int_equal(read(result[0], &verdict, 1), 1);
	assert_int_equal(verdict, 'y');
	close(result[0]);
	close(result[1]);
}

static void children_left_behind_do_not_hold_the_end_up(void **state)
{
	struct fixture *fixture = *state;
	char text[64];

	start_command(fixture, "echo first; sleep 15 & exit 3");
	int64_t before = fl_now_ms();
	int status = run(fixture);
	int64_t took = fl_now_ms() - before;

	assert_int_equal(WEXITSTATUS(status), 3);
	assert_in_range(took, GRACE_MS, 10000);
	take(fixture, 1, text, sizeof(text));
	assert_string_equal(text, "first\n");
}

static void a_child_that_writes_for_ever_does_not_hold_the_end_up(void **state)
{
	struct fixture *fixture = *state;

	start_command(fixture, "yes & exit 4");
	play_host(fixture, 1, wait_for_close, -1);
	int64_t before = fl_now_ms();
	int status = run(fixture);

	assert_int_equal(WEXITSTATUS(status), 4);
	assert_in_range(fl_now_ms() - before, GRACE_MS, 15000);
}

static void what_children_say_soon_after_still_arrives(void **state)
{
	struct fixture *fixture = *state;
	char text[64];

	fixture->opts.grace_ms = 5000;
	start_command(fixture, "(sleep 0.1; echo second) & echo first");
	int64_t before = fl_now_ms();

	run(fixture);
	/* the child's end closes the pipe: nothing is waited for after that */
	assert_in_range(fl_now_ms() - before, 0, 4500);
	take(fixture, 1, text, sizeof(text));
	assert_string_equal(text, "first\nsecond\n");
}

static void a_host_that_stops_reading_gives_sigpipe(void **state)
{
	struct fixture *fixture = *state;

	start_command(fixture, "exec yes");
	play_host(fixture, 1, read_hundred_and_close, -1);
	int status = run(fixture);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGPIPE);
}

static void a_command_that_closes_its_input_goes_on(void **state)
{
	struct fixture *fixture = *state;
	char text[64];

	start_command(fixture, "exec 0<&-; sleep 0.2; echo done");
	play_host(fixture, 0, send_pattern, -1);
	int status = run(fixture);

	assert_int_equal(WEXITSTATUS(status), 0);
	take(fixture, 1, text, sizeof(text));
	assert_string_equal(text, "done\n");
}

static void other_children_are_reaped_too(void **state)
{
	struct fixture *fixture = *state;
	pid_t other = fork();

	if (other == 0)
		_exit(55);
	start_command(fixture, "sleep 0.2; exit 1");
	assert_int_equal(WEXITSTATUS(run(fixture)), 1);
	assert_int_equal(waitpid(other, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Commands run in the group of their own that orders go to; what the host says waits in the port. */
static struct fl_orders order(struct fixture *fixture, const char *script, const char *text, int *host)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	*host = pair[0];
	start_command(fixture, script);
	assert_int_equal(write(pair[0], text, strlen(text)), strlen(text));
	return (struct fl_orders){.port = pair[1],
				  .command = fixture->opts.command,
				  .everyone = -fixture->opts.command,
				  .terminal = -1,
				  .patience_ms = 300};
}

static void a_command_ends_on_the_hosts_request(void **state)
{
	struct fixture *fixture = *state;
	int host;
	struct fl_orders orders = order(fixture, "sleep 15; echo no", "poweroff\n", &host);

	fixture->opts.orders = &orders;
	int status = run(fixture);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_false(orders.killed);
	close(host);
	close(orders.port);
}

static void a_command_that_ignores_the_request_is_killed(void **state)
{
	struct fixture *fixture = *state;
	int host;
	struct fl_orders orders = order(fixture, "trap '' TERM; sleep 15; sleep 15", "", &host);
	int64_t before_ms = fl_now_ms();

	fixture->opts.orders = &orders;
	poll(NULL, 0, 200); /* until the shell has its trap */
	assert_int_equal(write(host, "poweroff\n", 9), 9);
	int status = run(fixture);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_in_range(fl_now_ms() - before_ms, 300, 10000);
	close(host);
	close(orders.port);
}

static void a_port_for_orders_that_is_closed_costs_nothing(void **state)
{
	struct fixture *fixture = *state;
	int host;
	struct fl_orders orders = order(fixture, "sleep 1; exit 5", "", &host);

	fixture->opts.orders = &orders;
	close(host);
	assert_int_equal(WEXITSTATUS(run(fixture)), 5);
	/* a loop that spins would have used up most of the second */
	assert_in_range(cpu_ms() - fixture->cpu_before_ms, 0, 300);
	close(orders.port);
}

#define RELAY_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static const struct CMUnitTest tests[] = {
	RELAY_TEST(output_and_status_arrive),
	RELAY_TEST(a_signal_is_told),
	RELAY_TEST(binary_input_goes_through_to_its_end_and_back),
	RELAY_TEST(a_late_reader_gets_the_tail_of_an_ended_command),
	RELAY_TEST(children_left_behind_do_not_hold_the_end_up),
	RELAY_TEST(a_child_that_writes_for_ever_does_not_hold_the_end_up),
	RELAY_TEST(what_children_say_soon_after_still_arrives),
	RELAY_TEST(a_host_that_stops_reading_gives_sigpipe),
	RELAY_TEST(a_command_that_closes_its_input_goes_on),
	RELAY_TEST(other_children_are_reaped_too),
	RELAY_TEST(a_command_ends_on_the_hosts_request),
	RELAY_TEST(a_command_that_ignores_the_request_is_killed),
	RELAY_TEST(a_port_for_orders_that_is_closed_costs_nothing),
};
FL_TEST_MAIN(50, tests)
