/* SPDX-License-Identifier: Apache-2.0 */
/* HLT exits on ("watch" mode): a lost page hangs the vCPU inside KVM_RUN, and the watchdog finds it. */
#include "tests/lib/fl_test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/kvm/mini_vm.h"
#include "tests/kvm/small_fs.h"
#include "vcpu/watchdog.h"

#define BAD_OFFSET   UINT64_C(0x5123)
#define BAD_PAGE     UINT64_C(0x5000)
#define WITH_RECORDS (PVPF_CTL_ENABLE | PVPF_CTL_CPL0)
#define CONTROL_MS   300u
#define LIMIT_MS     3000 /* some ticks, on a machine that has much else to do */

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static unsigned int count_faults(struct mini_vm *vm)
{
	FL_LOCKED(&vm->lock);
	return vm->faults;
}

static void leave_alone(struct mini_vm *vm, unsigned int index)
{
	mini_write64(vm, index, MINI_RESUME, mini_code(mini_done));
}

static struct mini_vm *watch_vm(unsigned int vcpus)
{
	struct mini_vm *vm = mini_new_mode(vcpus, reflect, true);

	vm->on_exception = leave_alone;
	return vm;
}

static struct fl_watchdog *guard(struct mini_vm *vm)
{
	struct fl_watchdog *watchdog;
	struct fl_diag diag;

	if (fl_watchdog_new(vm->vcpus, vm->count, 0, &vm->log, &watchdog, &diag) || fl_watchdog_start(watchdog, &diag))
		fail_msg("%s", diag.text);
	return watchdog;
}

/* Does it come back by itself? If so, nothing below proves anything about the watchdog. */
static bool hangs_without_watchdog(unsigned int cpl)
{
	struct mini_vm *vm = watch_vm(1);
	struct mini_start start = {.program = mini_read, .cpl = cpl, .rbx = mini_gva(BAD_OFFSET)};
	bool hangs;

	mini_truncate(vm, BAD_PAGE);
	mini_start(vm, 0, &start);
	usleep(CONTROL_MS * 1000);
	hangs = count_faults(vm) == 0;
	mini_free(vm);
	return hangs;
}

static void test_control(void **state)
{
	(void)state;
	if (!hangs_without_watchdog(3)) {
		printf("# skipped: this KVM reports lost pages by itself in watch mode\n");
		skip();
	}
	printf("# without the watchdog: nothing for %u ms\n", CONTROL_MS);
}

static void check(struct mini_vm *vm, unsigned int index, unsigned int number, uint64_t rip, enum fl_access access,
		  uint64_t offset, enum fl_cause cause)
{
	const struct mini_log *log = mini_entry(vm, index, 0);
	const struct mini_seen *seen = &vm->seen[number];
	bool hung = strcmp(seen->shape, "stall") == 0;

	if (!hung)
		printf("# it came back by itself, as \"%s\"\n", seen->shape);
	assert_true(hung || seen->fault.cpl == 0 || !hangs_without_watchdog(3));
	assert_int_equal(seen->fault.outcome, FL_OUTCOME_RECORD);
	assert_int_equal(seen->fault.cause, cause);
	assert_int_equal(seen->fault.access, access);
	assert_int_equal(seen->fault.gpa, MINI_WINDOW_GPA + offset);
	assert_int_equal(seen->fault.gva, mini_gva(offset));
	assert_int_equal(seen->fault.file_offset, offset);
	assert_int_equal(log->vector, 11);
	assert_int_equal(log->error, 0);
	assert_int_equal(log->rip, rip);
	assert_int_equal(log->record.gva, mini_gva(offset));
	assert_int_equal(log->record.gpa, MINI_WINDOW_GPA + offset);
	assert_int_equal(log->record.access, access);
	assert_int_equal(log->record.rip, rip);
}

static struct mini_vm *run_one(struct mini_start start, const char *what, uint64_t rip, enum fl_access access,
			       uint64_t offset)
{
	struct mini_vm *vm = watch_vm(1);
	struct fl_watchdog *watchdog;
	uint64_t began, took;

	mini_truncate(vm, BAD_PAGE);
	watchdog = guard(vm);
	start.pvpf_ctl = WITH_RECORDS;
	began = now_ns();
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	fl_watchdog_free(watchdog);
	assert_int_equal(vm->faults, 1);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
	check(vm, 0, 0, rip, access, offset, FL_CAUSE_TRUNCATED);
	took = vm->seen[0].fault.time_ns - began;
	printf("# %s at CPL %u: found after %.1f ms\n", what, start.cpl, (double)took / 1e6);
	assert_true(took < LIMIT_MS * UINT64_C(1000000));
	return vm;
}

static void all_at(unsigned int cpl)
{
	struct mini_start start = {.cpl = cpl, .rbx = mini_gva(BAD_OFFSET), .rax = 77};
	struct mini_vm *vm;

	start.program = mini_read;
	vm = run_one(start, "load", mini_code(mini_read), FL_ACCESS_READ, BAD_OFFSET);
	assert_int_equal(mini_entry(vm, 0, 0)->rax, 77);
	mini_free(vm);
	start.program = mini_write;
	mini_free(run_one(start, "store", mini_code(mini_write), FL_ACCESS_WRITE, BAD_OFFSET));
	start.program = mini_atomic;
	start.rbx = mini_gva(BAD_OFFSET + 5);
	mini_free(run_one(start, "atomic", mini_code(mini_atomic), FL_ACCESS_WRITE, BAD_OFFSET + 5));
	start.program = mini_fetch;
	mini_free(run_one(start, "fetch", mini_gva(BAD_OFFSET + 5), FL_ACCESS_FETCH, BAD_OFFSET + 5));
	/* 0x40 good bytes, then the lost page */
	start = (struct mini_start){.program = mini_rep_movsb,
				    .cpl = cpl,
				    .rcx = 0x100,
				    .rsi = mini_gva(BAD_PAGE - 0x40),
				    .rdi = MINI_SCRATCH};
	vm = run_one(start, "rep movsb", mini_code(mini_rep_movsb), FL_ACCESS_READ, BAD_PAGE);
	assert_int_equal(mini_entry(vm, 0, 0)->rcx, 0xc0);
	assert_int_equal(mini_entry(vm, 0, 0)->rsi, mini_gva(BAD_PAGE));
	assert_int_equal(mini_entry(vm, 0, 0)->rdi, MINI_SCRATCH + 0x40);
	mini_free(vm);
}

static void test_each_access(void **state)
{
	(void)state;
	all_at(3);
}

static void test_each_access_at_cpl0(void **state)
{
	(void)state;
	all_at(0);
}

/* The file may be longer than its file system has room for: the rest is a hole that cannot be filled. */
static void map_full_file(struct mini_vm *vm, int file)
{
	struct fl_backing *backing;

	assert_int_equal(ftruncate(file, MINI_FILE_LEN), 0);
	for (uint64_t at = 0; at < BAD_PAGE; at += FL_PAGE_LEN)
		assert_int_equal(pwrite(file, "x", 1, (off_t)at), 1);
	assert_int_equal(pwrite(file, "x", 1, BAD_PAGE), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(fl_backing_new(dup(file), true, &backing), 0);
	assert_int_equal(fl_window_map(vm->window, 0, FL_RANGE_LEN, backing, 0, true), 0);
	fl_backing_unref(backing);
}

static void test_no_space(void **state)
{
	static const struct {
		const uint8_t *program;
		enum fl_access access;
	} cases[] = {{mini_write, FL_ACCESS_WRITE}, {mini_read, FL_ACCESS_READ}};
	/* five pages, as BAD_PAGE has it */
	int file = small_fs_file("20k");

	(void)state;
	if (file < 0) {
		printf("# skipped: a file system of one's own needs root or user name spaces\n");
		skip();
	}
	for (size_t i = 0; i < FL_ARRAY_SIZE(cases); i++) {
		struct mini_vm *vm = watch_vm(1);
		struct mini_start start = {
			.program = cases[i].program, .cpl = 3, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
		struct fl_watchdog *watchdog;
		uint64_t began;

		map_full_file(vm, file);
		watchdog = guard(vm);
		began = now_ns();
		mini_start(vm, 0, &start);
		assert_true(mini_wait(vm, 0));
		fl_watchdog_free(watchdog);
		assert_int_equal(vm->faults, 1);
		check(vm, 0, 0, mini_code(cases[i].program), cases[i].access, BAD_OFFSET, FL_CAUSE_NO_SPACE);
		printf("# no space: found after %.1f ms\n", (double)(vm->seen[0].fault.time_ns - began) / 1e6);
		mini_free(vm);
	}
	close(file);
}

/* Both hang, each on a page of its own, while a third spins and a fourth idles. */
static void test_two_vcpus(void **state)
{
	struct mini_vm *vm = watch_vm(4);
	struct mini_start start = {
		.program = mini_read, .cpl = 3, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
	struct mini_start spin = {.program = mini_still, .cpl = 3}, halt = {.program = mini_halt};
	struct fl_watchdog *watchdog = guard(vm);
	unsigned int first;

	(void)state;
	mini_truncate(vm, BAD_PAGE);
	mini_start(vm, 2, &spin);
	mini_start(vm, 3, &halt);
	mini_start(vm, 0, &start);
	start.program = mini_write;
	start.rbx = mini_gva(BAD_OFFSET + 0x1000);
	mini_start(vm, 1, &start);
	assert_true(mini_wait(vm, 0));
	assert_true(mini_wait(vm, 1));
	fl_watchdog_free(watchdog);
	assert_int_equal(vm->faults, 2);
	first = vm->seen[0].fault.vcpu;
	check(vm, 0, first, mini_code(mini_read), FL_ACCESS_READ, BAD_OFFSET, FL_CAUSE_TRUNCATED);
	check(vm, 1, 1 - first, mini_code(mini_write), FL_ACCESS_WRITE, BAD_OFFSET + 0x1000, FL_CAUSE_TRUNCATED);
	assert_false(mini_has_ended(vm, 2) || mini_has_ended(vm, 3));
	mini_free(vm);
}

/* A periodic LAPIC timer (SDM vol. 3A, 11.5.4): software enable, divide by 1, periodic, initial count. */
static void set_timer(struct mini_vm *vm, unsigned int index, uint32_t period_ns)
{
	const uint32_t values[][2] = {
		{0xf0, 0x1ff}, {0x3e0, 0xb}, {0x320, 1u << 17 | MINI_TIMER_VECTOR}, {0x380, period_ns}};
	int fd = fl_vcpu_fd(vm->vcpus[index]);
	struct kvm_lapic_state lapic;

	assert_int_equal(ioctl(fd, KVM_GET_LAPIC, &lapic), 0);
	for (size_t i = 0; i < FL_ARRAY_SIZE(values); i++)
		memcpy(lapic.regs + values[i][0], &values[i][1], sizeof(uint32_t));
	assert_int_equal(ioctl(fd, KVM_SET_LAPIC, &lapic), 0);
}

/* Interrupts go on being taken while it hangs; a look that meets one that is being delivered leaves it alone. */
static void test_with_interrupts(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		struct mini_vm *vm = watch_vm(1);
		struct mini_start start = {
			.program = mini_read, .cpl = 3, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
		struct fl_watchdog *watchdog = guard(vm);
		uint64_t began = now_ns(), interrupts;

		mini_truncate(vm, BAD_PAGE);
		set_timer(vm, 0, 2000000);
		mini_start(vm, 0, &start);
		assert_true(mini_wait(vm, 0));
		interrupts = mini_read64(vm, 0, MINI_INTERRUPTS);
		fl_watchdog_free(watchdog);
		fl_vcpu_stop(vm->vcpus[0]);
		assert_int_equal(vm->faults, 1);
		assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
		check(vm, 0, 0, mini_code(mini_read), FL_ACCESS_READ, BAD_OFFSET, FL_CAUSE_TRUNCATED);
		printf("# found after %.1f ms and %llu interrupts\n", (double)(vm->seen[0].fault.time_ns - began) / 1e6,
		       (unsigned long long)interrupts);
		assert_true(interrupts > 0);
		mini_free(vm);
	}
}

/* It goes on afterwards, and can hang again; the file comes back while the handler waits. */
static void put_back(struct mini_vm *vm, unsigned int index)
{
	(void)index;
	mini_refill(vm);
}

static bool is_whole(struct mini_vm *vm)
{
	struct stat st;

	assert_int_equal(fstat(vm->file, &st), 0);
	return st.st_size == MINI_FILE_LEN;
}

static void test_again_and_again(void **state)
{
	struct mini_vm *vm = watch_vm(1);
	struct mini_start start = {
		.program = mini_read_loop, .cpl = 3, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
	struct fl_watchdog *watchdog = guard(vm);
	uint64_t worst = 0;

	(void)state;
	vm->on_exception = put_back;
	mini_start(vm, 0, &start);
	for (unsigned int i = 0; i < 5; i++) {
		uint64_t began = now_ns();

		mini_truncate(vm, BAD_PAGE);
		/* the handler puts it back, which takes a while */
		while (!is_whole(vm) && now_ns() - began < LIMIT_MS * UINT64_C(1000000))
			usleep(1000);
		assert_true(is_whole(vm));
		assert_int_equal(mini_read64(vm, 0, MINI_COUNT), i + 1);
		worst = FL_MAX(worst, now_ns() - began);
	}
	mini_write64(vm, 0, MINI_STOP, 1);
	assert_true(mini_wait(vm, 0));
	fl_watchdog_free(watchdog);
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
	assert_int_equal(vm->faults, 5);
	printf("# five times, the slowest %.1f ms\n", (double)worst / 1e6);
	mini_free(vm);
}

/* Stop the VM in the middle of a hang, in either order. */
static void test_stop_while_hanging(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		struct mini_vm *vm = watch_vm(1);
		struct mini_start start = {.program = mini_read, .cpl = 3, .rbx = mini_gva(BAD_OFFSET)};
		struct fl_watchdog *watchdog;
		struct fl_diag diag;

		assert_int_equal(fl_watchdog_new(vm->vcpus, 1, 1, &vm->log, &watchdog, &diag), 0);
		assert_int_equal(fl_watchdog_start(watchdog, &diag), 0);
		assert_int_equal(fl_watchdog_start(watchdog, &diag), -EBUSY);
		mini_truncate(vm, BAD_PAGE);
		mini_start(vm, 0, &start);
		usleep(i * 500);
		if (i % 2)
			fl_vcpu_stop(vm->vcpus[0]);
		fl_watchdog_stop(watchdog);
		fl_watchdog_stop(watchdog);
		fl_watchdog_free(watchdog);
		mini_free(vm);
	}
}

static void test_misuse(void **state)
{
	struct mini_vm *vm = watch_vm(1);
	struct fl_watchdog *watchdog;
	struct fl_diag diag;

	(void)state;
	assert_int_equal(fl_watchdog_new(vm->vcpus, 1, 10001, &vm->log, &watchdog, &diag), -EINVAL);
	fl_watchdog_free(NULL);
	mini_free(vm);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_no_space), /* first: may want a name space, which only one thread can make */
	cmocka_unit_test(test_control),
	cmocka_unit_test(test_each_access),
	cmocka_unit_test(test_each_access_at_cpl0),
	cmocka_unit_test(test_two_vcpus),
	cmocka_unit_test(test_with_interrupts),
	cmocka_unit_test(test_again_and_again),
	cmocka_unit_test(test_stop_while_hanging),
	cmocka_unit_test(test_misuse),
};

FL_TEST_MAIN(110, tests)
