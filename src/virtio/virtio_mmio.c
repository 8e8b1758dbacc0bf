/* SPDX-License-Identifier: Apache-2.0 */
/* The register file and the status state machine, virtio 1.2, 4.2.2 and 2.1. */
#include "virtio/virtio_mmio_impl.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>

#define MAGIC	0x74726976u /* "virt" */
#define VERSION 2u
#define VENDOR	0x4c544c46u /* "FLTL" */

#define ALWAYS_OFFERED                                                                    \
	(UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC | \
	 UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)

uint64_t fl_virtio_offered(const struct fl_virtio_mmio *dev)
{
	return dev->opts.features | ALWAYS_OFFERED;
}

static struct fl_virtio_queue *selected(struct fl_virtio_mmio *dev)
{
	return dev->queue_sel < dev->opts.queue_count ? &dev->queues[dev->queue_sel] : NULL;
}

static uint32_t half(uint64_t value, bool high)
{
	return (uint32_t)(high ? value >> 32 : value);
}

static void set_half(uint64_t *value, bool high, uint32_t half_value)
{
	*value = high ? (*value & UINT32_MAX) | (uint64_t)half_value << 32
		      : (*value & ~(uint64_t)UINT32_MAX) | half_value;
}

/* 4.2.2.1: a region that does not exist has a length (and base) of all ones. */
static uint32_t read_shm(const struct fl_virtio_mmio *dev, uint64_t value, bool high)
{
	return dev->shm_sel == 0 && dev->opts.shm_len ? half(value, high) : UINT32_MAX;
}

static uint32_t read_register(struct fl_virtio_mmio *dev, uint64_t offset)
{
	const struct fl_virtio_queue *queue = selected(dev);

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return dev->opts.device_id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return dev->device_features_sel < 2 ? half(fl_virtio_offered(dev), dev->device_features_sel) : 0;
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? dev->opts.queue_size_max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue && queue->regs.ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return atomic_load(&dev->interrupt_status);
	case VIRTIO_MMIO_STATUS:
		return atomic_load(&dev->status);
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
		return read_shm(dev, dev->opts.shm_len, offset == VIRTIO_MMIO_SHM_LEN_HIGH);
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return read_shm(dev, dev->opts.shm_gpa, offset == VIRTIO_MMIO_SHM_BASE_HIGH);
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return atomic_load(&dev->generation);
	default:
		return 0; /* write-only or not there */
	}
}

/* 2.1.2 and 3.1.1: the queues have work only now. */
static void kick_ready_queues(struct fl_virtio_mmio *dev)
{
	for (unsigned int i = 0; i < dev->opts.queue_count; i++) {
		if (dev->queues[i].regs.ready)
			fl_virtio_kick(&dev->queues[i]);
	}
}

static bool features_acceptable(const struct fl_virtio_mmio *dev)
{
	return !(dev->driver_features & ~fl_virtio_offered(dev)) &&
	       (dev->driver_features & UINT64_C(1) << VIRTIO_F_VERSION_1);
}

static void reset(struct fl_virtio_mmio *dev)
{
	if (fl_virtio_carry(dev, FL_CARRY_RESET, NULL))
		return; /* no memory, or the VM is ending: the driver goes on reading a status that is not 0 */
	for (unsigned int i = 0; i < dev->opts.queue_count; i++)
		dev->queues[i].regs = (struct fl_virtio_queue_regs){0};
	dev->device_features_sel = 0;
	dev->driver_features_sel = 0;
	dev->driver_features = 0;
	dev->queue_sel = 0;
	dev->shm_sel = 0;
}

static void write_status(struct fl_virtio_mmio *dev, uint32_t value)
{
	uint32_t before = atomic_load(&dev->status);
	uint32_t added = value & ~before & 0xffu & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET;

	if (value == 0) {
		reset(dev);
		return;
	}
	if (added & VIRTIO_CONFIG_S_FEATURES_OK) {
		if (features_acceptable(dev))
			atomic_store(&dev->negotiated, dev->driver_features);
		else
			added &= ~(
				uint32_t)VIRTIO_CONFIG_S_FEATURES_OK; /* 3.1.1: read back clear, it tells the driver */
	}
	if (!((before | added) & VIRTIO_CONFIG_S_FEATURES_OK))
		added &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	atomic_fetch_or(&dev->status, added); /* bits only go away by a reset, 2.1.1 */
	if (added & VIRTIO_CONFIG_S_DRIVER_OK)
		kick_ready_queues(dev);
}

static void write_queue_ready(struct fl_virtio_mmio *dev, struct fl_virtio_queue *queue, uint32_t value)
{
	bool on = value & 1;
	int rc;

	if (on == queue->regs.ready || !(atomic_load(&dev->status) & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	rc = fl_virtio_carry(dev, on ? FL_CARRY_ENABLE : FL_CARRY_DISABLE, queue);
	if (rc == -EINVAL)
		fl_virtio_needs_reset(dev, "a queue has a bad size or does not lie in RAM");
	if (rc)
		return;
	queue->regs.ready = on;
	if (on)
		fl_virtio_kick(queue);
}

/* 4.2.2.2: the driver must not touch these while the queue is ready; what it writes then is dropped. */
static void write_queue_register(struct fl_virtio_mmio *dev, uint64_t offset, uint32_t value)
{
	struct fl_virtio_queue *queue = selected(dev);

	if (!queue)
		return;
	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		write_queue_ready(dev, queue, value);
		return;
	}
	if (queue->regs.ready)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		queue->regs.num = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&queue->regs.desc_gpa, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&queue->regs.avail_gpa, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&queue->regs.used_gpa, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	default:
		break;
	}
}

static void write_register(struct fl_virtio_mmio *dev, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (dev->driver_features_sel < 2 && !(atomic_load(&dev->status) & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&dev->driver_features, dev->driver_features_sel, value);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		if (value < dev->opts.queue_count)
			fl_virtio_kick(&dev->queues[value]);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		/* Only what the driver has seen: a bit raised meanwhile stays, and its edge comes after this. */
		atomic_fetch_and(&dev->interrupt_status, ~value);
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(dev, value);
		break;
	case VIRTIO_MMIO_SHM_SEL:
		dev->shm_sel = value;
		break;
	default:
		write_queue_register(dev, offset, value);
	}
}

static void access_config(struct fl_virtio_mmio *dev, uint64_t offset, bool write, void *data, uint32_t len)
{
	uint32_t config_len = dev->opts.config_len;

	if (write) {
		if (fl_range_fits(offset, len, config_len) && dev->opts.ops.config_write)
			dev->opts.ops.config_write(dev->opts.ops.arg, (uint32_t)offset, data, len);
	} else if (offset < config_len) {
		dev->opts.ops.config_read(dev->opts.ops.arg, (uint32_t)offset, data,
					  (uint32_t)FL_MIN(len, config_len - offset));
	}
}

void fl_virtio_mmio_access(struct fl_virtio_mmio *dev, uint64_t offset, bool write, void *data, uint32_t len)
{
	FL_LOCKED(&dev->lock);
	uint32_t value = 0;

	if (!write)
		memset(data, 0, len);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		if (offset < FL_VIRTIO_MMIO_LEN && (len == 1 || len == 2 || len == 4 || len == 8))
			access_config(dev, offset - VIRTIO_MMIO_CONFIG, write, data, len);
		return;
	}
	/* 4.2.2.2: control registers are accessed with aligned 32-bit reads and writes */
	if (len != sizeof(value) || !fl_is_aligned(offset, sizeof(value)))
		return;
	if (write) {
		memcpy(&value, data, sizeof(value));
		write_register(dev, offset, le32toh(value));
	} else {
		value = htole32(read_register(dev, offset));
		memcpy(data, &value, sizeof(value));
	}
}
