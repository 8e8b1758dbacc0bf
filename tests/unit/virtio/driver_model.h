/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side of a split virtqueue and of the virtio-mmio registers, written from virtio 1.2 (2.7 and
 * 4.2.2) without a look at the device's code: what the tests hold the device against.
 */
#ifndef DRIVER_MODEL_H
#define DRIVER_MODEL_H

#include <sys/mman.h>

#include "mmu_backing/gpa_map.h"
#include "virtio/virtio_mmio.h"

#define RAM_GPA UINT64_C(0x100000)
#define RAM_LEN UINT64_C(0x400000)

#define DESC_F_NEXT	1u
#define DESC_F_WRITE	2u
#define DESC_F_INDIRECT 4u

struct guest {
	struct fl_gpa_map map;
	uint8_t *ram;
	uint64_t next_free; /* for guest_alloc() */
};

static inline void guest_init(struct guest *guest)
{
	struct fl_region region = {.kind = FL_REGION_RAM, .gpa = RAM_GPA, .len = RAM_LEN, .name = "ram"};

	memset(guest, 0, sizeof(*guest));
	/* inaccessible pages on both sides: an access outside RAM does not go unnoticed */
	guest->ram = mmap(NULL, RAM_LEN + 2 * FL_PAGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(guest->ram != MAP_FAILED);
	guest->ram += FL_PAGE_LEN;
	assert_int_equal(mprotect(guest->ram, RAM_LEN, PROT_READ | PROT_WRITE), 0);
	region.hva = guest->ram;
	assert_int_equal(fl_gpa_map_add(&guest->map, &region, NULL), 0);
	guest->next_free = RAM_GPA;
}

static inline void guest_fini(struct guest *guest)
{
	munmap(guest->ram - FL_PAGE_LEN, RAM_LEN + 2 * FL_PAGE_LEN);
}

static inline void *at(const struct guest *guest, uint64_t gpa)
{
	return guest->ram + (gpa - RAM_GPA);
}

static inline uint64_t guest_alloc(struct guest *guest, uint64_t len)
{
	uint64_t gpa = guest->next_free;

	guest->next_free = fl_align_up(gpa + len, 64);
	assert_true(guest->next_free <= RAM_GPA + RAM_LEN);
	return gpa;
}

struct driver_queue {
	struct guest *guest;
	uint16_t size;
	uint64_t desc, avail, used; /* guest-physical */
	uint16_t avail_idx;	    /* as published */
	uint16_t used_seen;
};

static inline void driver_queue_init(struct driver_queue *queue, struct guest *guest, uint16_t size)
{
	*queue = (struct driver_queue){.guest = guest, .size = size};
	queue->desc = guest_alloc(guest, 16ull * size);
	queue->avail = guest_alloc(guest, 6 + 2ull * size);
	queue->used = guest_alloc(guest, 6 + 8ull * size);
	memset(at(guest, queue->desc), 0, 16ull * size);
	memset(at(guest, queue->avail), 0, 6 + 2ull * size);
	memset(at(guest, queue->used), 0, 6 + 8ull * size);
}

/* A descriptor in any table, 2.7.5: le64 addr, le32 len, le16 flags, le16 next. */
static inline void put_desc(struct guest *guest, uint64_t table, unsigned int index, uint64_t addr, uint32_t len,
			    unsigned int flags, unsigned int next)
{
	uint8_t bytes[16];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(addr >> 8 * i);
	for (int i = 0; i < 4; i++)
		bytes[8 + i] = (uint8_t)(len >> 8 * i);
	bytes[12] = (uint8_t)flags;
	bytes[13] = (uint8_t)(flags >> 8);
	bytes[14] = (uint8_t)next;
	bytes[15] = (uint8_t)(next >> 8);
	memcpy((uint8_t *)at(guest, table) + 16 * index, bytes, 16);
}

static inline uint16_t ring_get16(const struct guest *guest, uint64_t gpa)
{
	return __atomic_load_n((uint16_t *)at(guest, gpa), __ATOMIC_ACQUIRE);
}

static inline void ring_put16(const struct guest *guest, uint64_t gpa, uint16_t value)
{
	__atomic_store_n((uint16_t *)at(guest, gpa), value, __ATOMIC_RELEASE);
}

static inline uint32_t ring_get32(const struct guest *guest, uint64_t gpa)
{
	return __atomic_load_n((uint32_t *)at(guest, gpa), __ATOMIC_RELAXED);
}

/* 2.7.6, 2.7.8: where things are */
static inline uint64_t avail_flags(const struct driver_queue *queue)
{
	return queue->avail;
}
static inline uint64_t avail_idx(const struct driver_queue *queue)
{
	return queue->avail + 2;
}
static inline uint64_t used_event(const struct driver_queue *queue)
{
	return queue->avail + 4 + 2ull * queue->size;
}
static inline uint64_t avail_event(const struct driver_queue *queue)
{
	return queue->used + 4 + 8ull * queue->size;
}

/* Puts a chain's head into the avail ring and publishes the index. */
static inline void offer(struct driver_queue *queue, uint16_t head)
{
	ring_put16(queue->guest, queue->avail + 4 + 2ull * (queue->avail_idx % queue->size), head);
	ring_put16(queue->guest, avail_idx(queue), ++queue->avail_idx);
}

/* One used entry, if there is one the driver has not seen. */
static inline bool take_used(struct driver_queue *queue, uint32_t *id, uint32_t *len)
{
	uint64_t entry = queue->used + 4 + 8ull * (queue->used_seen % queue->size);

	if (ring_get16(queue->guest, queue->used + 2) == queue->used_seen)
		return false;
	*id = ring_get32(queue->guest, entry);
	*len = ring_get32(queue->guest, entry + 4);
	queue->used_seen++;
	return true;
}

static inline struct fl_virtq virtq_for(const struct driver_queue *queue, bool event_idx, bool indirect)
{
	return (struct fl_virtq){.map = &queue->guest->map,
				 .size = queue->size,
				 .event_idx = event_idx,
				 .indirect = indirect,
				 .desc_gpa = queue->desc,
				 .avail_gpa = queue->avail,
				 .used_gpa = queue->used};
}

/* ---- virtio-mmio, 4.2.2 ---- */

#define MMIO_MAGIC		 0x000
#define MMIO_VERSION		 0x004
#define MMIO_DEVICE_ID		 0x008
#define MMIO_VENDOR_ID		 0x00c
#define MMIO_DEVICE_FEATURES	 0x010
#define MMIO_DEVICE_FEATURES_SEL 0x014
#define MMIO_DRIVER_FEATURES	 0x020
#define MMIO_DRIVER_FEATURES_SEL 0x024
#define MMIO_QUEUE_SEL		 0x030
#define MMIO_QUEUE_NUM_MAX	 0x034
#define MMIO_QUEUE_NUM		 0x038
#define MMIO_QUEUE_READY	 0x044
#define MMIO_QUEUE_NOTIFY	 0x050
#define MMIO_INTERRUPT_STATUS	 0x060
#define MMIO_INTERRUPT_ACK	 0x064
#define MMIO_STATUS		 0x070
#define MMIO_QUEUE_DESC		 0x080
#define MMIO_QUEUE_DRIVER	 0x090
#define MMIO_QUEUE_DEVICE	 0x0a0
#define MMIO_SHM_SEL		 0x0ac
#define MMIO_SHM_LEN		 0x0b0
#define MMIO_SHM_BASE		 0x0b8
#define MMIO_CONFIG_GENERATION	 0x0fc
#define MMIO_CONFIG		 0x100

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER	   2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define STATUS_NEEDS_RESET 64u
#define STATUS_FAILED	   128u

#define FEATURE_INDIRECT_DESC (UINT64_C(1) << 28)
#define FEATURE_EVENT_IDX     (UINT64_C(1) << 29)
#define FEATURE_VERSION_1     (UINT64_C(1) << 32)

static inline uint32_t mmio_get(struct fl_virtio_mmio *dev, uint64_t offset)
{
	uint32_t value = 0xdeadbeef;

	fl_virtio_mmio_access(dev, offset, false, &value, 4);
	return value;
}

static inline void mmio_put(struct fl_virtio_mmio *dev, uint64_t offset, uint32_t value)
{
	fl_virtio_mmio_access(dev, offset, true, &value, 4);
}

static inline void mmio_put64(struct fl_virtio_mmio *dev, uint64_t offset, uint64_t value)
{
	mmio_put(dev, offset, (uint32_t)value);
	mmio_put(dev, offset + 4, (uint32_t)(value >> 32));
}

static inline uint64_t mmio_get64(struct fl_virtio_mmio *dev, uint64_t offset)
{
	return mmio_get(dev, offset) | (uint64_t)mmio_get(dev, offset + 4) << 32;
}

static inline uint64_t mmio_device_features(struct fl_virtio_mmio *dev)
{
	uint64_t low, high;

	mmio_put(dev, MMIO_DEVICE_FEATURES_SEL, 0);
	low = mmio_get(dev, MMIO_DEVICE_FEATURES);
	mmio_put(dev, MMIO_DEVICE_FEATURES_SEL, 1);
	high = mmio_get(dev, MMIO_DEVICE_FEATURES);
	return low | high << 32;
}

/* 3.1.1 steps 1 to 6; false if the device does not accept the features */
static inline bool mmio_negotiate(struct fl_virtio_mmio *dev, uint64_t features)
{
	mmio_put(dev, MMIO_STATUS, 0);
	mmio_put(dev, MMIO_STATUS, STATUS_ACKNOWLEDGE);
	mmio_put(dev, MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	mmio_put(dev, MMIO_DRIVER_FEATURES_SEL, 0);
	mmio_put(dev, MMIO_DRIVER_FEATURES, (uint32_t)features);
	mmio_put(dev, MMIO_DRIVER_FEATURES_SEL, 1);
	mmio_put(dev, MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	mmio_put(dev, MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	return mmio_get(dev, MMIO_STATUS) & STATUS_FEATURES_OK;
}

/* 4.2.3.2 */
static inline void mmio_setup_queue(struct fl_virtio_mmio *dev, unsigned int index, const struct driver_queue *queue)
{
	mmio_put(dev, MMIO_QUEUE_SEL, index);
	mmio_put(dev, MMIO_QUEUE_NUM, queue->size);
	mmio_put64(dev, MMIO_QUEUE_DESC, queue->desc);
	mmio_put64(dev, MMIO_QUEUE_DRIVER, queue->avail);
	mmio_put64(dev, MMIO_QUEUE_DEVICE, queue->used);
	mmio_put(dev, MMIO_QUEUE_READY, 1);
}

static inline void mmio_driver_ok(struct fl_virtio_mmio *dev)
{
	mmio_put(dev, MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}

#endif
