/* SPDX-License-Identifier: Apache-2.0 */
/* What makes the watchdog suspect a vCPU, and how KVM's counters are found. */
#include "tests/lib/fl_test.h"

#include "vcpu/kvm_stats.h"
#include "vcpu/stall.h"

static void test_suspect(void **state)
{
	(void)state;
	/* nothing happened; the counter went back (a fault that the emulator gave the guest) */
	assert_false(fl_stall_suspect(0, 0, 50));
	assert_false(fl_stall_suspect(7, 7, 50));
	assert_false(fl_stall_suspect(100, 3, 50));
	assert_false(fl_stall_suspect(INT64_MAX, INT64_MIN, 50));
	/* one fault a timer tick of a guest with HZ=100: it waits for a disk */
	assert_false(fl_stall_suspect(1000, 1005, 50));
	/* the slowest livelock that was seen */
	assert_true(fl_stall_suspect(1000, 1360, 50));
	/* a tenth of it */
	assert_true(fl_stall_suspect(1000, 1036, 50));
	/* the rate counts, not the number */
	assert_false(fl_stall_suspect(1000, 1050, 1000));
	assert_true(fl_stall_suspect(-5, 3, 10));
	assert_false(fl_stall_suspect(-5, -4, 1));
	assert_true(fl_stall_suspect(INT64_MIN, INT64_MAX, 50));
}

static void test_look(void **state)
{
	struct kvm_regs here = {.rip = 0x401000, .rcx = 100, .rsi = 0x1000, .rdi = 0x2000};
	struct fl_look last = {0};

	(void)state;
	/* the first look has nothing to compare with */
	assert_false(fl_stall_look(&last, &here, 50));
	/* no fault since: it spins by itself */
	assert_false(fl_stall_look(&last, &here, 50));
	assert_true(fl_stall_look(&last, &here, 51));
	assert_true(fl_stall_look(&last, &here, 90));
	/* a repeated string instruction got on */
	here.rcx = 99;
	here.rsi++;
	assert_false(fl_stall_look(&last, &here, 95));
	assert_true(fl_stall_look(&last, &here, 96));
	/* RFLAGS.RF comes and goes with the way the vCPU was left */
	here.rflags = 0x10202;
	assert_true(fl_stall_look(&last, &here, 97));
	here.rip++;
	assert_false(fl_stall_look(&last, &here, 98));
	/* every register counts */
	for (size_t i = 0; i < offsetof(struct kvm_regs, rflags) / sizeof(uint64_t); i++) {
		uint64_t value;

		memcpy(&value, (char *)&here + i * sizeof(value), sizeof(value));
		value++;
		memcpy((char *)&here + i * sizeof(value), &value, sizeof(value));
		assert_false(fl_stall_look(&last, &here, 100 + (int64_t)i * 2));
		assert_true(fl_stall_look(&last, &here, 101 + (int64_t)i * 2));
	}
}

#define NAME_LEN 48
/* struct kvm_stats_desc of the kernel's uapi, with its name */
struct desc {
	uint32_t flags;
	int16_t exponent;
	uint16_t size;
	uint32_t offset, bucket_size;
	char name[NAME_LEN];
};

static void test_find(void **state)
{
	const struct kvm_stats_header header = {.name_size = NAME_LEN, .num_desc = 4, .data_offset = 0x1000};
	struct desc descs[] = {
		{.size = 1, .offset = 8, .name = "pf_taken_twice"},
		{.size = 20, .offset = 16, .name = "pf_taken"}, /* a histogram */
		{.size = 1, .offset = 24, .name = "pf_tak"},
		{.size = 1, .offset = 32, .name = "pf_taken"},
	};
	uint64_t offset = 0;

	(void)state;
	assert_int_equal(fl_kvm_stats_find(&header, descs, sizeof(descs), "pf_taken", &offset), 0);
	assert_int_equal(offset, 0x1020);
	assert_int_equal(fl_kvm_stats_find(&header, descs, sizeof(descs), "pf_fixed", &offset), -ENOENT);
	assert_int_equal(fl_kvm_stats_find(&header, descs, sizeof(descs) - 1, "pf_taken", &offset), -ENOENT);
	assert_int_equal(fl_kvm_stats_find(&header, descs, 0, "pf_taken", &offset), -ENOENT);
	assert_int_equal(fl_kvm_stats_find(&header, descs, 10, "pf_taken", &offset), -ENOENT);
	/* a name without an end */
	memset(descs[3].name, 'x', NAME_LEN);
	assert_int_equal(fl_kvm_stats_find(&header, descs, sizeof(descs), "pf_taken", &offset), -ENOENT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_suspect),
	cmocka_unit_test(test_look),
	cmocka_unit_test(test_find),
};

FL_TEST_MAIN(10, tests)
