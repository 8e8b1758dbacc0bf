/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse_user: requests served as the guest's user that made them (FL_USERS_HOST). The host then owns, permits and
 * refuses as it would for that user, with what only the guest's kernel knows, the user's supplementary groups, taken on
 * its word: it sends one with what is created (FUSE_CREATE_SUPP_GROUP), has checked a chgrp(2) and a chmod(2) with the
 * set-group-id bit, and when the host says EACCES the groups of the files and directories that the request is about are
 * added and it is tried once more, since the guest's kernel has let the user pass.
 *
 * Invariant: between requests, and in what is done on the server's own account (replies, tables, files opened for
 * mappings), the thread acts as the VMM. If it cannot come back, every request is answered -EIO until it can.
 */
#ifndef FL_FUSE_USER_H
#define FL_FUSE_USER_H

#include "virtiofs/fuse_ops.h"

/* ext: the request's extensions, all its bytes. -EINVAL: malformed, or more groups than Linux sends. */
FL_CHECKED_RESULT int fl_fs_take_groups(struct fl_fs_call *call, struct fl_fuse_cursor ext);

/* Runs handler as the request's user. */
FL_CHECKED_RESULT int fl_fs_serve_as_user(struct fl_fs_call *call, fl_fs_op_fn handler);

/* False: the thread acts as a user that it was to leave. */
bool fl_fs_is_itself(struct fl_fs *fs);

#endif
