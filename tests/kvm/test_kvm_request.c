/* SPDX-License-Identifier: Apache-2.0 */
/* PVPF_MSR_SUBSTITUTE (docs/abi.md): the guest asks for a private zero page, and what it is not given. */
#include "tests/lib/fl_test.h"

#include "tests/kvm/mini_vm.h"

#define BAD_OFFSET     UINT64_C(0x5123)
#define BAD_PAGE       UINT64_C(0x5000)
#define BAD_PFN	       ((MINI_WINDOW_GPA + BAD_PAGE) / 4096)
#define MSR_SUBSTITUTE UINT64_C(0x50564602)

#define STOP	   FL_ACTION_STOP
#define REFLECT	   FL_ACTION_REFLECT
#define SUBSTITUTE FL_ACTION_SUBSTITUTE

/* The guest's handler goes on behind the program. */
static void skip_program(struct mini_vm *vm, unsigned int index)
{
	mini_write64(vm, index, MINI_RESUME, mini_code(mini_done));
}

static struct mini_vm *vm_with_truncated_file(struct fl_policy policy)
{
	struct mini_vm *vm = mini_new(1, policy);

	mini_truncate(vm, BAD_PAGE);
	vm->on_exception = skip_program;
	return vm;
}

/* Writes pfn to the MSR, then reads the page that is lost; true: the MSR took it, and the page can be read. */
static bool request(struct mini_vm *vm, uint64_t pfn)
{
	const struct mini_start start = {.program = mini_wrmsr_read,
					 .rcx = MSR_SUBSTITUTE,
					 .rax = pfn & UINT32_MAX,
					 .rdx = pfn >> 32,
					 .rbx = mini_gva(BAD_OFFSET)};

	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	if (mini_read64(vm, 0, MINI_COUNT) == 0)
		return true;
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
	assert_int_equal(mini_entry(vm, 0, 0)->vector, 13);
	assert_int_equal(mini_entry(vm, 0, 0)->error, 0);
	assert_int_equal(mini_entry(vm, 0, 0)->rip, mini_code(mini_wrmsr_read));
	assert_int_equal(vm->faults, 0);
	return false;
}

static void test_request(void **state)
{
	struct mini_vm *vm = vm_with_truncated_file((struct fl_policy){{REFLECT, SUBSTITUTE, STOP}});
	struct fl_counters sum = {0};
	const struct fl_fault *fault = &vm->seen[0].fault;

	(void)state;
	assert_true(request(vm, BAD_PFN));
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), 0);
	assert_int_equal(vm->faults, 1);
	assert_int_equal(fault->outcome, FL_OUTCOME_SUBSTITUTED);
	assert_int_equal(fault->cause, FL_CAUSE_TRUNCATED);
	assert_int_equal(fault->access, FL_ACCESS_UNKNOWN);
	assert_int_equal(fault->flags, FL_FAULT_GPA_VALID | FL_FAULT_FILE_VALID);
	assert_int_equal(fault->gpa, BAD_PFN * 4096);
	assert_int_equal(fault->rip, mini_code(mini_wrmsr_read));
	assert_int_equal(fault->cpl, 0);
	assert_int_equal(fault->file_offset, BAD_PAGE);
	assert_string_equal(vm->seen[0].shape, "request");
	assert_true(fl_vcpu_add_counters(vm->vcpus[0], "share0", &sum));
	assert_int_equal(sum.faults, 1);
	assert_int_equal(sum.outcome[FL_OUTCOME_SUBSTITUTED], 1);
	mini_free(vm);
}

static void test_refused(void **state)
{
	static const struct {
		struct fl_policy policy;
		uint64_t pfn;
	} refused[] = {
		{{{REFLECT, STOP}}, BAD_PFN},				      /* not offered there */
		{{{REFLECT, STOP, SUBSTITUTE}}, BAD_PFN},		      /* nor behind a stop */
		{{{SUBSTITUTE}}, MINI_WINDOW_GPA / 4096},		      /* a healthy page */
		{{{SUBSTITUTE}}, (MINI_WINDOW_GPA + 0x300000) / 4096},	      /* where nothing is mapped */
		{{{SUBSTITUTE}}, MINI_SCRATCH / 4096},			      /* RAM */
		{{{SUBSTITUTE}}, (MINI_WINDOW_GPA + MINI_WINDOW_LEN) / 4096}, /* behind the window */
		{{{SUBSTITUTE}}, (UINT64_C(1) << 52) + BAD_PFN},	      /* wraps to the page */
		{{{SUBSTITUTE}}, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(refused); i++) {
		struct mini_vm *vm = vm_with_truncated_file(refused[i].policy);

		if (request(vm, refused[i].pfn))
			fail_msg("request %zu was granted", i);
		mini_free(vm);
	}
}

/* A store to a mapping that is read-only fails, but a page stands there: no guest gets rid of it in this way. */
static void test_read_only_page(void **state)
{
	struct mini_vm *vm = vm_with_truncated_file((struct fl_policy){{SUBSTITUTE}});
	struct fl_backing *backing;

	(void)state;
	assert_int_equal(fl_backing_new(dup(vm->file), false, &backing), 0);
	assert_int_equal(fl_window_map(vm->window, 0, FL_RANGE_LEN, backing, 0, false), 0);
	fl_backing_unref(backing);
	assert_false(request(vm, MINI_WINDOW_GPA / 4096));
	mini_free(vm);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_request),
	cmocka_unit_test(test_refused),
	cmocka_unit_test(test_read_only_page),
};

FL_TEST_MAIN(60, tests)
