/* SPDX-License-Identifier: Apache-2.0 */
/* What the watchdog costs guests that are well: next to nothing, and never a wrong exception. */
#include "tests/lib/fl_test.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "tests/kvm/mini_vm.h"
#include "vcpu/vcpu_priv.h"
#include "vcpu/watchdog.h"

#define MEASURE_MS 1000
#define COST_MAX   0.005 /* of one CPU; ten times that where the CPU is emulated itself */

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

/* CPU time of this process' thread of that name, from its schedstat: nanoseconds first. */
static uint64_t thread_cpu_ns(const char *name)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned long long ns = 0;
	struct dirent *entry;

	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		char path[320], comm[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%31s", comm) != 1)
			comm[0] = '\0';
		fclose(file);
		if (strcmp(comm, name) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", entry->d_name);
		file = fopen(path, "re");
		assert_non_null(file);
		assert_int_equal(fscanf(file, "%llu", &ns), 1);
		fclose(file);
	}
	closedir(tasks);
	return ns;
}

/* Whether the vCPU was ever made to look at itself. */
static bool was_asked(const struct mini_vm *vm, unsigned int index)
{
	return vm->vcpus[index]->last_look.valid;
}

static void measure(const char *what, const uint8_t *program, unsigned int cpl)
{
	struct mini_vm *vm = mini_new_mode(2, reflect, true);
	struct mini_start start = {.program = program, .cpl = cpl, .rbx = mini_gva(0x100), .pvpf_ctl = PVPF_CTL_ENABLE};
	struct fl_watchdog *watchdog;
	struct timespec before, after;
	struct fl_diag diag;
	double wall, cost;
	uint64_t cpu;

	assert_int_equal(fl_watchdog_new(vm->vcpus, 2, 0, &vm->log, &watchdog, &diag), 0);
	for (unsigned int i = 0; i < 2; i++)
		mini_start(vm, i, &start);
	assert_int_equal(fl_watchdog_start(watchdog, &diag), 0);
	usleep(100000); /* the thread has its name, the first page faults are over */
	cpu = thread_cpu_ns("fl-watchdog");
	clock_gettime(CLOCK_MONOTONIC, &before);
	usleep(MEASURE_MS * 1000);
	cpu = thread_cpu_ns("fl-watchdog") - cpu;
	clock_gettime(CLOCK_MONOTONIC, &after);
	wall = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	cost = (double)cpu / 1e9 / wall;
	printf("# %s: the watchdog takes %.4f %% of a CPU for 2 vCPUs\n", what, 100 * cost);
	fl_watchdog_free(watchdog);
	for (unsigned int i = 0; i < 2; i++) {
		fl_vcpu_stop(vm->vcpus[i]);
		assert_false(vm->ended[i]);
		assert_int_equal(mini_read64(vm, i, MINI_COUNT), 0);
		/* not once, so no exit was added */
		assert_false(was_asked(vm, i));
	}
	assert_int_equal(vm->faults, 0);
	assert_true(cpu > 0);
	assert_true(cost < (getenv("FAULTLINE_IN_BOX") ? 10 * COST_MAX : COST_MAX));
	mini_free(vm);
}

static void test_spinning(void **state)
{
	(void)state;
	measure("jmp . at CPL 3", mini_still, 3);
}

static void test_pausing(void **state)
{
	(void)state;
	measure("pause loop at CPL 3", mini_spin, 3);
}

static void test_loading(void **state)
{
	(void)state;
	measure("loads from a window at CPL 3", mini_read_loop, 3);
}

static void test_exiting(void **state)
{
	(void)state;
	measure("one exit after the other", mini_exits, 0);
}

static void test_halted(void **state)
{
	(void)state;
	measure("halted", mini_halt, 0);
}

/*
 * Every suspicion there can be, and all wrong: it is asked all the time, and told each time that faults have come to
 * nothing. A loop has the same registers often enough, but its page is there.
 */
static void test_wrong_suspicion(void **state)
{
	struct mini_vm *vm = mini_new_mode(1, reflect, true);
	struct mini_start start = {
		.program = mini_read_loop, .cpl = 3, .rbx = mini_gva(0x100), .pvpf_ctl = PVPF_CTL_ENABLE};

	(void)state;
	mini_start(vm, 0, &start);
	for (int i = 0; i < 400; i++) {
		fl_vcpu_ask_to_look(vm->vcpus[0], i);
		usleep(1000);
	}
	mini_write64(vm, 0, MINI_STOP, 1);
	assert_true(mini_wait(vm, 0));
	assert_true(was_asked(vm, 0));
	assert_int_equal(vm->faults, 0);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 0);
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(0x100));
	mini_free(vm);
}

static void test_suspected_spinner(void **state)
{
	struct mini_vm *vm = mini_new_mode(1, reflect, true);
	struct mini_start start = {.program = mini_still, .cpl = 3, .pvpf_ctl = PVPF_CTL_ENABLE};

	(void)state;
	mini_start(vm, 0, &start);
	for (int i = 0; i < 100; i++) {
		fl_vcpu_ask_to_look(vm->vcpus[0], i);
		usleep(1000);
	}
	fl_vcpu_stop(vm->vcpus[0]);
	assert_true(was_asked(vm, 0));
	assert_false(vm->ended[0]);
	assert_int_equal(vm->faults, 0);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 0);
	mini_free(vm);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_spinning),
	cmocka_unit_test(test_pausing),
	cmocka_unit_test(test_loading),
	cmocka_unit_test(test_exiting),
	cmocka_unit_test(test_halted),
	cmocka_unit_test(test_wrong_suspicion),
	cmocka_unit_test(test_suspected_spinner),
};

FL_TEST_MAIN(60, tests)
