/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a server of files, one kind of request at a time, and the tree that it is asked about. */
#ifndef FS_OPS_H
#define FS_OPS_H

#include "tests/fs/fs_server.h"

#define FS_FILES    1024u /* in a directory */
#define FS_DATA_LEN (UINT64_C(64) << 20)
#define FS_NAME_LEN 16

/* On the host: directories "known", "fresh" and "made", and the files "data" and "sink". */
struct fs_tree {
	char path[512];
	int dir_fd;
};

bool fs_tree_make(struct fs_tree *tree, const char *parent);
void fs_tree_remove(struct fs_tree *tree); /* of a zeroed or made one */

struct fs_op;

/* One guest's state: what it knows of the tree by its server. */
struct fs_work {
	struct fs_mount *mount;
	const struct fs_tree *tree;
	const struct fs_op *op;
	unsigned int depth;
	uint64_t known_dir, fresh_dir, made_dir, data, sink;
	uint64_t data_fh, sink_fh;
	uint64_t known[FS_FILES]; /* nodes in "known" */
	uint64_t fresh[FS_FILES]; /* nodes in "fresh" or "made", and open files there */
	uint64_t fhs[FS_FILES];
	uint64_t dir_fhs[FS_SLOTS], dir_offsets[FS_SLOTS];
	uint64_t places[FS_SLOTS]; /* in the file, of the request in flight */
	uint64_t seed;
};

#define FS_SEED UINT64_C(88172645463325252)
uint64_t fs_any(struct fs_work *work, uint64_t below); /* a random number */
/* Looks up and opens what there is. */
bool fs_work_begin(struct fs_work *work, struct fs_server *server, const struct fs_tree *tree);

struct fs_op {
	const char *name;
	uint32_t data_len;
	uint64_t count_max; /* requests at a time; 0: any number */
	bool (*before)(struct fs_work *work, uint64_t count);
	void (*fill)(void *work, unsigned int slot, uint64_t number, struct fs_call *call);
	bool (*done)(void *work, unsigned int slot, uint64_t number, const struct fs_reply *reply);
	bool (*after)(struct fs_work *work, uint64_t count);
	bool needs_window;
};

/* Looking up files of "known", whose nodes the next ones ask about. */
#define FS_OP_LOOKUP_KNOWN 0
#define FS_OPS		   12
extern const struct fs_op fs_ops[FS_OPS];

struct fs_spent {
	uint64_t ns;	 /* from the first request to the last answer */
	uint64_t cpu_ns; /* of the server */
};

/* Has `count` requests served by the server of work's mount; what has to be done before and after is not counted. */
bool fs_op_run(struct fs_work *work, const struct fs_server *server, const struct fs_op *op, unsigned int depth,
	       uint64_t count, struct fs_spent *spent);

#endif
