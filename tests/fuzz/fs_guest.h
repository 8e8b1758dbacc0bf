/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest of fuzz_fs.c: requests from an input's bytes (fs_request.c), and what it knows from the replies
 * (fs_reply.c): nodes, handles, mappings. The server must know the same, no more and no less.
 */
#ifndef FS_GUEST_H
#define FS_GUEST_H

#include "fs_host.h"
#include "fs_tree.h"
#include "fuzz_guest.h"
#include "fuzz_loop.h"

#include <linux/fuse.h>

#include "virtiofs/fs_device.h"

#define SLOTS	      8u
#define SLOT_DESCS    6u
#define QUEUE_SIZE    64
#define IN_LEN	      UINT64_C(16384)
#define OUT_LEN	      UINT64_C(16384)
#define BULK_LEN      (UINT64_C(1) << 20) /* data of large READs and WRITEs, the same for all */
#define WINDOW_GPA    UINT64_C(0x40000000)
#define WINDOW_RANGES 4u
#define NODES_MAX     1024u
#define HANDLES_MAX   256u

/* How a request is sent; 0 is the honest way. */
#define HOW_MALFORMED	1u  /* what about it follows */
#define HOW_HOLD	2u  /* the device is not told of it yet */
#define HOW_MISMATCH	4u  /* a handle of another node */
#define HOW_HIPRIO	8u  /* on the other queue */
#define HOW_OUT_WINDOW	16u /* the reply goes to the DAX window */
#define HOW_DATA_WINDOW 32u /* data comes from there */
#define HOW_ROOM	64u /* room for the reply follows */
#define HOW_SPLIT	128u

/* One request in flight. */
struct slot {
	bool busy;
	unsigned int queue;
	uint64_t in, out; /* guest-physical */
	uint32_t in_len;  /* bytes in RAM; data may follow them */
	uint32_t data_len;
	uint32_t room;
	bool data_in_window, out_in_window;
	bool spoiled; /* its arguments may reach into the data behind them, which are not looked at */
	bool escapes; /* names an entry by what is no name */
};

struct node {
	uint64_t nodeid, nlookup;
	uint32_t type; /* S_IFMT bits */
};

struct open_file {
	uint64_t fh, nodeid;
	bool is_directory;
};

struct fs_guest {
	struct fuzz_input in;
	uint64_t digest;
	struct fs_tree tree;
	struct guest guest;
	bool has_users, as_users; /* the requests have users; they are served as these */
	struct fl_window *window; /* NULL: no DAX */
	struct fl_loop *loop;
	struct fl_fs_device *dev;
	struct fl_virtio_mmio *mmio;
	struct driver_queue queues[2];
	uint64_t bulk;
	uint64_t unique;
	struct slot slots[SLOTS];

	/* a node or a handle was given up, which requests that are still in flight may have named before */
	bool overtaken;
	bool unsure; /* a reply got lost that would have told of a node, a handle or a mapping */
	unsigned int node_count, handle_count;
	struct node nodes[NODES_MAX];
	struct open_file handles[HANDLES_MAX];
	bool ranges[WINDOW_RANGES];
};

struct node *fs_guest_find_node(struct fs_guest *guest, uint64_t nodeid);

/* Decodes one request and offers it to the device. Returns the way it was sent. */
uint8_t fs_request_send(struct fs_guest *guest, uint8_t which);
/* INIT as Linux sends it */
void fs_request_send_init(struct fs_guest *guest);

/* fs_chain.c: offers what the slot holds to the device, and tells the device unless it is to be held back. */
void fs_chain_send(struct fs_guest *guest, struct slot *slot, uint8_t how);

/* All replies that have come: checked, and taken note of. */
void fs_reply_take_all(struct fs_guest *guest);
/* The device was reset: nothing is known any more. */
void fs_reply_forget_all(struct fs_guest *guest);
/* Is what the guest knows what the server says it knows? */
void fs_reply_check_tables(struct fs_guest *guest);

#endif
