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

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(power_off_and_reset_are_success),
	cmocka_unit_test(a_panic_is_none),
	cmocka_unit_test(it_can_say_a_status),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
