/* SPDX-License-Identifier: Apache-2.0 */
/* The device and its control queues, virtio 1.2, 5.3.6, as drivers/char/virtio_console.c speaks them. */
#include "virtio/console_impl.h"

#include <endian.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <string.h>

#define QUEUE_SIZE	  128
#define CONTROL_IN_QUEUE  2 /* host to guest */
#define CONTROL_OUT_QUEUE 3
/* How long a driver that resets its device waits for a slow reader of the output it leaves behind. */
#define RESET_DRAIN_MS 1000

bool fl_console_is_multiport(const struct fl_console *console)
{
	return fl_virtio_features(console->transport) & (UINT64_C(1) << VIRTIO_CONSOLE_F_MULTIPORT);
}

bool fl_console_take(struct fl_console *console, unsigned int queue, struct fl_chain *chain)
{
	struct fl_virtq *vq = fl_virtio_queue(console->transport, queue);
	int rc;

	if (fl_virtio_is_broken(console->transport))
		return false;
	rc = fl_virtq_pop(vq, chain);
	if (rc == 0 && fl_virtq_enable_notify(vq))
		rc = fl_virtq_pop(vq, chain);
	if (rc < 0)
		fl_virtio_needs_reset(console->transport, "a queue of the console is malformed");
	return rc > 0;
}

/* ---- to the guest ---- */

struct message {
	struct virtio_console_control head;
	char name[FL_CONSOLE_NAME_MAX];
};

static size_t fill_message(const struct fl_console_port *port, unsigned int owed, struct message *message)
{
	uint16_t event = VIRTIO_CONSOLE_PORT_OPEN;
	size_t name_len = 0;

	if (owed == FL_CONSOLE_OWES_ADD)
		event = VIRTIO_CONSOLE_PORT_ADD;
	else if (owed == FL_CONSOLE_OWES_CONSOLE)
		event = VIRTIO_CONSOLE_CONSOLE_PORT;
	else if (owed == FL_CONSOLE_OWES_NAME)
		event = VIRTIO_CONSOLE_PORT_NAME;
	message->head = (struct virtio_console_control){
		.id = htole32(port->index),
		.event = htole16(event),
		.value = htole16(owed != FL_CONSOLE_OWES_CLOSE),
	};
	if (owed == FL_CONSOLE_OWES_NAME) {
		name_len = strlen(port->name);
		memcpy(message->name, port->name, name_len);
	}
	return sizeof(message->head) + name_len;
}

/* False if the guest has no buffer for it now. */
static bool send_message(struct fl_console_port *port, unsigned int owed)
{
	struct fl_console *console = port->console;
	struct message message;
	struct fl_chain chain;
	size_t len = fill_message(port, owed, &message);

	if (!fl_console_take(console, CONTROL_IN_QUEUE, &chain))
		return false;
	if (chain.writable_len < len) {
		fl_virtio_needs_reset(console->transport, "a control buffer of the console is too small");
		return false;
	}
	if (fl_chain_write(console->map, &chain, 0, &message, len) != (int64_t)len) {
		/* its page has vanished: the message goes into the next one, at the next turn, as the guest may go on
		 * so */
		fl_virtio_complete(console->transport, CONTROL_IN_QUEUE, chain.head, 0);
		fl_virtio_requeue(console->transport, CONTROL_IN_QUEUE);
		return false;
	}
	port->owes &= ~owed;
	fl_virtio_complete(console->transport, CONTROL_IN_QUEUE, chain.head, (uint32_t)len);
	return true;
}

void fl_console_send_control(struct fl_console *console)
{
	for (unsigned int i = 0; i < console->port_count; i++) {
		struct fl_console_port *port = &console->ports[i];

		while (port->owes) {
			if (!send_message(port, port->owes & -port->owes))
				return;
		}
	}
}

/* ---- from the guest ---- */

/*
 * PORT_OPEN goes before the name: who sees the name in /sys and opens the port must not read an end
 * of file because the host does not seem to be there yet.
 */
static void port_is_ready(struct fl_console_port *port)
{
	port->owes |= FL_CONSOLE_OWES_OPEN;
	if (port->index == 0)
		port->owes |= FL_CONSOLE_OWES_CONSOLE;
	if (port->name[0])
		port->owes |= FL_CONSOLE_OWES_NAME;
	if (port->close_told)
		port->owes |= FL_CONSOLE_OWES_CLOSE;
}

static void port_is_open(struct fl_console_port *port, bool open)
{
	const struct fl_virtq *vq = fl_virtio_queue(port->console->transport, fl_console_in_queue(port->index));

	port->guest_open = open;
	/* Nothing is taken before the first opening: these are all the buffers that the driver keeps there. */
	if (open && !port->in_count && !port->in.held && vq->ready)
		port->in_count = (unsigned int)FL_MAX(fl_virtq_pending(vq), 0);
	fl_console_port_input(port);
}

static void handle_message(struct fl_console *console, const struct virtio_console_control *message)
{
	uint32_t id = le32toh(message->id);
	uint16_t event = le16toh(message->event);
	bool value = le16toh(message->value);

	if (event == VIRTIO_CONSOLE_DEVICE_READY && value) {
		for (unsigned int i = 0; i < console->port_count; i++)
			console->ports[i].owes |= FL_CONSOLE_OWES_ADD;
	} else if (id < console->port_count && event == VIRTIO_CONSOLE_PORT_READY && value) {
		port_is_ready(&console->ports[id]);
	} else if (id < console->port_count && event == VIRTIO_CONSOLE_PORT_OPEN) {
		port_is_open(&console->ports[id], value);
	}
}

static void take_control(struct fl_console *console)
{
	struct virtio_console_control message;
	struct fl_chain chain;

	for (unsigned int taken = 0; taken < FL_CONSOLE_BUDGET; taken++) {
		if (!fl_console_take(console, CONTROL_OUT_QUEUE, &chain)) {
			fl_console_send_control(console);
			return;
		}
		if (fl_chain_read(console->map, &chain, 0, &message, sizeof(message)) == sizeof(message))
			handle_message(console, &message);
		fl_virtio_complete(console->transport, CONTROL_OUT_QUEUE, chain.head, 0);
	}
	fl_console_send_control(console);
	fl_virtio_requeue(console->transport, CONTROL_OUT_QUEUE);
}

/* ---- the device ---- */

static void on_notify(void *arg, unsigned int queue)
{
	struct fl_console *console = arg;
	unsigned int port = queue < 2 ? 0 : queue / 2 - 1;

	if (queue >= 2 && !fl_console_is_multiport(console))
		return;
	if (queue == CONTROL_IN_QUEUE)
		fl_console_send_control(console);
	else if (queue == CONTROL_OUT_QUEUE)
		take_control(console);
	else if (queue % 2)
		fl_console_port_output(&console->ports[port]);
	else
		fl_console_port_input(&console->ports[port]);
}

static void on_reset(void *arg)
{
	struct fl_console *console = arg;

	(void)fl_console_drain(console, RESET_DRAIN_MS);
	for (unsigned int i = 0; i < console->port_count; i++)
		fl_console_port_reset(&console->ports[i]);
}

static void on_config_read(void *arg, uint32_t offset, void *buf, uint32_t len)
{
	const struct fl_console *console = arg;
	const struct virtio_console_config config = {.max_nr_ports = htole32(console->port_count)};

	memcpy(buf, (const uint8_t *)&config + offset, len);
}

static int init_ports(struct fl_console *console, const struct fl_console_opts *opts, struct fl_diag *diag)
{
	for (unsigned int i = 0; i < opts->port_count; i++) {
		struct fl_console_port *port = &console->ports[i];
		const char *name = opts->ports[i].name ? opts->ports[i].name : "";

		if (strlen(name) > FL_CONSOLE_NAME_MAX)
			return fl_diag(diag, -EINVAL, "console port %u: its name is longer than %d bytes", i,
				       FL_CONSOLE_NAME_MAX);
		port->console = console;
		port->index = i;
		port->opts = opts->ports[i];
		port->opts.name = port->name;
		snprintf(port->name, sizeof(port->name), "%s", name);
		fl_console_port_init(port);
	}
	return 0;
}

static int init_console(struct fl_console *console, const struct fl_console_opts *opts, struct fl_diag *diag)
{
	struct fl_virtio_mmio_opts transport = opts->transport;
	int rc = init_ports(console, opts, diag);

	if (rc)
		return rc;
	console->loop = transport.loop;
	console->map = transport.map;
	console->log = transport.log;
	console->port_count = opts->port_count;
	transport.name = transport.name ? transport.name : "console";
	transport.device_id = VIRTIO_ID_CONSOLE;
	transport.features = UINT64_C(1) << VIRTIO_CONSOLE_F_MULTIPORT;
	transport.queue_count = fl_console_out_queue(FL_MAX(opts->port_count - 1, 1u)) + 1;
	transport.queue_size_max = QUEUE_SIZE;
	transport.config_len = sizeof(struct virtio_console_config);
	transport.shm_len = 0;
	transport.ops = (struct fl_virtio_ops){
		.queue_notified = on_notify, .reset = on_reset, .config_read = on_config_read, .arg = console};
	return fl_virtio_mmio_new(&transport, &console->transport, diag);
}

int fl_console_new(const struct fl_console_opts *opts, struct fl_console **console_out, struct fl_diag *diag)
{
	struct fl_console *console;
	int rc;

	if (opts->port_count < 1 || opts->port_count > FL_CONSOLE_PORTS_MAX)
		return fl_diag(diag, -EINVAL, "a console has 1 to %d ports", FL_CONSOLE_PORTS_MAX);
	console = calloc(1, sizeof(*console));
	if (!console)
		return fl_diag(diag, -ENOMEM, "no memory for the console");
	rc = init_console(console, opts, diag);
	if (rc) {
		free(console);
		return rc;
	}
	*console_out = console;
	return 0;
}

struct fl_virtio_mmio *fl_console_transport(struct fl_console *console)
{
	return console->transport;
}

void fl_console_free(struct fl_console *console)
{
	if (!console)
		return;
	for (unsigned int i = 0; i < console->port_count; i++)
		fl_console_port_reset(&console->ports[i]);
	fl_virtio_mmio_free(console->transport);
	free(console);
}
