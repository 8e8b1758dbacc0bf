/* SPDX-License-Identifier: Apache-2.0 */
/* PVPF's MSRs and the idle exit. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "tests/kvm/mini_vm.h"

#define MSR_CTL	       UINT64_C(0x50564600)
#define MSR_IDLE       (MSR_CTL + 1)
#define MSR_SUBSTITUTE (MSR_CTL + 2)
/* asm/kvm_para.h */
#define MSR_ASYNC_PF_EN	 UINT64_C(0x4b564d02)
#define MSR_ASYNC_PF_INT UINT64_C(0x4b564d06)
#define AREA		 UINT64_C(0x300100)

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static void skip_wrmsr(struct mini_vm *vm, unsigned int index)
{
	mini_write64(vm, index, MINI_RESUME, mini_code(mini_done));
}

/* Runs WRMSR and, if that works, RDMSR; true: both did, and *result is what was read. */
static bool write_and_read_in(bool watch_mode, uint64_t msr, uint64_t value, bool offer, uint64_t *result)
{
	struct mini_vm *vm = mini_new_mode(1, reflect, watch_mode);
	struct mini_start start = {
		.program = mini_wrmsr_rdmsr, .rcx = msr, .rax = value & UINT32_MAX, .rdx = value >> 32};
	bool worked;

	vm->env.offer_pvpf = offer;
	vm->on_exception = skip_wrmsr;
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	worked = mini_read64(vm, 0, MINI_COUNT) == 0;
	if (!worked) {
		assert_int_equal(mini_entry(vm, 0, 0)->vector, 13);
		assert_int_equal(mini_entry(vm, 0, 0)->error, 0);
	}
	*result = mini_read64(vm, 0, MINI_RESULT) | mini_read64(vm, 0, MINI_RESULT + 32) << 32;
	mini_free(vm);
	return worked;
}

static bool write_and_read(uint64_t msr, uint64_t value, bool offer, uint64_t *result)
{
	return write_and_read_in(false, msr, value, offer, result);
}

static void test_good_values(void **state)
{
	static const uint64_t values[] = {AREA | 1, AREA | 3, AREA, AREA | 2, 0};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(values); i++) {
		uint64_t read;

		assert_true(write_and_read(MSR_CTL, values[i], true, &read));
		assert_int_equal(read, values[i]);
	}
}

static void test_bad_values(void **state)
{
	static const uint64_t values[] = {
		AREA | 1 | 4,		      /* reserved bits */
		AREA | 1 | 0x80,	      /* not 256-aligned */
		MINI_WINDOW_GPA | 1,	      /* in a file window */
		MINI_RAM_LEN | 1,	      /* where nothing is */
		UINT64_C(0xffffffffffffff01), /* far out */
	};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(values); i++) {
		uint64_t read;

		assert_false(write_and_read(MSR_CTL, values[i], true, &read));
	}
}

static void test_other_msrs(void **state)
{
	uint64_t read;

	(void)state;
	assert_false(write_and_read(MSR_SUBSTITUTE, 0x40005, true, &read));
	assert_false(write_and_read(MSR_CTL, AREA | 1, false, &read));
	assert_false(write_and_read(MSR_IDLE, 0, false, &read));
}

/* Where HLT exits, there is no idle exit; the rest is the same. */
static void test_watch_mode(void **state)
{
	uint64_t read;

	(void)state;
	assert_false(write_and_read_in(true, MSR_IDLE, 0, true, &read));
	assert_true(write_and_read_in(true, MSR_CTL, AREA | 1, true, &read));
	assert_int_equal(read, AREA | 1);
}

/* CPUID hides async page faults, and a guest that tries all the same does not get them: it would hang itself. */
static void test_no_async_page_faults(void **state)
{
	uint64_t read;

	(void)state;
	for (unsigned int watch_mode = 0; watch_mode < 2; watch_mode++) {
		assert_false(write_and_read_in(watch_mode, MSR_ASYNC_PF_INT, MINI_TIMER_VECTOR, true, &read));
		assert_false(write_and_read_in(watch_mode, MSR_ASYNC_PF_EN, 0x300000 | 1, true, &read));
	}
}

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A second of idling until the LAPIC's timer comes costs next to no CPU. */
static void test_idle_until_timer(void **state)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {.program = mini_idle, .rsi = 1000000000, .rdi = MSR_IDLE, .r8 = 1};
	double since_start = -seconds(CLOCK_MONOTONIC), wall, cpu;
	bool done;

	(void)state;
	mini_start(vm, 0, &start);
	mini_wait_ready(vm, 0);
	wall = -seconds(CLOCK_MONOTONIC);
	cpu = -seconds(mini_thread_clock(vm, 0));
	usleep(800000);
	cpu += seconds(mini_thread_clock(vm, 0));
	done = mini_is_done(vm, 0);
	wall += seconds(CLOCK_MONOTONIC);
	since_start += seconds(CLOCK_MONOTONIC);
	if (since_start < 1) /* a host with other work lets us sleep for longer than the guest does */
		assert_false(done);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(mini_read64(vm, 0, MINI_INTERRUPTS), 1);
	printf("# idle: %.3f s of CPU in %.3f s (%.2f %%)\n", cpu, wall, 100 * cpu / wall);
	assert_true(cpu < wall / 10);
	mini_free(vm);
}

/* Short timers, many times: an interrupt that comes while the exit is being handled is not lost. */
static void test_no_lost_wakeup(void **state)
{
	static const uint64_t ticks[] = {2000, 20000, 100000};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(ticks); i++) {
		struct mini_vm *vm = mini_new(1, reflect);
		struct mini_start start = {.program = mini_idle, .rsi = ticks[i], .rdi = MSR_IDLE, .r8 = 1000};
		double wall = -seconds(CLOCK_MONOTONIC);

		mini_start(vm, 0, &start);
		assert_true(mini_wait(vm, 0));
		wall += seconds(CLOCK_MONOTONIC);
		assert_true(mini_read64(vm, 0, MINI_INTERRUPTS) >= 1000);
		printf("# 1000 timers of %llu ns: %.1f us each\n", (unsigned long long)ticks[i], wall * 1000);
		mini_free(vm);
	}
}

static void test_idle_until_ipi(void **state)
{
	struct mini_vm *vm = mini_new(2, reflect);
	struct mini_start sleeper = {.program = mini_idle, .rdi = MSR_IDLE, .r8 = 1};
	struct mini_start waker = {.program = mini_ipi, .rsi = 0x4000 | MINI_TIMER_VECTOR, .rdi = 1};

	(void)state;
	mini_start(vm, 1, &sleeper);
	mini_wait_ready(vm, 1);
	usleep(100000);
	assert_false(mini_is_done(vm, 1));
	mini_start(vm, 0, &waker);
	assert_true(mini_wait(vm, 0));
	assert_true(mini_wait(vm, 1));
	assert_int_equal(mini_read64(vm, 1, MINI_INTERRUPTS), 1);
	mini_free(vm);
}

/* Stopping a vCPU that sleeps in KVM. */
static void test_stop_while_idle(void **state)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start sleeper = {.program = mini_idle, .rdi = MSR_IDLE, .r8 = 1};

	(void)state;
	mini_start(vm, 0, &sleeper);
	mini_wait_ready(vm, 0);
	usleep(50000);
	fl_vcpu_stop(vm->vcpus[0]);
	assert_false(vm->done[0]);
	assert_false(vm->ended[0]);
	mini_free(vm);
}

struct said {
	atomic_uint lines;
};

static void count_line(void *arg, enum fl_log_level level, const char *text)
{
	struct said *said = arg;

	(void)level;
	(void)text;
	atomic_fetch_add(&said->lines, 1);
}

/* fl_log.h: 5 lines a second. The program writes the MSR until an interrupt comes, which none does. */
static void test_guest_cannot_flood_the_log(void **state)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start writer = {.program = mini_idle, .rdi = MSR_CTL, .r8 = 1};
	struct said said = {0};
	double wall = -seconds(CLOCK_MONOTONIC);

	(void)state;
	vm->log = (struct fl_log){.sink = count_line, .arg = &said, .level = FL_LOG_INFO};
	mini_start(vm, 0, &writer);
	mini_wait_ready(vm, 0);
	usleep(300000);
	fl_vcpu_stop(vm->vcpus[0]);
	wall += seconds(CLOCK_MONOTONIC);
	assert_false(vm->ended[0]);
	printf("# %u lines in %.1f s\n", atomic_load(&said.lines), wall);
	assert_true(atomic_load(&said.lines) > 0);
	assert_true(atomic_load(&said.lines) <= 5 * (wall + 2));
	mini_free(vm);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_good_values),	     cmocka_unit_test(test_bad_values),
	cmocka_unit_test(test_other_msrs),	     cmocka_unit_test(test_idle_until_timer),
	cmocka_unit_test(test_no_lost_wakeup),	     cmocka_unit_test(test_idle_until_ipi),
	cmocka_unit_test(test_stop_while_idle),	     cmocka_unit_test(test_watch_mode),
	cmocka_unit_test(test_no_async_page_faults), cmocka_unit_test(test_guest_cannot_flood_the_log),
};

FL_TEST_MAIN(100, tests)
