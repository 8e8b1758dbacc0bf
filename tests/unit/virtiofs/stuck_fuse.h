/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system of our own (FUSE, by /dev/fuse) that can be told not to answer: what is done with the data of its one
 * file hangs until it is let go. Names and attributes are always answered, unless asking for these shall hang too,
 * which is then done for permission as well, each time. It knows no RWF_NOWAIT.
 */
#ifndef STUCK_FUSE_H
#define STUCK_FUSE_H

#include <stdbool.h>
#include <stdint.h>

#define STUCK_NAME     "slow"
#define STUCK_FILE_LEN (UINT64_C(4) << 20)

struct stuck_fuse;

/* The byte at that place of the file. */
static inline uint8_t stuck_byte(uint64_t offset)
{
	return (uint8_t)(offset >> 12) | 1;
}

/*
 * Mounted on dir, served by a process of its own: one that hangs in it and dies takes nobody along. Called when there
 * is one thread. NULL: this process may not mount, or there is no /dev/fuse.
 */
struct stuck_fuse *stuck_fuse_mount(const char *dir);
void stuck_fuse_unmount(struct stuck_fuse *fuse, const char *dir);
/* From now on nothing is answered. */
void stuck_fuse_hold(struct stuck_fuse *fuse);
/* Nor is who asks for attributes or for the file system's, or closes a file; what sets attributes is. */
void stuck_fuse_hold_attributes(struct stuck_fuse *fuse);
/* Returns when so many requests (or more) hang. */
void stuck_fuse_wait_held(struct stuck_fuse *fuse, uint32_t count);
/* Answers all, and all that come. */
void stuck_fuse_let_go(struct stuck_fuse *fuse);

#endif
