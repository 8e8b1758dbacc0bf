/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's users on the host. What is right is what Linux does for a process of that user: each attempt is made
 * twice, on two trees that are alike, by a child process that has become the user and by a request that names it; then
 * both must have had the same answer, and the trees must still be alike in owners, modes and sizes.
 */
#include "fs_rig.h"

#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "virtiofs/fs_user.h"

#define GROUP	   2000 /* has members */
#define FMODE_EXEC 0x20 /* include/linux/fs.h; comes with the OPEN of exec(2) */

struct user {
	const char *name;
	uint32_t uid, gid;
	uint32_t group; /* supplementary; 0: none */
};

static const struct user alice = {"alice", 1000, 1000, 0};
static const struct user bob = {"bob", 1001, 1001, 0};
static const struct user member = {"member", 1002, 1002, GROUP};
static const struct user primary = {"primary", 1003, GROUP, 0};
static const struct user superuser = {"root", 0, 0, 0};

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
	ACCESS,
};

struct attempt {
	enum act act;
	const char *dir, *name;
	const char *to_dir, *to_name; /* LINK, RENAME */
	uint32_t a, b;		      /* mode, flags, or owner and group */
};

struct thing {
	const char *path;
	uint32_t mode;
	uint32_t uid, gid;
};

/* Groups have rights only where those who try are members: that they are is the guest's kernel's word. */
static const struct thing things[] = {
	{"open", S_IFDIR | 0777, 0, 0},
	{"open/alices", S_IFREG | 0600, 1000, 1000},
	{"open/all", S_IFREG | 0606, 0, 0},
	{"open/roots", S_IFREG | 0600, 0, 0},
	{"open/program", S_IFREG | 0701, 0, 0},
	{"open/suid", S_IFREG | 06717, 1000, 1000},
	{"open/members", S_IFREG | 0660, 1002, GROUP},
	{"open/groups", S_IFREG | 0060, 0, GROUP},
	{"open/members_own", S_IFREG | 0644, 1002, 1002},
	{"sticky", S_IFDIR | 01777, 0, 0},
	{"sticky/alices", S_IFREG | 0644, 1000, 1000},
	{"sticky/bobs", S_IFREG | 0644, 1001, 1001},
	{"sticky/bobs_dir", S_IFDIR | 0755, 1001, 1001},
	{"sgid", S_IFDIR | 02777, 0, GROUP},
	{"group", S_IFDIR | 0770, 0, GROUP},
	{"group/file", S_IFREG | 0600, 0, GROUP},
	{"alices", S_IFDIR | 0700, 1000, 1000},
	{"alices/file", S_IFREG | 0644, 1000, 1000},
	{"roots", S_IFDIR | 0700, 0, 0},
	{"roots/file", S_IFREG | 0644, 0, 0},
};

struct twins {
	struct rig *rig;
	int native_fd;
	char native[80], guest[80];
};

static void make_tree(const char *top)
{
	char path[128];

	assert_int_equal(mkdir(top, 0755), 0);
	for (size_t i = 0; i < FL_ARRAY_SIZE(things); i++) {
		const struct thing *thing = &things[i];

		snprintf(path, sizeof(path), "%s/%s", top, thing->path);
		if (S_ISDIR(thing->mode))
			assert_int_equal(mkdir(path, 0700), 0);
		else
			assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
		if (S_ISREG(thing->mode))
			assert_int_equal(truncate(path, 10), 0);
		assert_int_equal(chown(path, thing->uid, thing->gid), 0);
		assert_int_equal(chmod(path, thing->mode & 07777), 0);
	}
}

static void make_twins(struct twins *twins)
{
	twins->rig = rig_new_with(0, (struct fl_fs_opts){.as_users = true, .attr_timeout_ms = 1000});
	snprintf(twins->native, sizeof(twins->native), "%s/native", twins->rig->dir);
	snprintf(twins->guest, sizeof(twins->guest), "%s/guest", twins->rig->dir);
	make_tree(twins->native);
	make_tree(twins->guest);
	twins->native_fd = open(twins->native, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(twins->native_fd >= 0);
}

static void free_twins(struct twins *twins)
{
	close(twins->native_fd);
	rig_free(twins->rig);
}

/* --- what Linux does --- */

static int create_natively(int dir, const struct attempt *try)
{
	int fd = openat(dir, try->name, O_CREAT | O_EXCL | (int)try->b, try->a);

	return fd < 0 ? -1 : close(fd);
}

static int open_natively(int dir, const struct attempt *try, int flags)
{
	int fd = openat(dir, try->name, flags);

	return fd < 0 ? -1 : close(fd);
}

static int change_natively(int dir, const struct attempt *try)
{
	const struct timespec epoch[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char path[300];

	switch (try->act) {
	case CHOWN:
		return fchownat(dir, try->name, try->a, try->b, AT_SYMLINK_NOFOLLOW);
	case CHMOD:
		return fchmodat(dir, try->name, try->a, 0);
	case SET_TIME:
		return utimensat(dir, try->name, epoch, 0);
	case TOUCH:
		return utimensat(dir, try->name, NULL, 0);
	default:
		break;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, try->name);
	if (try->act == SETXATTR)
		return setxattr(path, "user.x", "y", 1, 0);
	if (try->act == GETXATTR) /* allowed, but there is none */
		return getxattr(path, "user.x", NULL, 0) < 0 ? -1 : 0;
	return truncate(path, 5);
}

static int try_natively(int dir, int to_dir, const struct attempt *try)
{
	switch (try->act) {
	case CREATE:
		return create_natively(dir, try);
	case MKDIR:
		return mkdirat(dir, try->name, try->a);
	case FIFO:
		return mknodat(dir, try->name, S_IFIFO | try->a, 0);
	case SYMLINK:
		return symlinkat("target", dir, try->name);
	case LINK:
		return linkat(dir, try->name, to_dir, try->to_name, 0);
	case RENAME:
		return renameat(dir, try->name, to_dir, try->to_name);
	case UNLINK:
		return unlinkat(dir, try->name, 0);
	case RMDIR:
		return unlinkat(dir, try->name, AT_REMOVEDIR);
	case OPEN:
		return open_natively(dir, try, (int)try->a);
	case OPENDIR:
		return open_natively(dir, try, O_RDONLY | O_DIRECTORY);
	case EXEC: /* what exec(2) asks; the files are no programs */
	case ACCESS:
		return faccessat(dir, try->name, try->act == EXEC ? X_OK : (int)try->a, AT_EACCESS);
	default:
		return change_natively(dir, try);
	}
}

static int native_errno(const struct twins *twins, const struct user *user, const struct attempt *try)
{
	int status;
	int dir = openat(twins->native_fd, try->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int to_dir = try->to_dir ? openat(twins->native_fd, try->to_dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	pid_t child = fork();

	if (child == 0) {
		gid_t group = user->group;

		if (setgroups(group ? 1 : 0, &group) || setresgid(user->gid, user->gid, user->gid) ||
		    setresuid(user->uid, user->uid, user->uid))
			_exit(255);
		umask(0);
		_exit(try_natively(dir, to_dir, try) ? errno : 0);
	}
	assert_true(child > 0 && dir >= 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(dir);
	close(to_dir);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 255);
	return -WEXITSTATUS(status);
}

/* --- the same as requests, as the guest's kernel makes them --- */

struct args {
	uint8_t bytes[128];
	size_t len;
};

static void add(struct args *args, const void *bytes, size_t len)
{
	memcpy(args->bytes + args->len, bytes, len);
	args->len += len;
}

/* fs/fuse/dir.c get_create_supp_group(): the directory's group, for those who are in it otherwise than by their gid */
static void put_group(struct rig *rig, const struct user *user)
{
	const struct {
		uint32_t size, type, count, group;
	} ext = {16, 32, 1, user->group};

	if (!user->group)
		return;
	rig_put(rig, &ext, sizeof(ext));
	rig_header(rig)->total_extlen = sizeof(ext) / 8;
}

static int ask(struct rig *rig, uint32_t opcode, uint64_t node, const struct args *args, const char *name,
	       const char *name2, const struct user *creator)
{
	rig_begin(rig, opcode, node);
	rig_put(rig, args->bytes, args->len);
	if (name)
		rig_put_string(rig, name);
	if (name2)
		rig_put_string(rig, name2);
	if (creator)
		put_group(rig, creator);
	return rig_send(rig, RIG_ROOM);
}

static int make_by_request(struct rig *rig, uint64_t dir, const struct user *user, const struct attempt *try)
{
	const struct fuse_create_in create = {.flags = O_CREAT | O_EXCL | try->b, .mode = S_IFREG | try->a};
	const struct fuse_mkdir_in mkdir = {.mode = try->a};
	const struct fuse_mknod_in mknod = {.mode = S_IFIFO | try->a};
	struct args args = {0};

	switch (try->act) {
	case CREATE:
		add(&args, &create, sizeof(create));
		return ask(rig, FUSE_CREATE, dir, &args, try->name, NULL, user);
	case MKDIR:
		add(&args, &mkdir, sizeof(mkdir));
		return ask(rig, FUSE_MKDIR, dir, &args, try->name, NULL, user);
	case FIFO:
		add(&args, &mknod, sizeof(mknod));
		return ask(rig, FUSE_MKNOD, dir, &args, try->name, NULL, user);
	default:
		return ask(rig, FUSE_SYMLINK, dir, &args, try->name, "target", user);
	}
}

static int move_by_request(struct rig *rig, uint64_t dir, uint64_t file, uint64_t to_dir, const struct attempt *try)
{
	struct args args = {0};

	switch (try->act) {
	case LINK:
		add(&args, &file, sizeof(file));
		return ask(rig, FUSE_LINK, to_dir, &args, try->to_name, NULL, NULL);
	case RENAME:
		add(&args, &to_dir, sizeof(to_dir));
		return ask(rig, FUSE_RENAME, dir, &args, try->name, try->to_name, NULL);
	default:
		return ask(rig, try->act == RMDIR ? FUSE_RMDIR : FUSE_UNLINK, dir, &args, try->name, NULL, NULL);
	}
}

/* fs/fuse/dir.c fuse_do_setattr(): set-id bits that a change of size takes away are a mode of their own. */
static struct fuse_setattr_in setattr_of(const struct attempt *try, uint32_t mode)
{
	switch (try->act) {
	case CHOWN:
		return (struct fuse_setattr_in){.valid = (try->a != UINT32_MAX ? FATTR_UID : 0) |
							 (try->b != UINT32_MAX ? FATTR_GID : 0),
						.uid = try->a,
						.gid = try->b};
	case CHMOD:
		return (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = try->a};
	case SET_TIME:
		return (struct fuse_setattr_in){.valid = FATTR_ATIME | FATTR_MTIME, .atime = 1, .mtime = 1};
	case TOUCH:
		return (struct fuse_setattr_in){.valid = FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW};
	default:
		return (struct fuse_setattr_in){.valid = FATTR_SIZE | FATTR_MTIME | FATTR_MTIME_NOW |
							 (mode & 06000 ? FATTR_MODE : 0),
						.size = 5,
						.mode = mode & 01777};
	}
}

static int use_by_request(struct rig *rig, uint64_t file, const struct attempt *try)
{
	const struct fuse_open_in open = {.flags = try->act == EXEC ? O_RDONLY | FMODE_EXEC : try->a};
	const struct fuse_access_in access = {.mask = try->a};
	const uint32_t setxattr[2] = {1, 0};
	const struct fuse_getxattr_in getxattr = {0};
	struct fuse_setattr_in setattr;
	struct fuse_attr attr;
	struct args args = {0};

	switch (try->act) {
	case OPEN:
	case EXEC:
	case OPENDIR:
		add(&args, &open, sizeof(open));
		return ask(rig, try->act == OPENDIR ? FUSE_OPENDIR : FUSE_OPEN, file, &args, NULL, NULL, NULL);
	case ACCESS:
		add(&args, &access, sizeof(access));
		return ask(rig, FUSE_ACCESS, file, &args, NULL, NULL, NULL);
	case GETXATTR:
		add(&args, &getxattr, sizeof(getxattr));
		return ask(rig, FUSE_GETXATTR, file, &args, "user.x", NULL, NULL);
	case SETXATTR:
		add(&args, setxattr, sizeof(setxattr));
		return ask(rig, FUSE_SETXATTR, file, &args, "user.x", "y", NULL);
	default:
		assert_int_equal(rig_getattr(rig, file, &attr), 0);
		setattr = setattr_of(try, attr.mode);
		add(&args, &setattr, sizeof(setattr));
		return ask(rig, FUSE_SETATTR, file, &args, NULL, NULL, NULL);
	}
}

static int guest_errno(const struct twins *twins, const struct user *user, const struct attempt *try)
{
	struct rig *rig = twins->rig;
	uint64_t top, dir, to_dir = 0, file = 0;
	int error;

	rig->uid = user->uid;
	rig->gid = user->gid;
	top = rig_node(rig, FUSE_ROOT_ID, "guest");
	dir = strcmp(try->dir, ".") ? rig_node(rig, top, try->dir) : top;
	if (try->to_dir)
		to_dir = rig_node(rig, top, try->to_dir);
	if (try->act > SYMLINK)
		file = rig_node(rig, dir, try->name);
	if (try->act <= SYMLINK)
		error = make_by_request(rig, dir, user, try);
	else if (try->act <= RMDIR)
		error = move_by_request(rig, dir, file, to_dir, try);
	else
		error = use_by_request(rig, file, try);
	rig->uid = rig->gid = 0;
	return error;
}

/* --- are they alike? --- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Owner, mode, size and links of all there is, as text. */
static char *describe(const char *top)
{
	char *const paths[] = {(char *)(uintptr_t)top, NULL};
	FTS *walk = fts_open(paths, FTS_PHYSICAL, by_name);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(walk);
	for (FTSENT *at = fts_read(walk); at; at = fts_read(walk)) {
		const struct stat *st = at->fts_statp;

		if (at->fts_info != FTS_DP && at->fts_level > 0)
			fprintf(out, "%s %o %u:%u %lld %lu\n", at->fts_path + strlen(top), st->st_mode, st->st_uid,
				st->st_gid, S_ISREG(st->st_mode) ? (long long)st->st_size : 0, st->st_nlink);
	}
	fts_close(walk);
	fclose(out);
	return text;
}

/* expected: what Linux is known to do, so that a pair of equal mistakes is seen; 1: not said */
static void expect_alike(const struct user *user, const struct attempt *try, int expected)
{
	struct twins twins;
	char *native_tree, *guest_tree;
	int native, guest;

	make_twins(&twins);
	native = native_errno(&twins, user, try);
	guest = guest_errno(&twins, user, try);
	native_tree = describe(twins.native);
	guest_tree = describe(twins.guest);
	if (native != guest || strcmp(native_tree, guest_tree))
		print_error("%s, act %d on %s/%s: Linux %d, server %d\n", user->name, (int)try->act, try->dir,
			    try->name, native, guest);
	assert_int_equal(guest, native);
	assert_string_equal(guest_tree, native_tree);
	if (expected <= 0)
		assert_int_equal(native, expected);
	free(native_tree);
	free(guest_tree);
	free_twins(&twins);
}

static bool may_be_others(void)
{
	return geteuid() == 0 && !fl_user_check("test", NULL);
}

#define NEED_ROOT()                                              \
	do {                                                     \
		(void)state;                                     \
		if (!may_be_others())                            \
			SKIP_FOR("only root can act as others"); \
	} while (0)

static void what_is_made_belongs_to_its_user(void **state)
{
	static const enum act acts[] = {CREATE, MKDIR, FIFO, SYMLINK};
	static const struct user *const users[] = {&alice, &member, &primary, &superuser};

	NEED_ROOT();
	for (size_t i = 0; i < FL_ARRAY_SIZE(acts); i++) {
		for (size_t j = 0; j < FL_ARRAY_SIZE(users); j++) {
			expect_alike(users[j], &(struct attempt){acts[i], "open", "new", .a = 0640, .b = O_RDWR}, 0);
			/* the directory's group, and for who is not of it no set-group-id bit on files */
			expect_alike(users[j], &(struct attempt){acts[i], "sgid", "new", .a = 02755, .b = O_RDWR}, 0);
		}
		expect_alike(&alice, &(struct attempt){acts[i], "alices", "new", .a = 0600, .b = O_RDWR}, 0);
		expect_alike(&bob, &(struct attempt){acts[i], "alices", "new", .a = 0600, .b = O_RDWR}, -EACCES);
		expect_alike(&alice, &(struct attempt){acts[i], "roots", "new", .a = 0600, .b = O_RDWR}, -EACCES);
		expect_alike(&member, &(struct attempt){acts[i], "group", "new", .a = 0600, .b = O_RDWR}, 0);
		expect_alike(&primary, &(struct attempt){acts[i], "group", "new", .a = 0600, .b = O_RDWR}, 0);
	}
	/* open for writing, though nobody could open it so again */
	expect_alike(&alice, &(struct attempt){CREATE, "open", "new", .a = 0400, .b = O_RDWR}, 0);
}

static void names_are_removed_by_who_may(void **state)
{
	NEED_ROOT();
	expect_alike(&alice, &(struct attempt){UNLINK, "open", .name = "roots"}, 0);
	expect_alike(&alice, &(struct attempt){UNLINK, "roots", .name = "file"}, -EACCES);
	expect_alike(&alice, &(struct attempt){UNLINK, "sticky", .name = "alices"}, 0);
	expect_alike(&alice, &(struct attempt){UNLINK, "sticky", .name = "bobs"}, -EPERM);
	expect_alike(&superuser, &(struct attempt){UNLINK, "sticky", .name = "bobs"}, 0);
	expect_alike(&alice, &(struct attempt){RMDIR, "sticky", .name = "bobs_dir"}, -EPERM);
	expect_alike(&bob, &(struct attempt){RMDIR, "sticky", .name = "bobs_dir"}, 0);
	/* the server is not told of groups here: it takes the guest's word for the directory's */
	expect_alike(&member, &(struct attempt){UNLINK, "group", .name = "file"}, 0);
	expect_alike(&primary, &(struct attempt){UNLINK, "group", .name = "file"}, 0);
}

static void names_are_moved_by_who_may(void **state)
{
	NEED_ROOT();
	expect_alike(&alice, &(struct attempt){RENAME, "open", "roots", .to_dir = "open", .to_name = "new"}, 0);
	expect_alike(&alice, &(struct attempt){RENAME, "sticky", "bobs", .to_dir = "open", .to_name = "new"}, -EPERM);
	expect_alike(&alice, &(struct attempt){RENAME, "open", "roots", .to_dir = "sticky", .to_name = "bobs"}, -EPERM);
	expect_alike(&alice, &(struct attempt){RENAME, "sticky", "alices", .to_dir = "open", .to_name = "new"}, 0);
	expect_alike(&alice, &(struct attempt){RENAME, "alices", "file", .to_dir = "roots", .to_name = "new"}, -EACCES);
	expect_alike(&member, &(struct attempt){RENAME, "group", "file", .to_dir = "open", .to_name = "new"}, 0);
	expect_alike(&member, &(struct attempt){RENAME, "open", "members", .to_dir = "group", .to_name = "new"}, 0);
	expect_alike(&alice, &(struct attempt){LINK, "open", "alices", .to_dir = "open", .to_name = "new"}, 0);
	expect_alike(&alice, &(struct attempt){LINK, "open", "alices", .to_dir = "roots", .to_name = "new"}, -EACCES);
	/* fs.protected_hardlinks says which */
	expect_alike(&bob, &(struct attempt){LINK, "open", "roots", .to_dir = "open", .to_name = "new"}, 1);
	expect_alike(&member, &(struct attempt){LINK, "open", "members", .to_dir = "group", .to_name = "new"}, 0);
}

static void owners_and_modes_are_changed_by_who_may(void **state)
{
	const uint32_t same = UINT32_MAX;

	NEED_ROOT();
	expect_alike(&superuser, &(struct attempt){CHOWN, "open", "alices", .a = 1001, .b = 1001}, 0);
	expect_alike(&superuser, &(struct attempt){CHOWN, "open", "suid", .a = 1001, .b = same}, 0);
	expect_alike(&alice, &(struct attempt){CHOWN, "open", "alices", .a = 1001, .b = same}, -EPERM);
	expect_alike(&bob, &(struct attempt){CHOWN, "open", "alices", .a = same, .b = 1001}, -EPERM);
	expect_alike(&alice, &(struct attempt){CHOWN, "open", "suid", .a = same, .b = 1000}, 0);
	expect_alike(&member, &(struct attempt){CHOWN, "open", "members_own", .a = same, .b = GROUP}, 0);
	expect_alike(&alice, &(struct attempt){CHMOD, "open", "alices", .a = 0755}, 0);
	expect_alike(&bob, &(struct attempt){CHMOD, "open", "alices", .a = 0755}, -EPERM);
	expect_alike(&bob, &(struct attempt){CHMOD, "open", "suid", .a = 06777}, -EPERM);
	expect_alike(&superuser, &(struct attempt){CHMOD, "open", "alices", .a = 06755}, 0);
	/* the set-group-id bit is for members of the file's group */
	expect_alike(&member, &(struct attempt){CHMOD, "open", "members", .a = 02770}, 0);
	expect_alike(&primary, &(struct attempt){CHMOD, "open", "members", .a = 02770}, -EPERM);
	expect_alike(&bob, &(struct attempt){SET_TIME, "open", .name = "all"}, -EPERM);
	expect_alike(&alice, &(struct attempt){SET_TIME, "open", .name = "alices"}, 0);
	expect_alike(&bob, &(struct attempt){TOUCH, "open", .name = "all"}, 0);
	expect_alike(&bob, &(struct attempt){TOUCH, "open", .name = "roots"}, -EACCES);
	expect_alike(&member, &(struct attempt){TOUCH, "open", .name = "groups"}, 0);
}

static void files_are_opened_by_who_may(void **state)
{
	NEED_ROOT();
	expect_alike(&alice, &(struct attempt){OPEN, "open", "alices", .a = O_RDWR}, 0);
	expect_alike(&bob, &(struct attempt){OPEN, "open", "alices", .a = O_RDONLY}, -EACCES);
	expect_alike(&bob, &(struct attempt){OPEN, "open", "all", .a = O_RDWR}, 0);
	expect_alike(&superuser, &(struct attempt){OPEN, "open", "alices", .a = O_RDWR}, 0);
	expect_alike(&member, &(struct attempt){OPEN, "open", "groups", .a = O_RDWR}, 0);
	/* whoever writes to a program takes its special rights away */
	expect_alike(&bob, &(struct attempt){OPEN, "open", "suid", .a = O_WRONLY | O_TRUNC}, 0);
	expect_alike(&bob, &(struct attempt){OPEN, "open", "program", .a = O_RDONLY}, -EACCES);
	expect_alike(&bob, &(struct attempt){EXEC, "open", .name = "program"}, 0);
	expect_alike(&bob, &(struct attempt){EXEC, "open", .name = "alices"}, -EACCES);
	expect_alike(&alice, &(struct attempt){OPENDIR, ".", .name = "roots"}, -EACCES);
	expect_alike(&alice, &(struct attempt){OPENDIR, ".", .name = "alices"}, 0);
	expect_alike(&member, &(struct attempt){OPENDIR, ".", .name = "group"}, 0);
	expect_alike(&bob, &(struct attempt){ACCESS, "open", "alices", .a = R_OK}, -EACCES);
	expect_alike(&bob, &(struct attempt){ACCESS, "open", "all", .a = R_OK | W_OK}, 0);
}

static void contents_are_changed_by_who_may(void **state)
{
	NEED_ROOT();
	expect_alike(&bob, &(struct attempt){TRUNCATE, "open", .name = "alices"}, -EACCES);
	expect_alike(&bob, &(struct attempt){TRUNCATE, "open", .name = "all"}, 0);
	expect_alike(&bob, &(struct attempt){TRUNCATE, "open", .name = "suid"}, 0);
	expect_alike(&alice, &(struct attempt){TRUNCATE, "open", .name = "suid"}, 0);
	expect_alike(&member, &(struct attempt){TRUNCATE, "open", .name = "groups"}, 0);
	expect_alike(&bob, &(struct attempt){SETXATTR, "open", .name = "alices"}, -EACCES);
	expect_alike(&bob, &(struct attempt){SETXATTR, "open", .name = "all"}, 0);
	expect_alike(&bob, &(struct attempt){GETXATTR, "open", .name = "alices"}, -EACCES);
	expect_alike(&bob, &(struct attempt){GETXATTR, "open", .name = "all"}, -ENODATA);
}

static void nameless_files_belong_to_their_user(void **state)
{
	struct fuse_create_in in = {.flags = O_RDWR, .mode = S_IFREG | 0640};
	struct fuse_entry_out entry;
	struct twins twins;
	uint64_t dir;

	NEED_ROOT();
	make_twins(&twins);
	dir = rig_node(twins.rig, rig_node(twins.rig, FUSE_ROOT_ID, "guest"), "open");
	twins.rig->uid = twins.rig->gid = 1000;
	assert_int_equal(rig_name(twins.rig, FUSE_TMPFILE, dir, &in, sizeof(in), "/"), 0);
	memcpy(&entry, twins.rig->body, sizeof(entry));
	assert_int_equal(entry.attr.uid, 1000);
	assert_int_equal(entry.attr.gid, 1000);
	assert_int_equal(entry.attr.mode, S_IFREG | 0640);
	dir = rig_node(twins.rig, rig_node(twins.rig, FUSE_ROOT_ID, "guest"), "roots");
	assert_int_equal(rig_name(twins.rig, FUSE_TMPFILE, dir, &in, sizeof(in), "/"), -EACCES);
	free_twins(&twins);
}

/* What the guest's kernel asks for on all users' behalf is not up to who happens to be the one. */
static void names_and_attributes_are_for_all(void **state)
{
	struct fuse_attr attr;
	struct twins twins;
	uint64_t dir;

	NEED_ROOT();
	make_twins(&twins);
	twins.rig->uid = twins.rig->gid = 1000;
	dir = rig_node(twins.rig, rig_node(twins.rig, FUSE_ROOT_ID, "guest"), "roots");
	assert_int_equal(rig_getattr(twins.rig, rig_node(twins.rig, dir, "file"), &attr), 0);
	assert_int_equal(attr.uid, 0);
	free_twins(&twins);
}

/* The guest's kernel removes these itself when somebody writes, and must be able to. */
static void anybodys_write_takes_capabilities_away(void **state)
{
	static const uint8_t capability[20] = {1, 0, 0, 2, 0, 4}; /* VFS_CAP_REVISION_2, cap_net_bind_service+ep */
	struct twins twins;
	char path[128];
	uint64_t file;

	NEED_ROOT();
	make_twins(&twins);
	snprintf(path, sizeof(path), "%s/open/all", twins.guest);
	if (setxattr(path, "security.capability", capability, sizeof(capability), 0)) {
		free_twins(&twins);
		SKIP_FOR("no file capabilities here");
	}
	file = rig_node(twins.rig, rig_node(twins.rig, rig_node(twins.rig, FUSE_ROOT_ID, "guest"), "open"), "all");
	twins.rig->uid = twins.rig->gid = 1000;
	assert_int_equal(rig_name(twins.rig, FUSE_REMOVEXATTR, file, NULL, 0, "security.capability"), 0);
	assert_int_equal(getxattr(path, "security.capability", NULL, 0), -1);
	free_twins(&twins);
}

/* An inode that was closed is opened again with the VMM's rights, not the user's. */
static void closed_inodes_are_found_for_users_too(void **state)
{
	struct rig *rig;
	uint64_t nodes[8], fh;
	char name[8];

	NEED_ROOT();
	rig = rig_new_with(0, (struct fl_fs_opts){.as_users = true, .open_max = 2});
	for (unsigned int i = 0; i < FL_ARRAY_SIZE(nodes); i++) {
		snprintf(name, sizeof(name), "f%u", i);
		host_file(rig, name, "x", 1);
		nodes[i] = rig_node(rig, FUSE_ROOT_ID, name);
	}
	rig->uid = rig->gid = 1000;
	for (unsigned int i = 0; i < FL_ARRAY_SIZE(nodes); i++) {
		assert_int_equal(rig_open(rig, nodes[i], O_RDONLY, &fh), 0);
		assert_int_equal(rig_open(rig, nodes[i], O_RDWR, &fh), -EACCES);
	}
	rig_free(rig);
}

static void ids_that_are_none_are_refused(void **state)
{
	struct fuse_mkdir_in in = {.mode = 0755};
	struct rig *rig;

	NEED_ROOT();
	rig = rig_new_with(0, (struct fl_fs_opts){.as_users = true});
	assert_int_equal(fchmod(rig->dir_fd, 0777), 0);
	rig->uid = UINT32_MAX;
	assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &in, sizeof(in), "d"), -EPERM);
	rig->uid = 1000;
	rig->gid = UINT32_MAX;
	assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &in, sizeof(in), "d"), -EPERM);
	rig->gid = 1000;
	assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &in, sizeof(in), "d"), 0);
	rig_free(rig);
}

static int mkdir_with_extensions(struct rig *rig, const uint32_t *words, size_t count)
{
	struct fuse_mkdir_in in = {.mode = 0755};

	rig_begin(rig, FUSE_MKDIR, FUSE_ROOT_ID);
	rig_put(rig, &in, sizeof(in));
	rig_put_string(rig, "d");
	rig_put(rig, words, count * sizeof(*words));
	rig_header(rig)->total_extlen = (uint16_t)(count / 2);
	return rig_send(rig, RIG_ROOM);
}

static void malformed_groups_are_refused(void **state)
{
	static const uint32_t cases[][4] = {
		{4, 32, 1, GROUP},			     /* shorter than its own head */
		{24, 32, 1, GROUP},			     /* longer than what came */
		{16, 32, 2, GROUP},			     /* more groups than there is room for */
		{16, 32, UINT32_MAX, GROUP}, {8, 32, 8, 32}, /* no count */
	};
	static const uint32_t unknown[] = {16, 77, 1, GROUP};
	uint32_t many[32] = {128, 32, 30};
	struct rig *rig;

	NEED_ROOT();
	rig = rig_new_with(0, (struct fl_fs_opts){.as_users = true});
	for (size_t i = 0; i < FL_ARRAY_SIZE(cases); i++)
		assert_int_equal(mkdir_with_extensions(rig, cases[i], 4), -EINVAL);
	assert_int_equal(mkdir_with_extensions(rig, many, FL_ARRAY_SIZE(many)), -EINVAL);
	assert_int_equal(mkdir_with_extensions(rig, unknown, 4), 0);
	rig_free(rig);
}

/* The answer of a child process that body() has been run in. */
static int in_child(int (*body)(struct rig *rig), struct rig *rig)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(body(rig));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int refused_for(struct rig *rig, const char *word)
{
	struct fl_fs_opts opts = {.root_fd = rig->dir_fd, .as_users = true, .tag = "data"};
	struct fl_diag diag = {0};
	struct fl_fs *fs;

	return fl_fs_new(&opts, &fs, &diag) == -EPERM && strstr(diag.text, word) && strstr(diag.text, "data");
}

static int refused_as_nobody(struct rig *rig)
{
	return setresuid(1000, 1000, 1000) == 0 && refused_for(rig, "only root");
}

static int refused_without_a_capability(struct rig *rig)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {0};

	if (syscall(SYS_capget, &header, sets))
		return 0;
	sets[0].effective &= ~(1u << CAP_FOWNER);
	return syscall(SYS_capset, &header, sets) == 0 && refused_for(rig, "CAP_FOWNER");
}

static int refused_with_rights_that_stay(struct rig *rig)
{
	return prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) == 0 && refused_for(rig, "no-setuid-fixup");
}

static void who_cannot_be_others_is_told(void **state)
{
	struct rig *rig;

	NEED_ROOT();
	rig = rig_new(0);
	assert_int_equal(in_child(refused_as_nobody, rig), 1);
	assert_int_equal(in_child(refused_without_a_capability, rig), 1);
	assert_int_equal(in_child(refused_with_rights_that_stay, rig), 1);
	rig_free(rig);
}

/* setfsuid(0) does nothing any more, as if the kernel had no memory for it. */
static int forbid_return(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setfsuid, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = FL_ARRAY_SIZE(code), .filter = code};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int stays_another(struct rig *rig)
{
	struct fuse_attr attr;
	uint64_t fh;

	rig->as_users = false; /* rig_send() is not to insist on what this makes impossible */
	rig->uid = rig->gid = 1000;
	if (forbid_return())
		return 2;
	return rig_opendir(rig, FUSE_ROOT_ID, &fh) == -EIO && rig_getattr(rig, FUSE_ROOT_ID, &attr) == -EIO &&
	       setfsuid((uid_t)-1) == 1000;
}

/* Nothing is done in the name of one user for another. */
static void who_cannot_come_back_serves_nobody(void **state)
{
	struct rig *rig;

	NEED_ROOT();
	rig = rig_new_with(0, (struct fl_fs_opts){.as_users = true});
	assert_int_equal(fchmod(rig->dir_fd, 0755), 0);
	assert_int_equal(in_child(stays_another, rig), 1);
	rig_free(rig);
}

static void groups_are_agreed_on_with_users_only(void **state)
{
	struct fuse_init_out out;
	struct rig *rig;

	NEED_ROOT();
	for (unsigned int as_users = 0; as_users < 2; as_users++) {
		rig = rig_new_with(0, (struct fl_fs_opts){.as_users = as_users});
		assert_int_equal(rig_init(rig, RIG_OFFER_ALL, &out), 0);
		assert_int_equal(out.flags2 & 1u << 2 /* FUSE_CREATE_SUPP_GROUP */, as_users << 2);
		rig_free(rig);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_made_belongs_to_its_user),
	cmocka_unit_test(names_are_removed_by_who_may),
	cmocka_unit_test(names_are_moved_by_who_may),
	cmocka_unit_test(owners_and_modes_are_changed_by_who_may),
	cmocka_unit_test(files_are_opened_by_who_may),
	cmocka_unit_test(contents_are_changed_by_who_may),
	cmocka_unit_test(nameless_files_belong_to_their_user),
	cmocka_unit_test(names_and_attributes_are_for_all),
	cmocka_unit_test(anybodys_write_takes_capabilities_away),
	cmocka_unit_test(closed_inodes_are_found_for_users_too),
	cmocka_unit_test(ids_that_are_none_are_refused),
	cmocka_unit_test(malformed_groups_are_refused),
	cmocka_unit_test(who_cannot_be_others_is_told),
	cmocka_unit_test(who_cannot_come_back_serves_nobody),
	cmocka_unit_test(groups_are_agreed_on_with_users_only),
};
FL_TEST_MAIN(60, tests)
