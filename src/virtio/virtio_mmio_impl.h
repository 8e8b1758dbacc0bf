/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside virtio_mmio: the register file (virtio_mmio.c, vCPU threads) and the device's other half on
 * the loop's thread (virtio_device.c). The queues themselves belong to the loop's thread alone;
 * what a vCPU does to them is carried over there and waited for.
 */
#ifndef FL_VIRTIO_MMIO_IMPL_H
#define FL_VIRTIO_MMIO_IMPL_H

#include <stdatomic.h>

#include "virtio/virtio_mmio.h"

/* What the driver has written, guarded by the device's lock. */
struct fl_virtio_queue_regs {
	bool ready;
	uint32_t num;
	uint64_t desc_gpa, avail_gpa, used_gpa;
};

struct fl_virtio_queue {
	struct fl_virtio_mmio *dev;
	unsigned int index;
	struct fl_virtio_queue_regs regs;
	struct fl_virtq vq;  /* loop thread */
	int kick_fd;	     /* eventfd; KVM's ioeventfd or fl_virtio_kick() writes it */
	unsigned int source; /* of kick_fd in the loop */
	bool has_ioeventfd;
};

enum fl_carry_what { FL_CARRY_RESET, FL_CARRY_ENABLE, FL_CARRY_DISABLE };

/* One errand of a vCPU thread to the loop's thread; lock and cond because it waits. */
struct fl_virtio_carry {
	pthread_mutex_t lock; /* done; taken inside the device's lock */
	pthread_cond_t cond;
	bool done;
	enum fl_carry_what what;
	struct fl_virtio_queue *queue;
	int result;
};

struct fl_virtio_mmio {
	struct fl_virtio_mmio_opts opts; /* constant; name points to the next */
	char name[24];

	/*
	 * Guards the registers. Never taken on the loop's thread: a vCPU holds it while it waits for that.
	 */
	pthread_mutex_t lock;
	uint32_t device_features_sel, driver_features_sel, queue_sel, shm_sel;
	uint64_t driver_features; /* what the driver writes; counts when FEATURES_OK is accepted */
	struct fl_virtio_carry carry;

	/* Written by both sides. */
	atomic_uint status;
	atomic_uint interrupt_status;
	atomic_uint generation;
	_Atomic uint64_t negotiated; /* 0 before FEATURES_OK */

	int irq_fd; /* eventfd behind KVM's irqfd; -1 without KVM */
	bool has_irqfd;
	struct fl_log_limit log_limit;
	struct fl_virtio_queue queues[FL_VIRTIO_QUEUES_MAX];
};

uint64_t fl_virtio_offered(const struct fl_virtio_mmio *dev);
/* Any thread: as if the guest had notified the queue. */
void fl_virtio_kick(struct fl_virtio_queue *queue);
/* vCPU thread, with the device's lock: does it on the loop's thread and waits. queue: NULL for a reset. */
FL_CHECKED_RESULT int fl_virtio_carry(struct fl_virtio_mmio *dev, enum fl_carry_what what,
				      struct fl_virtio_queue *queue);

#endif
