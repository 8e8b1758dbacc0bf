/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor finds out about the host around KVM. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor_impl.h"

#define KIB	  UINT64_C(1024)
#define MIB	  (1024 * KIB)
#define GIB	  (1024 * MIB)
#define RANGE_LEN (2 * MIB) /* what a guest has mapped at a time, each with a mapping of this host */

/* Below these, guests are likely to meet the limit. */
#define FEW_WATCHES	8192u
#define FEW_INSTANCES	16u
#define FEW_DESCRIPTORS 4096u
#define FEW_MAPPINGS	16384u
#define OTHER_MAPPINGS	1100u /* what src/vmm/map_budget.c keeps for others, and a process has at its start */
#define DEFAULT_MEMORY	GIB   /* of a guest */

#define LINUX_5_12 5012u
#define RING_LEN   (64 * KIB)

#define WITHOUT_RING \
	"each read and write of a share takes a thread then, of which there are 16, so many small ones are slower"

/* What cannot be read below /proc cannot be judged. */
static void unreadable(struct fl_cli_finding *finding, const char *what)
{
	fl_cli_state(finding, FL_CLI_STATE_NO, "%s cannot be read", what);
	fl_cli_fix(finding, "mount /proc here (in a container: let this user read it), and ask again");
}

static void forbidden_io_uring(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	uint64_t sysctl;

	if (!fl_cli_read_number(facts, "/proc/sys/kernel/io_uring_disabled", &sysctl))
		sysctl = 0;
	if (sysctl) {
		fl_cli_state(finding, FL_CLI_STATE_PARTLY,
			     "forbidden by kernel.io_uring_disabled = %" PRIu64 ": " WITHOUT_RING, sysctl);
		fl_cli_fix(finding, "as root: sysctl kernel.io_uring_disabled=0%s",
			   sysctl == 1 ? "; or join the group that kernel.io_uring_group names" : "");
		return;
	}
	fl_cli_state(finding, FL_CLI_STATE_PARTLY, "forbidden by a seccomp filter or a security module: " WITHOUT_RING);
	fl_cli_fix(finding, "in a container, allow io_uring_setup, io_uring_enter and io_uring_register");
}

static void failed_io_uring(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	bool has_none = facts->io_uring_error == ENOSYS;

	fl_cli_state(finding, FL_CLI_STATE_PARTLY, "%s: " WITHOUT_RING,
		     has_none ? "this kernel has none" : strerror(facts->io_uring_error));
	fl_cli_fix(finding, "%s",
		   has_none ? "if that is too slow, use a kernel with CONFIG_IO_URING"
			    : "if that is too slow, raise the limits of this user's memory and descriptors");
}

static void io_uring(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->io_uring_error == 0)
		fl_cli_state(finding, FL_CLI_STATE_YES, "file I/O of shares goes through it");
	else if (facts->io_uring_error == EPERM || facts->io_uring_error == EACCES)
		forbidden_io_uring(facts, finding);
	else
		failed_io_uring(facts, finding);
}

static void inotify_files(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	uint64_t count;

	if (!fl_cli_read_number(facts, "/proc/sys/fs/inotify/max_user_watches", &count)) {
		unreadable(finding, "fs.inotify.max_user_watches");
		return;
	}
	fl_cli_state(finding, count < FEW_WATCHES ? FL_CLI_STATE_PARTLY : FL_CLI_STATE_YES,
		     "%" PRIu64 " files can be followed by all of a user's guests (fs.inotify.max_user_watches)",
		     count);
	if (count < FEW_WATCHES)
		fl_cli_fix(finding, "as root: sysctl fs.inotify.max_user_watches=524288");
}

static void inotify_guests(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	uint64_t count;

	if (!fl_cli_read_number(facts, "/proc/sys/fs/inotify/max_user_instances", &count)) {
		unreadable(finding, "fs.inotify.max_user_instances");
		return;
	}
	fl_cli_state(finding, count < FEW_INSTANCES ? FL_CLI_STATE_PARTLY : FL_CLI_STATE_YES,
		     "%" PRIu64 " guests of a user at a time, fewer by what else follows files "
		     "(fs.inotify.max_user_instances)",
		     count);
	if (count < FEW_INSTANCES)
		fl_cli_fix(finding, "as root: sysctl fs.inotify.max_user_instances=1024");
}

static void locked_memory(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->kernel_version >= LINUX_5_12) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "guests need none, whatever the limit (RLIMIT_MEMLOCK)");
	} else if (facts->memlock_len >= RING_LEN) {
		fl_cli_state(finding, FL_CLI_STATE_YES,
			     "before Linux 5.12 io_uring takes from RLIMIT_MEMLOCK, which allows it");
	} else {
		fl_cli_state(finding, FL_CLI_STATE_PARTLY,
			     "before Linux 5.12 io_uring takes from RLIMIT_MEMLOCK, which is %" PRIu64 " KiB",
			     facts->memlock_len / KIB);
		fl_cli_fix(finding, "raise it: ulimit -l, /etc/security/limits.conf, or LimitMEMLOCK= of a service");
	}
}

static void descriptors(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->descriptors == UINT64_MAX) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "a guest may know any number of files (RLIMIT_NOFILE)");
		return;
	}
	fl_cli_state(finding, facts->descriptors < FEW_DESCRIPTORS ? FL_CLI_STATE_PARTLY : FL_CLI_STATE_YES,
		     "a guest may know %" PRIu64 " files at a time (RLIMIT_NOFILE, the hard limit)",
		     facts->descriptors);
	if (facts->descriptors < FEW_DESCRIPTORS)
		fl_cli_fix(finding, "raise it: /etc/security/limits.conf, or LimitNOFILE= of a service");
}

static void mappings(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	uint64_t count;

	if (!fl_cli_read_number(facts, "/proc/sys/vm/max_map_count", &count)) {
		unreadable(finding, "vm.max_map_count");
		return;
	}
	uint64_t ranges = count > OTHER_MAPPINGS ? count - OTHER_MAPPINGS : 0;
	uint64_t window_len = ranges > UINT64_MAX / RANGE_LEN ? UINT64_MAX : ranges * RANGE_LEN;

	fl_cli_state(finding, count < FEW_MAPPINGS ? FL_CLI_STATE_PARTLY : FL_CLI_STATE_YES,
		     "a guest's DAX windows can be %" PRIu64 " MiB in all, in mode watch %" PRIu64
		     " MiB (vm.max_map_count is %" PRIu64 ")",
		     window_len / MIB, window_len / 2 / MIB, count);
	if (count < FEW_MAPPINGS)
		fl_cli_fix(finding, "as root: sysctl vm.max_map_count=65530");
}

static bool available_memory(const struct fl_cli_facts *facts, uint64_t *len)
{
	char path[PATH_MAX], line[256];
	uint64_t kib;
	bool found = false;

	snprintf(path, sizeof(path), "%s/proc/meminfo", facts->root);
	FILE *file = fopen(path, "re");

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1;
	if (file)
		fclose(file);
	if (found)
		*len = kib * KIB;
	return found;
}

static void memory(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	uint64_t len;

	if (!available_memory(facts, &len)) {
		unreadable(finding, "what is available in /proc/meminfo");
		return;
	}
	bool enough = len >= DEFAULT_MEMORY;

	fl_cli_state(finding, enough ? FL_CLI_STATE_YES : FL_CLI_STATE_PARTLY, "%" PRIu64 " MiB are available%s",
		     len / MIB, enough ? "" : ", and a guest may use 1 GiB (run --memory)");
	if (!enough)
		fl_cli_fix(finding, "give guests less: run --memory 256M");
}

static void overcommit(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	uint64_t policy;

	if (!fl_cli_read_number(facts, "/proc/sys/vm/overcommit_memory", &policy)) {
		unreadable(finding, "vm.overcommit_memory");
	} else if (policy == 2) {
		fl_cli_state(finding, FL_CLI_STATE_PARTLY,
			     "vm.overcommit_memory = 2: all memory of a guest counts from its start");
		fl_cli_fix(finding, "as root: sysctl vm.overcommit_memory=0, or a larger vm.overcommit_ratio");
	} else {
		fl_cli_state(finding, FL_CLI_STATE_YES,
			     "a guest takes memory when it touches it (vm.overcommit_memory = %" PRIu64 ")", policy);
	}
}

#define SHMEM_ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

static void huge_pages(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	char line[128];
	char *open = fl_cli_read_line(facts, SHMEM_ENABLED, line, sizeof(line)) ? strchr(line, '[') : NULL;
	char *close = open ? strchr(open, ']') : NULL;

	if (!close) {
		fl_cli_state(finding, FL_CLI_STATE_PARTLY, "this kernel has none for shared memory: guests get 4 KiB");
		fl_cli_fix(finding, "guests run without; for faster ones, use a kernel with "
				    "CONFIG_TRANSPARENT_HUGEPAGE");
		return;
	}
	*close = '\0';
	if (strcmp(open + 1, "never") != 0 && strcmp(open + 1, "deny") != 0) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "a guest's memory can be in pages of 2 MiB (shmem_enabled: %s)",
			     open + 1);
		return;
	}
	fl_cli_state(finding, FL_CLI_STATE_PARTLY, "a guest's memory is in pages of 4 KiB (shmem_enabled: %s)",
		     open + 1);
	fl_cli_fix(finding, "as root: echo advise >" SHMEM_ENABLED);
}

static void guest_kernel(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->guest_kernel[0]) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "%.400s", facts->guest_kernel);
		return;
	}
	fl_cli_state(finding, FL_CLI_STATE_NO, "%s", facts->guest_kernel_error);
	fl_cli_fix(finding, "in a checkout, build it (takes minutes): scripts/build; or install the package "
			    "faultline-guest-kernel; or name another one with run --kernel");
}

static void box(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->in_box) {
		fl_cli_state(finding, FL_CLI_STATE_INFO, "this is inside of it");
	} else if (facts->box_usable) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "%s", facts->box_says);
	} else if (!facts->box[0]) {
		fl_cli_state(finding, FL_CLI_STATE_NO, "%s", facts->box_says);
		fl_cli_fix(finding, "only needed where /dev/kvm cannot run Linux; name the one of a checkout: export "
				    "FAULTLINE_BOX=.../scripts/box");
	} else {
		fl_cli_state(finding, FL_CLI_STATE_NO, "programs that it needs are missing");
		fl_cli_fix(finding, "%.250s", facts->box_says);
	}
}

static bool is_program(const char *dir, size_t dir_len, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), "%.*s/%s", (int)dir_len, dir, name) < (int)sizeof(path) &&
	       stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static void passt(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	const char *dir = facts->search_path ? facts->search_path : "";

	for (size_t len; *dir; dir += len + (dir[len] == ':')) {
		len = strcspn(dir, ":");
		if (len && len < PATH_MAX && is_program(dir, len, "passt")) {
			fl_cli_state(finding, FL_CLI_STATE_YES, "guests can have a network (passt is in %.*s)",
				     len < 200 ? (int)len : 200, dir);
			return;
		}
	}
	fl_cli_state(finding, FL_CLI_STATE_NO, "the program passt is not here, and guests have no network without it");
	fl_cli_fix(finding, "as root: apt-get install passt");
}

static void runtime_dir(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	const char *dir = facts->runtime_dir;
	struct stat st;

	if (!dir || dir[0] != '/') {
		bool is_root = facts->uid == 0;

		fl_cli_state(finding, is_root ? FL_CLI_STATE_YES : FL_CLI_STATE_PARTLY,
			     is_root ? "/run/faultline, without XDG_RUNTIME_DIR"
				     : "/tmp/faultline-%" PRIu32 ", without XDG_RUNTIME_DIR",
			     facts->uid);
		if (!is_root)
			fl_cli_fix(finding,
				   "log in in a way that sets it (libpam-systemd), or set it to a directory of "
				   "your own");
	} else if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		fl_cli_state(finding, FL_CLI_STATE_NO, "XDG_RUNTIME_DIR is %.200s, which is no directory", dir);
		fl_cli_fix(finding, "unset it, or set it to a directory of your own");
	} else if (st.st_uid != facts->uid || st.st_mode & (S_IWGRP | S_IWOTH)) {
		fl_cli_state(finding, FL_CLI_STATE_NO, "XDG_RUNTIME_DIR is %.200s, to which others may write", dir);
		fl_cli_fix(finding, "set it to a directory that is yours alone");
	} else {
		fl_cli_state(finding, FL_CLI_STATE_YES, "%.200s/faultline", dir);
	}
}

const struct fl_cli_check fl_cli_system_checks[] = {
	{"guest-kernel", "guest kernel", guest_kernel},
	{"box", "the box", box},
	{"io-uring", "io_uring", io_uring},
	{"inotify-files", "inotify files", inotify_files},
	{"inotify-guests", "and guests", inotify_guests},
	{"locked-memory", "locked memory", locked_memory},
	{"descriptors", "descriptors", descriptors},
	{"mappings", "mappings", mappings},
	{"memory", "memory", memory},
	{"overcommit", "overcommit", overcommit},
	{"huge-pages", "huge pages", huge_pages},
	{"passt", "network", passt},
	{"runtime-dir", "control sockets", runtime_dir},
	{NULL, NULL, NULL},
};
