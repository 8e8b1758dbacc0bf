/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's configuration, as guest/agent_conf.h describes it. */
#include "tests/lib/fl_test.h"

#include <stdlib.h>

#include "guest/conf_parse.h"

#define ROOT "Mroot\0/\0ro,dax\0"

/* sizeof - 1: the literal's own NUL is not part of the file, those written out are. */
#define PARSE(literal, conf, diag) parse(literal, sizeof(literal) - 1, conf, diag)

static int parse(const char *bytes, size_t len, struct fl_conf *conf, struct fl_diag *diag)
{
	/* exactly as long as the file: a read behind it is seen by the address sanitizer */
	char *text = malloc(len ? len : 1);

	memcpy(text, bytes, len);
	return fl_conf_parse(text, len, conf, diag);
}

static void all_records_are_understood(void **state)
{
	struct fl_conf conf;
	struct fl_diag diag;

	(void)state;
	assert_int_equal(PARSE("Hbox\0"
			       "T1700000000.000000005\0" ROOT "Mshare1\0/tmp/d\0rw\0"
			       "Oshare2\0/a\0ro,dax=inode\0share2.changes\0"
			       "Oshare3\0/b\0ro\0\0"
			       "EA=1\0"
			       "Asqlite3\0"
			       "A\0"
			       "Ax y\n\0"
			       "C/tmp\0"
			       "N10.0.2.15/24\00010.0.2.2\0"
			       "Nfd00::15/64\0\0"
			       "Rnameserver 10.0.2.3\n\0"
			       "EB=\0"
			       "P24 80\0"
			       "Ubob:video\0",
			       &conf, &diag),
			 0);
	assert_true(conf.has_terminal);
	assert_int_equal(conf.rows, 24);
	assert_int_equal(conf.cols, 80);
	assert_string_equal(conf.user, "bob:video");
	assert_string_equal(conf.hostname, "box");
	assert_true(conf.has_wall_clock);
	assert_int_equal(conf.wall_clock.tv_sec, 1700000000);
	assert_int_equal(conf.wall_clock.tv_nsec, 5);
	assert_int_equal(conf.mount_count, 4);
	assert_null(conf.mounts[0].upper);
	assert_string_equal(conf.mounts[2].options, "ro,dax=inode");
	assert_string_equal(conf.mounts[2].upper, "share2.changes");
	assert_string_equal(conf.mounts[3].path, "/b");
	assert_string_equal(conf.mounts[3].upper, "");
	assert_string_equal(conf.mounts[0].tag, "root");
	assert_string_equal(conf.mounts[0].path, "/");
	assert_string_equal(conf.mounts[0].options, "ro,dax");
	assert_string_equal(conf.mounts[1].tag, "share1");
	assert_string_equal(conf.mounts[1].path, "/tmp/d");
	assert_string_equal(conf.mounts[1].options, "rw");
	assert_int_equal(conf.argc, 3);
	assert_string_equal(conf.argv[0], "sqlite3");
	assert_string_equal(conf.argv[1], "");
	assert_string_equal(conf.argv[2], "x y\n");
	assert_null(conf.argv[3]);
	assert_string_equal(conf.envp[0], "A=1");
	assert_string_equal(conf.envp[1], "B=");
	assert_null(conf.envp[2]);
	assert_string_equal(conf.cwd, "/tmp");
	assert_int_equal(conf.address_count, 2);
	assert_string_equal(conf.addresses[0].address, "10.0.2.15/24");
	assert_string_equal(conf.addresses[0].gateway, "10.0.2.2");
	assert_string_equal(conf.addresses[1].address, "fd00::15/64");
	assert_string_equal(conf.addresses[1].gateway, "");
	assert_string_equal(conf.resolv_conf, "nameserver 10.0.2.3\n");
	fl_conf_fini(&conf);
}

static void what_is_left_out_has_defaults(void **state)
{
	struct fl_conf conf;
	struct fl_diag diag;

	(void)state;
	assert_int_equal(PARSE(ROOT "Als\0", &conf, &diag), 0);
	assert_string_equal(conf.cwd, "/");
	assert_null(conf.hostname);
	assert_int_equal(conf.address_count, 0);
	assert_null(conf.resolv_conf);
	assert_false(conf.has_wall_clock);
	assert_null(conf.envp[0]);
	fl_conf_fini(&conf);
}

static void assert_refused(const char *bytes, size_t len, const char *part)
{
	struct fl_conf conf;
	struct fl_diag diag = {0};

	assert_int_equal(parse(bytes, len, &conf, &diag), -EINVAL);
	if (!strstr(diag.text, part))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, part);
	assert_null(conf.text);
}
#define REFUSED(literal, part) assert_refused(literal, sizeof(literal) - 1, part)

static void broken_files_are_refused(void **state)
{
	(void)state;
	REFUSED("", "root");
	REFUSED(ROOT, "command");
	REFUSED("Als\0", "root");
	REFUSED(ROOT "Als", "within a record A");
	REFUSED("Mroot\0/\0", "within a record M");
	REFUSED("Mroot\0/\0ro", "within a record M");
	REFUSED(ROOT "Als\0X1\0", "0x58");
	REFUSED(ROOT "Als\0\0", "0");
	REFUSED(ROOT "Als\0\377x\0", "0xff");
	REFUSED("Mx\0/tmp\0rw\0" ROOT "Als\0", "/tmp");
	REFUSED(ROOT ROOT "Als\0", "\"/\"");
	REFUSED(ROOT "Mx\0tmp\0rw\0Als\0", "\"tmp\"");
}

static void a_cut_at_any_byte_is_refused_or_whole(void **state)
{
	static const char whole[] = ROOT "Mshare1\0/tmp/d\0rw\0T1.2\0Als\0A-l\0";
	unsigned int accepted = 0;

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		struct fl_conf conf;
		struct fl_diag diag;

		if (parse(whole, len, &conf, &diag) == 0) {
			accepted++;
			fl_conf_fini(&conf);
		}
	}
	/* after "ls" and after "-l" */
	assert_int_equal(accepted, 2);
}

static void clocks_are_two_numbers(void **state)
{
	(void)state;
	REFUSED(ROOT "Als\0T\0", "not a time");
	REFUSED(ROOT "Als\0T5\0", "not a time");
	REFUSED(ROOT "Als\0T5.\0", "not a time");
	REFUSED(ROOT "Als\0T.5\0", "not a time");
	REFUSED(ROOT "Als\0T-5.0\0", "not a time");
	REFUSED(ROOT "Als\0T5.1000000000\0", "not a time");
	REFUSED(ROOT "Als\0T5.-1\0", "not a time");
	REFUSED(ROOT "Als\0T5.1x\0", "not a time");
	REFUSED(ROOT "Als\0T99999999999999999999.0\0", "not a time");
	REFUSED(ROOT "Als\0T5.99999999999999999999\0", "not a time");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_records_are_understood), cmocka_unit_test(what_is_left_out_has_defaults),
	cmocka_unit_test(broken_files_are_refused),   cmocka_unit_test(a_cut_at_any_byte_is_refused_or_whole),
	cmocka_unit_test(clocks_are_two_numbers),
};
FL_TEST_MAIN(10, tests)
