/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor must try, ask the kernel for, or ask other programs for. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/doctor_impl.h"
#include "cli/host.h"
#include "cli/kernel.h"

#define VCPUS_MAX	64u
#define GROUPS_MAX	1024
#define BOX_PATIENCE_MS 10000

static void look_at_kvm(struct fl_cli_facts *facts)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	gid_t groups[GROUPS_MAX];
	struct stat st;

	facts->kvm_error = fd < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (stat("/dev/kvm", &st) < 0)
		return;
	int count = getgroups(GROUPS_MAX, groups);

	const struct group *group = getgrgid(st.st_gid);

	snprintf(facts->kvm_group, sizeof(facts->kvm_group), "%s", group ? group->gr_name : "");
	facts->kvm_group_may = (st.st_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP);
	facts->in_kvm_group = st.st_gid == getegid();
	for (int i = 0; i < count; i++)
		facts->in_kvm_group = facts->in_kvm_group || groups[i] == st.st_gid;
}

/* Nothing is loaded by fl_vm_new(): any name of a kernel will do. */
static void try_mode(struct fl_cli_facts *facts, size_t index, uint32_t vcpus, uint32_t flags)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_vm_status status = {.size = sizeof(status)};
	struct fl_diag diag = {0};
	struct fl_vm *vm = NULL;
	const char *why = diag.text;

	opts.kernel = "none";
	opts.vcpus = vcpus;
	opts.flags = flags;
	opts.log_level = FL_LOG_ERROR;
	if (fl_vm_new(&opts, &vm, &diag) == 0 && fl_vm_get_status(vm, &status) == 0) {
		facts->modes[index].mode = status.mode;
		why = status.mode_why;
	}
	snprintf(facts->modes[index].why, sizeof(facts->modes[index].why), "%.255s", why);
	fl_vm_free(vm);
}

static void try_modes(struct fl_cli_facts *facts)
{
	cpu_set_t set;
	unsigned int cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned int)CPU_COUNT(&set) : VCPUS_MAX;

	strcpy(facts->modes[0].guest, "Faultline's own kernel");
	try_mode(facts, 0, cpus < VCPUS_MAX ? cpus + 1 : VCPUS_MAX, FL_VM_IDLES_POLITELY);
	strcpy(facts->modes[1].guest, "another kernel, 1 vCPU");
	try_mode(facts, 1, 1, 0);
	if (cpus >= VCPUS_MAX)
		return; /* no guest has more than this host */
	snprintf(facts->modes[2].guest, sizeof(facts->modes[2].guest), "another kernel, %u vCPUs", cpus + 1);
	try_mode(facts, 2, cpus + 1, 0);
}

static int try_io_uring(void)
{
	struct io_uring_params params = {0};
	long fd = syscall(SYS_io_uring_setup, 1, &params);

	if (fd < 0)
		return errno;
	close((int)fd);
	return 0;
}

static uint64_t hard_limit(int resource)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_max;
}

static unsigned int kernel_version(void)
{
	unsigned int major, minor;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return 0;
	return major * 1000 + minor;
}

/* Reads until the end, or until nothing more is to be expected. Returns what came, without the last newline. */
static void read_answer(int fd, char *text, size_t text_len)
{
	size_t used = 0;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t deadline_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + BOX_PATIENCE_MS;

	while (used < text_len - 1) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		int64_t left_ms = deadline_ms - (int64_t)now.tv_sec * 1000 - now.tv_nsec / 1000000;
		struct pollfd ready = {.fd = fd, .events = POLLIN};

		if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
			break;
		ssize_t n = read(fd, text + used, text_len - 1 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* Standard output of "BOX --check"; its exit status, or -1. */
static int ask_box(const char *box, char *text, size_t text_len)
{
	char *const argv[] = {strdup(box), strdup("--check"), NULL};
	posix_spawn_file_actions_t actions;
	int ends[2], status = -1;
	pid_t pid = -1;

	text[0] = '\0';
	if (pipe2(ends, O_CLOEXEC) == 0) {
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
		if (!argv[0] || !argv[1] || posix_spawn(&pid, box, &actions, NULL, argv, environ) != 0)
			pid = -1;
		posix_spawn_file_actions_destroy(&actions);
		close(ends[1]);
		if (pid > 0) {
			read_answer(ends[0], text, text_len);
			/* it has said all that it has to say, or takes too long for it */
			close(ends[0]);
			if (!text[0])
				kill(pid, SIGKILL);
			if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
				status = -1;
		} else {
			close(ends[0]);
		}
	}
	free(argv[0]);
	free(argv[1]);
	return status < 0 ? -1 : WEXITSTATUS(status);
}

static void look_at_box(struct fl_cli_facts *facts)
{
	struct fl_diag diag = {0};

	facts->in_box = fl_cli_in_box();
	if (facts->in_box)
		return;
	if (fl_cli_default_box(facts->box, &diag) < 0) {
		facts->box[0] = '\0';
		snprintf(facts->box_says, sizeof(facts->box_says), "%.500s", diag.text);
		return;
	}
	facts->box_usable = ask_box(facts->box, facts->box_says, sizeof(facts->box_says)) == 0;
	if (!facts->box_says[0])
		snprintf(facts->box_says, sizeof(facts->box_says), "%.400s --check says nothing; run it", facts->box);
}

int fl_cli_gather_facts(struct fl_cli_facts *facts)
{
	const struct passwd *entry = getpwuid(geteuid());
	struct fl_diag diag = {0};
	struct fl_cli_kernel kernel;

	facts->host.size = sizeof(facts->host);
	int ret = fl_host_probe(&facts->host);

	if (ret < 0)
		return ret;
	facts->uid = geteuid();
	facts->user = entry ? entry->pw_name : "USER";
	look_at_kvm(facts);
	try_modes(facts);
	facts->io_uring_error = try_io_uring();
	facts->memlock_len = hard_limit(RLIMIT_MEMLOCK);
	facts->descriptors = hard_limit(RLIMIT_NOFILE);
	facts->kernel_version = kernel_version();
	if (fl_cli_default_kernel(NULL, &kernel, &diag) == 0)
		memcpy(facts->guest_kernel, kernel.path, sizeof(facts->guest_kernel));
	else
		snprintf(facts->guest_kernel_error, sizeof(facts->guest_kernel_error), "%.255s", diag.text);
	look_at_box(facts);
	facts->search_path = getenv("PATH");
	facts->runtime_dir = getenv("XDG_RUNTIME_DIR");
	return 0;
}
