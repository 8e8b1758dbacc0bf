/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that touch lost pages: as the file they read or write, and as the memory they are given.
 * Pages 1 to 3 of 4 are cut off.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

#define BUFFER_LEN (FILE_PAGES * PAGE)

struct call {
	struct test_file *file;
	uint8_t *buffer; /* ordinary memory, BUFFER_LEN */
	int scratch;	 /* a file in memory, for what is neither */
};

static long pread_lost(const struct call *call)
{
	return pread(call->file->fd, call->buffer, 100, 2 * PAGE);
}

static long pread_into_lost(const struct call *call)
{
	return pread(call->file->fd, call->buffer, BUFFER_LEN, 0);
}

static long pread_last_byte(const struct call *call)
{
	return pread(call->file->fd, call->buffer, 10, PAGE - 1);
}

static long read_twice(const struct call *call)
{
	lseek(call->file->fd, 0, SEEK_SET);
	long first = read(call->file->fd, call->buffer, BUFFER_LEN);
	long second = read(call->file->fd, call->buffer, BUFFER_LEN);

	return first * 1000 + second;
}

static long preadv_lost(const struct call *call)
{
	struct iovec parts[2] = {{call->buffer, 100}, {call->buffer + PAGE, PAGE}};

	return preadv(call->file->fd, parts, 2, PAGE - 50);
}

static long pwrite_lost(const struct call *call)
{
	return pwrite(call->file->fd, call->buffer, 100, 3 * PAGE);
}

static long pwrite_into_lost(const struct call *call)
{
	return pwrite(call->file->fd, call->buffer, 2 * PAGE, 0);
}

static long append(const struct call *call)
{
	fcntl(call->file->fd, F_SETFL, O_APPEND);
	return write(call->file->fd, call->buffer, 10);
}

static long sendfile_lost(const struct call *call)
{
	off_t offset = 2 * PAGE;

	return sendfile(call->scratch, call->file->fd, &offset, PAGE);
}

static long sendfile_into_lost(const struct call *call)
{
	off_t offset = 0;

	return sendfile(call->scratch, call->file->fd, &offset, BUFFER_LEN);
}

static long sendfile_to_lost(const struct call *call)
{
	off_t offset = 0;

	lseek(call->file->fd, 2 * PAGE, SEEK_SET);
	return sendfile(call->file->fd, call->scratch, &offset, PAGE);
}

static long read_to_lost_memory(const struct call *call)
{
	lseek(call->scratch, 0, SEEK_SET);
	return read(call->scratch, call->file->map + PAGE, 100);
}

static long write_from_lost_memory(const struct call *call)
{
	return write(call->scratch, call->file->map + PAGE, 100);
}

static long pipe_from_lost_memory(const struct call *call)
{
	int pipe_fds[2];
	long ret = pipe(pipe_fds) < 0 ? -1 : write(pipe_fds[1], call->file->map + 2 * PAGE, 100);
	int saved = errno;

	close(pipe_fds[0]);
	close(pipe_fds[1]);
	errno = saved;
	return ret;
}

static long open_lost_name(const struct call *call)
{
	return open((const char *)call->file->map + PAGE, O_RDONLY);
}

static long stat_to_lost_memory(const struct call *call)
{
	return stat("/", (struct stat *)(void *)(call->file->map + 2 * PAGE));
}

static long futex_on_lost_memory(const struct call *call)
{
	return syscall(SYS_futex, call->file->map + PAGE, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static long process_vm_read_lost(const struct call *call)
{
	struct iovec local = {call->buffer, 100};
	struct iovec remote = {call->file->map + PAGE, 100};

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

static const struct {
	const char *name;
	long (*fn)(const struct call *call);
} calls[] = {
	{"pread_lost", pread_lost},
	{"pread_into_lost", pread_into_lost},
	{"pread_last_byte", pread_last_byte},
	{"read_twice", read_twice},
	{"preadv_lost", preadv_lost},
	{"pwrite_lost", pwrite_lost},
	{"pwrite_into_lost", pwrite_into_lost},
	{"append", append},
	{"sendfile_lost", sendfile_lost},
	{"sendfile_into_lost", sendfile_into_lost},
	{"sendfile_to_lost", sendfile_to_lost},
	{"read_to_lost_memory", read_to_lost_memory},
	{"write_from_lost_memory", write_from_lost_memory},
	{"pipe_from_lost_memory", pipe_from_lost_memory},
	{"open_lost_name", open_lost_name},
	{"stat_to_lost_memory", stat_to_lost_memory},
	{"futex_on_lost_memory", futex_on_lost_memory},
	{"process_vm_read_lost", process_vm_read_lost},
};

static void run_call(const char *name, long (*fn)(const struct call *call), struct call *call)
{
	struct test_file file = open_file(name, FILE_PAGES);

	call->file = &file;
	memset(call->buffer, 0xee, BUFFER_LEN);
	if (ftruncate(call->scratch, 0) < 0 || ftruncate(call->scratch, BUFFER_LEN) < 0)
		say("case %s: no scratch file", name);
	lseek(call->scratch, 0, SEEK_SET);
	ask("truncate", name, PAGE);
	errno = 0;
	long ret = fn(call);
	const char *error = ret < 0 ? strerrorname_np(errno) : "no error";
	uint64_t host_size = ask("size", name, 0);

	say("case %s: %ld, %s; first word %s; size %ld, on the host %lu", name, ret, error,
	    memcmp(call->buffer, &(uint64_t){pattern_word(0)}, 8) == 0 ? "read" : "not read", (long)fresh_size(&file),
	    (unsigned long)host_size);
	close_file(&file);
}

void run_syscall_cases(void)
{
	struct call call = {.buffer = malloc(BUFFER_LEN), .scratch = memfd_create("scratch", MFD_CLOEXEC)};

	for (size_t i = 0; call.buffer && i < sizeof(calls) / sizeof(calls[0]); i++)
		run_call(calls[i].name, calls[i].fn, &call);
	free(call.buffer);
	close(call.scratch);
}
