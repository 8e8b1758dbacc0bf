/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fs_device.h"

#include <stdio.h>
#include <string.h>

#include "virtiofs/fuse_dispatch.h"

#define FL_VIRTIO_ID_FS	 26u /* virtio 1.2, 5.11.1 */
#define FL_FS_QUEUES	 2u  /* hiprio and one request queue; more would only spare the guest a spinlock */
#define FL_FS_QUEUE_SIZE 512 /* Linux limits a request to the size - 4 pages: 256 for 1 MiB must fit */
#define FL_FS_TAG_LEN	 36u
/* After so many requests the loop's thread looks at its other sources: a guest cannot keep it. */
#define FL_FS_BATCH 64u
/*
 * Answers that wait to be announced by one interrupt: at most so many, so much data, and none for longer than that and
 * four more requests. An interrupt costs as much as a request; what a guest's process waits for must not lie about.
 */
#define FL_FS_HELD_MAX	  16u
#define FL_FS_HELD_LEN	  (64u << 10)
#define FL_FS_HELD_MAX_NS UINT64_C(50000)
/* How often it is said that something waits for a file system that does not answer. */
#define FL_FS_STALL_MS 2000

/* struct virtio_fs_config, virtio 1.2, 5.11.4 */
struct fs_config {
	char tag[FL_FS_TAG_LEN]; /* NUL-padded */
	uint32_t num_request_queues;
};
_Static_assert(sizeof(struct fs_config) == 40, "virtio_fs_config");

struct held {
	unsigned int count;
	uint64_t len;
	uint64_t since_ns;
};

/* A chain of a queue's: the one that is being served, or a copy of one that is in flight. */
struct request {
	struct fl_fs_device *dev;
	unsigned int queue;
	struct fl_chain chain;
};

struct fl_fs_device {
	struct fl_fs *fs;
	struct fl_virtio_mmio *transport;
	struct fl_loop *loop;
	const struct fl_gpa_map *map;
	const struct fl_log *log;
	struct fs_config config;
	const char *title; /* for the log */
	bool thread_prepared;
	struct held held[FL_FS_QUEUES];
	struct fl_loop_later announcement;
	struct request current;
};

static int64_t io_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	const struct request *request = arg;

	return fl_chain_read(request->dev->map, &request->chain, offset, buf, len);
}

static int64_t io_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	const struct request *request = arg;

	return fl_chain_write(request->dev->map, &request->chain, offset, buf, len);
}

static int io_iov(void *arg, bool writable, uint64_t offset, uint64_t len, struct iovec *iov, unsigned int cap,
		  unsigned int *count)
{
	const struct request *request = arg;

	return fl_chain_iov(request->dev->map, &request->chain, writable, offset, len, iov, cap, count);
}

static void announce(struct fl_fs_device *dev, unsigned int index)
{
	fl_virtio_announce(dev->transport, index);
	dev->held[index] = (struct held){0};
}

static void announce_all(void *arg)
{
	struct fl_fs_device *dev = arg;

	for (unsigned int i = 0; i < FL_FS_QUEUES; i++)
		announce(dev, i);
}

/* What was given back before is still announced. */
static void need_reset(struct fl_fs_device *dev, const char *why)
{
	announce_all(dev);
	fl_virtio_needs_reset(dev->transport, why);
}

/* The clock is asked for one answer in four: it costs a small part of what a request does. */
static bool is_old(struct held *held)
{
	uint64_t now;

	if (held->count % 4 != 1)
		return false;
	now = fl_now_ns(CLOCK_MONOTONIC);
	if (held->count == 1)
		held->since_ns = now;
	return now - held->since_ns > FL_FS_HELD_MAX_NS;
}

/* Gives the chain back; the guest is told now or, within the bounds of what may be held, with later ones. */
static void give_back(const struct request *request, uint32_t written)
{
	struct held *held = &request->dev->held[request->queue];

	fl_virtio_put(request->dev->transport, request->queue, request->chain.head, written);
	held->len += request->chain.readable_len + written;
	if (++held->count >= FL_FS_HELD_MAX || held->len > FL_FS_HELD_LEN || is_old(held))
		announce(request->dev, request->queue);
}

/* ---- in flight ---- */

static void *io_keep(void *arg)
{
	const struct request *request = arg;
	unsigned int segs = request->chain.readable_count + request->chain.writable_count;
	size_t len = offsetof(struct request, chain.segs[segs]);
	struct request *kept = malloc(len); /* without the segments that it does not have */

	return kept ? memcpy(kept, request, len) : NULL;
}

static void io_done(void *arg, int64_t written)
{
	struct request *request = arg;

	give_back(request, (uint32_t)written);
	/* with what else is done in this round */
	fl_loop_later(request->dev->loop, &request->dev->announcement);
	free(request);
}

static const struct fl_fuse_io chain_io = {
	.read = io_read, .write = io_write, .iov = io_iov, .keep = io_keep, .done = io_done, .drop = free};

static void on_stall(void *arg, unsigned int in_flight)
{
	const struct fl_fs_device *dev = arg;

	fl_log(dev->log, FL_LOG_WARN,
	       "share %s: the host's file system does not answer: %u requests of the guest are in flight, and the VM's end or "
	       "the reset of the share waits for them",
	       dev->title, in_flight);
}

/* ---- queues ---- */

/* False: the guest broke the ring's or the header's rules, and the device waits for a reset. */
static bool serve_current(struct fl_fs_device *dev)
{
	const struct fl_chain *chain = &dev->current.chain;
	struct fl_fuse_request request = {
		.io = &chain_io,
		.arg = &dev->current,
		.readable_len = chain->readable_len,
		.writable_len = chain->writable_len,
	};
	int64_t written = fl_fs_handle(dev->fs, &request);

	if (written == FL_FS_LATER)
		return true;
	if (written < 0) {
		need_reset(dev, "a request without a whole FUSE header");
		return false;
	}
	give_back(&dev->current, (uint32_t)written);
	return true;
}

static void prepare_thread(struct fl_fs_device *dev)
{
	int error = dev->thread_prepared ? 0 : fl_fs_prepare_thread();

	dev->thread_prepared = true;
	if (error)
		fl_log(dev->log, FL_LOG_WARN,
		       "share %s: this process's umask applies to files that the guest makes: unshare(CLONE_FS): %s",
		       dev->title, strerror(-error));
}

static void on_queue(void *arg, unsigned int index)
{
	struct fl_fs_device *dev = arg;
	struct fl_virtq *vq = fl_virtio_queue(dev->transport, index);

	prepare_thread(dev);
	dev->current.queue = index;
	for (unsigned int i = 0; i < FL_FS_BATCH; i++) {
		int got = fl_virtq_pop(vq, &dev->current.chain);

		if (got < 0) {
			need_reset(dev, "a malformed descriptor chain");
			return;
		}
		if (got && !serve_current(dev))
			return;
		if (got)
			continue;
		announce(dev, index);
		if (!fl_virtq_enable_notify(vq))
			return;
	}
	announce(dev, index);
	fl_virtio_requeue(dev->transport, index);
}

static void on_quiesce(void *arg)
{
	struct fl_fs_device *dev = arg;

	fl_fs_quiesce(dev->fs);
}

static void on_reset(void *arg)
{
	struct fl_fs_device *dev = arg;

	fl_fs_reset(dev->fs);
}

static void on_config_read(void *arg, uint32_t offset, void *buf, uint32_t len)
{
	const struct fl_fs_device *dev = arg;

	if (fl_range_fits(offset, len, sizeof(dev->config)))
		memcpy(buf, (const uint8_t *)&dev->config + offset, len);
}

static int set_tag(struct fl_fs_device *dev, const char *tag, struct fl_diag *diag)
{
	size_t len = strlen(tag);

	/* drivers/virtio: fs/fuse/virtio_fs.c refuses an empty tag and one with a newline */
	if (!len || len >= FL_FS_TAG_LEN || strchr(tag, '\n'))
		return fl_diag(diag, -EINVAL, "share tag \"%s\": must be 1 to %u bytes without a newline", tag,
			       FL_FS_TAG_LEN - 1);
	memcpy(dev->config.tag, tag, len);
	dev->config.num_request_queues = FL_FS_QUEUES - 1;
	return 0;
}

static int init_device(struct fl_fs_device *dev, const struct fl_fs_device_opts *opts, struct fl_diag *diag)
{
	struct fl_virtio_mmio_opts transport = opts->transport;
	struct fl_fs_opts fs = {
		.root_fd = opts->root_fd,
		.writable = opts->writable,
		.one_mount = opts->one_mount,
		.as_users = opts->as_users,
		.keeps_changes = opts->keeps_changes,
		.below_overlay = opts->below_overlay,
		.attr_timeout_ms = opts->attr_timeout_ms,
		.entry_timeout_ms = opts->entry_timeout_ms,
		.window = opts->window,
		.loop = opts->transport.loop,
		.shares = opts->shares,
		.log = opts->transport.log,
	};
	int error = set_tag(dev, opts->tag, diag);

	/* a tag is shorter than its place: it ends with a NUL */
	fs.title = dev->title = opts->title ? opts->title : dev->config.tag;
	if (!error)
		error = fl_fs_new(&fs, &dev->fs, diag);
	if (error)
		return error;
	transport.device_id = FL_VIRTIO_ID_FS;
	transport.queue_count = FL_FS_QUEUES;
	transport.queue_size_max = FL_FS_QUEUE_SIZE;
	transport.config_len = sizeof(dev->config);
	transport.ops = (struct fl_virtio_ops){
		.queue_notified = on_queue,
		.reset = on_reset,
		.quiesce = on_quiesce,
		.config_read = on_config_read,
		.arg = dev,
	};
	fl_loop_on_stall(dev->loop, FL_FS_STALL_MS, on_stall, dev);
	return fl_virtio_mmio_new(&transport, &dev->transport, diag);
}

int fl_fs_device_new(const struct fl_fs_device_opts *opts, struct fl_fs_device **dev, struct fl_diag *diag)
{
	struct fl_fs_device *fresh = calloc(1, sizeof(*fresh));
	int error;

	if (!fresh)
		return fl_diag(diag, -ENOMEM, "no memory for the device of share \"%s\"", opts->tag);
	fresh->current.dev = fresh;
	fresh->announcement = (struct fl_loop_later){.fn = announce_all, .arg = fresh};
	fresh->loop = opts->transport.loop;
	fresh->map = opts->transport.map;
	fresh->log = opts->transport.log;
	error = init_device(fresh, opts, diag);
	if (error) {
		fl_fs_device_free(fresh);
		return error;
	}
	*dev = fresh;
	return 0;
}

struct fl_virtio_mmio *fl_fs_device_transport(struct fl_fs_device *dev)
{
	return dev->transport;
}

void fl_fs_device_free(struct fl_fs_device *dev)
{
	if (!dev)
		return;
	fl_virtio_mmio_free(dev->transport);
	fl_fs_free(dev->fs);
	free(dev);
}

void fl_fs_device_get_stats(const struct fl_fs_device *dev, struct fl_fs_stats *stats)
{
	const struct fl_fs_counters *counters = fl_fs_counters(dev->fs);

	*stats = (struct fl_fs_stats){
		.requests = atomic_load_explicit(&counters->requests, memory_order_relaxed),
		.errors = atomic_load_explicit(&counters->errors, memory_order_relaxed),
		.setup_mappings = atomic_load_explicit(&counters->setup_mappings, memory_order_relaxed),
		.remove_mappings = atomic_load_explicit(&counters->remove_mappings, memory_order_relaxed),
		.inodes = atomic_load_explicit(&counters->inodes, memory_order_relaxed),
		.handles = atomic_load_explicit(&counters->handles, memory_order_relaxed),
		.proto_errors = atomic_load_explicit(&counters->proto_errors, memory_order_relaxed),
		.lost = atomic_load_explicit(&counters->lost_replies, memory_order_relaxed),
	};
}
