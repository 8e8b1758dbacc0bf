/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest with an initramfs that is the user's own: what its console shows, and how its end is told.
 *
 * usage: box_initrd LAUNCHER GUEST_INIT [TEST]
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/box/guest_run.h"

/* An archive with nothing but /init in it. */
static void make_initrd(const struct bench *bench, char path[PATH_MAX])
{
	char command[3 * PATH_MAX];

	snprintf(path, PATH_MAX, "%.4000s/initrd", bench->scratch);
	snprintf(command, sizeof(command),
		 "mkdir -p '%.4000s/own' && cd '%.4000s/own' && cp '%.4000s' init && echo init | "
		 "cpio -o -H newc --quiet > ../initrd",
		 bench->scratch, bench->scratch, bench->program);
	assert_int_equal(system(command), 0);
}

/* What it is told to do comes after "--" of the kernel's command line. */
static void run_initrd(const struct bench *bench, const char *what, struct transcript *guest)
{
	char initrd[PATH_MAX], params[64];
	const char *const argv[] = {bench->launcher, "run", "--timeout", guest_time_limit_s(), "-i", initrd, "-p",
				    params,	     NULL};

	make_initrd(bench, initrd);
	snprintf(params, sizeof(params), "-- %s", what);
	run_command(bench, argv, guest);
	if (!strstr(guest->out, "hello from an initramfs\r\n"))
		show(what, guest);
	assert_non_null(strstr(guest->out, "hello from an initramfs\r\n"));
}

static void expect_status(const struct bench *bench, const char *what, int status)
{
	struct transcript guest;

	run_initrd(bench, what, &guest);
	if (guest.status != status)
		show(what, &guest);
	assert_int_equal(guest.status, status);
	/* an ordinary end is nothing to talk about */
	if (status != 255)
		assert_string_equal(guest.err, "");
	transcript_free(&guest);
}

static void power_off_and_reset_are_success(void **state)
{
	expect_status(*state, "off", 0);
	expect_status(*state, "reset", 0);
}

static void a_panic_is_none(void **state)
{
	struct transcript guest;

	run_initrd(*state, "return", &guest);
	assert_int_equal(guest.status, 255);
	assert_non_null(strstr(guest.err, "Kernel panic - not syncing: Attempted to kill init!"));
	assert_null(strstr(guest.err, "agent"));
	transcript_free(&guest);
}

static void it_can_say_a_status(void **state)
{
	expect_status(*state, "status", 3);
}

/* $1 is the launcher and $2 the initramfs. */
static void run_script(const struct bench *bench, const char *script, struct transcript *seen)
{
	char initrd[PATH_MAX];
	const char *const argv[] = {"/bin/sh", "-c", script, "sh", bench->launcher, initrd, NULL};

	make_initrd(bench, initrd);
	run_command(bench, argv, seen);
}

static void assert_line(const struct transcript *seen, const char *part)
{
	if (lines_with(seen->out, part) == 0) {
		show("script", seen);
		fail_msg("no line with \"%s\"", part);
	}
}

#define RUN "\"$1\" run --timeout " GUEST_TIME_LIMIT_S " -i \"$2\" -p '-- read'"

/* 500 lines of 67 bytes are more than the guest and its console have room for at a time. */
static void standard_input_is_typed_on_its_console(void **state)
{
	struct transcript seen;

	run_script(
		*state,
		"{ echo first; i=0; while [ $i -lt 500 ]; do printf '%066d\\n' $i; i=$((i+1)); done; echo last; } |\n" RUN
		"; echo \"status: $?\"\n" RUN " < /dev/null; echo \"nothing: $?\"",
		&seen);
	assert_line(&seen, "init has read: first");
	assert_line(&seen, "init has read: last");
	assert_line(&seen, "init has read 502 lines, 33511 bytes");
	assert_line(&seen, "status: 0");
	assert_line(&seen, "init has read 0 lines, 0 bytes");
	assert_line(&seen, "nothing: 0");
	transcript_free(&seen);
}

/* script(1) gives the launcher a terminal. What is typed early waits; Ctrl-C is the guest's; Ctrl-] three times ends
 * it. */
static void a_terminal_is_its_console(void **state)
{
	struct transcript seen;

	run_script(*state,
		   "cat > \"$2.typed\" <<'EOS'\n"
		   "stty rows 33 cols 99; before=$(stty -g)\n" RUN "\n"
		   "echo \"status: $?\"; [ \"$before\" = \"$(stty -g)\" ] && echo 'as before'\n"
		   "EOS\n"
		   "{ printf 'typed early\\r'; n=0\n"
		   "until grep -q 'init has read: typed early' \"$2.log\"; do sleep 0.1; done\n"
		   "printf '\\003typed later\\r'\n"
		   "until grep -q 'init has read: typed later' \"$2.log\"; do sleep 0.1; done\n"
		   "printf '\\035\\035\\035'; sleep 3; } |\n"
		   "script -qefc \"sh '$2.typed' '$1' '$2'\" \"$2.log\"",
		   &seen);
	assert_line(&seen, "three times ends the guest");
	assert_line(&seen, "init has read: typed early");
	assert_line(&seen, "init has read: typed later");
	assert_line(&seen, "status: 143");
	assert_line(&seen, "as before");
	transcript_free(&seen);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(power_off_and_reset_are_success),
	cmocka_unit_test(a_panic_is_none),
	cmocka_unit_test(it_can_say_a_status),
	cmocka_unit_test(standard_input_is_typed_on_its_console),
	cmocka_unit_test(a_terminal_is_its_console),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
