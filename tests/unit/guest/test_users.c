/* SPDX-License-Identifier: Apache-2.0 */
/* Users by the guest's own files: passwd(5), group(5), and whatever else may stand in them. */
#include "tests/lib/fl_test.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "guest/users.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "# a comment: with: many: colons: in: it: really\n"
			     "daemon:x:1:1:::\n"
			     "broken:x:77\n"
			     "wrong:x:seven:7::/:/bin/sh\n"
			     "huge:x:4294967295:7::/:/bin/sh\n"
			     "\n"
			     "+::::::\n"
			     "bob:x:1000:1001:Bob,,,:/home/bob:/bin/zsh\n"
			     "bobby:x:1002:1002::/home/bobby:/bin/sh\n"
			     "1000:x:3000:3001:a name of digits:/home/digits:/bin/sh\n"
			     "twin:x:1002:5:the second with that number:/t:/t\n"
			     "last:x:4294967294:9::/l:/l"; /* and no newline */

static const char group[] = "root:x:0:\n"
			    "video:x:44:bob,alice\n"
			    "audio:x:29:alice,bob\n"
			    "bobs:x:1001:\n"
			    "many:x:50:bobby,bobbob,robob,,bo\n"
			    "short:x:60\n";

struct files {
	char dir[32];
	char passwd[48], group[48];
};

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	struct files *files = calloc(1, sizeof(*files));

	snprintf(files->dir, sizeof(files->dir), "/tmp/fl-users.XXXXXX");
	assert_non_null(mkdtemp(files->dir));
	snprintf(files->passwd, sizeof(files->passwd), "%s/passwd", files->dir);
	snprintf(files->group, sizeof(files->group), "%s/group", files->dir);
	put(files->passwd, passwd);
	put(files->group, group);
	*state = files;
	return 0;
}

static int teardown(void **state)
{
	struct files *files = *state;

	unlink(files->passwd);
	unlink(files->group);
	rmdir(files->dir);
	free(files);
	return 0;
}

static void expect(const struct files *files, const char *spec, uid_t uid, gid_t gid, const char *name,
		   const char *home, const char *shell)
{
	struct fl_user user;
	struct fl_diag diag = {0};

	if (fl_user_resolve(spec, files->passwd, files->group, &user, &diag))
		fail_msg("%s: %s", spec, diag.text);
	assert_int_equal(user.uid, uid);
	assert_int_equal(user.gid, gid);
	assert_string_equal(user.name, name);
	assert_string_equal(user.home, home);
	assert_string_equal(user.shell, shell);
	fl_user_fini(&user);
}

static void expect_refused(const struct files *files, const char *spec, int error, const char *word)
{
	struct fl_user user;
	struct fl_diag diag = {0};

	assert_int_equal(fl_user_resolve(spec, files->passwd, files->group, &user, &diag), error);
	if (!strstr(diag.text, word))
		fail_msg("%s: \"%s\" does not say \"%s\"", spec, diag.text, word);
	assert_null(user.name);
}

static void names_and_numbers(void **state)
{
	const struct files *files = *state;

	expect(files, "root", 0, 0, "root", "/root", "/bin/bash");
	expect(files, "daemon", 1, 1, "daemon", "/", "/bin/sh");
	expect(files, "bob", 1000, 1001, "bob", "/home/bob", "/bin/zsh");
	expect(files, "last", 4294967294, 9, "last", "/l", "/l");
	/* the name first, then the number, of two the first */
	expect(files, "1000", 3000, 3001, "1000", "/home/digits", "/bin/sh");
	expect(files, "1002", 1002, 1002, "bobby", "/home/bobby", "/bin/sh");
	expect(files, "12345", 12345, 0, "12345", "/", "/bin/sh");
	expect(files, "bob:video", 1000, 44, "bob", "/home/bob", "/bin/zsh");
	expect(files, "bob:7", 1000, 7, "bob", "/home/bob", "/bin/zsh");
	expect(files, "12345:54321", 12345, 54321, "12345", "/", "/bin/sh");
}

static void what_does_not_exist_is_named(void **state)
{
	const struct files *files = *state;

	expect_refused(files, "alice", -ENOENT, "the user \"alice\" does not exist in the guest");
	expect_refused(files, "bo", -ENOENT, "\"bo\"");
	expect_refused(files, "broken", -ENOENT, "\"broken\"");
	expect_refused(files, "wrong", -ENOENT, "\"wrong\"");
	expect_refused(files, "huge", -ENOENT, "\"huge\"");
	expect_refused(files, "4294967295", -ENOENT, "\"4294967295\"");
	expect_refused(files, "99999999999999999999999", -ENOENT, "does not exist");
	expect_refused(files, "-1", -ENOENT, "does not exist");
	expect_refused(files, "bob:nobodies", -ENOENT, "the group \"nobodies\" does not exist in the guest");
	expect_refused(files, "bob:4294967295", -ENOENT, "group");
	expect_refused(files, "bob:video:x", -ENOENT, "\"video:x\"");
	expect_refused(files, "", -EINVAL, "is not a user");
	expect_refused(files, ":video", -EINVAL, "is not a user");
	expect_refused(files, "bob:", -EINVAL, "is not a user");
}

static void assert_groups(const struct files *files, const char *spec, const gid_t *groups, size_t count)
{
	struct fl_user user;

	assert_int_equal(fl_user_resolve(spec, files->passwd, files->group, &user, NULL), 0);
	assert_int_equal(user.group_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(user.groups[i], groups[i]);
	fl_user_fini(&user);
}

static void groups_that_name_the_user(void **state)
{
	const struct files *files = *state;

	assert_groups(files, "bob", (const gid_t[]){44, 29, 1001}, 3);
	assert_groups(files, "bob:audio", (const gid_t[]){44, 29}, 2);
	assert_groups(files, "bobby", (const gid_t[]){50, 1002}, 2);
	assert_groups(files, "12345", (const gid_t[]){0}, 1);
}

static void files_that_are_not_there_or_no_files(void **state)
{
	struct files *files = *state;

	unlink(files->group);
	expect(files, "bob", 1000, 1001, "bob", "/home/bob", "/bin/zsh");
	expect_refused(files, "bob:video", -ENOENT, "video");
	unlink(files->passwd);
	expect(files, "1000:5", 1000, 5, "1000", "/", "/bin/sh");
	expect_refused(files, "bob", -ENOENT, "bob");
	/* a FIFO that nobody writes to must not be waited for */
	assert_int_equal(mkfifo(files->passwd, 0600), 0);
	expect_refused(files, "bob", -EINVAL, "not a file");
	unlink(files->passwd);
	assert_int_equal(symlink("/dev/zero", files->passwd), 0);
	expect_refused(files, "bob", -EINVAL, "not a file");
	unlink(files->passwd);
	put(files->passwd, "");
	assert_int_equal(truncate(files->passwd, (16 << 20) + 1), 0);
	expect_refused(files, "bob", -EINVAL, "16 MiB");
	assert_int_equal(truncate(files->passwd, 1 << 20), 0); /* zeros */
	expect_refused(files, "bob", -ENOENT, "bob");
}

/* An independent reader of the same format: the C library's. */
static void the_c_library_says_the_same_of_this_host(void **state)
{
	FILE *file = fopen(FL_PASSWD_PATH, "re");
	const struct passwd *entry;
	unsigned int seen = 0;

	(void)state;
	if (!file)
		SKIP_FOR("there is no %s", FL_PASSWD_PATH);
	while ((entry = fgetpwent(file))) {
		struct fl_user user;

		assert_int_equal(fl_user_resolve(entry->pw_name, FL_PASSWD_PATH, FL_GROUP_PATH, &user, NULL), 0);
		assert_int_equal(user.uid, entry->pw_uid);
		assert_int_equal(user.gid, entry->pw_gid);
		assert_string_equal(user.home, *entry->pw_dir ? entry->pw_dir : "/");
		fl_user_fini(&user);
		seen++;
	}
	fclose(file);
	assert_true(seen > 0);
}

#define USERS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static const struct CMUnitTest tests[] = {
	USERS_TEST(names_and_numbers),
	USERS_TEST(what_does_not_exist_is_named),
	USERS_TEST(groups_that_name_the_user),
	USERS_TEST(files_that_are_not_there_or_no_files),
	cmocka_unit_test(the_c_library_says_the_same_of_this_host),
};
FL_TEST_MAIN(20, tests)
