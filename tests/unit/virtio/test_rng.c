/* SPDX-License-Identifier: Apache-2.0 */
/* The entropy device against virtio 1.2, 5.4. */
#include "tests/lib/fl_test.h"

#include <stdlib.h>

#include "tests/unit/virtio/driver_model.h"
#include "virtio/rng.h"

#define RING	   16
#define BUFFER_LEN 512

struct source {
	struct guest guest;
	struct fl_loop *loop;
	struct fl_rng *rng;
	struct fl_virtio_mmio *dev;
	struct driver_queue queue;
	uint64_t buffers;
};

static int setup(void **state)
{
	struct source *source = calloc(1, sizeof(*source));
	struct fl_virtio_mmio_opts opts = {.gpa = 0xfeb00000, .vm_fd = -1};

	*state = source;
	guest_init(&source->guest);
	driver_queue_init(&source->queue, &source->guest, RING);
	source->buffers = guest_alloc(&source->guest, RING * BUFFER_LEN);
	assert_int_equal(fl_loop_new("rng", 0, &source->loop, NULL), 0);
	opts.map = &source->guest.map;
	opts.loop = source->loop;
	assert_int_equal(fl_rng_new(&opts, &source->rng, NULL), 0);
	source->dev = fl_rng_transport(source->rng);
	assert_int_equal(fl_loop_start(source->loop, NULL), 0);
	assert_true(mmio_negotiate(source->dev, FEATURE_VERSION_1 | FEATURE_EVENT_IDX));
	mmio_setup_queue(source->dev, 0, &source->queue);
	mmio_driver_ok(source->dev);
	return 0;
}

static int teardown(void **state)
{
	struct source *source = *state;

	fl_loop_stop(source->loop);
	fl_rng_free(source->rng);
	fl_loop_free(source->loop);
	guest_fini(&source->guest);
	free(source);
	return 0;
}

static uint64_t buffer(const struct source *source, unsigned int i)
{
	return source->buffers + (uint64_t)i * BUFFER_LEN;
}

static void ask(struct source *source, unsigned int i, uint64_t gpa, uint32_t len, unsigned int flags)
{
	put_desc(&source->guest, source->queue.desc, i, gpa, len, flags, 0);
	offer(&source->queue, (uint16_t)i);
}

static void notify(struct source *source)
{
	mmio_put(source->dev, MMIO_QUEUE_NOTIFY, 0);
}

static uint32_t wait_used(struct source *source, uint32_t *len)
{
	uint32_t id = UINT32_MAX;

	for (int i = 0; i < 100000 && !take_used(&source->queue, &id, len); i++)
		usleep(100);
	assert_in_range(id, 0, RING - 1);
	return id;
}

static void expect_broken(struct source *source)
{
	for (int i = 0; i < 100000 && !(mmio_get(source->dev, MMIO_STATUS) & STATUS_NEEDS_RESET); i++)
		usleep(100);
	assert_true(mmio_get(source->dev, MMIO_STATUS) & STATUS_NEEDS_RESET);
}

/* 64 bytes, as Linux asks: all of them are written, and nothing else. */
static void test_a_buffer_is_filled_and_no_more(void **state)
{
	struct source *source = *state;
	uint8_t *bytes = at(&source->guest, buffer(source, 0));
	unsigned int zeros = 0;
	uint32_t len;

	assert_int_equal(mmio_get(source->dev, MMIO_DEVICE_ID), 4); /* 5.4.1 */
	memset(bytes, 0, BUFFER_LEN);
	ask(source, 0, buffer(source, 0), 64, DESC_F_WRITE);
	notify(source);
	wait_used(source, &len);
	assert_int_equal(len, 64);
	for (unsigned int i = 0; i < 64; i++)
		zeros += bytes[i] == 0;
	assert_in_range(zeros, 0, 8); /* more by chance: less than once in 10^10 runs */
	for (unsigned int i = 64; i < BUFFER_LEN; i++)
		assert_int_equal(bytes[i], 0);
}

static void test_no_two_buffers_are_alike(void **state)
{
	struct source *source = *state;
	uint32_t len;

	for (unsigned int i = 0; i < RING; i++)
		ask(source, i, buffer(source, i), 32, DESC_F_WRITE);
	notify(source);
	for (unsigned int i = 0; i < RING; i++) {
		wait_used(source, &len);
		assert_int_equal(len, 32);
	}
	for (unsigned int i = 0; i < RING; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_memory_not_equal(at(&source->guest, buffer(source, i)),
						at(&source->guest, buffer(source, j)), 32);
}

/* More rounds than are done in one go: none is forgotten. */
static void test_a_guest_may_ask_for_ever(void **state)
{
	struct source *source = *state;
	uint32_t len;

	for (unsigned int i = 0; i < RING; i++)
		ask(source, i, buffer(source, i), 16, DESC_F_WRITE);
	notify(source);
	for (unsigned int round = 0; round < 1000; round++) {
		uint32_t id = wait_used(source, &len);

		ask(source, id, buffer(source, id), 16, DESC_F_WRITE);
		notify(source);
	}
}

/* 5.4.6.2: between 1 and all bytes. However long the buffer is, the host does little for it. */
static void test_a_huge_buffer_gets_a_piece(void **state)
{
	struct source *source = *state;
	uint32_t len;

	ask(source, 0, RAM_GPA + RAM_LEN / 2, RAM_LEN / 2, DESC_F_WRITE);
	notify(source);
	wait_used(source, &len);
	assert_in_range(len, 1, FL_RNG_PIECE_LEN);
}

static void test_a_buffer_outside_memory_is_given_back_empty(void **state)
{
	struct source *source = *state;
	uint32_t len;

	ask(source, 0, UINT64_C(0x7000000000), 64, DESC_F_WRITE);
	ask(source, 1, buffer(source, 1), 64, DESC_F_WRITE);
	notify(source);
	assert_int_equal(wait_used(source, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(wait_used(source, &len), 1);
	assert_int_equal(len, 64);
}

/* 5.4.6.1: buffers are device-writable. */
static void test_a_buffer_without_room_breaks_the_device(void **state)
{
	struct source *source = *state;

	ask(source, 0, buffer(source, 0), 64, 0);
	notify(source);
	expect_broken(source);
}

static void test_a_malformed_ring_breaks_the_device(void **state)
{
	struct source *source = *state;

	offer(&source->queue, RING + 5);
	notify(source);
	expect_broken(source);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_a_buffer_is_filled_and_no_more, setup, teardown),
	cmocka_unit_test_setup_teardown(test_no_two_buffers_are_alike, setup, teardown),
	cmocka_unit_test_setup_teardown(test_a_guest_may_ask_for_ever, setup, teardown),
	cmocka_unit_test_setup_teardown(test_a_huge_buffer_gets_a_piece, setup, teardown),
	cmocka_unit_test_setup_teardown(test_a_buffer_outside_memory_is_given_back_empty, setup, teardown),
	cmocka_unit_test_setup_teardown(test_a_buffer_without_room_breaks_the_device, setup, teardown),
	cmocka_unit_test_setup_teardown(test_a_malformed_ring_breaks_the_device, setup, teardown),
};
FL_TEST_MAIN(60, tests)
