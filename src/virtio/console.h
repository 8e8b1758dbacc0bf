/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console: virtio-console with several named ports (virtio 1.2, 5.3, VIRTIO_CONSOLE_F_MULTIPORT), binary-safe.
 * Port 0 is the guest's hvc0; the others show up as /dev/virtio-ports names for the agent.
 *
 * A port either reads from / writes to a descriptor of the embedder, or hands bytes to a callback. Flow
 * control: nothing is read from in_fd without a guest buffer to put it in, and a guest's output buffer is given back
 * only when its bytes are written (out_fd may be slow; then only that port waits). End of file on
 * in_fd is told to the guest as PORT_OPEN 0, once it has taken all bytes, on ports that have no output (PORT_OPEN 0
 * would stop the guest's writes too). When out_fd cannot be written any more (EPIPE, ENOSPC...), further output
 * of that port is discarded, and the guest is told by PORT_OPEN 0 on ports that have no input. in_fd/out_fd are switched to nothing: both may be blocking and shared
 * with other processes (poll, then one read/write of what poll promises; O_NONBLOCK is not set on
 * them, since that would change the embedder's descriptors).
 */
#ifndef FL_CONSOLE_H
#define FL_CONSOLE_H

#include "virtio/virtio_mmio.h"

#define FL_CONSOLE_PORTS_MAX 10

struct fl_console_port_opts {
	const char *name; /* e.g. "fl.stdout"; NULL for port 0 */
	int in_fd;	  /* -1: nothing to read */
	int out_fd;	  /* -1: bytes go to received, or nowhere */
	bool is_input;	  /* the guest only reads here: it sees the end of file at once if in_fd is -1 */
	/*
	 * loop thread; after all output that the guest had queued on lower-numbered ports before was written.
	 * Must not wait for a vCPU thread. Only without out_fd.
	 */
	void (*received)(void *arg, const void *bytes, size_t len);
	void *arg;
};

struct fl_console;
struct fl_console_opts {
	struct fl_virtio_mmio_opts transport; /* gpa, gsi, vm_fd, map, loop, log are set by the caller, the rest is ours */
	struct fl_console_port_opts ports[FL_CONSOLE_PORTS_MAX];
	unsigned int port_count;
};

FL_CHECKED_RESULT int fl_console_new(const struct fl_console_opts *opts, struct fl_console **console,
				     struct fl_diag *diag);
struct fl_virtio_mmio *fl_console_transport(struct fl_console *console);
/*
 * Loop thread: takes and writes what the guest has queued on all output ports, blocking at most
 * timeout_ms; false if some was left.
 */
bool fl_console_drain(struct fl_console *console, int timeout_ms);
void fl_console_free(struct fl_console *console); /* loop stopped; NULL allowed */

#endif
