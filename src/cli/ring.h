/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last bytes of something that goes on: the guest's console, the lines about its faults. Written by any thread,
 * which never waits; read from any place by any thread, at its own speed: what has been overwritten is skipped.
 */
#ifndef FL_CLI_RING_H
#define FL_CLI_RING_H

#include <pthread.h>

#include "faultline/faultline.h"

struct fl_cli_ring {
	bool of_lines;	      /* a reader that comes too late, or in the middle, goes on with the next whole line */
	size_t size;	      /* room, a power of two; memory is taken when the first byte comes */
	pthread_mutex_t lock; /* guards the rest; innermost */
	char *bytes;
	uint64_t end; /* how many bytes have come so far; the last `size` of them are there */
	int wake_fd;  /* eventfd that is told of new bytes; -1: none */
};

void fl_cli_ring_init(struct fl_cli_ring *ring, size_t size, bool of_lines);
void fl_cli_ring_fini(struct fl_cli_ring *ring);

/* From now on wake_fd (or nobody, -1) is told. Returns when nobody is telling the former one. */
void fl_cli_ring_wakes(struct fl_cli_ring *ring, int wake_fd);

/* Without memory for it, the bytes are lost. */
void fl_cli_ring_put(struct fl_cli_ring *ring, const void *bytes, size_t len);

/* How many bytes have come so far. */
uint64_t fl_cli_ring_end(struct fl_cli_ring *ring);

/* Copies what follows *at, which is 0 at first and is moved on, into buf; returns how much, 0 if there is nothing yet.
 */
size_t fl_cli_ring_read(struct fl_cli_ring *ring, uint64_t *at, void *buf, size_t len);

#endif
