/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_mappable: which regular files can be mapped. On storage of the kernel's own all can; a FUSE server, a network or a
 * stacked file system may refuse it with -ENODEV, for all files or for some. A guest that mounts with dax=inode reads
 * and writes those with requests.
 */
#ifndef FL_FS_MAPPABLE_H
#define FL_FS_MAPPABLE_H

#include "virtiofs/fs_export.h"

/*
 * inode: a regular file with its descriptor. The answer stays for as long as the inode is known: Linux drops an inode
 * whose mark changes (fs/fuse/dax.c fuse_dax_dontcache). Of a mount it is asked once whether all its files can be
 * mapped; where that is not known, each file is opened and mapped to see.
 */
bool fl_export_can_map(struct fl_export *fs_export, struct fl_inode *inode);

/* error: of an attempt to map the file. Notes it of the mount if that is why. */
void fl_export_note_map_error(struct fl_export *fs_export, const struct fl_inode *inode, int error);

#endif
