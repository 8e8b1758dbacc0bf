/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio-mmio device that only takes notes, on a loop of its own, and a guest to drive it. */
#ifndef MMIO_MACHINE_H
#define MMIO_MACHINE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "tests/unit/virtio/driver_model.h"

#define DEVICE_ID    26
#define QUEUES	     3
#define QUEUE_MAX    64
#define SHM_GPA	     UINT64_C(0x1234500000)
#define SHM_LEN	     UINT64_C(0x240000000)
#define OWN_FEATURE  UINT64_C(0x20)
#define ALL_FEATURES (FEATURE_VERSION_1 | FEATURE_INDIRECT_DESC | FEATURE_EVENT_IDX | OWN_FEATURE)

static const uint8_t config_bytes[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

struct machine {
	struct guest guest;
	struct fl_loop *loop;
	struct fl_virtio_mmio *dev;
	struct driver_queue queues[QUEUES];
	pthread_t main_thread;

	/* what the device's callbacks saw */
	atomic_uint notified[QUEUES];
	atomic_uint resets;
	atomic_uint on_wrong_thread;
	atomic_uint inside; /* callbacks running at this moment */
	atomic_uint overlapped;
	atomic_bool is_slow;
	uint8_t written[16];
	uint32_t written_at, written_len;
	uint64_t seen_desc_gpa, seen_size; /* of queue 1 */
	sem_t seen;			   /* a notification was handled */
};

static inline void enter(struct machine *machine)
{
	if (pthread_equal(pthread_self(), machine->main_thread))
		atomic_fetch_add(&machine->on_wrong_thread, 1);
	if (atomic_fetch_add(&machine->inside, 1))
		atomic_fetch_add(&machine->overlapped, 1);
	if (machine->is_slow)
		usleep(2000);
}

static inline void on_notified(void *arg, unsigned int index)
{
	struct machine *machine = arg;

	enter(machine);
	atomic_fetch_add(&machine->notified[index], 1);
	atomic_fetch_sub(&machine->inside, 1);
	sem_post(&machine->seen);
}

static inline void on_reset(void *arg)
{
	struct machine *machine = arg;

	enter(machine);
	atomic_fetch_add(&machine->resets, 1);
	atomic_fetch_sub(&machine->inside, 1);
}

static inline void on_config_read(void *arg, uint32_t offset, void *buf, uint32_t len)
{
	(void)arg;
	assert_in_range(offset + len, 0, sizeof(config_bytes));
	memcpy(buf, config_bytes + offset, len);
}

static inline void on_config_write(void *arg, uint32_t offset, const void *buf, uint32_t len)
{
	struct machine *machine = arg;

	machine->written_at = offset;
	machine->written_len = len;
	memcpy(machine->written, buf, len);
}

static inline struct fl_virtio_mmio_opts machine_opts(struct machine *machine)
{
	return (struct fl_virtio_mmio_opts){
		.name = "test",
		.device_id = DEVICE_ID,
		.features = OWN_FEATURE,
		.queue_count = QUEUES,
		.queue_size_max = QUEUE_MAX,
		.config_len = sizeof(config_bytes),
		.shm_gpa = SHM_GPA,
		.shm_len = SHM_LEN,
		.gpa = 0xfeb00000,
		.vm_fd = -1,
		.map = &machine->guest.map,
		.loop = machine->loop,
		.ops = {.queue_notified = on_notified,
			.reset = on_reset,
			.config_read = on_config_read,
			.config_write = on_config_write,
			.arg = machine},
	};
}

static inline int machine_setup(void **state)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	struct fl_virtio_mmio_opts opts;

	*state = machine;
	machine->main_thread = pthread_self();
	sem_init(&machine->seen, 0, 0);
	guest_init(&machine->guest);
	for (unsigned int i = 0; i < QUEUES; i++)
		driver_queue_init(&machine->queues[i], &machine->guest, 16);
	if (fl_loop_new("test", 0, &machine->loop, NULL))
		return -1;
	opts = machine_opts(machine);
	if (fl_virtio_mmio_new(&opts, &machine->dev, NULL))
		return -1;
	return fl_loop_start(machine->loop, NULL);
}

static inline int machine_teardown(void **state)
{
	struct machine *machine = *state;

	fl_loop_stop(machine->loop);
	assert_int_equal(machine->on_wrong_thread, 0);
	assert_int_equal(machine->overlapped, 0);
	fl_virtio_mmio_free(machine->dev);
	fl_loop_free(machine->loop);
	guest_fini(&machine->guest);
	sem_destroy(&machine->seen);
	free(machine);
	return 0;
}

struct errand {
	void (*fn)(struct machine *machine);
	struct machine *machine;
	sem_t done;
};

static inline void run_errand(void *arg)
{
	struct errand *errand = arg;

	errand->fn(errand->machine);
	sem_post(&errand->done);
}

static inline void on_loop(struct machine *machine, void (*fn)(struct machine *machine))
{
	struct errand errand = {.fn = fn, .machine = machine};

	sem_init(&errand.done, 0, 0);
	assert_int_equal(fl_loop_post(machine->loop, run_errand, &errand), 0);
	sem_wait(&errand.done);
	sem_destroy(&errand.done);
}

static inline void nothing(struct machine *machine)
{
	(void)machine;
}

static inline void let_rounds_pass(struct machine *machine)
{
	for (int i = 0; i < 5; i++)
		on_loop(machine, nothing);
}

static inline void bring_up(struct machine *machine)
{
	assert_true(mmio_negotiate(machine->dev, ALL_FEATURES));
	for (unsigned int i = 0; i < QUEUES; i++)
		mmio_setup_queue(machine->dev, i, &machine->queues[i]);
	mmio_driver_ok(machine->dev);
	for (unsigned int i = 0; i < QUEUES; i++)
		sem_wait(&machine->seen);
}

#endif
