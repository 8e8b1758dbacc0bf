/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_export: one exported host directory, and every way from it to a host file: a single name
 * below a known directory, or the reopening of a known inode. No path with a '/' is ever built.
 *
 * Credentials: all is done as who the calling thread is, which is the VMM unless a request is served as the guest's
 * user (fuse_user.h). Owners show as they are on the host.
 */
#ifndef FL_FS_EXPORT_H
#define FL_FS_EXPORT_H

#include <sys/stat.h>

#include "virtiofs/fuse_wire.h"
#include "virtiofs/inode_table.h"

/* What a name has been, as long as no other took its place: only a hint, which is not relied on. */
#define FL_SEEN_NAMES 2048u /* a power of two */
struct fl_seen_name {
	uint64_t nodeid;
	uint32_t tag; /* of the name and its directory */
};

struct fl_export {
	int proc_fd; /* O_PATH of /proc/self/fd, for reopening what is held as O_PATH */
	bool writable;
	bool one_mount; /* others are sealed */
	struct fl_inode_table inodes;
	struct fl_seen_name seen[FL_SEEN_NAMES];
};

struct fl_export_limits {
	uint32_t inodes_max, open_max; /* see fl_inode_table_init(); 0: by the process's limit of descriptors */
	uint32_t exports;	       /* of this process, which all live on that limit; 0: 1 */
};

/*
 * root_fd: the directory (O_PATH or O_RDONLY), duplicated.
 * -ENOTDIR; -EPERM (a pseudo file system such as /proc); -ENOENT (no /proc to reopen files by).
 */
FL_CHECKED_RESULT int fl_export_init(struct fl_export *fs_export, int root_fd, bool writable,
				     const struct fl_export_limits *limits, struct fl_diag *diag);
void fl_export_fini(struct fl_export *fs_export); /* of a zeroed or initialised one */

/* A part of the descriptors that each of so many exports (0: 1) may have of this process's. */
uint32_t fl_export_share_of_descriptors(uint32_t exports, unsigned int divisor);

/* fd: any descriptor, O_PATH too. */
FL_CHECKED_RESULT int fl_export_stat(int fd, struct statx *stx);

/* Opens the inode itself, as O_PATH, that `name` (already checked) is in directory dir_fd. */
FL_CHECKED_RESULT int fl_export_open_child(int dir_fd, const char *name, int *fd);

/*
 * Opens what an O_PATH descriptor stands for. Only for inodes known to be a regular file or a
 * directory: opening a device or a FIFO could do anything. flags: of open(2).
 */
FL_CHECKED_RESULT int fl_export_reopen(const struct fl_export *fs_export, int path_fd, int flags, int *fd);

/* The name that fd has relative to proc_fd. */
#define FL_PROC_NAME_LEN 16
void fl_export_proc_name(int fd, char name[FL_PROC_NAME_LEN]);
/* The same with all of its path, for system calls on extended attributes, which take no descriptor of a directory. */
#define FL_PROC_PATH_LEN 32
void fl_export_proc_path(int fd, char path[FL_PROC_PATH_LEN]);

/*
 * The guest learns of the inode behind fd (O_PATH, taken over in every case), found in `parent`; *stx is what
 * fl_export_stat() says of it.
 * *submount: it is the root of another mount. -EACCES: a file of a mount that is not shown.
 */
FL_CHECKED_RESULT int fl_export_learn(struct fl_export *fs_export, const struct fl_inode *parent, int fd,
				      const struct statx *stx, struct fl_inode **inode, bool *submount);

/*
 * The same for what `name` (already checked) is in `parent`, if that is an inode that the guest knows and that is open:
 * one system call instead of three. False: it is none, or it cannot be told.
 */
bool fl_export_learn_again(struct fl_export *fs_export, const struct fl_inode *parent, const char *name,
			   struct statx *stx, struct fl_inode **inode);
/* Is that worth trying for an entry of `parent` with this inode number? is_dir: it is, or may be, a directory. */
bool fl_export_knows(const struct fl_export *fs_export, const struct fl_inode *parent, uint64_t ino, bool is_dir);
/* Or for this name of the directory nodeid? Where to note which node it is, once that is known. */
bool fl_export_has_seen(struct fl_export *fs_export, uint64_t nodeid, const char *name, struct fl_seen_name **place);

/* Attributes as the guest gets them; flags is FUSE_ATTR_*. */
void fl_export_attr(const struct fl_inode *inode, const struct statx *stx, uint32_t flags, struct fuse_attr *attr);

#endif
