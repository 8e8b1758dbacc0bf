/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's users on the host (map=host): what they may, what becomes theirs, and that nobody stays somebody else. */
#include "twins.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

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
	make_twins(&twins, NULL);
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
	make_twins(&twins, NULL);
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
	make_twins(&twins, NULL);
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
	struct fl_fs_opts opts = {.root_fd = rig->dir_fd, .as_users = true, .title = "data"};
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
