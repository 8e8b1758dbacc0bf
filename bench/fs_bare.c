/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#include "bench/fs_bare.h"

#define GOAL_READ 1.3
#define GOAL_MAP  1.5
#define MIB	  (1u << 20)
/* What READDIR's answer of a page holds of names such as "file-0001". */
#define ENTRY_LEN	FUSE_REC_ALIGN(FUSE_NAME_OFFSET + 9)
#define ENTRIES_IN_PAGE (FL_PAGE_LEN / ENTRY_LEN)
#define READ_AHEAD_LEN	8192 /* as src/virtiofs/handle_table.h */

uint64_t fs_bare_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- data: places are chosen as for the servers, and the pages are a guest's, so that as little of it is in caches
 * ---- */

static int choose_data(struct fs_bare *bare, struct iovec *iov, off_t *offset)
{
	uint32_t len = bare->op->data_len;
	uint64_t place = fs_any(&bare->numbers, FS_DATA_LEN / len);
	int count = (int)(len / FL_PAGE_LEN);

	*offset = (off_t)(place * len);
	for (int i = 0; i < count; i++)
		iov[i] = (struct iovec){.iov_base = fs_page(bare->memory, place % FS_SLOTS, (unsigned int)i),
					.iov_len = FL_PAGE_LEN};
	return count;
}

static bool read_data(struct fs_bare *bare)
{
	struct iovec iov[MIB / FL_PAGE_LEN];
	off_t offset;
	int count = choose_data(bare, iov, &offset);
	ssize_t done = count == 1 ? pread(bare->data_fd, iov->iov_base, FL_PAGE_LEN, offset)
				  : preadv(bare->data_fd, iov, count, offset);

	return done == (ssize_t)bare->op->data_len;
}

static bool write_data(struct fs_bare *bare)
{
	struct iovec iov[MIB / FL_PAGE_LEN];
	off_t offset;
	int count = choose_data(bare, iov, &offset);
	ssize_t done = count == 1 ? pwrite(bare->sink_fd, iov->iov_base, FL_PAGE_LEN, offset)
				  : pwritev(bare->sink_fd, iov, count, offset);

	return done == (ssize_t)bare->op->data_len;
}

static bool map_data(struct fs_bare *bare)
{
	uint8_t *place = bare->area + fs_any(&bare->numbers, FS_WINDOW_LEN / FL_RANGE_LEN) * FL_RANGE_LEN;
	off_t offset = (off_t)(fs_any(&bare->numbers, FS_DATA_LEN / FL_RANGE_LEN) * FL_RANGE_LEN);

	return mmap(place, FL_RANGE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, bare->data_fd, offset) ==
	       place;
}

/* ---- names ---- */

static void name_file(char name[FS_NAME_LEN], uint64_t number)
{
	snprintf(name, FS_NAME_LEN, "file-%04u", (unsigned int)number);
}

static bool make_file(struct fs_bare *bare)
{
	char name[FS_NAME_LEN];
	int fd;

	name_file(name, bare->made);
	fd = openat(bare->made_fd, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	close(fd);
	bare->made++;
	return true;
}

static bool remove_made(struct fs_bare *bare)
{
	char name[FS_NAME_LEN];

	while (bare->made) {
		name_file(name, --bare->made);
		if (unlinkat(bare->made_fd, name, 0))
			return false;
	}
	return true;
}

static bool read_entries(struct fs_bare *bare)
{
	char ahead[READ_AHEAD_LEN] __attribute__((aligned(8)));

	while (bare->entries < ENTRIES_IN_PAGE) {
		ssize_t len = getdents64(bare->known_fd, ahead, sizeof(ahead));

		if (len < 0 || (!len && lseek(bare->known_fd, 0, SEEK_SET)))
			return false;
		for (ssize_t at = 0; at < len; bare->entries++)
			at += ((const struct dirent64 *)(const void *)(ahead + at))->d_reclen;
	}
	bare->entries -= ENTRIES_IN_PAGE;
	return true;
}

/* ---- all of them ---- */

struct loop {
	const char *op, *name;
	bool (*turn)(struct fs_bare *bare);
	double goal;
};

static const struct loop loops[] = {
	{"create", "open(O_CREAT), close()", make_file, 0}, {"readdir", "getdents64()", read_entries, 0},
	{"read 4 KiB", "pread()", read_data, GOAL_READ},    {"read 1 MiB", "preadv()", read_data, 0},
	{"write 4 KiB", "pwrite()", write_data, 0},	    {"write 1 MiB", "pwritev()", write_data, 0},
	{"SETUPMAPPING", "mmap()", map_data, GOAL_MAP},
};

static const struct loop *loop_of(const struct fs_op *op)
{
	for (size_t i = 0; i < FL_ARRAY_SIZE(loops); i++)
		if (strcmp(loops[i].op, op->name) == 0)
			return &loops[i];
	return NULL;
}

const char *fs_bare_name(const struct fs_op *op)
{
	const struct loop *loop = loop_of(op);

	return loop ? loop->name : NULL;
}

double fs_bare_goal(const struct fs_op *op)
{
	const struct loop *loop = loop_of(op);

	return loop ? loop->goal : 0;
}

bool fs_bare_run(struct fs_bare *bare, const struct fs_op *op, uint64_t count, double *ns)
{
	const struct loop *loop = loop_of(op);
	uint64_t began = fs_bare_cpu_ns();

	bare->op = op;
	for (uint64_t i = 0; loop && i < count; i++) {
		if (!loop->turn(bare)) {
			fprintf(stderr, "%s: %s\n", loop->name, strerror(errno));
			return false;
		}
	}
	*ns = (double)(fs_bare_cpu_ns() - began) / (double)count;
	return remove_made(bare);
}

bool fs_bare_begin(struct fs_bare *bare, const struct fs_tree *tree, const struct fs_memory *memory)
{
	*bare = (struct fs_bare){.memory = memory, .numbers.seed = FS_SEED};
	bare->data_fd = openat(tree->dir_fd, "data", O_RDWR | O_CLOEXEC);
	bare->sink_fd = openat(tree->dir_fd, "sink", O_RDWR | O_CLOEXEC);
	bare->known_fd = openat(tree->dir_fd, "known", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bare->made_fd = openat(tree->dir_fd, "made", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bare->area = mmap(NULL, FS_WINDOW_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bare->data_fd >= 0 && bare->sink_fd >= 0 && bare->known_fd >= 0 && bare->made_fd >= 0 &&
	    bare->area != MAP_FAILED)
		return true;
	fprintf(stderr, "the files cannot be opened: %s\n", strerror(errno));
	return false;
}

void fs_bare_end(struct fs_bare *bare)
{
	if (!bare->memory)
		return;
	if (bare->area != MAP_FAILED)
		munmap(bare->area, FS_WINDOW_LEN);
	fl_close(&bare->data_fd);
	fl_close(&bare->sink_fd);
	fl_close(&bare->known_fd);
	fl_close(&bare->made_fd);
}
