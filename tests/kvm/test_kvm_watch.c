/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HLT exits on and a window that hides the ends of files: a truncation reaches a guest that reads the page all the
 * time, at CPL 3 with interrupts on, where KVM by itself would not come back (test_kvm_watchdog.c shows that it does
 * not). There is no watchdog here.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mmu_backing/watch.h"
#include "tests/kvm/mini_vm.h"

#define BAD_OFFSET UINT64_C(0x5123)
#define BAD_PAGE   UINT64_C(0x5000)
#define TIMES	   100
#define PATIENCE_S 10

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

struct rig {
	struct mini_vm *vm;
	struct fl_watch *watch;
	_Atomic uint64_t arrived_ns; /* when the guest's handler ran, 0: not yet */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The guest's handler waits: put the file back, and the instruction is run again. */
static void repair(struct mini_vm *vm, unsigned int index)
{
	struct rig *rig = vm->arg;
	uint64_t now = now_ns();

	(void)index;
	mini_refill(vm);
	atomic_store(&rig->arrived_ns, now);
}

/* What mini_new_mode() has mapped is mapped again, followed. */
static void follow_window(struct rig *rig)
{
	struct fl_backing *backing;
	struct fl_diag diag = {0};
	int fd = dup(rig->vm->file);

	if (fl_watch_new(&rig->vm->log, &rig->watch, &diag) || fl_watch_start(rig->watch, &diag))
		fail_msg("%s", diag.text);
	assert_true(fd >= 0);
	assert_int_equal(fl_backing_new(fd, true, &backing), 0);
	fl_window_unmap_all(rig->vm->window);
	fl_window_set_watch(rig->vm->window, rig->watch, true);
	assert_int_equal(fl_window_map(rig->vm->window, 0, FL_RANGE_LEN, backing, 0, true), 0);
	fl_backing_unref(backing);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->vm = mini_new_mode(1, reflect, true);
	rig->vm->on_exception = repair;
	rig->vm->arg = rig;
	follow_window(rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	mini_free(rig->vm);
	fl_watch_free(rig->watch);
	free(rig);
	return 0;
}

static uint64_t truncate_once(struct rig *rig)
{
	uint64_t start = now_ns();

	atomic_store(&rig->arrived_ns, 0);
	mini_truncate(rig->vm, BAD_PAGE);
	while (!atomic_load(&rig->arrived_ns)) {
		if (now_ns() - start > PATIENCE_S * UINT64_C(1000000000))
			fail_msg("the guest has not heard of it in %d s", PATIENCE_S);
		usleep(50);
	}
	return atomic_load(&rig->arrived_ns) - start;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* One for each truncation; what else was reported were pages that were healthy again when looked at. */
static void check_reports(struct mini_vm *vm)
{
	unsigned int reflected = 0;

	for (unsigned int i = 0; i < vm->faults; i++) {
		const struct fl_fault *fault = &vm->seen[i].fault;

		if (fault->outcome == FL_OUTCOME_RETRIED)
			continue;
		assert_int_equal(fault->outcome, FL_OUTCOME_RECORD);
		assert_int_equal(fault->cause, FL_CAUSE_TRUNCATED);
		assert_int_equal(fault->access, FL_ACCESS_READ);
		assert_int_equal(fault->gpa, MINI_WINDOW_GPA + BAD_OFFSET);
		assert_int_equal(fault->gva, mini_gva(BAD_OFFSET));
		assert_int_equal(fault->file_len, BAD_PAGE);
		reflected++;
	}
	assert_int_equal(reflected, TIMES);
}

static void test_truncation_reaches_a_busy_guest(void **state)
{
	struct rig *rig = *state;
	struct mini_start start = {.program = mini_read_loop,
				   .cpl = 3,
				   .rbx = mini_gva(BAD_OFFSET),
				   .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};
	uint64_t limit_ns = getenv("FAULTLINE_IN_BOX") ? 100000000 : 10000000; /* the box emulates its CPU */
	uint64_t took[TIMES];

	mini_start(rig->vm, 0, &start);
	for (unsigned int i = 0; i < TIMES; i++) {
		usleep(3000 +
		       i * 41); /* the guest reads; neither in step with the watch's rests nor always out of it */
		took[i] = truncate_once(rig);
	}
	usleep(20000);
	mini_write64(rig->vm, 0, MINI_STOP, 1);
	assert_true(mini_wait(rig->vm, 0));
	assert_int_equal(mini_read64(rig->vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
	assert_int_equal(mini_read64(rig->vm, 0, MINI_COUNT), TIMES);
	check_reports(rig->vm);
	qsort(took, TIMES, sizeof(took[0]), compare_u64);
	printf("# from truncate() to the guest's handler: %llu us (median), %llu us (worst of %d)\n",
	       (unsigned long long)took[TIMES / 2] / 1000, (unsigned long long)took[TIMES - 1] / 1000, TIMES);
	assert_true(took[TIMES / 2] < limit_ns);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_truncation_reaches_a_busy_guest, setup, teardown),
};

FL_TEST_MAIN(90, tests)
