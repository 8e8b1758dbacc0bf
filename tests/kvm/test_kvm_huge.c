/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of 2 MiB, from the host's file system to the guest: what KVM maps, by its own statistics, when a guest reads
 * 2 MiB of a window, one word of each page.
 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "mmu_backing/fault_site.h"
#include "tests/kvm/load.h"
#include "vcpu/kvm_stats.h"

#define PLACES 4u	/* of load_reads */
#define TABLE  0x30e000 /* of them */
#define LEN    FL_RANGE_LEN
#define PAGES  (LEN / FL_PAGE_LEN)

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

/* A file of 2 MiB on a tmpfs of its own, with the mount option huge=; -1: this host does not let us. */
static int file_on_tmpfs(const char *huge)
{
	FL_CLOSE int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	FL_CLOSE int mount = -1;
	uint8_t *bytes = malloc(LEN);
	int fd;

	assert_non_null(bytes);
	memset(bytes, 0x5a, LEN);
	if (fs >= 0 && fsconfig(fs, FSCONFIG_SET_STRING, "huge", huge, 0) == 0 &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	fd = mount < 0 ? -1 : openat(mount, "file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		assert_int_equal(pwrite(fd, bytes, LEN, 0), LEN);
	free(bytes);
	return fd;
}

/* The VM's own counter of that name; false: this kernel has none. */
static bool vm_stat(const struct mini_vm *vm, const char *name, uint64_t *value)
{
	FL_CLOSE int fd = ioctl(vm->kvm.vm_fd, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_header header;
	char descs[65536];
	uint64_t offset;
	ssize_t len;

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return false;
	len = pread(fd, descs,
		    FL_MIN(sizeof(descs), header.num_desc * (header.name_size + sizeof(struct kvm_stats_desc))),
		    header.desc_offset);
	return len > 0 && fl_kvm_stats_find(&header, descs, (size_t)len, name, &offset) == 0 &&
	       pread(fd, value, sizeof(*value), (off_t)offset) == sizeof(*value);
}

struct seen {
	uint64_t faults;   /* of the guest, that KVM mended */
	uint64_t pages_2m; /* that KVM maps, more than before */
};

/* Takes over the file, in place of the VM's own. */
static void map_file(struct mini_vm *vm, int file)
{
	struct fl_backing *backing = NULL;

	assert_int_equal(fl_backing_new(file, true, &backing), 0);
	assert_int_equal(fl_window_map(vm->window, 0, LEN, backing, 0, true), 0);
	fl_backing_unref(backing);
}

/* The guest reads a word of each page of the window's first range, which maps the file. */
static struct seen read_all(int file, bool prefault)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {.program = load_reads,
				   .cpl = 3,
				   .rbx = TABLE,
				   .rsi = LEN,
				   .rdx = FL_PAGE_LEN,
				   .r8 = 1,
				   .rdi = LOAD_SAMPLES};
	const uint64_t places[PLACES] = {MINI_WINDOW_GVA, MINI_WINDOW_GVA, MINI_WINDOW_GVA, MINI_WINDOW_GVA};
	struct fl_kvm_stats stats;
	struct seen seen = {0};
	uint64_t before = 0;
	struct load load;

	fl_window_unmap_all(vm->window);
	fl_window_set_prefault(vm->window, prefault);
	map_file(vm, file);
	load_init(&load, vm, load_skip);
	memcpy(vm->ram.hva + TABLE, places, sizeof(places));
	assert_int_equal(fl_kvm_stats_open(&stats, fl_vcpu_fd(vm->vcpus[0])), 0);
	assert_true(vm_stat(vm, "pages_2m", &before));
	load_start(&load, 0, start);
	assert_true(mini_wait(vm, 0));
	fl_vcpu_stop(vm->vcpus[0]);
	assert_int_equal(fl_kvm_stats_fixed(&stats, &seen.faults), 0);
	assert_true(vm_stat(vm, "pages_2m", &seen.pages_2m));
	seen.pages_2m -= before;
	fl_kvm_stats_close(&stats);
	mini_free(vm);
	return seen;
}

#define SKIP(what)                                      \
	do {                                            \
		print_message("# skipped: " what "\n"); \
		skip();                                 \
	} while (0)

/* Of the guest's memory some pages may be large, too: what counts is the difference to a file without any. */
static void assert_huge(int file, bool prefault, const struct seen *small)
{
	struct seen seen = read_all(file, prefault);

	print_message("# %llu faults, %llu pages of 2 MiB; with small pages %llu and %llu\n",
		      (unsigned long long)seen.faults, (unsigned long long)seen.pages_2m,
		      (unsigned long long)small->faults, (unsigned long long)small->pages_2m);
	assert_int_equal(seen.pages_2m, small->pages_2m + 1);
	/* KVM may map some small neighbours at once (shadow paging), but not all of what it has not got as one page */
	assert_true(seen.faults + PAGES / 16 < small->faults);
}

/* The window lies as KVM wants it (kvm_alloc_memslot_metadata): one page, and one fault for it. */
static void a_page_of_2_mib_is_one_for_the_guest(void **state)
{
	int small_file = file_on_tmpfs("never"), file = file_on_tmpfs("always");
	struct seen small;

	(void)state;
	if (file < 0)
		SKIP("this kernel has no huge pages in tmpfs");
	small = read_all(small_file, false);
	assert_huge(file, false, &small);
}

/* Nobody writes: the hole is filled with what the mapping asks for. */
static int hole_on_tmpfs(void)
{
	int file = file_on_tmpfs("advise");

	if (file >= 0) {
		assert_int_equal(ftruncate(file, 0), 0);
		assert_int_equal(ftruncate(file, LEN), 0);
	}
	return file;
}

static void prefault_asks_for_huge_pages(void **state)
{
	int asked = hole_on_tmpfs(), not_asked = hole_on_tmpfs();
	struct seen small;

	(void)state;
	if (asked < 0)
		SKIP("this kernel has no huge pages in tmpfs");
	small = read_all(not_asked, false);
	assert_huge(asked, true, &small);
}

/* A page from the host's pool, which most hosts keep empty; in the box it is ours to fill. */
static int file_on_hugetlbfs(void)
{
	int file = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	uint8_t *page;

	if (getenv("FAULTLINE_IN_BOX")) {
		FILE *pool = fopen("/proc/sys/vm/nr_hugepages", "we");

		assert_non_null(pool);
		assert_true(fputs("4\n", pool) >= 0);
		assert_int_equal(fclose(pool), 0);
	}
	if (file < 0 || ftruncate(file, LEN))
		return -1;
	page = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (page == MAP_FAILED)
		return -1;
	assert_int_equal(madvise(page, LEN, MADV_POPULATE_WRITE), 0);
	munmap(page, LEN);
	return file;
}

static void hugetlbfs_gives_its_pages(void **state)
{
	int file = file_on_hugetlbfs();
	struct seen small;

	(void)state;
	if (file < 0)
		SKIP("the host's pool of huge pages is empty (vm.nr_hugepages)");
	small = read_all(file_on_tmpfs("never"), false);
	assert_huge(file, false, &small);
}

/*
 * No mapping can end inside a page of hugetlbfs: a substitute is refused with the window as it was, and a page that is
 * gone is gone as a whole.
 */
static void a_piece_of_a_huge_page_is_not_substituted(void **state)
{
	const struct fl_window_loss loss = {0};
	int file = file_on_hugetlbfs();
	struct fl_finding finding;
	struct fl_probe probe;
	struct mini_vm *vm;

	(void)state;
	if (file < 0)
		SKIP("the host's pool of huge pages is empty (vm.nr_hugepages)");
	vm = mini_new(1, reflect);
	map_file(vm, file);
	assert_int_equal(fl_window_substitute(vm->window, 3 * FL_PAGE_LEN, &loss), -EINVAL);
	assert_false(fl_window_is_broken(vm->window));
	fl_window_hva(vm->window)[3 * FL_PAGE_LEN] = 0x77; /* or this would not be there */
	assert_int_equal(ftruncate(file, 0), 0);
	fl_probe_page(&vm->map, MINI_WINDOW_GPA + FL_PAGE_LEN, false, &probe);
	finding = fl_classify(&probe, MINI_WINDOW_GPA + FL_PAGE_LEN, FL_ACCESS_READ);
	fl_probe_put(&probe);
	assert_int_equal(finding.cause, FL_CAUSE_TRUNCATED);
	assert_int_equal(fl_window_unmap(vm->window, 0, LEN), 0);
	mini_free(vm);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_page_of_2_mib_is_one_for_the_guest),
	cmocka_unit_test(prefault_asks_for_huge_pages),
	cmocka_unit_test(hugetlbfs_gives_its_pages),
	cmocka_unit_test(a_piece_of_a_huge_page_is_not_substituted),
};

FL_TEST_MAIN(60, tests)
