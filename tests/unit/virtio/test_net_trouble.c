/* SPDX-License-Identifier: Apache-2.0 */
/* The network device with a peer that is slow, gone or mad, with memory that goes away, and with hostile drivers. */
#include "tests/lib/fl_test.h"

#include "tests/unit/virtio/cut_file.h"
#include "tests/unit/virtio/net_driver.h"

#define QUIET_MS 30 /* long enough for what must not come to have come */

static void expect_broken(struct station *station)
{
	for (int i = 0; i < 100000 && !(mmio_get(station->dev, MMIO_STATUS) & STATUS_NEEDS_RESET); i++)
		usleep(100);
	assert_true(mmio_get(station->dev, MMIO_STATUS) & STATUS_NEEDS_RESET);
}

/* Sends large frames until the socket is full; returns how many were offered, all of them at FRAMES_GPA. */
static unsigned int fill_socket(struct station *station)
{
	uint32_t id, len;
	unsigned int offered = 0;

	fill_frame((uint8_t *)at(&station->guest, FRAMES_GPA) + HDR, 60000, 9);
	do
		send_at(station, offered++ % RING, FRAMES_GPA, 60000);
	while (used_in(station, TX, QUIET_MS, &id, &len));
	assert_in_range(offered, 2, 1000);
	return offered;
}

static void test_a_slow_peer_holds_up_only_what_is_for_it(void **state)
{
	struct station *station = *state;
	unsigned int offered;
	uint32_t id, len;

	station_bring_up(station, FEATURES);
	give_all(station);
	offered = fill_socket(station);
	peer_send(station, 77, 1);
	expect_received(station, 77, 1);
	for (unsigned int i = 0; i < offered; i++)
		peer_expect(station, 60000, 9);
	assert_true(used_in(station, TX, 10000, &id, &len));
	send_frame(station, 0, 50, 2);
	peer_expect(station, 50, 2);
}

static void test_a_peer_that_goes_takes_the_link_down_once(void **state)
{
	struct station *station = *state;

	station_bring_up(station, FEATURES);
	give_all(station);
	close(station->peer);
	station->peer = -1;
	expect_link_down(station);
	expect_log_lines(station, 1);
	for (unsigned int i = 0; i < 5; i++) {
		send_frame(station, i, 60, 0);
		expect_sent(station, i);
	}
	assert_true(mmio_get(station->dev, MMIO_INTERRUPT_STATUS) & 2); /* 4.2.2: configuration change */
	expect_log_lines(station, 1);
	/* a new driver finds the same */
	station_bring_up(station, FEATURES);
	assert_int_equal(link_status(station), 0);
	send_frame(station, 0, 60, 0);
	expect_sent(station, 0);
	expect_log_lines(station, 1);
}

static void test_a_peer_that_goes_frees_what_waits_for_it(void **state)
{
	struct station *station = *state;
	uint32_t id, len;

	station_bring_up(station, FEATURES);
	give_all(station);
	(void)fill_socket(station);
	close(station->peer);
	station->peer = -1;
	assert_true(used_in(station, TX, 10000, &id, &len));
	expect_link_down(station);
}

static void test_a_length_that_cannot_be_takes_the_link_down(void **state)
{
	struct station *station = *state;
	uint8_t head[4];

	station_bring_up(station, FEATURES);
	give_all(station);
	put_length(head, FL_NET_FRAME_MAX + 1);
	peer_write(station, head, sizeof(head));
	expect_link_down(station);
	expect_log_lines(station, 1);
}

/* A frame whose memory is gone at its first byte is not begun, one that is begun is finished with something. */
static void test_lost_memory_costs_the_frame_and_no_more(void **state)
{
	struct station *station = *state;
	struct cut_file file;
	uint32_t id, len;

	add_window(&station->guest, &file);
	station_bring_up(station, FEATURES);
	give(station, 0, WINDOW_GPA + GOOD_LEN, 2000); /* all of it is gone */
	give(station, 1, WINDOW_GPA + GOOD_LEN - 100, 2000);
	give(station, 2, buffer(station, RX, 2), BUFFER_LEN);
	peer_send(station, 500, 1);
	peer_send(station, 500, 2);
	peer_send(station, 500, 3);
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(used_in(station, RX, 10000, &id, &len));
		assert_int_equal(id, i);
		assert_int_equal(len, 0);
	}
	expect_received(station, 500, 3);

	send_at(station, 0, WINDOW_GPA + GOOD_LEN, 500);
	send_at(station, 1, WINDOW_GPA + GOOD_LEN - 200, 500);
	send_frame(station, 2, 500, 4);
	for (unsigned int i = 0; i < 3; i++)
		expect_sent(station, i);
	peer_expect(station, 500, 4);
	fl_loop_stop(station->loop);
	fl_window_free(file.window);
	close(file.fd);
}

/* The peer has been promised 60000 bytes; the reset comes when some of them are sent. */
static void test_a_reset_leaves_no_half_frame_behind(void **state)
{
	struct station *station = *state;
	unsigned int offered;
	uint8_t *bytes = malloc(60000);

	station_bring_up(station, FEATURES);
	offered = fill_socket(station);
	mmio_put(station->dev, MMIO_STATUS, 0);
	station_bring_up(station, FEATURES);
	send_frame(station, 0, 100, 3);
	for (unsigned int i = 0; i < offered; i++) {
		uint32_t len = peer_read_head(station);

		if (len == 100) { /* the last one was not begun */
			peer_read(station, bytes, 100);
			assert_frame(bytes, 100, 3);
			free(bytes);
			return;
		}
		assert_int_equal(len, 60000);
		peer_read(station, bytes, 60000);
	}
	free(bytes);
	peer_expect(station, 100, 3);
}

static void test_a_reset_in_a_frame_from_the_peer_loses_only_that(void **state)
{
	struct station *station = *state;
	uint8_t bytes[4 + 500];

	station_bring_up(station, FEATURES);
	give_all(station);
	put_length(bytes, 500);
	fill_frame(bytes + 4, 500, 1);
	peer_write(station, bytes, 300);
	usleep(QUIET_MS * 1000);
	station_bring_up(station, FEATURES);
	give_all(station);
	peer_write(station, bytes + 300, sizeof(bytes) - 300);
	peer_send(station, 64, 2);
	expect_received(station, 64, 2);
}

static void test_a_receive_buffer_without_room_breaks_the_device(void **state)
{
	struct station *station = *state;

	station_bring_up(station, FEATURES);
	give(station, 0, buffer(station, RX, 0), HDR - 1);
	peer_send(station, 60, 1);
	expect_broken(station);
	/* and a reset mends it; the frame has found no room */
	station_bring_up(station, FEATURES);
	give_all(station);
	peer_send(station, 60, 2);
	expect_received(station, 60, 2);
}

static void test_malformed_rings_break_the_device(void **state)
{
	struct station *station = *state;

	station_bring_up(station, FEATURES);
	offer(&station->queues[TX], RING + 1);
	notify(station, TX);
	expect_broken(station);
	station_bring_up(station, FEATURES);
	offer(&station->queues[RX], RING + 1);
	notify(station, RX);
	peer_send(station, 60, 1);
	expect_broken(station);
}

static void test_buffers_outside_memory_cost_the_frame(void **state)
{
	struct station *station = *state;
	uint32_t id, len;

	station_bring_up(station, FEATURES);
	give(station, 0, UINT64_C(0x7000000000), BUFFER_LEN);
	give(station, 1, buffer(station, RX, 1), BUFFER_LEN);
	peer_send(station, 60, 1);
	peer_send(station, 60, 2);
	assert_true(used_in(station, RX, 10000, &id, &len));
	assert_int_equal(len, 0);
	expect_received(station, 60, 2);
	send_at(station, 0, UINT64_C(0x7000000000), 60);
	send_frame(station, 1, 60, 3);
	expect_sent(station, 0);
	peer_expect(station, 60, 3);
}

static void test_only_a_stream_socket_will_do(void **state)
{
	struct station *station = *state;
	struct fl_net_device_opts opts = {
		.transport = {.gpa = 0xfeb01000, .vm_fd = -1, .map = &station->guest.map, .loop = station->loop}};
	struct fl_net *net;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	opts.fd = pair[0];
	assert_int_equal(fl_net_new(&opts, &net, NULL), -EINVAL);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(pipe(pair), 0);
	opts.fd = pair[0];
	assert_int_equal(fl_net_new(&opts, &net, NULL), -ENOTSOCK);
	close(pair[0]);
	close(pair[1]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_a_slow_peer_holds_up_only_what_is_for_it, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_a_peer_that_goes_takes_the_link_down_once, station_setup,
					station_teardown),
	cmocka_unit_test_setup_teardown(test_a_peer_that_goes_frees_what_waits_for_it, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_a_length_that_cannot_be_takes_the_link_down, station_setup,
					station_teardown),
	cmocka_unit_test_setup_teardown(test_lost_memory_costs_the_frame_and_no_more, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_a_reset_leaves_no_half_frame_behind, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_a_reset_in_a_frame_from_the_peer_loses_only_that, station_setup,
					station_teardown),
	cmocka_unit_test_setup_teardown(test_a_receive_buffer_without_room_breaks_the_device, station_setup,
					station_teardown),
	cmocka_unit_test_setup_teardown(test_malformed_rings_break_the_device, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_buffers_outside_memory_cost_the_frame, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_only_a_stream_socket_will_do, station_setup, station_teardown),
};
FL_TEST_MAIN(60, tests)
