/* SPDX-License-Identifier: Apache-2.0 */
#include "twins.h"

#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define FMODE_EXEC 0x20 /* include/linux/fs.h; comes with the OPEN of exec(2) */

const struct user alice = {"alice", 1000, 1000, 0};
const struct user bob = {"bob", 1001, 1001, 0};
const struct user member = {"member", 1002, 1002, GROUP};
const struct user primary = {"primary", 1003, GROUP, 0};
const struct user superuser = {"root", 0, 0, 0};

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

void make_twins(struct twins *twins, void (*prepare)(const char *top))
{
	twins->rig = rig_new_with(0, (struct fl_fs_opts){.as_users = true, .attr_timeout_ms = 1000});
	snprintf(twins->native, sizeof(twins->native), "%s/native", twins->rig->dir);
	snprintf(twins->guest, sizeof(twins->guest), "%s/guest", twins->rig->dir);
	make_tree(twins->native);
	make_tree(twins->guest);
	if (prepare) {
		prepare(twins->native);
		prepare(twins->guest);
	}
	twins->native_fd = open(twins->native, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(twins->native_fd >= 0);
}

void free_twins(struct twins *twins)
{
	close(twins->native_fd);
	rig_free(twins->rig);
}

static const char *xattr_of(const struct attempt *try)
{
	return try->xattr ? try->xattr : "user.x";
}

static const void *value_of(const struct attempt *try)
{
	return try->value ? try->value : "y";
}

static uint32_t value_len_of(const struct attempt *try)
{
	return try->value ? try->value_len : 1;
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
		return setxattr(path, xattr_of(try), value_of(try), value_len_of(try), 0);
	if (try->act == REMOVEXATTR)
		return removexattr(path, xattr_of(try));
	if (try->act == GETXATTR)
		return getxattr(path, xattr_of(try), NULL, 0) < 0 ? -1 : 0;
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
		umask(try->mask);
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
	const struct fuse_create_in create = {
		.flags = O_CREAT | O_EXCL | try->b, .mode = S_IFREG | try->a, .umask = try->mask};
	const struct fuse_mkdir_in mkdir = {.mode = try->a, .umask = try->mask};
	const struct fuse_mknod_in mknod = {.mode = S_IFIFO | try->a, .umask = try->mask};
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

/* fs/fuse/acl.c fuse_set_acl(): who is neither of the file's group nor root loses the set-group-id bit. */
static int set_xattr_by_request(struct rig *rig, uint64_t file, const struct user *user, const struct attempt *try)
{
	struct fuse_setxattr_in in = {.size = value_len_of(try)};
	struct fuse_attr attr;

	assert_int_equal(rig_getattr(rig, file, &attr), 0);
	if (user->uid && user->gid != attr.gid && user->group != attr.gid)
		in.setxattr_flags = FUSE_SETXATTR_ACL_KILL_SGID;
	rig_begin(rig, FUSE_SETXATTR, file);
	rig_put(rig, &in, sizeof(in));
	rig_put_string(rig, xattr_of(try));
	rig_put(rig, value_of(try), in.size);
	return rig_send(rig, RIG_ROOM);
}

static int use_by_request(struct rig *rig, uint64_t file, const struct user *user, const struct attempt *try)
{
	const struct fuse_open_in open = {.flags = try->act == EXEC ? O_RDONLY | FMODE_EXEC : try->a};
	const struct fuse_access_in access = {.mask = try->a};
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
		return ask(rig, FUSE_GETXATTR, file, &args, xattr_of(try), NULL, NULL);
	case REMOVEXATTR:
		return ask(rig, FUSE_REMOVEXATTR, file, &args, xattr_of(try), NULL, NULL);
	case SETXATTR:
		return set_xattr_by_request(rig, file, user, try);
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
		error = use_by_request(rig, file, user, try);
	rig->uid = rig->gid = 0;
	return error;
}

/* --- are they alike? --- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void print_acl(FILE *out, const char *path, const char *name)
{
	uint8_t acl[256];
	ssize_t len = lgetxattr(path, name, acl, sizeof(acl));

	for (ssize_t i = 0; i < len; i++)
		fprintf(out, "%s%02x", i ? "" : " ", acl[i]);
}

/* Owner, mode, size, links and ACLs of all there is, as text. */
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

		if (at->fts_info == FTS_DP || at->fts_level == 0)
			continue;
		fprintf(out, "%s %o %u:%u %lld %lu", at->fts_path + strlen(top), st->st_mode, st->st_uid, st->st_gid,
			S_ISREG(st->st_mode) ? (long long)st->st_size : 0, st->st_nlink);
		print_acl(out, at->fts_path, "system.posix_acl_access");
		print_acl(out, at->fts_path, "system.posix_acl_default");
		fputc('\n', out);
	}
	fts_close(walk);
	fclose(out);
	return text;
}

void expect_alike_prepared(const struct user *user, const struct attempt *try, int expected,
			   void (*prepare)(const char *top))
{
	struct twins twins;
	char *native_tree, *guest_tree;
	int native, guest;

	make_twins(&twins, prepare);
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

void expect_alike(const struct user *user, const struct attempt *try, int expected)
{
	expect_alike_prepared(user, try, expected, NULL);
}

bool may_be_others(void)
{
	return geteuid() == 0 && !fl_user_check("test", NULL);
}
