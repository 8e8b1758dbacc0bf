/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/virtiofs/stuck_fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELD_MAX     512u
#define FILE_NODEID  2u
#define DATA_MAX     (128u << 10)
#define REQUEST_ROOM (DATA_MAX + 4096u)

/* A request that hangs. */
struct stuck_request {
	uint64_t unique, nodeid, offset;
	uint32_t opcode, size;
};

/* In memory that both processes share. */
struct stuck_fuse {
	int fd; /* the server's */
	pid_t server;
	pthread_mutex_t lock; /* the rest */
	pthread_cond_t changed;
	bool holds, holds_attributes;
	uint32_t held_count;
	struct stuck_request held[HELD_MAX];
};

static void reply(const struct stuck_fuse *fuse, uint64_t unique, int error, const void *body, size_t len)
{
	struct fuse_out_header header = {.len = (uint32_t)(sizeof(header) + len), .error = error, .unique = unique};
	struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)body, len}};

	if (writev(fuse->fd, iov, 2) < 0)
		return; /* whoever asked has gone */
}

static struct fuse_attr attr_of(uint64_t nodeid)
{
	bool is_file = nodeid == FILE_NODEID;

	return (struct fuse_attr){
		.ino = nodeid,
		.size = is_file ? STUCK_FILE_LEN : 0,
		.mode = is_file ? S_IFREG | 0666 : S_IFDIR | 0777,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void reply_lookup(const struct stuck_fuse *fuse, uint64_t unique, const char *name)
{
	struct fuse_entry_out out = {.nodeid = FILE_NODEID, .attr = attr_of(FILE_NODEID)};

	if (strcmp(name, STUCK_NAME) == 0)
		reply(fuse, unique, 0, &out, sizeof(out));
	else
		reply(fuse, unique, -ENOENT, NULL, 0);
}

static void reply_attributes(const struct stuck_fuse *fuse, uint64_t unique, uint64_t nodeid)
{
	struct fuse_attr_out attr = {.attr = attr_of(nodeid)};

	reply(fuse, unique, 0, &attr, sizeof(attr));
}

static void reply_statfs(const struct stuck_fuse *fuse, uint64_t unique)
{
	struct fuse_statfs_out statfs = {.st = {.bsize = 4096, .namelen = 255}};

	reply(fuse, unique, 0, &statfs, sizeof(statfs));
}

/* As if it had been done. */
static void reply_done(const struct stuck_fuse *fuse, const struct stuck_request *request)
{
	struct fuse_write_out out = {.size = request->size};
	uint8_t *data;

	switch (request->opcode) {
	case FUSE_READ:
		data = malloc(request->size);
		for (uint32_t i = 0; i < request->size; i++)
			data[i] = stuck_byte(request->offset + i);
		reply(fuse, request->unique, 0, data, request->size);
		free(data);
		return;
	case FUSE_WRITE:
	case FUSE_COPY_FILE_RANGE:
		reply(fuse, request->unique, 0, &out, sizeof(out));
		return;
	case FUSE_GETATTR:
		return reply_attributes(fuse, request->unique, request->nodeid);
	case FUSE_STATFS:
		return reply_statfs(fuse, request->unique);
	default:
		reply(fuse, request->unique, 0, NULL, 0);
	}
}

static struct stuck_request describe(const struct fuse_in_header *header, const void *args)
{
	struct stuck_request request = {.unique = header->unique, .nodeid = header->nodeid, .opcode = header->opcode};
	struct fuse_copy_file_range_in copy;
	struct fuse_read_in data; /* fuse_write_in begins in the same way */

	if (header->opcode == FUSE_COPY_FILE_RANGE) {
		memcpy(&copy, args, sizeof(copy));
		request.size = (uint32_t)copy.len;
	} else if (header->opcode == FUSE_READ || header->opcode == FUSE_WRITE) {
		memcpy(&data, args, sizeof(data));
		request.offset = data.offset;
		request.size = data.size;
	}
	return request;
}

static void answer_later(struct stuck_fuse *fuse, const struct stuck_request *request)
{
	bool is_data =
		request->opcode != FUSE_GETATTR && request->opcode != FUSE_STATFS && request->opcode != FUSE_FLUSH;

	pthread_mutex_lock(&fuse->lock);
	if (!(is_data ? fuse->holds : fuse->holds_attributes) || fuse->held_count == HELD_MAX) {
		reply_done(fuse, request);
	} else {
		fuse->held[fuse->held_count++] = *request;
		pthread_cond_broadcast(&fuse->changed);
	}
	pthread_mutex_unlock(&fuse->lock);
}

static void answer(struct stuck_fuse *fuse, const struct fuse_in_header *header, const void *args)
{
	struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = DATA_MAX};
	struct fuse_open_out opened = {0};
	struct stuck_request request;

	switch (header->opcode) {
	case FUSE_INIT:
		/* max_readahead 0: only what is asked for is read */
		return reply(fuse, header->unique, 0, &init, sizeof(init));
	case FUSE_LOOKUP:
		return reply_lookup(fuse, header->unique, args);
	case FUSE_SETATTR:
		return reply_attributes(fuse, header->unique, header->nodeid);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return reply(fuse, header->unique, 0, &opened, sizeof(opened));
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return reply(fuse, header->unique, 0, NULL, 0);
	case FUSE_GETATTR:
	case FUSE_STATFS:
	case FUSE_FLUSH:
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_FSYNC:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
		request = describe(header, args);
		return answer_later(fuse, &request);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		return reply(fuse, header->unique, -ENOSYS, NULL, 0);
	}
}

static void serve(struct stuck_fuse *fuse)
{
	uint8_t *request = malloc(REQUEST_ROOM);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct fuse_in_header header;
		ssize_t len = read(fuse->fd, request, REQUEST_ROOM);

		if (len < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (len < (ssize_t)sizeof(header))
			_exit(0); /* ENODEV: unmounted */
		memcpy(&header, request, sizeof(header));
		answer(fuse, &header, request + sizeof(header));
	}
}

/* In the server's process: what hangs is let go by a thread, while the other one reads requests. */
static void *let_go(void *arg)
{
	struct stuck_fuse *fuse = arg;

	pthread_mutex_lock(&fuse->lock);
	for (;;) {
		while (fuse->holds || !fuse->held_count)
			pthread_cond_wait(&fuse->changed, &fuse->lock);
		while (fuse->held_count)
			reply_done(fuse, &fuse->held[--fuse->held_count]);
	}
	return NULL;
}

static void run_server(struct stuck_fuse *fuse)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, let_go, fuse) == 0)
		serve(fuse);
	_exit(1);
}

static void init_shared(struct stuck_fuse *fuse)
{
	pthread_mutexattr_t lock;
	pthread_condattr_t cond;

	pthread_mutexattr_init(&lock);
	pthread_mutexattr_setpshared(&lock, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&fuse->lock, &lock);
	pthread_condattr_init(&cond);
	pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&fuse->changed, &cond);
}

/* In a mount namespace of this thread's and those it will make: what a test that crashes has mounted goes with it. */
static bool mount_fuse(const char *dir, int fd)
{
	char options[80];

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
		 fd);
	return fd >= 0 && mount("stuck", dir, "fuse", MS_NOSUID | MS_NODEV, options) == 0;
}

struct stuck_fuse *stuck_fuse_mount(const char *dir)
{
	struct stuck_fuse *fuse = mmap(NULL, sizeof(*fuse), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t server;

	if (fuse == MAP_FAILED)
		return NULL;
	init_shared(fuse);
	fuse->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (!mount_fuse(dir, fuse->fd)) {
		if (fuse->fd >= 0)
			close(fuse->fd);
		munmap(fuse, sizeof(*fuse));
		return NULL;
	}
	server = fork();
	if (server == 0)
		run_server(fuse);
	fuse->server = server;
	close(fuse->fd);
	return fuse;
}

void stuck_fuse_unmount(struct stuck_fuse *fuse, const char *dir)
{
	umount2(dir, MNT_DETACH);
	if (fuse->server > 0)
		kill(fuse->server, SIGKILL);
	while (fuse->server > 0 && waitpid(fuse->server, NULL, 0) < 0 && errno == EINTR)
		;
	munmap(fuse, sizeof(*fuse));
}

void stuck_fuse_hold(struct stuck_fuse *fuse)
{
	pthread_mutex_lock(&fuse->lock);
	fuse->holds = true;
	pthread_mutex_unlock(&fuse->lock);
}

void stuck_fuse_hold_attributes(struct stuck_fuse *fuse)
{
	pthread_mutex_lock(&fuse->lock);
	fuse->holds = true;
	fuse->holds_attributes = true;
	pthread_mutex_unlock(&fuse->lock);
}

void stuck_fuse_wait_held(struct stuck_fuse *fuse, uint32_t count)
{
	pthread_mutex_lock(&fuse->lock);
	while (fuse->held_count < count)
		pthread_cond_wait(&fuse->changed, &fuse->lock);
	pthread_mutex_unlock(&fuse->lock);
}

void stuck_fuse_let_go(struct stuck_fuse *fuse)
{
	pthread_mutex_lock(&fuse->lock);
	fuse->holds = false;
	fuse->holds_attributes = false;
	pthread_cond_broadcast(&fuse->changed);
	pthread_mutex_unlock(&fuse->lock);
}
