/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_mmio: the transport of virtio 1.2, 4.2: register file, status state machine, queue set-up,
 * shared-memory registers, ioeventfd notifications and irqfd interrupts.
 *
 * Threads: register accesses come on vCPU threads and are serialised by the device's lock. Queue work
 * happens on the device's loop thread only: the transport adds each queue's eventfd to the loop and
 * calls ops->queue_notified there. A guest's reset (status 0) is carried to the loop thread and waited
 * for, so that ops->reset never runs beside ops->queue_notified; the vCPU that wrote it reads back 0 only then.
 * Enabling and disabling a queue goes the same way. So code on the loop thread must never wait for a vCPU thread.
 */
#ifndef FL_VIRTIO_MMIO_H
#define FL_VIRTIO_MMIO_H

#include "fl_log.h"
#include "fl_loop.h"
#include "virtio/virtq.h"

#define FL_VIRTIO_MMIO_LEN   UINT64_C(0x1000)
#define FL_VIRTIO_QUEUES_MAX 64

struct fl_virtio_mmio;

struct fl_virtio_ops {
	/* loop thread, DRIVER_OK is set: the guest has kicked queue `index`, or it has just become ready */
	void (*queue_notified)(void *arg, unsigned int index);
	/* loop thread: drop all state; nothing is in flight when it returns, and queues are disabled afterwards */
	void (*reset)(void *arg);
	/* loop thread, before a queue is disabled alone: returns when nothing is in flight; NULL: nothing ever is */
	void (*quiesce)(void *arg);
	/* vCPU thread: len bytes of configuration space at offset (inside config_len) */
	void (*config_read)(void *arg, uint32_t offset, void *buf, uint32_t len);
	/* vCPU thread; NULL: writes are ignored */
	void (*config_write)(void *arg, uint32_t offset, const void *buf, uint32_t len);
	void *arg;
};

struct fl_virtio_mmio_opts {
	const char *name; /* for logs: "fs0", "console" */
	uint32_t device_id;
	uint64_t features; /* besides VERSION_1, INDIRECT_DESC and EVENT_IDX, which are always offered */
	unsigned int queue_count;
	uint16_t queue_size_max;
	uint32_t config_len;
	uint64_t shm_gpa, shm_len; /* shared-memory region 0; len 0: none */
	uint64_t gpa;		   /* of the register page, for the ioeventfds */
	uint32_t gsi;
	int vm_fd; /* -1: no KVM (unit tests): notifications by fl_virtio_mmio_access only, no irqfd */
	const struct fl_gpa_map *map;
	struct fl_loop *loop; /* started later by the owner */
	const struct fl_log *log;
	struct fl_virtio_ops ops;
};

FL_CHECKED_RESULT int fl_virtio_mmio_new(const struct fl_virtio_mmio_opts *opts, struct fl_virtio_mmio **dev,
					 struct fl_diag *diag);
void fl_virtio_mmio_free(struct fl_virtio_mmio *dev); /* the loop has been stopped; NULL allowed */

/* One access by the guest to the register page; wrong sizes read as 0 and write nothing. */
void fl_virtio_mmio_access(struct fl_virtio_mmio *dev, uint64_t offset, bool write, void *data, uint32_t len);

/* For the device's code, loop thread only: */
struct fl_virtq *fl_virtio_queue(struct fl_virtio_mmio *dev, unsigned int index);
uint64_t fl_virtio_features(const struct fl_virtio_mmio *dev); /* negotiated */
/* fl_virtq_push() and, if the guest wants it, the interrupt. */
void fl_virtio_complete(struct fl_virtio_mmio *dev, unsigned int index, uint16_t head, uint32_t written_len);
/* Its halves: fl_virtq_put(), fl_virtq_put_all(); and the interrupt, if the guest wants one for what was put since the
 * last of these. */
void fl_virtio_put(struct fl_virtio_mmio *dev, unsigned int index, uint16_t head, uint32_t written_len);
void fl_virtio_put_all(struct fl_virtio_mmio *dev, unsigned int index, const struct fl_virtq_used *used,
		       unsigned int count);
void fl_virtio_announce(struct fl_virtio_mmio *dev, unsigned int index);
/* The guest broke the rules: DEVICE_NEEDS_RESET (2.1.2) and a configuration interrupt; queues go quiet. */
void fl_virtio_needs_reset(struct fl_virtio_mmio *dev, const char *why);
bool fl_virtio_is_broken(const struct fl_virtio_mmio *dev);
/* Loop thread: calls ops->queue_notified for the queue once more, after other work has had its turn. */
void fl_virtio_requeue(struct fl_virtio_mmio *dev, unsigned int index);
/* Any thread: configuration has changed (interrupt bit 1). */
void fl_virtio_config_changed(struct fl_virtio_mmio *dev);

#endif
