/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_warn: what the log is told of a share because only the host can do something about it. The guest can bring all of
 * it about as often as it likes, so none of it is said each time.
 */
#ifndef FL_FS_WARN_H
#define FL_FS_WARN_H

#include "virtiofs/fuse_ops.h"

/* Of one kind of shortage a share says something at most this often. */
#define FL_FS_TELL_NS UINT64_C(60000000000)

/* error: a request's, before it is made the guest's. Only those of a table that is full say something. */
void fl_fs_warn_of_shortage(struct fl_fs *fs, int error);

/*
 * The host does not map this file (fs_mappable.h). Says so if that is because of the file system: once for each mount,
 * while the guest is the same.
 */
void fl_fs_warn_of_unmappable(struct fl_fs *fs, const struct fl_inode *inode);

#endif
