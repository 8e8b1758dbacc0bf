/* SPDX-License-Identifier: Apache-2.0 */
/* A driver for the network device, written from virtio 1.2, 5.1, and the other end of its socket. */
#ifndef NET_DRIVER_H
#define NET_DRIVER_H

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/unit/virtio/driver_model.h"
#include "virtio/net.h"

#define RING	    16
#define BUFFER_LEN  2048u
#define FRAMES_GPA  (RAM_GPA + RAM_LEN / 2) /* for what is longer */
#define RX	    0
#define TX	    1
#define HDR	    12u /* 5.1.6: with num_buffers, since VERSION_1 */
#define FEATURE_MTU (UINT64_C(1) << 3)
#define FEATURE_MAC (UINT64_C(1) << 5)
#define FEATURE_MRG (UINT64_C(1) << 15)
#define FEATURE_STS (UINT64_C(1) << 16)
#define FEATURES    (FEATURE_VERSION_1 | FEATURE_EVENT_IDX | FEATURE_MAC | FEATURE_MRG | FEATURE_STS)

struct station {
	struct guest guest;
	struct fl_loop *loop;
	struct fl_net *net;
	struct fl_virtio_mmio *dev;
	struct driver_queue queues[2];
	uint64_t buffers[2];
	int ours, peer;
	struct fl_log log;
	unsigned int log_lines;
};

static inline void count_line(void *arg, enum fl_log_level level, const char *text)
{
	struct station *station = arg;

	(void)level;
	(void)text;
	__atomic_add_fetch(&station->log_lines, 1, __ATOMIC_RELAXED);
}

static inline void station_queues(struct station *station)
{
	for (unsigned int i = 0; i < 2; i++) {
		driver_queue_init(&station->queues[i], &station->guest, RING);
		mmio_setup_queue(station->dev, i, &station->queues[i]);
	}
	mmio_driver_ok(station->dev);
}

static inline void station_bring_up(struct station *station, uint64_t features)
{
	assert_true(mmio_negotiate(station->dev, features));
	station_queues(station);
}

static inline int station_setup(void **state)
{
	static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};
	struct station *station = calloc(1, sizeof(*station));
	struct fl_net_device_opts opts = {.transport = {.gpa = 0xfeb00000, .vm_fd = -1}, .mtu = 65520};
	int pair[2];

	*state = station;
	station->log = (struct fl_log){.sink = count_line, .arg = station, .level = FL_LOG_WARN};
	guest_init(&station->guest);
	for (unsigned int i = 0; i < 2; i++)
		station->buffers[i] = guest_alloc(&station->guest, RING * BUFFER_LEN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	station->ours = pair[0];
	station->peer = pair[1];
	assert_int_equal(fl_loop_new("net", 0, &station->loop, NULL), 0);
	opts.transport.map = &station->guest.map;
	opts.transport.loop = station->loop;
	opts.transport.log = &station->log;
	opts.fd = station->ours;
	memcpy(opts.mac, mac, sizeof(mac));
	assert_int_equal(fl_net_new(&opts, &station->net, NULL), 0);
	station->dev = fl_net_transport(station->net);
	assert_int_equal(fl_loop_start(station->loop, NULL), 0);
	return 0;
}

static inline int station_teardown(void **state)
{
	struct station *station = *state;

	fl_loop_stop(station->loop);
	fl_net_free(station->net);
	fl_loop_free(station->loop);
	guest_fini(&station->guest);
	close(station->ours);
	if (station->peer >= 0)
		close(station->peer);
	free(station);
	return 0;
}

/* ---- the guest ---- */

static inline uint64_t buffer(const struct station *station, unsigned int queue, unsigned int i)
{
	return station->buffers[queue] + (uint64_t)i * BUFFER_LEN;
}

static inline void notify(struct station *station, unsigned int queue)
{
	mmio_put(station->dev, MMIO_QUEUE_NOTIFY, queue);
}

static inline void give(struct station *station, unsigned int i, uint64_t gpa, uint32_t len)
{
	put_desc(&station->guest, station->queues[RX].desc, i, gpa, len, DESC_F_WRITE, 0);
	offer(&station->queues[RX], (uint16_t)i);
	notify(station, RX);
}

static inline void give_all(struct station *station)
{
	for (unsigned int i = 0; i < RING; i++)
		give(station, i, buffer(station, RX, i), BUFFER_LEN);
}

/* Header and frame in one descriptor at gpa. */
static inline void send_at(struct station *station, unsigned int i, uint64_t gpa, uint32_t frame_len)
{
	put_desc(&station->guest, station->queues[TX].desc, i, gpa, HDR + frame_len, 0, 0);
	offer(&station->queues[TX], (uint16_t)i);
	notify(station, TX);
}

static inline uint8_t pattern(unsigned int seed, uint32_t i)
{
	return (uint8_t)(seed * 41 + i * 7 + (i >> 8) * 3);
}

static inline void fill_frame(uint8_t *bytes, uint32_t len, unsigned int seed)
{
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = pattern(seed, i);
}

static inline void assert_frame(const uint8_t *bytes, uint32_t len, unsigned int seed)
{
	for (uint32_t i = 0; i < len; i++)
		if (bytes[i] != pattern(seed, i))
			fail_msg("byte %u of frame %u is wrong", i, seed);
}

static inline void send_frame(struct station *station, unsigned int i, uint32_t len, unsigned int seed)
{
	uint8_t *bytes = at(&station->guest, buffer(station, TX, i));

	memset(bytes, 0, HDR);
	fill_frame(bytes + HDR, len, seed);
	send_at(station, i, buffer(station, TX, i), len);
}

static inline bool used_in(struct station *station, unsigned int queue, int timeout_ms, uint32_t *id, uint32_t *len)
{
	*id = 0;
	*len = 0;
	for (int i = 0; i < timeout_ms * 10; i++) {
		if (take_used(&station->queues[queue], id, len))
			return true;
		usleep(100);
	}
	return false;
}

static inline void expect_sent(struct station *station, uint32_t wanted)
{
	uint32_t id, len;

	assert_true(used_in(station, TX, 10000, &id, &len));
	assert_int_equal(id, wanted);
	assert_int_equal(len, 0);
}

/* One frame in one buffer. */
static inline uint32_t expect_received(struct station *station, uint32_t frame_len, unsigned int seed)
{
	const uint8_t *bytes;
	uint32_t id, len;

	assert_true(used_in(station, RX, 10000, &id, &len));
	assert_int_equal(len, HDR + frame_len);
	bytes = at(&station->guest, buffer(station, RX, id));
	assert_int_equal(bytes[10] | bytes[11] << 8, 1);
	assert_frame(bytes + HDR, frame_len, seed);
	return id;
}

static inline uint16_t link_status(struct station *station)
{
	uint16_t status = 0xffff;

	fl_virtio_mmio_access(station->dev, MMIO_CONFIG + 6, false, &status, 2);
	return status;
}

static inline void expect_link_down(struct station *station)
{
	for (int i = 0; i < 100000 && link_status(station) & 1; i++)
		usleep(100);
	assert_int_equal(link_status(station), 0);
}

/* The line may come a little later than the link goes. */
static inline void expect_log_lines(struct station *station, unsigned int wanted)
{
	for (int i = 0; i < 100000 && __atomic_load_n(&station->log_lines, __ATOMIC_RELAXED) < wanted; i++)
		usleep(100);
	assert_int_equal(__atomic_load_n(&station->log_lines, __ATOMIC_RELAXED), wanted);
}

/* ---- the peer ---- */

static inline void peer_write(struct station *station, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len) {
		ssize_t n = send(station->peer, from, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		from += n;
		len -= (size_t)n;
	}
}

static inline void put_length(uint8_t head[4], uint32_t len)
{
	for (int i = 0; i < 4; i++)
		head[i] = (uint8_t)(len >> (24 - 8 * i));
}

static inline void peer_send(struct station *station, uint32_t len, unsigned int seed)
{
	uint8_t *bytes = malloc(4 + (size_t)len);

	put_length(bytes, len);
	fill_frame(bytes + 4, len, seed);
	peer_write(station, bytes, 4 + (size_t)len);
	free(bytes);
}

static inline void peer_read(struct station *station, void *bytes, size_t len)
{
	struct pollfd pollfd = {.fd = station->peer, .events = POLLIN};
	uint8_t *to = bytes;

	while (len) {
		ssize_t n;

		assert_int_equal(poll(&pollfd, 1, 10000), 1);
		n = read(station->peer, to, len);
		assert_true(n > 0);
		to += n;
		len -= (size_t)n;
	}
}

static inline uint32_t peer_read_head(struct station *station)
{
	uint8_t head[4];

	peer_read(station, head, sizeof(head));
	return (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
}

static inline void peer_expect(struct station *station, uint32_t len, unsigned int seed)
{
	uint8_t *bytes = malloc(len);

	assert_int_equal(peer_read_head(station), len);
	peer_read(station, bytes, len);
	assert_frame(bytes, len, seed);
	free(bytes);
}

#endif
