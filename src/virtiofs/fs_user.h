/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_user: what the calling thread's requests to file systems are made as, for shares that tell the guest's users apart
 * (FL_USERS_HOST): fsuid, fsgid, supplementary groups. By raw system calls, which change one thread (glibc's
 * setgroups() changes all), and without a lock: each server has its thread.
 *
 * Leaving user 0 takes CAP_CHOWN, CAP_DAC_*, CAP_FOWNER, CAP_FSETID, CAP_MKNOD and CAP_LINUX_IMMUTABLE out of the
 * effective set, coming back to it raises them again (security/commoncap.c cap_task_fix_setuid, LSM_SETID_FS): that is
 * why the process must be user 0. Others stay, so that one who is not root can still come back.
 */
#ifndef FL_FS_USER_H
#define FL_FS_USER_H

#include "fl_diag.h"

#define FL_USER_GROUPS_MAX 64u

struct fl_user {
	uint32_t uid, gid;
	uint32_t groups[FL_USER_GROUPS_MAX];
	unsigned int group_count;
};

/* May this thread act as any user, and come back? -EPERM with a sentence that names the share. */
FL_CHECKED_RESULT int fl_user_check(const char *title, struct fl_diag *diag);

/* Who the thread is now, without its groups. */
struct fl_user fl_user_current(void);

/*
 * Makes the thread act as user, whoever it acts as now. -EPERM: the id does not exist in this user namespace (all ones
 * does in none), or the kernel has no memory; who the thread then acts as is only known after it has come back.
 */
FL_CHECKED_RESULT int fl_user_become(const struct fl_user *user);

/* False: too many, or one of the user's already. */
bool fl_user_add_group(struct fl_user *user, uint32_t gid);

#endif
