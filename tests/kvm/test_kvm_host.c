/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host's KVM does with a page that it cannot have: which shape it shows a VMM, and whether it shows one at
 * all. Stock kernels are expected to livelock in the ordinary machine (that is why Faultline has a strict one), those
 * with host-kernel-patches/ are not; on a kernel that nobody named, the test says what it saw.
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/kvm/raw_vm.h"
#include "vcpu/kvm_extra.h"

#define BAD_OFFSET    UINT64_C(0x5123)
#define BAD_PAGE      UINT64_C(0x5000)
#define COMES_MS      10000 /* software emulation on a busy machine */
#define NEVER_MS      300   /* a lookup takes microseconds, so a livelock has gone round often by then */
#define POISON_OFFSET UINT64_C(0x8000)

enum host {
	HOST_UNNAMED,
	HOST_STOCK,
	HOST_PATCHED,
};

static enum host this_host(void)
{
	const char *name = getenv("FAULTLINE_BOX_HOST_KERNEL");

	if (!name)
		return HOST_UNNAMED;
	return strstr(name, "-patched") ? HOST_PATCHED : HOST_STOCK;
}

static const char *shape_of(const struct raw_exit *exit)
{
	if (exit->error == EFAULT || exit->error == EHWPOISON)
		return exit->annotated ? "annotated" : "efault";
	if (exit->error == 0 && exit->reason == KVM_EXIT_MMIO)
		return "mmio";
	if (exit->error == EINTR)
		return exit->kicked ? "none (livelock)" : "mceerr";
	return "?";
}

static struct raw_exit run_to_access(struct raw_vm *vm, uint64_t offset, unsigned int limit_ms)
{
	struct raw_exit exit;

	raw_start(vm, offset);
	exit = raw_run(vm, COMES_MS);
	assert_int_equal(exit.error, 0);
	assert_int_equal(exit.port, RAW_PORT_ABOUT_TO_READ);
	return raw_run(vm, limit_ms);
}

/* Not a thing of the guest changed: once the file is whole, the same instruction succeeds. */
static void check_repair(struct raw_vm *vm)
{
	static const uint8_t byte = 0x99;
	struct raw_exit exit;

	assert_int_equal(ftruncate(vm->file, RAW_WINDOW_LEN), 0);
	assert_int_equal(pwrite(vm->file, &byte, 1, BAD_OFFSET), 1);
	exit = raw_run(vm, COMES_MS);
	assert_int_equal(exit.error, 0);
	assert_int_equal(exit.port, RAW_PORT_HAVE_READ);
	assert_int_equal(exit.byte, byte);
}

static void check_fault(struct raw_vm *vm, const struct raw_exit *exit)
{
	assert_int_equal(exit->error, EFAULT);
	assert_int_equal(raw_rip(vm), raw_code(raw_guest_insn));
	if (this_host() == HOST_PATCHED)
		assert_true(exit->annotated);
	if (this_host() == HOST_STOCK)
		assert_int_equal(exit->reason, KVM_EXIT_UNKNOWN);
	if (!exit->annotated)
		return;
	assert_int_equal(exit->gpa, RAW_WINDOW_GPA + BAD_PAGE);
	assert_int_equal(exit->len, 0x1000);
}

static void say(const char *machine, const struct raw_exit *exit)
{
	printf("# shape: %s machine: %s\n", machine, shape_of(exit));
}

static void test_whole_file(void **state)
{
	(void)state;
	for (enum raw_mode mode = RAW_STRICT; mode <= RAW_NOTIFY_GUEST; mode++) {
		struct raw_vm *vm = raw_new(mode);
		struct raw_exit exit = run_to_access(vm, BAD_OFFSET, COMES_MS);

		assert_int_equal(exit.error, 0);
		assert_int_equal(exit.port, RAW_PORT_HAVE_READ);
		assert_int_equal(exit.byte, 0x2a);
		raw_free(vm);
	}
}

static void test_strict_machine(void **state)
{
	struct raw_vm *vm = raw_new(RAW_STRICT);
	struct raw_exit exit;

	(void)state;
	assert_int_equal(ftruncate(vm->file, BAD_PAGE), 0);
	exit = run_to_access(vm, BAD_OFFSET, COMES_MS);
	say("strict", &exit);
	check_fault(vm, &exit);
	check_repair(vm);
	raw_free(vm);
}

/* A kernel that nobody named may do either; it gets as long as one that must come out. */
static void check_ordinary_machine(enum raw_mode mode, const char *machine)
{
	struct raw_vm *vm = raw_new(mode);
	struct raw_exit exit;

	assert_int_equal(ftruncate(vm->file, BAD_PAGE), 0);
	exit = run_to_access(vm, BAD_OFFSET, this_host() == HOST_PATCHED ? COMES_MS : NEVER_MS);
	say(machine, &exit);
	printf("# %s machine: %.3f s of CPU time in that KVM_RUN\n", machine, exit.cpu_s);
	if (this_host() == HOST_PATCHED || (this_host() == HOST_UNNAMED && exit.error != EINTR))
		check_fault(vm, &exit);
	else
		assert_true(exit.kicked);
	check_repair(vm);
	raw_free(vm);
}

static void test_ordinary_machine(void **state)
{
	(void)state;
	check_ordinary_machine(RAW_HALTING, "ordinary");
}

static void test_notified_guest(void **state)
{
	(void)state;
	check_ordinary_machine(RAW_NOTIFY_GUEST, "async-PF-aware");
}

/* One failure after the other, of different pages and of the same one again: each must come out. */
static void test_many_failures(void **state)
{
	struct raw_vm *vm = raw_new(this_host() == HOST_PATCHED ? RAW_HALTING : RAW_STRICT);

	(void)state;
	assert_int_equal(ftruncate(vm->file, 0), 0);
	for (unsigned int i = 0; i < 200; i++) {
		uint64_t page = (uint64_t)(i % 100) * 0x1000;
		struct raw_exit exit = run_to_access(vm, page, COMES_MS);

		assert_int_equal(exit.error, EFAULT);
		if (this_host() == HOST_PATCHED)
			assert_int_equal(exit.gpa, RAW_WINDOW_GPA + page);
	}
	raw_free(vm);
}

static void on_sigbus(int signal)
{
	(void)signal;
}

/* madvise() sends SIGBUS too, and kills where nobody handles it; from then on the signal is blocked, and in KVM_RUN
   open or blocked. */
static void poison(struct raw_vm *vm, bool open_in_run)
{
	struct sigaction action = {.sa_handler = on_sigbus};
	sigset_t set;

	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (madvise(vm->window + POISON_OFFSET, 0x1000, MADV_HWPOISON))
		fail_msg("MADV_HWPOISON: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (open_in_run)
		sigemptyset(&set);
	raw_block_in_run(vm, &set);
}

/* Only in the box, whose memory is thrown away with it, and if its kernel can: Debian's 6.1 for clouds cannot. */
static bool can_poison(void)
{
	return getenv("FAULTLINE_IN_BOX") && access("/proc/sys/vm/memory_failure_early_kill", F_OK) == 0;
}

static bool take_sigbus(siginfo_t *info)
{
	struct timespec now = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	return sigtimedwait(&set, info, &now) == SIGBUS;
}

/* What VMMs live on today stays as it is. */
static void test_poison_with_signal(void **state)
{
	struct raw_vm *vm;
	struct raw_exit exit;
	siginfo_t info;

	(void)state;
	if (!can_poison())
		skip();
	vm = raw_new(RAW_STRICT);
	poison(vm, true);
	exit = run_to_access(vm, POISON_OFFSET, COMES_MS);
	printf("# shape: poisoned page: %s\n", shape_of(&exit));
	assert_int_equal(exit.error, EINTR);
	assert_false(exit.kicked);
	assert_true(take_sigbus(&info));
	assert_int_equal(info.si_code, BUS_MCEERR_AR);
	assert_ptr_equal(info.si_addr, vm->window + POISON_OFFSET);
	raw_free(vm);
}

static void test_poison_without_signal(void **state)
{
	bool patched = this_host() == HOST_PATCHED;
	struct raw_vm *vm;
	struct raw_exit exit;
	siginfo_t info;

	(void)state;
	if (!can_poison())
		skip();
	vm = raw_new(RAW_STRICT);
	poison(vm, false);
	exit = run_to_access(vm, POISON_OFFSET, patched ? COMES_MS : NEVER_MS);
	printf("# shape: poisoned page, SIGBUS blocked: %s\n", shape_of(&exit));
	assert_int_equal(exit.error, patched ? EHWPOISON : EINTR);
	assert_int_equal(exit.kicked, !patched);
	assert_int_equal(exit.annotated, patched);
	assert_int_equal(exit.gpa, patched ? RAW_WINDOW_GPA + POISON_OFFSET : 0);
	assert_true(take_sigbus(&info));
	raw_free(vm);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_whole_file),
	cmocka_unit_test(test_strict_machine),
	cmocka_unit_test(test_ordinary_machine),
	cmocka_unit_test(test_notified_guest),
	cmocka_unit_test(test_many_failures),
	cmocka_unit_test(test_poison_with_signal),
	cmocka_unit_test(test_poison_without_signal),
};

FL_TEST_MAIN(90, tests)
