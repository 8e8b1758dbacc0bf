/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an idle Linux guest costs the host where HLT does not exit (strict mode): its vCPUs sleep in the host's idle
 * MSR, whichever way Linux was told to idle, unless it was told to poll.
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/box/guest_run.h"

#define IDLE_S 10

/* CPU time of this process's only child so far, in s; negative if it cannot be told */
static double cpu_of_child(void)
{
	FILE *file = fopen("/proc/thread-self/children", "re");
	struct timespec used;
	clockid_t clock;
	int pid = 0;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		return -1;
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Answers "do idle FILE SECONDS" of a guest that then waits: how many ms of CPU time it took in the meantime. */
static long long watch_it_idle(void *arg, const char *request, int fd, uint64_t seconds)
{
	struct timespec wait = {.tv_sec = (time_t)seconds};
	double before = cpu_of_child();

	(void)arg;
	(void)fd;
	if (strcmp(request, "idle") != 0 || before < 0)
		return -1;
	while (nanosleep(&wait, &wait) < 0 && errno == EINTR)
		;
	return (long long)(1000 * (cpu_of_child() - before));
}

static void make_file(const struct bench *bench, const char *name)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", bench->data, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/*
 * What a guest with two vCPUs costs while it waits, in percent of one CPU. The guest says which driver of cpuidle it
 * has, which must be `driver`. It has a second before that to come to rest.
 */
static double idle_percent(const struct bench *where, const char *parameters, const char *driver)
{
	char script[160], all[200], said[64];
	const char *const options[] = {"-c", "2", "--fault-mode", "strict", "-p", all, NULL};
	const char *const command[] = {"sh", "-c", script, NULL};
	struct bench bench = *where;
	struct transcript guest;
	long long ms = -1;

	snprintf(all, sizeof(all), "%s %s", parameters, guest_parameters());
	snprintf(script, sizeof(script),
		 "cat /sys/devices/system/cpu/cpuidle/current_driver; sleep 1; echo do idle idle %d; read answer; "
		 "echo $answer",
		 IDLE_S);
	bench.serve = watch_it_idle;
	make_file(&bench, "idle");
	run_guest(&bench, options, command, "idle", &guest);
	if (guest.status != 0 || sscanf(guest.out, "%63s ok %lld", said, &ms) != 2)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_string_equal(said, driver);
	assert_true(ms >= 0);
	transcript_free(&guest);
	printf("# %s: %.0f %% of a CPU\n", parameters, (double)ms / 10 / IDLE_S);
	return (double)ms / 10 / IDLE_S;
}

/* Timers still come, and in software emulation an interrupt costs much; a machine that is busy stretches both. */
#define SLEEPS_PERCENT 25
#define POLLS_PERCENT  75

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
