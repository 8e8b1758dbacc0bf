/* SPDX-License-Identifier: Apache-2.0 */
/* Rings as no honest driver makes them: each must give -EPROTO, and nothing else may happen. */
#include "tests/lib/fl_test.h"

#include "tests/unit/virtio/driver_model.h"

#define QUEUE_SIZE 8

struct ring {
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;
	uint64_t table; /* room for an indirect table */
};

static int ring_setup(void **state)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	guest_init(&ring->guest);
	driver_queue_init(&ring->queue, &ring->guest, QUEUE_SIZE);
	ring->table = guest_alloc(&ring->guest, 16ull * 2048);
	ring->vq = virtq_for(&ring->queue, true, true);
	*state = ring;
	return fl_virtq_enable(&ring->vq);
}

static int ring_teardown(void **state)
{
	struct ring *ring = *state;

	guest_fini(&ring->guest);
	free(ring);
	return 0;
}

static void desc(struct ring *ring, unsigned int index, uint64_t addr, uint32_t len, unsigned int flags,
		 unsigned int next)
{
	put_desc(&ring->guest, ring->queue.desc, index, addr, len, flags, next);
}

static void entry(struct ring *ring, unsigned int index, uint64_t addr, uint32_t len, unsigned int flags,
		  unsigned int next)
{
	put_desc(&ring->guest, ring->table, index, addr, len, flags, next);
}

/* Refused now and when tried again; used ring untouched. */
static void assert_refused(struct ring *ring)
{
	struct fl_chain chain;

	assert_int_equal(fl_virtq_pop(&ring->vq, &chain), -EPROTO);
	assert_int_equal(fl_virtq_pop(&ring->vq, &chain), -EPROTO);
	assert_int_equal(ring_get16(&ring->guest, ring->queue.used + 2), 0);
}

static void assert_taken(struct ring *ring)
{
	struct fl_chain chain;

	assert_int_equal(fl_virtq_pop(&ring->vq, &chain), 1);
}

static void test_loop_of_one(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, 0x200000, 1, DESC_F_NEXT, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_loop_at_the_end_of_a_chain(void **state)
{
	struct ring *ring = *state;

	for (unsigned int i = 0; i < QUEUE_SIZE; i++)
		desc(ring, i, 0x200000, 1, DESC_F_NEXT, i + 1 < QUEUE_SIZE ? i + 1 : 4);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_loop_of_empty_segments(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, 0x200000, 0, DESC_F_NEXT, 1);
	desc(ring, 1, 0x200000, 0, DESC_F_NEXT, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_head_outside_the_table(void **state)
{
	struct ring *ring = *state;

	offer(&ring->queue, QUEUE_SIZE);
	assert_refused(ring);
}

static void test_next_outside_the_table(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, 0x200000, 1, DESC_F_NEXT, 0xffff);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_avail_index_jumps_too_far(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, 0x200000, 1, 0, 0);
	ring_put16(&ring->guest, avail_idx(&ring->queue), QUEUE_SIZE);
	assert_int_equal(fl_virtq_pending(&ring->vq), QUEUE_SIZE);
	assert_taken(ring);
	ring_put16(&ring->guest, avail_idx(&ring->queue), QUEUE_SIZE + 2);
	assert_int_equal(fl_virtq_pending(&ring->vq), -EPROTO);
	assert_refused(ring);
}

static void test_avail_index_goes_backwards(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, 0x200000, 1, 0, 0);
	offer(&ring->queue, 0);
	assert_taken(ring);
	ring_put16(&ring->guest, avail_idx(&ring->queue), 0);
	assert_refused(ring);
}

static void test_writable_before_readable(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, 0x200000, 1, DESC_F_NEXT | DESC_F_WRITE, 1);
	desc(ring, 1, 0x200000, 1, 0, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_writable_before_readable_in_an_indirect_table(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, 0x200000, 1, DESC_F_NEXT | DESC_F_WRITE, 1);
	desc(ring, 1, ring->table, 16, DESC_F_INDIRECT, 0);
	entry(ring, 0, 0x200000, 1, 0, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_segment_wraps_the_address_space(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, UINT64_MAX - 10, 12, 0, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_total_above_four_gib(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, 0x200000, 0xffffffffu, DESC_F_NEXT, 1);
	desc(ring, 1, 0x200000, 2, DESC_F_WRITE, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_indirect_tables_of_bad_length(void **state)
{
	static const uint32_t lengths[] = {0, 1, 8, 15, 17, 24, 0xfffffff0u, 0x80000000u, 65536 * 16};

	for (size_t i = 0; i < FL_ARRAY_SIZE(lengths); i++) {
		struct ring *ring;

		ring_setup((void **)&ring);
		entry(ring, 0, 0x200000, 1, 0, 0);
		desc(ring, 0, ring->table, lengths[i], DESC_F_INDIRECT, 0);
		offer(&ring->queue, 0);
		assert_refused(ring);
		ring_teardown((void **)&ring);
	}
	(void)state;
}

static void test_nested_indirect(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, ring->table, 32, DESC_F_INDIRECT, 0);
	entry(ring, 0, ring->table + 16, 16, DESC_F_INDIRECT, 0);
	entry(ring, 1, 0x200000, 1, 0, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_indirect_with_next(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, ring->table, 16, DESC_F_INDIRECT | DESC_F_NEXT, 1);
	desc(ring, 1, 0x200000, 1, 0, 0);
	entry(ring, 0, 0x200000, 1, 0, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_indirect_without_the_feature(void **state)
{
	struct ring *ring = *state;

	ring->vq.indirect = false;
	desc(ring, 0, ring->table, 16, DESC_F_INDIRECT, 0);
	entry(ring, 0, 0x200000, 1, 0, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_indirect_table_outside_ram(void **state)
{
	static const uint64_t places[] = {0, RAM_GPA - 16, RAM_GPA + RAM_LEN, RAM_GPA + RAM_LEN - 16, UINT64_MAX - 15};

	for (size_t i = 0; i < FL_ARRAY_SIZE(places); i++) {
		struct ring *ring;

		ring_setup((void **)&ring);
		desc(ring, 0, places[i], 32, DESC_F_INDIRECT, 0);
		offer(&ring->queue, 0);
		assert_refused(ring);
		ring_teardown((void **)&ring);
	}
	(void)state;
}

static void test_loop_in_an_indirect_table(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, ring->table, 32, DESC_F_INDIRECT, 0);
	entry(ring, 0, 0x200000, 1, DESC_F_NEXT, 1);
	entry(ring, 1, 0x200000, 1, DESC_F_NEXT, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_next_outside_an_indirect_table(void **state)
{
	struct ring *ring = *state;

	/* inside the ring's own table, but not inside this one */
	desc(ring, 0, ring->table, 32, DESC_F_INDIRECT, 0);
	entry(ring, 0, 0x200000, 1, DESC_F_NEXT, 2);
	entry(ring, 2, 0x200000, 1, 0, 0);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

static void test_more_segments_than_a_chain_holds(void **state)
{
	struct ring *ring = *state;

	desc(ring, 0, ring->table, 16 * (FL_CHAIN_SEGS_MAX + 1), DESC_F_INDIRECT, 0);
	for (unsigned int i = 0; i <= FL_CHAIN_SEGS_MAX; i++)
		entry(ring, i, 0x200000, 1, i < FL_CHAIN_SEGS_MAX ? DESC_F_NEXT : 0, i + 1);
	offer(&ring->queue, 0);
	assert_refused(ring);
}

/* Addresses of data are not looked at here: they may be in a window, or nowhere, which the copies find out. */
static void test_segment_outside_ram_fails_when_copied(void **state)
{
	struct ring *ring = *state;
	struct fl_chain chain;
	struct iovec iov[4];
	unsigned int count;
	char bytes[32];

	desc(ring, 0, RAM_GPA + RAM_LEN - 8, 16, DESC_F_NEXT, 1);
	desc(ring, 1, 0, 16, DESC_F_WRITE, 0);
	offer(&ring->queue, 0);
	assert_int_equal(fl_virtq_pop(&ring->vq, &chain), 1);
	assert_int_equal(fl_chain_read(&ring->guest.map, &chain, 8, bytes, sizeof(bytes)), -EFAULT);
	assert_int_equal(fl_chain_read(&ring->guest.map, &chain, 0, bytes, 8), 8);
	assert_int_equal(fl_chain_write(&ring->guest.map, &chain, 0, bytes, 1), -EFAULT);
	assert_int_equal(fl_chain_iov(&ring->guest.map, &chain, false, 0, 16, iov, 4, &count), -EFAULT);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void assert_chain_is_sane(const struct fl_chain *chain)
{
	uint64_t readable = 0, writable = 0;

	assert_in_range(chain->readable_count + chain->writable_count, 0, FL_CHAIN_SEGS_MAX);
	for (unsigned int i = 0; i < chain->readable_count; i++)
		readable += chain->segs[i].len;
	for (unsigned int i = 0; i < chain->writable_count; i++)
		writable += chain->segs[chain->readable_count + i].len;
	assert_true(readable == chain->readable_len);
	assert_true(writable == chain->writable_len);
	assert_true(readable + writable <= UINT64_C(1) << 32);
}

/* Rings of noise, with numbers near the edges more often than chance would have them. */
static void test_noise_never_does_harm(void **state)
{
	struct ring *ring = *state;
	uint32_t seed = 99, taken = 0, refused = 0;
	struct fl_chain chain;

	for (unsigned int round = 0; round < 100000; round++) {
		for (unsigned int i = 0; i < QUEUE_SIZE; i++) {
			uint64_t addr = next_random(&seed) % 4 ? ring->table + next_random(&seed) % 64
							       : UINT64_MAX - next_random(&seed) % 64;
			uint32_t len = next_random(&seed) % 2 ? next_random(&seed) % 8 * 16 : next_random(&seed);

			desc(ring, i, addr, len, next_random(&seed) % 8, next_random(&seed) % (QUEUE_SIZE + 1));
			entry(ring, i, addr, len, next_random(&seed) % 8, next_random(&seed) % (QUEUE_SIZE + 1));
		}
		offer(&ring->queue, (uint16_t)(next_random(&seed) % (QUEUE_SIZE + 1)));
		if (fl_virtq_pop(&ring->vq, &chain) == 1) {
			taken++;
			assert_chain_is_sane(&chain);
			continue;
		}
		refused++;
		assert_refused(ring);
		ring->vq.last_avail++; /* on to the next ring of noise */
	}
	assert_true(taken > 1000 && refused > 1000);
}

#define RING_TEST(f) cmocka_unit_test_setup_teardown(f, ring_setup, ring_teardown)

static const struct CMUnitTest tests[] = {
	RING_TEST(test_loop_of_one),
	RING_TEST(test_loop_at_the_end_of_a_chain),
	RING_TEST(test_loop_of_empty_segments),
	RING_TEST(test_head_outside_the_table),
	RING_TEST(test_next_outside_the_table),
	RING_TEST(test_avail_index_jumps_too_far),
	RING_TEST(test_avail_index_goes_backwards),
	RING_TEST(test_writable_before_readable),
	RING_TEST(test_writable_before_readable_in_an_indirect_table),
	RING_TEST(test_segment_wraps_the_address_space),
	RING_TEST(test_total_above_four_gib),
	cmocka_unit_test(test_indirect_tables_of_bad_length),
	RING_TEST(test_nested_indirect),
	RING_TEST(test_indirect_with_next),
	RING_TEST(test_indirect_without_the_feature),
	cmocka_unit_test(test_indirect_table_outside_ram),
	RING_TEST(test_loop_in_an_indirect_table),
	RING_TEST(test_next_outside_an_indirect_table),
	RING_TEST(test_more_segments_than_a_chain_holds),
	RING_TEST(test_segment_outside_ram_fails_when_copied),
	RING_TEST(test_noise_never_does_harm),
};
FL_TEST_MAIN(50, tests)
