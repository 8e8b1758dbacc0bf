/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every cause, live: a host file system fails under a running guest. What the guest and the report say of it is what
 * mmap(2), madvise(2) and the file system's own documentation promise for that failure. Then the host heals, and
 * the same access must go through without one more fault.
 */
#include "tests/kvm/bad_access.h"

#include <fcntl.h>

#define DISK_LEN (UINT64_C(16) << 20)

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
				   .file_len = BAD_PAGE,
				   .heal = extend,
				   .arg = &file,
				   .cpl = levels[i]};

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

/* "Go to mini_done" at the offset, once the file is back. */
static void extend_with_code(void *arg)
{
	const struct file *file = arg;
	/* mov $imm32,%ecx; jmp *%rcx */
	uint8_t code[7] = {0xb9, 0, 0, 0, 0, 0xff, 0xe1};
	uint32_t target = (uint32_t)mini_code(mini_done);

	memcpy(code + 1, &target, sizeof(target));
	assert_int_equal(ftruncate(file->fd, BAD_FILE_LEN), 0);
	assert_int_equal(pwrite(file->fd, code, sizeof(code), BAD_OFFSET), sizeof(code));
}

static void test_truncated_code(void **state)
{
	struct file file = {.dir = bad_host_tmpfs(64 * BAD_FILE_LEN)};

	(void)state;
	file.fd = bad_host_file(file.dir, "file", 0, 0);
	for (unsigned int i = 0; i < 4; i++) {
		struct access a = {.access = FL_ACCESS_FETCH,
				   .cause = FL_CAUSE_TRUNCATED,
				   .offset = BAD_OFFSET,
				   .file_len = BAD_PAGE,
				   .heal = extend_with_code,
				   .arg = &file,
				   .cpl = i & 1 ? 0 : 3};

		assert_int_equal(ftruncate(file.fd, (off_t)a.file_len), 0);
		(i & 2 ? heals_before_the_probe : fails_then_heals)(file.fd, &a);
	}
	close(file.fd);
	close(file.dir);
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
	struct bad_disk *disk = bad_disk_new(DISK_LEN, false, NULL);

	(void)state;
	truncated_on(disk->dir);
	bad_disk_free(disk);
}

/* Whatever KVM says of it, the verdict is what looking shows. */
static void test_every_shape_is_looked_into(void **state)
{
	int dir = bad_host_tmpfs(64 * BAD_FILE_LEN);

	(void)state;
	for (unsigned int shape = SHAPE_AS_IT_IS + 1; shape < SHAPE_COUNT; shape++) {
		bad_access_shape(shape, MINI_WINDOW_GPA + BAD_OFFSET);
		truncated_on(dir);
		assert_int_equal(unlinkat(dir, "file", 0), 0);
	}
	bad_access_shape(SHAPE_AS_IT_IS, 0);
	close(dir);
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
	struct bad_disk *disk = bad_disk_new(DISK_LEN, false, NULL);
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
	struct bad_disk *disk = bad_disk_new(DISK_LEN, true, NULL);
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

/* ---- KVM insists ----------------------------------------------------------------------------- */

/* KVM fails for ever and there is nothing wrong: a bounded number of tries, two reports, and the end. */
static void insists(const uint8_t *program, enum fl_outcome first, const char *words)
{
	const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {
		.program = program, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};

	bad_access_shape(SHAPE_NEVER_RUNS, 0);
	mini_start(vm, 0, &start);
	assert_false(mini_wait(vm, 0));
	bad_access_shape(SHAPE_AS_IT_IS, 0);
	assert_int_equal(vm->end[0], FL_VCPU_END_FAULT);
	assert_non_null(strstr(vm->diag[0].text, words));
	assert_int_equal(vm->faults, 2);
	assert_int_equal(vm->seen[0].fault.outcome, first);
	assert_int_equal(vm->seen[1].fault.outcome, FL_OUTCOME_STOPPED);
	mini_free(vm);
}

static void test_failing_for_ever_ends(void **state)
{
	(void)state;
	insists(mini_read, FL_OUTCOME_RETRIED, "healthy");
	insists(mini_spin, FL_OUTCOME_RECORD, "cannot be delivered");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_truncated_on_tmpfs),    cmocka_unit_test(test_truncated_code),
	cmocka_unit_test(test_truncated_on_ext4),     cmocka_unit_test(test_no_space_on_tmpfs),
	cmocka_unit_test(test_no_space_on_ext4),      cmocka_unit_test(test_io_error_on_ext4),
	cmocka_unit_test(test_io_error_on_fuse),      cmocka_unit_test(test_every_shape_is_looked_into),
	cmocka_unit_test(test_failing_for_ever_ends),
};

FL_TEST_MAIN(110, tests)
