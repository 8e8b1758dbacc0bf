/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent does for the library's caller. Every case boots a guest of the library itself.
 *
 * usage: box_agent LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "tests/box/guest_run.h"
#include "tests/box/library_guest.h"

static void a_guest_powers_off_on_request(void **state)
{
	struct library_guest guest;

	library_guest_init(&guest, *state);
	library_guest_start(&guest, "trap 'echo interrupted' USR1; trap 'echo asked; exit 7' TERM; echo running; "
				    "while :; do sleep 0.1; done");
	library_guest_expect(&guest, "running\n");
	assert_int_equal(fl_vm_signal_command(guest.vm, SIGUSR1), 0);
	library_guest_expect(&guest, "interrupted\n");
	assert_int_equal(fl_vm_power_off(guest.vm), 0);
	assert_int_equal(library_guest_wait(&guest), FL_END_EXITED);
	assert_int_equal(guest.result.code, 7);
	library_guest_expect(&guest, "asked\n");
	assert_int_equal(fl_vm_power_off(guest.vm), -ESRCH);
	library_guest_fini(&guest);
}

static void a_command_that_ignores_the_request_is_killed(void **state)
{
	struct library_guest guest;

	library_guest_init(&guest, *state);
	assert_int_equal(fl_vm_power_off(guest.vm), -EINVAL);
	library_guest_start(&guest, "trap '' TERM; echo running; while :; do sleep 0.1; done");
	library_guest_expect(&guest, "running\n");
	assert_int_equal(fl_vm_power_off(guest.vm), 0);
	assert_int_equal(library_guest_wait(&guest), FL_END_SIGNALED);
	assert_int_equal(guest.result.code, SIGKILL);
	library_guest_fini(&guest);
}

#define LINES 20000

static void a_terminal(void **state)
{
	static const char *const env[] = {"TERM=xterm-256color", "LANG=C.UTF-8", NULL};
	struct library_guest guest;
	char line[32];

	library_guest_init(&guest, *state);
	guest.command.flags = FL_COMMAND_TTY;
	guest.command.rows = 24;
	guest.command.cols = 80;
	guest.command.envp = env;
	library_guest_start(
		&guest,
		"stty size; echo $TERM $LANG; set -m && echo jobs; "
		"while test \"$(stty size)\" = '24 80'; do sleep 0.1; done; stty size; "
		"read line; echo got $line; "
		"(trap 'echo interrupted; exit' INT; echo waiting; while :; do sleep 0.1; done); cat; exec seq 1 20000");
	library_guest_expect(&guest, "24 80\r\nxterm-256color C.UTF-8\r\njobs\r\n");
	assert_int_equal(fl_vm_resize_terminal(guest.vm, 50, 132), 0);
	library_guest_expect(&guest, "50 132\r\n");
	library_guest_say(&guest, "hello\r");
	library_guest_expect(&guest, "hello\r\ngot hello\r\nwaiting\r\n");
	library_guest_say(&guest, "\003");
	library_guest_expect(&guest, "interrupted\r\n");
	library_guest_say(&guest, "\004");
	for (int i = 1; i <= LINES; i++) {
		snprintf(line, sizeof(line), "%d\r\n", i);
		library_guest_expect(&guest, line);
	}
	assert_int_equal(library_guest_wait(&guest), FL_END_EXITED);
	assert_int_equal(guest.result.code, 0);
	library_guest_fini(&guest);
}

static void a_user_and_a_host_name(void **state)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct library_guest guest;

	opts.name = "not a host name";
	library_guest_init_with(&guest, *state, &opts);
	/* of every Debian */
	guest.command.user = "nobody:daemon";
	library_guest_start(&guest, "uname -n; id -un; id -gn; echo $HOME $USER $LOGNAME >/dev/stdout; "
				    "test -w /root || echo not root");
	library_guest_expect(&guest, "faultline\nnobody\ndaemon\n/nonexistent nobody nobody\nnot root\n");
	assert_int_equal(library_guest_wait(&guest), FL_END_EXITED);
	library_guest_fini(&guest);
}

static void a_user_that_is_not_there(void **state)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct library_guest guest;

	opts.hostname = "given.example";
	library_guest_init_with(&guest, *state, &opts);
	guest.command.user = "no-such-user";
	library_guest_start(&guest, "echo no");
	assert_int_equal(library_guest_wait(&guest), FL_END_NOT_RUN);
	assert_int_equal(guest.result.code, 125);
	assert_non_null(strstr(guest.result.text, "the user \"no-such-user\" does not exist in the guest"));
	library_guest_fini(&guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_guest_powers_off_on_request),
	cmocka_unit_test(a_command_that_ignores_the_request_is_killed),
	cmocka_unit_test(a_terminal),
	cmocka_unit_test(a_user_and_a_host_name),
	cmocka_unit_test(a_user_that_is_not_there),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
