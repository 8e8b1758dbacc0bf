/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serial_input: a descriptor whose bytes are typed at the serial console, as fast as the guest reads them. Its end is
 * typed as a terminal's end of file is, since a line has no other.
 *
 * Threads: the loop's.
 */
#ifndef FL_SERIAL_INPUT_H
#define FL_SERIAL_INPUT_H

#include "fl_log.h"
#include "fl_loop.h"
#include "vmm/serial.h"

struct fl_serial_input {
	struct fl_serial *serial;
	struct fl_loop *loop;
	const struct fl_log *log;
	int fd;
	int wanted_fd; /* eventfd: the guest may want more */
	unsigned int wanted_source;
	unsigned int fd_source; /* 0: not watched, nothing is taken from fd */
	uint8_t last;		/* what was typed last; 0: nothing */
	bool ended;
};

/* fd: not closed. Before the loop starts and the vCPUs run. */
FL_CHECKED_RESULT int fl_serial_input_init(struct fl_serial_input *input, struct fl_serial *serial,
					   struct fl_loop *loop, int fd, const struct fl_log *log,
					   struct fl_diag *diag);
void fl_serial_input_fini(struct fl_serial_input *input); /* loop and vCPUs stopped; zero-filled allowed */

#endif
