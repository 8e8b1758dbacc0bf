/* SPDX-License-Identifier: Apache-2.0 */
/* Megabytes through the console's ports, against peers that dawdle. */
#include "tests/lib/fl_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>

#include "tests/unit/virtio/console_pipes.h"

#define MANY_BYTES (UINT64_C(5) << 20)

struct peer {
	int fd;
	uint64_t done;
	bool wrong;
};

static void *slow_reader(void *arg)
{
	struct peer *peer = arg;
	uint8_t bytes[10000];
	ssize_t n;

	while (peer->done < MANY_BYTES && (n = read(peer->fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			peer->wrong |= bytes[i] != pattern(peer->done + (uint64_t)i);
		peer->done += (uint64_t)n;
		if (peer->done % 8 == 0)
			usleep(200);
	}
	return NULL;
}

/* All of it through a pipe of one page whose reader dawdles, with chains of all lengths. */
static void send_many(struct terminal *terminal, unsigned int port)
{
	uint8_t bytes[BUFFER_LEN];
	uint64_t sent = 0;

	for (unsigned int turn = 0; sent < MANY_BYTES; turn++) {
		uint32_t len = (uint32_t)FL_MIN((uint64_t)turn * 997 % BUFFER_LEN + 1, MANY_BYTES - sent);
		struct lane *lane = &terminal->out[port];

		for (uint32_t i = 0; i < len; i++)
			bytes[i] = pattern(sent + i);
		if (lane->offered == RING)
			assert_true(port_written(terminal, port, 20000));
		port_queue(terminal, port, turn % RING, bytes, len);
		sent += len;
	}
	while (terminal->out[port].offered)
		assert_true(port_written(terminal, port, 20000));
}

static void check_many_bytes_out(const int fds[2])
{
	struct fl_console_port_opts ports[2] = {{.in_fd = -1, .out_fd = -1}, {.name = "out", .in_fd = -1}};
	struct peer peer = {.fd = fds[0]};
	struct terminal terminal;
	pthread_t reader;

	ports[1].out_fd = fds[1];
	terminal_init(&terminal, ports, 2);
	pthread_create(&reader, NULL, slow_reader, &peer);
	send_many(&terminal, 1);
	pthread_join(reader, NULL);
	assert_true(peer.done == MANY_BYTES);
	assert_false(peer.wrong);
	terminal_fini(&terminal);
	close(fds[0]);
	close(fds[1]);
}

static void test_many_bytes_through_a_slow_pipe(void **state)
{
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 4096), 4096);
	check_many_bytes_out(fds);
}

static void test_many_bytes_through_a_slow_socket(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	check_many_bytes_out(fds);
}

static void test_many_bytes_through_a_terminal(void **state)
{
	struct termios termios;
	int fds[2];

	(void)state;
	fds[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(fds[0] >= 0 && grantpt(fds[0]) == 0 && unlockpt(fds[0]) == 0);
	fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(fds[1] >= 0);
	assert_int_equal(tcgetattr(fds[1], &termios), 0);
	cfmakeraw(&termios);
	assert_int_equal(tcsetattr(fds[1], TCSANOW, &termios), 0);
	check_many_bytes_out(fds);
}

static void *fast_writer(void *arg)
{
	struct peer *peer = arg;
	uint8_t bytes[7000];

	while (peer->done < MANY_BYTES) {
		size_t len = (size_t)FL_MIN(MANY_BYTES - peer->done, (uint64_t)sizeof(bytes));

		for (size_t i = 0; i < len; i++)
			bytes[i] = pattern(peer->done + i);
		if (write(peer->fd, bytes, len) != (ssize_t)len)
			break;
		peer->done += len;
	}
	close(peer->fd);
	return NULL;
}

static void test_many_bytes_in_and_then_the_end(void **state)
{
	struct terminal terminal;
	struct pipes pipes;
	uint8_t bytes[BUFFER_LEN];
	struct message message;
	struct peer peer;
	uint64_t got = 0;
	pthread_t writer;

	(void)state;
	setup(&terminal, &pipes);
	port_open(&terminal, 2);
	peer = (struct peer){.fd = fl_steal_fd(&pipes.in[1])};
	pthread_create(&writer, NULL, fast_writer, &peer);
	while (got < MANY_BYTES) {
		size_t n = port_read(&terminal, 2, bytes, 20000, false);

		assert_true(n > 0);
		assert_pattern(bytes, n, got);
		got += n;
	}
	pthread_join(writer, NULL);
	assert_true(got == MANY_BYTES && peer.done == MANY_BYTES);
	control_expect(&terminal, 2, EVENT_PORT_OPEN, 0, "");
	assert_false(control_receive(&terminal, QUIET_MS, &message));
	teardown(&terminal, &pipes);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_many_bytes_through_a_slow_pipe),
	cmocka_unit_test(test_many_bytes_through_a_slow_socket),
	cmocka_unit_test(test_many_bytes_through_a_terminal),
	cmocka_unit_test(test_many_bytes_in_and_then_the_end),
};
FL_TEST_MAIN(55, tests)
