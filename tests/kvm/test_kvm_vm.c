/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole VM by the public header alone, with a guest of a few instructions in place of a kernel: plain windows, both
 * fault modes, policies, the callback that decides, counters, memory, and the report.
 */
#include "tests/lib/fl_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "faultline/faultline.h"
#include "tests/kvm/vm_kernel.h"

#define WINDOW_GPA  UINT64_C(0x8000000) /* vm_guest.S */
#define WINDOW_LEN  (UINT64_C(2) << 20)
#define RESULTS_GPA UINT64_C(0x2000000) /* vm_guest.S */
#define FIRST_WORD  UINT64_C(0x0123456789abcdef)
#define SECOND_WORD UINT64_C(0x1111222233334444)
#define WRITTEN	    UINT64_C(0x55aa) /* vm_guest.S */
#define PAGE	    4096

struct rig {
	char kernel[VM_KERNEL_PATH_LEN];
	int file; /* a memfd of two pages */
	struct fl_vm *vm;
	enum fl_fault_mode mode;
	enum fl_action answers[8]; /* of decide(), by how often it was asked */
	unsigned int asked;
	bool repairs;
	unsigned int faults;
	enum fl_outcome last_outcome;
};

static enum fl_action decide(void *arg, const struct fl_fault *fault)
{
	struct rig *rig = arg;

	assert_int_equal(fault->gpa, WINDOW_GPA + PAGE);
	if (rig->repairs)
		assert_int_equal(pwrite(rig->file, &(uint64_t){SECOND_WORD}, 8, PAGE), 8);
	return rig->answers[rig->asked++ % 8];
}

static void note_fault(void *arg, const struct fl_fault *fault)
{
	struct rig *rig = arg;

	rig->faults++;
	rig->last_outcome = fault->outcome;
}

static void add_file(struct rig *rig, uint32_t flags, struct fl_policy policy)
{
	struct fl_window_opts opts = FL_WINDOW_OPTS_INIT;
	struct fl_diag diag = {0};

	opts.flags = flags;
	opts.name = "file";
	opts.fd = rig->file;
	opts.gpa = WINDOW_GPA;
	opts.len = WINDOW_LEN;
	opts.policy = policy;
	if (fl_vm_add_window(rig->vm, &opts, &diag))
		fail_msg("%s", diag.text);
}

static void make_vm(struct rig *rig)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_diag diag = {0};

	opts.ram_len = 64 << 20;
	opts.kernel = rig->kernel;
	opts.initrd = "/dev/null";
	opts.fault_mode = rig->mode;
	opts.decide = decide;
	opts.fault = note_fault;
	opts.arg = rig;
	if (fl_vm_new(&opts, &rig->vm, &diag))
		fail_msg("%s", diag.text);
}

/* The guest runs, with the file cut to file_len before that. */
static struct fl_result run(struct rig *rig, off_t file_len, struct fl_policy policy)
{
	struct fl_result result = {.size = sizeof(result)};
	struct fl_diag diag = {0};

	make_vm(rig);
	assert_int_equal(ftruncate(rig->file, file_len), 0);
	add_file(rig, 0, policy);
	if (fl_vm_start(rig->vm, &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(fl_vm_wait(rig->vm, 20000, &result), 0);
	return result;
}

static uint64_t word_at(struct rig *rig, uint64_t gpa)
{
	uint64_t word = 0;

	assert_int_equal(fl_vm_read_memory(rig->vm, gpa, &word, sizeof(word)), 0);
	return word;
}

static struct fl_counters counters_of(struct rig *rig, const char *region)
{
	struct fl_counters counters = {.size = sizeof(counters)};

	assert_int_equal(fl_vm_get_counters(rig->vm, region, &counters), 0);
	return counters;
}

static void a_window_is_the_file(struct rig *rig)
{
	struct fl_result result = run(rig, 2 * PAGE, (struct fl_policy){{FL_ACTION_STOP}});
	struct fl_vm_status status = {.size = sizeof(status)};
	uint64_t word = 0;

	assert_int_equal(result.end, FL_END_POWEROFF);
	assert_int_equal(result.faults, 0);
	assert_int_equal(word_at(rig, RESULTS_GPA), FIRST_WORD);
	assert_int_equal(word_at(rig, RESULTS_GPA + 8), SECOND_WORD);
	/* both ways, and still there when the guest has ended */
	assert_int_equal(pread(rig->file, &word, sizeof(word), 8), sizeof(word));
	assert_int_equal(word, WRITTEN);
	assert_int_equal(word_at(rig, WINDOW_GPA + 8), WRITTEN);
	assert_int_equal(fl_vm_get_status(rig->vm, &status), 0);
	assert_int_equal(status.mode, rig->mode);
	assert_int_equal(counters_of(rig, NULL).faults, 0);
}

static void strict_a_window_is_the_file(void **state)
{
	a_window_is_the_file(*state);
}

static void watch_a_window_is_the_file(void **state)
{
	a_window_is_the_file(*state);
}

static char *report_of(struct rig *rig)
{
	int fd = memfd_create("report", MFD_CLOEXEC);
	off_t len;

	assert_int_equal(fl_vm_write_report(rig->vm, fd), 0);
	len = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)len + 1);

	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)len, 0), len);
	close(fd);
	return text;
}

static void assert_says(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text ? text : "");
}

/* The guest has stopped before the instruction that needs the lost page, and all of it can be seen. */
static void check_report(struct rig *rig)
{
	char *text = report_of(rig);

	assert_says(text, "end: stopped by a fault");
	assert_says(text, "last fault: fault 1: vcpu 0 read");
	assert_says(text, "rbx 0000000008000000");
	assert_says(text, "rcx 0000000002000000");
	assert_says(text, "rax 00000000000055aa");
	assert_says(text,
		    "48 8b 83 00 10 00 00 48 89 41 08"); /* the code at rip: mov 0x1000(%rbx),%rax; mov %rax,8(%rcx) */
	assert_says(text, "0000000000000000-0000000003ffffff memory \"ram\" stop");
	assert_says(text, "0000000008000000-00000000081fffff window \"file\" stop");
	assert_says(text, "guest-window");
	free(text);
}

static void a_lost_page_stops_it_and_leaves_everything_to_be_seen(struct rig *rig)
{
	struct fl_result result = run(rig, PAGE, (struct fl_policy){{FL_ACTION_STOP}});
	struct fl_counters counters = {.size = sizeof(counters)};
	uint8_t byte;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_int_equal(result.end, FL_END_FAULT);
	assert_int_equal(result.faults, 1);
	assert_int_equal(word_at(rig, RESULTS_GPA), FIRST_WORD);
	assert_int_equal(word_at(rig, WINDOW_GPA), FIRST_WORD);
	assert_int_equal(fl_vm_read_memory(rig->vm, WINDOW_GPA + PAGE, &byte, 1), -EFAULT);
	assert_int_equal(fl_vm_read_memory(rig->vm, UINT64_C(64) << 20, &byte, 1), -EFAULT);
	counters = counters_of(rig, "file");
	assert_int_equal(counters.faults, 1);
	assert_int_equal(counters.outcome[FL_OUTCOME_STOPPED], 1);
	assert_int_equal(counters.cause[FL_CAUSE_TRUNCATED], 1);
	assert_int_equal(counters_of(rig, NULL).faults, 1);
	assert_int_equal(counters_of(rig, "ram").faults, 0);
	assert_int_equal(fl_vm_get_counters(rig->vm, "none", &counters), -ENOENT);
	check_report(rig);
	assert_int_equal(fl_vm_write_report(rig->vm, full), -ENOSPC);
	close(full);
	assert_int_equal(fl_vm_write_report(rig->vm, full), -EBADF);
}

static void strict_a_lost_page_stops_it(void **state)
{
	a_lost_page_stops_it_and_leaves_everything_to_be_seen(*state);
}

static void watch_a_lost_page_stops_it(void **state)
{
	a_lost_page_stops_it_and_leaves_everything_to_be_seen(*state);
}

/* This process's descriptor of the guest's memory. */
static int memory_fd(void)
{
	for (int fd = 0; fd < 256; fd++) {
		char name[32], target[64] = "";

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		if (readlink(name, target, sizeof(target) - 1) > 0 && strstr(target, "memfd:guest-ram"))
			return fd;
	}
	fail_msg("the guest's memory is no file");
	return -1;
}

/* In another process: whoever poisons a page is signalled by force (memory_failure(), kill_procs()). */
static void poison(off_t offset)
{
	int fd = memory_fd(), status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

		prctl(PR_SET_DUMPABLE, 0);
		if (page == MAP_FAILED || madvise(page, PAGE, MADV_POPULATE_WRITE) < 0)
			_exit(3);
		_exit(madvise(page, PAGE, MADV_HWPOISON) < 0 && errno == EINVAL ? 2 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
		printf("# skipped: this kernel has no CONFIG_MEMORY_FAILURE\n");
		skip();
	}
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) == 0);
}

/* The host's memory is bad under the guest's: whoever looks hears of it, and does not get SIGBUS. */
static void bad_memory_can_be_looked_at(void **state)
{
	struct rig *rig = *state;
	uint64_t word;
	char *text;

	if (!getenv("FAULTLINE_IN_BOX")) {
		printf("# skipped: poisons memory of the host for good, so it runs in the box only\n");
		skip();
	}
	assert_int_equal(run(rig, PAGE, (struct fl_policy){{FL_ACTION_STOP}}).end, FL_END_FAULT);
	poison(VM_CODE_GPA);
	poison(RESULTS_GPA);
	assert_int_equal(fl_vm_read_memory(rig->vm, RESULTS_GPA, &word, sizeof(word)), -EFAULT);
	assert_int_equal(fl_vm_read_memory(rig->vm, RESULTS_GPA - 4, &word, sizeof(word)), -EFAULT);
	assert_int_equal(fl_vm_read_memory(rig->vm, RESULTS_GPA + PAGE, &word, sizeof(word)), 0);
	text = report_of(rig);
	assert_says(text, "cannot be read");
	free(text);
}

static void a_substitute_reads_as_zeros(void **state)
{
	struct rig *rig = *state;
	struct fl_result result = run(rig, PAGE, (struct fl_policy){{FL_ACTION_SUBSTITUTE}});

	assert_int_equal(result.end, FL_END_POWEROFF);
	assert_int_equal(word_at(rig, RESULTS_GPA + 8), 0);
	assert_int_equal(counters_of(rig, "file").outcome[FL_OUTCOME_SUBSTITUTED], 1);
	assert_int_equal(lseek(rig->file, 0, SEEK_END), PAGE);
	char *text = report_of(rig);

	assert_says(text, "0000000008001000-0000000008001fff rw substitute for");
	free(text);
}

static void whoever_is_asked_can_repair(void **state)
{
	struct rig *rig = *state;
	struct fl_result result;

	rig->repairs = true;
	rig->answers[0] = FL_ACTION_RETRY;
	result = run(rig, PAGE, (struct fl_policy){{FL_ACTION_ASK}});
	assert_int_equal(result.end, FL_END_POWEROFF);
	assert_int_equal(rig->asked, 1);
	assert_int_equal(word_at(rig, RESULTS_GPA + 8), SECOND_WORD);
}

static void whoever_is_asked_can_pass_it_on(void **state)
{
	struct rig *rig = *state;
	struct fl_result result;

	rig->answers[0] = FL_ACTION_NEXT;
	result = run(rig, PAGE, (struct fl_policy){{FL_ACTION_ASK, FL_ACTION_SUBSTITUTE}});
	assert_int_equal(result.end, FL_END_POWEROFF);
	assert_int_equal(rig->asked, 1);
	assert_int_equal(rig->last_outcome, FL_OUTCOME_SUBSTITUTED);
}

static void a_read_only_window_cannot_be_written(void **state)
{
	struct rig *rig = *state;
	struct fl_result result = {.size = sizeof(result)};

	make_vm(rig);
	add_file(rig, FL_WINDOW_READ_ONLY, (struct fl_policy){{FL_ACTION_STOP}});
	assert_int_equal(fl_vm_start(rig->vm, NULL), 0);
	assert_int_equal(fl_vm_wait(rig->vm, 20000, &result), 0);
	assert_int_equal(result.end, FL_END_FAULT);
	assert_int_equal(counters_of(rig, "file").cause[FL_CAUSE_NOT_PERMITTED], 1);
}

static void expect_refused(struct rig *rig, struct fl_window_opts opts, int error, const char *word)
{
	struct fl_diag diag = {0};

	assert_int_equal(fl_vm_add_window(rig->vm, &opts, &diag), error);
	if (!strstr(diag.text, word))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, word);
}

static void expect_port(struct rig *rig, const char *name, int in_fd, int out_fd, int error, const char *word)
{
	struct fl_port_opts opts = FL_PORT_OPTS_INIT;
	struct fl_diag diag = {0};

	opts.name = name;
	opts.in_fd = in_fd;
	opts.out_fd = out_fd;
	assert_int_equal(fl_vm_add_port(rig->vm, &opts, &diag), error);
	if (!strstr(diag.text, word))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, word);
}

static void what_cannot_be_a_port_is_refused(void **state)
{
	struct rig *rig = *state;
	struct fl_result result = {.size = sizeof(result)};
	int pipes[2];

	make_vm(rig);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	expect_port(rig, "fl.status", -1, -1, -EINVAL, "agent's");
	expect_port(rig, "a b", -1, -1, -EINVAL, "letters");
	expect_port(rig, "p", pipes[1], -1, -EINVAL, "not open for reading");
	expect_port(rig, "p", -1, pipes[0], -EINVAL, "not open for writing");
	expect_port(rig, "p", pipes[0], pipes[1], 0, "");
	expect_port(rig, "p", -1, -1, -EINVAL, "two ports");
	close(pipes[0]);
	expect_port(rig, "q", pipes[0], -1, -EBADF, "descriptor");
	close(pipes[1]);
	expect_port(rig, "q", -1, -1, 0, "");
	expect_port(rig, "r", -1, -1, 0, "");
	expect_port(rig, "s", -1, -1, 0, "");
	expect_port(rig, "t", -1, -1, -ENOSPC, "at most 4");
	/* and with all of them it still runs */
	assert_int_equal(fl_vm_start(rig->vm, NULL), 0);
	expect_port(rig, "u", -1, -1, -EBUSY, "before");
	assert_int_equal(fl_vm_wait(rig->vm, 20000, &result), 0);
	assert_int_equal(result.end, FL_END_POWEROFF);
}

static void what_cannot_be_a_window_is_refused(void **state)
{
	struct rig *rig = *state;
	struct fl_window_opts opts = FL_WINDOW_OPTS_INIT;
	int dir = open("/tmp", O_RDONLY | O_CLOEXEC), path = open(rig->kernel, O_PATH | O_CLOEXEC);
	int write_only = open(rig->kernel, O_WRONLY | O_CLOEXEC);
	struct fl_result result = {.size = sizeof(result)};

	make_vm(rig);
	assert_int_equal(fl_vm_write_report(rig->vm, 2), -EINVAL);
	assert_int_equal(fl_vm_read_memory(rig->vm, 0, &result, 1), -EINVAL);
	add_file(rig, 0, (struct fl_policy){{FL_ACTION_STOP}});
	opts.name = "other";
	opts.gpa = WINDOW_GPA + WINDOW_LEN;
	opts.len = WINDOW_LEN;
	expect_refused(rig, opts, -EINVAL, "no file");
	opts.fd = dir;
	expect_refused(rig, opts, -EINVAL, "regular file");
	opts.fd = path;
	expect_refused(rig, opts, -EINVAL, "open for reading");
	opts.fd = write_only;
	expect_refused(rig, opts, -EINVAL, "open for reading");
	close(write_only);
	expect_refused(rig, opts, -EBADF, "descriptor");
	opts.fd = rig->file;
	opts.name = "file";
	expect_refused(rig, opts, -EINVAL, "name file");
	opts.name = "other";
	opts.gpa = WINDOW_GPA;
	expect_refused(rig, opts, -EINVAL, "another one");
	opts.gpa = 0;
	expect_refused(rig, opts, -EINVAL, "memory");
	opts.gpa = 0xd0000000;
	expect_refused(rig, opts, -EINVAL, "devices");
	for (unsigned int i = 1; i < 8; i++) {
		char name[8];

		snprintf(name, sizeof(name), "w%u", i);
		opts.name = name;
		opts.gpa = WINDOW_GPA + i * WINDOW_LEN;
		assert_int_equal(fl_vm_add_window(rig->vm, &opts, NULL), 0);
	}
	opts.name = "other";
	opts.gpa += WINDOW_LEN;
	expect_refused(rig, opts, -ENOSPC, "at most 8");
	/* and with all of them it still runs */
	assert_int_equal(fl_vm_start(rig->vm, NULL), 0);
	expect_refused(rig, opts, -EBUSY, "before");
	assert_int_equal(fl_vm_wait(rig->vm, 20000, &result), 0);
	assert_int_equal(result.end, FL_END_POWEROFF);
	close(dir);
	close(path);
}

/* More vCPUs than CPUs: the choice is auto's, by what the guest says of itself. */
static void auto_chooses_by_what_idling_costs(void **state)
{
	struct rig *rig = *state;
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_vm_status status = {.size = sizeof(status)};

	opts.kernel = rig->kernel;
	opts.vcpus = 64;
	assert_int_equal(fl_vm_new(&opts, &rig->vm, NULL), 0);
	assert_int_equal(fl_vm_get_status(rig->vm, &status), 0);
	assert_int_equal(status.mode, sysconf(_SC_NPROCESSORS_ONLN) < 64 ? FL_FAULT_MODE_WATCH : FL_FAULT_MODE_STRICT);
	assert_true(strlen(status.mode_why) > 10);
	fl_vm_free(rig->vm);
	opts.flags = FL_VM_IDLES_POLITELY;
	assert_int_equal(fl_vm_new(&opts, &rig->vm, NULL), 0);
	assert_int_equal(fl_vm_get_status(rig->vm, &status), 0);
	assert_int_equal(status.mode, FL_FAULT_MODE_STRICT);
	fl_vm_free(rig->vm);
	/* what is not offered cannot be used */
	opts.flags = FL_VM_IDLES_POLITELY | FL_VM_NO_PVPF;
	assert_int_equal(fl_vm_new(&opts, &rig->vm, NULL), 0);
	assert_int_equal(fl_vm_get_status(rig->vm, &status), 0);
	assert_int_equal(status.mode, sysconf(_SC_NPROCESSORS_ONLN) < 64 ? FL_FAULT_MODE_WATCH : FL_FAULT_MODE_STRICT);
}

/* A guest that powers off as the built-in agent's kernel would, and with an initramfs that is the caller's. */
static void a_guest_without_its_agent_is_told_apart(void **state)
{
	static const char *const argv[] = {"true", NULL};
	struct rig *rig = *state;
	struct fl_result result = {.size = sizeof(result)};
	struct fl_share_opts share = FL_SHARE_OPTS_INIT;
	struct fl_command command = FL_COMMAND_INIT;
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_diag diag = {0};

	opts.ram_len = 64 << 20;
	opts.kernel = rig->kernel;
	share.tag = "root";
	share.dir = share.mount = "/";
	share.window_len = 0;
	command.argv = argv;
	assert_int_equal(fl_vm_new(&opts, &rig->vm, &diag), 0);
	assert_int_equal(fl_vm_add_share(rig->vm, &share, &diag), 0);
	assert_int_equal(fl_vm_set_command(rig->vm, &command, &diag), 0);
	add_file(rig, 0, (struct fl_policy){{FL_ACTION_STOP}});
	assert_int_equal(fl_vm_start(rig->vm, &diag), 0);
	assert_int_equal(fl_vm_wait(rig->vm, 20000, &result), 0);
	assert_int_equal(result.end, FL_END_POWEROFF);
	assert_int_equal(result.flags, FL_RESULT_NO_AGENT);
	assert_non_null(strstr(result.text, "command"));
	fl_vm_free(rig->vm);

	make_vm(rig);
	assert_int_equal(fl_vm_set_command(rig->vm, &command, &diag), 0);
	assert_int_equal(fl_vm_start(rig->vm, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "one of the two"));
	fl_vm_free(rig->vm);

	result = run(rig, 2 * PAGE, (struct fl_policy){{FL_ACTION_STOP}});
	assert_int_equal(result.end, FL_END_POWEROFF);
	assert_int_equal(result.flags, FL_RESULT_OWN_INITRD);
	assert_null(strstr(result.text, "command"));
}

/* ---- too few descriptors ------------------------------------------------------------------ */

static unsigned int open_files(void)
{
	unsigned int count = 0;
	DIR *dir = opendir("/proc/self/fd");

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* From nothing to a VM that runs; what it fails with. */
static int try_vm(struct rig *rig, struct fl_diag *diag)
{
	struct fl_window_opts window = FL_WINDOW_OPTS_INIT;
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	int result;

	opts.ram_len = 64 << 20;
	opts.kernel = rig->kernel;
	opts.initrd = "/dev/null";
	opts.fault_mode = rig->mode;
	opts.vcpus = 2;
	window.name = "file";
	window.fd = rig->file;
	window.gpa = WINDOW_GPA;
	window.len = WINDOW_LEN;
	window.policy = (struct fl_policy){{FL_ACTION_REFLECT, FL_ACTION_STOP}};
	result = fl_vm_new(&opts, &rig->vm, diag);
	if (!result)
		result = fl_vm_add_window(rig->vm, &window, diag);
	if (!result)
		result = fl_vm_start(rig->vm, diag);
	fl_vm_free(rig->vm);
	rig->vm = NULL;
	return result;
}

/* Whatever it is that there is no descriptor left for. */
static void too_few_descriptors_are_named_and_leave_nothing(void **state)
{
	struct rig *rig = *state;
	unsigned int before = open_files(), failed = 0;
	struct rlimit limit;
	int result = -EMFILE;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (unsigned int more = 0; result && more < 100; more++) {
		struct rlimit low = {.rlim_cur = before - 3 + more, .rlim_max = limit.rlim_max};
		struct fl_diag diag = {0};

		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		result = try_vm(rig, &diag);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_int_equal(open_files(), before);
		if (!result)
			break;
		failed++;
		printf("# %u more: %s\n", more, diag.text);
		assert_int_equal(result, -EMFILE);
		assert_non_null(strstr(diag.text, "ulimit -n"));
	}
	assert_int_equal(result, 0);
	assert_true(failed > 5);
}

static int set_up(void **state, enum fl_fault_mode mode)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->mode = mode;
	vm_kernel_write(rig->kernel, vm_guest_start, vm_guest_end);
	rig->file = memfd_create("guest-window", MFD_CLOEXEC);
	assert_int_equal(ftruncate(rig->file, 2 * PAGE), 0);
	assert_int_equal(pwrite(rig->file, &(uint64_t){FIRST_WORD}, 8, 0), 8);
	assert_int_equal(pwrite(rig->file, &(uint64_t){SECOND_WORD}, 8, PAGE), 8);
	*state = rig;
	return 0;
}

static int set_up_strict(void **state)
{
	return set_up(state, FL_FAULT_MODE_STRICT);
}

static int set_up_watch(void **state)
{
	return set_up(state, FL_FAULT_MODE_WATCH);
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	fl_vm_free(rig->vm);
	close(rig->file);
	unlink(rig->kernel);
	free(rig);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(strict_a_window_is_the_file, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(watch_a_window_is_the_file, set_up_watch, tear_down),
	cmocka_unit_test_setup_teardown(strict_a_lost_page_stops_it, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(watch_a_lost_page_stops_it, set_up_watch, tear_down),
	cmocka_unit_test_setup_teardown(bad_memory_can_be_looked_at, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(a_substitute_reads_as_zeros, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(whoever_is_asked_can_repair, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(whoever_is_asked_can_pass_it_on, set_up_watch, tear_down),
	cmocka_unit_test_setup_teardown(a_read_only_window_cannot_be_written, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(what_cannot_be_a_port_is_refused, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(what_cannot_be_a_window_is_refused, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(auto_chooses_by_what_idling_costs, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(a_guest_without_its_agent_is_told_apart, set_up_strict, tear_down),
	cmocka_unit_test_setup_teardown(too_few_descriptors_are_named_and_leave_nothing, set_up_watch, tear_down),
};
FL_TEST_MAIN(100, tests)
