/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that drives one of the small devices (network, entropy) by what the input says: chains, rings and registers
 * of any kind, in RAM and in a window whose file can be cut. And one that follows the rules, for what must work after
 * all that.
 */
#ifndef LYING_GUEST_H
#define LYING_GUEST_H

#include "fuzz_guest.h"
#include "fuzz_loop.h"

#include "mmu_backing/window.h"

#define LIAR_QUEUES_MAX 2u
#define LIAR_RING	64u
#define LIAR_DATA	(RAM_GPA + 0x10000) /* up to the end of RAM */

struct liar {
	struct fuzz_input in;
	uint64_t digest;
	struct guest guest;
	struct fl_window *window;
	int file_fd;
	struct fl_loop *loop;
	struct fl_virtio_mmio *dev; /* the target's */
	unsigned int queue_count;
	struct driver_queue queues[LIAR_QUEUES_MAX];
};

/* Memory, window and loop; the target makes the device of opts, and sets dev and queue_count. */
void liar_init(struct liar *liar, const uint8_t *data, size_t len);
struct fl_virtio_mmio_opts liar_transport(struct liar *liar, const struct fl_log *log);
/* After the device was freed. */
void liar_fini(struct liar *liar);

/* A driver that negotiates these and sets up its queues, empty, as it should. */
void liar_start(struct liar *liar, uint64_t features, uint16_t size);
/* A reset, whatever the device's state, and a start with these features, which it has. */
void liar_repent(struct liar *liar, uint64_t features);

/* One step of any kind, and a turn of the loop. */
void liar_step(struct liar *liar, unsigned int kind);

#endif
