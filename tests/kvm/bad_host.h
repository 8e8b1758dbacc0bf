/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bad_host: host file systems of a test's own that can be made to fail, and to heal. They need root and live in a
 * mount name space that nobody else sees. What this host does not offer is said aloud and skipped.
 */
#ifndef FL_BAD_HOST_H
#define FL_BAD_HOST_H

#include "tests/lib/fl_test.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "fl_base.h"

#define BAD_FILE_LEN UINT64_C(0x20000)

/* Skips where that is not allowed. */
void bad_host_private_mounts(void);

/* A file of BAD_FILE_LEN bytes whose byte n is mini_pattern(n); pages in [hole, hole + hole_len) have no block. */
int bad_host_file(int dir, const char *name, uint64_t hole, uint64_t hole_len);
/* Writes until there is no space left; what it wrote is in the file "filler" of dir. */
void bad_host_fill(int dir);
void bad_host_free_space(int dir);
/* Pages of fd leave the page cache, as far as they are clean. */
void bad_host_drop_cache(int fd);

/* The memory behind a page of the file goes bad, for good: in the box. False: this kernel cannot do it. */
bool bad_host_poison(int fd, uint64_t offset);
/* The page of this mapping behaves as if its memory were bad, the memory does not; until unmapped or truncated. */
bool bad_host_poison_mapping(uint8_t *page);

/* A tmpfs of len bytes; the descriptor of its root. Skips where it may not be mounted. */
int bad_host_tmpfs(uint64_t len);

/* An ext4 of len bytes on a loop device over memory, with a device mapper table in between if `mapped`. options: of
 * mount, or NULL. */
struct bad_disk {
	int image, loop, dir;
	char loop_path[32], mapper_name[32], mount[32];
	uint64_t sectors;
};
struct bad_disk *bad_disk_new(uint64_t len, bool mapped, const char *options);
void bad_disk_free(struct bad_disk *disk);
/* The device answers EIO for the blocks of [offset, offset + len) of fd, until healed. Mapped ones only. */
void bad_disk_break(struct bad_disk *disk, int fd, uint64_t offset, uint64_t len);
void bad_disk_heal(struct bad_disk *disk);

/* A FUSE file system with one file, served by a thread of ours. */
struct bad_fuse {
	int dev, dir;
	char mount[32];
	pthread_t thread;
	pthread_mutex_t lock;	   /* guards the rest */
	uint64_t bad_from, bad_to; /* reads in there fail ... */
	int error;		   /* ... with this ... */
	unsigned int failures;	   /* ... so often; 0: until told otherwise */
	uint64_t len;
	unsigned int looks; /* so often is len told, and then the file has all its bytes again; 0: never */
	uint8_t bytes[BAD_FILE_LEN];
};
struct bad_fuse *bad_fuse_new(void);
int bad_fuse_open(struct bad_fuse *fuse);
/* Until the next call: error 0 heals. */
void bad_fuse_break(struct bad_fuse *fuse, uint64_t offset, uint64_t len, int error);
/* Heals by itself after so many reads have failed. */
void bad_fuse_break_for(struct bad_fuse *fuse, uint64_t offset, uint64_t len, int error, unsigned int failures);
/* The file grows to BAD_FILE_LEN behind the kernel's back, when its length is asked for the look-th time from now. */
void bad_fuse_grow_at(struct bad_fuse *fuse, unsigned int look);
/* The server goes away: every request from now on is answered ENOTCONN by the kernel. */
void bad_fuse_abort(struct bad_fuse *fuse);
void bad_fuse_free(struct bad_fuse *fuse);

#endif
