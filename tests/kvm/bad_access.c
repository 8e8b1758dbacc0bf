/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kvm/bad_access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "vcpu/vcpu_priv.h"

#define STORED	     UINT64_C(0x1122334455667788)
#define WITH_RECORDS (PVPF_CTL_ENABLE | PVPF_CTL_CPL0)

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

/* ---- something that happens when the host first looks at the page ------------------------ */

/* The wrapped function has no argument to hang this on. */
static struct {
	void (*fn)(void *arg);
	void *arg;
} before_probe;

void bad_access_before_probe(void (*fn)(void *arg), void *arg)
{
	before_probe.arg = arg;
	before_probe.fn = fn;
}

static void probe_begins(void)
{
	void (*fn)(void *arg) = before_probe.fn;

	if (fn) {
		before_probe.fn = NULL;
		fn(before_probe.arg);
	}
}

int __real_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice);

int __wrap_madvise(void *addr, size_t len, int advice)
{
	/* the watch's thread gives other advice at any time: none of its business */
	if (advice == 22 || advice == 23) /* MADV_POPULATE_READ, _WRITE */
		probe_begins();
	return __real_madvise(addr, len, advice);
}

ssize_t __real_pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset);

ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset)
{
	/* the probe's look at the file; KVM's counters are read in other pieces */
	if (len == FL_PAGE_LEN)
		probe_begins();
	return __real_pread64(fd, buf, len, offset);
}

/* ---- other shapes of an exit -------------------------------------------------------------- */

#define EXIT_MEMORY_FAULT 39 /* KVM_EXIT_MEMORY_FAULT, newer than Debian 12's headers */

static struct {
	enum exit_shape shape;
	uint64_t gpa;
	struct kvm_run *run;
} exits;

static struct {
	void (*fn)(void *arg);
	void *arg;
} after_failure;

void bad_access_after_failure(void (*fn)(void *arg), void *arg)
{
	after_failure.arg = arg;
	after_failure.fn = fn;
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

void bad_access_shape(enum exit_shape shape, uint64_t gpa)
{
	exits.shape = shape;
	exits.gpa = gpa;
}

static void annotate(struct kvm_run *run)
{
	const uint64_t fault[3] = {0, fl_align_down(exits.gpa, FL_PAGE_LEN), FL_PAGE_LEN}; /* flags, gpa, size */

	run->exit_reason = EXIT_MEMORY_FAULT;
	memcpy(run->padding, fault, sizeof(fault));
}

/* Registers are exchanged, as with any KVM_RUN, and nothing is run. */
static int fail_at_once(int fd)
{
	exits.run->immediate_exit = 1;
	(void)__real_ioctl(fd, KVM_RUN, 0);
	exits.run->immediate_exit = 0;
	exits.run->exit_reason = KVM_EXIT_UNKNOWN;
	errno = EFAULT;
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	unsigned long argument;
	va_list args;
	int result;

	va_start(args, request);
	argument = va_arg(args, unsigned long);
	va_end(args);
	if (request == KVM_RUN && exits.shape == SHAPE_NEVER_RUNS && !exits.run->immediate_exit)
		return fail_at_once(fd);
	result = __real_ioctl(fd, request, argument);
	if (request != KVM_RUN || result >= 0 || errno != EFAULT)
		return result;
	if (after_failure.fn)
		after_failure.fn(after_failure.arg);
	errno = EFAULT;
	if (exits.shape == SHAPE_AS_IT_IS)
		return result;
	if (exits.shape != SHAPE_BARE_EHWPOISON)
		annotate(exits.run);
	errno = exits.shape == SHAPE_ANNOTATED ? EFAULT : EHWPOISON;
	return result;
}

/* ---- one access to a file that fails ------------------------------------------------------ */

static void heal_now(struct mini_vm *vm, unsigned int index)
{
	const struct access *a = vm->arg;

	(void)index;
	a->heal(a->arg);
}

void bad_access_map(struct mini_vm *vm, int fd, bool writable)
{
	struct fl_backing *backing;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	assert_true(own >= 0);
	assert_int_equal(fl_backing_new(own, writable, &backing), 0);
	assert_int_equal(fl_window_map(vm->window, 0, FL_RANGE_LEN, backing, 0, writable), 0);
	fl_backing_unref(backing);
}

static const uint8_t *program_of(enum fl_access access)
{
	return access == FL_ACCESS_WRITE ? mini_write : access == FL_ACCESS_FETCH ? mini_fetch : mini_read;
}

static uint64_t rip_of(const struct access *a)
{
	return a->access == FL_ACCESS_FETCH ? mini_gva(a->offset) : mini_code(program_of(a->access));
}

static void start(struct mini_vm *vm, const struct access *a)
{
	struct mini_start how = {.program = program_of(a->access),
				 .cpl = a->cpl,
				 .rbx = mini_gva(a->offset),
				 .rax = STORED,
				 .pvpf_ctl = WITH_RECORDS};

	vm->arg = (void *)(uintptr_t)a;
	exits.run = vm->vcpus[0]->run;
	mini_start(vm, 0, &how);
}

static void check_done(struct mini_vm *vm, int fd, const struct access *a)
{
	uint64_t in_file;

	assert_int_equal(pread(fd, &in_file, 8, (off_t)a->offset), 8);
	if (a->access == FL_ACCESS_WRITE)
		assert_int_equal(in_file, STORED);
	else if (a->access == FL_ACCESS_FETCH)
		assert_int_equal(mini_read64(vm, 0, MINI_RESULT), STORED); /* %rax as it was at the start */
	else
		assert_int_equal(mini_read64(vm, 0, MINI_RESULT), a->hole ? 0 : mini_pattern64(a->offset));
}

static void check_report(const struct fl_fault *fault, const struct access *a)
{
	assert_int_equal(fault->cause, a->cause);
	assert_int_equal(fault->access, a->access);
	assert_int_equal(fault->cpl, a->cpl);
	assert_int_equal(fault->gpa, MINI_WINDOW_GPA + a->offset);
	assert_int_equal(fault->gva, MINI_WINDOW_GVA + a->offset);
	assert_int_equal(fault->rip, rip_of(a));
	if (a->cause != FL_CAUSE_UNMAPPED) {
		assert_int_equal(fault->flags, FL_FAULT_GPA_VALID | FL_FAULT_GVA_VALID | FL_FAULT_FILE_VALID);
		assert_int_equal(fault->file_offset, a->offset);
		assert_int_equal(fault->file_len, a->file_len);
	}
}

static void check_exception(struct mini_vm *vm, const struct access *a)
{
	const struct mini_log *log = mini_entry(vm, 0, 0);

	assert_int_equal(log->vector, 11);
	assert_int_equal(log->error, 0);
	assert_int_equal(log->rip, rip_of(a));
	assert_int_equal(log->record.cause, a->cause);
	assert_int_equal(log->record.access, a->access);
	assert_int_equal(log->record.gpa, MINI_WINDOW_GPA + a->offset);
	assert_int_equal(log->record.gva, MINI_WINDOW_GVA + a->offset);
	assert_int_equal(log->record.size, FL_PAGE_LEN - a->offset % FL_PAGE_LEN);
}

/* Retries are the host's own business; everything else it tells once. */
static unsigned int told(const struct mini_vm *vm)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < vm->faults; i++)
		count += vm->seen[i].fault.outcome != FL_OUTCOME_RETRIED;
	return count;
}

static void fails_at(int fd, const struct access *a, void (*before)(void *arg),
		     void (*handle)(struct mini_vm *, unsigned int))
{
	struct mini_vm *vm = mini_new(1, reflect);

	bad_access_map(vm, fd, !a->read_only);
	if (a->prepare)
		a->prepare(vm, a->arg);
	before_probe.arg = a->arg;
	before_probe.fn = before;
	vm->on_exception = handle;
	start(vm, a);
	assert_true(mini_wait(vm, 0));
	assert_null(before_probe.fn);
	assert_int_equal(told(vm), 1);
	assert_int_equal(vm->seen[0].fault.outcome, FL_OUTCOME_RECORD);
	check_report(&vm->seen[0].fault, a);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
	check_exception(vm, a);
	if (a->heal)
		check_done(vm, fd, a);
	mini_free(vm);
}

void fails_then_heals(int fd, const struct access *a)
{
	fails_at(fd, a, NULL, heal_now);
}

void fails_otherwise(int fd, const struct access *a, void (*before)(void *arg))
{
	fails_at(fd, a, before, heal_now);
}

static void give_up(struct mini_vm *vm, unsigned int index)
{
	mini_write64(vm, index, MINI_RESUME, mini_code(mini_done));
}

void fails_for_good(int fd, const struct access *a)
{
	fails_at(fd, a, NULL, give_up);
}

void heals_before_the_probe(int fd, const struct access *a)
{
	struct mini_vm *vm = mini_new(1, reflect);

	bad_access_map(vm, fd, !a->read_only);
	if (a->prepare)
		a->prepare(vm, a->arg);
	before_probe.arg = a->arg;
	before_probe.fn = a->heal;
	start(vm, a);
	assert_true(mini_wait(vm, 0));
	assert_null(before_probe.fn);
	assert_int_equal(vm->faults, 1);
	assert_int_equal(vm->seen[0].fault.outcome, FL_OUTCOME_RETRIED);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 0);
	check_done(vm, fd, a);
	mini_free(vm);
}

void goes_through(int fd, const struct access *a)
{
	struct mini_vm *vm = mini_new(1, reflect);

	bad_access_map(vm, fd, !a->read_only);
	if (a->prepare)
		a->prepare(vm, a->arg);
	start(vm, a);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(told(vm), 0);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 0);
	check_done(vm, fd, a);
	mini_free(vm);
}
