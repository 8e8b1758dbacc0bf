/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/fs_ops.h"

static bool make_files(int dir_fd, const char *name)
{
	FL_CLOSE int sub_fd = -1;

	if (mkdirat(dir_fd, name, 0755))
		return false;
	sub_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 0; i < FS_FILES; i++) {
		char file[FS_NAME_LEN];
		FL_CLOSE int fd = -1;

		snprintf(file, sizeof(file), "file-%04u", i);
		fd = openat(sub_fd, file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			return false;
	}
	return true;
}

/* Each page begins with its number. */
static bool make_data(int dir_fd, const char *name)
{
	FL_CLOSE int fd = openat(dir_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	for (uint64_t page = 0; fd >= 0 && page < FS_DATA_LEN / FL_PAGE_LEN; page++) {
		uint64_t words[FL_PAGE_LEN / sizeof(uint64_t)] = {page};

		if (write(fd, words, sizeof(words)) != sizeof(words))
			return false;
	}
	return fd >= 0;
}

bool fs_tree_make(struct fs_tree *tree, const char *parent)
{
	*tree = (struct fs_tree){.dir_fd = -1};
	snprintf(tree->path, sizeof(tree->path), "%s/faultline-fs-XXXXXX", parent);
	if (!mkdtemp(tree->path)) {
		tree->path[0] = 0;
		fprintf(stderr, "no directory can be made in %s\n", parent);
		return false;
	}
	tree->dir_fd = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree->dir_fd >= 0 && make_files(tree->dir_fd, "known") && make_files(tree->dir_fd, "fresh") &&
	    mkdirat(tree->dir_fd, "made", 0755) == 0 && make_data(tree->dir_fd, "data") &&
	    make_data(tree->dir_fd, "sink"))
		return true;
	fprintf(stderr, "the files cannot be made in %s\n", tree->path);
	return false;
}

static void remove_files(int dir_fd, const char *name)
{
	FL_CLOSE int sub_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned int i = 0; sub_fd >= 0 && i < FS_FILES; i++) {
		char file[FS_NAME_LEN];

		snprintf(file, sizeof(file), "file-%04u", i);
		unlinkat(sub_fd, file, 0);
	}
	unlinkat(dir_fd, name, AT_REMOVEDIR);
}

void fs_tree_remove(struct fs_tree *tree)
{
	if (!tree->path[0])
		return;
	remove_files(tree->dir_fd, "known");
	remove_files(tree->dir_fd, "fresh");
	remove_files(tree->dir_fd, "made");
	unlinkat(tree->dir_fd, "data", 0);
	unlinkat(tree->dir_fd, "sink", 0);
	fl_close(&tree->dir_fd);
	rmdir(tree->path);
}
