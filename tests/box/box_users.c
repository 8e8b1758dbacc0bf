/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's users on the host (--map host): a script that makes a tree and works in it as several users runs on this
 * host and in a guest. It must say the same, and the trees must be alike in owners, modes and sizes.
 *
 * usage: box_users LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/stat.h>

#include "tests/box/guest_run.h"

#define AS                                                                     \
	"exec 2>&1; export LC_ALL=C; cd \"$1\" || exit 9\n"                    \
	"as() { g=$1; shift; setpriv --reuid 1000 --regid 1000 $g \"$@\"; }\n" \
	"root() { sh -c \"$1\"; }\n"                                           \
	"alice() { as --clear-groups sh -c \"$1\"; }\n"                        \
	"member() { as --groups=2000 sh -c \"$1\"; }\n"

static const char users_script[] = AS
	"umask 022; mkdir roots open sticky group; chmod 700 roots; chmod 777 open; chmod 1777 sticky\n"
	"chgrp 2000 group; chmod 2770 group; echo x > sticky/roots; echo x > roots/f; echo x > group/f\n"
	"cp /bin/true open/program; chmod 711 open/program; echo w > open/suid; chmod 6777 open/suid\n"
	"echo p > open/private; chmod 600 open/private\n"
	"alice 'umask 027; echo hi > open/mine; mkdir open/dir; ln -s x open/link; mkfifo open/fifo'\n"
	"alice 'rm -f sticky/roots; mv sticky/roots open/stolen; ls roots; cat open/private; echo > group/new'\n"
	"alice 'cat open/program > /dev/null; open/program && echo program ran; echo more >> open/suid'\n"
	"alice 'chown 0 open/mine; chmod 777 open/private; chmod 2700 open/dir; touch open/private; truncate -s 1 open/suid'\n"
	"alice 'cp open/mine open/copy; mv open/copy open/moved; ln open/moved open/linked; rm open/moved; cat open/linked'\n"
	"member 'umask 002; cat group/f; echo g > group/new; mkdir group/dir; echo h > group/dir/f; rm -f group/f'\n"
	"member 'chgrp 2000 open/mine; mv group/new group/newer; chmod g+s group/dir; ls group; cat open/private'\n"
	"root 'echo r > open/mine; chown 1001:1001 open/dir; rm sticky/roots; mkdir group/roots'\n"
	"echo done\n";

static const char acl_script[] = AS
	"acl() { python3 -c 'import os, struct, sys\n"
	"entries = [(1, 7, -1), (2, int(sys.argv[3]), 1000), (4, 0, -1), (8, int(sys.argv[4]), 2000), (16, 7, -1), (32, 0, -1)]\n"
	"os.setxattr(sys.argv[1], \"system.posix_acl_\" + sys.argv[2], struct.pack(\"<I\", 2) +\n"
	"            b\"\".join(struct.pack(\"<HHi\", *entry) for entry in entries))' \"$@\"; }\n"
	"umask 022; mkdir plain default; chmod 777 plain default; echo s > secret; chmod 600 secret\n"
	"acl default default 6 4\n"
	"alice 'umask 077; for d in plain default; do echo x > $d/f; mkdir $d/d; mkfifo $d/p; done; cat secret'\n"
	"acl secret access 4 0; alice 'cat secret; echo x > secret'\n"
	"acl secret access 0 4; alice 'cat secret'; member 'cat secret; echo x > secret'\n"
	"root 'umask 077; echo r > default/r'; alice 'cat default/r; echo more > default/r'\n"
	"chmod 640 default/r; echo done\n";

static void list_tree(const struct bench *bench, const char *dir, struct transcript *list)
{
	const char *const argv[] = {
		"/bin/sh", "-c", "cd \"$1\" && find . -printf '%p %M %U:%G %s %n\\n' | grep -v '^\\. ' | sort",
		"sh",	   dir,	 NULL};

	run_command(bench, argv, list);
}

static void make_dir(char *path, size_t len, const struct bench *bench, const char *name, const char *whose)
{
	snprintf(path, len, "%s/%s-%s", bench->data, name, whose);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void expect_the_same(const struct bench *bench, const char *name, const char *script)
{
	struct transcript native, guest, native_tree, guest_tree;
	char native_dir[PATH_MAX + 16], guest_dir[PATH_MAX + 16], share[PATH_MAX + 48];

	if (geteuid() != 0)
		SKIP_FOR("only root can act as the guest's users");
	make_dir(native_dir, sizeof(native_dir), bench, name, "native");
	make_dir(guest_dir, sizeof(guest_dir), bench, name, "guest");
	snprintf(share, sizeof(share), "/tmp/data=%s", guest_dir);
	const char *const on_host[] = {"/bin/sh", "-c", script, "sh", native_dir, NULL};
	const char *const options[] = {"--map", "/tmp/data=host", "--rwdir", share, NULL};
	const char *const command[] = {"sh", "-c", script, "sh", "/tmp/data", NULL};

	run_command(bench, on_host, &native);
	run_guest(bench, options, command, name, &guest);
	list_tree(bench, native_dir, &native_tree);
	list_tree(bench, guest_dir, &guest_tree);
	if (strcmp(native.out, guest.out) || strcmp(native_tree.out, guest_tree.out)) {
		show("native", &native);
		show("guest", &guest);
		show("native tree", &native_tree);
		show("guest tree", &guest_tree);
	}
	assert_int_equal(lines_with(native.out, "done"), 1);
	assert_string_equal(guest.out, native.out);
	assert_string_equal(guest_tree.out, native_tree.out);
	assert_int_equal(guest.status, native.status);
	transcript_free(&native);
	transcript_free(&guest);
	transcript_free(&native_tree);
	transcript_free(&guest_tree);
}

static void users_are_the_hosts(void **state)
{
	expect_the_same(*state, "users", users_script);
}

static void acls_are_the_hosts(void **state)
{
	expect_the_same(*state, "acls", acl_script);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(users_are_the_hosts),
	cmocka_unit_test(acls_are_the_hosts),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
