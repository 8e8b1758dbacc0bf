/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside console: the device and its control queues (console.c), the bytes of a port (console_port.c).
 * All of it belongs to the loop's thread; nothing is locked.
 */
#ifndef FL_CONSOLE_IMPL_H
#define FL_CONSOLE_IMPL_H

#include "virtio/console.h"

#define FL_CONSOLE_PIECE_LEN 16384
#define FL_CONSOLE_NAME_MAX  63
/* Chains taken in one go, so that a busy port does not keep the others waiting. */
#define FL_CONSOLE_BUDGET 64

/* One direction of a port. */
struct fl_console_flow {
	bool held;     /* chain is taken from the guest and not given back */
	uint64_t done; /* bytes of it that are dealt with */
	struct fl_chain chain;
	unsigned int source; /* in the loop; 0: not watched */
};

enum fl_console_out_kind { FL_CONSOLE_OUT_FILE, FL_CONSOLE_OUT_SOCKET, FL_CONSOLE_OUT_PIPE, FL_CONSOLE_OUT_TTY };

/* Messages that a port owes the guest, sent from the lowest bit up. */
#define FL_CONSOLE_OWES_ADD	1u
#define FL_CONSOLE_OWES_CONSOLE 2u
#define FL_CONSOLE_OWES_OPEN	4u
#define FL_CONSOLE_OWES_NAME	8u
#define FL_CONSOLE_OWES_CLOSE	16u

struct fl_console_port {
	struct fl_console *console;
	unsigned int index;
	struct fl_console_port_opts opts;
	char name[FL_CONSOLE_NAME_MAX + 1];
	enum fl_console_out_kind out_kind;
	bool out_nowait; /* RWF_NOWAIT has not been refused yet */

	struct fl_console_flow in, out;
	unsigned int owes;     /* FL_CONSOLE_OWES_* */
	unsigned int in_count; /* buffers that the guest keeps for input */
	/* Output chains of lower ports that have to be written before this port's chain is handed over. */
	unsigned int behind[FL_CONSOLE_PORTS_MAX];
	bool guest_open;
	bool in_ended; /* in_fd gives no more */
	bool close_told;
	bool out_gone; /* out_fd takes no more */
};

struct fl_console {
	struct fl_virtio_mmio *transport;
	struct fl_loop *loop;
	const struct fl_gpa_map *map;
	const struct fl_log *log;
	struct fl_log_limit log_limit;
	unsigned int port_count;
	struct fl_console_port ports[FL_CONSOLE_PORTS_MAX];
	uint8_t piece[FL_CONSOLE_PIECE_LEN];
};

/* Queue numbers, virtio 1.2, 5.3.2. */
static inline unsigned int fl_console_in_queue(unsigned int port)
{
	return port ? 2 + 2 * port : 0;
}

static inline unsigned int fl_console_out_queue(unsigned int port)
{
	return fl_console_in_queue(port) + 1;
}

/* The next chain of the queue, with notifications on if there is none. A malformed ring breaks the device. */
bool fl_console_take(struct fl_console *console, unsigned int queue, struct fl_chain *chain);
bool fl_console_is_multiport(const struct fl_console *console);
/* Sends what the ports owe, as far as the guest has given buffers for it. */
void fl_console_send_control(struct fl_console *console);

void fl_console_port_init(struct fl_console_port *port);
/* Something may have changed on the input (output) side: starts or stops watching, goes on. */
void fl_console_port_input(struct fl_console_port *port);
void fl_console_port_output(struct fl_console_port *port);
void fl_console_port_reset(struct fl_console_port *port);

#endif
