/* SPDX-License-Identifier: Apache-2.0 */
/* A truncated page, each kind of access, CPL 0 and CPL 3: what the guest sees, what the report says, and the repair. */
#include "tests/lib/fl_test.h"

#include <stdio.h>

#include "tests/kvm/mini_vm.h"

#define BAD_OFFSET UINT64_C(0x5123) /* in page 5 of the file */
#define BAD_PAGE   UINT64_C(0x5000)

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

/* The guest's handler waits: put the file back, and the instruction is run again. */
static void repair(struct mini_vm *vm, unsigned int index)
{
	(void)index;
	mini_refill(vm);
}

static struct mini_vm *vm_with_truncated_file(unsigned int vcpus)
{
	struct mini_vm *vm = mini_new(vcpus, reflect);

	mini_truncate(vm, BAD_PAGE);
	vm->on_exception = repair;
	return vm;
}

static void check_exception(const struct mini_log *log, unsigned int cpl, uint64_t rip)
{
	assert_int_equal(log->vector, 11);
	assert_int_equal(log->error, 0);
	assert_int_equal(log->rip, rip);
	assert_int_equal(log->cs, cpl == 3 ? 0x3b : 0x10);
	assert_int_equal(log->r15, 0x1515151515151515);
	assert_true(log->rflags & 0x200);
}

static void check_record(const struct mini_log *log, uint32_t access, uint64_t offset, uint64_t seq)
{
	assert_int_equal(log->record.cause, 1);
	assert_int_equal(log->record.access, access);
	assert_int_equal(log->record.flags, 1);
	assert_int_equal(log->record.gpa, MINI_WINDOW_GPA + offset);
	assert_int_equal(log->record.gva, MINI_WINDOW_GVA + offset);
	assert_int_equal(log->record.size, 0x1000 - (offset & 0xfff));
	assert_int_equal(log->record.seq, seq);
	assert_int_equal(log->record.rip, log->rip);
	assert_int_equal(log->record.reserved, 0);
}

static void check_report(const struct mini_seen *seen, enum fl_access access, unsigned int cpl, uint64_t offset)
{
	const struct fl_fault *fault = &seen->fault;

	assert_int_equal(fault->outcome, FL_OUTCOME_RECORD);
	assert_int_equal(fault->cause, FL_CAUSE_TRUNCATED);
	assert_int_equal(fault->access, access);
	assert_int_equal(fault->cpl, cpl);
	assert_int_equal(fault->flags, FL_FAULT_GPA_VALID | FL_FAULT_GVA_VALID | FL_FAULT_FILE_VALID);
	assert_int_equal(fault->gpa, MINI_WINDOW_GPA + offset);
	assert_int_equal(fault->gva, MINI_WINDOW_GVA + offset);
	assert_int_equal(fault->file_offset, offset);
	assert_int_equal(fault->file_len, BAD_PAGE);
	assert_string_equal(seen->share, "share0");
	assert_int_equal(fault->guest_seq, 1);
	assert_int_equal(fault->id, 1);
}

/* Runs one program whose first access fails; returns the VM for more checks. */
static struct mini_vm *run_one(struct mini_start start, uint64_t rip, enum fl_access access, uint64_t offset)
{
	struct mini_vm *vm = vm_with_truncated_file(1);

	start.pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0;
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
	check_exception(mini_entry(vm, 0, 0), start.cpl, rip);
	check_record(mini_entry(vm, 0, 0), access, offset, 1);
	assert_int_equal(vm->seen[vm->faults - 1].fault.outcome, FL_OUTCOME_RECORD);
	check_report(&vm->seen[0], access, start.cpl, offset);
	return vm;
}

static void read_at(unsigned int cpl)
{
	struct mini_start start = {.program = mini_read, .cpl = cpl, .rbx = mini_gva(BAD_OFFSET), .rax = 77};
	struct mini_vm *vm = run_one(start, mini_code(mini_read), FL_ACCESS_READ, BAD_OFFSET);

	assert_int_equal(mini_entry(vm, 0, 0)->rax, 77);
	assert_int_equal(mini_entry(vm, 0, 0)->rbx, mini_gva(BAD_OFFSET));
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
	mini_free(vm);
}

static void write_at(unsigned int cpl)
{
	struct mini_start start = {
		.program = mini_write, .cpl = cpl, .rbx = mini_gva(BAD_OFFSET), .rax = 0x1122334455667788};
	struct mini_vm *vm = run_one(start, mini_code(mini_write), FL_ACCESS_WRITE, BAD_OFFSET);

	assert_int_equal(mini_entry(vm, 0, 0)->rax, 0x1122334455667788);
	assert_int_equal(mini_file64(vm, BAD_OFFSET), 0x1122334455667788);
	assert_int_equal(mini_file64(vm, BAD_OFFSET + 8), mini_pattern64(BAD_OFFSET + 8));
	mini_free(vm);
}

static void atomic_at(unsigned int cpl)
{
	uint64_t offset = BAD_PAGE + 0x120;
	struct mini_start start = {.program = mini_atomic, .cpl = cpl, .rbx = mini_gva(offset)};
	struct mini_vm *vm = run_one(start, mini_code(mini_atomic), FL_ACCESS_WRITE, offset);

	assert_int_equal(mini_file64(vm, offset), mini_pattern64(offset) + 1);
	mini_free(vm);
}

/* The code to fetch is "jmp to mini_done" at the offset, once the file is back. */
static void repair_with_code(struct mini_vm *vm, unsigned int index)
{
	/* mov $imm32,%ecx; jmp *%rcx */
	uint8_t code[7] = {0xb9, 0, 0, 0, 0, 0xff, 0xe1};
	uint32_t target = (uint32_t)mini_code(mini_done);

	(void)index;
	mini_refill(vm);
	memcpy(code + 1, &target, sizeof(target));
	assert_int_equal(pwrite(vm->file, code, sizeof(code), BAD_OFFSET), sizeof(code));
}

static void fetch_at(unsigned int cpl)
{
	struct mini_start start = {.program = mini_fetch,
				   .cpl = cpl,
				   .rbx = mini_gva(BAD_OFFSET),
				   .rax = 5,
				   .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};
	struct mini_vm *vm = vm_with_truncated_file(1);

	vm->on_exception = repair_with_code;
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
	check_exception(mini_entry(vm, 0, 0), cpl, mini_gva(BAD_OFFSET));
	check_record(mini_entry(vm, 0, 0), FL_ACCESS_FETCH, BAD_OFFSET, 1);
	check_report(&vm->seen[0], FL_ACCESS_FETCH, cpl, BAD_OFFSET);
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), 5);
	mini_free(vm);
}

/* The load begins on the last good page: the failing byte is the first of the next one. */
static void crossing_at(unsigned int cpl)
{
	struct mini_start start = {.program = mini_read, .cpl = cpl, .rbx = mini_gva(BAD_PAGE - 3)};
	struct mini_vm *vm = run_one(start, mini_code(mini_read), FL_ACCESS_READ, BAD_PAGE);

	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(BAD_PAGE - 3));
	mini_free(vm);
}

/* From the good page into the bad one: the string instruction stops between iterations. */
static void rep_movsb_at(unsigned int cpl)
{
	struct mini_start start = {
		.program = mini_rep_movsb, .cpl = cpl, .rcx = 16, .rsi = mini_gva(BAD_PAGE - 10), .rdi = MINI_SCRATCH};
	struct mini_vm *vm = run_one(start, mini_code(mini_rep_movsb), FL_ACCESS_READ, BAD_PAGE);
	const struct mini_log *log = mini_entry(vm, 0, 0);

	assert_int_equal(log->rcx, 6);
	assert_int_equal(log->rsi, mini_gva(BAD_PAGE));
	assert_int_equal(log->rdi, MINI_SCRATCH + 10);
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT + 8), 0);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(vm->ram.hva[MINI_SCRATCH + i], mini_pattern(BAD_PAGE - 10 + i));
	mini_free(vm);
}

static void rep_stosl_at(unsigned int cpl)
{
	struct mini_start start = {
		.program = mini_rep_stosl, .cpl = cpl, .rcx = 4, .rdi = mini_gva(BAD_PAGE - 8), .rax = 0xabcdef01};
	struct mini_vm *vm = run_one(start, mini_code(mini_rep_stosl), FL_ACCESS_WRITE, BAD_PAGE);
	const struct mini_log *log = mini_entry(vm, 0, 0);

	assert_int_equal(log->rcx, 2);
	assert_int_equal(log->rdi, mini_gva(BAD_PAGE));
	assert_int_equal(mini_file64(vm, BAD_PAGE), 0xabcdef01abcdef01);
	mini_free(vm);
}

/* A copy whose source fails must not have touched its destination. */
static void check_scratch(struct mini_vm *vm, unsigned int index)
{
	(void)index;
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(vm->ram.hva[MINI_SCRATCH + i], 0x5a);
	mini_refill(vm);
}

static void movsq_at(unsigned int cpl)
{
	struct mini_start start = {.program = mini_movsq,
				   .cpl = cpl,
				   .rsi = mini_gva(BAD_OFFSET),
				   .rdi = MINI_SCRATCH,
				   .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};
	struct mini_vm *vm = vm_with_truncated_file(1);
	uint64_t copied;

	memset(vm->ram.hva + MINI_SCRATCH, 0x5a, 16);
	vm->on_exception = check_scratch;
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	check_exception(mini_entry(vm, 0, 0), cpl, mini_code(mini_movsq));
	check_record(mini_entry(vm, 0, 0), FL_ACCESS_READ, BAD_OFFSET, 1);
	assert_int_equal(mini_entry(vm, 0, 0)->rsi, mini_gva(BAD_OFFSET));
	assert_int_equal(mini_entry(vm, 0, 0)->rdi, MINI_SCRATCH);
	memcpy(&copied, vm->ram.hva + MINI_SCRATCH, sizeof(copied));
	assert_int_equal(copied, mini_pattern64(BAD_OFFSET));
	assert_int_equal(vm->ram.hva[MINI_SCRATCH + 8], 0x5a);
	mini_free(vm);
}

static void test_read(void **state)
{
	(void)state;
	read_at(3);
	read_at(0);
}

static void test_write(void **state)
{
	(void)state;
	write_at(3);
	write_at(0);
}

static void test_atomic(void **state)
{
	(void)state;
	atomic_at(3);
	atomic_at(0);
}

static void test_fetch(void **state)
{
	(void)state;
	fetch_at(3);
	fetch_at(0);
}

static void test_page_crossing(void **state)
{
	(void)state;
	crossing_at(3);
	crossing_at(0);
}

static void test_rep_movsb(void **state)
{
	(void)state;
	rep_movsb_at(3);
	rep_movsb_at(0);
}

static void test_rep_stosl(void **state)
{
	(void)state;
	rep_stosl_at(3);
	rep_stosl_at(0);
}

static void test_movsq(void **state)
{
	(void)state;
	movsq_at(3);
	movsq_at(0);
}

/* At CPL 3 only: at CPL 0 the exception's own frame would have to go onto the dead stack. */
static void test_push(void **state)
{
	struct mini_start start = {.program = mini_push, .cpl = 3, .rbx = mini_gva(BAD_PAGE + 0x108), .rax = 0x99};
	struct mini_vm *vm = run_one(start, mini_code(mini_push_insn), FL_ACCESS_WRITE, BAD_PAGE + 0x100);

	(void)state;
	assert_int_equal(mini_entry(vm, 0, 0)->rsp, mini_gva(BAD_PAGE + 0x108));
	assert_int_equal(mini_file64(vm, BAD_PAGE + 0x100), 0x99);
	mini_free(vm);
}

static void test_call(void **state)
{
	struct mini_start start = {.program = mini_call, .cpl = 3, .rbx = mini_gva(BAD_PAGE + 0x108)};
	struct mini_vm *vm = run_one(start, mini_code(mini_call_insn), FL_ACCESS_WRITE, BAD_PAGE + 0x100);

	(void)state;
	assert_int_equal(mini_file64(vm, BAD_PAGE + 0x100), mini_code(mini_call_insn) + 5);
	mini_free(vm);
}

/* Without PVPF at this privilege level: the exception alone. */
static void plain_at(unsigned int cpl, uint64_t ctl)
{
	struct mini_start start = {.program = mini_read, .cpl = cpl, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = ctl};
	struct mini_vm *vm = vm_with_truncated_file(1);
	static const struct pvpf_record none;

	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	check_exception(mini_entry(vm, 0, 0), cpl, mini_code(mini_read));
	assert_memory_equal(&mini_entry(vm, 0, 0)->record, &none, sizeof(none));
	assert_memory_equal(mini_block(vm, 0) + MINI_AREA, &none, sizeof(none));
	assert_int_equal(vm->seen[0].fault.outcome, FL_OUTCOME_PLAIN);
	assert_int_equal(vm->seen[0].fault.guest_seq, 0);
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
	mini_free(vm);
}

static void test_plain(void **state)
{
	(void)state;
	plain_at(0, PVPF_CTL_ENABLE);
	plain_at(0, 0);
	plain_at(3, 0);
}

/* All vCPUs touch the same page at once; each gets its own exception or finds the page back. */
static void several_at(unsigned int cpl)
{
	struct mini_vm *vm = vm_with_truncated_file(4);
	uint64_t exceptions = 0;

	for (unsigned int i = 0; i < 4; i++) {
		struct mini_start start = {.program = mini_read,
					   .cpl = cpl,
					   .rbx = mini_gva(BAD_OFFSET),
					   .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};

		mini_start(vm, i, &start);
	}
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t count;

		assert_true(mini_wait(vm, i));
		assert_int_equal(mini_read64(vm, i, MINI_RESULT), mini_pattern64(BAD_OFFSET));
		count = mini_read64(vm, i, MINI_COUNT);
		exceptions += count;
		for (unsigned int n = 0; n < count && n < MINI_LOG_MAX; n++) {
			check_exception(mini_entry(vm, i, n), cpl, mini_code(mini_read));
			check_record(mini_entry(vm, i, n), PVPF_ACCESS_READ, BAD_OFFSET, n + 1);
		}
	}
	assert_true(exceptions >= 1);
	printf("# %llu exceptions on 4 vCPUs\n", (unsigned long long)exceptions);
	mini_free(vm);
}

static void test_several(void **state)
{
	(void)state;
	several_at(3);
	several_at(0);
}

/* The handler returns without a repair 50 times, then repairs: each delivery is a full one, nothing spins. */
static void repair_at_last(struct mini_vm *vm, unsigned int index)
{
	if (mini_read64(vm, index, MINI_COUNT) == 50)
		mini_refill(vm);
}

static void repeated_at(unsigned int cpl)
{
	struct mini_start start = {.program = mini_read,
				   .cpl = cpl,
				   .rbx = mini_gva(BAD_OFFSET),
				   .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};
	struct mini_vm *vm = vm_with_truncated_file(1);
	uint64_t best = UINT64_MAX, sum = 0;

	vm->on_exception = repair_at_last;
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 50);
	for (unsigned int i = 0; i < 50; i++) {
		check_record(mini_entry(vm, 0, i), PVPF_ACCESS_READ, BAD_OFFSET, i + 1);
		assert_int_equal(vm->seen[i].fault.id, i + 1);
		assert_int_equal(vm->seen[i].fault.guest_seq, i + 1);
		best = FL_MIN(best, vm->seen[i].cost_ns);
		sum += vm->seen[i].cost_ns;
	}
	printf("# CPL %u: from KVM_RUN's return to injection: %llu us best, %llu us mean; round trip %llu us\n", cpl,
	       (unsigned long long)best / 1000, (unsigned long long)sum / 50000,
	       (unsigned long long)(vm->seen[49].fault.time_ns - vm->seen[0].fault.time_ns) / 49000);
	mini_free(vm);
}

static void test_repeated(void **state)
{
	(void)state;
	repeated_at(3);
	repeated_at(0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_read),	  cmocka_unit_test(test_write),		cmocka_unit_test(test_atomic),
	cmocka_unit_test(test_fetch),	  cmocka_unit_test(test_page_crossing), cmocka_unit_test(test_rep_movsb),
	cmocka_unit_test(test_rep_stosl), cmocka_unit_test(test_movsq),		cmocka_unit_test(test_push),
	cmocka_unit_test(test_call),	  cmocka_unit_test(test_plain),		cmocka_unit_test(test_several),
	cmocka_unit_test(test_repeated),
};

FL_TEST_MAIN(100, tests)
