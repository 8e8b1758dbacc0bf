/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of a split virtqueue, in the way of Linux (drivers/virtio/virtio_ring.c): EVENT_IDX agreed on, one
 * kick decided after each request, interrupts off while what is done is collected. For a little-endian host.
 */
#ifndef FS_RING_H
#define FS_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

struct ring {
	struct vring vring; /* in guest memory */
	uint64_t desc_gpa, avail_gpa, used_gpa;
	int kick_fd; /* eventfd: the driver notifies the device */
	int call_fd; /* eventfd that blocks: the device interrupts */
	uint16_t avail_idx, used_seen;
};

/* Bytes that a ring of `size` entries takes. */
uint64_t ring_len(unsigned int size);
/* mem: ring_len() zeroed bytes at gpa, both on a page's boundary. The descriptors of eventfds are set by the caller. */
void ring_init(struct ring *ring, unsigned int size, void *mem, uint64_t gpa);

/* Descriptor `head` begins a chain: makes it available, and kicks if the device wants that. */
bool ring_offer(struct ring *ring, uint16_t head);
/* One chain that the device has given back; false: none. */
bool ring_take(struct ring *ring, uint32_t *head, uint32_t *len);

void ring_disable_calls(struct ring *ring);
bool ring_enable_calls(struct ring *ring); /* false: something came in between */
/*
 * Sleeps until an interrupt has come, or came before. False: a child of this process, which would be the device, has
 * ended, or many signals were faster; the caller sees to it that there is one now and then.
 */
bool ring_wait(const struct ring *ring);

#endif
