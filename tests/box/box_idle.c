/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an idle Linux guest costs the host where HLT does not exit (strict mode): its vCPUs sleep in the host's idle
 * MSR, whichever way Linux was told to idle, unless it was told to poll.
 */
#include "tests/lib/fl_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/box/guest_run.h"

#define IDLE_S 10

/* What a waiting guest cost. */
struct cost {
	double cpu_s;
	long long device_wakeups; /* of all threads of the launcher but those of vCPUs */
};

/* This process's only child; 0 if it cannot be told. */
static int find_child(void)
{
	FILE *file = fopen("/proc/thread-self/children", "re");
	int pid = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid;
}

/* Negative if it cannot be told, as below. */
static double cpu_of(int pid)
{
	struct timespec used;
	clockid_t clock;

	if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		return -1;
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static long long wakeups_of_thread(int pid, const char *thread)
{
	char path[320], line[128], name[32] = "";
	long long wakeups = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, thread);
	file = fopen(path, "re");
	if (!file) /* it has ended */
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Name: %31s", name) != 1)
			sscanf(line, "voluntary_ctxt_switches: %lld", &wakeups);
	fclose(file);
	return strncmp(name, "fl-vcpu", 7) == 0 ? 0 : wakeups;
}

static long long device_wakeups_of(int pid)
{
	char path[64];
	const struct dirent *entry;
	long long wakeups = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return -1;
	while ((entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.')
			wakeups += wakeups_of_thread(pid, entry->d_name);
	closedir(tasks);
	return wakeups;
}

/* Answers "do idle FILE SECONDS" of a guest that then waits, and measures what it costs in the meantime. */
static long long watch_it_idle(void *arg, const char *request, int fd, uint64_t seconds)
{
	struct timespec wait = {.tv_sec = (time_t)seconds};
	struct cost *cost = arg;
	int pid = find_child();
	struct cost before = {.cpu_s = cpu_of(pid), .device_wakeups = device_wakeups_of(pid)};

	(void)fd;
	if (strcmp(request, "idle") != 0 || before.cpu_s < 0 || before.device_wakeups < 0)
		return -1;
	while (nanosleep(&wait, &wait) < 0 && errno == EINTR)
		;
	cost->cpu_s = cpu_of(pid) - before.cpu_s;
	cost->device_wakeups = device_wakeups_of(pid) - before.device_wakeups;
	return 0;
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
	struct cost cost = {0};
	long long answer = -1;

	snprintf(all, sizeof(all), "%s %s", parameters, guest_parameters());
	snprintf(script, sizeof(script),
		 "cat /sys/devices/system/cpu/cpuidle/current_driver; sleep 1; echo do idle idle %d; read answer; "
		 "echo $answer",
		 IDLE_S);
	bench.serve = watch_it_idle;
	bench.serve_arg = &cost;
	make_file(&bench, "idle");
	run_guest(&bench, options, command, "idle", &guest);
	if (guest.status != 0 || sscanf(guest.out, "%63s ok %lld", said, &answer) != 2)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_string_equal(said, driver);
	assert_int_equal(answer, 0);
	transcript_free(&guest);
	printf("# %s: %.0f %% of a CPU, %lld wakeups of threads that are no vCPU's\n", parameters,
	       100 * cost.cpu_s / IDLE_S, cost.device_wakeups);
	/* a thread that looks for work more often than once a second is not meant to be */
	assert_in_range(cost.device_wakeups, 0, IDLE_S);
	return 100 * cost.cpu_s / IDLE_S;
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
