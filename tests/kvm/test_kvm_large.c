/* SPDX-License-Identifier: Apache-2.0 */
/* Machines with more memory than lies below the devices, and with as many vCPUs as there can be. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "faultline/faultline.h"
#include "tests/kvm/vm_kernel.h"

#define GIB	    (UINT64_C(1) << 30)
#define GAP_START   (3 * GIB) /* layout.h: devices and nothing else up to 4 GiB */
#define ABOVE	    (4 * GIB)
#define RAM_LEN	    (5 * GIB) /* large_guest.S */
#define FIRST_WORD  UINT64_C(0x0123456789abcdef)
#define RESULTS_GPA UINT64_C(0x2000000) /* large_guest.S */
#define VCPUS	    64
#define HOST_MAX    (64 * GIB)

/* Labels of large_guest.S. */
extern const uint8_t above_guest_start[], above_guest_end[], cpus_guest_start[], cpus_guest_end[];

struct rig {
	char kernel[VM_KERNEL_PATH_LEN];
	struct fl_vm *vm;
	unsigned int warnings;
};

static void take_log(void *arg, enum fl_log_level level, const char *text)
{
	struct rig *rig = arg;

	printf("# %s\n", text);
	rig->warnings += level == FL_LOG_WARN && strstr(text, "more than this host has") != NULL;
}

static void run(struct rig *rig, const uint8_t *start, const uint8_t *end, const struct fl_vm_opts *wanted)
{
	struct fl_result result = {.size = sizeof(result)};
	struct fl_vm_opts opts = *wanted;
	struct fl_diag diag = {0};

	vm_kernel_write(rig->kernel, start, end);
	opts.kernel = rig->kernel;
	opts.initrd = "/dev/null";
	opts.log = take_log;
	opts.arg = rig;
	if (fl_vm_new(&opts, &rig->vm, &diag) || fl_vm_start(rig->vm, &diag))
		fail_msg("%s", diag.text);
	if (fl_vm_wait(rig->vm, 60000, &result)) {
		(void)!fl_vm_write_report(rig->vm, STDOUT_FILENO);
		fail_msg("the guest did not end");
	}
	assert_int_equal(result.end, FL_END_POWEROFF);
}

static uint64_t word_at(struct rig *rig, uint64_t gpa)
{
	uint64_t word = 0;

	assert_int_equal(fl_vm_read_memory(rig->vm, gpa, &word, sizeof(word)), 0);
	return word;
}

static void assert_nothing_at(struct rig *rig, uint64_t gpa)
{
	uint64_t word;

	assert_int_equal(fl_vm_read_memory(rig->vm, gpa, &word, sizeof(word)), -EFAULT);
}

static void memory_goes_on_above_the_devices(void **state)
{
	struct rig *rig = *state;
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_vm_info info = {.size = sizeof(info)};
	struct fl_region_info low = {.size = sizeof(low)}, high = {.size = sizeof(high)};

	opts.ram_len = RAM_LEN;
	run(rig, above_guest_start, above_guest_end, &opts);
	assert_int_equal(word_at(rig, ABOVE), FIRST_WORD);
	assert_int_equal(word_at(rig, ABOVE + 2 * GIB - 8), ~FIRST_WORD);
	assert_nothing_at(rig, ABOVE + 2 * GIB);
	assert_nothing_at(rig, GAP_START);
	assert_int_equal(word_at(rig, GAP_START - 8), 0);
	assert_int_equal(fl_vm_get_region(rig->vm, 0, &low), 0);
	assert_int_equal(fl_vm_get_region(rig->vm, 1, &high), 0);
	assert_string_equal(high.name, "ram");
	assert_int_equal(low.len, GAP_START);
	assert_int_equal(high.gpa, ABOVE);
	assert_int_equal(high.len, 2 * GIB);
	/* the host spends memory on what is touched alone */
	assert_int_equal(fl_vm_get_info(rig->vm, &info), 0);
	assert_int_equal(info.ram_len, RAM_LEN);
	assert_in_range(info.ram_host_len, 3 * 4096, 64 << 20);
}

static void sixty_four_vcpus_start(void **state)
{
	struct rig *rig = *state;
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_vcpu_info info = {.size = sizeof(info)};

	opts.vcpus = VCPUS;
	opts.fault_mode = FL_FAULT_MODE_WATCH; /* where those that wait take no CPU */
	opts.ram_len = 64 << 20;
	run(rig, cpus_guest_start, cpus_guest_end, &opts);
	assert_int_equal(word_at(rig, RESULTS_GPA), VCPUS - 1);
	for (uint32_t i = 0; i < VCPUS; i++) {
		assert_int_equal(fl_vm_get_vcpu(rig->vm, i, &info), 0);
		assert_int_equal(info.index, i);
	}
	assert_int_equal(fl_vm_get_vcpu(rig->vm, VCPUS, &info), -ENOENT);
}

/* A guest need not use all that it is given. */
static void more_memory_than_the_host_has_is_a_warning(void **state)
{
	struct rig *rig = *state;
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct sysinfo host;

	assert_int_equal(sysinfo(&host), 0);
	opts.ram_len = (((host.totalram + host.totalswap) * host.mem_unit) / GIB + 3) * GIB;
	if (opts.ram_len > HOST_MAX)
		SKIP_FOR("KVM's own tables for more memory than this host has would be large");
	run(rig, above_guest_start, above_guest_end, &opts);
	assert_int_equal(rig->warnings, 1);
}

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	fl_vm_free(rig->vm);
	if (rig->kernel[0])
		unlink(rig->kernel);
	free(rig);
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	CASE(memory_goes_on_above_the_devices),
	CASE(sixty_four_vcpus_start),
	CASE(more_memory_than_the_host_has_is_a_warning),
};

FL_TEST_MAIN(110, tests)
