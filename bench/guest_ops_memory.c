/* SPDX-License-Identifier: Apache-2.0 */
/* Page faults. Each operation is the fault and the madvise() that makes the next one possible. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/guest_ops.h"

/* of a file, and one page of it touched: less than what is mapped around one fault would be another cost */
#define FILE_LEN PAGE

static struct {
	volatile char *map;
	int fd;
	int mem;
} state;

static void map_one(int protection, int flags, int fd)
{
	void *map = mmap(NULL, PAGE, protection, flags, fd, 0);

	need(map != MAP_FAILED, "mmap");
	state.map = map;
	state.fd = fd;
}

static void map_anonymous(void)
{
	map_one(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void map_tmpfs(void)
{
	map_one(PROT_READ | PROT_WRITE, MAP_SHARED, tmpfs_file(FILE_LEN));
}

static void map_tmpfs_private(void)
{
	map_one(PROT_READ | PROT_WRITE, MAP_PRIVATE, tmpfs_file(FILE_LEN));
}

static void map_dax(void)
{
	map_one(PROT_READ | PROT_WRITE, MAP_SHARED, dax_file(FILE_LEN));
}

static void map_dax_private(void)
{
	map_one(PROT_READ | PROT_WRITE, MAP_PRIVATE, dax_file(FILE_LEN));
}

static void unmap(void)
{
	munmap((void *)(uintptr_t)state.map, PAGE);
	if (state.fd >= 0)
		close(state.fd);
}

static void forget(void)
{
	need(madvise((void *)(uintptr_t)state.map, PAGE, MADV_DONTNEED) == 0, "madvise");
}

static void run_load(unsigned int count)
{
	while (count--) {
		(void)*state.map;
		forget();
	}
}

static void run_store(unsigned int count)
{
	while (count--) {
		*state.map = 'y';
		forget();
	}
}

/* a private page that is there for reading becomes a copy: wp_page_copy() */
static void run_load_store(unsigned int count)
{
	while (count--) {
		(void)*state.map;
		*state.map = 'y';
		forget();
	}
}

static void open_mem(void)
{
	map_anonymous();
	*state.map = 'x';
	state.mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	need(state.mem >= 0, "/proc/self/mem");
}

/* as ptrace() reads a word of another process: access_remote_vm() */
static void run_mem(unsigned int count)
{
	uint64_t word;

	while (count--)
		need(pread(state.mem, &word, sizeof(word), (off_t)(uintptr_t)state.map) == sizeof(word), "remote read");
}

static void close_mem(void)
{
	close(state.mem);
	unmap();
}

const struct op memory_ops[] = {
	{"fault-anon", 80, map_anonymous, run_store, NULL, unmap},
	{"fault-tmpfs", 80, map_tmpfs, run_load, NULL, unmap},
	{"fault-dax-load", 60, map_dax, run_load, NULL, unmap},
	{"fault-dax-store", 60, map_dax, run_store, NULL, unmap},
	{"cow-tmpfs", 40, map_tmpfs_private, run_load_store, NULL, unmap},
	{"cow-dax", 40, map_dax_private, run_store, NULL, unmap},
	{"cow-dax-loaded", 40, map_dax_private, run_load_store, NULL, unmap},
	{"remote-read", 150, open_mem, run_mem, NULL, close_mem},
	{NULL, 0, NULL, NULL, NULL, NULL},
};
