/* SPDX-License-Identifier: Apache-2.0 */
/* Files of defaults. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/config_file.h"

struct files {
	char system[64], user[64];
	struct fl_cli_config_places places;
	struct fl_cli_options options;
	struct fl_diag diag;
	int ret;
};

static void write_file(char path[64], const char *text, size_t len)
{
	strcpy(path, "/tmp/faultline-config.XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

/* "faultline run WORD... -- ls" with these files; NULL: there is none. The words must not be of the stack. */
static void parse(struct files *files, const char *system, const char *user, char *word, char *second)
{
	char *argv[] = {(char[]){"run"}, word, second, NULL, NULL, NULL};
	int argc = second ? 3 : word ? 2 : 1;

	memset(files, 0, sizeof(*files));
	if (system)
		write_file(files->system, system, strlen(system));
	if (user)
		write_file(files->user, user, strlen(user));
	files->places.system = system ? files->system : "/nonexistent/faultline.conf";
	files->places.user = user ? files->user : NULL;
	argv[argc++] = (char[]){"--"};
	argv[argc++] = (char[]){"ls"};
	files->ret = fl_cli_options_parse(argc, argv, &files->places, &files->options, &files->diag);
}

static void forget(struct files *files)
{
	fl_cli_options_fini(&files->options);
	if (files->system[0])
		unlink(files->system);
	if (files->user[0])
		unlink(files->user);
}

static void assert_refused(struct files *files, const char *part)
{
	assert_int_equal(files->ret, -EINVAL);
	if (!strstr(files->diag.text, part))
		fail_msg("\"%s\" does not say \"%s\"", files->diag.text, part);
	forget(files);
}

static void files_are_not_needed(void **state)
{
	struct files files;

	(void)state;
	parse(&files, NULL, NULL, NULL, NULL);
	assert_int_equal(files.ret, 0);
	assert_int_equal(files.options.vcpus, 1);
	forget(&files);
}

static void lines_are_options(void **state)
{
	struct files files;

	(void)state;
	parse(&files,
	      "# defaults\n\n  memory = 2G  \ncpus=4\n\tprefault = yes\nunpatched = no\nparams = a=b c\n"
	      "env = A=1\nenv = B=2\nrodir = /tmp/u=/usr\non-fault = stop",
	      NULL, NULL, NULL);
	assert_int_equal(files.ret, 0);
	assert_int_equal(files.options.ram_len, UINT64_C(2) << 30);
	assert_int_equal(files.options.vcpus, 4);
	assert_true(files.options.prefault);
	assert_false(files.options.unpatched);
	assert_string_equal(files.options.params, "a=b c");
	assert_int_equal(files.options.env_count, 2);
	assert_string_equal(files.options.env[1], "B=2");
	assert_int_equal(files.options.share_count, 2);
	assert_string_equal(files.options.shares[1].dir, "/usr");
	assert_int_equal(files.options.shares[1].policy.action[0], FL_ACTION_STOP);
	forget(&files);
}

static void what_is_nearer_wins(void **state)
{
	static char memory[] = "--memory=3G", share[] = "--rwdir=/tmp/u=/etc";
	struct files files;

	(void)state;
	parse(&files, "memory = 1G\ncpus = 2\nrodir = /tmp/u=/usr\nroot = /usr\n", "cpus = 3\nmemory = 2G\n", memory,
	      share);
	assert_int_equal(files.ret, 0);
	assert_int_equal(files.options.ram_len, UINT64_C(3) << 30);
	assert_int_equal(files.options.vcpus, 3);
	assert_int_equal(files.options.share_count, 2);
	assert_string_equal(files.options.shares[0].dir, "/usr");
	assert_string_equal(files.options.shares[1].dir, "/etc");
	assert_true(files.options.shares[1].writable);
	forget(&files);
}

static void no_file_is_read_on_request(void **state)
{
	static char none[] = "--no-config";
	struct files files;

	(void)state;
	parse(&files, "nonsense", "nonsense", none, NULL);
	assert_int_equal(files.ret, 0);
	forget(&files);
}

static void another_file_can_be_named(void **state)
{
	static char option[96], missing[] = "--config=/nonexistent/x", fifo_option[96];
	char other[64], fifo[64];
	struct files files;

	(void)state;
	write_file(other, "cpus = 5\n", 9);
	snprintf(option, sizeof(option), "--config=%s", other);
	parse(&files, "memory = 2G\n", "nonsense", option, NULL);
	assert_int_equal(files.ret, 0);
	assert_int_equal(files.options.vcpus, 5);
	assert_int_equal(files.options.ram_len, UINT64_C(2) << 30);
	forget(&files);
	unlink(other);
	parse(&files, NULL, NULL, missing, NULL);
	assert_int_equal(files.ret, -ENOENT);
	assert_non_null(strstr(files.diag.text, "/nonexistent/x"));
	forget(&files);
	write_file(fifo, "", 0); /* a name of its own */
	assert_int_equal(unlink(fifo), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	snprintf(fifo_option, sizeof(fifo_option), "--config=%s", fifo);
	parse(&files, NULL, NULL, fifo_option, NULL);
	unlink(fifo);
	assert_refused(&files, "no regular file");
}

static void wrong_lines_are_named(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"\n\ncpus 4\n", ":3: \"cpus 4\" is not of the form"},
		{"cpu = 4\n", ":1: There is no option \"cpu\""},
		{"= 4\n", ":1: There is no option \"\""},
		{"cpus = many\n", ":1: --cpus wants a whole number"},
		{"prefault = perhaps\n", ":1: prefault is yes or no"},
		{"dry-run = yes\n", "only be said on the command line"},
		{"help = all\n", "only be said on the command line"},
		{"rodir = /tmp/a=/usr\nrodir = /tmp/a=/etc\n", ":2: --rodir: two directories"},
	};
	struct files files;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&files, NULL, rows[i].text, NULL, NULL);
		assert_non_null(strstr(files.diag.text, files.user));
		assert_refused(&files, rows[i].part);
	}
}

static void a_file_has_bounds(void **state)
{
	size_t line_len = FL_CLI_CONFIG_LINE_MAX, lines = FL_CLI_CONFIG_LINES_MAX + 1;
	char *text = calloc(1, line_len + 2);
	struct files files;

	(void)state;
	assert_non_null(text);
	memset(text, '#', line_len);
	parse(&files, NULL, text, NULL, NULL);
	assert_refused(&files, ":1: The line is too long");
	memset(text, 0, line_len);
	memset(text, '\n', lines);
	parse(&files, NULL, text, NULL, NULL);
	assert_refused(&files, "more than 1000 lines");
	free(text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(files_are_not_needed),	     cmocka_unit_test(lines_are_options),
	cmocka_unit_test(what_is_nearer_wins),	     cmocka_unit_test(no_file_is_read_on_request),
	cmocka_unit_test(another_file_can_be_named), cmocka_unit_test(wrong_lines_are_named),
	cmocka_unit_test(a_file_has_bounds),
};
FL_TEST_MAIN(10, tests)
