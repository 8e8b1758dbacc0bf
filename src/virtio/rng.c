/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/rng.h"

#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/random.h>

#define QUEUE_SIZE 64
/* Buffers filled in one go, so that a guest that never has enough does not keep others on this thread waiting. */
#define BUDGET 16

struct fl_rng {
	struct fl_virtio_mmio *transport;
	const struct fl_gpa_map *map;
	const struct fl_log *log;
	struct fl_log_limit log_limit;
	struct fl_chain chain;
};

/* False if the queue is empty, or has just been found malformed. */
static bool take(struct fl_rng *rng)
{
	struct fl_virtq *vq = fl_virtio_queue(rng->transport, 0);
	int rc = fl_virtq_pop(vq, &rng->chain);

	if (rc == 0 && fl_virtq_enable_notify(vq))
		rc = fl_virtq_pop(vq, &rng->chain);
	if (rc < 0)
		fl_virtio_needs_reset(rng->transport, "the queue of the entropy device is malformed");
	return rc > 0;
}

/*
 * Nobody waits here: the host has had random numbers since before the guest started (vmm/load.c), and up to 256 bytes
 * come whole and at once then (getrandom(2)).
 */
static void fill(struct fl_rng *rng)
{
	uint8_t piece[FL_RNG_PIECE_LEN];
	size_t wanted = (size_t)FL_MIN(rng->chain.writable_len, (uint64_t)sizeof(piece));
	ssize_t n = getrandom(piece, wanted, GRND_NONBLOCK);
	int64_t written = n > 0 ? fl_chain_write(rng->map, &rng->chain, 0, piece, (size_t)n) : n;

	explicit_bzero(piece, sizeof(piece));
	if (n < 0)
		fl_log_limited(rng->log, &rng->log_limit, FL_LOG_ERROR,
			       "the host gives no random numbers for the guest: %s", strerror(errno));
	/* memory that is gone is the guest's loss: its driver looks at the length */
	fl_virtio_put(rng->transport, 0, rng->chain.head, (uint32_t)FL_MAX(written, 0));
}

static void on_notify(void *arg, unsigned int queue)
{
	struct fl_rng *rng = arg;
	unsigned int taken = 0;

	while (taken < BUDGET && take(rng)) {
		if (rng->chain.writable_len == 0) {
			fl_virtio_needs_reset(rng->transport, "a buffer of the entropy device has no room");
			break;
		}
		fill(rng);
		taken++;
	}
	fl_virtio_announce(rng->transport, queue);
	if (taken == BUDGET)
		fl_virtio_requeue(rng->transport, queue);
}

/* Nothing is kept between two notifications. */
static void on_reset(void *arg)
{
	(void)arg;
}

int fl_rng_new(const struct fl_virtio_mmio_opts *transport, struct fl_rng **rng_out, struct fl_diag *diag)
{
	struct fl_virtio_mmio_opts opts = *transport;
	struct fl_rng *rng = calloc(1, sizeof(*rng));
	int rc;

	if (!rng)
		return fl_diag(diag, -ENOMEM, "no memory for the entropy device");
	rng->map = opts.map;
	rng->log = opts.log;
	opts.name = opts.name ? opts.name : "rng";
	opts.device_id = VIRTIO_ID_RNG;
	opts.features = 0;
	opts.queue_count = 1;
	opts.queue_size_max = QUEUE_SIZE;
	opts.config_len = 0;
	opts.shm_len = 0;
	opts.ops = (struct fl_virtio_ops){.queue_notified = on_notify, .reset = on_reset, .arg = rng};
	rc = fl_virtio_mmio_new(&opts, &rng->transport, diag);
	if (rc) {
		free(rng);
		return rc;
	}
	*rng_out = rng;
	return 0;
}

struct fl_virtio_mmio *fl_rng_transport(struct fl_rng *rng)
{
	return rng->transport;
}

void fl_rng_free(struct fl_rng *rng)
{
	if (!rng)
		return;
	fl_virtio_mmio_free(rng->transport);
	free(rng);
}
