/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_mounts: the host's mounts below a shared directory. What is mounted twice (a bind mount) has its files twice, but
 * they are one: to the guest too, whose kernel keeps truncation and mappings apart by its inode's lock. So the files of
 * mounts that show one file system alike are known by the first of them. Directories are not: Linux gives a directory
 * one place in a tree (fs/dcache.c d_splice_alias), so each mount has its own.
 *
 * Alike means: the same device and mount flags (files are opened by way of the first mount, which must not permit what
 * the second forbids, nor the other way round), and owners that are not mapped.
 */
#ifndef FL_FS_MOUNTS_H
#define FL_FS_MOUNTS_H

#include "virtiofs/fs_export.h"

/* An inode with this key and type, behind path_fd (O_PATH), is about to be learnt. -ENOMEM. */
FL_CHECKED_RESULT int fl_export_note_mount(struct fl_export *fs_export, const struct fl_inode_key *key, uint32_t type,
					   int path_fd);

/*
 * Where a mount is, as /proc/self/mountinfo has it: blanks and newlines are escaped there, other control characters are
 * made '?' here. "?" if it is not in this process's tree of mounts; cut if it is longer.
 */
#define FL_MOUNT_PATH_LEN 256
void fl_export_mount_path(uint64_t mnt_id, char path[FL_MOUNT_PATH_LEN]);

/* The mount that a file (no directory) of mount mnt_id is known by. */
uint64_t fl_export_file_mount(const struct fl_export *fs_export, uint64_t mnt_id);

#endif
