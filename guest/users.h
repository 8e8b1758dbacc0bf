/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom the command runs as, by the guest's own /etc/passwd and /etc/group: the agent is static, and what a C library
 * would ask besides these files is not there before the guest's services are.
 */
#ifndef FL_USERS_H
#define FL_USERS_H

#include <sys/types.h>

#include "fl_diag.h"

#define FL_PASSWD_PATH "/etc/passwd"
#define FL_GROUP_PATH  "/etc/group"

struct fl_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* gid and those of the group file that name the user */
	size_t group_count;
	char *name;  /* a number for a uid that has no name; never NULL */
	char *home;  /* "/" for a uid that has no entry; never NULL */
	char *shell; /* "/bin/sh" if none is named; never NULL */
};

/*
 * spec: "name", "uid", "name:group", "uid:gid", mixed as well; a number that is somebody's name is that name. A uid or
 * gid need not be in the files, and without a group it is that of the user's entry, or 0. -ENOENT: no such user or
 * group, -EINVAL, -ENOMEM, or why a file cannot be read. On failure *user is empty.
 */
FL_CHECKED_RESULT int fl_user_resolve(const char *spec, const char *passwd_path, const char *group_path,
				      struct fl_user *user, struct fl_diag *diag);
void fl_user_fini(struct fl_user *user);

/* Makes this process that user's, for good. -errno. */
FL_CHECKED_RESULT int fl_user_become(const struct fl_user *user);

#endif
