/* SPDX-License-Identifier: Apache-2.0 */
/* virtio 1.2: devices by MMIO (4.2), split queues (2.7). */
#include "guest/small/small.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

static void set(struct small_device *device, uint32_t reg, uint32_t value)
{
	device->regs[reg / 4] = value;
}

static void set_address(struct small_device *device, uint32_t low, const volatile void *at)
{
	set(device, low, (uint32_t)(uintptr_t)at);
	set(device, low + 4, (uint32_t)((uintptr_t)at >> 32));
}

void small_virtio_begin(struct small_device *device, uint64_t features)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	features |= UINT64_C(1) << VIRTIO_F_VERSION_1;
	set(device, VIRTIO_MMIO_STATUS, 0);
	set(device, VIRTIO_MMIO_STATUS, status);
	set(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	set(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	set(device, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(device->regs[VIRTIO_MMIO_STATUS / 4] & VIRTIO_CONFIG_S_FEATURES_OK))
		small_die("the virtio device %u lacks a feature", device->id);
}

void small_virtio_queue(struct small_device *device, uint32_t index, uint16_t size, struct small_queue *queue)
{
	uint8_t *rings = small_pages(FL_PAGE_LEN);

	*queue = (struct small_queue){.device = device, .index = index, .size = size};
	queue->desc = (struct vring_desc *)rings;
	queue->avail = (struct vring_avail *)(rings + 2048);
	queue->used = (volatile struct vring_used *)(rings + 2560);
	set(device, VIRTIO_MMIO_QUEUE_SEL, index);
	set(device, VIRTIO_MMIO_QUEUE_NUM, size);
	set_address(device, VIRTIO_MMIO_QUEUE_DESC_LOW, queue->desc);
	set_address(device, VIRTIO_MMIO_QUEUE_AVAIL_LOW, queue->avail);
	set_address(device, VIRTIO_MMIO_QUEUE_USED_LOW, queue->used);
	set(device, VIRTIO_MMIO_QUEUE_READY, 1);
}

void small_virtio_go(struct small_device *device)
{
	set(device, VIRTIO_MMIO_STATUS,
	    VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |
		    VIRTIO_CONFIG_S_DRIVER_OK);
}

void small_queue_put(struct small_queue *queue, uint16_t first, const struct small_buffer *buffers, uint32_t readable,
		     uint32_t writable)
{
	for (uint32_t i = 0; i < readable + writable; i++) {
		bool more = i + 1 < readable + writable;

		queue->desc[first + i] = (struct vring_desc){
			.addr = (uintptr_t)buffers[i].at,
			.len = buffers[i].len,
			.flags = (uint16_t)((i < readable ? 0 : VRING_DESC_F_WRITE) | (more ? VRING_DESC_F_NEXT : 0)),
			.next = (uint16_t)(more ? first + i + 1 : 0),
		};
	}
	queue->avail->ring[queue->put % queue->size] = first;
	__atomic_store_n(&queue->avail->idx, ++queue->put, __ATOMIC_RELEASE);
}

void small_queue_notify(struct small_queue *queue)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(queue->used->flags & VRING_USED_F_NO_NOTIFY))
		set(queue->device, VIRTIO_MMIO_QUEUE_NOTIFY, queue->index);
}

bool small_queue_take(struct small_queue *queue, uint16_t *first, uint32_t *len)
{
	const volatile struct vring_used_elem *element = &queue->used->ring[queue->taken % queue->size];

	if (__atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) == queue->taken)
		return false;
	*first = (uint16_t)element->id;
	*len = element->len;
	queue->taken++;
	return true;
}
