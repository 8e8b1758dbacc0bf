/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serial: an 8250 at 0x3f8, for the kernel's early messages and the console of an initramfs. Output goes to the
 * embedder's console callback; the last part is kept for the report on a guest that dies. Input comes from
 * serial_input.h, if there is any.
 *
 * Threads: any vCPU, and the one that types; serialised by its lock.
 */
#ifndef FL_SERIAL_H
#define FL_SERIAL_H

#include "fl_diag.h"

#define FL_SERIAL_TAIL_LEN  4096u
#define FL_SERIAL_TYPED_MAX 256u /* what Linux takes at one interrupt (serial8250_rx_chars()) */

struct fl_serial {
	pthread_mutex_t lock; /* guards everything below */
	uint8_t ier, lcr, mcr, scr, dll, dlm;
	bool thre_pending;	       /* a transmit-empty interrupt not yet seen in IIR */
	char tail[FL_SERIAL_TAIL_LEN]; /* ring */
	uint64_t tail_total;	       /* bytes ever written to it */
	char line[256];		       /* collected for the callback */
	size_t line_len;
	uint8_t typed[FL_SERIAL_TYPED_MAX]; /* not read by the guest yet, from typed_at on */
	size_t typed_at, typed_len;
	void (*wanted)(void *arg); /* NULL: nobody types */
	void *wanted_arg;
	int vm_fd; /* for IRQ 4; -1: none */
	fl_console_fn sink;
	void *arg;
};

void fl_serial_init(struct fl_serial *serial, int vm_fd, fl_console_fn sink, void *arg);
void fl_serial_fini(struct fl_serial *serial);
/* offset: 0 to 7. One byte in *value. */
void fl_serial_access(struct fl_serial *serial, uint16_t offset, bool write, uint8_t *value);
/*
 * wanted is called, with the lock held, whenever fl_serial_wants_input() may have become true. Before the vCPUs run.
 */
void fl_serial_on_wanted(struct fl_serial *serial, void (*wanted)(void *arg), void *arg);
/* Does a driver listen that has read all so far? Before that, what is typed would be lost: a driver begins by reading.
 */
bool fl_serial_wants_input(struct fl_serial *serial);
/* len: at most FL_SERIAL_TYPED_MAX, for a guest that wanted it. */
void fl_serial_type(struct fl_serial *serial, const void *bytes, size_t len);
/* The last kept bytes as text, NUL-terminated; returns its length. */
size_t fl_serial_tail(struct fl_serial *serial, char *buf, size_t buf_len);

#endif
