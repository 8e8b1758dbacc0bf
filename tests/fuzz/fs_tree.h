/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_tree: a directory to be shared, made anew for every input, with links that lead out of it, and what lies beside
 * it: files and a directory of which nothing may change, not even the time of last access.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "fuzz.h"

#include <sys/stat.h>

#define TREE_CANARIES 4

struct fs_tree {
	char base[64]; /* holds all of it */
	int base_fd, share_fd;
	struct statx canaries[TREE_CANARIES];
};

void fs_tree_init(struct fs_tree *tree);
/* Every user can do something in the share. */
void fs_tree_open_to_all(const struct fs_tree *tree);
/* Has anything outside the share been touched? */
void fs_tree_check(const struct fs_tree *tree);
/* What other processes of the host do to a shared file meanwhile. */
void fs_tree_meddle(const struct fs_tree *tree, uint8_t how);
void fs_tree_fini(struct fs_tree *tree);

/* Descriptors that this process has. */
unsigned int fs_tree_count_descriptors(void);

#endif
