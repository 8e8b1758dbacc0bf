/* SPDX-License-Identifier: Apache-2.0 */
/* The least FUSE server (include/uapi/linux/fuse.h) that a file can be mapped from. */
#include "tests/kvm/bad_host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "tests/kvm/mini_vm.h"

#define FILE_NODE   2u
#define REQUEST_LEN (256u << 10)

static struct fuse_attr attr_of(const struct bad_fuse *fuse, uint64_t node)
{
	bool file = node == FILE_NODE;

	return (struct fuse_attr){
		.ino = node,
		.size = file ? fuse->len : 0,
		.mode = file ? S_IFREG | 0600 : S_IFDIR | 0700,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void answer(struct bad_fuse *fuse, uint64_t unique, int error, const void *body, size_t len)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + (error ? 0 : len)), .error = error, .unique = unique};
	struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)body, len}};

	/* fails for a request that was interrupted, and after the end */
	(void)!writev(fuse->dev, iov, error || !len ? 1 : 2);
}

static void serve_init(struct bad_fuse *fuse, const struct fuse_in_header *header)
{
	const struct fuse_init_out out = {.major = 7, .minor = 31, .max_write = 64 << 10, .max_pages = 16};

	answer(fuse, header->unique, 0, &out, sizeof(out));
}

static void serve_read(struct bad_fuse *fuse, const struct fuse_in_header *header)
{
	const struct fuse_read_in *in = (const void *)(header + 1);
	uint64_t from = FL_MIN(in->offset, BAD_FILE_LEN), len = FL_MIN(in->size, BAD_FILE_LEN - from);
	int error = 0;

	FL_LOCKED(&fuse->lock);
	if (fuse->error && from < fuse->bad_to && from + len > fuse->bad_from) {
		/* read-ahead across the border: what lies before it */
		if (from >= fuse->bad_from) {
			error = -fuse->error;
			if (fuse->failures && --fuse->failures == 0)
				fuse->error = 0;
		}
		len = fuse->bad_from - FL_MIN(from, fuse->bad_from);
	}
	answer(fuse, header->unique, error, fuse->bytes + from, len);
}

static void serve_write(struct bad_fuse *fuse, const struct fuse_in_header *header)
{
	const struct fuse_write_in *in = (const void *)(header + 1);
	const struct fuse_write_out out = {.size = in->size};

	FL_LOCKED(&fuse->lock);
	if (fl_range_fits(in->offset, in->size, BAD_FILE_LEN))
		memcpy(fuse->bytes + in->offset, in + 1, in->size);
	answer(fuse, header->unique, 0, &out, sizeof(out));
}

/* Nothing of it may be remembered: no time of validity. */
static void serve_lookup(struct bad_fuse *fuse, const struct fuse_in_header *header)
{
	struct fuse_entry_out entry = {.nodeid = FILE_NODE};

	FL_LOCKED(&fuse->lock);
	entry.attr = attr_of(fuse, FILE_NODE);
	answer(fuse, header->unique, 0, &entry, sizeof(entry));
}

static void serve_attr(struct bad_fuse *fuse, const struct fuse_in_header *header)
{
	const struct fuse_setattr_in *in = (const void *)(header + 1);
	struct fuse_attr_out attr = {0};

	FL_LOCKED(&fuse->lock);
	if (header->opcode == FUSE_SETATTR && (in->valid & FATTR_SIZE))
		fuse->len = FL_MIN(in->size, BAD_FILE_LEN);
	else if (header->nodeid == FILE_NODE && fuse->looks && --fuse->looks == 0)
		fuse->len = BAD_FILE_LEN;
	attr.attr = attr_of(fuse, header->nodeid);
	answer(fuse, header->unique, 0, &attr, sizeof(attr));
}

static void serve(struct bad_fuse *fuse, const struct fuse_in_header *header)
{
	/* not flushed: a process that dies would ask its own server, which is dead already, and hang for ever */
	const struct fuse_open_out opened = {.open_flags = FOPEN_KEEP_CACHE | FOPEN_NOFLUSH};

	switch (header->opcode) {
	case FUSE_INIT:
		serve_init(fuse, header);
		return;
	case FUSE_LOOKUP:
		serve_lookup(fuse, header);
		return;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		serve_attr(fuse, header);
		return;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		answer(fuse, header->unique, 0, &opened, sizeof(opened));
		return;
	case FUSE_READ:
		serve_read(fuse, header);
		return;
	case FUSE_WRITE:
		serve_write(fuse, header);
		return;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
	case FUSE_FSYNC:
		answer(fuse, header->unique, 0, NULL, 0);
		return;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		answer(fuse, header->unique, -ENOSYS, NULL, 0);
	}
}

static void *serve_all(void *arg)
{
	struct bad_fuse *fuse = arg;
	FL_FREE uint8_t *buf = malloc(REQUEST_LEN);
	ssize_t len;

	while (buf) {
		len = read(fuse->dev, buf, REQUEST_LEN);
		if (len >= (ssize_t)sizeof(struct fuse_in_header))
			serve(fuse, (const void *)buf);
		else if (len >= 0 || (errno != EINTR && errno != EAGAIN && errno != ENOENT))
			break; /* ENODEV: unmounted or aborted */
	}
	return NULL;
}

struct bad_fuse *bad_fuse_new(void)
{
	struct bad_fuse *fuse;
	char options[96];
	int dev;

	bad_host_private_mounts();
	dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		SKIP_FOR("no /dev/fuse: %s", strerror(errno));
	fuse = calloc(1, sizeof(*fuse));
	assert_non_null(fuse);
	fuse->dev = dev;
	fuse->len = BAD_FILE_LEN;
	for (uint64_t i = 0; i < BAD_FILE_LEN; i++)
		fuse->bytes[i] = mini_pattern(i);
	pthread_mutex_init(&fuse->lock, NULL);
	strcpy(fuse->mount, "/tmp/fl-bad-XXXXXX");
	assert_non_null(mkdtemp(fuse->mount));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse->dev);
	if (mount("bad", fuse->mount, "fuse", 0, options) < 0)
		SKIP_FOR("cannot mount a FUSE file system: %s", strerror(errno));
	assert_int_equal(pthread_create(&fuse->thread, NULL, serve_all, fuse), 0);
	fuse->dir = open(fuse->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fuse->dir >= 0);
	return fuse;
}

int bad_fuse_open(struct bad_fuse *fuse)
{
	int fd = openat(fuse->dir, "file", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

void bad_fuse_break(struct bad_fuse *fuse, uint64_t offset, uint64_t len, int error)
{
	bad_fuse_break_for(fuse, offset, len, error, 0);
}

void bad_fuse_break_for(struct bad_fuse *fuse, uint64_t offset, uint64_t len, int error, unsigned int failures)
{
	FL_LOCKED(&fuse->lock);
	fuse->bad_from = offset;
	fuse->bad_to = offset + len;
	fuse->error = error;
	fuse->failures = failures;
}

void bad_fuse_grow_at(struct bad_fuse *fuse, unsigned int look)
{
	FL_LOCKED(&fuse->lock);
	fuse->looks = look;
}

void bad_fuse_abort(struct bad_fuse *fuse)
{
	struct stat st;
	char path[64];
	int fd;

	/* /sys/fs/fuse/connections/DEV/abort: minor number of the anonymous device */
	assert_int_equal(fstat(fuse->dir, &st), 0);
	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", minor(st.st_dev));
	(void)!mount("none", "/sys/fs/fuse/connections", "fusectl", 0, NULL);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1", 1), 1);
	close(fd);
}

void bad_fuse_free(struct bad_fuse *fuse)
{
	close(fuse->dir);
	assert_int_equal(umount2(fuse->mount, MNT_FORCE | MNT_DETACH), 0);
	rmdir(fuse->mount);
	pthread_join(fuse->thread, NULL);
	close(fuse->dev);
	pthread_mutex_destroy(&fuse->lock);
	free(fuse);
}
