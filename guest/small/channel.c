/* SPDX-License-Identifier: Apache-2.0 */
/* The port of the virtio-console that has the runner at its other end: virtio 1.2, 5.3, with several ports. */
#include "guest/small/small.h"

#include <linux/virtio_console.h>
#include <string.h>

#define PORTS_MAX   16u
#define QUEUE_SIZE  16u
#define CONTROL_IN  2u
#define CONTROL_OUT 3u
#define PIECE_LEN   4096u
#define OUT_LEN	    65536u
#define BEGIN_NS    UINT64_C(10000000000)

struct control {
	struct virtio_console_control head;
	char text[56];
};

static struct {
	struct small_queue control_in, control_out, in, out;
	struct control said[QUEUE_SIZE], answer[QUEUE_SIZE];
	uint16_t answers;
	const char *name;
	uint32_t port;
	bool found;
	uint8_t pieces[QUEUE_SIZE][PIECE_LEN];
	uint8_t out_bytes[OUT_LEN];
	bool out_busy;
	/* a piece that is read in part */
	uint16_t piece;
	uint32_t piece_len, piece_done;
} channel;

/* ---- finding the port --------------------------------------------------------------------- */

static void offer(struct small_queue *queue, uint16_t number, void *at, uint32_t len)
{
	const struct small_buffer buffer = {.at = at, .len = len};

	small_queue_put(queue, number, &buffer, 0, 1);
}

static void say(uint32_t port, uint16_t event)
{
	struct control *answer = &channel.answer[channel.answers % QUEUE_SIZE];
	struct small_buffer buffer = {.at = answer, .len = sizeof(answer->head)};
	uint16_t first;
	uint32_t len;

	while (small_queue_take(&channel.control_out, &first, &len))
		;
	answer->head = (struct virtio_console_control){.id = port, .event = event, .value = 1};
	small_queue_put(&channel.control_out, channel.answers++ % QUEUE_SIZE, &buffer, 1, 0);
	small_queue_notify(&channel.control_out);
}

static void hear(const struct control *said, uint32_t len)
{
	size_t name_len = strlen(channel.name);

	if (len < sizeof(said->head))
		return;
	if (said->head.event == VIRTIO_CONSOLE_PORT_ADD)
		say(said->head.id, VIRTIO_CONSOLE_PORT_READY);
	if (said->head.event != VIRTIO_CONSOLE_PORT_NAME || len - sizeof(said->head) < name_len ||
	    memcmp(said->text, channel.name, name_len) != 0 ||
	    (len - sizeof(said->head) > name_len && said->text[name_len]))
		return;
	channel.port = said->head.id;
	channel.found = true;
}

static void find_port(void)
{
	uint64_t begin = fl_now_ns(CLOCK_MONOTONIC);

	say(0, VIRTIO_CONSOLE_DEVICE_READY);
	while (!channel.found) {
		uint64_t events = small_events;
		uint16_t first;
		uint32_t len;

		if (small_queue_take(&channel.control_in, &first, &len)) {
			hear(&channel.said[first], len);
			offer(&channel.control_in, first, &channel.said[first], sizeof(channel.said[first]));
			small_queue_notify(&channel.control_in);
		} else if (fl_now_ns(CLOCK_MONOTONIC) - begin > BEGIN_NS) {
			small_die("the console has no port %s", channel.name);
		} else {
			small_idle(events, 1000000);
		}
	}
}

void small_channel_init(struct small_device *device, const char *name)
{
	struct small_queue queues[2 * PORTS_MAX];

	channel.name = name;
	small_virtio_begin(device, UINT64_C(1) << VIRTIO_CONSOLE_F_MULTIPORT);
	uint32_t ports = FL_MIN(device->regs[(0x100 + 4) / 4], PORTS_MAX - 1);

	for (uint32_t i = 0; i < 2 * ports + 2; i++)
		small_virtio_queue(device, i, QUEUE_SIZE, &queues[i]);
	small_virtio_go(device);
	channel.control_in = queues[CONTROL_IN];
	channel.control_out = queues[CONTROL_OUT];
	for (uint16_t i = 0; i < QUEUE_SIZE; i++)
		offer(&channel.control_in, i, &channel.said[i], sizeof(channel.said[i]));
	small_queue_notify(&channel.control_in);
	find_port();
	if (channel.port > ports)
		small_die("the console's port %s has a number that cannot be", name);
	channel.in = queues[channel.port ? 2 * channel.port + 2 : 0];
	channel.out = queues[channel.port ? 2 * channel.port + 3 : 1];
	for (uint16_t i = 0; i < QUEUE_SIZE; i++)
		offer(&channel.in, i, channel.pieces[i], PIECE_LEN);
	small_queue_notify(&channel.in);
	say(channel.port, VIRTIO_CONSOLE_PORT_OPEN);
}

/* ---- bytes -------------------------------------------------------------------------------- */

bool small_channel_read(struct fl_actor_port *port)
{
	bool some = false;

	for (;;) {
		if (channel.piece_done == channel.piece_len &&
		    !small_queue_take(&channel.in, &channel.piece, &channel.piece_len))
			return some;
		uint32_t len = (uint32_t)FL_MIN(sizeof(port->in) - port->in_len,
						(size_t)(channel.piece_len - channel.piece_done));

		memcpy(port->in + port->in_len, channel.pieces[channel.piece] + channel.piece_done, len);
		port->in_len += len;
		channel.piece_done += len;
		some |= len > 0;
		if (channel.piece_done < channel.piece_len)
			return some;
		channel.piece_len = channel.piece_done = 0;
		offer(&channel.in, channel.piece, channel.pieces[channel.piece], PIECE_LEN);
		small_queue_notify(&channel.in);
	}
}

bool small_channel_flush(struct fl_actor_port *port)
{
	struct small_buffer buffer = {.at = channel.out_bytes, .len = (uint32_t)FL_MIN(port->out_len, (size_t)OUT_LEN)};
	uint16_t first;
	uint32_t len;

	if (channel.out_busy && small_queue_take(&channel.out, &first, &len))
		channel.out_busy = false;
	if (channel.out_busy || !buffer.len)
		return channel.out_busy;
	memcpy(channel.out_bytes, port->out, buffer.len);
	memmove(port->out, port->out + buffer.len, port->out_len - buffer.len);
	port->out_len -= buffer.len;
	small_queue_put(&channel.out, 0, &buffer, 1, 0);
	small_queue_notify(&channel.out);
	channel.out_busy = true;
	return true;
}
