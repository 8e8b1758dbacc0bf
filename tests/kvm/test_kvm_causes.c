/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every cause, live: a host file system fails under a running guest. What the guest and the report say of it is what
 * mmap(2), madvise(2) and the file system's own documentation promise for that failure. Then the host heals, and
 * the same access must go through without one more fault.
 *
 * The program is linked with --wrap=madvise, so that something can happen between the failure and the probe.
 */
#include "tests/kvm/bad_host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/kvm/mini_vm.h"

#define DISK_LEN     (UINT64_C(16) << 20)
#define BAD_PAGE     UINT64_C(0x5000)
#define BAD_OFFSET   UINT64_C(0x5123)
#define STORED	     UINT64_C(0x1122334455667788)
#define WITH_RECORDS (PVPF_CTL_ENABLE | PVPF_CTL_CPL0)

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

/* ---- something that happens when the host first looks at the page ------------------------ */

/* The wrapped function has no argument to hang this on. */
static struct {
	void (*fn)(void *arg);
	void *arg;
} before_probe;

int __real_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice);

int __wrap_madvise(void *addr, size_t len, int advice)
{
	void (*fn)(void *arg) = before_probe.fn;

	if (fn && (advice == 22 || advice == 23)) { /* MADV_POPULATE_READ, _WRITE */
		before_probe.fn = NULL;
		fn(before_probe.arg);
	}
	return __real_madvise(addr, len, advice);
}

/* ---- one access to a file that fails ------------------------------------------------------ */

struct access {
	enum fl_access access;
	enum fl_cause cause;
	uint64_t offset; /* of the file, and of the window */
	uint64_t file_len;
	bool read_only; /* mapped so */
	bool hole;	/* the file has zeroes there, not the pattern */
	void (*heal)(void *arg);
	void *arg;
	unsigned int cpl;
};

static void heal_now(struct mini_vm *vm, unsigned int index)
{
	const struct access *a = vm->arg;

	(void)index;
	a->heal(a->arg);
}

/* The window's first range maps fd. */
static void map_fd(struct mini_vm *vm, int fd, bool writable)
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
	return access == FL_ACCESS_WRITE ? mini_write : mini_read;
}

static void start(struct mini_vm *vm, const struct access *a)
{
	struct mini_start how = {.program = program_of(a->access),
				 .cpl = a->cpl,
				 .rbx = mini_gva(a->offset),
				 .rax = STORED,
				 .pvpf_ctl = WITH_RECORDS};

	vm->arg = (void *)(uintptr_t)a;
	mini_start(vm, 0, &how);
}

static void check_done(struct mini_vm *vm, int fd, const struct access *a)
{
	uint64_t in_file;

	assert_int_equal(pread(fd, &in_file, 8, (off_t)a->offset), 8);
	if (a->access == FL_ACCESS_WRITE)
		assert_int_equal(in_file, STORED);
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
	assert_int_equal(fault->rip, mini_code(program_of(a->access)));
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
	assert_int_equal(log->rip, mini_code(program_of(a->access)));
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

/* The access fails with the cause, the host heals while the guest's handler waits, and it goes through. */
static void fails_then_heals(int fd, const struct access *a)
{
	struct mini_vm *vm = mini_new(1, reflect);

	map_fd(vm, fd, !a->read_only);
	vm->on_exception = heal_now;
	start(vm, a);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(told(vm), 1);
	assert_int_equal(vm->seen[0].fault.outcome, FL_OUTCOME_RECORD);
	check_report(&vm->seen[0].fault, a);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
	check_exception(vm, a);
	check_done(vm, fd, a);
	mini_free(vm);
}

/* The host heals after the access has failed and before it is looked at: the guest sees nothing at all. */
static void heals_before_the_probe(int fd, const struct access *a)
{
	struct mini_vm *vm = mini_new(1, reflect);

	map_fd(vm, fd, !a->read_only);
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

static void goes_through(int fd, const struct access *a)
{
	struct mini_vm *vm = mini_new(1, reflect);

	map_fd(vm, fd, !a->read_only);
	start(vm, a);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(told(vm), 0);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 0);
	check_done(vm, fd, a);
	mini_free(vm);
}

static const unsigned int levels[] = {3, 0};

/* ---- 1: truncated ------------------------------------------------------------------------- */

struct file {
	int dir, fd;
};

static void extend(void *arg)
{
	const struct file *file = arg;

	assert_int_equal(ftruncate(file->fd, BAD_FILE_LEN), 0);
	for (uint64_t at = BAD_PAGE; at < BAD_FILE_LEN; at++) {
		uint8_t byte = mini_pattern(at);

		assert_int_equal(pwrite(file->fd, &byte, 1, (off_t)at), 1);
	}
}

static void truncated_on(int dir)
{
	struct file file = {.dir = dir, .fd = bad_host_file(dir, "file", 0, 0)};

	for (size_t i = 0; i < FL_ARRAY_SIZE(levels); i++) {
		struct access a = {.cause = FL_CAUSE_TRUNCATED,
				   .offset = BAD_OFFSET,
				   .file_len = BAD_PAGE - 100 - 0xf00,
				   .heal = extend,
				   .arg = &file,
				   .cpl = levels[i]};

		a.file_len = BAD_PAGE;
		a.access = FL_ACCESS_READ;
		assert_int_equal(ftruncate(file.fd, (off_t)a.file_len), 0);
		fails_then_heals(file.fd, &a);
		assert_int_equal(ftruncate(file.fd, (off_t)a.file_len), 0);
		heals_before_the_probe(file.fd, &a);
		a.access = FL_ACCESS_WRITE;
		assert_int_equal(ftruncate(file.fd, (off_t)a.file_len), 0);
		fails_then_heals(file.fd, &a);
		assert_int_equal(ftruncate(file.fd, (off_t)a.file_len), 0);
		heals_before_the_probe(file.fd, &a);
	}
	close(file.fd);
}

static void test_truncated_on_tmpfs(void **state)
{
	int dir = bad_host_tmpfs(64 * BAD_FILE_LEN);

	(void)state;
	truncated_on(dir);
	close(dir);
}

static void test_truncated_on_ext4(void **state)
{
	struct bad_disk *disk = bad_disk_new(DISK_LEN, false);

	(void)state;
	truncated_on(disk->dir);
	bad_disk_free(disk);
}

/* ---- 2: no space -------------------------------------------------------------------------- */

static void free_space(void *arg)
{
	const struct file *file = arg;

	bad_host_free_space(file->dir);
}

static void no_space_on(int dir, enum fl_access access, bool read_only)
{
	for (size_t i = 0; i < FL_ARRAY_SIZE(levels); i++) {
		struct file file = {.dir = dir};
		struct access a = {.access = access,
				   .cause = FL_CAUSE_NO_SPACE,
				   .offset = BAD_OFFSET,
				   .file_len = BAD_FILE_LEN,
				   .hole = true,
				   .read_only = read_only,
				   .heal = free_space,
				   .arg = &file,
				   .cpl = levels[i]};

		for (unsigned int early = 0; early < 2; early++) {
			file.fd = bad_host_file(dir, "holes", BAD_PAGE, 0x2000);
			bad_host_fill(dir);
			(early ? heals_before_the_probe : fails_then_heals)(file.fd, &a);
			close(file.fd);
			assert_int_equal(unlinkat(dir, "holes", 0), 0);
		}
	}
}

static void test_no_space_on_tmpfs(void **state)
{
	int dir = bad_host_tmpfs(2 * BAD_FILE_LEN);

	(void)state;
	no_space_on(dir, FL_ACCESS_WRITE, false);
	/* tmpfs wants a page for a load from a hole as well */
	no_space_on(dir, FL_ACCESS_READ, false);
	no_space_on(dir, FL_ACCESS_READ, true);
	close(dir);
}

static void test_no_space_on_ext4(void **state)
{
	struct bad_disk *disk = bad_disk_new(DISK_LEN, false);
	struct access load = {.access = FL_ACCESS_READ, .offset = BAD_OFFSET, .hole = true, .cpl = 3};
	int fd;

	(void)state;
	no_space_on(disk->dir, FL_ACCESS_WRITE, false);
	/* a load from a hole needs no block */
	fd = bad_host_file(disk->dir, "holes", BAD_PAGE, 0x2000);
	bad_host_fill(disk->dir);
	goes_through(fd, &load);
	close(fd);
	bad_disk_free(disk);
}

/* ---- 3: I/O error ------------------------------------------------------------------------- */

static void heal_disk(void *arg)
{
	bad_disk_heal(arg);
}

static void test_io_error_on_ext4(void **state)
{
	struct bad_disk *disk = bad_disk_new(DISK_LEN, true);
	int fd = bad_host_file(disk->dir, "file", 0, 0);

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		struct access a = {.access = i & 1 ? FL_ACCESS_WRITE : FL_ACCESS_READ,
				   .cause = FL_CAUSE_IO_ERROR,
				   .offset = BAD_OFFSET,
				   .file_len = BAD_FILE_LEN,
				   .heal = heal_disk,
				   .arg = disk,
				   .cpl = i & 2 ? 0 : 3};

		assert_int_equal(ftruncate(fd, 0), 0);
		close(fd);
		fd = bad_host_file(disk->dir, "file", 0, 0);
		bad_disk_break(disk, fd, BAD_PAGE, FL_PAGE_LEN);
		(i & 4 ? heals_before_the_probe : fails_then_heals)(fd, &a);
	}
	close(fd);
	bad_disk_free(disk);
}

static void heal_fuse(void *arg)
{
	bad_fuse_break(arg, 0, 0, 0);
}

static void io_error_on_fuse(int error)
{
	for (size_t i = 0; i < 8; i++) {
		struct bad_fuse *fuse = bad_fuse_new();
		struct access a = {.access = i & 1 ? FL_ACCESS_WRITE : FL_ACCESS_READ,
				   .cause = FL_CAUSE_IO_ERROR,
				   .offset = BAD_OFFSET,
				   .file_len = BAD_FILE_LEN,
				   .heal = heal_fuse,
				   .arg = fuse,
				   .cpl = i & 2 ? 0 : 3};
		int fd = bad_fuse_open(fuse);

		bad_fuse_break(fuse, BAD_PAGE, FL_PAGE_LEN, error);
		(i & 4 ? heals_before_the_probe : fails_then_heals)(fd, &a);
		close(fd);
		bad_fuse_free(fuse);
	}
}

static void test_io_error_on_fuse(void **state)
{
	(void)state;
	io_error_on_fuse(EIO);
	io_error_on_fuse(ESTALE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_truncated_on_tmpfs), cmocka_unit_test(test_truncated_on_ext4),
	cmocka_unit_test(test_no_space_on_tmpfs),  cmocka_unit_test(test_no_space_on_ext4),
	cmocka_unit_test(test_io_error_on_ext4),   cmocka_unit_test(test_io_error_on_fuse),
};

FL_TEST_MAIN(110, tests)
