/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM that is paused and looked at, by the public header alone. The guest (pause_guest.S) does nothing but what KVM
 * needs us to finish; each of its exits has an effect that can be counted.
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "faultline/faultline.h"
#include "tests/kvm/vm_kernel.h"

#define WINDOW_GPA  UINT64_C(0x8000000) /* pause_guest.S, as all that follows */
#define WINDOW_LEN  (UINT64_C(4) << 20)
#define RESULTS_GPA UINT64_C(0x2000000)
#define CODE_GPA    (VM_CODE_GPA + 0x200) /* boot.rst: the 64-bit entry point */
#define ROUND_BYTES 16u
#define WORD	    UINT64_C(0x0123456789abcdef)
#define PAGE	    4096u
#define FILE_LEN    (3 * PAGE)
#define RAM_LEN	    (UINT64_C(64) << 20)
#define PAUSES	    1000u
#define SECOND_NS   UINT64_C(1000000000)

struct rig {
	char kernel[VM_KERNEL_PATH_LEN];
	char file_path[VM_KERNEL_PATH_LEN];
	int file;
	struct fl_vm *vm;
	_Atomic uint64_t bytes; /* of the guest's, so far */
	_Atomic uint64_t wrong; /* of these, not what had to come next */
	_Atomic uint64_t faults;
	atomic_bool hold; /* decide() does not return */
	atomic_bool held; /* it is there */
	bool cuts;	  /* the console's output cuts the file */
	bool substitutes; /* decide() does not repair it */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void sleep_us(unsigned int us)
{
	const struct timespec wait = {.tv_nsec = (long)us * 1000};

	nanosleep(&wait, NULL);
}

/* The vCPU's thread: so the guest finds its second page gone. */
static void take_output(void *arg, const void *bytes, size_t len)
{
	struct rig *rig = arg;
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < len; i++)
		if (byte[i] != (uint8_t)atomic_fetch_add(&rig->bytes, 1))
			atomic_fetch_add(&rig->wrong, 1);
	if (rig->cuts)
		assert_int_equal(ftruncate(rig->file, PAGE), 0);
}

static void fill_file(const struct rig *rig)
{
	const uint64_t word = WORD;

	assert_int_equal(ftruncate(rig->file, FILE_LEN), 0);
	assert_int_equal(pwrite(rig->file, &word, sizeof(word), 8), sizeof(word));
	assert_int_equal(pwrite(rig->file, &word, sizeof(word), PAGE), sizeof(word));
}

static enum fl_action decide(void *arg, const struct fl_fault *fault)
{
	struct rig *rig = arg;

	assert_int_equal(fault->gpa, WINDOW_GPA + PAGE);
	atomic_store(&rig->held, true);
	while (atomic_load(&rig->hold))
		sleep_us(1000);
	atomic_store(&rig->held, false);
	if (rig->substitutes)
		return FL_ACTION_SUBSTITUTE;
	fill_file(rig);
	return FL_ACTION_RETRY;
}

static void note_fault(void *arg, const struct fl_fault *fault)
{
	struct rig *rig = arg;

	assert_int_equal(fault->outcome, rig->substitutes ? FL_OUTCOME_SUBSTITUTED : FL_OUTCOME_RETRIED);
	atomic_fetch_add(&rig->faults, 1);
}

static void make_vm(struct rig *rig)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_window_opts window = FL_WINDOW_OPTS_INIT;
	struct fl_diag diag = {0};

	opts.name = "pausing";
	opts.ram_len = RAM_LEN;
	opts.kernel = rig->kernel;
	opts.initrd = "/dev/null";
	opts.fault_mode = FL_FAULT_MODE_STRICT;
	opts.console = take_output;
	opts.decide = decide;
	opts.fault = note_fault;
	opts.arg = rig;
	if (fl_vm_new(&opts, &rig->vm, &diag))
		fail_msg("%s", diag.text);
	window.name = "file";
	window.fd = rig->file;
	window.gpa = WINDOW_GPA;
	window.len = WINDOW_LEN;
	window.policy = (struct fl_policy){{FL_ACTION_ASK, FL_ACTION_SUBSTITUTE}};
	if (fl_vm_add_window(rig->vm, &window, &diag))
		fail_msg("%s", diag.text);
}

static void start_vm(struct rig *rig)
{
	struct fl_diag diag = {0};

	make_vm(rig);
	if (fl_vm_start(rig->vm, &diag))
		fail_msg("%s", diag.text);
}

static uint64_t result_word(struct rig *rig, unsigned int index)
{
	uint64_t word = 0;

	assert_int_equal(fl_vm_read_memory(rig->vm, RESULTS_GPA + 8 * index, &word, sizeof(word)), 0);
	return word;
}

static uint64_t rounds_of(struct rig *rig)
{
	return result_word(rig, 0);
}

static void wait_for_rounds(struct rig *rig, uint64_t more)
{
	uint64_t enough = rounds_of(rig) + more, deadline = now_ns() + 20 * SECOND_NS;

	while (rounds_of(rig) < enough) {
		assert_true(now_ns() < deadline);
		sleep_us(100);
	}
}

static struct fl_vm_info info_of(struct rig *rig)
{
	struct fl_vm_info info = {.size = sizeof(info)};

	assert_int_equal(fl_vm_get_info(rig->vm, &info), 0);
	assert_int_equal(info.size, sizeof(info));
	return info;
}

static struct fl_vcpu_info vcpu_of(struct rig *rig)
{
	struct fl_vcpu_info info = {.size = sizeof(info)};

	assert_int_equal(fl_vm_get_vcpu(rig->vm, 0, &info), 0);
	return info;
}

/* The guest sees the word and powers off. All it has sent must have come, in order, and all it has read been right. */
static void end_guest(struct rig *rig)
{
	const uint64_t one = 1;
	struct fl_result result = {.size = sizeof(result)};

	assert_int_equal(pwrite(rig->file, &one, sizeof(one), 16), sizeof(one));
	assert_int_equal(fl_vm_wait(rig->vm, 20000, &result), 0);
	assert_int_equal(result.end, FL_END_POWEROFF);
	assert_int_equal(result_word(rig, 1), 0);
	assert_int_equal(atomic_load(&rig->wrong), 0);
	/* up to a line may be kept back until the VM is freed */
	assert_in_range(rounds_of(rig) * ROUND_BYTES - atomic_load(&rig->bytes), 0, 255);
}

static void nothing_is_lost_by_pauses(void **state)
{
	struct rig *rig = *state;
	struct fl_vm_info info;

	rig->cuts = true;
	start_vm(rig);
	for (unsigned int i = 0; i < PAUSES; i++) {
		uint64_t rounds, bytes, faults;

		assert_int_equal(fl_vm_pause(rig->vm), 0);
		rounds = rounds_of(rig);
		bytes = atomic_load(&rig->bytes);
		faults = atomic_load(&rig->faults);
		sleep_us(50);
		assert_int_equal(rounds_of(rig), rounds);
		assert_int_equal(atomic_load(&rig->bytes), bytes);
		assert_int_equal(atomic_load(&rig->faults), faults);
		assert_int_equal(info_of(rig).faults, faults);
		assert_int_equal(fl_vm_resume(rig->vm), 0);
		if (i % 8 == 0)
			wait_for_rounds(rig, 1 + i % 40);
	}
	wait_for_rounds(rig, 1000);
	end_guest(rig);
	info = info_of(rig);
	printf("# %llu rounds, %llu faults\n", (unsigned long long)rounds_of(rig), (unsigned long long)info.faults);
	/* the console callback, and with it a cut, comes with each line: 256 bytes */
	assert_in_range(info.faults, rounds_of(rig) / ROUND_BYTES - 2, rounds_of(rig) / ROUND_BYTES + 2);
	assert_true(info.faults > 50);
}

static void states_and_times_are_told(void **state)
{
	struct rig *rig = *state;
	struct fl_vm_info info;
	struct fl_vcpu_info vcpu = {.size = sizeof(vcpu)};
	uint64_t cpu_time_ns, exits;

	make_vm(rig);
	info = info_of(rig);
	assert_int_equal(info.state, FL_VM_NOT_STARTED);
	assert_string_equal(info.name, "pausing");
	assert_int_equal(fl_vm_get_vcpu(rig->vm, 0, &vcpu), -EINVAL);
	assert_int_equal(fl_vm_pause(rig->vm), -EINVAL);
	assert_int_equal(fl_vm_resume(rig->vm), -EINVAL);
	fl_vm_free(rig->vm);

	start_vm(rig);
	wait_for_rounds(rig, 100);
	info = info_of(rig);
	assert_int_equal(info.state, FL_VM_RUNNING);
	assert_int_equal(info.vcpus, 1);
	assert_int_equal(info.regions, 2);
	assert_int_equal(info.ram_len, RAM_LEN);
	assert_in_range(info.ram_host_len, PAGE, RAM_LEN);
	assert_int_equal(info.paused_ns, 0);
	vcpu = vcpu_of(rig);
	assert_in_range(vcpu.state, FL_VCPU_RUNNING, FL_VCPU_SERVED);
	assert_false(vcpu.flags & FL_VCPU_RIP_VALID);
	assert_true(vcpu.cpu_time_ns > 0);
	/* at the least one for each byte that is sent alone, one for the other fifteen, and four reads */
	assert_true(vcpu.exits >= 100 * 6);

	assert_int_equal(fl_vm_pause(rig->vm), 0);
	assert_int_equal(fl_vm_pause(rig->vm), 0);
	vcpu = vcpu_of(rig);
	cpu_time_ns = vcpu.cpu_time_ns;
	exits = vcpu.exits;
	sleep_us(200000);
	info = info_of(rig);
	vcpu = vcpu_of(rig);
	assert_int_equal(info.state, FL_VM_PAUSED);
	assert_in_range(info.paused_ns, SECOND_NS / 5, 20 * SECOND_NS);
	assert_true(info.uptime_ns > info.paused_ns);
	assert_int_equal(vcpu.state, FL_VCPU_PAUSED);
	assert_true(vcpu.flags & FL_VCPU_RIP_VALID);
	assert_in_range(vcpu.rip, CODE_GPA, CODE_GPA + (uint64_t)(pause_guest_end - pause_guest_start));
	assert_int_equal(vcpu.exits, exits);
	assert_in_range(vcpu.cpu_time_ns, cpu_time_ns, cpu_time_ns + SECOND_NS / 100);

	assert_int_equal(fl_vm_resume(rig->vm), 0);
	assert_int_equal(fl_vm_resume(rig->vm), 0);
	wait_for_rounds(rig, 10);
	end_guest(rig);
	info = info_of(rig);
	assert_int_equal(info.state, FL_VM_ENDED);
	sleep_us(10000);
	assert_int_equal(info_of(rig).uptime_ns, info.uptime_ns);
	assert_int_equal(vcpu_of(rig).state, FL_VCPU_NOT_RUNNING);
	assert_true(vcpu_of(rig).cpu_time_ns >= cpu_time_ns);
	assert_int_equal(fl_vm_pause(rig->vm), -ESHUTDOWN);
	assert_int_equal(fl_vm_resume(rig->vm), -ESHUTDOWN);
	assert_int_equal(fl_vm_get_vcpu(rig->vm, 1, &vcpu), -ENOENT);
}

/* Older headers know less of a structure, newer ones more. */
static void structures_may_be_of_another_size(void **state)
{
	struct rig *rig = *state;
	struct {
		struct fl_vm_info info;
		uint64_t more;
	} newer = {.info.size = sizeof(newer), .more = 7};
	struct fl_vm_info older = {.size = offsetof(struct fl_vm_info, ram_len), .ram_len = 7};

	start_vm(rig);
	assert_int_equal(fl_vm_get_info(rig->vm, &newer.info), 0);
	assert_int_equal(newer.info.size, sizeof(newer.info));
	assert_int_equal(newer.more, 7);
	assert_int_equal(fl_vm_get_info(rig->vm, &older), 0);
	assert_int_equal(older.state, FL_VM_RUNNING);
	assert_int_equal(older.ram_len, 7);
	older.size = 3;
	assert_int_equal(fl_vm_get_info(rig->vm, &older), -EINVAL);
}

static void wait_for_decide(struct rig *rig)
{
	uint64_t deadline = now_ns() + 20 * SECOND_NS;

	while (!atomic_load(&rig->held)) {
		assert_true(now_ns() < deadline);
		sleep_us(1000);
	}
}

/* The pause waits for a callback, but not for ever, and then it has not happened. */
static void a_slow_callback_is_waited_for(void **state)
{
	struct rig *rig = *state;
	uint64_t before;

	atomic_store(&rig->hold, true);
	assert_int_equal(ftruncate(rig->file, PAGE), 0);
	start_vm(rig);
	wait_for_decide(rig);
	assert_int_equal(vcpu_of(rig).state, FL_VCPU_IN_FAULT);
	before = now_ns();
	assert_int_equal(fl_vm_pause(rig->vm), -ETIMEDOUT);
	assert_in_range(now_ns() - before, 5 * SECOND_NS, 15 * SECOND_NS);
	assert_int_equal(info_of(rig).state, FL_VM_RUNNING);
	atomic_store(&rig->hold, false);
	wait_for_rounds(rig, 100);
	assert_int_equal(atomic_load(&rig->faults), 1);

	atomic_store(&rig->hold, true);
	assert_int_equal(ftruncate(rig->file, PAGE), 0);
	wait_for_decide(rig);
	atomic_store(&rig->hold, false);
	assert_int_equal(fl_vm_pause(rig->vm), 0);
	assert_int_equal(atomic_load(&rig->faults), 2);
	assert_int_equal(fl_vm_resume(rig->vm), 0);
	wait_for_rounds(rig, 100);
	end_guest(rig);
}

static void a_paused_vm_can_be_stopped_and_freed(void **state)
{
	struct rig *rig = *state;
	struct fl_result result = {.size = sizeof(result)};

	start_vm(rig);
	wait_for_rounds(rig, 1);
	assert_int_equal(fl_vm_pause(rig->vm), 0);
	assert_int_equal(fl_vm_wait(rig->vm, 50, &result), -ETIMEDOUT);
	fl_vm_stop(rig->vm);
	assert_int_equal(fl_vm_wait(rig->vm, 20000, &result), 0);
	assert_int_equal(result.end, FL_END_STOPPED);
	assert_int_equal(info_of(rig).state, FL_VM_ENDED);
	fl_vm_free(rig->vm);

	start_vm(rig);
	wait_for_rounds(rig, 1);
	assert_int_equal(fl_vm_pause(rig->vm), 0);
	/* and the rig frees this one as it is */
}

static char *report_of(struct rig *rig)
{
	int fd = memfd_create("report", MFD_CLOEXEC);
	off_t len;
	char *text;

	assert_int_equal(fl_vm_write_report(rig->vm, fd), 0);
	len = lseek(fd, 0, SEEK_END);
	text = calloc(1, (size_t)len + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)len, 0), len);
	close(fd);
	return text;
}

static void check_report(struct rig *rig, const char *state)
{
	char *text = report_of(rig);

	if (!strstr(text, state) || !strstr(text, "rbx 0000000002000000") || !strstr(text, rig->file_path))
		fail_msg("not all is in:\n%s", text);
	free(text);
}

static void a_report_can_be_had_at_any_time(void **state)
{
	struct rig *rig = *state;

	start_vm(rig);
	for (unsigned int i = 0; i < 100; i++) {
		wait_for_rounds(rig, 1 + i % 5);
		check_report(rig, "\nstate: running\n");
	}
	assert_int_equal(fl_vm_pause(rig->vm), 0);
	check_report(rig, "\nstate: paused\n");
	assert_int_equal(info_of(rig).state, FL_VM_PAUSED);
	assert_int_equal(vcpu_of(rig).state, FL_VCPU_PAUSED);
	assert_int_equal(fl_vm_resume(rig->vm), 0);
	wait_for_rounds(rig, 100);
	end_guest(rig);
	check_report(rig, "\nend: power off, code 0\n");
}

static void the_memory_map_is_told(void **state)
{
	struct rig *rig = *state;
	struct fl_region_info info = {.size = sizeof(info)};
	struct fl_share_info share = {.size = sizeof(share)};

	start_vm(rig);
	assert_int_equal(fl_vm_get_region(rig->vm, 0, &info), 0);
	assert_int_equal(info.type, FL_REGION_TYPE_RAM);
	assert_string_equal(info.name, "ram");
	assert_int_equal(info.gpa, 0);
	assert_int_equal(info.len, RAM_LEN);
	assert_int_equal(info.ranges, 0);
	info.size = sizeof(info);
	assert_int_equal(fl_vm_get_region(rig->vm, 1, &info), 0);
	assert_int_equal(info.type, FL_REGION_TYPE_WINDOW);
	assert_string_equal(info.name, "file");
	assert_null(info.dir);
	assert_int_equal(info.gpa, WINDOW_GPA);
	assert_int_equal(info.len, WINDOW_LEN);
	assert_int_equal(info.policy.action[0], FL_ACTION_ASK);
	assert_int_equal(info.policy.action[1], FL_ACTION_SUBSTITUTE);
	assert_int_equal(info.ranges, 2);
	assert_int_equal(info.ranges_mapped, 2);
	assert_int_equal(info.ranges_most, 2);
	assert_int_equal(fl_vm_get_region(rig->vm, 2, &info), -ENOENT);
	assert_int_equal(fl_vm_get_share(rig->vm, 0, &share), -ENOENT);
}

static void what_a_window_maps_is_told(void **state)
{
	struct rig *rig = *state;
	struct fl_mapping *mappings = calloc(3, sizeof(*mappings));
	struct stat st;
	uint64_t cursor = 0;

	assert_non_null(mappings);
	start_vm(rig);
	assert_int_equal(fstat(rig->file, &st), 0);
	mappings[0].size = sizeof(*mappings);
	assert_int_equal(fl_vm_read_mappings(rig->vm, 1, &cursor, mappings, 3), 1);
	assert_int_equal(cursor, WINDOW_LEN);
	assert_int_equal(mappings[0].size, sizeof(*mappings));
	assert_int_equal(mappings[0].flags, FL_MAPPING_WRITABLE);
	assert_int_equal(mappings[0].window_offset, 0);
	assert_int_equal(mappings[0].len, WINDOW_LEN);
	assert_int_equal(mappings[0].file_offset, 0);
	assert_int_equal(mappings[0].mapped_file_len, FILE_LEN);
	assert_int_equal(mappings[0].file_len, FILE_LEN);
	assert_int_equal(mappings[0].dev, st.st_dev);
	assert_int_equal(mappings[0].ino, st.st_ino);
	assert_string_equal(mappings[0].path, rig->file_path);
	assert_int_equal(fl_vm_read_mappings(rig->vm, 1, &cursor, mappings, 3), 0);

	cursor = 0; /* RAM */
	assert_int_equal(fl_vm_read_mappings(rig->vm, 0, &cursor, mappings, 3), 0);
	assert_int_equal(fl_vm_read_mappings(rig->vm, 2, &cursor, mappings, 3), -ENOENT);
	assert_int_equal(fl_vm_read_mappings(rig->vm, 1, &cursor, mappings, 0), -EINVAL);
	cursor = 1;
	assert_int_equal(fl_vm_read_mappings(rig->vm, 1, &cursor, mappings, 3), -EINVAL);
	cursor = UINT64_MAX - PAGE + 1;
	assert_int_equal(fl_vm_read_mappings(rig->vm, 1, &cursor, mappings, 3), 0);
	mappings[0].size = 8;
	cursor = 0;
	assert_int_equal(fl_vm_read_mappings(rig->vm, 1, &cursor, mappings, 3), -EINVAL);
	free(mappings);
}

/* The second page stands for the file's after this: three pieces, of which one is given at a time. */
static void mappings_come_piece_by_piece(void **state)
{
	struct rig *rig = *state;
	const struct {
		uint64_t offset, len;
		uint32_t flags;
	} wanted[] = {
		{0, PAGE, FL_MAPPING_WRITABLE},
		{PAGE, PAGE, FL_MAPPING_WRITABLE | FL_MAPPING_SUBSTITUTED},
		{2 * PAGE, WINDOW_LEN - 2 * PAGE, FL_MAPPING_WRITABLE},
	};
	struct fl_mapping *mapping = calloc(1, sizeof(*mapping));
	uint64_t cursor = 0;

	assert_non_null(mapping);
	mapping->size = sizeof(*mapping);
	rig->substitutes = true;
	assert_int_equal(ftruncate(rig->file, PAGE), 0);
	start_vm(rig);
	wait_for_rounds(rig, 2);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(fl_vm_read_mappings(rig->vm, 1, &cursor, mapping, 1), 1);
		assert_int_equal(mapping->window_offset, wanted[i].offset);
		assert_int_equal(mapping->len, wanted[i].len);
		assert_int_equal(mapping->file_offset, wanted[i].offset);
		assert_int_equal(mapping->flags, wanted[i].flags);
	}
	assert_int_equal(fl_vm_read_mappings(rig->vm, 1, &cursor, mapping, 1), 0);
	free(mapping);
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	vm_kernel_write(rig->kernel, pause_guest_start, pause_guest_end);
	strcpy(rig->file_path, "/tmp/fl-pause-file.XXXXXX");
	rig->file = mkostemp(rig->file_path, O_CLOEXEC);
	assert_true(rig->file >= 0);
	fill_file(rig);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	fl_vm_free(rig->vm);
	close(rig->file);
	unlink(rig->kernel);
	unlink(rig->file_path);
	free(rig);
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	CASE(nothing_is_lost_by_pauses),
	CASE(states_and_times_are_told),
	CASE(structures_may_be_of_another_size),
	CASE(a_slow_callback_is_waited_for),
	CASE(a_paused_vm_can_be_stopped_and_freed),
	CASE(a_report_can_be_had_at_any_time),
	CASE(the_memory_map_is_told),
	CASE(what_a_window_maps_is_told),
	CASE(mappings_come_piece_by_piece),
};

FL_TEST_MAIN(110, tests)
