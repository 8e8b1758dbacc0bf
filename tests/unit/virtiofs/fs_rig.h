/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_rig: a FUSE server over a scratch directory, driven with byte buffers. Every reply is checked for
 * the rules that hold for all of them (rig_send()); what it says is the test's business.
 */
#ifndef FL_FS_RIG_H
#define FL_FS_RIG_H

#include "tests/lib/fl_test.h"

#include <linux/fuse.h>
#include <sys/stat.h>

#include "virtiofs/fuse_dispatch.h"

#define RIG_IN_LEN  (2u << 20)
#define RIG_OUT_LEN (2u << 20)
#define RIG_ROOM    4096u
#define NO_REPLY    1 /* from rig_send(): nothing was written */
#define BROKEN	    2 /* from rig_send(): the device needs a reset */

struct rig {
	struct fl_fs *fs;
	struct fl_window *window;
	char dir[64]; /* exported */
	int dir_fd;
	uint64_t unique;
	uint32_t uid, gid; /* who asks */
	bool as_users;
	size_t in_len;
	size_t writable_len;
	int64_t used;
	const uint8_t *body; /* of the last reply */
	size_t body_len;
	uint8_t *payload; /* if not NULL: where READ and WRITE find their data instead */
	uint8_t *in;
	uint8_t *out;
};

#define RIG_READ_ONLY 1u
#define RIG_WINDOW    2u
#define RIG_NO_INIT   4u
struct rig *rig_new(uint32_t flags);
/* The same for limits that a test chooses; opts->root_fd and window are the rig's. */
struct rig *rig_new_with(uint32_t flags, struct fl_fs_opts opts);
void rig_free(struct rig *rig); /* removes the directory with all that is in it */

/* A request is begun, gets arguments, and is sent with so much room for the whole reply. */
void rig_begin(struct rig *rig, uint32_t opcode, uint64_t nodeid);
void rig_put(struct rig *rig, const void *bytes, size_t len);
void rig_put_string(struct rig *rig, const char *string); /* with its NUL */
struct fuse_in_header *rig_header(struct rig *rig);	  /* for lies */
/* 0 or the reply's negative error, NO_REPLY, BROKEN. */
int rig_send(struct rig *rig, size_t writable_len);

/* INIT as Linux 6.12 sends it; what it offers comes in flags. */
int rig_init(struct rig *rig, uint64_t flags, struct fuse_init_out *out);
#define RIG_OFFER_ALL (UINT64_MAX & ~(uint64_t)(1u << 31))

/* One name operation with fixed arguments. */
int rig_name(struct rig *rig, uint32_t opcode, uint64_t dir, const void *args, size_t args_len, const char *name);
int rig_lookup(struct rig *rig, uint64_t dir, const char *name, struct fuse_entry_out *entry);
/* nodeid of a name that must be there */
uint64_t rig_node(struct rig *rig, uint64_t dir, const char *name);
int rig_forget(struct rig *rig, uint64_t nodeid, uint64_t nlookup);
int rig_getattr(struct rig *rig, uint64_t nodeid, struct fuse_attr *attr);
int rig_open(struct rig *rig, uint64_t nodeid, uint32_t flags, uint64_t *fh);
int rig_opendir(struct rig *rig, uint64_t nodeid, uint64_t *fh);
int rig_release(struct rig *rig, uint64_t nodeid, uint64_t fh);
int rig_read(struct rig *rig, uint64_t nodeid, uint64_t fh, uint64_t offset, uint32_t size);
int rig_write(struct rig *rig, uint64_t nodeid, uint64_t fh, uint64_t offset, const void *data, uint32_t size,
	      uint32_t flags);

/* May files be opened by handle here? */
bool can_open_by_handle(const char *dir);
#define SKIP_WITHOUT_HANDLES()                             \
	do {                                               \
		if (!can_open_by_handle("/tmp"))           \
			SKIP_FOR("cannot open by handle"); \
	} while (0)

/* On the host, in the exported directory. */
void host_file(struct rig *rig, const char *name, const void *data, size_t len);
struct stat host_stat(struct rig *rig, const char *name);
size_t host_read(struct rig *rig, const char *name, void *buf, size_t cap);

#endif
