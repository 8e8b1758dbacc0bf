/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for the multiport console, written from virtio 1.2, 5.3: what the console tests hold the device
 * against. It runs on the test's thread and looks at the used rings until something comes.
 */
#ifndef CONSOLE_DRIVER_H
#define CONSOLE_DRIVER_H

#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "tests/unit/virtio/driver_model.h"
#include "virtio/console.h"

#define RING		  16
#define BUFFER_LEN	  4096
#define FEATURE_MULTIPORT UINT64_C(2)

/* 5.3.6.2 */
#define EVENT_DEVICE_READY 0
#define EVENT_PORT_ADD	   1
#define EVENT_PORT_READY   3
#define EVENT_CONSOLE_PORT 4
#define EVENT_PORT_OPEN	   6
#define EVENT_PORT_NAME	   7

/* A queue whose descriptor i always stands for buffer i. */
struct lane {
	struct driver_queue queue;
	unsigned int index; /* queue number */
	uint64_t buffers;
	uint32_t offered; /* chains with the device */
};

struct message {
	uint32_t id;
	uint16_t event, value;
	char name[64];
};

struct terminal {
	struct guest guest;
	struct fl_loop *loop;
	struct fl_console *console;
	struct fl_virtio_mmio *dev;
	unsigned int ports;
	struct lane in[FL_CONSOLE_PORTS_MAX], out[FL_CONSOLE_PORTS_MAX];
	struct lane control_in, control_out;
};

static inline uint64_t buffer_gpa(const struct lane *lane, unsigned int i)
{
	return lane->buffers + (uint64_t)i * BUFFER_LEN;
}

static inline void lane_init(struct terminal *terminal, struct lane *lane, unsigned int index)
{
	if (!lane->buffers)
		lane->buffers = guest_alloc(&terminal->guest, RING * BUFFER_LEN);
	lane->index = index;
	lane->offered = 0;
	if (lane->queue.size) {
		/* the same place again, cleared as a driver does after a reset */
		struct driver_queue *queue = &lane->queue;

		memset(at(&terminal->guest, queue->avail), 0, 6 + 2 * RING);
		memset(at(&terminal->guest, queue->used), 0, 6 + 8 * RING);
		queue->avail_idx = 0;
		queue->used_seen = 0;
	} else {
		driver_queue_init(&lane->queue, &terminal->guest, RING);
	}
	mmio_setup_queue(terminal->dev, index, &lane->queue);
}

static inline void lane_offer(struct terminal *terminal, struct lane *lane, unsigned int i, uint32_t len,
			      unsigned int flags)
{
	put_desc(&terminal->guest, lane->queue.desc, i, buffer_gpa(lane, i), len, flags, 0);
	offer(&lane->queue, (uint16_t)i);
	lane->offered++;
	mmio_put(terminal->dev, MMIO_QUEUE_NOTIFY, lane->index);
}

/* Waits at most timeout_ms for a used entry. */
static inline bool lane_take(struct lane *lane, int timeout_ms, uint32_t *id, uint32_t *len)
{
	for (int waited_us = 0; !take_used(&lane->queue, id, len); waited_us += 100) {
		if (waited_us >= timeout_ms * 1000)
			return false;
		usleep(100);
	}
	assert_in_range(*id, 0, RING - 1);
	lane->offered--;
	return true;
}

/* ---- control ---- */

static inline void control_send_bytes(struct terminal *terminal, const void *bytes, uint32_t len)
{
	uint32_t id, used;

	memcpy(at(&terminal->guest, buffer_gpa(&terminal->control_out, 0)), bytes, len);
	lane_offer(terminal, &terminal->control_out, 0, len, 0);
	assert_true(lane_take(&terminal->control_out, 10000, &id, &used));
	assert_int_equal(used, 0);
}

static inline void control_send(struct terminal *terminal, uint32_t id, uint16_t event, uint16_t value)
{
	const uint8_t bytes[8] = {(uint8_t)id,	  (uint8_t)(id >> 8),	 (uint8_t)(id >> 16), (uint8_t)(id >> 24),
				  (uint8_t)event, (uint8_t)(event >> 8), (uint8_t)value,      (uint8_t)(value >> 8)};

	control_send_bytes(terminal, bytes, sizeof(bytes));
}

static inline bool control_receive(struct terminal *terminal, int timeout_ms, struct message *message)
{
	struct lane *lane = &terminal->control_in;
	const uint8_t *bytes;
	uint32_t id, len;

	if (!lane_take(lane, timeout_ms, &id, &len))
		return false;
	assert_in_range(len, 8, 8 + sizeof(message->name) - 1);
	bytes = at(&terminal->guest, buffer_gpa(lane, id));
	memset(message, 0, sizeof(*message));
	memcpy(&message->id, bytes, 4);
	memcpy(&message->event, bytes + 4, 2);
	memcpy(&message->value, bytes + 6, 2);
	memcpy(message->name, bytes + 8, len - 8);
	lane_offer(terminal, lane, id, BUFFER_LEN, DESC_F_WRITE);
	return true;
}

static inline void control_expect(struct terminal *terminal, uint32_t id, uint16_t event, uint16_t value,
				  const char *name)
{
	struct message message;

	assert_true(control_receive(terminal, 10000, &message));
	assert_int_equal(message.id, id);
	assert_int_equal(message.event, event);
	assert_int_equal(message.value, value);
	assert_string_equal(message.name, name);
}

/* ---- making it ---- */

static inline void fill_input(struct terminal *terminal, struct lane *lane)
{
	for (unsigned int i = 0; i < RING; i++)
		lane_offer(terminal, lane, i, BUFFER_LEN, DESC_F_WRITE);
}

/* Negotiation and queues, as far as DRIVER_OK. 5.3.2: where the queues are. */
static inline void terminal_start(struct terminal *terminal)
{
	assert_true(mmio_negotiate(terminal->dev, FEATURE_VERSION_1 | FEATURE_EVENT_IDX | FEATURE_MULTIPORT));
	for (unsigned int i = 0; i < terminal->ports; i++) {
		lane_init(terminal, &terminal->in[i], i ? 2 + 2 * i : 0);
		lane_init(terminal, &terminal->out[i], i ? 3 + 2 * i : 1);
	}
	lane_init(terminal, &terminal->control_in, 2);
	lane_init(terminal, &terminal->control_out, 3);
	mmio_driver_ok(terminal->dev);
}

static inline void terminal_shake_hands(struct terminal *terminal, const struct fl_console_port_opts *ports)
{
	for (unsigned int i = 0; i < RING; i++)
		lane_offer(terminal, &terminal->control_in, i, BUFFER_LEN, DESC_F_WRITE);
	control_send(terminal, UINT32_MAX, EVENT_DEVICE_READY, 1);
	for (unsigned int i = 0; i < terminal->ports; i++)
		control_expect(terminal, i, EVENT_PORT_ADD, 1, "");
	for (unsigned int i = 0; i < terminal->ports; i++) {
		fill_input(terminal, &terminal->in[i]);
		control_send(terminal, i, EVENT_PORT_READY, 1);
		if (i == 0)
			control_expect(terminal, i, EVENT_CONSOLE_PORT, 1, "");
		control_expect(terminal, i, EVENT_PORT_OPEN, 1, "");
		if (ports[i].name)
			control_expect(terminal, i, EVENT_PORT_NAME, 1, ports[i].name);
	}
}

static inline void terminal_make(struct terminal *terminal, const struct fl_console_port_opts *ports,
				 unsigned int count)
{
	struct fl_console_opts opts = {.port_count = count};

	memset(terminal, 0, sizeof(*terminal));
	guest_init(&terminal->guest);
	terminal->ports = count;
	memcpy(opts.ports, ports, count * sizeof(*ports));
	assert_int_equal(fl_loop_new("console", 0, &terminal->loop, NULL), 0);
	opts.transport = (struct fl_virtio_mmio_opts){
		.name = "console", .gpa = 0xfeb00000, .vm_fd = -1, .map = &terminal->guest.map, .loop = terminal->loop};
	assert_int_equal(fl_console_new(&opts, &terminal->console, NULL), 0);
	terminal->dev = fl_console_transport(terminal->console);
	assert_int_equal(fl_loop_start(terminal->loop, NULL), 0);
}

/* Ports are there and known to the guest; those that are to be read still have to be opened. */
static inline void terminal_init(struct terminal *terminal, const struct fl_console_port_opts *ports,
				 unsigned int count)
{
	terminal_make(terminal, ports, count);
	terminal_start(terminal);
	terminal_shake_hands(terminal, ports);
}

static inline void terminal_fini(struct terminal *terminal)
{
	fl_loop_stop(terminal->loop);
	fl_console_free(terminal->console);
	fl_loop_free(terminal->loop);
	guest_fini(&terminal->guest);
}

/* ---- bytes ---- */

static inline void port_open(struct terminal *terminal, unsigned int port)
{
	control_send(terminal, port, EVENT_PORT_OPEN, 1);
}

/* Hands bytes to the device in a free buffer (i) without waiting for it. */
static inline void port_queue(struct terminal *terminal, unsigned int port, unsigned int i, const void *bytes,
			      uint32_t len)
{
	memcpy(at(&terminal->guest, buffer_gpa(&terminal->out[port], i)), bytes, len);
	lane_offer(terminal, &terminal->out[port], i, len, 0);
}

static inline bool port_written(struct terminal *terminal, unsigned int port, int timeout_ms)
{
	uint32_t id, len;

	return lane_take(&terminal->out[port], timeout_ms, &id, &len);
}

/* As read(): at most cap bytes of what came; the buffer is the device's again afterwards unless keep. */
static inline size_t port_read(struct terminal *terminal, unsigned int port, void *bytes, int timeout_ms, bool keep)
{
	struct lane *lane = &terminal->in[port];
	uint32_t id, len;

	if (!lane_take(lane, timeout_ms, &id, &len))
		return 0;
	assert_in_range(len, 1, BUFFER_LEN);
	memcpy(bytes, at(&terminal->guest, buffer_gpa(lane, id)), len);
	if (!keep)
		lane_offer(terminal, lane, id, BUFFER_LEN, DESC_F_WRITE);
	return len;
}

static inline bool is_broken(struct terminal *terminal, int timeout_ms)
{
	for (int waited_us = 0; waited_us < timeout_ms * 1000; waited_us += 100) {
		if (mmio_get(terminal->dev, MMIO_STATUS) & STATUS_NEEDS_RESET)
			return true;
		usleep(100);
	}
	return false;
}

struct loop_errand {
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
};

static inline void run_loop_errand(void *arg)
{
	struct loop_errand *errand = arg;

	errand->fn(errand->arg);
	sem_post(&errand->done);
}

static inline void on_loop(struct terminal *terminal, void (*fn)(void *arg), void *arg)
{
	struct loop_errand errand = {.fn = fn, .arg = arg};

	sem_init(&errand.done, 0, 0);
	assert_int_equal(fl_loop_post(terminal->loop, run_loop_errand, &errand), 0);
	sem_wait(&errand.done);
	sem_destroy(&errand.done);
}

static inline void do_nothing(void *arg)
{
	(void)arg;
}

static inline void let_rounds_pass(struct terminal *terminal)
{
	for (int i = 0; i < 5; i++)
		on_loop(terminal, do_nothing, NULL);
}

#endif
