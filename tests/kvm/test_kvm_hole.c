/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The invariant of window.h under a running guest: an mmap(MAP_FIXED) whose file's ->mmap fails leaves a hole in the
 * window (mm/vma.h vms_abort_munmap_vmas; seen on 6.12 and 6.18). The program is linked with --wrap=mmap64, so that the
 * host can fail between the try elsewhere, which succeeds, and the mapping in place.
 */
#include "tests/kvm/bad_host.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/kvm/mini_vm.h"

/*
 * More than the retries in a row that are allowed to a vCPU which does not get on. Where KVM emulates the reading loop
 * (CPL 0 on PVM) nothing tells that it gets on: fewer there.
 */
#define HOLES		       1500
#define HOLES_EMULATED	       300
#define DISK_LEN	       (UINT64_C(16) << 20)
#define OFFSET		       UINT64_C(0x5123)
#define EXT4_SHUTDOWN	       _IOR('X', 125, uint32_t) /* EXT4_IOC_SHUTDOWN, fs/ext4/ext4.h */
#define EXT4_SHUTDOWN_NO_FLUSH 2u

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

/* The wrapped function has no argument to hang this on. */
static struct {
	struct fl_window *window;
	unsigned int times; /* to do it */
	int disk_dir;	    /* to be shut down before, or -1 ... */
	int socket;	    /* ... and then mapped instead (sock_no_mmap()) */
	unsigned int failed, holes;
} trouble;

void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);

static bool is_inside(const uint8_t *addr)
{
	const uint8_t *hva = trouble.window ? fl_window_hva(trouble.window) : NULL;

	return hva && addr >= hva && addr < hva + fl_window_len(trouble.window);
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	uint32_t how = EXT4_SHUTDOWN_NO_FLUSH;
	unsigned char resident;
	void *got;
	int error;

	if (!trouble.times || !(flags & MAP_FIXED) || !is_inside(addr))
		return __real_mmap64(addr, len, prot, flags, fd, offset);
	trouble.times--;
	if (trouble.disk_dir >= 0)
		assert_int_equal(ioctl(trouble.disk_dir, EXT4_SHUTDOWN, &how), 0);
	else
		fd = trouble.socket;
	got = __real_mmap64(addr, len, prot, flags, fd, offset);
	error = errno;
	if (got == MAP_FAILED) {
		trouble.failed++;
		trouble.holes += mincore(addr, 1, &resident) < 0 && errno == ENOMEM;
		usleep(1000); /* the guest falls in */
	}
	errno = error;
	return got;
}

static int setup(void **state)
{
	(void)state;
	memset(&trouble, 0, sizeof(trouble));
	trouble.disk_dir = -1;
	trouble.socket = -1;
	return 0;
}

/* A guest that reads the window all the time. */
static struct mini_vm *reading_vm(unsigned int cpl)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {.program = mini_read_loop,
				   .cpl = cpl,
				   .rbx = mini_gva(OFFSET),
				   .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};

	mini_start(vm, 0, &start);
	return vm;
}

static void end_reading(struct mini_vm *vm)
{
	mini_write64(vm, 0, MINI_STOP, 1);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(OFFSET));
	assert_false(fl_window_is_broken(vm->window));
}

static bool no_hole(struct mini_vm *vm)
{
	static unsigned char resident[MINI_WINDOW_LEN / 4096];

	return mincore(fl_window_hva(vm->window), MINI_WINDOW_LEN, resident) == 0;
}

static uint64_t repairs(struct mini_vm *vm)
{
	struct fl_window_stats stats;

	fl_window_get_stats(vm->window, &stats);
	return stats.repairs;
}

/* A real file system that fails late: its file could be mapped, and a moment later it cannot (ext4_file_mmap()). */
static void test_ext4_shut_down_after_the_try(void **state)
{
	struct bad_disk *disk = bad_disk_new(DISK_LEN, false, NULL);
	int fd = bad_host_file(disk->dir, "file", 0, 0);
	struct mini_vm *vm = reading_vm(3);
	struct fl_backing *backing;

	(void)state;
	assert_int_equal(fl_backing_new(fd, true, &backing), 0);
	trouble.window = vm->window;
	trouble.disk_dir = disk->dir;
	trouble.times = 1;
	assert_int_equal(fl_window_map(vm->window, 0, FL_RANGE_LEN, backing, 0, true), -EIO);
	assert_int_equal(trouble.failed, 1);
	print_message("# %u hole\n", trouble.holes);
	assert_int_equal(repairs(vm), trouble.holes);
	assert_true(no_hole(vm));
	/* from now on the try itself fails, and the window is not even asked */
	trouble.times = 1;
	assert_int_equal(fl_window_map(vm->window, 0, FL_RANGE_LEN, backing, 0, true), -EIO);
	assert_int_equal(trouble.failed, 1);
	trouble.times = 0;
	/* the old mapping is back, and the guest has lost nothing by it */
	end_reading(vm);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 0);
	fl_backing_unref(backing);
	mini_free(vm);
	bad_disk_free(disk);
}

/* Without a pause the guest would never get to the end of one instruction, and be stopped for it. */
static void let_read(struct mini_vm *vm)
{
	uint64_t before = mini_read64(vm, 0, MINI_ROUNDS);

	for (unsigned int i = 0; i < 50000 && mini_read64(vm, 0, MINI_ROUNDS) < before + 2; i++)
		usleep(100);
	assert_true(mini_read64(vm, 0, MINI_ROUNDS) >= before + 2);
}

/* Hole after hole under a reading guest: each is closed before it or anybody else can fall in. */
static void holes_at(unsigned int cpl, unsigned int holes)
{
	struct mini_vm *vm = reading_vm(cpl);
	struct fl_backing *backing;

	assert_int_equal(fl_backing_new(fcntl(vm->file, F_DUPFD_CLOEXEC, 0), true, &backing), 0);
	trouble.window = vm->window;
	trouble.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (unsigned int i = 0; i < holes; i++) {
		trouble.times = 1;
		assert_int_equal(fl_window_map(vm->window, 0, FL_RANGE_LEN, backing, 0, true), -ENODEV);
		assert_true(no_hole(vm));
		assert_false(fl_window_is_broken(vm->window));
		let_read(vm);
	}
	close(trouble.socket);
	assert_int_equal(trouble.failed, holes);
	assert_int_equal(repairs(vm), trouble.holes);
	end_reading(vm);
	print_message("# CPL %u: %u of %u failures left a hole, %u faults\n", cpl, trouble.holes, trouble.failed,
		      vm->faults);
	assert_true(vm->faults > 0);
	for (unsigned int i = 0; i < vm->faults; i++)
		assert_int_equal(vm->seen[i].fault.outcome, FL_OUTCOME_RETRIED);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 0);
	fl_backing_unref(backing);
	mini_free(vm);
}

static void test_holes_under_a_reading_guest(void **state)
{
	holes_at(3, HOLES);
	setup(state);
	holes_at(0, HOLES_EMULATED);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(test_ext4_shut_down_after_the_try, setup),
	cmocka_unit_test_setup(test_holes_under_a_reading_guest, setup),
};

FL_TEST_MAIN(60, tests)
