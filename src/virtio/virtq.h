/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtq: the device's side of a split virtqueue (virtio 1.2, 2.7). The ring is the guest's and
 * may lie: every index and length is read once, checked, and a bad one makes fl_virtq_pop() return
 * -EPROTO, after which the device must be marked as needing a reset.
 *
 * Threads: one consumer thread for pop/push (the device's loop); set-up while no consumer runs.
 */
#ifndef FL_VIRTQ_H
#define FL_VIRTQ_H

#include <sys/uio.h>

#include "mmu_backing/gmem.h"

#define FL_VIRTQ_SIZE_MAX 1024

struct fl_virtq {
	const struct fl_gpa_map *map;
	uint16_t size; /* power of two, <= FL_VIRTQ_SIZE_MAX */
	bool ready;
	bool event_idx, indirect; /* negotiated */
	uint64_t desc_gpa, avail_gpa, used_gpa;
	/* pointers into RAM, valid while ready */
	const void *desc;
	const void *avail;
	void *used;
	uint16_t last_avail; /* next avail entry to take */
	uint16_t used_idx;   /* next used entry to write */
	uint16_t signalled;  /* used index at the last interrupt decision */
};

/* One segment of a chain, guest-physical; not yet known to be mapped. */
struct fl_virtq_seg {
	uint64_t gpa;
	uint32_t len;
};

/* One request: device-readable segments first, then device-writable ones (2.7.4.2). */
#define FL_CHAIN_SEGS_MAX 512
struct fl_chain {
	uint16_t head;
	unsigned int readable_count, writable_count;
	uint64_t readable_len, writable_len;
	struct fl_virtq_seg segs[FL_CHAIN_SEGS_MAX]; /* readable ones, then writable ones */
};

/* Checks alignment and that all three areas lie in RAM; sets ready. -EINVAL otherwise. */
FL_CHECKED_RESULT int fl_virtq_enable(struct fl_virtq *vq);
void fl_virtq_disable(struct fl_virtq *vq);

/* Entries that the guest has made available and pop has not taken; the queue is ready. -EPROTO: more than fit. */
FL_CHECKED_RESULT int fl_virtq_pending(const struct fl_virtq *vq);
/* 1: chain filled; 0: nothing there; -EPROTO: the ring is malformed (loop, bad index, too long...). */
FL_CHECKED_RESULT int fl_virtq_pop(struct fl_virtq *vq, struct fl_chain *chain);
/* Gives a chain back with written_len bytes written. Returns whether the guest wants an interrupt. */
bool fl_virtq_push(struct fl_virtq *vq, uint16_t head, uint32_t written_len);
/*
 * The two halves of it, for several chains in a row: gives one back, and asks whether the guest wants an interrupt for
 * any that was given back since this was last asked. Who puts must ask before it waits for anything.
 */
void fl_virtq_put(struct fl_virtq *vq, uint16_t head, uint32_t written_len);
/* Gives several back, which the guest sees all at once: what lies in all of them together is one thing. */
struct fl_virtq_used {
	uint16_t head;
	uint32_t written_len;
};
void fl_virtq_put_all(struct fl_virtq *vq, const struct fl_virtq_used *used, unsigned int count);
bool fl_virtq_wants_interrupt(struct fl_virtq *vq);
/* Ask for notifications; returns true if something came in between and pop must be tried again. */
bool fl_virtq_enable_notify(struct fl_virtq *vq);
/* The same for more than `ahead` (less than size) entries being there; without EVENT_IDX every entry notifies. */
bool fl_virtq_enable_notify_at(struct fl_virtq *vq, uint16_t ahead);

/*
 * Copies out of the readable part / into the writable part, from byte `offset` of that part. Returns the
 * bytes copied: less than len at the end of the part or where its memory ends (a window page can vanish); -EFAULT if
 * that is at the first of them.
 */
int64_t fl_chain_read(const struct fl_gpa_map *map, const struct fl_chain *chain, uint64_t offset, void *buf,
		      size_t len);
int64_t fl_chain_write(const struct fl_gpa_map *map, const struct fl_chain *chain, uint64_t offset, const void *buf,
		       size_t len);
/*
 * iovecs (for system calls only) over [offset, offset+len) of the readable or writable part.
 * *count: entries used. -EFAULT, -E2BIG (more than cap), -EINVAL (part shorter than that).
 */
FL_CHECKED_RESULT int fl_chain_iov(const struct fl_gpa_map *map, const struct fl_chain *chain, bool writable,
				   uint64_t offset, uint64_t len, struct iovec *iov, unsigned int cap,
				   unsigned int *count);

#endif
