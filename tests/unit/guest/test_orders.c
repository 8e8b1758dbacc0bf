/* SPDX-License-Identifier: Apache-2.0 */
/* What the host wants of a running guest: lines as guest/agent_conf.h has them, and anything else. */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "guest/orders.h"
#include "guest/ports.h"

static void orders_are_understood(void **state)
{
	struct fl_order order;

	(void)state;
	assert_true(fl_order_parse("poweroff", &order));
	assert_int_equal(order.kind, FL_ORDER_POWEROFF);
	assert_true(fl_order_parse("size 24 80", &order));
	assert_int_equal(order.kind, FL_ORDER_SIZE);
	assert_int_equal(order.rows, 24);
	assert_int_equal(order.cols, 80);
	assert_true(fl_order_parse("size 0 65535", &order));
	assert_int_equal(order.rows, 0);
	assert_int_equal(order.cols, 65535);
	assert_true(fl_order_parse("signal 64", &order));
	assert_int_equal(order.kind, FL_ORDER_SIGNAL);
	assert_int_equal(order.signal_number, 64);
}

static void anything_else_is_no_order(void **state)
{
	static const char *const lines[] = {
		"",
		"poweroff ",
		" poweroff",
		"Poweroff",
		"power",
		"size",
		"size ",
		"size 24",
		"size 24 ",
		"size  24 80",
		"size 24 80 ",
		"size -1 80",
		"size +1 80",
		"size 65536 1",
		"size 1 65536",
		"size 0x10 1",
		"signal",
		"signal ",
		"signal 0",
		"signal 65",
		"signal -9",
		"signal 9 9",
		"signal 99999999999999999999",
		"size 1 99999999999999999999",
	};
	struct fl_order order;

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(lines); i++)
		assert_false(fl_order_parse(lines[i], &order));
}

struct seen {
	struct fl_order orders[8];
	size_t count;
};

static void note(void *arg, const struct fl_order *order)
{
	struct seen *seen = arg;

	assert_true(seen->count < FL_ARRAY_SIZE(seen->orders));
	seen->orders[seen->count++] = *order;
}

static void take(struct fl_order_lines *lines, const char *bytes, size_t len, struct seen *seen)
{
	fl_order_lines_take(lines, bytes, len, note, seen);
}

static void lines_come_in_any_pieces(void **state)
{
	static const char text[] = "size 1 2\nsignal 3\npoweroff\n";

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct fl_order_lines lines = {0};
		struct seen seen = {0};

		for (size_t at = 0; at < sizeof(text) - 1; at += piece)
			take(&lines, text + at, FL_MIN(piece, sizeof(text) - 1 - at), &seen);
		assert_int_equal(seen.count, 3);
		assert_int_equal(seen.orders[0].cols, 2);
		assert_int_equal(seen.orders[1].signal_number, 3);
		assert_int_equal(seen.orders[2].kind, FL_ORDER_POWEROFF);
	}
}

static void what_does_not_fit_hides_nothing_else(void **state)
{
	static const char hidden[] = "poweroff\0\nsignal 5\n";
	struct fl_order_lines lines = {0};
	struct seen seen = {0};
	char flood[1000];

	(void)state;
	memset(flood, 'x', sizeof(flood));
	for (unsigned int i = 0; i < 100; i++)
		take(&lines, flood, sizeof(flood), &seen);
	/* the end of a line that is too long is no line */
	take(&lines, "poweroff\n", 9, &seen);
	assert_int_equal(seen.count, 0);
	take(&lines, hidden, sizeof(hidden) - 1, &seen);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.orders[0].signal_number, 5);
}

/* A child in a process group of its own, which says when it is ready for signals. */
static pid_t start_process(const char *script)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		dup2(ready[1], 1);
		close(ready[0]);
		close(ready[1]);
		alarm(20);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(99);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

struct machine {
	int host; /* end of the port */
	struct fl_orders orders;
};

/* everyone: the command's process group, and not this machine's */
static void start_machine(struct machine *machine, const char *script)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	machine->host = pair[0];
	machine->orders = (struct fl_orders){.port = pair[1], .terminal = -1, .patience_ms = 300};
	machine->orders.command = start_process(script);
	machine->orders.everyone = -machine->orders.command;
}

static int end_machine(const struct machine *machine)
{
	int wait_status = -1;

	assert_int_equal(waitpid(machine->orders.command, &wait_status, 0), machine->orders.command);
	close(machine->host);
	close(machine->orders.port);
	return wait_status;
}

static void say(struct machine *machine, const char *text)
{
	assert_int_equal(write(machine->host, text, strlen(text)), strlen(text));
	assert_true(fl_orders_read(&machine->orders));
}

static void a_signal_reaches_the_group(void **state)
{
	struct machine machine;

	(void)state;
	start_machine(&machine, "echo; exec sleep 15");
	assert_int_equal(fl_orders_timeout_ms(&machine.orders), -1);
	say(&machine, "signal 10\n");
	int wait_status = end_machine(&machine);

	assert_true(WIFSIGNALED(wait_status));
	assert_int_equal(WTERMSIG(wait_status), 10);
	assert_false(machine.orders.powering_off);
}

static void who_ends_on_request_is_not_killed(void **state)
{
	struct machine machine;

	(void)state;
	start_machine(&machine, "trap 'exit 7' TERM; echo; exec 2>/dev/null; while :; do sleep 0.05; done");
	say(&machine, "poweroff\n");
	int wait_status = end_machine(&machine);

	assert_true(WIFEXITED(wait_status));
	assert_int_equal(WEXITSTATUS(wait_status), 7);
}

static void a_stopped_process_ends_too(void **state)
{
	struct machine machine;
	int wait_status;

	(void)state;
	start_machine(&machine, "echo; exec sleep 15");
	kill(machine.orders.command, SIGSTOP);
	assert_int_equal(waitpid(machine.orders.command, &wait_status, WUNTRACED), machine.orders.command);
	say(&machine, "poweroff\n");
	wait_status = end_machine(&machine);
	assert_true(WIFSIGNALED(wait_status));
	assert_int_equal(WTERMSIG(wait_status), SIGTERM);
}

static void who_does_not_listen_is_killed_in_time(void **state)
{
	struct machine machine;

	(void)state;
	start_machine(&machine, "trap '' TERM; echo; exec 2>/dev/null; while :; do sleep 0.05; done");
	int64_t before_ms = fl_now_ms();

	say(&machine, "poweroff\n");
	say(&machine, "poweroff\n"); /* does not begin anew */
	assert_in_range(fl_orders_timeout_ms(&machine.orders), 1, 300);
	fl_orders_tick(&machine.orders);
	assert_false(machine.orders.killed);
	while (fl_orders_timeout_ms(&machine.orders) > 0)
		usleep(1000);
	fl_orders_tick(&machine.orders);
	assert_true(machine.orders.killed);
	assert_int_equal(fl_orders_timeout_ms(&machine.orders), -1);
	assert_true(fl_now_ms() - before_ms >= 300);
	int wait_status = end_machine(&machine);

	assert_true(WIFSIGNALED(wait_status));
	assert_int_equal(WTERMSIG(wait_status), SIGKILL);
}

static void a_port_that_ends_is_told(void **state)
{
	struct machine machine;

	(void)state;
	start_machine(&machine, "echo; exec sleep 15");
	assert_true(fl_orders_read(&machine.orders)); /* nothing there as yet */
	assert_int_equal(shutdown(machine.host, SHUT_WR), 0);
	assert_false(fl_orders_read(&machine.orders));
	kill(machine.orders.command, SIGKILL);
	end_machine(&machine);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(orders_are_understood),      cmocka_unit_test(anything_else_is_no_order),
	cmocka_unit_test(lines_come_in_any_pieces),   cmocka_unit_test(what_does_not_fit_hides_nothing_else),
	cmocka_unit_test(a_signal_reaches_the_group), cmocka_unit_test(who_ends_on_request_is_not_killed),
	cmocka_unit_test(a_stopped_process_ends_too), cmocka_unit_test(who_does_not_listen_is_killed_in_time),
	cmocka_unit_test(a_port_that_ends_is_told),
};
FL_TEST_MAIN(50, tests)
