/* SPDX-License-Identifier: Apache-2.0 */
/* Queues, notifications, interrupts and reset, between vCPU threads and the loop's thread. */
#include "tests/lib/fl_test.h"

#include "tests/unit/virtio/mmio_machine.h"

static void look_at_queue_1(struct machine *machine)
{
	const struct fl_virtq *vq = fl_virtio_queue(machine->dev, 1);

	machine->seen_desc_gpa = vq->desc_gpa;
	machine->seen_size = vq->ready ? vq->size : 0;
}

static void test_queue_registers_are_frozen_while_ready(void **state)
{
	struct machine *machine = *state;

	assert_true(mmio_negotiate(machine->dev, ALL_FEATURES));
	mmio_setup_queue(machine->dev, 1, &machine->queues[1]);
	assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_READY), 1);
	mmio_put64(machine->dev, MMIO_QUEUE_DESC, machine->queues[2].desc);
	mmio_put(machine->dev, MMIO_QUEUE_NUM, 32);
	on_loop(machine, look_at_queue_1);
	assert_int_equal(machine->seen_desc_gpa, machine->queues[1].desc);
	assert_int_equal(machine->seen_size, 16);
	/* drivers/virtio/virtio_mmio.c vm_del_vq: 0 must read back */
	mmio_put(machine->dev, MMIO_QUEUE_READY, 0);
	assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_READY), 0);
	on_loop(machine, look_at_queue_1);
	assert_int_equal(machine->seen_size, 0);
	/* what was written while it was frozen has left no trace */
	mmio_put(machine->dev, MMIO_QUEUE_READY, 1);
	on_loop(machine, look_at_queue_1);
	assert_int_equal(machine->seen_desc_gpa, machine->queues[1].desc);
	assert_int_equal(machine->seen_size, 16);
}

static void test_queue_needs_features_ok(void **state)
{
	struct machine *machine = *state;

	mmio_put(machine->dev, MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	mmio_setup_queue(machine->dev, 0, &machine->queues[0]);
	assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_READY), 0);
}

static void assert_queue_refused(struct machine *machine, const struct driver_queue *queue)
{
	assert_true(mmio_negotiate(machine->dev, ALL_FEATURES));
	mmio_setup_queue(machine->dev, 0, queue);
	assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_READY), 0);
	assert_true(mmio_get(machine->dev, MMIO_STATUS) & STATUS_NEEDS_RESET);
	assert_true(fl_virtio_is_broken(machine->dev));
}

static void test_bad_queues_break_the_device_until_reset(void **state)
{
	struct machine *machine = *state;
	struct driver_queue queue = machine->queues[0];

	queue.size = 3;
	assert_queue_refused(machine, &queue);
	queue.size = QUEUE_MAX * 2;
	assert_queue_refused(machine, &queue);
	queue = machine->queues[0];
	queue.avail = SHM_GPA;
	assert_queue_refused(machine, &queue);
	queue = machine->queues[0];
	queue.used = RAM_GPA + RAM_LEN - 8;
	assert_queue_refused(machine, &queue);
	assert_true(mmio_negotiate(machine->dev, ALL_FEATURES));
	assert_false(fl_virtio_is_broken(machine->dev));
}

static void test_notifications_wait_for_driver_ok(void **state)
{
	struct machine *machine = *state;

	assert_true(mmio_negotiate(machine->dev, ALL_FEATURES));
	mmio_setup_queue(machine->dev, 0, &machine->queues[0]);
	mmio_setup_queue(machine->dev, 2, &machine->queues[2]);
	mmio_put(machine->dev, MMIO_QUEUE_NOTIFY, 0);
	let_rounds_pass(machine);
	assert_int_equal(machine->notified[0], 0);
	mmio_driver_ok(machine->dev);
	sem_wait(&machine->seen);
	sem_wait(&machine->seen);
	assert_int_equal(machine->notified[0], 1);
	assert_int_equal(machine->notified[1], 0);
	assert_int_equal(machine->notified[2], 1);
	mmio_put(machine->dev, MMIO_QUEUE_NOTIFY, 2);
	sem_wait(&machine->seen);
	assert_int_equal(machine->notified[2], 2);
	/* not ready, not there */
	mmio_put(machine->dev, MMIO_QUEUE_NOTIFY, 1);
	mmio_put(machine->dev, MMIO_QUEUE_NOTIFY, QUEUES);
	mmio_put(machine->dev, MMIO_QUEUE_NOTIFY, UINT32_MAX);
	let_rounds_pass(machine);
	assert_int_equal(machine->notified[0] + machine->notified[1] + machine->notified[2], 3);
	/* a queue that comes late is looked at too */
	mmio_setup_queue(machine->dev, 1, &machine->queues[1]);
	sem_wait(&machine->seen);
	assert_int_equal(machine->notified[1], 1);
}

static void requeue_1(struct machine *machine)
{
	fl_virtio_requeue(machine->dev, 1);
}

static void test_requeue_notifies_again(void **state)
{
	struct machine *machine = *state;

	bring_up(machine);
	on_loop(machine, requeue_1);
	sem_wait(&machine->seen);
	assert_int_equal(machine->notified[1], 2);
}

static void complete_on_0(struct machine *machine)
{
	fl_virtio_complete(machine->dev, 0, 5, 77);
}

static void break_device(struct machine *machine)
{
	fl_virtio_needs_reset(machine->dev, "the test says so");
	fl_virtio_needs_reset(machine->dev, "and again");
}

static void test_interrupt_status_and_acknowledge(void **state)
{
	struct machine *machine = *state;
	uint32_t generation, id, len;

	bring_up(machine);
	generation = mmio_get(machine->dev, MMIO_CONFIG_GENERATION);
	ring_put16(&machine->guest, used_event(&machine->queues[0]), 0);
	on_loop(machine, complete_on_0);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 1);
	assert_true(take_used(&machine->queues[0], &id, &len));
	assert_int_equal(id, 5);
	assert_int_equal(len, 77);
	fl_virtio_config_changed(machine->dev);
	assert_int_not_equal(mmio_get(machine->dev, MMIO_CONFIG_GENERATION), generation);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 3);
	mmio_put(machine->dev, MMIO_INTERRUPT_ACK, 1);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 2);
	mmio_put(machine->dev, MMIO_INTERRUPT_ACK, 2);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 0);
	/* not wanted (used_event is 0 still, this is entry 1): no interrupt */
	on_loop(machine, complete_on_0);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 0);
	assert_true(take_used(&machine->queues[0], &id, &len));
}

static void put_two_on_0(struct machine *machine)
{
	fl_virtio_put(machine->dev, 0, 3, 30);
	fl_virtio_put(machine->dev, 0, 4, 40);
}

static void announce_0(struct machine *machine)
{
	fl_virtio_announce(machine->dev, 0);
}

static void break_and_announce_0(struct machine *machine)
{
	fl_virtio_needs_reset(machine->dev, "the test says so");
	announce_0(machine);
}

static void test_several_answers_have_one_interrupt(void **state)
{
	struct machine *machine = *state;
	uint32_t id, len;

	bring_up(machine);
	ring_put16(&machine->guest, used_event(&machine->queues[0]), 0); /* the first of the two */
	on_loop(machine, put_two_on_0);
	assert_true(take_used(&machine->queues[0], &id, &len));
	assert_true(take_used(&machine->queues[0], &id, &len));
	assert_int_equal(id, 4);
	assert_int_equal(len, 40);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 0);
	on_loop(machine, announce_0);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 1);
	mmio_put(machine->dev, MMIO_INTERRUPT_ACK, 1);
	on_loop(machine, announce_0);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 0);
	/* what was given back before the device broke is announced, nothing is given back after it */
	ring_put16(&machine->guest, used_event(&machine->queues[0]), 2);
	on_loop(machine, put_two_on_0);
	on_loop(machine, break_and_announce_0);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 3);
	assert_true(take_used(&machine->queues[0], &id, &len));
	assert_true(take_used(&machine->queues[0], &id, &len));
	on_loop(machine, put_two_on_0);
	assert_false(take_used(&machine->queues[0], &id, &len));
}

static void test_broken_device_is_quiet_and_says_so(void **state)
{
	struct machine *machine = *state;
	uint32_t id, len;

	bring_up(machine);
	on_loop(machine, break_device);
	assert_true(mmio_get(machine->dev, MMIO_STATUS) & STATUS_NEEDS_RESET);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 2);
	on_loop(machine, complete_on_0);
	assert_false(take_used(&machine->queues[0], &id, &len));
	mmio_put(machine->dev, MMIO_QUEUE_NOTIFY, 0);
	let_rounds_pass(machine);
	assert_int_equal(machine->notified[0], 1);
	for (unsigned int i = 0; i < QUEUES; i++)
		driver_queue_init(&machine->queues[i], &machine->guest, 16);
	bring_up(machine);
	assert_false(fl_virtio_is_broken(machine->dev));
	on_loop(machine, complete_on_0);
	assert_true(take_used(&machine->queues[0], &id, &len));
}

static void test_reset_clears_everything(void **state)
{
	struct machine *machine = *state;
	unsigned int resets;

	bring_up(machine);
	on_loop(machine, complete_on_0);
	resets = machine->resets;
	mmio_put(machine->dev, MMIO_SHM_SEL, 7);
	mmio_put(machine->dev, MMIO_STATUS, 0);
	assert_int_equal(machine->resets, resets + 1);
	assert_int_equal(mmio_get(machine->dev, MMIO_STATUS), 0);
	assert_int_equal(mmio_get(machine->dev, MMIO_INTERRUPT_STATUS), 0);
	assert_true(fl_virtio_features(machine->dev) == 0);
	for (unsigned int i = 0; i < QUEUES; i++) {
		mmio_put(machine->dev, MMIO_QUEUE_SEL, i);
		assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_READY), 0);
	}
	on_loop(machine, look_at_queue_1);
	assert_int_equal(machine->seen_size, 0);
	/* a kick that was on its way */
	mmio_put(machine->dev, MMIO_QUEUE_NOTIFY, 0);
	let_rounds_pass(machine);
	assert_int_equal(machine->notified[0], 1);
	/* old features and queues do not come back by themselves */
	assert_true(mmio_negotiate(machine->dev, FEATURE_VERSION_1));
	mmio_put(machine->dev, MMIO_QUEUE_SEL, 0);
	mmio_put(machine->dev, MMIO_QUEUE_READY, 1);
	assert_int_equal(mmio_get(machine->dev, MMIO_QUEUE_READY), 0);
}

static void *kick_for_ever(void *arg)
{
	struct machine *machine = arg;

	for (int i = 0; i < 2000; i++)
		mmio_put(machine->dev, MMIO_QUEUE_NOTIFY, (uint32_t)i % QUEUES);
	return NULL;
}

/* Two vCPUs: one kicks, one resets. The teardown checks that no callback ran beside another. */
static void test_reset_never_runs_beside_queue_work(void **state)
{
	struct machine *machine = *state;
	pthread_t kicker;

	atomic_store(&machine->is_slow, true);
	pthread_create(&kicker, NULL, kick_for_ever, machine);
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int resets;

		assert_true(mmio_negotiate(machine->dev, ALL_FEATURES));
		for (unsigned int queue = 0; queue < QUEUES; queue++)
			mmio_setup_queue(machine->dev, queue, &machine->queues[queue]);
		mmio_driver_ok(machine->dev);
		resets = machine->resets;
		mmio_put(machine->dev, MMIO_STATUS, 0);
		assert_int_equal(machine->resets, resets + 1);
		assert_int_equal(mmio_get(machine->dev, MMIO_STATUS), 0);
	}
	pthread_join(kicker, NULL);
}

#define MACHINE_TEST(f) cmocka_unit_test_setup_teardown(f, machine_setup, machine_teardown)

static const struct CMUnitTest tests[] = {
	MACHINE_TEST(test_queue_registers_are_frozen_while_ready),
	MACHINE_TEST(test_queue_needs_features_ok),
	MACHINE_TEST(test_bad_queues_break_the_device_until_reset),
	MACHINE_TEST(test_notifications_wait_for_driver_ok),
	MACHINE_TEST(test_requeue_notifies_again),
	MACHINE_TEST(test_interrupt_status_and_acknowledge),
	MACHINE_TEST(test_several_answers_have_one_interrupt),
	MACHINE_TEST(test_broken_device_is_quiet_and_says_so),
	MACHINE_TEST(test_reset_clears_everything),
	MACHINE_TEST(test_reset_never_runs_beside_queue_work),
};
FL_TEST_MAIN(50, tests)
