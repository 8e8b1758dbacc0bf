/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the server. It was forked from a program with threads, so it allocates nothing and takes no lock: all its
 * memory is here. Who asks is this host's kernel, which is believed what handles and names it sends.
 */
#ifndef FL_SCN_FAILING_IMPL_H
#define FL_SCN_FAILING_IMPL_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FL_SCN_FAILING_NODES	4096u
#define FL_SCN_FAILING_DATA_LEN (128u << 10) /* of the longest READ and WRITE */
#define FL_SCN_FAILING_PROC_LEN 32u

/* What the runner tells it; it answers with an int32_t, 0 or -errno. */
enum fl_scn_failing_word {
	FL_SCN_FAILING_FAIL = 1, /* reading ino */
	FL_SCN_FAILING_HEAL,
	FL_SCN_FAILING_FREEZE,
	FL_SCN_FAILING_THAW,
	FL_SCN_FAILING_BEGIN,
	FL_SCN_FAILING_END, /* heals all, thaws, and is not frozen again before the next BEGIN */
};

struct fl_scn_failing_order {
	uint64_t ino;
	uint32_t word;
	uint32_t reserved;
};

/* An inode that the kernel knows. Its nodeid is its index and one; FUSE_ROOT_ID is the first. */
struct fl_scn_failing_node {
	int fd; /* O_PATH: holds the inode, so that no other one gets its number; -1: none */
	bool fails;
	uint64_t ino;
	uint64_t lookups; /* told by entries, and not forgotten yet */
	uint64_t generation;
};

struct fl_scn_failing_server {
	int dev, control;
	bool frozen, ended;
	struct fl_scn_failing_node nodes[FL_SCN_FAILING_NODES];
	/* struct fuse_in_header, its arguments, and a 0 behind what was read: strings in it end */
	_Alignas(8) uint8_t request[FL_SCN_FAILING_DATA_LEN + 4096 + 1];
	_Alignas(8) uint8_t reply[FL_SCN_FAILING_DATA_LEN]; /* what follows struct fuse_out_header */
};

/* A request while it is answered. */
struct fl_scn_failing_call {
	struct fl_scn_failing_server *server;
	struct fl_scn_failing_node *node; /* of header->nodeid */
	const struct fuse_in_header *header;
	const void *args;
	size_t args_len;
	size_t reply_len; /* of server->reply: what the answer is */
};

/* 0 or -errno, which is the answer. */
typedef int fl_scn_failing_handler(struct fl_scn_failing_call *call);

/* ---- failing_nodes.c ---------------------------------------------------------------------- */

/* NULL: no such node. */
struct fl_scn_failing_node *fl_scn_failing_node_of(struct fl_scn_failing_server *server, uint64_t nodeid);
/* The name below call->node, looked up once more. 0 or -errno. */
int fl_scn_failing_enter(struct fl_scn_failing_call *call, const char *name, struct fuse_entry_out *entry);
void fl_scn_failing_forget(struct fl_scn_failing_server *server, uint64_t nodeid, uint64_t lookups);
int fl_scn_failing_attr(const struct fl_scn_failing_node *node, struct fuse_attr *attr);
int fl_scn_failing_mark(struct fl_scn_failing_server *server, uint64_t ino, bool fails);
void fl_scn_failing_heal_all(struct fl_scn_failing_server *server);
/* A path that leads to the inode of a descriptor: for system calls that do not take O_PATH. */
const char *fl_scn_failing_proc_path(int fd, char path[FL_SCN_FAILING_PROC_LEN]);

/* ---- failing_names.c, failing_files.c ----------------------------------------------------- */

fl_scn_failing_handler fl_scn_failing_lookup, fl_scn_failing_getattr, fl_scn_failing_setattr, fl_scn_failing_mkdir,
	fl_scn_failing_unlink, fl_scn_failing_rmdir, fl_scn_failing_rename, fl_scn_failing_link, fl_scn_failing_symlink,
	fl_scn_failing_readlink, fl_scn_failing_statfs;
fl_scn_failing_handler fl_scn_failing_open, fl_scn_failing_opendir, fl_scn_failing_create, fl_scn_failing_release,
	fl_scn_failing_read, fl_scn_failing_write, fl_scn_failing_readdir, fl_scn_failing_fsync,
	fl_scn_failing_fallocate, fl_scn_failing_lseek;

/* ---- failing_server.c --------------------------------------------------------------------- */

/* Serves until the other end of control is closed. root: of the directory behind it, O_PATH. */
void fl_scn_failing_serve(struct fl_scn_failing_server *server, int dev, int control, int root);

#endif
