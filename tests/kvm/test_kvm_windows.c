/* SPDX-License-Identifier: Apache-2.0 */
/* Windows as large, and shares as many, as a VM may have: by the public header, with a guest of a few instructions. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "faultline/faultline.h"
#include "tests/kvm/vm_kernel.h"

#define MIB	    (UINT64_C(1) << 20)
#define GIB	    (UINT64_C(1) << 30)
#define FAR_GPA	    (64 * GIB) /* vm_guest.S */
#define FAR_LEN	    (64 * GIB)
#define RESULTS_GPA UINT64_C(0x2000000)
#define WRITTEN	    UINT64_C(0x55aa)
#define SHARES_MAX  16u

struct rig {
	char kernel[VM_KERNEL_PATH_LEN];
	struct fl_vm *vm;
	char warnings[2048];
	unsigned int reports; /* of shares that have done nothing */
};

static void hear(void *arg, enum fl_log_level level, const char *text)
{
	struct rig *rig = arg;
	size_t used = strlen(rig->warnings);

	if (level <= FL_LOG_WARN)
		snprintf(rig->warnings + used, sizeof(rig->warnings) - used, "%s\n", text);
	else if (strstr(text, "share tag") && strstr(text, ": requests=0 errors=0 malformed=0 lost=0 "))
		rig->reports++;
}

static void make_vm(struct rig *rig, uint64_t ram_len, enum fl_fault_mode mode)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_diag diag = {0};

	opts.ram_len = ram_len;
	opts.kernel = rig->kernel;
	opts.initrd = "/dev/null";
	opts.fault_mode = mode;
	opts.log = hear;
	opts.log_level = FL_LOG_INFO;
	opts.arg = rig;
	if (fl_vm_new(&opts, &rig->vm, &diag))
		fail_msg("%s", diag.text);
}

static enum fl_end run(struct rig *rig)
{
	struct fl_result result = {.size = sizeof(result)};
	struct fl_diag diag = {0};

	if (fl_vm_start(rig->vm, &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(fl_vm_wait(rig->vm, 20000, &result), 0);
	return result.end;
}

static uint64_t word_at(struct rig *rig, uint64_t gpa)
{
	uint64_t word = 0;

	assert_int_equal(fl_vm_read_memory(rig->vm, gpa, &word, sizeof(word)), 0);
	return word;
}

static uint64_t file_word(int fd, uint64_t offset)
{
	uint64_t word = 0;

	assert_int_equal(pread(fd, &word, sizeof(word), (off_t)offset), sizeof(word));
	return word;
}

static void both_ends_of_64_gib_are_the_files(void **state)
{
	const uint64_t first = UINT64_C(0x1111222233334444), last = UINT64_C(0x5555666677778888);
	struct fl_window_opts opts = FL_WINDOW_OPTS_INIT;
	struct fl_diag diag = {0};
	struct rig *rig = *state;

	vm_kernel_write(rig->kernel, vm_far_guest_start, vm_far_guest_end);
	opts.name = "far";
	opts.fd = memfd_create("far", MFD_CLOEXEC);
	opts.gpa = FAR_GPA;
	opts.len = FAR_LEN;
	assert_int_equal(pwrite(opts.fd, &first, sizeof(first), 0), sizeof(first));
	assert_int_equal(pwrite(opts.fd, &last, sizeof(last), (off_t)(FAR_LEN - 8)), sizeof(last));
	make_vm(rig, 64 * MIB, FL_FAULT_MODE_STRICT);
	if (fl_vm_add_window(rig->vm, &opts, &diag)) {
		close(opts.fd);
		if (!strstr(diag.text, "last address"))
			fail_msg("%s", diag.text);
		printf("# skipped: the guest's physical addresses end below 128 GiB here\n");
		skip();
	}
	assert_int_equal(run(rig), FL_END_POWEROFF);
	assert_int_equal(word_at(rig, RESULTS_GPA), first);
	assert_int_equal(word_at(rig, RESULTS_GPA + 8), last);
	assert_int_equal(file_word(opts.fd, 8), WRITTEN);
	assert_int_equal(file_word(opts.fd, FAR_LEN - 16), WRITTEN);
	assert_int_equal(word_at(rig, FAR_GPA + FAR_LEN - 8), last);
	close(opts.fd);
}

/* Which is mounted where only the agent would care. */
static int add_share(struct rig *rig, unsigned int number, uint64_t window_len, struct fl_diag *diag)
{
	struct fl_share_opts opts = FL_SHARE_OPTS_INIT;
	char tag[16], mount[16];

	snprintf(tag, sizeof(tag), "tag%u", number);
	snprintf(mount, sizeof(mount), "/mnt%u", number);
	opts.tag = tag;
	opts.mount = mount;
	opts.dir = "/tmp";
	opts.window_len = window_len;
	return fl_vm_add_share(rig->vm, &opts, diag);
}

static void add_plain_window(struct rig *rig, int fd)
{
	struct fl_window_opts opts = FL_WINDOW_OPTS_INIT;

	opts.name = "plain";
	opts.fd = fd;
	opts.gpa = 128 * MIB; /* vm_guest.S reads it */
	opts.len = 2 * MIB;
	assert_int_equal(fl_vm_add_window(rig->vm, &opts, NULL), 0);
}

static void as_many_shares_as_there_may_be_have_windows(void **state)
{
	struct fl_counters counters = {.size = sizeof(counters)};
	struct fl_diag diag = {0};
	struct rig *rig = *state;
	int fd = memfd_create("plain", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, 2 * MIB), 0);
	vm_kernel_write(rig->kernel, vm_guest_start, vm_guest_end);
	make_vm(rig, 128 * MIB, FL_FAULT_MODE_AUTO);
	add_plain_window(rig, fd);
	close(fd);
	for (unsigned int i = 0; i < SHARES_MAX; i++)
		if (add_share(rig, i, (64 + 2 * i) * MIB, &diag))
			fail_msg("%s", diag.text);
	assert_int_equal(add_share(rig, SHARES_MAX, 64 * MIB, &diag), -ENOSPC);
	assert_int_equal(run(rig), FL_END_POWEROFF);
	for (unsigned int i = 0; i < SHARES_MAX; i++) {
		char tag[16];

		snprintf(tag, sizeof(tag), "tag%u", i);
		assert_int_equal(fl_vm_get_counters(rig->vm, tag, &counters), 0);
		assert_int_equal(counters.window_ranges, 32 + i);
		assert_int_equal(counters.window_ranges_mapped, 0);
	}
	assert_int_equal(fl_vm_get_counters(rig->vm, NULL, &counters), 0);
	assert_int_equal(counters.window_ranges, SHARES_MAX * 32 + SHARES_MAX * (SHARES_MAX - 1) / 2);
	assert_string_equal(rig->warnings, "");
	assert_int_equal(rig->reports, SHARES_MAX);
}

static uint64_t map_count_max(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	uint64_t count = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%" SCNu64, &count), 1);
	fclose(file);
	return count;
}

static void too_many_mappings_are_warned_of(void **state)
{
	const unsigned int shares = 3;
	struct fl_diag diag = {0};
	struct rig *rig = *state;
	int fd = memfd_create("plain", MFD_CLOEXEC);

	if (map_count_max() >= shares * FAR_LEN / (2 * MIB)) {
		close(fd);
		printf("# skipped: vm.max_map_count is too large here\n");
		skip();
	}
	assert_int_equal(ftruncate(fd, 2 * MIB), 0);
	vm_kernel_write(rig->kernel, vm_guest_start, vm_guest_end);
	make_vm(rig, 8 * GIB, FL_FAULT_MODE_STRICT);
	close(fd);
	for (unsigned int i = 0; i < shares; i++)
		if (add_share(rig, i, FAR_LEN, &diag))
			fail_msg("%s", diag.text);
	if (fl_vm_start(rig->vm, &diag)) {
		assert_non_null(strstr(diag.text, "physical addresses"));
		printf("# skipped: %u windows of 64 GiB have no place here\n", shares);
		skip();
	}
	assert_non_null(strstr(rig->warnings, "vm.max_map_count"));
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	fl_vm_free(rig->vm);
	unlink(rig->kernel);
	free(rig);
	return 0;
}

#define WINDOWS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	WINDOWS_TEST(both_ends_of_64_gib_are_the_files),
	WINDOWS_TEST(as_many_shares_as_there_may_be_have_windows),
	WINDOWS_TEST(too_many_mappings_are_warned_of),
};

FL_TEST_MAIN(90, tests)
