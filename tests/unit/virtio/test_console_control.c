/* SPDX-License-Identifier: Apache-2.0 */
/* The console as a device: hand-shake, order between ports, reset, and drivers that break the rules. */
#include "tests/lib/fl_test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/virtio/console_driver.h"

#define QUIET_MS 30

/* What a port's `received` got. */
struct ear {
	char text[256];
	atomic_size_t len;
};

static void on_received(void *arg, const void *bytes, size_t len)
{
	struct ear *ear = arg;
	size_t have = atomic_load(&ear->len);

	if (have + len > sizeof(ear->text))
		return;
	memcpy(ear->text + have, bytes, len);
	atomic_store(&ear->len, have + len);
}

/* Ports 0 nothing, 1 a pipe of one page, 2 `received`. */
struct stage {
	struct terminal terminal;
	struct fl_console_port_opts ports[3];
	struct ear ear;
	int pipe[2];
};

static int stage_setup(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	*state = stage;
	if (pipe2(stage->pipe, O_CLOEXEC) || fcntl(stage->pipe[1], F_SETPIPE_SZ, 4096) != 4096)
		return -1;
	stage->ports[0] = (struct fl_console_port_opts){.in_fd = -1, .out_fd = -1};
	stage->ports[1] = (struct fl_console_port_opts){.name = "fl.stdout", .in_fd = -1, .out_fd = stage->pipe[1]};
	stage->ports[2] = (struct fl_console_port_opts){
		.name = "fl.status", .in_fd = -1, .out_fd = -1, .received = on_received, .arg = &stage->ear};
	terminal_make(&stage->terminal, stage->ports, 3);
	return 0;
}

static int stage_teardown(void **state)
{
	struct stage *stage = *state;

	terminal_fini(&stage->terminal);
	close(stage->pipe[0]);
	close(stage->pipe[1]);
	free(stage);
	return 0;
}

static void bring_up(struct stage *stage)
{
	terminal_start(&stage->terminal);
	terminal_shake_hands(&stage->terminal, stage->ports);
}

static void test_configuration_and_queues(void **state)
{
	struct stage *stage = *state;
	struct fl_virtio_mmio *dev = stage->terminal.dev;

	assert_int_equal(mmio_get(dev, MMIO_DEVICE_ID), 3);
	assert_true(mmio_device_features(dev) & FEATURE_MULTIPORT);
	/* 5.3.4: cols, rows (no F_SIZE: 0), max_nr_ports */
	assert_int_equal(mmio_get(dev, MMIO_CONFIG), 0);
	assert_int_equal(mmio_get(dev, MMIO_CONFIG + 4), 3);
	/* 5.3.2: 2 and 3 are control, port n has 2n+2 and 2n+3 */
	mmio_put(dev, MMIO_QUEUE_SEL, 7);
	assert_true(mmio_get(dev, MMIO_QUEUE_NUM_MAX) > 0);
	mmio_put(dev, MMIO_QUEUE_SEL, 8);
	assert_int_equal(mmio_get(dev, MMIO_QUEUE_NUM_MAX), 0);
}

/* The hand-shake itself, with its order, is checked by terminal_shake_hands(). */
static void test_hand_shake_and_nothing_more(void **state)
{
	struct stage *stage = *state;
	struct message message;

	bring_up(stage);
	assert_false(control_receive(&stage->terminal, QUIET_MS, &message));
}

static void test_failed_driver_or_port_is_left_alone(void **state)
{
	struct stage *stage = *state;
	struct message message;

	terminal_start(&stage->terminal);
	for (unsigned int i = 0; i < RING; i++)
		lane_offer(&stage->terminal, &stage->terminal.control_in, i, BUFFER_LEN, DESC_F_WRITE);
	control_send(&stage->terminal, UINT32_MAX, EVENT_DEVICE_READY, 0);
	control_send(&stage->terminal, 1, EVENT_PORT_READY, 0);
	assert_false(control_receive(&stage->terminal, QUIET_MS, &message));
}

static void test_nonsense_on_the_control_queue_is_ignored(void **state)
{
	struct stage *stage = *state;
	struct message message;

	bring_up(stage);
	control_send(&stage->terminal, 3, EVENT_PORT_READY, 1);
	control_send(&stage->terminal, UINT32_MAX, EVENT_PORT_OPEN, 1);
	control_send(&stage->terminal, 0, 999, 1);
	control_send_bytes(&stage->terminal, "short", 5);
	assert_false(control_receive(&stage->terminal, QUIET_MS, &message));
	assert_false(is_broken(&stage->terminal, 1));
}

/* What the device owes does not grow with what the guest asks. */
static void test_control_flood_without_buffers_is_bounded(void **state)
{
	struct stage *stage = *state;
	struct message message;

	terminal_start(&stage->terminal);
	for (int i = 0; i < 300; i++)
		control_send(&stage->terminal, UINT32_MAX, EVENT_DEVICE_READY, 1);
	for (unsigned int i = 0; i < RING; i++)
		lane_offer(&stage->terminal, &stage->terminal.control_in, i, BUFFER_LEN, DESC_F_WRITE);
	for (unsigned int i = 0; i < 3; i++)
		control_expect(&stage->terminal, i, EVENT_PORT_ADD, 1, "");
	assert_false(control_receive(&stage->terminal, QUIET_MS, &message));
}

static void test_small_control_buffer_breaks_the_device(void **state)
{
	struct stage *stage = *state;

	terminal_start(&stage->terminal);
	lane_offer(&stage->terminal, &stage->terminal.control_in, 0, 7, DESC_F_WRITE);
	control_send(&stage->terminal, UINT32_MAX, EVENT_DEVICE_READY, 1);
	assert_true(is_broken(&stage->terminal, 10000));
}

static void test_malformed_output_ring_breaks_the_device(void **state)
{
	struct stage *stage = *state;
	struct lane *lane = &stage->terminal.out[1];

	bring_up(stage);
	put_desc(&stage->terminal.guest, lane->queue.desc, 0, buffer_gpa(lane, 0), 1, DESC_F_NEXT, 0);
	offer(&lane->queue, 0);
	mmio_put(stage->terminal.dev, MMIO_QUEUE_NOTIFY, lane->index);
	assert_true(is_broken(&stage->terminal, 10000));
}

static void test_input_buffer_without_room_breaks_the_device(void **state)
{
	struct fl_console_port_opts ports[2] = {{.in_fd = -1, .out_fd = -1}, {.name = "in", .out_fd = -1}};
	struct terminal terminal;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	ports[1].in_fd = fds[0];
	terminal_make(&terminal, ports, 2);
	terminal_start(&terminal);
	lane_offer(&terminal, &terminal.in[1], 0, 16, 0); /* readable */
	/* PORT_OPEN 1; the device is broken before it gives this buffer back */
	memcpy(at(&terminal.guest, buffer_gpa(&terminal.control_out, 0)), "\1\0\0\0\6\0\1", 8);
	lane_offer(&terminal, &terminal.control_out, 0, 8, 0);
	assert_true(is_broken(&terminal, 10000));
	terminal_fini(&terminal);
	close(fds[0]);
	close(fds[1]);
}

/* The page of a DAX file can vanish under a guest's write: that write is dropped, nothing breaks. */
static void test_output_from_memory_that_is_gone_is_dropped(void **state)
{
	struct stage *stage = *state;
	struct lane *lane = &stage->terminal.out[1];
	char got[16];

	bring_up(stage);
	put_desc(&stage->terminal.guest, lane->queue.desc, 0, RAM_GPA + RAM_LEN, 100, 0, 0);
	offer(&lane->queue, 0);
	lane->offered++;
	mmio_put(stage->terminal.dev, MMIO_QUEUE_NOTIFY, lane->index);
	assert_true(port_written(&stage->terminal, 1, 10000));
	port_queue(&stage->terminal, 1, 1, "next", 4);
	assert_true(port_written(&stage->terminal, 1, 10000));
	assert_int_equal(read(stage->pipe[0], got, sizeof(got)), 4);
	assert_false(is_broken(&stage->terminal, 1));
}

static void wait_until_heard(const struct ear *ear, size_t len)
{
	for (int i = 0; i < 100000 && atomic_load(&ear->len) < len; i++)
		usleep(100);
	assert_int_equal(atomic_load(&ear->len), len);
}

static void test_received_bytes_are_handed_over(void **state)
{
	struct stage *stage = *state;

	bring_up(stage);
	port_queue(&stage->terminal, 2, 0, "start\n", 6);
	assert_true(port_written(&stage->terminal, 2, 10000));
	assert_int_equal(stage->ear.len, 6);
	port_queue(&stage->terminal, 2, 1, "exit\0 3\n", 8);
	assert_true(port_written(&stage->terminal, 2, 10000));
	assert_int_equal(stage->ear.len, 14);
	assert_memory_equal(stage->ear.text, "start\nexit\0 3\n", 14);
}

static void test_status_comes_after_output_that_was_queued_before(void **state)
{
	struct stage *stage = *state;
	struct terminal *terminal = &stage->terminal;
	uint8_t page[BUFFER_LEN];

	bring_up(stage);
	/* the first page fills the pipe, the second waits, and so does the status behind it */
	memset(page, 'a', sizeof(page));
	port_queue(terminal, 1, 0, page, sizeof(page));
	memset(page, 'b', sizeof(page));
	port_queue(terminal, 1, 1, page, sizeof(page));
	port_queue(terminal, 2, 0, "exit 0\n", 7);
	assert_true(port_written(terminal, 1, 10000));
	assert_false(port_written(terminal, 2, QUIET_MS));
	assert_int_equal(stage->ear.len, 0);
	/* queued after the status: must not delay it */
	port_queue(terminal, 1, 2, page, sizeof(page));
	assert_int_equal(read(stage->pipe[0], page, sizeof(page)), sizeof(page));
	assert_int_equal(page[0], 'a');
	assert_true(port_written(terminal, 1, 10000));
	wait_until_heard(&stage->ear, 7);
	assert_true(port_written(terminal, 2, 10000));
	assert_false(port_written(terminal, 1, QUIET_MS));
	assert_int_equal(read(stage->pipe[0], page, sizeof(page)), sizeof(page));
	assert_int_equal(page[0], 'b');
}

struct drain {
	struct fl_console *console;
	int timeout_ms;
	bool all;
};

static void run_drain(void *arg)
{
	struct drain *drain = arg;

	drain->all = fl_console_drain(drain->console, drain->timeout_ms);
}

static void test_drain_waits_for_slow_readers_but_not_for_ever(void **state)
{
	struct stage *stage = *state;
	struct drain drain = {.console = stage->terminal.console, .timeout_ms = 20};
	uint8_t page[BUFFER_LEN] = {0};

	bring_up(stage);
	on_loop(&stage->terminal, run_drain, &drain);
	assert_true(drain.all);
	port_queue(&stage->terminal, 1, 0, page, sizeof(page));
	port_queue(&stage->terminal, 1, 1, page, 10);
	port_queue(&stage->terminal, 2, 0, "end", 3);
	on_loop(&stage->terminal, run_drain, &drain);
	assert_false(drain.all);
	assert_int_equal(read(stage->pipe[0], page, sizeof(page)), sizeof(page));
	drain.timeout_ms = 10000;
	on_loop(&stage->terminal, run_drain, &drain);
	assert_true(drain.all);
	/* all of it, the status too, before drain came back */
	assert_int_equal(stage->ear.len, 3);
	assert_int_equal(read(stage->pipe[0], page, sizeof(page)), 10);
}

static void test_reset_forgets_and_starts_again(void **state)
{
	struct stage *stage = *state;
	uint8_t page[BUFFER_LEN] = {0};

	bring_up(stage);
	port_queue(&stage->terminal, 1, 0, page, sizeof(page));
	assert_true(port_written(&stage->terminal, 1, 10000));
	port_queue(&stage->terminal, 1, 1, "stuck", 5); /* the pipe is full */
	let_rounds_pass(&stage->terminal);
	bring_up(stage); /* begins with a reset */
	assert_int_equal(ring_get16(&stage->terminal.guest, stage->terminal.out[1].queue.used + 2), 0);
	assert_int_equal(read(stage->pipe[0], page, sizeof(page)), sizeof(page));
	port_queue(&stage->terminal, 1, 0, "fresh", 5);
	assert_true(port_written(&stage->terminal, 1, 10000));
	assert_int_equal(read(stage->pipe[0], page, sizeof(page)), 5);
	assert_memory_equal(page, "fresh", 5);
}

static void test_reset_heals_a_broken_device(void **state)
{
	struct stage *stage = *state;
	uint8_t got[16];

	bring_up(stage);
	ring_put16(&stage->terminal.guest, avail_idx(&stage->terminal.out[1].queue), 1000);
	mmio_put(stage->terminal.dev, MMIO_QUEUE_NOTIFY, stage->terminal.out[1].index);
	assert_true(is_broken(&stage->terminal, 10000));
	bring_up(stage);
	port_queue(&stage->terminal, 1, 0, "well", 4);
	assert_true(port_written(&stage->terminal, 1, 10000));
	assert_int_equal(read(stage->pipe[0], got, sizeof(got)), 4);
}

/* Without F_MULTIPORT there is port 0 alone, open from the beginning (5.3.5). */
static void test_single_port_driver(void **state)
{
	struct fl_console_port_opts ports[1] = {{.in_fd = -1, .out_fd = -1}};
	struct terminal terminal;
	int in[2], out[2];
	uint8_t bytes[BUFFER_LEN];

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	ports[0].in_fd = in[0];
	ports[0].out_fd = out[1];
	terminal_make(&terminal, ports, 1);
	assert_true(mmio_negotiate(terminal.dev, FEATURE_VERSION_1));
	lane_init(&terminal, &terminal.in[0], 0);
	lane_init(&terminal, &terminal.out[0], 1);
	mmio_driver_ok(terminal.dev);
	fill_input(&terminal, &terminal.in[0]);
	assert_int_equal(write(in[1], "ping", 4), 4);
	assert_int_equal(port_read(&terminal, 0, bytes, 10000, false), 4);
	assert_memory_equal(bytes, "ping", 4);
	port_queue(&terminal, 0, 0, "pong", 4);
	assert_true(port_written(&terminal, 0, 10000));
	assert_int_equal(read(out[0], bytes, sizeof(bytes)), 4);
	assert_memory_equal(bytes, "pong", 4);
	terminal_fini(&terminal);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

static void test_bad_options_are_refused(void **state)
{
	struct stage *stage = *state;
	struct fl_console_opts opts = {.port_count = 0};
	struct fl_console *console;
	struct fl_diag diag = {0};
	char name[100];

	(void)stage;
	assert_int_equal(fl_console_new(&opts, &console, &diag), -EINVAL);
	assert_true(diag.text[0]);
	opts.port_count = FL_CONSOLE_PORTS_MAX + 1;
	assert_int_equal(fl_console_new(&opts, &console, &diag), -EINVAL);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	opts.port_count = 2;
	opts.ports[1].name = name;
	assert_int_equal(fl_console_new(&opts, &console, &diag), -EINVAL);
	fl_console_free(NULL);
}

#define STAGE_TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)

static const struct CMUnitTest tests[] = {
	STAGE_TEST(test_configuration_and_queues),
	STAGE_TEST(test_hand_shake_and_nothing_more),
	STAGE_TEST(test_failed_driver_or_port_is_left_alone),
	STAGE_TEST(test_nonsense_on_the_control_queue_is_ignored),
	STAGE_TEST(test_control_flood_without_buffers_is_bounded),
	STAGE_TEST(test_small_control_buffer_breaks_the_device),
	STAGE_TEST(test_malformed_output_ring_breaks_the_device),
	cmocka_unit_test(test_input_buffer_without_room_breaks_the_device),
	STAGE_TEST(test_output_from_memory_that_is_gone_is_dropped),
	STAGE_TEST(test_received_bytes_are_handed_over),
	STAGE_TEST(test_status_comes_after_output_that_was_queued_before),
	STAGE_TEST(test_drain_waits_for_slow_readers_but_not_for_ever),
	STAGE_TEST(test_reset_forgets_and_starts_again),
	STAGE_TEST(test_reset_heals_a_broken_device),
	cmocka_unit_test(test_single_port_driver),
	STAGE_TEST(test_bad_options_are_refused),
};
FL_TEST_MAIN(55, tests)
