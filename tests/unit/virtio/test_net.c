/* SPDX-License-Identifier: Apache-2.0 */
/* Frames through the network device, against virtio 1.2, 5.1, and the framing of its socket. */
#include "tests/lib/fl_test.h"

#include "tests/unit/virtio/net_driver.h"

static void test_what_the_device_says_of_itself(void **state)
{
	static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};
	struct station *station = *state;
	uint64_t offered = mmio_device_features(station->dev);
	uint8_t got[6];
	uint16_t mtu;

	assert_int_equal(mmio_get(station->dev, MMIO_DEVICE_ID), 1); /* 5.1.1 */
	assert_true((offered & FEATURES) == FEATURES);
	assert_true(offered & FEATURE_MTU);
	/* no offload: checksums and segments are the guest's affair (bits 0, 1, 7 to 14) */
	assert_int_equal(offered & 0x7f83, 0);
	for (unsigned int i = 0; i < 6; i++)
		fl_virtio_mmio_access(station->dev, MMIO_CONFIG + i, false, &got[i], 1);
	assert_memory_equal(got, mac, 6);
	fl_virtio_mmio_access(station->dev, MMIO_CONFIG + 10, false, &mtu, 2);
	assert_int_equal(mtu, 65520);
	assert_int_equal(link_status(station), 1);
}

static void test_frames_go_out_behind_their_length(void **state)
{
	struct station *station = *state;

	station_bring_up(station, FEATURES);
	send_frame(station, 0, 60, 1);
	send_frame(station, 1, 1514, 2);
	peer_expect(station, 60, 1);
	peer_expect(station, 1514, 2);
	expect_sent(station, 0);
	expect_sent(station, 1);
}

static void test_frames_come_in_behind_a_header(void **state)
{
	struct station *station = *state;

	station_bring_up(station, FEATURES);
	peer_send(station, 60, 1); /* waits in the socket until there is a buffer */
	give_all(station);
	peer_send(station, 1514, 2);
	assert_int_equal(expect_received(station, 60, 1), 0);
	assert_int_equal(expect_received(station, 1514, 2), 1);
}

/* A chain of many small pieces is one frame: 2.7.4, no framing. */
static void test_a_frame_in_pieces_is_one_frame(void **state)
{
	struct station *station = *state;
	uint64_t table = guest_alloc(&station->guest, 16 * 112);
	uint8_t *bytes = at(&station->guest, FRAMES_GPA);

	station_bring_up(station, FEATURES | FEATURE_INDIRECT_DESC);
	fill_frame(bytes + HDR, 1000, 5);
	/* 5 bytes of the header, 107 pieces of 9 bytes, the rest: 5 + 963 + 44 */
	put_desc(&station->guest, table, 0, FRAMES_GPA, 5, DESC_F_NEXT, 1);
	for (unsigned int i = 1; i < 108; i++)
		put_desc(&station->guest, table, i, FRAMES_GPA + 5 + 9 * (i - 1), 9, DESC_F_NEXT, i + 1);
	put_desc(&station->guest, table, 108, FRAMES_GPA + 968, 44, 0, 0);
	put_desc(&station->guest, station->queues[TX].desc, 0, table, 16 * 109, DESC_F_INDIRECT, 0);
	offer(&station->queues[TX], 0);
	notify(station, TX);
	peer_expect(station, 1000, 5);
}

static void test_the_largest_frames_pass_both_ways(void **state)
{
	struct station *station = *state;
	uint8_t *bytes = at(&station->guest, FRAMES_GPA);
	uint32_t id, len;

	station_bring_up(station, FEATURES);
	fill_frame(bytes + HDR, FL_NET_FRAME_MAX, 3);
	send_at(station, 0, FRAMES_GPA, FL_NET_FRAME_MAX);
	peer_expect(station, FL_NET_FRAME_MAX, 3);
	expect_sent(station, 0);
	memset(bytes, 0xff, HDR + FL_NET_FRAME_MAX);
	give(station, 0, FRAMES_GPA, HDR + FL_NET_FRAME_MAX + 100);
	peer_send(station, FL_NET_FRAME_MAX, 4);
	assert_true(used_in(station, RX, 10000, &id, &len));
	assert_int_equal(len, HDR + FL_NET_FRAME_MAX);
	assert_frame(bytes + HDR, FL_NET_FRAME_MAX, 4);
	assert_int_equal(bytes[HDR + FL_NET_FRAME_MAX], 0);
}

/* 5.1.6.4.1: the device sets num_buffers, and uses the buffers at once, so that the driver finds them all. */
static void test_a_frame_is_spread_over_buffers(void **state)
{
	struct station *station = *state;
	uint32_t frame_len = 9000, at_byte = 0, id = 0, len = 0;
	uint16_t seen;

	station_bring_up(station, FEATURES);
	give_all(station);
	for (unsigned int round = 0; round < 200; round++) {
		uint16_t before = station->queues[RX].used_seen;
		uint8_t *frame = malloc(frame_len);

		peer_send(station, frame_len, round);
		do
			seen = ring_get16(&station->guest, station->queues[RX].used + 2);
		while (seen == before);
		assert_int_equal((uint16_t)(seen - before), 5); /* (12 + 9000) / 2048, rounded up */
		at_byte = 0;
		for (unsigned int i = 0; i < 5; i++) {
			const uint8_t *bytes;
			uint32_t header = i ? 0 : HDR;

			assert_true(take_used(&station->queues[RX], &id, &len));
			bytes = at(&station->guest, buffer(station, RX, id));
			if (i == 0)
				assert_int_equal(bytes[10] | bytes[11] << 8, 5);
			assert_int_equal(len, i < 4 ? BUFFER_LEN : HDR + frame_len - 4 * BUFFER_LEN);
			memcpy(frame + at_byte, bytes + header, len - header);
			at_byte += len - header;
			give(station, id, buffer(station, RX, id), BUFFER_LEN);
		}
		assert_int_equal(at_byte, frame_len);
		assert_frame(frame, frame_len, round);
		free(frame);
	}
}

static void test_without_merging_a_frame_needs_one_buffer(void **state)
{
	struct station *station = *state;
	uint32_t id, len;

	station_bring_up(station, FEATURES & ~FEATURE_MRG);
	give_all(station);
	peer_send(station, BUFFER_LEN - HDR + 1, 1);
	peer_send(station, BUFFER_LEN - HDR, 2);
	assert_true(used_in(station, RX, 10000, &id, &len));
	assert_int_equal(len, 0); /* dropped, and its buffer given back */
	expect_received(station, BUFFER_LEN - HDR, 2);
}

/* Fewer buffers at a time than a frame takes, for ever: it is dropped and does not stop the rest. */
static void test_a_frame_larger_than_all_buffers_is_dropped(void **state)
{
	struct station *station = *state;
	uint32_t id, len;

	station_bring_up(station, FEATURES);
	for (unsigned int i = 0; i < RING; i++)
		give(station, i, buffer(station, RX, i), 128);
	peer_send(station, 16 * 128, 1);
	peer_send(station, 100, 2);
	for (unsigned int i = 0; i < RING; i++) {
		assert_true(used_in(station, RX, 10000, &id, &len));
		assert_int_equal(len, 0);
		give(station, id, buffer(station, RX, id), 128);
	}
	expect_received(station, 100, 2);
}

/* Whatever pieces the stream comes in. */
static void test_a_stream_of_single_bytes_is_the_same_frames(void **state)
{
	struct station *station = *state;
	uint8_t bytes[3][4 + 60];

	station_bring_up(station, FEATURES);
	give_all(station);
	for (unsigned int i = 0; i < 3; i++) {
		put_length(bytes[i], 60);
		fill_frame(bytes[i] + 4, 60, i);
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		peer_write(station, (const uint8_t *)bytes + i, 1);
		if (i % 16 == 0)
			usleep(1000);
	}
	for (unsigned int i = 0; i < 3; i++)
		expect_received(station, 60, i);
}

static void test_short_frames_are_dropped_both_ways(void **state)
{
	struct station *station = *state;
	struct fl_net_stats stats;

	station_bring_up(station, FEATURES);
	give_all(station);
	peer_send(station, 0, 0);
	peer_send(station, 13, 0);
	peer_send(station, 14, 1);
	assert_int_equal(expect_received(station, 14, 1), 0);
	send_frame(station, 0, 13, 0);
	send_at(station, 1, buffer(station, TX, 1), 0);
	put_desc(&station->guest, station->queues[TX].desc, 2, buffer(station, TX, 2), HDR - 1, 0, 0);
	offer(&station->queues[TX], 2);
	send_at(station, 3, FRAMES_GPA, FL_NET_FRAME_MAX + 1);
	send_frame(station, 4, 14, 2);
	for (unsigned int i = 0; i < 5; i++)
		expect_sent(station, i);
	peer_expect(station, 14, 2);
	fl_loop_stop(station->loop);
	fl_net_get_stats(station->net, &stats);
	assert_int_equal(stats.sent, 1);
	assert_int_equal(stats.received, 1);
	assert_int_equal(stats.sent_dropped, 4);
	assert_int_equal(stats.received_dropped, 2);
}

static void test_many_frames_pass_in_order(void **state)
{
	struct station *station = *state;
	uint32_t id, len;

	station_bring_up(station, FEATURES);
	give_all(station);
	for (unsigned int round = 0; round < 500; round++) {
		for (unsigned int i = 0; i < RING; i++)
			send_frame(station, i, 100 + round, i);
		for (unsigned int i = 0; i < RING; i++)
			peer_send(station, 14 + round, i);
		for (unsigned int i = 0; i < RING; i++) {
			peer_expect(station, 100 + round, i);
			assert_true(used_in(station, TX, 10000, &id, &len));
			id = expect_received(station, 14 + round, i);
			give(station, id, buffer(station, RX, id), BUFFER_LEN);
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_what_the_device_says_of_itself, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_frames_go_out_behind_their_length, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_frames_come_in_behind_a_header, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_a_frame_in_pieces_is_one_frame, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_the_largest_frames_pass_both_ways, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_a_frame_is_spread_over_buffers, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_without_merging_a_frame_needs_one_buffer, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_a_frame_larger_than_all_buffers_is_dropped, station_setup,
					station_teardown),
	cmocka_unit_test_setup_teardown(test_a_stream_of_single_bytes_is_the_same_frames, station_setup,
					station_teardown),
	cmocka_unit_test_setup_teardown(test_short_frames_are_dropped_both_ways, station_setup, station_teardown),
	cmocka_unit_test_setup_teardown(test_many_frames_pass_in_order, station_setup, station_teardown),
};
FL_TEST_MAIN(60, tests)
