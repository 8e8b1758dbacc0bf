/* SPDX-License-Identifier: Apache-2.0 */
#include "unmappable.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_NODEID 2
#define TEXT_LEN    (sizeof(UNMAPPABLE_TEXT) - 1)

static void reply(int fd, uint64_t unique, int error, const void *body, size_t len)
{
	struct fuse_out_header header = {.len = (uint32_t)(sizeof(header) + len), .error = error, .unique = unique};
	struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)body, len}};

	if (writev(fd, iov, 2) < 0)
		return; /* unmounted meanwhile */
}

static struct fuse_attr attr_of(uint64_t nodeid)
{
	return (struct fuse_attr){
		.ino = nodeid,
		.size = nodeid == FILE_NODEID ? TEXT_LEN : 0,
		.mode = nodeid == FILE_NODEID ? S_IFREG | 0644 : S_IFDIR | 0755,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void reply_lookup(int fd, uint64_t unique, const char *name)
{
	struct fuse_entry_out out = {.nodeid = FILE_NODEID, .attr = attr_of(FILE_NODEID)};

	if (strcmp(name, UNMAPPABLE_NAME) == 0)
		reply(fd, unique, 0, &out, sizeof(out));
	else
		reply(fd, unique, -ENOENT, NULL, 0);
}

static void reply_read(int fd, uint64_t unique, const void *args)
{
	struct fuse_read_in in;

	memcpy(&in, args, sizeof(in));
	if (in.offset >= TEXT_LEN)
		reply(fd, unique, 0, NULL, 0);
	else
		reply(fd, unique, 0, &UNMAPPABLE_TEXT[in.offset],
		      TEXT_LEN - in.offset < in.size ? TEXT_LEN - in.offset : in.size);
}

static void answer(int fd, const struct fuse_in_header *header, const void *args)
{
	struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 4096};
	struct fuse_attr_out attr = {.attr = attr_of(header->nodeid)};
	struct fuse_open_out opened = {.open_flags = FOPEN_DIRECT_IO};
	struct fuse_statfs_out statfs = {.st = {.bsize = 4096, .namelen = 255}};

	switch (header->opcode) {
	case FUSE_INIT:
		return reply(fd, header->unique, 0, &init, sizeof(init));
	case FUSE_LOOKUP:
		return reply_lookup(fd, header->unique, args);
	case FUSE_GETATTR:
		return reply(fd, header->unique, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
		return reply(fd, header->unique, 0, &opened, sizeof(opened));
	case FUSE_READ:
		return reply_read(fd, header->unique, args);
	case FUSE_STATFS:
		return reply(fd, header->unique, 0, &statfs, sizeof(statfs));
	case FUSE_RELEASE:
		return reply(fd, header->unique, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		return;
	default:
		return reply(fd, header->unique, -ENOSYS, NULL, 0);
	}
}

static void serve(int fd)
{
	static char request[64 << 10] __attribute__((aligned(8)));
	struct fuse_in_header header;
	ssize_t len;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		len = read(fd, request, sizeof(request));
		if (len < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (len < (ssize_t)sizeof(header))
			_exit(0); /* ENODEV: unmounted */
		memcpy(&header, request, sizeof(header));
		answer(fd, &header, request + sizeof(header));
	}
}

bool unmappable_mount(const char *dir, pid_t *server)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[64];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (fd < 0 || mount("unmappable", dir, "fuse", MS_NOSUID | MS_NODEV, options)) {
		close(fd);
		return false;
	}
	*server = fork();
	if (*server == 0)
		serve(fd);
	close(fd);
	return *server > 0;
}

void unmappable_unmount(const char *dir, pid_t server)
{
	umount2(dir, MNT_DETACH);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}
