/* SPDX-License-Identifier: Apache-2.0 */
/* Rings as an honest driver makes them. */
#include "tests/lib/fl_test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "tests/unit/virtio/driver_model.h"

static struct fl_virtq enabled(const struct driver_queue *queue, bool event_idx, bool indirect)
{
	struct fl_virtq vq = virtq_for(queue, event_idx, indirect);

	assert_int_equal(fl_virtq_enable(&vq), 0);
	return vq;
}

static void test_chain_has_readable_then_writable_parts(void **state)
{
	struct fl_chain chain;
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 8);
	vq = enabled(&queue, false, false);
	assert_int_equal(fl_virtq_pop(&vq, &chain), 0);
	put_desc(&guest, queue.desc, 5, 0x200000, 10, DESC_F_NEXT, 2);
	put_desc(&guest, queue.desc, 2, 0x201000, 20, DESC_F_NEXT, 7);
	put_desc(&guest, queue.desc, 7, 0x202000, 30, DESC_F_WRITE, 0);
	offer(&queue, 5);
	assert_int_equal(fl_virtq_pending(&vq), 1);
	assert_int_equal(fl_virtq_pop(&vq, &chain), 1);
	assert_int_equal(chain.head, 5);
	assert_int_equal(chain.readable_count, 2);
	assert_int_equal(chain.writable_count, 1);
	assert_int_equal(chain.readable_len, 30);
	assert_int_equal(chain.writable_len, 30);
	assert_int_equal(chain.segs[1].gpa, 0x201000);
	assert_int_equal(chain.segs[1].len, 20);
	assert_int_equal(chain.segs[2].gpa, 0x202000);
	assert_int_equal(fl_virtq_pop(&vq, &chain), 0);
	guest_fini(&guest);
}

static void test_indirect_table_after_a_direct_part(void **state)
{
	struct fl_chain chain;
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;
	uint64_t table;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 8);
	vq = enabled(&queue, false, true);
	/* 2.7.5.3 asks for no alignment of the table */
	table = guest_alloc(&guest, 100) + 3;
	put_desc(&guest, queue.desc, 0, 0x200000, 8, DESC_F_NEXT, 3);
	/* 2.7.5.3.2: the write flag of the referring descriptor is ignored */
	put_desc(&guest, queue.desc, 3, table, 32, DESC_F_INDIRECT | DESC_F_WRITE, 0);
	put_desc(&guest, table, 0, 0x300000, 16, DESC_F_NEXT, 1);
	put_desc(&guest, table, 1, 0x301000, 4, DESC_F_WRITE, 0);
	offer(&queue, 0);
	assert_int_equal(fl_virtq_pop(&vq, &chain), 1);
	assert_int_equal(chain.readable_len, 24);
	assert_int_equal(chain.writable_len, 4);
	assert_int_equal(chain.segs[1].gpa, 0x300000);
	guest_fini(&guest);
}

static void test_chain_may_use_the_whole_table(void **state)
{
	struct fl_chain chain;
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, FL_CHAIN_SEGS_MAX);
	vq = enabled(&queue, false, false);
	for (unsigned int i = 0; i < FL_CHAIN_SEGS_MAX; i++)
		put_desc(&guest, queue.desc, i, 0x200000 + i, 1, i + 1 < FL_CHAIN_SEGS_MAX ? DESC_F_NEXT : 0, i + 1);
	offer(&queue, 0);
	assert_int_equal(fl_virtq_pop(&vq, &chain), 1);
	assert_int_equal(chain.readable_count, FL_CHAIN_SEGS_MAX);
	guest_fini(&guest);
}

static void test_empty_segments_are_allowed(void **state)
{
	struct fl_chain chain;
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 4);
	vq = enabled(&queue, false, false);
	put_desc(&guest, queue.desc, 0, 0x200000, 0, DESC_F_NEXT, 1);
	put_desc(&guest, queue.desc, 1, 0x200000, 5, DESC_F_NEXT, 2);
	put_desc(&guest, queue.desc, 2, 0, 0, DESC_F_WRITE, 0);
	offer(&queue, 0);
	assert_int_equal(fl_virtq_pop(&vq, &chain), 1);
	assert_int_equal(chain.readable_len, 5);
	assert_int_equal(chain.writable_len, 0);
	guest_fini(&guest);
}

static void test_largest_total_is_four_gib(void **state)
{
	struct fl_chain chain;
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 4);
	vq = enabled(&queue, false, false);
	put_desc(&guest, queue.desc, 0, 0x200000, 0x80000000u, DESC_F_NEXT, 1);
	put_desc(&guest, queue.desc, 1, 0x200000, 0x80000000u, DESC_F_WRITE, 0);
	offer(&queue, 0);
	assert_int_equal(fl_virtq_pop(&vq, &chain), 1);
	assert_true(chain.readable_len + chain.writable_len == UINT64_C(1) << 32);
	guest_fini(&guest);
}

static void test_enable_checks_size_alignment_and_memory(void **state)
{
	static const uint16_t bad_sizes[] = {0, 3, 5, 1000, 2048, 0x8000, 0xffff};
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 16);
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad_sizes); i++) {
		vq = virtq_for(&queue, false, false);
		vq.size = bad_sizes[i];
		assert_int_equal(fl_virtq_enable(&vq), -EINVAL);
		assert_false(vq.ready);
	}
#define ASSERT_REFUSES(field, value)                             \
	do {                                                     \
		vq = virtq_for(&queue, false, false);            \
		vq.field = (value);                              \
		assert_int_equal(fl_virtq_enable(&vq), -EINVAL); \
		assert_false(vq.ready);                          \
	} while (0)
	ASSERT_REFUSES(desc_gpa, queue.desc + 8);
	ASSERT_REFUSES(avail_gpa, queue.avail + 1);
	ASSERT_REFUSES(used_gpa, queue.used + 2);
	ASSERT_REFUSES(desc_gpa, 0);
	ASSERT_REFUSES(desc_gpa, RAM_GPA + RAM_LEN - 16 * 16 + 16);
	ASSERT_REFUSES(avail_gpa, RAM_GPA + RAM_LEN - (6 + 2 * 16) + 2);
	ASSERT_REFUSES(used_gpa, RAM_GPA + RAM_LEN - (6 + 8 * 16) + 2);
	ASSERT_REFUSES(used_gpa, UINT64_MAX - 3);
	ASSERT_REFUSES(desc_gpa, UINT64_MAX - 15);
	vq = virtq_for(&queue, false, false);
	vq.desc_gpa = RAM_GPA + RAM_LEN - 16 * 16;
	assert_int_equal(fl_virtq_enable(&vq), 0);
	fl_virtq_disable(&vq);
	assert_false(vq.ready);
	guest_fini(&guest);
}

static void test_disabled_queue_is_quiet(void **state)
{
	struct fl_chain chain;
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 16);
	vq = enabled(&queue, true, false);
	put_desc(&guest, queue.desc, 0, 0x200000, 8, 0, 0);
	offer(&queue, 0);
	fl_virtq_disable(&vq);
	assert_int_equal(fl_virtq_pop(&vq, &chain), 0);
	assert_false(fl_virtq_push(&vq, 0, 0));
	assert_false(fl_virtq_enable_notify(&vq));
	assert_int_equal(ring_get16(&guest, queue.used + 2), 0);
	guest_fini(&guest);
}

/* xorshift: the same sequence in every run */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/*
 * Three times round the 16-bit indices. 2.7.7.2: with EVENT_IDX an interrupt is due for exactly the entry
 * whose index (where it was placed) equals used_event.
 */
static void test_interrupts_by_used_event_through_wraparound(void **state)
{
	uint16_t placed = 0;
	uint32_t seed = 12345, wanted = 0;
	struct fl_chain chain;
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 64);
	vq = enabled(&queue, true, false);
	for (unsigned int i = 0; i < 64; i++)
		put_desc(&guest, queue.desc, i, 0x200000 + i, 1, 0, 0);
	for (unsigned int i = 0; i < 3 * 65536; i++) {
		uint16_t event = (uint16_t)(placed + next_random(&seed) % 4 - 1);
		uint16_t head = (uint16_t)(next_random(&seed) % 64);
		uint32_t id, len;
		bool interrupt;

		ring_put16(&guest, used_event(&queue), event);
		offer(&queue, head);
		assert_int_equal(fl_virtq_pop(&vq, &chain), 1);
		assert_int_equal(chain.head, head);
		interrupt = fl_virtq_push(&vq, chain.head, i);
		assert_int_equal(interrupt, event == placed);
		wanted += interrupt;
		placed++;
		assert_true(take_used(&queue, &id, &len));
		assert_int_equal(id, head);
		assert_int_equal(len, i);
		assert_false(take_used(&queue, &id, &len));
	}
	assert_in_range(wanted, 40000, 60000); /* a quarter of them */
	guest_fini(&guest);
}

/*
 * Several chains between two decisions. 2.7.7.2: an interrupt is due if one of the entries placed since the last one
 * has used_event's index, wherever among them, and not if it lies before or behind them.
 */
static void test_one_interrupt_for_a_batch_through_wraparound(void **state)
{
	uint16_t placed = 0;
	uint32_t seed = 4711, wanted = 0;
	struct fl_chain chain;
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 64);
	vq = enabled(&queue, true, false);
	for (unsigned int i = 0; i < 64; i++)
		put_desc(&guest, queue.desc, i, 0x200000 + i, 1, 0, 0);
	for (unsigned int batch = 0; batch < 40000; batch++) {
		unsigned int count = next_random(&seed) % 17;
		uint16_t event = (uint16_t)(placed + next_random(&seed) % 24 - 4);
		bool expected = false;
		uint32_t id, len;

		ring_put16(&guest, used_event(&queue), event);
		for (unsigned int i = 0; i < count; i++) {
			offer(&queue, (uint16_t)i);
			assert_int_equal(fl_virtq_pop(&vq, &chain), 1);
			fl_virtq_put(&vq, chain.head, i);
			expected |= placed++ == event;
			/* to be seen at once, whatever becomes of the interrupt */
			assert_true(take_used(&queue, &id, &len));
			assert_int_equal(id, i);
		}
		assert_int_equal(fl_virtq_wants_interrupt(&vq), expected);
		assert_false(fl_virtq_wants_interrupt(&vq));
		wanted += expected;
	}
	assert_in_range(wanted, 8000, 20000);
	guest_fini(&guest);
}

static void test_one_interrupt_for_a_batch_by_flag(void **state)
{
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 4);
	vq = enabled(&queue, false, false);
	assert_false(fl_virtq_wants_interrupt(&vq));
	fl_virtq_put(&vq, 0, 0);
	fl_virtq_put(&vq, 1, 0);
	assert_true(fl_virtq_wants_interrupt(&vq));
	assert_false(fl_virtq_wants_interrupt(&vq));
	ring_put16(&guest, avail_flags(&queue), 1); /* VIRTQ_AVAIL_F_NO_INTERRUPT */
	fl_virtq_put(&vq, 2, 0);
	assert_false(fl_virtq_wants_interrupt(&vq));
	/* 2.7.7.1: what counts is the flag as it is now; the driver looks at the ring itself when it sets it back */
	ring_put16(&guest, avail_flags(&queue), 0);
	assert_false(fl_virtq_wants_interrupt(&vq));
	fl_virtq_put(&vq, 3, 0);
	assert_true(fl_virtq_wants_interrupt(&vq));
	guest_fini(&guest);
}

static void test_interrupts_by_flag_without_event_idx(void **state)
{
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 4);
	vq = enabled(&queue, false, false);
	assert_true(fl_virtq_push(&vq, 0, 0));
	ring_put16(&guest, avail_flags(&queue), 1); /* VIRTQ_AVAIL_F_NO_INTERRUPT */
	assert_false(fl_virtq_push(&vq, 1, 0));
	/* what would be used_event means nothing here */
	ring_put16(&guest, used_event(&queue), 2);
	assert_false(fl_virtq_push(&vq, 2, 0));
	ring_put16(&guest, avail_flags(&queue), 0);
	assert_true(fl_virtq_push(&vq, 3, 0));
	guest_fini(&guest);
}

/* 2.7.10: avail_event is the index of the entry whose making available must be notified. */
static void test_notification_request_through_wraparound(void **state)
{
	struct fl_chain chain;
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 16);
	vq = enabled(&queue, true, false);
	put_desc(&guest, queue.desc, 0, 0x200000, 1, 0, 0);
	for (unsigned int i = 0; i < 65536 + 100; i++) {
		assert_false(fl_virtq_enable_notify(&vq));
		assert_int_equal(ring_get16(&guest, avail_event(&queue)), (uint16_t)i);
		offer(&queue, 0);
		assert_true(fl_virtq_enable_notify(&vq));
		assert_int_equal(fl_virtq_pop(&vq, &chain), 1);
		(void)fl_virtq_push(&vq, 0, 0);
	}
	guest_fini(&guest);
}

static void test_notification_request_ahead(void **state)
{
	struct guest guest;
	struct driver_queue queue;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	driver_queue_init(&queue, &guest, 16);
	vq = enabled(&queue, true, false);
	assert_false(fl_virtq_enable_notify_at(&vq, 2));
	/* the third entry from here, index 2, is the one to notify */
	assert_int_equal(ring_get16(&guest, avail_event(&queue)), 2);
	offer(&queue, 0);
	offer(&queue, 0);
	assert_false(fl_virtq_enable_notify_at(&vq, 2));
	offer(&queue, 0);
	assert_true(fl_virtq_enable_notify_at(&vq, 2));
	guest_fini(&guest);
}

/* ---- both sides at once ---- */

#define STRESS_ENTRIES 60000

struct stress {
	struct driver_queue queue;
	struct fl_virtq vq;
	int kick_fd, irq_fd;
	uint32_t batch_max; /* chains for one decision about an interrupt */
};

static void wait_for(int fd)
{
	uint64_t count;

	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
}

static void raise_fd(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

/* The device: sleeps whenever nothing is there, trusting that it will be notified. */
static void *stress_device(void *arg)
{
	struct stress *stress = arg;
	uint32_t handled = 0, held = 0;

	while (handled < STRESS_ENTRIES) {
		struct fl_chain chain;
		int rc = fl_virtq_pop(&stress->vq, &chain);

		if (rc < 0)
			return stress;
		if (rc == 1) {
			fl_virtq_put(&stress->vq, chain.head, 0);
			handled++;
			held++;
		}
		if (rc == 0 || held == stress->batch_max || handled == STRESS_ENTRIES) {
			if (fl_virtq_wants_interrupt(&stress->vq))
				raise_fd(stress->irq_fd);
			held = 0;
		}
		if (rc == 0 && !fl_virtq_enable_notify(&stress->vq))
			wait_for(stress->kick_fd);
	}
	return NULL;
}

/* 2.7.13.4.1: the driver notifies if the new index has stepped over avail_event. */
static void stress_offer(struct driver_queue *queue, int kick_fd)
{
	uint16_t placed = queue->avail_idx;

	offer(queue, (uint16_t)(placed % queue->size));
	__sync_synchronize();
	if (ring_get16(queue->guest, avail_event(queue)) == placed)
		raise_fd(kick_fd);
}

static uint32_t stress_collect(struct driver_queue *queue)
{
	uint32_t id, len, count = 0;

	while (take_used(queue, &id, &len))
		count++;
	return count;
}

/* Neither side may ever sleep for good; if one does, the alarm ends the program. */
static void stress(uint16_t size, uint32_t batch_max)
{
	struct stress stress = {
		.kick_fd = eventfd(0, EFD_CLOEXEC), .irq_fd = eventfd(0, EFD_CLOEXEC), .batch_max = batch_max};
	uint32_t offered = 0, completed = 0;
	struct guest guest;
	pthread_t device;
	void *failed;

	guest_init(&guest);
	driver_queue_init(&stress.queue, &guest, size);
	for (unsigned int i = 0; i < size; i++)
		put_desc(&guest, stress.queue.desc, i, 0x200000, 1, 0, 0);
	stress.vq = enabled(&stress.queue, true, false);
	pthread_create(&device, NULL, stress_device, &stress);
	while (completed < STRESS_ENTRIES) {
		while (offered < STRESS_ENTRIES && offered - completed < size) {
			stress_offer(&stress.queue, stress.kick_fd);
			offered++;
		}
		ring_put16(&guest, used_event(&stress.queue), stress.queue.used_seen);
		__sync_synchronize();
		if (ring_get16(&guest, stress.queue.used + 2) == stress.queue.used_seen)
			wait_for(stress.irq_fd);
		completed += stress_collect(&stress.queue);
	}
	pthread_join(device, &failed);
	assert_null(failed);
	assert_int_equal(completed, STRESS_ENTRIES);
	close(stress.kick_fd);
	close(stress.irq_fd);
	guest_fini(&guest);
}

static void test_no_notification_is_lost_between_threads(void **state)
{
	(void)state;
	stress(4, 1);
}

static void test_no_notification_is_lost_between_threads_in_batches(void **state)
{
	(void)state;
	stress(4, 3);
	stress(64, 16);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_chain_has_readable_then_writable_parts),
	cmocka_unit_test(test_indirect_table_after_a_direct_part),
	cmocka_unit_test(test_chain_may_use_the_whole_table),
	cmocka_unit_test(test_empty_segments_are_allowed),
	cmocka_unit_test(test_largest_total_is_four_gib),
	cmocka_unit_test(test_enable_checks_size_alignment_and_memory),
	cmocka_unit_test(test_disabled_queue_is_quiet),
	cmocka_unit_test(test_interrupts_by_used_event_through_wraparound),
	cmocka_unit_test(test_one_interrupt_for_a_batch_through_wraparound),
	cmocka_unit_test(test_one_interrupt_for_a_batch_by_flag),
	cmocka_unit_test(test_interrupts_by_flag_without_event_idx),
	cmocka_unit_test(test_notification_request_through_wraparound),
	cmocka_unit_test(test_notification_request_ahead),
	cmocka_unit_test(test_no_notification_is_lost_between_threads),
	cmocka_unit_test(test_no_notification_is_lost_between_threads_in_batches),
};
FL_TEST_MAIN(50, tests)
