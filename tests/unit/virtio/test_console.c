/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes through the console's ports. */
#include "tests/lib/fl_test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/unit/virtio/console_pipes.h"

static void test_output_carries_every_byte_value(void **state)
{
	struct terminal terminal;
	struct pipes pipes;
	uint8_t all[256], got[300];

	(void)state;
	setup(&terminal, &pipes);
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	port_queue(&terminal, 1, 0, all, sizeof(all));
	assert_true(port_written(&terminal, 1, 10000));
	assert_int_equal(read(pipes.out[0], got, sizeof(got)), 256);
	assert_memory_equal(got, all, 256);
	teardown(&terminal, &pipes);
}

static void test_input_carries_every_byte_value(void **state)
{
	struct terminal terminal;
	struct pipes pipes;
	uint8_t all[256], got[BUFFER_LEN];

	(void)state;
	setup(&terminal, &pipes);
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	port_open(&terminal, 2);
	assert_int_equal(write(pipes.in[1], all, sizeof(all)), sizeof(all));
	assert_int_equal(port_read(&terminal, 2, got, 10000, false), 256);
	assert_memory_equal(got, all, 256);
	teardown(&terminal, &pipes);
}

static int bytes_in(int fd)
{
	int count;

	assert_int_equal(ioctl(fd, FIONREAD, &count), 0);
	return count;
}

/* Linux drops what comes on a port that nobody has opened: the bytes have to stay with us. */
static void test_input_waits_until_the_guest_opens(void **state)
{
	struct terminal terminal;
	struct pipes pipes;
	uint8_t got[BUFFER_LEN];

	(void)state;
	setup(&terminal, &pipes);
	assert_int_equal(write(pipes.in[1], "early", 5), 5);
	assert_int_equal(port_read(&terminal, 2, got, QUIET_MS, false), 0);
	assert_int_equal(bytes_in(pipes.in[0]), 5);
	port_open(&terminal, 2);
	assert_int_equal(port_read(&terminal, 2, got, 10000, false), 5);
	/* closed again */
	control_send(&terminal, 2, EVENT_PORT_OPEN, 0);
	assert_int_equal(write(pipes.in[1], "late", 4), 4);
	assert_int_equal(port_read(&terminal, 2, got, QUIET_MS, false), 0);
	assert_int_equal(bytes_in(pipes.in[0]), 4);
	port_open(&terminal, 2);
	assert_int_equal(port_read(&terminal, 2, got, 10000, false), 4);
	assert_memory_equal(got, "late", 4);
	teardown(&terminal, &pipes);
}

static void test_input_waits_for_buffers(void **state)
{
	struct terminal terminal;
	struct pipes pipes;
	uint8_t got[BUFFER_LEN];

	(void)state;
	setup(&terminal, &pipes);
	port_open(&terminal, 2);
	for (unsigned int i = 0; i < RING; i++) {
		assert_int_equal(write(pipes.in[1], &i, 1), 1);
		assert_int_equal(port_read(&terminal, 2, got, 10000, true), 1);
		assert_int_equal(got[0], i);
	}
	assert_int_equal(write(pipes.in[1], "xyz", 3), 3);
	assert_int_equal(port_read(&terminal, 2, got, QUIET_MS, true), 0);
	assert_int_equal(bytes_in(pipes.in[0]), 3);
	lane_offer(&terminal, &terminal.in[2], 3, 2, DESC_F_WRITE); /* room for two bytes only */
	assert_int_equal(port_read(&terminal, 2, got, 10000, true), 2);
	assert_memory_equal(got, "xy", 2);
	assert_int_equal(bytes_in(pipes.in[0]), 1);
	teardown(&terminal, &pipes);
}

/* The guest's read() must not see the end before the bytes that it has not taken yet. */
static void test_end_of_input_is_told_after_the_last_byte_is_taken(void **state)
{
	struct terminal terminal;
	struct pipes pipes;
	uint8_t bytes[BUFFER_LEN];
	struct message message;

	(void)state;
	setup(&terminal, &pipes);
	port_open(&terminal, 2);
	assert_int_equal(write(pipes.in[1], "a", 1), 1);
	assert_int_equal(port_read(&terminal, 2, bytes, 10000, true), 1);
	assert_int_equal(write(pipes.in[1], "b", 1), 1);
	assert_int_equal(port_read(&terminal, 2, bytes, 10000, true), 1);
	fl_close(&pipes.in[1]);
	assert_false(control_receive(&terminal, QUIET_MS, &message));
	lane_offer(&terminal, &terminal.in[2], 0, BUFFER_LEN, DESC_F_WRITE);
	assert_false(control_receive(&terminal, QUIET_MS, &message));
	lane_offer(&terminal, &terminal.in[2], 1, BUFFER_LEN, DESC_F_WRITE);
	control_expect(&terminal, 2, EVENT_PORT_OPEN, 0, "");
	teardown(&terminal, &pipes);
}

static void test_blocked_port_holds_up_nobody_else(void **state)
{
	struct fl_console_port_opts ports[3] = {
		{.in_fd = -1, .out_fd = -1}, {.name = "blocked", .in_fd = -1}, {.name = "free", .in_fd = -1}};
	struct terminal terminal;
	uint8_t page[BUFFER_LEN] = {0}, got[8];
	int blocked[2], free_one[2];

	(void)state;
	make_pipe(blocked);
	make_pipe(free_one);
	assert_int_equal(fcntl(blocked[1], F_SETPIPE_SZ, 4096), 4096);
	ports[1].out_fd = blocked[1];
	ports[2].out_fd = free_one[1];
	terminal_init(&terminal, ports, 3);
	for (unsigned int i = 0; i < RING; i++)
		port_queue(&terminal, 1, i, page, sizeof(page));
	assert_true(port_written(&terminal, 1, 10000));
	assert_false(port_written(&terminal, 1, QUIET_MS));
	for (unsigned int i = 0; i < 100; i++) {
		port_queue(&terminal, 2, i % RING, "x", 1);
		assert_true(port_written(&terminal, 2, 10000));
		assert_int_equal(read(free_one[0], got, sizeof(got)), 1);
	}
	assert_int_equal(terminal.out[1].offered, RING - 1);
	/* buffers come back one by one as the reader makes room */
	assert_int_equal(read(blocked[0], page, sizeof(page)), sizeof(page));
	assert_true(port_written(&terminal, 1, 10000));
	assert_false(port_written(&terminal, 1, QUIET_MS));
	terminal_fini(&terminal);
	close(blocked[0]);
	close(blocked[1]);
	close(free_one[0]);
	close(free_one[1]);
}

static void look_for_sigpipe(void *arg)
{
	sigset_t pending;

	sigpending(&pending);
	*(int *)arg = sigismember(&pending, SIGPIPE);
}

/* SIGPIPE has its default disposition here: were it delivered, the program would be gone. */
static void test_broken_pipe_is_told_and_discards_further_output(void **state)
{
	struct terminal terminal;
	struct pipes pipes;
	int sigpipe_pending = -1;

	(void)state;
	setup(&terminal, &pipes);
	port_open(&terminal, 1);
	fl_close(&pipes.out[0]);
	for (unsigned int i = 0; i < 3 * RING; i++) {
		port_queue(&terminal, 1, i % RING, "lost", 4);
		assert_true(port_written(&terminal, 1, 10000));
	}
	control_expect(&terminal, 1, EVENT_PORT_OPEN, 0, "");
	assert_false(is_broken(&terminal, 1));
	on_loop(&terminal, look_for_sigpipe, &sigpipe_pending);
	assert_int_equal(sigpipe_pending, 0);
	teardown(&terminal, &pipes);
}

static void test_broken_socket_discards_further_output(void **state)
{
	struct fl_console_port_opts ports[2] = {{.in_fd = -1, .out_fd = -1}, {.name = "out", .in_fd = -1}};
	struct terminal terminal;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ports[1].out_fd = fds[1];
	terminal_init(&terminal, ports, 2);
	close(fds[0]);
	for (unsigned int i = 0; i < RING; i++)
		port_queue(&terminal, 1, i, "lost", 4);
	for (unsigned int i = 0; i < RING; i++)
		assert_true(port_written(&terminal, 1, 10000));
	terminal_fini(&terminal);
	close(fds[1]);
}

/* Input that the guest cannot get now is not taken from the descriptor either. */
static void test_broken_device_leaves_its_input_alone(void **state)
{
	struct terminal terminal;
	struct pipes pipes;

	(void)state;
	setup(&terminal, &pipes);
	port_open(&terminal, 2);
	ring_put16(&terminal.guest, avail_idx(&terminal.out[1].queue), 1000);
	mmio_put(terminal.dev, MMIO_QUEUE_NOTIFY, terminal.out[1].index);
	assert_true(is_broken(&terminal, 10000));
	assert_int_equal(write(pipes.in[1], "later", 5), 5);
	let_rounds_pass(&terminal);
	assert_int_equal(bytes_in(pipes.in[0]), 5);
	teardown(&terminal, &pipes);
}

static int temp_file(void)
{
	char name[] = "/tmp/fl-test-console-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(name);
	return fd;
}

static void test_regular_files(void **state)
{
	struct fl_console_port_opts ports[3] = {
		{.in_fd = -1, .out_fd = -1}, {.name = "out", .in_fd = -1}, {.name = "in", .out_fd = -1}};
	FL_CLOSE int out = temp_file();
	FL_CLOSE int in = temp_file();
	struct terminal terminal;
	uint8_t bytes[BUFFER_LEN], got[2 * BUFFER_LEN];
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = pattern(i);
	assert_int_equal(pwrite(in, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(pwrite(in, bytes, 100, sizeof(bytes)), 100);
	ports[1].out_fd = out;
	ports[2].in_fd = in;
	terminal_init(&terminal, ports, 3);
	port_queue(&terminal, 1, 0, bytes, sizeof(bytes));
	port_queue(&terminal, 1, 1, bytes, 10);
	assert_true(port_written(&terminal, 1, 10000) && port_written(&terminal, 1, 10000));
	assert_int_equal(pread(out, got, sizeof(got), 0), sizeof(bytes) + 10);
	assert_memory_equal(got, bytes, sizeof(bytes));
	assert_memory_equal(got + sizeof(bytes), bytes, 10);
	port_open(&terminal, 2);
	while (len < sizeof(bytes) + 100) {
		size_t n = port_read(&terminal, 2, got + len, 10000, false);

		assert_true(n > 0);
		len += n;
	}
	assert_memory_equal(got, bytes, sizeof(bytes));
	assert_memory_equal(got + sizeof(bytes), bytes, 100);
	control_expect(&terminal, 2, EVENT_PORT_OPEN, 0, "");
	terminal_fini(&terminal);
}

static void test_port_without_descriptor_discards(void **state)
{
	struct terminal terminal;
	struct pipes pipes;

	(void)state;
	setup(&terminal, &pipes);
	for (unsigned int i = 0; i < 3 * RING; i++) {
		port_queue(&terminal, 0, i % RING, "boot message", 12);
		assert_true(port_written(&terminal, 0, 10000));
	}
	teardown(&terminal, &pipes);
}

static void test_input_without_descriptor_is_at_its_end(void **state)
{
	struct fl_console_port_opts ports[2] = {{.in_fd = -1, .out_fd = -1},
						{.name = "in", .in_fd = -1, .out_fd = -1, .is_input = true}};
	struct terminal terminal;
	struct message message;

	(void)state;
	terminal_init(&terminal, ports, 2);
	assert_false(control_receive(&terminal, QUIET_MS, &message));
	port_open(&terminal, 1);
	control_expect(&terminal, 1, EVENT_PORT_OPEN, 0, "");
	terminal_fini(&terminal);
}

/* A port with both: PORT_OPEN 0 would stop the guest's writes, so its end of input is not told. */
static void test_port_with_output_stays_open_after_its_input_ends(void **state)
{
	struct fl_console_port_opts ports[1] = {{.in_fd = -1, .out_fd = -1}};
	struct terminal terminal;
	struct message message;
	int in[2], out[2];
	uint8_t got[8];

	(void)state;
	make_pipe(in);
	make_pipe(out);
	ports[0].in_fd = in[0];
	ports[0].out_fd = out[1];
	terminal_init(&terminal, ports, 1);
	port_open(&terminal, 0);
	close(in[1]);
	assert_false(control_receive(&terminal, QUIET_MS, &message));
	port_queue(&terminal, 0, 0, "still", 5);
	assert_true(port_written(&terminal, 0, 10000));
	assert_int_equal(read(out[0], got, sizeof(got)), 5);
	terminal_fini(&terminal);
	close(in[0]);
	close(out[0]);
	close(out[1]);
}

/* A channel: one socket for both ways, each with a descriptor of its own. */
static void test_one_socket_carries_both_ways(void **state)
{
	struct fl_console_port_opts ports[2] = {{.in_fd = -1, .out_fd = -1}, {.name = "channel"}};
	struct terminal terminal;
	uint8_t got[BUFFER_LEN];
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ports[1].in_fd = fds[1];
	ports[1].out_fd = dup(fds[1]);
	terminal_init(&terminal, ports, 2);
	port_open(&terminal, 1);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(write(fds[0], "ask", 3), 3);
		assert_int_equal(port_read(&terminal, 1, got, 10000, true), 3);
		assert_memory_equal(got, "ask", 3);
		port_queue(&terminal, 1, i, "answer", 6);
		assert_true(port_written(&terminal, 1, 10000));
		assert_int_equal(read(fds[0], got, sizeof(got)), 6);
		assert_memory_equal(got, "answer", 6);
	}
	/* the caller goes: output is discarded, and what the guest does else goes on */
	close(fds[0]);
	for (unsigned int i = 0; i < RING; i++) {
		port_queue(&terminal, 1, i, "lost", 4);
		assert_true(port_written(&terminal, 1, 10000));
	}
	assert_false(is_broken(&terminal, 1));
	terminal_fini(&terminal);
	close(fds[1]);
	close(ports[1].out_fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_output_carries_every_byte_value),
	cmocka_unit_test(test_input_carries_every_byte_value),
	cmocka_unit_test(test_input_waits_until_the_guest_opens),
	cmocka_unit_test(test_input_waits_for_buffers),
	cmocka_unit_test(test_end_of_input_is_told_after_the_last_byte_is_taken),
	cmocka_unit_test(test_blocked_port_holds_up_nobody_else),
	cmocka_unit_test(test_broken_pipe_is_told_and_discards_further_output),
	cmocka_unit_test(test_broken_socket_discards_further_output),
	cmocka_unit_test(test_broken_device_leaves_its_input_alone),
	cmocka_unit_test(test_one_socket_carries_both_ways),
	cmocka_unit_test(test_regular_files),
	cmocka_unit_test(test_port_without_descriptor_discards),
	cmocka_unit_test(test_input_without_descriptor_is_at_its_end),
	cmocka_unit_test(test_port_with_output_stays_open_after_its_input_ends),
};
FL_TEST_MAIN(55, tests)
