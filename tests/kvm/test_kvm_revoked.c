/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes that are not the file's length and not the medium: memory that went bad, a store to what may only be read,
 * space that maps nothing, and what "revoked" can mean on Linux for a mapping that exists. Losing the path, the
 * permission, the mount or the right to map anew does not touch an established mapping (mmap(2), umount(2),
 * memfd_create(2)); a file system that is shut down or whose server is gone does.
 */
#include "tests/kvm/bad_access.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#ifndef MADV_POPULATE_READ /* Linux 5.14 */
#define MADV_POPULATE_READ 22
#endif

#define DISK_LEN	       (UINT64_C(16) << 20)
#define EXT4_SHUTDOWN	       _IOR('X', 125, uint32_t) /* EXT4_IOC_SHUTDOWN, fs/ext4/ext4.h */
#define EXT4_SHUTDOWN_NO_FLUSH 2u
#define UNMAPPED_OFFSET	       UINT64_C(0x300010)

static struct access access_number(unsigned int i, enum fl_cause cause)
{
	return (struct access){
		.access = i & 1 ? FL_ACCESS_WRITE : FL_ACCESS_READ,
		.cause = cause,
		.offset = BAD_OFFSET,
		.file_len = BAD_FILE_LEN,
		.cpl = i & 2 ? 0 : 3,
	};
}

/* ---- memory failure ----------------------------------------------------------------------- */

static void rewrite_page(int fd)
{
	uint8_t page[FL_PAGE_LEN];

	for (uint64_t i = 0; i < FL_PAGE_LEN; i++)
		page[i] = mini_pattern(BAD_PAGE + i);
	assert_int_equal(pwrite(fd, page, sizeof(page), BAD_PAGE), sizeof(page));
}

static void punch(void *arg)
{
	int fd = *(const int *)arg;

	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BAD_PAGE, FL_PAGE_LEN), 0);
	rewrite_page(fd);
}

static void test_memory_failure(void **state)
{
	int dir = bad_host_tmpfs(64 * BAD_FILE_LEN);

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		int fd = bad_host_file(dir, "file", 0, 0);
		struct access a = access_number(i, FL_CAUSE_MEMORY_FAILURE);

		a.heal = punch;
		a.arg = &fd;
		if (!bad_host_poison(fd, BAD_PAGE)) {
			close(fd);
			close(dir);
			SKIP_FOR("this kernel cannot poison memory (CONFIG_MEMORY_FAILURE, root)");
		}
		(i & 4 ? heals_before_the_probe : fails_then_heals)(fd, &a);
		close(fd);
		assert_int_equal(unlinkat(dir, "file", 0), 0);
	}
	close(dir);
}

/* The page is in our page tables when it goes bad: the kernel leaves a mark there, which only a truncation takes away.
 */
static void cut_and_extend(void *arg)
{
	int fd = *(const int *)arg;

	assert_int_equal(ftruncate(fd, BAD_PAGE), 0);
	assert_int_equal(ftruncate(fd, BAD_FILE_LEN), 0);
	rewrite_page(fd);
}

static void fault_in_and_poison(struct mini_vm *vm, void *arg)
{
	assert_int_equal(madvise(fl_window_hva(vm->window) + BAD_PAGE, FL_PAGE_LEN, MADV_POPULATE_READ), 0);
	assert_true(bad_host_poison(*(const int *)arg, BAD_PAGE));
}

static void cut(void *arg)
{
	assert_int_equal(ftruncate(*(const int *)arg, BAD_PAGE), 0);
}

static void test_memory_failure_of_a_page_in_use(void **state)
{
	int dir = bad_host_tmpfs(64 * BAD_FILE_LEN);

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		int fd = bad_host_file(dir, "file", 0, 0);
		struct access a = access_number(i, FL_CAUSE_MEMORY_FAILURE);

		if (!bad_host_poison(fd, BAD_PAGE + 2 * FL_PAGE_LEN)) {
			close(fd);
			close(dir);
			SKIP_FOR("this kernel cannot poison memory (CONFIG_MEMORY_FAILURE, root)");
		}
		a.prepare = fault_in_and_poison;
		a.heal = cut_and_extend;
		a.arg = &fd;
		fails_then_heals(fd, &a);
		/* KVM spoke of bad memory; when it is looked at, there is no page any more that could be bad */
		a.cause = FL_CAUSE_TRUNCATED;
		a.file_len = BAD_PAGE;
		fails_otherwise(fd, &a, cut);
		close(fd);
		assert_int_equal(unlinkat(dir, "file", 0), 0);
	}
	close(dir);
}

/* ---- not permitted, nothing mapped -------------------------------------------------------- */

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static void upgrade(struct mini_vm *vm, unsigned int index)
{
	(void)index;
	bad_access_map(vm, *(const int *)vm->arg, true);
}

static void test_not_permitted(void **state)
{
	int dir = bad_host_tmpfs(64 * BAD_FILE_LEN);
	int fd = bad_host_file(dir, "file", 0, 0);

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct mini_vm *vm = mini_new(1, reflect);
		struct mini_start start = {.program = mini_write,
					   .cpl = i ? 0 : 3,
					   .rbx = mini_gva(BAD_OFFSET),
					   .rax = 0x5566 + i,
					   .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};
		uint64_t stored;

		bad_access_map(vm, fd, false);
		vm->on_exception = upgrade;
		vm->arg = &fd;
		mini_start(vm, 0, &start);
		assert_true(mini_wait(vm, 0));
		assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
		assert_int_equal(mini_entry(vm, 0, 0)->record.cause, FL_CAUSE_NOT_PERMITTED);
		assert_int_equal(mini_entry(vm, 0, 0)->record.access, FL_ACCESS_WRITE);
		assert_int_equal(mini_entry(vm, 0, 0)->record.gva, mini_gva(BAD_OFFSET));
		assert_int_equal(vm->seen[0].fault.cause, FL_CAUSE_NOT_PERMITTED);
		assert_int_equal(vm->seen[0].fault.file_offset, BAD_OFFSET);
		assert_int_equal(vm->seen[0].fault.file_len, BAD_FILE_LEN);
		assert_int_equal(pread(fd, &stored, 8, BAD_OFFSET), 8);
		assert_int_equal(stored, 0x5566 + i);
		mini_free(vm);
	}
	close(fd);
	close(dir);
}

static void map_there(struct mini_vm *vm, unsigned int index)
{
	struct fl_backing *backing;

	(void)index;
	assert_int_equal(fl_backing_new(fcntl(vm->file, F_DUPFD_CLOEXEC, 0), true, &backing), 0);
	assert_int_equal(fl_window_map(vm->window, FL_RANGE_LEN, FL_RANGE_LEN, backing, 0, true), 0);
	fl_backing_unref(backing);
}

static void test_nothing_mapped(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct access a = access_number(i, FL_CAUSE_UNMAPPED);
		struct mini_vm *vm = mini_new(1, reflect);
		struct mini_start start = {.program = i & 1 ? mini_write : mini_read,
					   .cpl = a.cpl,
					   .rbx = mini_gva(UNMAPPED_OFFSET),
					   .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};
		const struct fl_fault *fault = &vm->seen[0].fault;

		vm->on_exception = map_there;
		mini_start(vm, 0, &start);
		assert_true(mini_wait(vm, 0));
		assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
		assert_int_equal(mini_entry(vm, 0, 0)->record.cause, FL_CAUSE_UNMAPPED);
		assert_int_equal(mini_entry(vm, 0, 0)->record.gpa, MINI_WINDOW_GPA + UNMAPPED_OFFSET);
		assert_int_equal(mini_entry(vm, 0, 0)->record.gva, mini_gva(UNMAPPED_OFFSET));
		assert_int_equal(fault->cause, FL_CAUSE_UNMAPPED);
		assert_int_equal(fault->access, a.access);
		assert_int_equal(fault->flags, FL_FAULT_GPA_VALID | FL_FAULT_GVA_VALID);
		assert_string_equal(vm->seen[0].share, "share0");
		if (i & 1)
			assert_int_equal(mini_file64(vm, UNMAPPED_OFFSET - FL_RANGE_LEN), 0);
		else
			assert_int_equal(mini_read64(vm, 0, MINI_RESULT),
					 mini_pattern64(UNMAPPED_OFFSET - FL_RANGE_LEN));
		mini_free(vm);
	}
}

/* ---- revoked: what does not touch a mapping ------------------------------------------------ */

static void through_in_all_ways(int fd)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct access a = access_number(i, FL_CAUSE_NONE);

		if (a.access == FL_ACCESS_READ)
			rewrite_page(fd);
		goes_through(fd, &a);
	}
}

static void test_lost_path_and_permission(void **state)
{
	int dir = bad_host_tmpfs(64 * BAD_FILE_LEN);
	int fd = bad_host_file(dir, "file", 0, 0);

	(void)state;
	assert_int_equal(fchmod(fd, 0), 0);
	assert_int_equal(fchown(fd, 12345, 12345), 0);
	assert_int_equal(unlinkat(dir, "file", 0), 0);
	through_in_all_ways(fd);
	close(fd);
	close(dir);
}

static void test_lost_mount_and_loop_device(void **state)
{
	struct bad_disk *disk = bad_disk_new(DISK_LEN, false, NULL);
	int fd = bad_host_file(disk->dir, "file", 0, 0);
	int loop = open(disk->loop_path, O_RDONLY | O_CLOEXEC);

	(void)state;
	bad_host_drop_cache(fd);
	/* with a file open for writing a file system does not become read-only */
	assert_int_equal(mount(NULL, disk->mount, NULL, MS_REMOUNT | MS_RDONLY, NULL), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(umount2(disk->mount, MNT_DETACH), 0);
	/* a device in use is let go when its last user is (drivers/block/loop.c loop_clr_fd) */
	assert_int_equal(ioctl(loop, LOOP_CLR_FD, 0), 0);
	close(loop);
	through_in_all_ways(fd);
	close(fd);
	assert_int_equal(mount("none", disk->mount, "tmpfs", 0, NULL), 0); /* for bad_disk_free() */
	bad_disk_free(disk);
}

static void seal(struct mini_vm *vm, void *arg)
{
	(void)vm;
	assert_int_equal(fcntl(*(const int *)arg, F_ADD_SEALS, 0x10 /* F_SEAL_FUTURE_WRITE, Linux 5.1 */), 0);
}

static void test_sealed_against_future_writing(void **state)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct access a = access_number(1, FL_CAUSE_NONE);
	struct mini_vm *vm;
	struct fl_backing *backing;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BAD_FILE_LEN), 0);
	a.prepare = seal;
	a.arg = &fd;
	goes_through(fd, &a);
	/* what was mapped stays mapped; mapping it anew for writing is refused and leaves what was there */
	vm = mini_new(1, reflect);
	bad_access_map(vm, fd, false);
	assert_int_equal(fl_backing_new(fcntl(fd, F_DUPFD_CLOEXEC, 0), true, &backing), 0);
	assert_int_equal(fl_window_map(vm->window, 0, FL_RANGE_LEN, backing, 0, true), -EPERM);
	fl_backing_unref(backing);
	mini_free(vm);
	a.prepare = NULL;
	a.access = FL_ACCESS_READ;
	a.hole = true;
	a.read_only = true;
	a.offset = BAD_OFFSET + 0x1000;
	goes_through(fd, &a);
	close(fd);
}

/* ---- revoked: what does -------------------------------------------------------------------- */

static void shut_down(struct mini_vm *vm, void *arg)
{
	const struct bad_disk *disk = arg;
	uint32_t how = EXT4_SHUTDOWN_NO_FLUSH;

	(void)vm;
	assert_int_equal(ioctl(disk->dir, EXT4_SHUTDOWN, &how), 0);
}

/* Afterwards ext4 answers EIO to whatever would change something (ext4_forced_shutdown()); the disk is not full. */
static void test_shut_down_ext4(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < 4; i += 2) {
		/* else the hole is filled when the page is written back, and nobody hears of it */
		struct bad_disk *disk = bad_disk_new(DISK_LEN, false, "nodelalloc");
		int fd = bad_host_file(disk->dir, "file", BAD_PAGE, FL_PAGE_LEN);
		struct access a = access_number(i, FL_CAUSE_IO_ERROR);

		a.prepare = shut_down;
		a.arg = disk;
		fails_for_good(fd, &a);
		close(fd);
		bad_disk_free(disk);
	}
}

static void abort_fuse(struct mini_vm *vm, void *arg)
{
	(void)vm;
	bad_fuse_abort(arg);
}

/* The server is gone: nothing can be asked of the file any more, not even its length. */
static void test_server_of_the_file_is_gone(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct bad_fuse *fuse = bad_fuse_new();
		int fd = bad_fuse_open(fuse);
		struct access a = access_number(i, FL_CAUSE_IO_ERROR);

		a.prepare = abort_fuse;
		a.arg = fuse;
		a.file_len = 0;
		fails_for_good(fd, &a);
		close(fd);
		bad_fuse_free(fuse);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_memory_failure),
	cmocka_unit_test(test_memory_failure_of_a_page_in_use),
	cmocka_unit_test(test_not_permitted),
	cmocka_unit_test(test_nothing_mapped),
	cmocka_unit_test(test_lost_path_and_permission),
	cmocka_unit_test(test_lost_mount_and_loop_device),
	cmocka_unit_test(test_sealed_against_future_writing),
	cmocka_unit_test(test_shut_down_ext4),
	cmocka_unit_test(test_server_of_the_file_is_gone),
};

FL_TEST_MAIN(110, tests)
