/* SPDX-License-Identifier: Apache-2.0 */
/* What KVM_RUN's leavings mean. */
#include "tests/lib/fl_test.h"

#include "vcpu/intake.h"

#define RUN_LEN	   8192u
#define RAM_LEN	   UINT64_C(0x200000)
#define WINDOW_GPA UINT64_C(0x40000000)
#define RAM_HVA	   UINT64_C(0x700000000000)
#define WINDOW_HVA UINT64_C(0x710000000000)

static const struct fl_gpa_map map = {
	.count = 2,
	.regions =
		{
			{.kind = FL_REGION_RAM, .len = RAM_LEN, .hva = (uint8_t *)RAM_HVA, .name = "ram"},
			{.kind = FL_REGION_WINDOW,
			 .gpa = WINDOW_GPA,
			 .len = 0x400000,
			 .hva = (uint8_t *)WINDOW_HVA,
			 .name = "share"},
		},
};

/* One run page with its surroundings; on the heap so that sanitizers see overruns. */
static struct kvm_run *new_run(uint32_t reason)
{
	struct kvm_run *run = calloc(1, RUN_LEN);

	assert_non_null(run);
	run->exit_reason = reason;
	return run;
}

static struct fl_intake take(const struct kvm_run *run, int error)
{
	const struct fl_run_return ret = {.error = error, .run = run, .run_len = RUN_LEN};
	struct fl_intake in;

	fl_intake(&ret, &map, &in);
	return in;
}

/* The layout of KVM_EXIT_MEMORY_FAULT in Linux 6.8: flags, gpa, size, at offset 32 of struct kvm_run. */
static void set_memory_fault(struct kvm_run *run, uint64_t gpa)
{
	const uint64_t body[3] = {0, gpa, 4096};

	memcpy((uint8_t *)run + 32, body, sizeof(body));
}

static void test_bare_efault(void **state)
{
	struct kvm_run *run = new_run(0);
	struct fl_intake in;

	(void)state;
	set_memory_fault(run, WINDOW_GPA + 0x1000); /* stale bytes: the exit reason does not vouch for them */
	in = take(run, EFAULT);
	assert_int_equal(in.kind, FL_INTAKE_FAULT);
	assert_int_equal(in.shape, FL_SHAPE_EFAULT);
	assert_false(in.gpa_valid);
	assert_false(in.gpa_exact);
	free(run);
}

static void test_annotated(void **state)
{
	struct kvm_run *run = new_run(39);
	struct fl_intake in;

	(void)state;
	set_memory_fault(run, WINDOW_GPA + 0x1000);
	in = take(run, EFAULT);
	assert_int_equal(in.kind, FL_INTAKE_FAULT);
	assert_int_equal(in.shape, FL_SHAPE_ANNOTATED);
	assert_true(in.gpa_valid);
	assert_false(in.gpa_exact);
	assert_int_equal(in.gpa, WINDOW_GPA + 0x1000);
	in = take(run, EHWPOISON);
	assert_int_equal(in.shape, FL_SHAPE_ANNOTATED);
	set_memory_fault(run, 0x666000000000); /* outside everything: not believed */
	in = take(run, EFAULT);
	assert_int_equal(in.kind, FL_INTAKE_FAULT);
	assert_false(in.gpa_valid);
	free(run);
}

static void test_hwpoison(void **state)
{
	struct kvm_run *run = new_run(KVM_EXIT_INTR);
	struct fl_run_return ret = {.error = EINTR,
				    .run = run,
				    .run_len = RUN_LEN,
				    .mceerr = true,
				    .mceerr_address = (void *)(WINDOW_HVA + 0x3000)};
	struct fl_intake in;

	(void)state;
	fl_intake(&ret, &map, &in);
	assert_int_equal(in.kind, FL_INTAKE_FAULT);
	assert_int_equal(in.shape, FL_SHAPE_MCEERR);
	assert_true(in.gpa_valid);
	assert_int_equal(in.gpa, WINDOW_GPA + 0x3000);
	ret.mceerr_address = NULL;
	fl_intake(&ret, &map, &in);
	assert_int_equal(in.kind, FL_INTAKE_FAULT);
	assert_false(in.gpa_valid);
	in = take(run, EHWPOISON);
	assert_int_equal(in.shape, FL_SHAPE_MCEERR);
	free(run);
}

static void test_mmio(void **state)
{
	struct kvm_run *run = new_run(KVM_EXIT_MMIO);
	struct fl_intake in;

	(void)state;
	run->mmio.phys_addr = WINDOW_GPA + 0x1234;
	run->mmio.len = 4;
	run->mmio.is_write = 1;
	in = take(run, 0);
	assert_int_equal(in.kind, FL_INTAKE_FAULT);
	assert_int_equal(in.shape, FL_SHAPE_MMIO);
	assert_true(in.gpa_valid && in.gpa_exact);
	assert_int_equal(in.gpa, WINDOW_GPA + 0x1234);
	assert_int_equal(in.access, FL_ACCESS_WRITE);
	assert_int_equal(in.len, 4);
	run->mmio.phys_addr = RAM_LEN - 1; /* RAM, too, is no device */
	run->mmio.is_write = 0;
	in = take(run, 0);
	assert_int_equal(in.kind, FL_INTAKE_FAULT);
	assert_int_equal(in.access, FL_ACCESS_READ);
	run->mmio.phys_addr = RAM_LEN;
	run->mmio.len = 200;
	in = take(run, 0);
	assert_int_equal(in.kind, FL_INTAKE_MMIO);
	assert_int_equal(in.gpa, RAM_LEN);
	assert_int_equal(in.len, 8); /* there is no more room in mmio.data */
	free(run);
}

static void test_io(void **state)
{
	struct kvm_run *run = new_run(KVM_EXIT_IO);
	struct fl_intake in;

	(void)state;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.port = 0x3f8;
	run->io.size = 2;
	run->io.count = 5;
	run->io.data_offset = 4096;
	in = take(run, 0);
	assert_int_equal(in.kind, FL_INTAKE_IO);
	assert_true(in.write);
	assert_int_equal(in.port, 0x3f8);
	assert_int_equal(in.size, 2);
	assert_int_equal(in.count, 5);
	assert_int_equal(in.data_offset, 4096);
	run->io.direction = KVM_EXIT_IO_IN;
	run->io.data_offset = RUN_LEN - 10;
	assert_int_equal(take(run, 0).kind, FL_INTAKE_IO);
	assert_false(take(run, 0).write);
	run->io.data_offset = RUN_LEN - 9;
	assert_int_equal(take(run, 0).kind, FL_INTAKE_ERROR);
	run->io.data_offset = UINT64_MAX - 1;
	assert_int_equal(take(run, 0).kind, FL_INTAKE_ERROR);
	run->io.data_offset = 4096;
	run->io.count = UINT32_MAX;
	assert_int_equal(take(run, 0).kind, FL_INTAKE_ERROR);
	free(run);
}

static void test_msr(void **state)
{
	struct kvm_run *run = new_run(KVM_EXIT_X86_WRMSR);
	struct fl_intake in;

	(void)state;
	run->msr.index = 0x50564600;
	run->msr.data = 0x123401;
	in = take(run, 0);
	assert_int_equal(in.kind, FL_INTAKE_WRMSR);
	assert_int_equal(in.msr, 0x50564600);
	assert_int_equal(in.value, 0x123401);
	run->exit_reason = KVM_EXIT_X86_RDMSR;
	assert_int_equal(take(run, 0).kind, FL_INTAKE_RDMSR);
	free(run);
}

static void test_the_rest(void **state)
{
	static const struct {
		uint32_t reason;
		int error;
		enum fl_intake_kind kind;
	} table[] = {
		{KVM_EXIT_HLT, 0, FL_INTAKE_HLT},
		{KVM_EXIT_SHUTDOWN, 0, FL_INTAKE_SHUTDOWN},
		{KVM_EXIT_INTR, EINTR, FL_INTAKE_INTR},
		{0, EINTR, FL_INTAKE_INTR},
		{0, EAGAIN, FL_INTAKE_INTR},
		{0, ENOMEM, FL_INTAKE_ERROR},
		{0, 0, FL_INTAKE_ERROR},
		{KVM_EXIT_FAIL_ENTRY, 0, FL_INTAKE_ERROR},
		{KVM_EXIT_INTERNAL_ERROR, 0, FL_INTAKE_ERROR},
		{0xdeadbeef, 0, FL_INTAKE_ERROR},
	};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(table); i++) {
		struct kvm_run *run = new_run(table[i].reason);
		struct fl_intake in;

		run->internal.suberror = 3; /* KVM_INTERNAL_ERROR_DELIVERY_EV: no emulation */
		in = take(run, table[i].error);
		assert_int_equal(in.kind, table[i].kind);
		assert_int_equal(in.reason, table[i].reason);
		assert_int_equal(in.error, table[i].error);
		free(run);
	}
}

static void test_emulation_failure(void **state)
{
	struct kvm_run *run = new_run(KVM_EXIT_INTERNAL_ERROR);
	struct fl_intake in;

	(void)state;
	run->internal.suberror = 1; /* KVM_INTERNAL_ERROR_EMULATION */
	in = take(run, 0);
	assert_int_equal(in.kind, FL_INTAKE_FAULT);
	assert_int_equal(in.shape, FL_SHAPE_EMULATION);
	assert_false(in.gpa_valid);
	free(run);
}

/* The watchdog's suspicion counts only where KVM said nothing itself. */
static void test_stall(void **state)
{
	struct kvm_run *run = new_run(KVM_EXIT_INTR);
	struct fl_run_return ret = {.error = EINTR, .run = run, .run_len = RUN_LEN, .stalled = true};
	struct fl_intake in;

	(void)state;
	fl_intake(&ret, &map, &in);
	assert_int_equal(in.kind, FL_INTAKE_FAULT);
	assert_int_equal(in.shape, FL_SHAPE_STALL);
	assert_false(in.gpa_valid);
	ret.mceerr = true;
	ret.mceerr_address = (void *)(RAM_HVA + 0x5000);
	fl_intake(&ret, &map, &in);
	assert_int_equal(in.shape, FL_SHAPE_MCEERR);
	assert_int_equal(in.gpa, 0x5000);
	run->exit_reason = 0;
	ret = (struct fl_run_return){.error = EFAULT, .run = run, .run_len = RUN_LEN, .stalled = true};
	fl_intake(&ret, &map, &in);
	assert_int_equal(in.shape, FL_SHAPE_EFAULT);
	free(run);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(fl_shape_name(FL_SHAPE_EFAULT), "efault");
	assert_string_equal(fl_shape_name(FL_SHAPE_MMIO), "mmio");
	assert_string_equal(fl_shape_name(FL_SHAPE_ANNOTATED), "annotated");
	assert_string_equal(fl_shape_name(FL_SHAPE_MCEERR), "mceerr");
	assert_string_equal(fl_shape_name(FL_SHAPE_STALL), "stall");
	assert_string_equal(fl_shape_name((enum fl_shape)77), "?");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_bare_efault), cmocka_unit_test(test_annotated),
	cmocka_unit_test(test_hwpoison),    cmocka_unit_test(test_mmio),
	cmocka_unit_test(test_io),	    cmocka_unit_test(test_msr),
	cmocka_unit_test(test_the_rest),    cmocka_unit_test(test_emulation_failure),
	cmocka_unit_test(test_stall),	    cmocka_unit_test(test_names),
};

FL_TEST_MAIN(30, tests)
