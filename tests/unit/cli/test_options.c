/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's command line as a whole. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/options.h"

#define ARGV_MAX 32

struct line {
	struct fl_cli_options options;
	struct fl_diag diag;
	char *argv[ARGV_MAX];
	int ret;
};

/* Parses "faultline WORD..." (words end with NULL). */
static void parse(struct line *line, const char *const *words)
{
	int argc = 0;

	memset(line, 0, sizeof(*line));
	line->argv[argc++] = strdup("faultline");
	for (; words[argc - 1]; argc++) {
		assert_in_range(argc, 0, ARGV_MAX - 2);
		line->argv[argc] = strdup(words[argc - 1]);
	}
	line->ret = fl_cli_options_parse(argc - 1, line->argv + 1, NULL, &line->options, &line->diag);
}
#define PARSE(line, ...) parse(line, (const char *const[]){__VA_ARGS__, NULL})

static void forget(struct line *line)
{
	fl_cli_options_fini(&line->options);
	for (size_t i = 0; line->argv[i]; i++)
		free(line->argv[i]);
}

/* Refused, with a sentence that has `part` in it. */
static void assert_refused(struct line *line, const char *part)
{
	assert_int_equal(line->ret, -EINVAL);
	if (!strstr(line->diag.text, part))
		fail_msg("\"%s\" does not say \"%s\"", line->diag.text, part);
	forget(line);
}

static void a_command_alone_gets_the_defaults(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--", "ls", "-l");
	assert_int_equal(line.ret, 0);
	assert_null(line.options.kernel);
	assert_int_equal(line.options.ram_len, 1073741824);
	assert_int_equal(line.options.window_len, 536870912);
	assert_int_equal(line.options.vcpus, 1);
	assert_int_equal(line.options.policy.action[0], FL_ACTION_REFLECT);
	assert_int_equal(line.options.policy.action[1], FL_ACTION_STOP);
	assert_int_equal(line.options.ram_policy.action[0], FL_ACTION_STOP);
	assert_int_equal(line.options.shares[0].policy.action[0], FL_ACTION_REFLECT);
	assert_int_equal(line.options.fault_mode, FL_FAULT_MODE_AUTO);
	assert_int_equal(line.options.window_count, 0);
	assert_null(line.options.events);
	assert_null(line.options.report);
	assert_false(line.options.wait_on_stop);
	assert_int_equal(line.options.timeout_s, 0);
	assert_int_equal(line.options.attr_timeout_ms, 1000);
	assert_int_equal(line.options.entry_timeout_ms, 1000);
	assert_false(line.options.unpatched);
	assert_null(line.options.env);
	assert_int_equal(line.options.share_count, 1);
	assert_string_equal(line.options.shares[0].mount, "/");
	assert_string_equal(line.options.shares[0].dir, "/");
	assert_false(line.options.shares[0].writable);
	assert_string_equal(line.options.command[0], "ls");
	assert_string_equal(line.options.command[1], "-l");
	assert_null(line.options.command[2]);
	forget(&line);
}

static void every_option_reaches_its_place(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "-k", "/k", "-m", "2G", "-c4", "-p", "quiet debug", "--dax-window=64M", "--on-fault",
	      "stop", "--env", "A=1", "--env=B=x=y", "--cwd", "/tmp", "--unpatched", "--timeout", "90", "-vv",
	      "--attr-timeout", "250", "--entry-timeout", "125", "--prefault", "--", "true");
	assert_int_equal(line.ret, 0);
	assert_string_equal(line.options.kernel, "/k");
	assert_int_equal(line.options.ram_len, 2147483648);
	assert_int_equal(line.options.vcpus, 4);
	assert_string_equal(line.options.params, "quiet debug");
	assert_int_equal(line.options.window_len, 67108864);
	assert_int_equal(line.options.policy.action[0], FL_ACTION_STOP);
	assert_int_equal(line.options.env_count, 2);
	assert_string_equal(line.options.env[0], "A=1");
	assert_string_equal(line.options.env[1], "B=x=y");
	assert_null(line.options.env[2]);
	assert_string_equal(line.options.cwd, "/tmp");
	assert_true(line.options.unpatched);
	assert_int_equal(line.options.timeout_s, 90);
	assert_int_equal(line.options.attr_timeout_ms, 250);
	assert_true(line.options.prefault);
	assert_int_equal(line.options.entry_timeout_ms, 125);
	assert_int_equal(line.options.verbosity, 2);
	forget(&line);
}

static void the_commands_own_options_are_left_to_it(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "-v", "--", "ls", "--help", "-m", "x", "--");
	assert_int_equal(line.ret, 0);
	assert_string_equal(line.options.command[1], "--help");
	assert_string_equal(line.options.command[4], "--");
	assert_null(line.options.command[5]);
	forget(&line);
}

static void an_initramfs_stands_in_for_a_command(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "-i", "/initrd", "-p", "-- reset");
	assert_int_equal(line.ret, 0);
	assert_string_equal(line.options.initrd, "/initrd");
	assert_null(line.options.command);
	forget(&line);
	PARSE(&line, "run", "--initrd=/initrd", "--", "ls");
	assert_int_equal(line.ret, -EINVAL);
	assert_non_null(strstr(line.diag.text, "exclude each other"));
	forget(&line);
	PARSE(&line, "run", "--");
	assert_int_equal(line.ret, -EINVAL);
	forget(&line);
}

static void a_command_needs_its_separator(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "ls");
	assert_refused(&line, "put \"--\" before the command");
	PARSE(&line, "run", "-m", "1G", "ls", "--", "-l");
	assert_refused(&line, "\"ls\" is no option");
	PARSE(&line, "run");
	assert_refused(&line, "no command");
	PARSE(&line, "run", "--");
	assert_refused(&line, "no command");
}

static void unknown_words_are_named(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--memroy", "1G", "--", "ls");
	assert_refused(&line, "--memroy");
	PARSE(&line, "run", "-x", "--", "ls");
	assert_refused(&line, "-x");
	PARSE(&line, "run", "-vx", "--", "ls");
	assert_refused(&line, "-x");
	PARSE(&line, "run", "--unpatched=yes", "--", "ls");
	assert_refused(&line, "--unpatched takes no value");
	PARSE(&line, "run", "--verbose=3", "--", "ls");
	assert_refused(&line, "--verbose takes no value");
	PARSE(&line, "run", "--memory");
	assert_refused(&line, "--memory needs a value");
	PARSE(&line, "run", "-m");
	assert_refused(&line, "-m needs a value");
	PARSE(&line, "run", "-c", "--", "ls");
	assert_refused(&line, "-c, --cpus wants N, but \"--\" follows it");
	PARSE(&line, "run", "--env", "--", "ls");
	assert_refused(&line, "--env wants NAME=VALUE, but \"--\" follows it");
	PARSE(&line, "run", "--help=some");
	assert_refused(&line, "--help=all");
}

static void two_dashes_can_be_a_value(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--params=--", "-p--", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_string_equal(line.options.params, "--");
	forget(&line);
}

static void help_needs_no_command(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--help");
	assert_int_equal(line.ret, 0);
	assert_int_equal(line.options.help, FL_CLI_COMMON_HELP);
	forget(&line);
	PARSE(&line, "run", "-m", "2G", "--help=all", "ls");
	assert_int_equal(line.ret, 0);
	assert_int_equal(line.options.help, FL_CLI_ALL_HELP);
	forget(&line);
}

static void a_volume_is_a_share_the_other_way_round(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "-v", "/usr:/tmp/a", "-v", "-v", "/etc:/tmp/b:ro", "--volume=/:/tmp/c:rw", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_int_equal(line.options.share_count, 4);
	assert_string_equal(line.options.shares[1].mount, "/tmp/a");
	assert_string_equal(line.options.shares[1].dir, "/usr");
	assert_true(line.options.shares[1].writable);
	assert_string_equal(line.options.shares[2].mount, "/tmp/b");
	assert_string_equal(line.options.shares[2].dir, "/etc");
	assert_false(line.options.shares[2].writable);
	assert_string_equal(line.options.shares[3].mount, "/tmp/c");
	assert_true(line.options.shares[3].writable);
	assert_int_equal(line.options.verbosity, 1);
	forget(&line);
	PARSE(&line, "run", "-v", "/usr:/tmp/a:overlay", "-v", "/etc:/tmp/b:overlay=/tmp", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_int_equal(line.options.share_count, 3);
	assert_string_equal(line.options.shares[1].dir, "/usr");
	assert_true(line.options.shares[1].overlay && !line.options.shares[1].writable);
	assert_null(line.options.shares[1].overlay_dir);
	assert_string_equal(line.options.shares[2].dir, "/etc");
	assert_string_equal(line.options.shares[2].overlay_dir, "/tmp");
	forget(&line);
	PARSE(&line, "run", "-v", "/usr:/tmp/a:overlays", "--", "ls");
	assert_refused(&line, "DIR:GUESTPATH");
	PARSE(&line, "run", "-v", "/usr:tmp", "--", "ls");
	assert_refused(&line, "DIR:GUESTPATH");
	PARSE(&line, "run", "-v", "/usr:/tmp/a:no", "--", "ls");
	assert_refused(&line, "DIR:GUESTPATH");
	PARSE(&line, "run", "-v", ":/tmp/a", "--", "ls");
	assert_refused(&line, "DIR:GUESTPATH");
	PARSE(&line, "run", "-v", "/nowhere:/tmp/a", "--", "ls");
	assert_refused(&line, "/nowhere");
	PARSE(&line, "run", "-v", "ls");
	assert_refused(&line, "put \"--\" before");
}

static void names_are_words(void **state)
{
	static const char *const bad[] = {
		"",   ".",   "..",
		".a", "a/b", "a b",
		"-a", "\n",  "0123456789012345678901234567890123456789012345678901234567890123"};
	struct line line;

	(void)state;
	PARSE(&line, "run", "--name", "My_guest-1.2", "--", "ls");
	assert_string_equal(line.options.name, "My_guest-1.2");
	forget(&line);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		PARSE(&line, "run", "--name", bad[i], "--", "ls");
		assert_refused(&line, "--name wants");
	}
}

static void the_command_can_be_another_users(void **state)
{
	static const char *const bad[] = {"", "-a", ".a", "a b", "a/b"};
	struct line line;

	(void)state;
	PARSE(&line, "run", "--user", "bob:video", "--hostname", "testbed-1", "--tty=always", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_string_equal(line.options.user, "bob:video");
	assert_string_equal(line.options.hostname, "testbed-1");
	assert_int_equal(line.options.tty, FL_CLI_TTY_ALWAYS);
	forget(&line);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		PARSE(&line, "run", "--hostname", bad[i], "--", "ls");
		assert_refused(&line, "--hostname wants");
	}
	PARSE(&line, "run", "--tty", "yes", "--", "ls");
	assert_refused(&line, "auto, always or never");
}

static void hosts_have_names(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--", "ls");
	assert_int_equal(line.options.host, FL_CLI_HOST_AUTO);
	forget(&line);
	PARSE(&line, "run", "--host=box", "--", "ls");
	assert_int_equal(line.options.host, FL_CLI_HOST_BOX);
	forget(&line);
	PARSE(&line, "run", "--host", "box", "--host", "kvm", "--", "ls");
	assert_int_equal(line.options.host, FL_CLI_HOST_KVM);
	forget(&line);
	PARSE(&line, "run", "--host", "here", "--", "ls");
	assert_refused(&line, "--host is auto, kvm or box");
}

static void levels_of_the_log_have_names(void **state)
{
	static const struct {
		const char *words[3];
		enum fl_log_level level;
		unsigned int verbosity;
	} rows[] = {
		{{"-q"}, FL_LOG_ERROR, 0},   {{"--log-level", "warn"}, FL_LOG_WARN, 0},
		{{"-v"}, FL_LOG_INFO, 1},    {{"--log-level=info"}, FL_LOG_INFO, 1},
		{{"-vv"}, FL_LOG_DEBUG, 2},  {{"--log-level=debug"}, FL_LOG_DEBUG, 2},
		{{"-vvv"}, FL_LOG_DEBUG, 3}, {{"-v", "-q"}, FL_LOG_ERROR, 0},
	};
	struct line line;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		PARSE(&line, "run", rows[i].words[0], rows[i].words[1] ? rows[i].words[1] : "--", "--", "ls");
		assert_int_equal(line.ret, 0);
		assert_int_equal(line.options.log_level, rows[i].level);
		assert_int_equal(line.options.verbosity, rows[i].verbosity);
		forget(&line);
	}
	PARSE(&line, "run", "--log-level", "loud", "--", "ls");
	assert_refused(&line, "--log-level is");
}

static void the_root_is_writable_only_on_request(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--root", "/usr", "--", "ls");
	assert_string_equal(line.options.shares[0].dir, "/usr");
	assert_false(line.options.shares[0].writable);
	forget(&line);
	PARSE(&line, "run", "--root=/usr:rw", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_string_equal(line.options.shares[0].dir, "/usr");
	assert_true(line.options.shares[0].writable);
	forget(&line);
	PARSE(&line, "run", "--root", "/usr:rw", "--root", "/etc:ro", "--", "ls");
	assert_string_equal(line.options.shares[0].dir, "/etc");
	assert_false(line.options.shares[0].writable);
	assert_int_equal(line.options.share_count, 1);
	forget(&line);
}

static void directories_must_be_there(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--root", "/no/such/dir", "--", "ls");
	assert_refused(&line, "/no/such/dir");
	PARSE(&line, "run", "--root", "/usr:rx", "--", "ls");
	assert_refused(&line, "/usr:rx");
	PARSE(&line, "run", "--rodir", "/a=/no/such/dir", "--", "ls");
	assert_refused(&line, "--rodir: the directory /no/such/dir");
	PARSE(&line, "run", "--rwdir", "/a=/etc/passwd", "--", "ls");
	assert_refused(&line, "not a directory");
	PARSE(&line, "run", "--rwdir", "/a=", "--", "ls");
	assert_refused(&line, "--rwdir");
}

static void guest_paths_must_be_absolute_and_plain(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--rodir", "data=/usr", "--", "ls");
	assert_refused(&line, "absolute");
	PARSE(&line, "run", "--rodir", "=/usr", "--", "ls");
	assert_refused(&line, "GUESTPATH=DIR");
	PARSE(&line, "run", "--rodir", "/data", "--", "ls");
	assert_refused(&line, "GUESTPATH=DIR");
	PARSE(&line, "run", "--rwdir", "/a/../b=/usr", "--", "ls");
	assert_refused(&line, "\"..\"");
	PARSE(&line, "run", "--rwdir", "/..=/usr", "--", "ls");
	assert_refused(&line, "\"..\"");
	PARSE(&line, "run", "--rwdir", "//.=/usr", "--", "ls");
	assert_refused(&line, "--root DIR:rw");
	PARSE(&line, "run", "--cwd", "tmp", "--", "ls");
	assert_refused(&line, "--cwd");
}

static void guest_paths_are_tidied(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--rodir", "//a/./b//=/usr", "--rwdir", "/..c/d..=/usr", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_string_equal(line.options.shares[1].mount, "/..c/d..");
	assert_true(line.options.shares[1].writable);
	assert_string_equal(line.options.shares[2].mount, "/a/b");
	assert_false(line.options.shares[2].writable);
	forget(&line);
}

static void two_shares_at_one_place_are_refused(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--rodir", "/a=/usr", "--rwdir", "/a/=/etc", "--", "ls");
	assert_refused(&line, "at /a:");
}

static void outer_shares_come_before_those_inside_them(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--rodir", "/m/a/b=/usr", "--rodir", "/m/a=/usr", "--rodir", "/m=/usr", "--rodir",
	      "/m-x=/usr", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_int_equal(line.options.share_count, 5);
	assert_string_equal(line.options.shares[0].mount, "/");
	for (size_t outer = 1; outer < 5; outer++) {
		for (size_t inner = 1; inner < outer; inner++) {
			size_t len = strlen(line.options.shares[outer].mount);
			const char *earlier = line.options.shares[inner].mount;

			/* nothing mounted earlier lies below what is mounted later */
			assert_false(strncmp(earlier, line.options.shares[outer].mount, len) == 0 &&
				     earlier[len] == '/');
		}
	}
	forget(&line);
}

static void sizes_have_limits(void **state)
{
	static const char *const memory[] = {"63M", "3T", "65M", "0", "1025M"};
	static const char *const window[] = {"2M", "62M", "65M", "1"};
	struct line line;

	(void)state;
	for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
		PARSE(&line, "run", "-m", memory[i], "--", "ls");
		assert_refused(&line, "64M to 2T");
	}
	for (size_t i = 0; i < sizeof(window) / sizeof(window[0]); i++) {
		PARSE(&line, "run", "--dax-window", window[i], "--", "ls");
		assert_refused(&line, "at least 64M");
	}
	PARSE(&line, "run", "--attr-timeout", "86400001", "--", "ls");
	assert_refused(&line, "--attr-timeout");
	PARSE(&line, "run", "--entry-timeout", "never", "--", "ls");
	assert_refused(&line, "--entry-timeout");
	PARSE(&line, "run", "-m", "64M", "--dax-window", "0", "--attr-timeout", "0", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_int_equal(line.options.window_len, 0);
	assert_int_equal(line.options.attr_timeout_ms, 0);
	forget(&line);
}

static void env_wants_a_name(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--env", "NAME", "--", "ls");
	assert_refused(&line, "NAME=VALUE");
	PARSE(&line, "run", "--env", "=x", "--", "ls");
	assert_refused(&line, "NAME=VALUE");
	PARSE(&line, "run", "--env", "EMPTY=", "--", "ls");
	assert_int_equal(line.ret, 0);
	forget(&line);
}

static void fault_options_reach_their_places(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--fault-mode", "watch", "--on-stop=wait", "--report", "/r", "--events", "fd:5", "--window",
	      "memfd:2M@8G,ro", "--window", "/etc/a@b@0x200000000,size=4M,on-fault=substitute,stop", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_int_equal(line.options.fault_mode, FL_FAULT_MODE_WATCH);
	assert_true(line.options.wait_on_stop);
	assert_string_equal(line.options.report, "/r");
	assert_string_equal(line.options.events, "fd:5");
	assert_int_equal(line.options.window_count, 2);
	assert_null(line.options.windows[0].file);
	assert_int_equal(line.options.windows[0].memory_len, 2097152);
	assert_int_equal(line.options.windows[0].gpa, 8589934592);
	assert_true(line.options.windows[0].read_only);
	assert_int_equal(line.options.windows[0].policy.action[0], FL_ACTION_REFLECT);
	assert_string_equal(line.options.windows[1].file, "/etc/a@b");
	assert_int_equal(line.options.windows[1].gpa, 8589934592);
	assert_int_equal(line.options.windows[1].len, 4194304);
	assert_false(line.options.windows[1].read_only);
	assert_int_equal(line.options.windows[1].policy.action[0], FL_ACTION_SUBSTITUTE);
	assert_int_equal(line.options.windows[1].policy.action[1], FL_ACTION_STOP);
	forget(&line);
	PARSE(&line, "run", "--fault-mode", "lazy", "--", "ls");
	assert_refused(&line, "auto, strict or watch");
	PARSE(&line, "run", "--on-stop", "debug", "--", "ls");
	assert_refused(&line, "exit or wait");
}

static void one_place_can_have_a_policy_of_its_own(void **state)
{
	struct line line;

	(void)state;
	/* what is said for all does not undo it, wherever it stands */
	PARSE(&line, "run", "--on-fault", "/b//=stop", "--rodir", "/a=/usr", "--rodir", "/b=/usr", "--on-fault",
	      "substitute", "--on-fault", "ram=substitute,stop", "--on-fault", "/=reflect,substitute,stop", "--window",
	      "memfd:1M@6G", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_string_equal(line.options.shares[0].mount, "/");
	assert_int_equal(line.options.shares[0].policy.action[0], FL_ACTION_REFLECT);
	assert_int_equal(line.options.shares[0].policy.action[1], FL_ACTION_SUBSTITUTE);
	assert_string_equal(line.options.shares[1].mount, "/a");
	assert_int_equal(line.options.shares[1].policy.action[0], FL_ACTION_SUBSTITUTE);
	assert_string_equal(line.options.shares[2].mount, "/b");
	assert_int_equal(line.options.shares[2].policy.action[0], FL_ACTION_STOP);
	assert_int_equal(line.options.windows[0].policy.action[0], FL_ACTION_SUBSTITUTE);
	assert_int_equal(line.options.ram_policy.action[0], FL_ACTION_SUBSTITUTE);
	forget(&line);
	/* memory is not meant by what is said for all: zeros in it are for those who asked for them */
	PARSE(&line, "run", "--on-fault", "substitute", "--", "ls");
	assert_int_equal(line.options.ram_policy.action[0], FL_ACTION_STOP);
	forget(&line);
	PARSE(&line, "run", "--on-fault", "/c=stop", "--", "ls");
	assert_refused(&line, "shared at /c");
	PARSE(&line, "run", "--on-fault", "data=stop", "--", "ls");
	assert_refused(&line, "GUESTPATH");
	PARSE(&line, "run", "--on-fault", "/a/../b=stop", "--", "ls");
	assert_refused(&line, "\"..\"");
	PARSE(&line, "run", "--on-fault", "/=", "--", "ls");
	assert_refused(&line, "takes reflect, substitute or stop");
	PARSE(&line, "run", "--on-fault", "ask", "--", "ls");
	assert_refused(&line, "takes reflect, substitute or stop");
}

static void one_share_can_have_settings_of_its_own(void **state)
{
	struct line line;

	(void)state;
	PARSE(&line, "run", "--", "ls");
	assert_int_equal(line.options.shares[0].dax, FL_CLI_DAX_INODE);
	forget(&line);
	/* what is said for all does not undo it, wherever it stands */
	PARSE(&line, "run", "--dax", "/b//=never", "--rodir", "/a=/usr", "--rodir", "/b=/usr", "--dax", "always",
	      "--dax", "/=always", "--dax", "/=inode", "--", "ls");
	assert_int_equal(line.ret, 0);
	assert_int_equal(line.options.shares[0].dax, FL_CLI_DAX_INODE);
	assert_int_equal(line.options.shares[1].dax, FL_CLI_DAX_ALWAYS);
	assert_int_equal(line.options.shares[2].dax, FL_CLI_DAX_NEVER);
	forget(&line);
	PARSE(&line, "run", "--dax", "/c=never", "--", "ls");
	assert_refused(&line, "shared at /c");
	PARSE(&line, "run", "--dax", "/a/../b=never", "--", "ls");
	assert_refused(&line, "\"..\"");
	PARSE(&line, "run", "--dax", "c=never", "--", "ls");
	assert_refused(&line, "inode, always or never");
	PARSE(&line, "run", "--map", "/a=host", "--rodir", "/a=/usr", "--rodir", "/b=/usr", "--", "ls");
	assert_int_equal(line.options.shares[0].users, FL_USERS_SELF);
	assert_int_equal(line.options.shares[1].users, FL_USERS_HOST);
	assert_int_equal(line.options.shares[2].users, FL_USERS_SELF);
	forget(&line);
	PARSE(&line, "run", "--mounts", "hide", "--rodir", "/a=/usr", "--mounts", "/a=show", "--", "ls");
	assert_true(line.options.shares[0].one_mount);
	assert_false(line.options.shares[1].one_mount);
	forget(&line);
	PARSE(&line, "run", "--mounts", "none", "--", "ls");
	assert_refused(&line, "show or hide");
	PARSE(&line, "run", "--map", "root", "--", "ls");
	assert_refused(&line, "self or host");
	PARSE(&line, "run", "--dax", "sometimes", "--", "ls");
	assert_refused(&line, "inode, always or never");
}

static void wrong_windows_are_explained(void **state)
{
	static const char *const cases[][2] = {
		{"/etc/passwd", "FILE@ADDRESS"},
		{"@8G", "FILE@ADDRESS"},
		{"/f@", "0x180000000"},
		{"/f@8G+1", "0x180000000"},
		{"/f@8G,", "ro, size=SIZE"},
		{"/f@8G,rw", "\"rw\""},
		{"/f@0x", "0x180000000"},
		{"/f@0xg", "0x180000000"},
		{"/f@0x1ffffffffffffffff", "0x180000000"},
		{"/f@0x180001000", "multiple of 2M"},
		{"/f@8G,size=3M", "multiple of 2M"},
		{"/f@8G,size=0", "multiple of 2M"},
		{"/f@8G,on-fault=stop,ro", "not \"ro\""},
		{"memfd:@8G", "size"},
		{"memfd:0@8G", "not possible"},
		{"memfd:16777215T@8G", "not possible"},
	};
	struct line line;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		PARSE(&line, "run", "--window", "memfd:2M@8G", "--window", cases[i][0], "--", "ls");
		assert_refused(&line, cases[i][1]);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_command_alone_gets_the_defaults),
	cmocka_unit_test(every_option_reaches_its_place),
	cmocka_unit_test(the_commands_own_options_are_left_to_it),
	cmocka_unit_test(an_initramfs_stands_in_for_a_command),
	cmocka_unit_test(a_command_needs_its_separator),
	cmocka_unit_test(unknown_words_are_named),
	cmocka_unit_test(two_dashes_can_be_a_value),
	cmocka_unit_test(help_needs_no_command),
	cmocka_unit_test(a_volume_is_a_share_the_other_way_round),
	cmocka_unit_test(names_are_words),
	cmocka_unit_test(the_command_can_be_another_users),
	cmocka_unit_test(hosts_have_names),
	cmocka_unit_test(levels_of_the_log_have_names),
	cmocka_unit_test(the_root_is_writable_only_on_request),
	cmocka_unit_test(directories_must_be_there),
	cmocka_unit_test(guest_paths_must_be_absolute_and_plain),
	cmocka_unit_test(guest_paths_are_tidied),
	cmocka_unit_test(two_shares_at_one_place_are_refused),
	cmocka_unit_test(outer_shares_come_before_those_inside_them),
	cmocka_unit_test(sizes_have_limits),
	cmocka_unit_test(env_wants_a_name),
	cmocka_unit_test(fault_options_reach_their_places),
	cmocka_unit_test(one_place_can_have_a_policy_of_its_own),
	cmocka_unit_test(one_share_can_have_settings_of_its_own),
	cmocka_unit_test(wrong_windows_are_explained),
};
FL_TEST_MAIN(10, tests)
