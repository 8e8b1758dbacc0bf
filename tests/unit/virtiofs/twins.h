/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twins: the guest's users on the host, held against Linux. What is right is what Linux does for a process of that
 * user: each attempt is made twice, on two trees that are alike, by a child process that has become the user and by a
 * request that names it; then both must have had the same answer, and the trees must still be alike in owners, modes,
 * sizes and ACLs.
 */
#ifndef FL_TWINS_H
#define FL_TWINS_H

#include "fs_rig.h"

#include "virtiofs/fs_user.h"

#define GROUP 2000 /* has members */

struct user {
	const char *name;
	uint32_t uid, gid;
	uint32_t group; /* supplementary; 0: none */
};
extern const struct user alice, bob, member, primary, superuser; /* member is of GROUP, primary's is GROUP */

enum act {
	CREATE,
	MKDIR,
	FIFO,
	SYMLINK,
	LINK,
	RENAME,
	UNLINK,
	RMDIR,
	CHOWN,
	CHMOD,
	TRUNCATE,
	SET_TIME,
	TOUCH,
	OPEN,
	EXEC,
	OPENDIR,
	SETXATTR,
	GETXATTR,
	REMOVEXATTR,
	ACCESS,
};

struct attempt {
	enum act act;
	const char *dir, *name;
	const char *to_dir, *to_name; /* LINK, RENAME */
	uint32_t a, b;		      /* mode, flags, or owner and group */
	uint32_t mask;		      /* umask */
	const char *xattr;	      /* NULL: user.x */
	const void *value;	      /* of value_len bytes; NULL: "y" */
	uint32_t value_len;
};

struct twins {
	struct rig *rig;
	int native_fd;
	char native[80], guest[80]; /* paths of the trees */
};

/* The trees hold what twins.c says; prepare(top), if it is not NULL, adds to each. */
void make_twins(struct twins *twins, void (*prepare)(const char *top));
void free_twins(struct twins *twins);

/* expected: what Linux is known to do, so that a pair of equal mistakes is seen; 1: not said */
void expect_alike(const struct user *user, const struct attempt *try, int expected);
void expect_alike_prepared(const struct user *user, const struct attempt *try, int expected,
			   void (*prepare)(const char *top));

/* May this process act as others? */
bool may_be_others(void);
#define NEED_ROOT()                                              \
	do {                                                     \
		(void)state;                                     \
		if (!may_be_others())                            \
			SKIP_FOR("only root can act as others"); \
	} while (0)

#endif
