/* SPDX-License-Identifier: Apache-2.0 */
/* The loop thread's half of a virtio-mmio device: queues, notifications, interrupts; and its making. */
#include "virtio/virtio_mmio_impl.h"

#include <linux/kvm.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

static void signal_eventfd(int fd)
{
	const uint64_t one = 1;

	/* EAGAIN: the counter is full, so whoever reads it will wake up anyway */
	while (fd >= 0 && write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void fl_virtio_kick(struct fl_virtio_queue *queue)
{
	signal_eventfd(queue->kick_fd);
}

/*
 * The line is edge-triggered: an edge for every cause, even if its bit is still set. The driver
 * (drivers/virtio/virtio_mmio.c vm_interrupt) reads the bits, acknowledges them, then looks at its queues: a
 * bit set after that read is seen by the handler that this edge starts.
 */
static void interrupt(struct fl_virtio_mmio *dev, uint32_t cause)
{
	atomic_fetch_or(&dev->interrupt_status, cause);
	signal_eventfd(dev->irq_fd);
}

/* ---- for the device's code ---- */

struct fl_virtq *fl_virtio_queue(struct fl_virtio_mmio *dev, unsigned int index)
{
	return &dev->queues[index].vq;
}

uint64_t fl_virtio_features(const struct fl_virtio_mmio *dev)
{
	return atomic_load(&dev->negotiated);
}

bool fl_virtio_is_broken(const struct fl_virtio_mmio *dev)
{
	return atomic_load(&dev->status) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

void fl_virtio_put(struct fl_virtio_mmio *dev, unsigned int index, uint16_t head, uint32_t written_len)
{
	if (!fl_virtio_is_broken(dev))
		fl_virtq_put(&dev->queues[index].vq, head, written_len);
}

void fl_virtio_put_all(struct fl_virtio_mmio *dev, unsigned int index, const struct fl_virtq_used *used,
		       unsigned int count)
{
	if (!fl_virtio_is_broken(dev))
		fl_virtq_put_all(&dev->queues[index].vq, used, count);
}

void fl_virtio_announce(struct fl_virtio_mmio *dev, unsigned int index)
{
	if (fl_virtq_wants_interrupt(&dev->queues[index].vq))
		interrupt(dev, VIRTIO_MMIO_INT_VRING);
}

void fl_virtio_complete(struct fl_virtio_mmio *dev, unsigned int index, uint16_t head, uint32_t written_len)
{
	fl_virtio_put(dev, index, head, written_len);
	fl_virtio_announce(dev, index);
}

void fl_virtio_needs_reset(struct fl_virtio_mmio *dev, const char *why)
{
	uint32_t before = atomic_fetch_or(&dev->status, VIRTIO_CONFIG_S_NEEDS_RESET);

	if (before & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	fl_log_limited(dev->opts.log, &dev->log_limit, FL_LOG_WARN,
		       "dev=%s the guest's driver broke the rules, the device waits for a reset: %s", dev->name, why);
	if (before & VIRTIO_CONFIG_S_DRIVER_OK) /* 2.1.2 */
		interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}

void fl_virtio_requeue(struct fl_virtio_mmio *dev, unsigned int index)
{
	fl_virtio_kick(&dev->queues[index]);
}

void fl_virtio_config_changed(struct fl_virtio_mmio *dev)
{
	atomic_fetch_add(&dev->generation, 1);
	if (atomic_load(&dev->status) & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}

/* ---- errands of vCPU threads ---- */

static int enable_queue(struct fl_virtio_queue *queue)
{
	const struct fl_virtio_mmio *dev = queue->dev;
	const struct fl_virtio_queue_regs *regs = &queue->regs;
	uint64_t features = fl_virtio_features(dev);

	if (regs->num > dev->opts.queue_size_max)
		return -EINVAL;
	queue->vq = (struct fl_virtq){
		.map = dev->opts.map,
		.size = (uint16_t)regs->num,
		.event_idx = features & UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX,
		.indirect = features & UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC,
		.desc_gpa = regs->desc_gpa,
		.avail_gpa = regs->avail_gpa,
		.used_gpa = regs->used_gpa,
	};
	return fl_virtq_enable(&queue->vq);
}

static void reset_device(struct fl_virtio_mmio *dev)
{
	dev->opts.ops.reset(dev->opts.ops.arg);
	for (unsigned int i = 0; i < dev->opts.queue_count; i++)
		fl_virtq_disable(&dev->queues[i].vq);
	atomic_store(&dev->negotiated, 0);
	atomic_store(&dev->interrupt_status, 0);
	atomic_store(&dev->status, 0);
}

static int run_errand(struct fl_virtio_mmio *dev, const struct fl_virtio_carry *carry)
{
	switch (carry->what) {
	case FL_CARRY_RESET:
		reset_device(dev);
		return 0;
	case FL_CARRY_ENABLE:
		return enable_queue(carry->queue);
	case FL_CARRY_DISABLE:
		/* 4.2.2.2: once it reads back as not ready the queue is not touched, nor are its buffers */
		if (dev->opts.ops.quiesce)
			dev->opts.ops.quiesce(dev->opts.ops.arg);
		fl_virtq_disable(&carry->queue->vq);
		return 0;
	default:
		return -EINVAL;
	}
}

static void on_errand(void *arg)
{
	struct fl_virtio_mmio *dev = arg;
	int result = run_errand(dev, &dev->carry);

	FL_LOCKED(&dev->carry.lock);
	dev->carry.result = result;
	dev->carry.done = true;
	pthread_cond_signal(&dev->carry.cond);
}

int fl_virtio_carry(struct fl_virtio_mmio *dev, enum fl_carry_what what, struct fl_virtio_queue *queue)
{
	struct fl_virtio_carry *carry = &dev->carry;
	int rc;

	carry->done = false;
	carry->what = what;
	carry->queue = queue;
	rc = fl_loop_post(dev->opts.loop, on_errand, dev);
	if (rc)
		return rc; /* -ESHUTDOWN: the VM is ending, its thread may still be inside our code */
	FL_LOCKED(&carry->lock);
	while (!carry->done)
		pthread_cond_wait(&carry->cond, &carry->lock);
	return carry->result;
}

/* ---- notifications ---- */

static void on_kick(void *arg)
{
	struct fl_virtio_queue *queue = arg;
	struct fl_virtio_mmio *dev = queue->dev;

	/* 2.1.2: no buffer is consumed before DRIVER_OK, which kicks all queues again */
	if (!queue->vq.ready || fl_virtio_is_broken(dev) || !(atomic_load(&dev->status) & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	dev->opts.ops.queue_notified(dev->opts.ops.arg, queue->index);
}

static int set_ioeventfd(const struct fl_virtio_queue *queue, uint32_t flags)
{
	const struct fl_virtio_mmio_opts *opts = &queue->dev->opts;
	struct kvm_ioeventfd args = {
		.datamatch = queue->index,
		.addr = opts->gpa + VIRTIO_MMIO_QUEUE_NOTIFY,
		.len = 4,
		.fd = queue->kick_fd,
		.flags = flags | KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	return ioctl(opts->vm_fd, KVM_IOEVENTFD, &args) < 0 ? -errno : 0;
}

static int set_irqfd(const struct fl_virtio_mmio *dev, uint32_t flags)
{
	struct kvm_irqfd args = {.fd = (uint32_t)dev->irq_fd, .gsi = dev->opts.gsi, .flags = flags};

	return ioctl(dev->opts.vm_fd, KVM_IRQFD, &args) < 0 ? -errno : 0;
}

static int init_queue(struct fl_virtio_queue *queue, struct fl_diag *diag)
{
	const struct fl_virtio_mmio *dev = queue->dev;
	int rc;

	queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->kick_fd < 0)
		return fl_diag(diag, -errno, "device %s: cannot make an eventfd: %s", dev->name, strerror(errno));
	rc = fl_loop_add_event(dev->opts.loop, queue->kick_fd, on_kick, queue, &queue->source);
	if (rc)
		return fl_diag(diag, rc, "device %s: its thread has no room for queue %u", dev->name, queue->index);
	if (dev->opts.vm_fd < 0)
		return 0;
	rc = set_ioeventfd(queue, 0);
	if (rc)
		return fl_diag(diag, rc, "device %s: KVM refuses an ioeventfd for queue %u: %s", dev->name,
			       queue->index, strerror(-rc));
	queue->has_ioeventfd = true;
	return 0;
}

static int init_irq(struct fl_virtio_mmio *dev, struct fl_diag *diag)
{
	int rc;

	if (dev->opts.vm_fd < 0)
		return 0;
	dev->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->irq_fd < 0)
		return fl_diag(diag, -errno, "device %s: cannot make an eventfd: %s", dev->name, strerror(errno));
	rc = set_irqfd(dev, 0);
	if (rc)
		return fl_diag(diag, rc, "device %s: KVM refuses an irqfd for interrupt %u: %s", dev->name,
			       dev->opts.gsi, strerror(-rc));
	dev->has_irqfd = true;
	return 0;
}

static bool options_are_good(const struct fl_virtio_mmio_opts *opts)
{
	uint16_t size = opts->queue_size_max;

	return opts->queue_count >= 1 && opts->queue_count <= FL_VIRTIO_QUEUES_MAX && size &&
	       size <= FL_VIRTQ_SIZE_MAX && !(size & (size - 1)) && opts->map && opts->loop && opts->name &&
	       opts->config_len <= FL_VIRTIO_MMIO_LEN - VIRTIO_MMIO_CONFIG && opts->ops.queue_notified &&
	       opts->ops.reset && (opts->ops.config_read || !opts->config_len) &&
	       fl_is_aligned(opts->gpa, FL_VIRTIO_MMIO_LEN);
}

static int init_device(struct fl_virtio_mmio *dev, struct fl_diag *diag)
{
	int rc = init_irq(dev, diag);

	for (unsigned int i = 0; !rc && i < dev->opts.queue_count; i++)
		rc = init_queue(&dev->queues[i], diag);
	return rc;
}

int fl_virtio_mmio_new(const struct fl_virtio_mmio_opts *opts, struct fl_virtio_mmio **dev_out, struct fl_diag *diag)
{
	struct fl_virtio_mmio *dev;
	int rc;

	if (!options_are_good(opts))
		return fl_diag(diag, -EINVAL, "device %s: bad options for its transport",
			       opts->name ? opts->name : "without a name");
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return fl_diag(diag, -ENOMEM, "device %s: no memory", opts->name);
	dev->opts = *opts;
	snprintf(dev->name, sizeof(dev->name), "%s", opts->name);
	dev->opts.name = dev->name;
	dev->irq_fd = -1;
	pthread_mutex_init(&dev->lock, NULL);
	pthread_mutex_init(&dev->carry.lock, NULL);
	pthread_cond_init(&dev->carry.cond, NULL);
	for (unsigned int i = 0; i < FL_VIRTIO_QUEUES_MAX; i++) {
		dev->queues[i].dev = dev;
		dev->queues[i].index = i;
		dev->queues[i].kick_fd = -1;
	}
	rc = init_device(dev, diag);
	if (rc) {
		fl_virtio_mmio_free(dev);
		return rc;
	}
	*dev_out = dev;
	return 0;
}

void fl_virtio_mmio_free(struct fl_virtio_mmio *dev)
{
	if (!dev)
		return;
	for (unsigned int i = 0; i < dev->opts.queue_count; i++) {
		struct fl_virtio_queue *queue = &dev->queues[i];

		if (queue->has_ioeventfd)
			(void)set_ioeventfd(queue, KVM_IOEVENTFD_FLAG_DEASSIGN);
		fl_loop_remove_fd(dev->opts.loop, queue->source);
		fl_close(&queue->kick_fd);
	}
	if (dev->has_irqfd)
		(void)set_irqfd(dev, KVM_IRQFD_FLAG_DEASSIGN);
	fl_close(&dev->irq_fd);
	pthread_cond_destroy(&dev->carry.cond);
	pthread_mutex_destroy(&dev->carry.lock);
	pthread_mutex_destroy(&dev->lock);
	free(dev);
}
