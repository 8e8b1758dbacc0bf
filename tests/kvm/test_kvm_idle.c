/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an idle VM costs, by the public header alone: how often each thread of it wakes up, and its CPU time, next to a
 * thread of this test that sleeps for the same time and does nothing else.
 */
#include "tests/lib/fl_test.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "faultline/faultline.h"
#include "tests/kvm/vm_kernel.h"

#define IDLE_S	     5
#define WAKE_MS	     400 /* of the reference: the watchdog's ticks of 50 ms while all is quiet, eight of them */
#define SLACK	     10u /* wakeups: what has not come to rest yet, and the end of the measurement */
#define CPU_PERMILLE 5	 /* of one CPU, for all threads together */
#define THREADS_MAX  64
#define WINDOW_LEN   (UINT64_C(64) << 20)

struct usage {
	char name[32];
	int tid;
	unsigned long long wakeups, cpu_ns;
};

struct usages {
	struct usage threads[THREADS_MAX];
	size_t count;
};

/* Labels of idle_guest.S. */
extern const uint8_t idle_by_hlt_start[], idle_by_hlt_end[], idle_by_msr_start[], idle_by_msr_end[];

static void read_usage(int tid, struct usage *usage)
{
	char path[64], line[128];
	FILE *file;

	*usage = (struct usage){.tid = tid};
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Name: %31s", usage->name) == 1)
			continue;
		sscanf(line, "voluntary_ctxt_switches: %llu", &usage->wakeups);
	}
	fclose(file);
	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu", &usage->cpu_ns), 1);
	fclose(file);
}

static void read_usages(struct usages *usages)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;

	usages->count = 0;
	assert_non_null(tasks);
	while ((entry = readdir(tasks)) != NULL) {
		int tid = atoi(entry->d_name);

		if (tid <= 0)
			continue;
		assert_true(usages->count < THREADS_MAX);
		read_usage(tid, &usages->threads[usages->count++]);
	}
	closedir(tasks);
}

/* What a thread has used since then; it must have been there. */
static struct usage used_since(const struct usages *then, const struct usage *now)
{
	struct usage used = *now;

	for (size_t i = 0; i < then->count; i++)
		if (then->threads[i].tid == now->tid) {
			used.wakeups -= then->threads[i].wakeups;
			used.cpu_ns -= then->threads[i].cpu_ns;
			return used;
		}
	fail_msg("%s is new", now->name);
	return used;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&wait, &wait) < 0 && errno == EINTR)
		;
}

static atomic_bool reference_ends;

static void *sleep_on(void *arg)
{
	pthread_setname_np(pthread_self(), "reference");
	while (!atomic_load(&reference_ends))
		sleep_ms(WAKE_MS);
	return arg;
}

static void compare(const struct usages *before, const struct usages *after, bool may_tick)
{
	unsigned long long reference = 0, cpu_ns = 0;

	for (size_t i = 0; i < after->count; i++)
		if (strcmp(after->threads[i].name, "reference") == 0)
			reference = used_since(before, &after->threads[i]).wakeups;
	assert_true(reference > 0);
	for (size_t i = 0; i < after->count; i++) {
		struct usage used = used_since(before, &after->threads[i]);

		printf("# %-16s %4llu wakeups, %8.3f ms of CPU time\n", used.name, used.wakeups,
		       (double)used.cpu_ns / 1e6);
		if (strncmp(used.name, "fl-", 3) != 0)
			continue;
		cpu_ns += used.cpu_ns;
		assert_true(used.wakeups <=
			    SLACK + (may_tick && strcmp(used.name, "fl-watchdog") == 0 ? reference : 0));
	}
	assert_true(cpu_ns < (unsigned long long)IDLE_S * 1000000 * CPU_PERMILLE);
}

static void measure(bool may_tick)
{
	struct usages *before = calloc(1, sizeof(*before)), *after = calloc(1, sizeof(*after));
	pthread_t reference;

	assert_non_null(before);
	assert_non_null(after);
	atomic_store(&reference_ends, false);
	assert_int_equal(pthread_create(&reference, NULL, sleep_on, NULL), 0);
	sleep_ms(1000); /* to come to rest */
	read_usages(before);
	sleep_ms(IDLE_S * 1000);
	read_usages(after);
	atomic_store(&reference_ends, true);
	pthread_join(reference, NULL);
	compare(before, after, may_tick);
	free(before);
	free(after);
}

/* With all that has a thread: a share with a window, a plain one, and a command with input and output. */
static struct fl_vm *start_vm(const char *kernel, enum fl_fault_mode mode, uint32_t vcpus)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_share_opts share = FL_SHARE_OPTS_INIT;
	struct fl_window_opts window = FL_WINDOW_OPTS_INIT;
	struct fl_diag diag = {0};
	struct fl_vm *vm;

	opts.ram_len = 64 << 20;
	opts.kernel = kernel;
	opts.initrd = "/dev/null";
	opts.fault_mode = mode;
	opts.vcpus = vcpus;
	if (fl_vm_new(&opts, &vm, &diag))
		fail_msg("%s", diag.text);
	share.tag = "share";
	share.dir = "/tmp";
	share.mount = "/";
	share.window_len = WINDOW_LEN;
	window.name = "file";
	window.fd = memfd_create("idle", MFD_CLOEXEC);
	window.gpa = UINT64_C(1) << 32;
	window.len = UINT64_C(2) << 20;
	if (fl_vm_add_share(vm, &share, &diag) || fl_vm_add_window(vm, &window, &diag) || fl_vm_start(vm, &diag))
		fail_msg("%s", diag.text);
	close(window.fd);
	return vm;
}

static void idle_in(enum fl_fault_mode mode, uint32_t vcpus)
{
	bool strict = mode == FL_FAULT_MODE_STRICT;
	struct fl_vcpu_info info = {.size = sizeof(info)};
	char kernel[VM_KERNEL_PATH_LEN];
	struct fl_vm *vm;

	if (strict)
		vm_kernel_write(kernel, idle_by_msr_start, idle_by_msr_end);
	else
		vm_kernel_write(kernel, idle_by_hlt_start, idle_by_hlt_end);
	vm = start_vm(kernel, mode, vcpus);
	unlink(kernel);
	printf("# %s, %u vCPUs\n", fl_fault_mode_name(mode), vcpus);
	measure(!strict);
	for (uint32_t i = 0; i < vcpus; i++) {
		assert_int_equal(fl_vm_get_vcpu(vm, i, &info), 0);
		assert_int_equal(info.state, FL_VCPU_HALTED);
	}
	/* and while it is paused */
	assert_int_equal(fl_vm_pause(vm), 0);
	measure(!strict);
	fl_vm_free(vm);
}

static void a_strict_vm_sleeps(void **state)
{
	(void)state;
	idle_in(FL_FAULT_MODE_STRICT, 1);
	idle_in(FL_FAULT_MODE_STRICT, 4);
}

static void a_watched_vm_nearly_sleeps(void **state)
{
	(void)state;
	idle_in(FL_FAULT_MODE_WATCH, 1);
	idle_in(FL_FAULT_MODE_WATCH, 4);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_strict_vm_sleeps),
	cmocka_unit_test(a_watched_vm_nearly_sleeps),
};

FL_TEST_MAIN(180, tests)
