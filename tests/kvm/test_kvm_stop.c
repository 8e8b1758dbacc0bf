/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that the guest may not take, or cannot: the vCPU ends with a report and never spins. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <time.h>

#include "tests/kvm/mini_vm.h"

#define BAD_OFFSET   UINT64_C(0x5123)
#define BAD_PAGE     UINT64_C(0x5000)
#define WITH_RECORDS (PVPF_CTL_ENABLE | PVPF_CTL_CPL0)

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};
static const struct fl_policy stop = {{FL_ACTION_STOP}};

static void check_stopped(struct mini_vm *vm, const char *words)
{
	const struct mini_seen *seen = &vm->seen[vm->faults - 1];
	const char *text = vm->diag[0].text;

	assert_int_equal(vm->end[0], FL_VCPU_END_FAULT);
	assert_true(vm->faults >= 1);
	assert_int_equal(seen->fault.outcome, FL_OUTCOME_STOPPED);
	assert_string_equal(seen->share, "share0");
	assert_int_equal(seen->fault.file_offset, BAD_OFFSET);
	assert_non_null(strstr(seen->path, "/tmp/#"));
	assert_non_null(strstr(text, "share0"));
	assert_non_null(strstr(text, seen->path));
	assert_non_null(strstr(text, "truncated"));
	assert_non_null(strstr(text, "5123"));
	assert_non_null(strstr(text, words));
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 0);
}

static void policy_at(unsigned int cpl, const uint8_t *program)
{
	struct mini_vm *vm = mini_new(1, stop);
	struct mini_start start = {
		.program = program, .cpl = cpl, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};

	mini_truncate(vm, BAD_PAGE);
	mini_start(vm, 0, &start);
	assert_false(mini_wait(vm, 0));
	check_stopped(vm, "stopped");
	mini_free(vm);
}

static void test_policy_stop(void **state)
{
	(void)state;
	policy_at(3, mini_read);
	policy_at(0, mini_read);
	policy_at(3, mini_write);
	policy_at(0, mini_write);
}

static void test_all_records_posted(void **state)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {
		.program = mini_read, .cpl = 3, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
	struct pvpf_record *records = (struct pvpf_record *)(void *)(mini_block(vm, 0) + MINI_AREA);

	(void)state;
	for (unsigned int i = 0; i < PVPF_RECORDS; i++)
		records[i].state = PVPF_RECORD_POSTED;
	mini_truncate(vm, BAD_PAGE);
	mini_start(vm, 0, &start);
	assert_false(mini_wait(vm, 0));
	check_stopped(vm, "record");
	mini_free(vm);
}

/* The frame of an exception cannot be pushed: it stays in flight for ever, which is bounded. */
static void test_bad_stack(void **state)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {.program = mini_bad_stack, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};

	(void)state;
	mini_truncate(vm, BAD_PAGE);
	mini_start(vm, 0, &start);
	assert_false(mini_wait(vm, 0));
	printf("# end %u\n", vm->end[0]);
	assert_true(vm->end[0] == FL_VCPU_END_FAULT || vm->end[0] == FL_VCPU_END_SHUTDOWN);
	mini_free(vm);
}

static void cause_at(unsigned int cpl, const uint8_t *program, uint64_t offset, enum fl_cause cause)
{
	struct mini_vm *vm = mini_new(1, stop);
	struct mini_start start = {.program = program, .cpl = cpl, .rbx = mini_gva(offset)};

	if (cause == FL_CAUSE_NOT_PERMITTED) {
		struct fl_backing *backing;

		assert_int_equal(fl_backing_new(dup(vm->file), false, &backing), 0);
		assert_int_equal(fl_window_map(vm->window, 0, FL_RANGE_LEN, backing, 0, false), 0);
		fl_backing_unref(backing);
	}
	mini_start(vm, 0, &start);
	assert_false(mini_wait(vm, 0));
	assert_int_equal(vm->end[0], FL_VCPU_END_FAULT);
	assert_int_equal(vm->seen[0].fault.cause, cause);
	assert_int_equal(vm->seen[0].fault.gpa, MINI_WINDOW_GPA + offset);
	assert_int_equal(vm->seen[0].fault.gva, mini_gva(offset));
	mini_free(vm);
}

static void test_unmapped(void **state)
{
	(void)state;
	cause_at(3, mini_read, 0x300010, FL_CAUSE_UNMAPPED);
	cause_at(0, mini_read, 0x300010, FL_CAUSE_UNMAPPED);
	cause_at(3, mini_write, 0x300010, FL_CAUSE_UNMAPPED);
	cause_at(0, mini_write, 0x300010, FL_CAUSE_UNMAPPED);
}

static void test_not_permitted(void **state)
{
	(void)state;
	cause_at(3, mini_write, 0x1010, FL_CAUSE_NOT_PERMITTED);
	cause_at(0, mini_write, 0x1010, FL_CAUSE_NOT_PERMITTED);
}

struct flapper {
	struct mini_vm *vm;
	atomic_bool end;
};

static void *flap(void *arg)
{
	struct flapper *flapper = arg;

	while (!atomic_load(&flapper->end)) {
		if (ftruncate(flapper->vm->file, BAD_PAGE) || ftruncate(flapper->vm->file, MINI_FILE_LEN))
			return arg;
	}
	return NULL;
}

/* The file shrinks and grows all the time: some touches find the page back when they are looked at. */
static void healthy_at(unsigned int cpl)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {
		.program = mini_read_loop, .cpl = cpl, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
	struct flapper flapper = {.vm = vm};
	unsigned int retried, delivered;
	pthread_t thread;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, flap, &flapper), 0);
	mini_start(vm, 0, &start);
	for (unsigned int i = 0; i < 200 && mini_outcomes(vm, FL_OUTCOME_RETRIED) < 3; i++)
		usleep(100000);
	mini_write64(vm, 0, MINI_STOP, 1);
	atomic_store(&flapper.end, true);
	pthread_join(thread, &result);
	assert_null(result);
	assert_true(mini_wait(vm, 0));
	retried = mini_outcomes(vm, FL_OUTCOME_RETRIED);
	delivered = mini_outcomes(vm, FL_OUTCOME_RECORD);
	printf("# CPL %u: %u retried, %u delivered\n", cpl, retried, delivered);
	assert_int_equal(FL_MIN(retried + delivered, (unsigned int)MINI_FAULTS_MAX), vm->faults);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), delivered);
	assert_true(retried > 0);
	mini_free(vm);
}

static void test_healthy_retry(void **state)
{
	(void)state;
	healthy_at(3);
	healthy_at(0);
}

static void test_stop_a_busy_guest(void **state)
{
	struct mini_vm *vm = mini_new(2, reflect);
	struct mini_start user = {.program = mini_spin, .cpl = 3}, kernel = {.program = mini_spin};

	(void)state;
	mini_start(vm, 0, &user);
	mini_start(vm, 1, &kernel);
	fl_vcpu_request_stop(vm->vcpus[0]);
	fl_vcpu_stop(vm->vcpus[0]);
	fl_vcpu_stop(vm->vcpus[0]);
	fl_vcpu_request_stop(vm->vcpus[0]);
	fl_vcpu_stop(vm->vcpus[1]);
	assert_false(vm->ended[0]);
	assert_false(vm->ended[1]);
	mini_free(vm);
}

/* A vCPU that waits for INIT in vain can be stopped; so can one that was never started. */
static void test_stop_a_waiting_vcpu(void **state)
{
	struct mini_vm *vm = mini_new(3, reflect);
	struct fl_diag diag;

	(void)state;
	assert_int_equal(fl_vcpu_start(vm->vcpus[1], &diag), 0);
	assert_int_equal(fl_vcpu_start(vm->vcpus[1], &diag), -EBUSY);
	usleep(20000);
	fl_vcpu_stop(vm->vcpus[1]);
	fl_vcpu_stop(vm->vcpus[2]);
	assert_false(vm->ended[1]);
	mini_free(vm);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_policy_stop),	  cmocka_unit_test(test_all_records_posted),
	cmocka_unit_test(test_bad_stack),	  cmocka_unit_test(test_unmapped),
	cmocka_unit_test(test_not_permitted),	  cmocka_unit_test(test_healthy_retry),
	cmocka_unit_test(test_stop_a_busy_guest), cmocka_unit_test(test_stop_a_waiting_vcpu),
};

FL_TEST_MAIN(110, tests)
