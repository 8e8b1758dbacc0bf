/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serial: the transmit half of an 8250 at 0x3f8, for the kernel's early messages. Output goes to the
 * embedder's console callback; the last part is kept for the report on a guest that dies.
 *
 * Threads: any vCPU; serialised by its lock.
 */
#ifndef FL_SERIAL_H
#define FL_SERIAL_H

#include "fl_diag.h"

#define FL_SERIAL_TAIL_LEN 4096u

struct fl_serial {
	pthread_mutex_t lock; /* guards everything below */
	uint8_t ier, lcr, mcr, scr, dll, dlm;
	bool thre_pending;	       /* a transmit-empty interrupt not yet seen in IIR */
	char tail[FL_SERIAL_TAIL_LEN]; /* ring */
	uint64_t tail_total;	       /* bytes ever written to it */
	char line[256];		       /* collected for the callback */
	size_t line_len;
	int vm_fd; /* for IRQ 4; -1: none */
	fl_console_fn sink;
	void *arg;
};

void fl_serial_init(struct fl_serial *serial, int vm_fd, fl_console_fn sink, void *arg);
void fl_serial_fini(struct fl_serial *serial);
/* offset: 0 to 7. One byte in *value. */
void fl_serial_access(struct fl_serial *serial, uint16_t offset, bool write, uint8_t *value);
/* The last kept bytes as text, NUL-terminated; returns its length. */
size_t fl_serial_tail(struct fl_serial *serial, char *buf, size_t buf_len);

#endif
