/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an idle Linux guest costs the host where HLT does not exit (strict mode): its vCPUs sleep in the host's idle
 * MSR, whichever way Linux was told to idle, unless it was told to poll.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/resource.h>

#include "tests/box/guest_run.h"

#define IDLE_S 10

/* CPU time of all that has been waited for, in s */
static double cpu_of_children(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* CPU time of a guest with two vCPUs that boots, and sleeps that long. Its output goes to guest. */
static double cost_of(const struct bench *bench, const char *parameters, const char *script, struct transcript *guest)
{
	const char *const options[] = {"-c", "2", "--fault-mode", "strict", "-p", parameters, NULL};
	const char *const command[] = {"sh", "-c", script, NULL};
	double before = cpu_of_children();

	run_guest(bench, options, command, "idle", guest);
	if (guest->status != 0)
		show("guest", guest);
	assert_int_equal(guest->status, 0);
	return cpu_of_children() - before;
}

/*
 * What IDLE_S seconds of sleep cost, in percent of one CPU. The guest says which driver of cpuidle it has, which must
 * be `driver`.
 */
static double idle_percent(const struct bench *bench, const char *parameters, const char *driver)
{
	static const char say[] = "cat /sys/devices/system/cpu/cpuidle/current_driver";
	char script[256], wanted[64];
	struct transcript guest;

	double awake = cost_of(bench, parameters, say, &guest);

	transcript_free(&guest);
	snprintf(script, sizeof(script), "%s; sleep %d", say, IDLE_S);
	double asleep = cost_of(bench, parameters, script, &guest);

	snprintf(wanted, sizeof(wanted), "%s\n", driver);
	assert_string_equal(guest.out, wanted);
	transcript_free(&guest);
	printf("# %s: %.0f %% of a CPU\n", parameters, 100 * (asleep - awake) / IDLE_S);
	return 100 * (asleep - awake) / IDLE_S;
}

/* In software emulation an interrupt costs much, and boots differ: a guest that sleeps is far from one that does not.
 */
#define SLEEPS_PERCENT 40
#define POLLS_PERCENT  65

static void an_idle_guest_sleeps(void **state)
{
	assert_true(idle_percent(*state, "quiet", "none") < SLEEPS_PERCENT);
}

static void a_guest_told_to_halt_sleeps(void **state)
{
	assert_true(idle_percent(*state, "idle=halt", "none") < SLEEPS_PERCENT);
}

static void a_guest_with_haltpoll_sleeps(void **state)
{
	assert_true(idle_percent(*state, "cpuidle_haltpoll.force=1", "haltpoll") < SLEEPS_PERCENT);
}

static void a_guest_told_to_poll_does(void **state)
{
	assert_true(idle_percent(*state, "idle=poll", "none") > POLLS_PERCENT);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_guest_sleeps),
		cmocka_unit_test(a_guest_told_to_halt_sleeps),
		cmocka_unit_test(a_guest_with_haltpoll_sleeps),
		cmocka_unit_test(a_guest_told_to_poll_does),
	};

	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
