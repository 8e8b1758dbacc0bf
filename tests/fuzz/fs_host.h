/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_host: what the FUSE server is told of the host's file system, whatever the scratch directory lies on, so that an
 * input does the same everywhere: a file system in memory, where all data are moved at once, or one that has to be
 * waited for (RWF_NOWAIT says so each time), where the input says what is done when. And whether the thread acts as
 * itself. The system calls that are stood in for: fstatfs(2), preadv2(2), pwritev2(2).
 */
#ifndef FS_HOST_H
#define FS_HOST_H

#include <stdbool.h>

void fs_host_set_slow(bool slow);

/* May requests be served as other users here (FL_USERS_HOST)? */
bool fs_host_has_users(void);
/* Nothing of a user of the guest's is left with the thread: no id, no groups, no lack of capabilities. */
bool fs_host_acts_as_itself(void);

#endif
