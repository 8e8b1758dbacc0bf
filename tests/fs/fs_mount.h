/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side of virtio-fs, as fs/fuse/virtio_fs.c of Linux 6.12 plays it: each request an indirect chain of
 * header, arguments and single pages; answers collected at an interrupt, with interrupts off meanwhile.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <linux/fuse.h>

#include "mmu_backing/gpa_map.h"
#include "mmu_backing/guest_ram.h"
#include "tests/fs/ring.h"

#define FS_SLOTS      64u  /* requests in flight at most */
#define FS_PAGES      256u /* of data in a request */
#define FS_QUEUE_SIZE 512u
#define FS_RAM_GPA    UINT64_C(0x40000000)
#define FS_ARGS_MAX   1024u

enum fs_queue { FS_HIPRIO, FS_REQUESTS, FS_QUEUES };

/* A guest's memory: one for all servers, so that all move the same pages. */
struct fs_memory {
	struct fl_guest_ram ram;
	struct fl_gpa_map map;
	uint64_t used_len;
};

bool fs_memory_init(struct fs_memory *memory);
void fs_memory_fini(struct fs_memory *memory);
/* Page `index` of the data of a slot. The pages of a slot are not in a row, as those of a page cache are not. */
uint8_t *fs_page(const struct fs_memory *memory, unsigned int slot, unsigned int index);

/* A file system in use: the queues of one server. */
struct fs_mount {
	struct fs_memory *memory;
	struct ring rings[FS_QUEUES];
	uint64_t unique;
};

/* Rings for another server. The server sets their eventfds, and starts to serve them. */
bool fs_mount_init(struct fs_mount *mount, struct fs_memory *memory);

/* A request, to be filled in; its data are the pages of its slot. */
struct fs_call {
	uint32_t opcode;
	uint64_t nodeid;
	void *args; /* room for FS_ARGS_MAX bytes */
	uint32_t args_len;
	uint32_t sent_len;	/* of data that go with it */
	uint32_t reply_len;	/* of what is answered besides the data, without the header */
	uint32_t reply_max_len; /* of data that may come back */
};

struct fs_reply {
	const void *body; /* of reply_len bytes */
	uint32_t len;	  /* of the answer without its header */
};

struct fs_job {
	void (*fill)(void *arg, unsigned int slot, uint64_t number, struct fs_call *call);
	/* The answer is no error; false: it is wrong all the same. NULL: whatever it says is right. */
	bool (*done)(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply);
	void *arg;
};

/* Has requests 0 to count - 1 served, `depth` (at most FS_SLOTS) in flight. False: a sentence is on stderr. */
bool fs_mount_run(struct fs_mount *mount, const struct fs_job *job, unsigned int depth, uint64_t count);
/* Says INIT. */
bool fs_mount_begin(struct fs_mount *mount);
/* The guest has forgotten these nodes, each of which it has looked up once. */
bool fs_mount_forget(struct fs_mount *mount, const uint64_t *nodes, uint64_t count);

#endif
