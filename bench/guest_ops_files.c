/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes of a file that is memory of the DAX window, and of one in this guest's page cache. */
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "bench/guest_ops.h"

#define SMALL	 PAGE
#define LARGE	 ((size_t)1 << 20)
#define SENDFILE ((size_t)64 << 10)

static struct {
	int file, other;
} state;
static char buffer[LARGE] __attribute__((aligned(4096)));

static void open_dax(void)
{
	memset(buffer, 'b', sizeof(buffer));
	state.file = dax_file(LARGE);
}

static void open_tmpfs(void)
{
	memset(buffer, 'b', sizeof(buffer));
	state.file = tmpfs_file(LARGE);
}

static void close_file(void)
{
	close(state.file);
}

static void reads(unsigned int count, size_t len)
{
	while (count--)
		need(pread(state.file, buffer, len, 0) == (ssize_t)len, "pread");
}

static void writes(unsigned int count, size_t len)
{
	while (count--)
		need(pwrite(state.file, buffer, len, 0) == (ssize_t)len, "pwrite");
}

static void run_read_small(unsigned int count)
{
	reads(count, SMALL);
}

static void run_read_large(unsigned int count)
{
	reads(count, LARGE);
}

static void run_write_small(unsigned int count)
{
	writes(count, SMALL);
}

static void run_write_large(unsigned int count)
{
	writes(count, LARGE);
}

static void open_dax_and_null(void)
{
	open_dax();
	state.other = open("/dev/null", O_WRONLY | O_CLOEXEC);
	need(state.other >= 0, "/dev/null");
}

static void open_tmpfs_and_dax(void)
{
	state.other = dax_file(LARGE);
	state.file = tmpfs_file(LARGE);
}

static void close_both(void)
{
	close(state.file);
	close(state.other);
}

/* from the start to the start: a write that does not make the file longer */
static void run_sendfile(unsigned int count)
{
	while (count--) {
		off_t from = 0;

		need(sendfile(state.other, state.file, &from, SENDFILE) == (ssize_t)SENDFILE, "sendfile");
		lseek(state.other, 0, SEEK_SET);
	}
}

const struct op file_ops[] = {
	{"read-4K-dax", 40, open_dax, run_read_small, NULL, close_file},
	{"read-4K-tmpfs", 40, open_tmpfs, run_read_small, NULL, close_file},
	{"read-1M-dax", 1, open_dax, run_read_large, NULL, close_file},
	{"read-1M-tmpfs", 1, open_tmpfs, run_read_large, NULL, close_file},
	{"write-4K-dax", 3, open_dax, run_write_small, NULL, close_file},
	{"write-4K-tmpfs", 40, open_tmpfs, run_write_small, NULL, close_file},
	{"write-1M-dax", 1, open_dax, run_write_large, NULL, close_file},
	{"write-1M-tmpfs", 1, open_tmpfs, run_write_large, NULL, close_file},
	{"sendfile-dax", 2, open_dax_and_null, run_sendfile, NULL, close_both},
	{"sendfile-to-dax", 1, open_tmpfs_and_dax, run_sendfile, NULL, close_both},
	{NULL, 0, NULL, NULL, NULL, NULL},
};
