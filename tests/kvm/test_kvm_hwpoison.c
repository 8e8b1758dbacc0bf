/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of the host that has gone bad (MADV_HWPOISON) under a window and under RAM. KVM tells by BUS_MCEERR_AR to the
 * vCPU's thread, which no handler of the process may see.
 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/kvm/mini_vm.h"

#define BAD_OFFSET   UINT64_C(0x5123)
#define BAD_PAGE     UINT64_C(0x5000)
#define WITH_RECORDS (PVPF_CTL_ENABLE | PVPF_CTL_CPL0)
#define EARLY_KILL   "/proc/sys/vm/memory_failure_early_kill"

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

/* What an embedder might have; it must never run. */
static void on_sigbus(int signo)
{
	static const char text[] = "Bail out! a SIGBUS handler was called\n";

	(void)signo;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(98);
	_exit(99);
}

static void need_box(void)
{
	if (!getenv("FAULTLINE_IN_BOX")) {
		printf("# skipped: poisons memory of the host for good, so it runs in the box only\n");
		skip();
	}
	signal(SIGBUS, on_sigbus);
}

/*
 * Poisons a page of the file from another process: whoever poisons is signalled by force, whoever else maps the page
 * only when it touches it (memory_failure(), kill_procs()).
 */
static void poison(int fd, uint64_t offset)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		const struct rlimit no_core = {0};
		sigset_t none;
		char *page;

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGBUS, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		page = mmap(NULL, FL_PAGE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
		if (page == MAP_FAILED || madvise(page, FL_PAGE_LEN, MADV_POPULATE_WRITE) < 0)
			_exit(3);
		_exit(madvise(page, FL_PAGE_LEN, MADV_HWPOISON) < 0 && errno == EINVAL ? 2 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
		printf("# skipped: this kernel has no CONFIG_MEMORY_FAILURE\n");
		skip();
	}
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) == 0);
}

static void leave_alone(struct mini_vm *vm, unsigned int index)
{
	mini_write64(vm, index, MINI_RESUME, mini_code(mini_done));
}

static void check_seen(const struct mini_seen *seen, enum fl_access access, uint64_t gpa, uint64_t gva)
{
	assert_int_equal(seen->fault.cause, FL_CAUSE_MEMORY_FAILURE);
	assert_int_equal(seen->fault.access, access);
	assert_int_equal(seen->fault.gpa, gpa);
	assert_int_equal(seen->fault.gva, gva);
}

struct how {
	bool watch_mode;
	unsigned int cpl;
};
static const struct how all_ways[] = {{false, 3}, {true, 3}, {false, 0}, {true, 0}};

static void window_at(struct how how, const uint8_t *program, enum fl_access access)
{
	struct mini_vm *vm = mini_new_mode(1, reflect, how.watch_mode);
	struct mini_start start = {
		.program = program, .cpl = how.cpl, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};

	vm->on_exception = leave_alone;
	poison(vm->file, BAD_PAGE);
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	printf("# %s, CPL %u: \"%s\"\n", how.watch_mode ? "watch" : "strict", how.cpl, vm->seen[0].shape);
	assert_int_equal(vm->faults, 1);
	check_seen(&vm->seen[0], access, MINI_WINDOW_GPA + BAD_OFFSET, mini_gva(BAD_OFFSET));
	assert_int_equal(vm->seen[0].fault.outcome, FL_OUTCOME_RECORD);
	assert_int_equal(vm->seen[0].fault.file_offset, BAD_OFFSET);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
	assert_int_equal(mini_entry(vm, 0, 0)->rip, mini_code(program));
	assert_int_equal(mini_entry(vm, 0, 0)->record.cause, 4);
	assert_int_equal(mini_entry(vm, 0, 0)->record.gpa, MINI_WINDOW_GPA + BAD_OFFSET);
	mini_free(vm);
}

static void test_window(void **state)
{
	(void)state;
	need_box();
	for (size_t i = 0; i < FL_ARRAY_SIZE(all_ways); i++) {
		window_at(all_ways[i], mini_read, FL_ACCESS_READ);
		window_at(all_ways[i], mini_write, FL_ACCESS_WRITE);
	}
}

/* The guest uses the page when it goes bad. */
static void test_window_in_use(void **state)
{
	(void)state;
	need_box();
	for (size_t i = 0; i < FL_ARRAY_SIZE(all_ways); i++) {
		struct mini_vm *vm = mini_new_mode(1, reflect, all_ways[i].watch_mode);
		struct mini_start start = {.program = mini_read_loop,
					   .cpl = all_ways[i].cpl,
					   .rbx = mini_gva(BAD_OFFSET),
					   .pvpf_ctl = WITH_RECORDS};

		vm->on_exception = leave_alone;
		mini_start(vm, 0, &start);
		usleep(50000);
		assert_int_equal(vm->faults, 0);
		poison(vm->file, BAD_PAGE);
		assert_true(mini_wait(vm, 0));
		assert_int_equal(vm->faults, 1);
		check_seen(&vm->seen[0], FL_ACCESS_READ, MINI_WINDOW_GPA + BAD_OFFSET, mini_gva(BAD_OFFSET));
		mini_free(vm);
	}
}

/* RAM: the guest may not have it, so the vCPU stops with the address. */
static void test_ram(void **state)
{
	(void)state;
	need_box();
	for (size_t i = 0; i < FL_ARRAY_SIZE(all_ways); i++) {
		struct mini_vm *vm = mini_new_mode(1, reflect, all_ways[i].watch_mode);
		struct mini_start start = {.program = mini_read,
					   .cpl = all_ways[i].cpl,
					   .rbx = MINI_SCRATCH + 0x123,
					   .pvpf_ctl = WITH_RECORDS};

		poison(vm->ram.fd, MINI_SCRATCH);
		mini_start(vm, 0, &start);
		assert_false(mini_wait(vm, 0));
		assert_int_equal(vm->end[0], FL_VCPU_END_FAULT);
		assert_int_equal(vm->faults, 1);
		printf("# RAM, %s, CPL %u: \"%s\"\n", all_ways[i].watch_mode ? "watch" : "strict", all_ways[i].cpl,
		       vm->seen[0].shape);
		check_seen(&vm->seen[0], FL_ACCESS_READ, MINI_SCRATCH + 0x123, MINI_SCRATCH + 0x123);
		assert_int_equal(vm->seen[0].fault.outcome, FL_OUTCOME_STOPPED);
		mini_free(vm);
	}
}

/* The disposition of SIGBUS is the embedder's business, even if it is this. */
static void test_ignored_sigbus(void **state)
{
	(void)state;
	need_box();
	signal(SIGBUS, SIG_IGN);
	for (size_t i = 0; i < 2; i++)
		window_at(all_ways[i], mini_read, FL_ACCESS_READ);
	signal(SIGBUS, on_sigbus);
}

static bool set_early_kill(bool on)
{
	int fd = open(EARLY_KILL, O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, on ? "1" : "0", 1) == 1;
	close(fd);
	return done;
}

static void set_late_kill(void)
{
	assert_int_equal(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0), 0);
}

static void clear_late_kill(void)
{
	assert_int_equal(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0), 0);
}

/* A process that maps the page and waits. Exit status 0: it was left alone. */
static pid_t bystander(int fd, bool late, int *ready)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *page = mmap(NULL, FL_PAGE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)BAD_PAGE);

		signal(SIGBUS, SIG_DFL);
		if (late)
			prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0);
		if (page == MAP_FAILED || madvise(page, FL_PAGE_LEN, MADV_POPULATE_READ) < 0 ||
		    write(ends[1], "r", 1) != 1)
			_exit(3);
		sleep(1);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	*ready = ends[0];
	return pid;
}

/* What faultline.h tells embedders: BUS_MCEERR_AO kills whoever has not said how it wants it. */
static void test_early_kill_and_the_process(void **state)
{
	(void)state;
	need_box();
	if (!set_early_kill(true)) {
		printf("# skipped: no %s, or not root\n", EARLY_KILL);
		skip();
	}
	for (unsigned int late = 0; late < 2; late++) {
		int file = memfd_create("bystander", MFD_CLOEXEC), ready, status;
		pid_t pid;

		assert_true(file >= 0);
		assert_int_equal(ftruncate(file, MINI_FILE_LEN), 0);
		pid = bystander(file, late, &ready);
		poison(file, BAD_PAGE);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (late)
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		else
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
		close(ready);
		close(file);
	}
	assert_true(set_early_kill(false));
}

/* The kernel picks the first thread that did not ask to be left alone: here the vCPU's, which does not mind. */
static void test_early_kill_of_a_vcpu(void **state)
{
	struct mini_start start = {.program = mini_read_loop, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};

	(void)state;
	need_box();
	for (size_t i = 0; i < FL_ARRAY_SIZE(all_ways); i++) {
		struct mini_vm *vm = mini_new_mode(1, reflect, all_ways[i].watch_mode);

		vm->on_exception = leave_alone;
		start.cpl = all_ways[i].cpl;
		mini_start(vm, 0, &start);
		usleep(50000);
		set_late_kill();
		if (!set_early_kill(true)) {
			clear_late_kill();
			printf("# skipped: no %s, or not root\n", EARLY_KILL);
			mini_free(vm);
			skip();
		}
		poison(vm->file, BAD_PAGE);
		assert_true(mini_wait(vm, 0));
		assert_true(set_early_kill(false));
		clear_late_kill();
		assert_int_equal(vm->faults, 1);
		check_seen(&vm->seen[0], FL_ACCESS_READ, MINI_WINDOW_GPA + BAD_OFFSET, mini_gva(BAD_OFFSET));
		mini_free(vm);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_window),
	cmocka_unit_test(test_window_in_use),
	cmocka_unit_test(test_ram),
	cmocka_unit_test(test_ignored_sigbus),
	cmocka_unit_test(test_early_kill_and_the_process),
	cmocka_unit_test(test_early_kill_of_a_vcpu),
};

FL_TEST_MAIN(110, tests)
