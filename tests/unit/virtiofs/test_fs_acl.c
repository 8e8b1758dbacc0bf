/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX ACLs, which are passed where the guest's users are the host's. */
#include "twins.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <sys/xattr.h>

#define ACCESS_ACL  "system.posix_acl_access"
#define DEFAULT_ACL "system.posix_acl_default"
#define NO_ID	    UINT32_MAX
#define EVERYTHING  (ACL_READ | ACL_WRITE | ACL_EXECUTE)

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[5];
};

/* The owner may all, `tag` with `id` what perm says, nobody else anything. */
static struct acl acl_for(uint16_t tag, uint32_t id, uint16_t perm)
{
	const struct posix_acl_xattr_entry named = {htole16(tag), htole16(perm), htole32(id)};
	const struct posix_acl_xattr_entry group = {htole16(ACL_GROUP_OBJ), 0, htole32(NO_ID)};
	bool user = tag == ACL_USER;

	return (struct acl){
		.header = {htole32(POSIX_ACL_XATTR_VERSION)},
		.entries = {{htole16(ACL_USER_OBJ), htole16(EVERYTHING), htole32(NO_ID)},
			    user ? named : group,
			    user ? group : named,
			    {htole16(ACL_MASK), htole16(EVERYTHING), htole32(NO_ID)},
			    {htole16(ACL_OTHER), 0, htole32(NO_ID)}},
	};
}

static void set_acl(const char *top, const char *path, const char *name, struct acl acl)
{
	char full[128];

	snprintf(full, sizeof(full), "%s/%s", top, path);
	assert_int_equal(setxattr(full, name, &acl, sizeof(acl), 0), 0);
}

static bool has_acls(void)
{
	struct acl acl = acl_for(ACL_USER, 1000, ACL_READ);
	char path[] = "/tmp/fl-acl-XXXXXX";
	int fd = mkstemp(path);
	bool has = fsetxattr(fd, ACCESS_ACL, &acl, sizeof(acl), 0) == 0;

	close(fd);
	unlink(path);
	return has;
}

#define NEED_ACLS()                                  \
	do {                                         \
		NEED_ROOT();                         \
		if (!has_acls())                     \
			SKIP_FOR("no ACLs on /tmp"); \
	} while (0)

/* roots/ and roots/file: root's, and bob's by name; group/file: GROUP's by name */
static void give_rights(const char *top)
{
	set_acl(top, "roots", ACCESS_ACL, acl_for(ACL_USER, bob.uid, EVERYTHING));
	set_acl(top, "roots/file", ACCESS_ACL, acl_for(ACL_USER, bob.uid, ACL_READ));
	set_acl(top, "open/roots", ACCESS_ACL, acl_for(ACL_GROUP, GROUP, ACL_READ));
}

static void acls_permit_and_refuse(void **state)
{
	NEED_ACLS();
	expect_alike_prepared(&bob, &(struct attempt){MKDIR, "roots", "new", .a = 0755}, 0, give_rights);
	expect_alike_prepared(&alice, &(struct attempt){MKDIR, "roots", "new", .a = 0755}, -EACCES, give_rights);
	expect_alike_prepared(&bob, &(struct attempt){OPEN, "roots", "file", .a = O_RDONLY}, 0, give_rights);
	expect_alike_prepared(&bob, &(struct attempt){OPEN, "roots", "file", .a = O_RDWR}, -EACCES, give_rights);
	/* by a supplementary group that only the ACL names, and the guest's kernel has found it in there */
	expect_alike_prepared(&member, &(struct attempt){OPEN, "open", "roots", .a = O_RDONLY}, 0, give_rights);
	expect_alike_prepared(&member, &(struct attempt){OPEN, "open", "roots", .a = O_RDWR}, -EACCES, give_rights);
	expect_alike_prepared(&primary, &(struct attempt){OPEN, "open", "roots", .a = O_RDONLY}, 0, give_rights);
}

static void give_defaults(const char *top)
{
	set_acl(top, "open", DEFAULT_ACL, acl_for(ACL_USER, bob.uid, EVERYTHING));
}

/* Where a directory has a default ACL the umask counts for nothing, and where it has none it does. */
static void defaults_replace_the_umask(void **state)
{
	static const enum act acts[] = {CREATE, MKDIR, FIFO};

	NEED_ACLS();
	for (size_t i = 0; i < FL_ARRAY_SIZE(acts); i++) {
		struct attempt try = {acts[i], "open", "new", .a = 0777, .b = O_RDWR, .mask = 077};

		expect_alike(&alice, &try, 0);
		expect_alike_prepared(&alice, &try, 0, give_defaults);
		try.a = 0640;
		expect_alike_prepared(&alice, &try, 0, give_defaults);
	}
	expect_alike_prepared(&alice, &(struct attempt){SYMLINK, "open", .name = "new"}, 0, give_defaults);
}

static void acls_are_set_by_who_may(void **state)
{
	const struct acl acl = acl_for(ACL_USER, bob.uid, ACL_READ);
	const struct attempt on_alices = {
		SETXATTR, "open", "alices", .xattr = ACCESS_ACL, .value = &acl, .value_len = sizeof(acl)};
	const struct attempt on_dir = {
		SETXATTR, ".", "alices", .xattr = DEFAULT_ACL, .value = &acl, .value_len = sizeof(acl)};
	const struct attempt cut = {SETXATTR, "open", "alices", .xattr = ACCESS_ACL, .value = &acl, .value_len = 7};

	NEED_ACLS();
	expect_alike(&alice, &on_alices, 0);
	expect_alike(&superuser, &on_alices, 0);
	expect_alike(&bob, &on_alices, -EPERM);
	expect_alike(&alice, &on_dir, 0);
	expect_alike(&bob, &on_dir, -EPERM);
	expect_alike(&alice, &cut, -EINVAL);
}

static void make_set_group_id(const char *top)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/open/members", top);
	assert_int_equal(chmod(path, 02770), 0);
	snprintf(path, sizeof(path), "%s/open/suid", top);
	assert_int_equal(chown(path, alice.uid, GROUP), 0);
	assert_int_equal(chmod(path, 02777), 0);
}

/* Who is of the file's group keeps the bit. */
static void an_acl_takes_the_set_group_id_bit_from_strangers(void **state)
{
	const struct acl acl = acl_for(ACL_USER, bob.uid, ACL_READ);
	struct attempt try = {
		SETXATTR, "open", "members", .xattr = ACCESS_ACL, .value = &acl, .value_len = sizeof(acl)};

	NEED_ACLS();
	expect_alike_prepared(&member, &try, 0, make_set_group_id);
	try.name = "suid";
	expect_alike_prepared(&alice, &try, 0, make_set_group_id);
	expect_alike_prepared(&superuser, &try, 0, make_set_group_id);
}

static void acls_are_read_changed_and_removed(void **state)
{
	NEED_ACLS();
	expect_alike_prepared(&alice, &(struct attempt){GETXATTR, "open", "roots", .xattr = ACCESS_ACL}, 0,
			      give_rights);
	expect_alike(&alice, &(struct attempt){GETXATTR, "open", "roots", .xattr = ACCESS_ACL}, -ENODATA);
	expect_alike_prepared(&superuser, &(struct attempt){CHMOD, "open", "roots", .a = 0700}, 0, give_rights);
	expect_alike_prepared(&superuser, &(struct attempt){REMOVEXATTR, "open", "roots", .xattr = ACCESS_ACL}, 0,
			      give_rights);
	expect_alike_prepared(&bob, &(struct attempt){REMOVEXATTR, "open", "roots", .xattr = ACCESS_ACL}, -EPERM,
			      give_rights);
}

/* Linux takes any other answer than "none" for a permission that is denied (fs/namei.c check_acl). */
static void where_there_can_be_none_there_is_none(void **state)
{
	struct fuse_getxattr_in in = {0};
	struct rig *rig;

	NEED_ROOT();
	rig = rig_new_with(0, (struct fl_fs_opts){.as_users = true});
	assert_int_equal(symlinkat("target", rig->dir_fd, "link"), 0);
	assert_int_equal(rig_name(rig, FUSE_GETXATTR, rig_node(rig, FUSE_ROOT_ID, "link"), &in, sizeof(in), ACCESS_ACL),
			 -ENODATA);
	rig_free(rig);
}

static void without_users_there_are_no_acls(void **state)
{
	struct fuse_getxattr_in in = {0};
	struct fuse_init_out out;
	struct rig *rig = rig_new(0);

	(void)state;
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL, &out), 0);
	assert_int_equal(out.flags & (FUSE_POSIX_ACL | FUSE_DONT_MASK | FUSE_SETXATTR_EXT), 0);
	assert_int_equal(rig_name(rig, FUSE_GETXATTR, FUSE_ROOT_ID, &in, sizeof(in), ACCESS_ACL), -EOPNOTSUPP);
	rig_free(rig);
}

/* One of the three without the others would apply umasks twice, or none. */
static void acls_need_all_that_belongs_to_them(void **state)
{
	static const uint32_t flags[] = {FUSE_POSIX_ACL, FUSE_DONT_MASK, FUSE_SETXATTR_EXT};
	struct fuse_init_out out;
	struct rig *rig;

	NEED_ROOT();
	rig = rig_new_with(0, (struct fl_fs_opts){.as_users = true});
	for (size_t i = 0; i < FL_ARRAY_SIZE(flags); i++) {
		assert_int_equal(rig_init(rig, RIG_OFFER_ALL & ~(uint64_t)flags[i], &out), 0);
		assert_int_equal(out.flags & (FUSE_POSIX_ACL | FUSE_DONT_MASK | FUSE_SETXATTR_EXT), 0);
	}
	rig_free(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(acls_permit_and_refuse),
	cmocka_unit_test(defaults_replace_the_umask),
	cmocka_unit_test(acls_are_set_by_who_may),
	cmocka_unit_test(an_acl_takes_the_set_group_id_bit_from_strangers),
	cmocka_unit_test(acls_are_read_changed_and_removed),
	cmocka_unit_test(where_there_can_be_none_there_is_none),
	cmocka_unit_test(without_users_there_are_no_acls),
	cmocka_unit_test(acls_need_all_that_belongs_to_them),
};
FL_TEST_MAIN(60, tests)
