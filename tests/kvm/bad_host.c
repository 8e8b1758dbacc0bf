/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kvm/bad_host.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/kvm/mini_vm.h"

#define SECTOR_LEN 512u

/* Status of the program, or -1 if there is none. */
static int run(const char *const argv[])
{
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ))
		return -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void bad_host_private_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP_FOR("no mounts without root: %s", strerror(errno));
}

static int mount_at(char *dir, const char *source, const char *type, const char *options)
{
	int fd;

	strcpy(dir, "/tmp/fl-bad-XXXXXX");
	assert_non_null(mkdtemp(dir));
	if (mount(source, dir, type, 0, options) < 0) {
		int error = errno;

		rmdir(dir);
		SKIP_FOR("cannot mount %s on %s: %s", source, type, strerror(error));
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* In the box modules lie in a tree of their own; elsewhere the kernel loads what it has. */
static void load_module(const char *name)
{
	const char *tree = getenv("FAULTLINE_BOX_MODULES");
	const char *const argv[] = {"modprobe", "-d", tree, name, NULL};

	if (tree)
		(void)run(argv);
}

int bad_host_file(int dir, const char *name, uint64_t hole, uint64_t hole_len)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint8_t page[FL_PAGE_LEN];

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BAD_FILE_LEN), 0);
	for (uint64_t at = 0; at < BAD_FILE_LEN; at += FL_PAGE_LEN) {
		if (at >= hole && at < hole + hole_len)
			continue;
		for (uint64_t i = 0; i < FL_PAGE_LEN; i++)
			page[i] = mini_pattern(at + i);
		assert_int_equal(pwrite(fd, page, FL_PAGE_LEN, (off_t)at), FL_PAGE_LEN);
	}
	assert_int_equal(fsync(fd), 0);
	return fd;
}

/* How many pages went in. What closing and writing back give back (preallocation, delayed allocation) is for the next.
 */
static unsigned int fill_once(int dir)
{
	int fd = openat(dir, "filler", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	static const uint8_t page[FL_PAGE_LEN] = {1};
	unsigned int pages = 0;
	ssize_t written;

	assert_true(fd >= 0);
	for (; (written = write(fd, page, sizeof(page))) > 0; pages++)
		;
	assert_true(written < 0 && errno == ENOSPC);
	close(fd);
	assert_int_equal(syncfs(dir), 0);
	return pages;
}

/*
 * How many pages of a sparse file could be stored to. ext4 counts its free blocks loosely and keeps some back for its
 * own use, so that a store may still get one where write(2) was refused.
 */
static unsigned int fill_holes(int dir)
{
	size_t len = 64 * FL_PAGE_LEN;
	int fd = openat(dir, "filler-holes", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	unsigned int pages = 0;
	uint8_t *map;
	off_t end;

	assert_true(fd >= 0);
	end = lseek(fd, 0, SEEK_END);
	assert_true(end >= 0);
	assert_int_equal(ftruncate(fd, end + (off_t)len), 0);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, end);
	assert_ptr_not_equal(map, MAP_FAILED);
	while (pages < len / FL_PAGE_LEN && madvise(map + pages * FL_PAGE_LEN, FL_PAGE_LEN, MADV_POPULATE_WRITE) == 0)
		pages++;
	munmap(map, len);
	close(fd);
	assert_int_equal(syncfs(dir), 0);
	return pages;
}

void bad_host_fill(int dir)
{
	unsigned int rounds = 0;

	while (fill_once(dir) + fill_holes(dir))
		assert_true(++rounds < 50);
}

void bad_host_free_space(int dir)
{
	assert_int_equal(unlinkat(dir, "filler", 0), 0);
	assert_int_equal(unlinkat(dir, "filler-holes", 0), 0);
	/* blocks are free when the journal says so */
	assert_int_equal(syncfs(dir), 0);
}

void bad_host_drop_cache(int fd)
{
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

int bad_host_tmpfs(uint64_t len)
{
	char dir[32], options[32];
	int fd;

	bad_host_private_mounts();
	snprintf(options, sizeof(options), "size=%" PRIu64, len);
	fd = mount_at(dir, "tmpfs", "tmpfs", options);
	/* the descriptor keeps it */
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
	rmdir(dir);
	return fd;
}

/* ---- bad memory --------------------------------------------------------------------------- */

static void end_well(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

/* In a child, since the kernel sends SIGBUS to whoever asks for it. */
bool bad_host_poison(int fd, uint64_t offset)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		volatile uint8_t *page = mmap(NULL, FL_PAGE_LEN, PROT_READ, MAP_SHARED, fd, (off_t)offset);

		signal(SIGBUS, end_well);
		(void)page[0];
		_exit(madvise((void *)(uintptr_t)page, FL_PAGE_LEN, MADV_HWPOISON) == 0 ? 0 : 77);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Linux 6.6, newer than Debian 12's headers */
#define FEATURE_POISON (UINT64_C(1) << 14)
struct uffd_poison {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;
};
#define UFFD_POISON _IOWR(UFFDIO, 0x08, struct uffd_poison)

bool bad_host_poison_mapping(uint8_t *page)
{
	struct uffdio_api api = {.api = UFFD_API, .features = FEATURE_POISON};
	struct uffdio_register whole = {.range = {(uintptr_t)page, FL_PAGE_LEN}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	struct uffd_poison poison = {.range = whole.range};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = ioctl(fd, UFFDIO_API, &api) == 0 && ioctl(fd, UFFDIO_REGISTER, &whole) == 0;
	if (done) {
		/* only where no page is in the page tables */
		assert_int_equal(madvise(page, FL_PAGE_LEN, MADV_DONTNEED), 0);
		done = ioctl(fd, UFFD_POISON, &poison) == 0;
		/* the mark stays */
		assert_int_equal(ioctl(fd, UFFDIO_UNREGISTER, &whole.range), 0);
	}
	close(fd);
	return done;
}

/* ---- ext4 on a loop device -------------------------------------------------------------- */

static void attach_loop(struct bad_disk *disk)
{
	struct loop_config config = {
		.fd = (uint32_t)disk->image, .block_size = 4096, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		SKIP_FOR("no loop devices: %s", strerror(errno));
	/* somebody else may take the free one first */
	for (unsigned int i = 0; i < 20; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		assert_true(number >= 0);
		snprintf(disk->loop_path, sizeof(disk->loop_path), "/dev/loop%d", number);
		disk->loop = open(disk->loop_path, O_RDWR | O_CLOEXEC);
		if (disk->loop < 0)
			break;
		if (ioctl(disk->loop, LOOP_CONFIGURE, &config) == 0)
			break;
		close(disk->loop);
		disk->loop = -1;
	}
	close(control);
	if (disk->loop < 0)
		SKIP_FOR("no free loop device: %s", strerror(errno));
}

static int dm_setup(const char *verb, const char *name, const char *table)
{
	const char *const argv[] = {"dmsetup", verb, "--noudevsync", name, table ? "--table" : NULL, table, NULL};

	return run(argv);
}

static void need_device_mapper(void)
{
	int control;

	load_module("dm-mod");
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		SKIP_FOR("no device mapper: %s", strerror(errno));
	close(control);
}

static void map_device(struct bad_disk *disk)
{
	char table[96];

	setenv("DM_DISABLE_UDEV", "1", 1);
	snprintf(disk->mapper_name, sizeof(disk->mapper_name), "fl-bad-%d", getpid());
	snprintf(table, sizeof(table), "0 %" PRIu64 " linear %s 0", disk->sectors, disk->loop_path);
	if (dm_setup("create", disk->mapper_name, table) != 0) {
		disk->mapper_name[0] = '\0';
		SKIP_FOR("dmsetup failed (Debian package dmsetup)");
	}
}

static void node_of(const struct bad_disk *disk, char *path, size_t len)
{
	if (disk->mapper_name[0])
		snprintf(path, len, "/dev/mapper/%s", disk->mapper_name);
	else
		snprintf(path, len, "%s", disk->loop_path);
}

struct bad_disk *bad_disk_new(uint64_t len, bool mapped, const char *options)
{
	struct bad_disk *disk;
	char node[64];
	/* no room that only root may use, no writing behind our back */
	const char *const mkfs[] = {"mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0",
				    node,	 NULL};

	bad_host_private_mounts();
	if (mapped)
		need_device_mapper();
	disk = calloc(1, sizeof(*disk));
	assert_non_null(disk);
	load_module("loop");
	disk->image = memfd_create("bad-disk", MFD_CLOEXEC);
	assert_true(disk->image >= 0);
	assert_int_equal(ftruncate(disk->image, (off_t)len), 0);
	disk->sectors = len / SECTOR_LEN;
	attach_loop(disk);
	if (mapped)
		map_device(disk);
	node_of(disk, node, sizeof(node));
	if (run(mkfs) != 0)
		SKIP_FOR("mkfs.ext4 failed (Debian package e2fsprogs)");
	disk->dir = mount_at(disk->mount, node, "ext4", options);
	return disk;
}

void bad_disk_free(struct bad_disk *disk)
{
	close(disk->dir);
	assert_int_equal(umount2(disk->mount, MNT_DETACH), 0);
	rmdir(disk->mount);
	/* the file system may still be going */
	for (unsigned int i = 0; disk->mapper_name[0] && i < 100; i++) {
		if (dm_setup("remove", disk->mapper_name, NULL) == 0)
			break;
		usleep(20000);
	}
	close(disk->loop);
	close(disk->image);
	free(disk);
}

static void swap_table(struct bad_disk *disk, const char *table)
{
	assert_int_equal(dm_setup("load", disk->mapper_name, table), 0);
	/* not flushed and not locked: the file system must not notice */
	const char *const suspend[] = {"dmsetup", "suspend", "--noflush", "--nolockfs", disk->mapper_name, NULL};
	assert_int_equal(run(suspend), 0);
	assert_int_equal(dm_setup("resume", disk->mapper_name, NULL), 0);
}

/* First byte on the device of a block of the file. */
static uint64_t physical(int fd, uint64_t offset)
{
	union {
		struct fiemap map;
		uint8_t room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} request = {.map = {.fm_start = offset, .fm_length = 1, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 1}};
	const struct fiemap_extent *extent = request.map.fm_extents;

	assert_int_equal(ioctl(fd, FS_IOC_FIEMAP, &request), 0);
	assert_int_equal(request.map.fm_mapped_extents, 1);
	return extent->fe_physical + (offset - extent->fe_logical);
}

void bad_disk_break(struct bad_disk *disk, int fd, uint64_t offset, uint64_t len)
{
	uint64_t first = physical(fd, offset) / SECTOR_LEN, count = len / SECTOR_LEN;
	char table[256];

	assert_int_equal(physical(fd, offset + len - 1), physical(fd, offset) + len - 1);
	snprintf(table, sizeof(table),
		 "0 %" PRIu64 " linear %s 0\n%" PRIu64 " %" PRIu64 " error\n%" PRIu64 " %" PRIu64 " linear %s %" PRIu64,
		 first, disk->loop_path, first, count, first + count, disk->sectors - first - count, disk->loop_path,
		 first + count);
	swap_table(disk, table);
	bad_host_drop_cache(fd);
}

void bad_disk_heal(struct bad_disk *disk)
{
	char table[96];

	snprintf(table, sizeof(table), "0 %" PRIu64 " linear %s 0", disk->sectors, disk->loop_path);
	swap_table(disk, table);
}
