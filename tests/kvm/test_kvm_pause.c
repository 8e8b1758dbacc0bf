/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vCPUs that are paused and resumed thousands of times while they do nothing but fault, exit or wait for interrupts:
 * nothing runs while they are paused, everything goes on afterwards, and nothing was lost.
 */
#include "tests/lib/fl_test.h"

#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "tests/kvm/load.h"
#include "vcpu/pvpf_abi.h"

#define ROUNDS	  2000
#define VCPUS	  2u
#define SLEEPS	  3000
#define BAD_PAGE  UINT64_C(0x5000)
#define WAIT_NS	  UINT64_C(20000000000)
#define NS_PER_US UINT64_C(1000)
#define TICKS	  100000u /* of the LAPIC timer, of 1 ns each */

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static void pause_all(struct mini_vm *vm)
{
	uint64_t deadline_ns = load_now_ns() + WAIT_NS;

	for (unsigned int i = 0; i < vm->count; i++)
		fl_vcpu_request_pause(vm->vcpus[i]);
	for (unsigned int i = 0; i < vm->count; i++)
		assert_true(fl_vcpu_wait_parked(vm->vcpus[i], deadline_ns));
}

static void resume_all(struct mini_vm *vm)
{
	for (unsigned int i = 0; i < vm->count; i++)
		fl_vcpu_resume(vm->vcpus[i]);
}

static void spend_ns(uint64_t ns)
{
	uint64_t end_ns = load_now_ns() + ns;

	while (load_now_ns() < end_ns)
		sched_yield();
}

/* What a guest has done, by a word in each vCPU's block. */
static void read_counts(struct mini_vm *vm, uint64_t offset, uint64_t counts[VCPUS])
{
	for (unsigned int i = 0; i < vm->count; i++)
		counts[i] = mini_read64(vm, i, offset);
}

static void check_still(struct mini_vm *vm, uint64_t offset)
{
	uint64_t before[VCPUS], after[VCPUS];
	struct fl_vcpu_info info;

	read_counts(vm, offset, before);
	spend_ns(20 * NS_PER_US);
	read_counts(vm, offset, after);
	assert_memory_equal(before, after, vm->count * sizeof(before[0]));
	for (unsigned int i = 0; i < vm->count; i++) {
		fl_vcpu_get_info(vm->vcpus[i], &info);
		assert_int_equal(info.state, FL_VCPU_PAUSED);
		assert_true(info.flags & FL_VCPU_RIP_VALID);
	}
}

static void wait_for_more(struct mini_vm *vm, uint64_t offset)
{
	uint64_t before[VCPUS], deadline_ns = load_now_ns() + WAIT_NS;

	read_counts(vm, offset, before);
	for (unsigned int i = 0; i < vm->count; i++)
		while (mini_read64(vm, i, offset) == before[i]) {
			assert_true(load_now_ns() < deadline_ns);
			sched_yield();
		}
}

static void pause_often(struct mini_vm *vm, uint64_t offset)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		pause_all(vm);
		check_still(vm, offset);
		resume_all(vm);
		/* now and then they get far, else they are asked again at once */
		if (i % 16 == 0)
			wait_for_more(vm, offset);
	}
	wait_for_more(vm, offset);
}

static void start_load(struct load *load, struct mini_vm *vm, const uint8_t *program)
{
	const struct mini_start start = {.program = program, .cpl = 3, .rbx = mini_gva(BAD_PAGE)};

	load_init(load, vm, load_skip_and_tell);
	mini_truncate(vm, BAD_PAGE);
	for (unsigned int i = 0; i < vm->count; i++)
		load_start(load, i, start);
	for (unsigned int i = 0; i < vm->count; i++)
		mini_wait_ready(vm, i);
}

/* Each exception that was reported as delivered has been taken, once. */
static void faults_in(struct mini_vm *vm)
{
	struct load load;

	start_load(&load, vm, load_faults);
	pause_often(vm, LOAD_TURNS);
	for (unsigned int i = 0; i < vm->count; i++) {
		uint64_t taken, reported;

		load_stop(&load, i);
		taken = mini_read64(vm, i, LOAD_FAULTS);
		reported = atomic_load(&load.seen[i].outcome[FL_OUTCOME_RECORD]);
		printf("# vCPU %u: %llu faults\n", i, (unsigned long long)reported);
		assert_true(taken > 0);
		assert_int_equal(taken, reported);
	}
	mini_free(vm);
}

static void strict_faults_go_on(void **state)
{
	(void)state;
	faults_in(mini_new(VCPUS, reflect));
}

static void watched_faults_go_on(void **state)
{
	(void)state;
	faults_in(mini_new_watched(VCPUS, reflect));
}

struct counting {
	struct load load; /* first: the other callbacks are given this */
	void (*pio)(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count);
	_Atomic uint64_t exits;
};

static void count_pio(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count)
{
	struct counting *counting = arg;

	if (port == LOAD_PORT_NOTHING)
		atomic_fetch_add(&counting->exits, 1);
	counting->pio(arg, port, write, data, size, count);
}

/* Each of the guest's writes to a port is served once: it counts what it has written, and we what we have seen. */
static void exits_go_on(void **state)
{
	const struct mini_start start = {.program = load_exits, .cpl = 3};
	struct mini_vm *vm = mini_new(1, reflect);
	struct counting counting = {0};
	uint64_t turns;

	(void)state;
	load_init(&counting.load, vm, load_skip_and_tell);
	counting.pio = vm->env.ops.pio;
	vm->env.ops.pio = count_pio;
	load_start(&counting.load, 0, start);
	mini_wait_ready(vm, 0);
	pause_often(vm, LOAD_TURNS);
	load_stop(&counting.load, 0);
	turns = mini_read64(vm, 0, LOAD_TURNS);
	printf("# %llu exits\n", (unsigned long long)turns);
	assert_true(turns > ROUNDS / 16);
	assert_int_equal(atomic_load(&counting.exits), turns);
	mini_free(vm);
}

/*
 * A guest that sleeps until its timer's interrupt comes, which is often while it is paused: were one lost, it would
 * sleep for ever.
 */
static void interrupts_are_kept(void **state)
{
	struct mini_start start = {.program = mini_idle,
				   .rsi = TICKS,
				   .rdi = PVPF_HOST_MSR_BASE + PVPF_MSR_IDLE,
				   .r8 = SLEEPS,
				   .interrupts_off = true};
	struct mini_vm *vm = mini_new(1, reflect);
	unsigned int pauses = 0;

	(void)state;
	mini_start(vm, 0, &start);
	mini_wait_ready(vm, 0);
	for (; !mini_is_done(vm, 0); pauses++) {
		pause_all(vm);
		spend_ns(pauses % 4 * 80 * NS_PER_US);
		resume_all(vm);
		spend_ns(pauses % 7 * 20 * NS_PER_US);
	}
	printf("# %u pauses, %d sleeps\n", pauses, SLEEPS);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(mini_read64(vm, 0, MINI_INTERRUPTS), SLEEPS);
	mini_free(vm);
}

/* The watchdog of watch mode sees nothing wrong with a vCPU that is paused while it hangs on nothing. */
static void a_paused_vcpu_is_not_stalled(void **state)
{
	struct mini_vm *vm = mini_new_watched(1, reflect);
	const struct mini_start start = {.program = mini_spin};
	struct fl_vcpu_info before, after;

	(void)state;
	mini_start(vm, 0, &start);
	pause_all(vm);
	fl_vcpu_get_info(vm->vcpus[0], &before);
	spend_ns(400000 * NS_PER_US); /* eight of its ticks */
	fl_vcpu_get_info(vm->vcpus[0], &after);
	assert_int_equal(vm->faults, 0);
	assert_int_equal(after.state, FL_VCPU_PAUSED);
	assert_int_equal(after.exits, before.exits);
	assert_int_equal(after.rip, before.rip);
	assert_true(after.cpu_time_ns - before.cpu_time_ns < 20000 * NS_PER_US);
	mini_free(vm);
}

/* A vCPU that is asked to stop leaves the gate. */
static void a_paused_vcpu_can_be_stopped(void **state)
{
	const struct mini_start start = {.program = mini_spin};

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		struct mini_vm *vm = mini_new(1, reflect);
		struct fl_vcpu_info info;

		mini_start(vm, 0, &start);
		fl_vcpu_request_pause(vm->vcpus[0]);
		if (i % 2)
			pause_all(vm);
		fl_vcpu_stop(vm->vcpus[0]);
		assert_true(fl_vcpu_wait_parked(vm->vcpus[0], 0));
		fl_vcpu_get_info(vm->vcpus[0], &info);
		assert_int_equal(info.state, FL_VCPU_NOT_RUNNING);
		assert_true(info.cpu_time_ns > 0);
		mini_free(vm);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(strict_faults_go_on),
	cmocka_unit_test(watched_faults_go_on),
	cmocka_unit_test(exits_go_on),
	cmocka_unit_test(interrupts_are_kept),
	cmocka_unit_test(a_paused_vcpu_is_not_stalled),
	cmocka_unit_test(a_paused_vcpu_can_be_stopped),
};

FL_TEST_MAIN(110, tests)
