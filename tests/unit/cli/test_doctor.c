/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor says of hosts that are files below a directory, and facts. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/doctor_impl.h"

struct bench {
	char root[64];
	char path[4096]; /* of the last file */
	struct fl_cli_facts facts;
	struct fl_cli_verdict verdict;
};

/* root/path, for as long as nobody asks for another one. */
static const char *path_of(struct bench *bench, const char *path)
{
	snprintf(bench->path, sizeof(bench->path), "%s%s", bench->root, path);
	return bench->path;
}

/* root/path with that text, and the directories above it. */
static void put(struct bench *bench, const char *path, const char *text)
{
	path_of(bench, path);
	for (char *c = bench->path + strlen(bench->root) + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		mkdir(bench->path, 0755);
		*c = '/';
	}
	FILE *file = fopen(bench->path, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void set_search_path(struct bench *bench, const char *dirs, bool with_own)
{
	char *path = NULL;

	free((void *)(uintptr_t)bench->facts.search_path);
	assert_true(asprintf(&path, "%s%s%s", dirs, with_own ? bench->root : "", with_own ? "/bin" : "") > 0);
	bench->facts.search_path = path;
}

/* A host with everything, by what files and system calls say on such a one. */
static const struct {
	const char *path, *text;
} good_files[] = {
	{"/dev/kvm", ""},
	{"/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu svm_lock vme vmx popcnt\n"},
	{"/sys/module/kvm_intel/parameters/nested", "Y\n"},
	{"/sys/module/kvm_intel/parameters/ept", "Y\n"},
	{"/sys/module/kvm/parameters/nx_huge_pages", "N\n"},
	{"/sys/module/kvm/parameters/halt_poll_ns", "200000\n"},
	{"/proc/sys/kernel/io_uring_disabled", "0\n"},
	{"/proc/sys/fs/inotify/max_user_watches", "65536\n"},
	{"/proc/sys/fs/inotify/max_user_instances", "128\n"},
	{"/proc/sys/vm/max_map_count", "65530\n"},
	{"/proc/sys/vm/overcommit_memory", "0\n"},
	{"/proc/meminfo", "MemTotal:       16000000 kB\nMemAvailable:    8388608 kB\n"},
	{"/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always within_size [advise] never deny force\n"},
	{"/bin/passt", ""},
};

static const struct fl_cli_facts good_facts = {
	.host = {.use = FL_HOST_LINUX,
		 .strict = true,
		 .watch = true,
		 .text = "/dev/kvm, VMX, runs Linux guests",
		 .shapes = "efault"},
	.user = "ada",
	.modes = {{.guest = "a kernel", .mode = FL_FAULT_MODE_STRICT, .why = "because"},
		  {.guest = "a kernel", .mode = FL_FAULT_MODE_STRICT, .why = "because"},
		  {.guest = "a kernel", .mode = FL_FAULT_MODE_STRICT, .why = "because"}},
	.memlock_len = 8388608,
	.descriptors = 524288,
	.kernel_version = 6001,
	.guest_kernel = "/k/bzImage",
	.box = "/b/box",
	.box_says = "ready",
	.box_usable = true,
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	strcpy(bench->root, "/tmp/fl-doctor.XXXXXX");
	assert_non_null(mkdtemp(bench->root));
	for (size_t i = 0; i < sizeof(good_files) / sizeof(good_files[0]); i++)
		put(bench, good_files[i].path, good_files[i].text);
	assert_int_equal(chmod(path_of(bench, "/bin/passt"), 0755), 0);
	bench->facts = good_facts;
	bench->facts.root = bench->facts.runtime_dir = bench->root;
	bench->facts.uid = geteuid();
	set_search_path(bench, "/nonexistent::", true);
	*state = bench;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	nftw(bench->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free((void *)(uintptr_t)bench->facts.search_path);
	free(bench);
	return 0;
}

static const struct fl_cli_finding *find(struct bench *bench, const char *key)
{
	fl_cli_examine(&bench->facts, &bench->verdict);
	for (size_t i = 0; i < bench->verdict.count; i++)
		if (strcmp(bench->verdict.findings[i].key, key) == 0)
			return &bench->verdict.findings[i];
	fail_msg("there is no finding %s", key);
	return bench->verdict.findings;
}

/* why and fix: what the texts contain; fix NULL: there is nothing to do. */
static void assert_finding(struct bench *bench, const char *key, enum fl_cli_state state, const char *why,
			   const char *fix)
{
	const struct fl_cli_finding *finding = find(bench, key);

	if (finding->state != state || !strstr(finding->why, why))
		fail_msg("%s: %d: %s", key, (int)finding->state, finding->why);
	/* what is not right is nothing to anybody who is not told what to do */
	if (!fix && (state == FL_CLI_STATE_NO || state == FL_CLI_STATE_PARTLY))
		fail_msg("%s: the test expects no advice", key);
	if (fix ? !strstr(finding->fix, fix) : finding->fix[0] != '\0')
		fail_msg("%s: to do: %s", key, finding->fix);
}

static void a_host_with_everything(void **state)
{
	struct bench *bench = *state;

	fl_cli_examine(&bench->facts, &bench->verdict);
	for (size_t i = 0; i < bench->verdict.count; i++) {
		const struct fl_cli_finding *finding = &bench->verdict.findings[i];

		if (finding->fix[0] || (finding->state != FL_CLI_STATE_YES && finding->state != FL_CLI_STATE_INFO))
			fail_msg("%s: %s: %s", finding->key, finding->why, finding->fix);
		assert_true(finding->why[0]);
	}
	assert_int_equal(bench->verdict.count, 25);
	assert_int_equal(bench->verdict.status, 0);
	assert_string_equal(bench->verdict.word, "usable");
	assert_string_equal(bench->verdict.guests, "linux");
	assert_string_equal(bench->verdict.runs_in, "kvm");
}

static void without_the_device(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(unlink(path_of(bench, "/dev/kvm")), 0);
	assert_finding(bench, "kvm-device", FL_CLI_STATE_NO, "no such device", "modprobe kvm_intel");
	put(bench, "/proc/cpuinfo", "flags\t\t: fpu svm\n");
	assert_finding(bench, "kvm-device", FL_CLI_STATE_NO, "no such device", "modprobe kvm_amd");
	put(bench, "/proc/cpuinfo", "flags\t\t: fpu hypervisor\n");
	assert_finding(bench, "kvm-device", FL_CLI_STATE_NO, "no such device", "nested virtualisation");
	put(bench, "/proc/cpuinfo", "flags\t\t: fpu\n");
	assert_finding(bench, "kvm-device", FL_CLI_STATE_NO, "no such device", "firmware");
}

static void access_is_a_matter_of_the_group(void **state)
{
	struct bench *bench = *state;

	assert_finding(bench, "kvm-access", FL_CLI_STATE_YES, "ada may", NULL);
	bench->facts.kvm_error = EACCES;
	strcpy(bench->facts.kvm_group, "root");
	assert_finding(bench, "kvm-access", FL_CLI_STATE_NO, "Permission denied", "chgrp kvm /dev/kvm; chmod 660");
	strcpy(bench->facts.kvm_group, "libvirt");
	bench->facts.kvm_group_may = true;
	assert_finding(bench, "kvm-access", FL_CLI_STATE_NO, "Permission denied", "adduser ada libvirt; then log in");
	bench->facts.in_kvm_group = true;
	assert_finding(bench, "kvm-access", FL_CLI_STATE_NO, "Permission denied", "container");
	bench->facts.kvm_error = ENODEV;
	assert_finding(bench, "kvm-access", FL_CLI_STATE_NO, "No such device", "modprobe");
}

static void hardware_by_flags_and_modules(void **state)
{
	struct bench *bench = *state;

	/* "svm_lock" is not "svm" */
	assert_finding(bench, "hardware", FL_CLI_STATE_YES, "VMX, with kvm_intel", NULL);
	assert_finding(bench, "nested", FL_CLI_STATE_INFO, "on", NULL);
	put(bench, "/sys/module/kvm_intel/parameters/nested", "0\n");
	assert_finding(bench, "nested", FL_CLI_STATE_INFO, "off", NULL);
	put(bench, "/proc/cpuinfo", "flags\t\t: fpu svm hypervisor\n");
	assert_finding(bench, "hardware", FL_CLI_STATE_PARTLY, "kvm_amd is not loaded", "modprobe kvm_amd");
	put(bench, "/sys/module/kvm_amd/parameters/npt", "1\n");
	assert_finding(bench, "hardware", FL_CLI_STATE_YES, "virtual machine itself", NULL);
	put(bench, "/proc/cpuinfo", "flags\t\t: svm_lock\n");
	assert_finding(bench, "hardware", FL_CLI_STATE_NO, "neither VMX nor SVM", "firmware");
	put(bench, "/sys/module/kvm_pvm/refcnt", "0\n");
	assert_finding(bench, "hardware", FL_CLI_STATE_PARTLY, "PVM", "a host with VMX or SVM");
}

static void slow_paging_is_told_of(void **state)
{
	struct bench *bench = *state;

	assert_finding(bench, "kvm-settings", FL_CLI_STATE_YES, "nx_huge_pages N, halt_poll_ns 200000", NULL);
	put(bench, "/sys/module/kvm_intel/parameters/ept", "N\n");
	assert_finding(bench, "kvm-settings", FL_CLI_STATE_PARTLY, "off", "ept=0");
}

static void what_the_probe_guests_saw(void **state)
{
	struct bench *bench = *state;

	assert_finding(bench, "fault-shapes", FL_CLI_STATE_YES, "efault", NULL);
	bench->facts.host.shapes[0] = '\0';
	bench->facts.host.strict = bench->facts.host.watch = false;
	assert_finding(bench, "fault-shapes", FL_CLI_STATE_NO, "did not tell", "--dax-window 0");
	assert_finding(bench, "strict", FL_CLI_STATE_NO, "HLT exits", "--dax-window 0");
	assert_finding(bench, "watch", FL_CLI_STATE_NO, "inotify", "--dax-window 0");
	assert_int_equal(bench->verdict.status, 1);
	assert_string_equal(bench->verdict.word, "limited");
	bench->facts.modes[1].mode = FL_FAULT_MODE_AUTO;
	assert_finding(bench, "mode-other-kernel", FL_CLI_STATE_NO, "a kernel: none: because", "--dax-window 0");
	bench->facts.modes[1].mode = FL_FAULT_MODE_WATCH;
	assert_finding(bench, "mode-other-kernel", FL_CLI_STATE_INFO, "a kernel: watch: because", NULL);
}

static void one_mode_will_do(void **state)
{
	struct bench *bench = *state;

	bench->facts.host.strict = false;
	assert_finding(bench, "strict", FL_CLI_STATE_NO, "HLT exits", "auto takes watch");
	bench->facts.host.strict = true;
	bench->facts.host.watch = false;
	assert_finding(bench, "watch", FL_CLI_STATE_NO, "inotify", "max_user_instances");
}

static void linux_guests_have_another_place(void **state)
{
	struct bench *bench = *state;

	bench->facts.host.use = FL_HOST_SMALL;
	assert_finding(bench, "linux-guests", FL_CLI_STATE_PARTLY, "", "--host=box");
	bench->facts.box_usable = false;
	assert_finding(bench, "linux-guests", FL_CLI_STATE_PARTLY, "", "the box below");
	bench->facts.in_box = true;
	assert_finding(bench, "linux-guests", FL_CLI_STATE_PARTLY, "", "--host-kernel");
}

/* Nothing there, nothing readable: each line that complains has advice. */
static void a_host_with_nothing(void **state)
{
	struct bench *bench = *state;
	char nowhere[80];

	snprintf(nowhere, sizeof(nowhere), "%s/nowhere", bench->root);
	bench->facts = (struct fl_cli_facts){.root = nowhere,
					     .host = {.use = FL_HOST_NONE, .text = "there is no /dev/kvm"},
					     .kvm_error = ENOENT,
					     .uid = 1000,
					     .user = "ada",
					     .io_uring_error = ENOMEM,
					     .guest_kernel_error = "No guest kernel was found.",
					     .box_says = "it was not found",
					     .search_path = bench->facts.search_path};
	set_search_path(bench, "/nonexistent", false);
	fl_cli_examine(&bench->facts, &bench->verdict);
	for (size_t i = 0; i < bench->verdict.count; i++) {
		const struct fl_cli_finding *finding = &bench->verdict.findings[i];

		if ((finding->state == FL_CLI_STATE_NO || finding->state == FL_CLI_STATE_PARTLY) && !finding->fix[0])
			fail_msg("%s: %s: what is to be done?", finding->key, finding->why);
	}
	assert_int_equal(bench->verdict.status, 2);
}

static void limits_have_numbers(void **state)
{
	struct bench *bench = *state;

	/* (65530 - 1100) * 2 MiB */
	assert_finding(bench, "mappings", FL_CLI_STATE_YES, "128860 MiB in all, in mode watch 64430 MiB", NULL);
	put(bench, "/proc/sys/vm/max_map_count", "1000\n");
	assert_finding(bench, "mappings", FL_CLI_STATE_PARTLY, "windows can be 0 MiB", "vm.max_map_count=65530");
	put(bench, "/proc/sys/vm/max_map_count", "18446744073709551615\n");
	assert_finding(bench, "mappings", FL_CLI_STATE_YES, "windows can be 17592186044415 MiB", NULL);
	put(bench, "/proc/sys/fs/inotify/max_user_watches", "8191\n");
	assert_finding(bench, "inotify-files", FL_CLI_STATE_PARTLY, "8191 files", "max_user_watches=");
	put(bench, "/proc/sys/fs/inotify/max_user_instances", "15\n");
	assert_finding(bench, "inotify-guests", FL_CLI_STATE_PARTLY, "15 guests", "max_user_instances=");
	bench->facts.descriptors = 1024;
	assert_finding(bench, "descriptors", FL_CLI_STATE_PARTLY, "1024 files", "LimitNOFILE");
	bench->facts.descriptors = UINT64_MAX;
	assert_finding(bench, "descriptors", FL_CLI_STATE_YES, "any number", NULL);
	put(bench, "/proc/sys/vm/max_map_count", "many\n");
	assert_finding(bench, "mappings", FL_CLI_STATE_NO, "cannot be read", "mount /proc");
}

static void locked_memory_matters_to_old_kernels(void **state)
{
	struct bench *bench = *state;

	bench->facts.memlock_len = 16384;
	assert_finding(bench, "locked-memory", FL_CLI_STATE_YES, "need none", NULL);
	bench->facts.kernel_version = 5011;
	assert_finding(bench, "locked-memory", FL_CLI_STATE_PARTLY, "16 KiB", "ulimit -l");
	bench->facts.memlock_len = 65536;
	assert_finding(bench, "locked-memory", FL_CLI_STATE_YES, "allows", NULL);
}

static void memory_and_its_pages(void **state)
{
	struct bench *bench = *state;

	assert_finding(bench, "memory", FL_CLI_STATE_YES, "8192 MiB", NULL);
	put(bench, "/proc/meminfo", "MemAvailable:    1048575 kB\n");
	assert_finding(bench, "memory", FL_CLI_STATE_PARTLY, "1023 MiB", "--memory");
	put(bench, "/proc/meminfo", "MemFree: 1 kB\n");
	assert_finding(bench, "memory", FL_CLI_STATE_NO, "cannot be read", "mount /proc");
	put(bench, "/proc/sys/vm/overcommit_memory", "2\n");
	assert_finding(bench, "overcommit", FL_CLI_STATE_PARTLY, "= 2", "vm.overcommit_memory=0");
	put(bench, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always advise [never]\n");
	assert_finding(bench, "huge-pages", FL_CLI_STATE_PARTLY, "shmem_enabled: never", "echo advise");
	put(bench, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", "what\n");
	assert_finding(bench, "huge-pages", FL_CLI_STATE_PARTLY, "none", "CONFIG_TRANSPARENT_HUGEPAGE");
}

static void io_uring_by_who_forbids_it(void **state)
{
	struct bench *bench = *state;

	bench->facts.io_uring_error = EPERM;
	assert_finding(bench, "io-uring", FL_CLI_STATE_PARTLY, "seccomp", "container");
	put(bench, "/proc/sys/kernel/io_uring_disabled", "1\n");
	assert_finding(bench, "io-uring", FL_CLI_STATE_PARTLY, "io_uring_disabled = 1", "io_uring_group");
	put(bench, "/proc/sys/kernel/io_uring_disabled", "2\n");
	assert_finding(bench, "io-uring", FL_CLI_STATE_PARTLY, "io_uring_disabled = 2", "io_uring_disabled=0");
	bench->facts.io_uring_error = ENOSYS;
	assert_finding(bench, "io-uring", FL_CLI_STATE_PARTLY, "kernel has none", "CONFIG_IO_URING");
}

static void where_control_sockets_go(void **state)
{
	struct bench *bench = *state;

	assert_finding(bench, "runtime-dir", FL_CLI_STATE_YES, "/faultline", NULL);
	assert_int_equal(chmod(bench->root, 0777), 0);
	assert_finding(bench, "runtime-dir", FL_CLI_STATE_NO, "others may write", "yours alone");
	bench->facts.runtime_dir = "/nonexistent/dir";
	assert_finding(bench, "runtime-dir", FL_CLI_STATE_NO, "no directory", "unset");
	bench->facts.runtime_dir = NULL;
	bench->facts.uid = 7;
	assert_finding(bench, "runtime-dir", FL_CLI_STATE_PARTLY, "/tmp/faultline-7", "libpam-systemd");
	bench->facts.uid = 0;
	assert_finding(bench, "runtime-dir", FL_CLI_STATE_YES, "/run/faultline", NULL);
}

static void programs_are_looked_for(void **state)
{
	struct bench *bench = *state;

	set_search_path(bench, "/nonexistent:relative:", true);
	assert_finding(bench, "passt", FL_CLI_STATE_YES, bench->root, NULL);
	set_search_path(bench, "/nonexistent:::", false);
	assert_finding(bench, "passt", FL_CLI_STATE_NO, "no network", "apt-get install passt");
	strcpy(bench->facts.box_says, "as root: apt-get install qemu-system-x86");
	bench->facts.box_usable = false;
	assert_finding(bench, "box", FL_CLI_STATE_NO, "missing", "apt-get install qemu-system-x86");
	bench->facts.box[0] = '\0';
	strcpy(bench->facts.box_says, "it was not found");
	assert_finding(bench, "box", FL_CLI_STATE_NO, "it was not found", "FAULTLINE_BOX");
	bench->facts.in_box = true;
	assert_finding(bench, "box", FL_CLI_STATE_INFO, "inside", NULL);
}

static void verdicts(void **state)
{
	static const struct {
		enum fl_host_use use;
		bool kernel, box;
		int status;
		const char *word, *guests, *runs_in;
	} rows[] = {
		{FL_HOST_LINUX, true, false, 0, "usable", "linux", "kvm"},
		{FL_HOST_LINUX, false, true, 1, "limited", "linux", "none"},
		{FL_HOST_SMALL, true, true, 1, "limited", "small", "box"},
		{FL_HOST_SMALL, true, false, 1, "limited", "small", "none"},
		{FL_HOST_SMALL, false, true, 1, "limited", "small", "none"},
		{FL_HOST_NONE, true, true, 1, "limited", "none", "box"},
		{FL_HOST_NONE, false, true, 1, "limited", "none", "none"},
		{FL_HOST_NONE, true, false, 2, "unusable", "none", "none"},
		{FL_HOST_NONE, false, false, 2, "unusable", "none", "none"},
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench->facts.host.use = rows[i].use;
		strcpy(bench->facts.guest_kernel, rows[i].kernel ? "/k" : "");
		bench->facts.box_usable = rows[i].box;
		fl_cli_examine(&bench->facts, &bench->verdict);
		assert_int_equal(bench->verdict.status, rows[i].status);
		assert_string_equal(bench->verdict.word, rows[i].word);
		assert_string_equal(bench->verdict.guests, rows[i].guests);
		assert_string_equal(bench->verdict.runs_in, rows[i].runs_in);
	}
}

static const struct fl_cli_verdict shown = {
	.status = 1,
	.word = "limited",
	.guests = "small",
	.runs_in = "box",
	.text = "Usable with limits.",
	.findings =
		{
			{"one", "first thing", FL_CLI_STATE_YES, "it \"is\" there", ""},
			{"two", "", FL_CLI_STATE_NO,
			 "words that do not fit into the rest of this line, 80 columns wide, are in the next",
			 "do\tthis"},
			{"three", "third", FL_CLI_STATE_INFO, "a\\b", ""},
		},
	.count = 3,
};

static char *show(bool json, bool color)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	if (json)
		assert_int_equal(fl_cli_show_json(&shown, out), 0);
	else
		fl_cli_show_text(&shown, color, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void text_for_people(void **state)
{
	char *text = show(false, false);

	(void)state;
	assert_string_equal(text, "faultline " FL_VERSION "\n\n"
				  "first thing     yes     it \"is\" there\n"
				  "                no      words that do not fit into the rest of this line, 80\n"
				  "                        columns wide, are in the next\n"
				  "                     -> do\tthis\n"
				  "third                   a\\b\n"
				  "\nUsable with limits.\n");
	free(text);
	text = show(false, true);
	assert_non_null(strstr(text, "first thing     \033[32myes     \033[0mit"));
	assert_non_null(strstr(text, "                \033[31mno      \033[0mwords"));
	assert_non_null(strstr(text, "third                   a\\b\n"));
	free(text);
}

static void json_for_machines(void **state)
{
	char *text = show(true, false);

	(void)state;
	assert_string_equal(
		text, "{\"version\":\"" FL_VERSION "\",\"status\":1,\"verdict\":\"limited\",\"guests\":\"small\","
		      "\"runs_in\":\"box\",\"text\":\"Usable with limits.\",\"items\":["
		      "{\"name\":\"one\",\"state\":\"yes\",\"why\":\"it \\\"is\\\" there\",\"fix\":\"\"},"
		      "{\"name\":\"two\",\"state\":\"no\",\"why\":\"words that do not fit into the rest of this line, "
		      "80 columns wide, are in the next\",\"fix\":\"do\\\\011this\"},"
		      "{\"name\":\"three\",\"state\":\"info\",\"why\":\"a\\\\\\\\b\",\"fix\":\"\"}]}\n");
	free(text);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static const struct CMUnitTest tests[] = {
	WITH_BENCH(a_host_with_everything),
	WITH_BENCH(without_the_device),
	WITH_BENCH(access_is_a_matter_of_the_group),
	WITH_BENCH(hardware_by_flags_and_modules),
	WITH_BENCH(slow_paging_is_told_of),
	WITH_BENCH(what_the_probe_guests_saw),
	WITH_BENCH(one_mode_will_do),
	WITH_BENCH(linux_guests_have_another_place),
	WITH_BENCH(a_host_with_nothing),
	WITH_BENCH(limits_have_numbers),
	WITH_BENCH(locked_memory_matters_to_old_kernels),
	WITH_BENCH(memory_and_its_pages),
	WITH_BENCH(io_uring_by_who_forbids_it),
	WITH_BENCH(where_control_sockets_go),
	WITH_BENCH(programs_are_looked_for),
	WITH_BENCH(verdicts),
	cmocka_unit_test(text_for_people),
	cmocka_unit_test(json_for_machines),
};
FL_TEST_MAIN(20, tests)
