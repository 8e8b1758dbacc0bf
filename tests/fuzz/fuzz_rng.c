/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entropy device under a guest that lies. In the end a driver that follows the rules must get what it asked for:
 * from 1 byte to 256 for each buffer (virtio 1.2, 5.4.6.2), in it and nowhere else.
 */
#include "lying_guest.h"

#include <sys/types.h>

#include "virtio/rng.h"

#define STEPS_MAX 200u
#define UNTOUCHED 0xa5
#define ROOM	  512u

/* Linked in place of getrandom(2), so that one input always does the same. Never UNTOUCHED. */
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
	(void)flags;
	FUZZ_CHECK(len <= FL_RNG_PIECE_LEN);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)(i % 128);
	return (ssize_t)len;
}

static void check_buffer(struct liar *liar, uint64_t gpa, uint32_t room, uint32_t len)
{
	const uint8_t *bytes = at(&liar->guest, gpa);
	uint32_t most = FL_MIN(room, FL_RNG_PIECE_LEN);

	FUZZ_CHECK(len >= 1 && len <= most);
	for (uint32_t i = 0; i < ROOM; i++)
		FUZZ_CHECK((bytes[i] != UNTOUCHED) == (i < len));
}

static void check_a_good_driver(struct liar *liar)
{
	struct driver_queue *queue = &liar->queues[0];
	uint32_t id, len;

	liar_repent(liar, 0);
	for (unsigned int i = 0; i < LIAR_RING; i++) {
		memset(at(&liar->guest, LIAR_DATA + ROOM * i), UNTOUCHED, ROOM);
		put_desc(&liar->guest, queue->desc, i, LIAR_DATA + ROOM * i, 1 + 5 * i, DESC_F_WRITE, 0);
		offer(queue, (uint16_t)i);
	}
	mmio_put(liar->dev, MMIO_QUEUE_NOTIFY, 0);
	for (unsigned int i = 0; i < 100; i++)
		(void)fuzz_loop_turn(liar->loop);
	for (unsigned int i = 0; i < LIAR_RING; i++) {
		FUZZ_CHECK(take_used(queue, &id, &len) && id == i);
		check_buffer(liar, LIAR_DATA + ROOM * i, 1 + 5 * i, len);
	}
	FUZZ_CHECK(!take_used(queue, &id, &len));
}

uint64_t fuzz_one(const uint8_t *data, size_t len)
{
	struct liar *liar = calloc(1, sizeof(*liar));
	struct fl_log log = {.level = FL_LOG_ERROR};
	struct fl_virtio_mmio_opts opts;
	struct fl_rng *rng;

	FUZZ_CHECK(liar);
	liar_init(liar, data, len);
	opts = liar_transport(liar, &log);
	FUZZ_CHECK(!fl_rng_new(&opts, &rng, NULL));
	liar->dev = fl_rng_transport(rng);
	liar->queue_count = 1;
	liar_start(liar, FEATURE_VERSION_1 | FEATURE_EVENT_IDX | FEATURE_INDIRECT_DESC, LIAR_RING);
	for (unsigned int i = 0; i < STEPS_MAX && liar->in.left; i++)
		liar_step(liar, fuzz_u8(&liar->in));
	check_a_good_driver(liar);
	uint64_t digest = liar->digest;

	fl_loop_stop(liar->loop);
	fl_rng_free(rng);
	liar_fini(liar);
	free(liar);
	return digest;
}
