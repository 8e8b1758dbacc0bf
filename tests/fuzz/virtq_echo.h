/* SPDX-License-Identifier: Apache-2.0 */
/* The device of fuzz_virtq.c: it reads what it is given, writes into what it may, and is compared with the model in
 * all. */
#ifndef VIRTQ_ECHO_H
#define VIRTQ_ECHO_H

#include "fuzz_loop.h"
#include "virtq_model.h"

#include "mmu_backing/window.h"

#define QUEUES	  2u
#define QUEUE_MAX 64u
#define ECHO_MAX  8192u /* bytes of one chain that are read, and that are written */
#define HELD_MAX  8u

struct machine {
	struct fuzz_input in;
	uint64_t digest;
	struct model model;
	struct fl_window *window;
	int file_fd;
	struct fl_loop *loop;
	struct fl_virtio_mmio *dev;
	struct driver_queue queues[QUEUES];
	struct model_queue expected[QUEUES];
	uint8_t *shadow; /* what RAM must be */
	bool hold;	 /* the device keeps chains, and answers them later */
	unsigned int held_count;
	struct {
		unsigned int queue;
		uint16_t head;
	} held[HELD_MAX];
	struct fl_chain chain, expected_chain;
	uint8_t bytes[ECHO_MAX];
	uint64_t gpas[ECHO_MAX];
};

/* The device's operations, with m as their argument. */
struct fl_virtio_ops echo_ops(struct machine *m);
/* Gives a chain back. */
void echo_complete(struct machine *m, unsigned int index, uint16_t head, uint32_t written_len);

#endif
