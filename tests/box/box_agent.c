/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent does for the library's caller. Every case boots a guest of the library itself.
 *
 * usage: box_agent LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <signal.h>

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

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_guest_powers_off_on_request),
	cmocka_unit_test(a_command_that_ignores_the_request_is_killed),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
