/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request comes to on the host, in a loop without a server: the least that a server can take for it. On the
 * calling thread, whose CPU time is measured.
 */
#ifndef FS_BARE_H
#define FS_BARE_H

#include "bench/fs_ops.h"

struct fs_bare {
	const struct fs_memory *memory;
	int data_fd, sink_fd, known_fd, made_fd;
	uint8_t *area;		/* as long as the window */
	struct fs_work numbers; /* nobody's, for its random ones */
	const struct fs_op *op;
	uint64_t made;	  /* files in "made" */
	uint64_t entries; /* of "known", read and not yet passed on */
};

/* False: a sentence is on stderr; there may still be something to end. */
bool fs_bare_begin(struct fs_bare *bare, const struct fs_tree *tree, const struct fs_memory *memory);
void fs_bare_end(struct fs_bare *bare); /* of a zeroed or begun one */

uint64_t fs_bare_cpu_ns(void);

/* The system call in question; NULL: there is none that says much. */
const char *fs_bare_name(const struct fs_op *op);
/* How many times that a request may take; 0: no goal. */
double fs_bare_goal(const struct fs_op *op);
/* CPU time for each of count (at least 1; up to FS_FILES where the request makes files), in ns. */
bool fs_bare_run(struct fs_bare *bare, const struct fs_op *op, uint64_t count, double *ns);

#endif
