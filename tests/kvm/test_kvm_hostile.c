/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests that do their worst with faults: they hurt themselves and nobody else, nothing spins, and whatever ends, ends
 * with a sentence.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "tests/kvm/hostile.h"

#define FLOOD	  10000u
#define PD_LINEAR UINT64_C(0x140000000)

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static void go_on_elsewhere(struct mini_vm *vm, unsigned int index)
{
	mini_write64(vm, index, MINI_RESUME, mini_code(mini_done));
}

/* ---- the stack of records ------------------------------------------------------------------ */

static void test_fault_in_the_handler_of_faults(void **state)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_vm *bystander = hostile_bystander();
	struct mini_start start = {.program = mini_read, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
	struct pvpf_record *records = (struct pvpf_record *)(void *)(mini_block(vm, 0) + MINI_AREA);

	(void)state;
	mini_truncate(vm, BAD_PAGE);
	hostile_gate(vm, 11, mini_greedy_np);
	mini_start(vm, 0, &start);
	assert_false(mini_wait(vm, 0));
	assert_int_equal(vm->end[0], FL_VCPU_END_FAULT);
	assert_non_null(strstr(vm->diag[0].text, "record"));
	assert_int_equal(vm->faults, PVPF_RECORDS + 1);
	for (unsigned int i = 0; i < PVPF_RECORDS; i++) {
		assert_int_equal(records[i].state, PVPF_RECORD_POSTED);
		assert_int_equal(records[i].seq, i + 1);
		assert_int_equal(records[i].rip, mini_code(i ? mini_greedy_np : mini_read));
		assert_int_equal(records[i].gva, mini_gva(BAD_OFFSET));
		assert_int_equal(vm->seen[i].fault.outcome, FL_OUTCOME_RECORD);
	}
	assert_int_equal(vm->seen[PVPF_RECORDS].fault.outcome, FL_OUTCOME_STOPPED);
	hostile_bystander_free(bystander);
	mini_free(vm);
}

static void step_on(struct mini_vm *vm, unsigned int index)
{
	bool first = mini_read64(vm, index, MINI_COUNT) == 1;

	mini_write64(vm, index, MINI_RESUME, mini_code(first ? mini_disable_read : mini_done));
}

static void test_disabled_between_two_faults(void **state)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {.program = mini_read_disable_read,
				   .rbx = mini_gva(BAD_OFFSET),
				   .rdi = MSR_CTL,
				   .pvpf_ctl = WITH_RECORDS};

	(void)state;
	mini_truncate(vm, BAD_PAGE);
	vm->on_exception = step_on;
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 2);
	assert_int_equal(mini_entry(vm, 0, 0)->record.state, PVPF_RECORD_POSTED);
	assert_int_equal(mini_entry(vm, 0, 1)->vector, 11);
	assert_int_equal(mini_entry(vm, 0, 1)->rip, mini_code(mini_disabled_read));
	assert_int_equal(mini_entry(vm, 0, 1)->record.state, PVPF_RECORD_FREE);
	assert_int_equal(vm->seen[0].fault.outcome, FL_OUTCOME_RECORD);
	assert_int_equal(vm->seen[1].fault.outcome, FL_OUTCOME_PLAIN);
	mini_free(vm);
}

/* ---- floods -------------------------------------------------------------------------------- */

struct line_count {
	atomic_uint lines, left_out;
};

static void count_line(void *arg, enum fl_log_level level, const char *text)
{
	struct line_count *count = arg;
	const char *more = strrchr(text, '(');
	unsigned int left_out;

	(void)level;
	if (strncmp(text, "fault ", 6) != 0)
		return;
	atomic_fetch_add(&count->lines, 1);
	if (more && sscanf(more, "(%u such lines left out)", &left_out) == 1)
		atomic_fetch_add(&count->left_out, left_out);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Every fault is delivered and counted; lines in the log are what is rationed, for the VM as a whole (5 a second). */
static void test_flood(void **state)
{
	struct mini_vm *vm = mini_new(3, reflect);
	struct mini_vm *bystander = hostile_bystander();
	struct mini_start counter = {.program = mini_count_loop, .cpl = 3};
	struct line_count count = {0};
	double began;

	(void)state;
	vm->log = (struct fl_log){.sink = count_line, .arg = &count, .level = FL_LOG_DEBUG};
	mini_truncate(vm, BAD_PAGE);
	hostile_gate(vm, 11, mini_lean_np);
	mini_start(vm, 2, &counter);
	began = now_s();
	for (unsigned int i = 0; i < 2; i++) {
		struct mini_start start = {.program = mini_read,
					   .cpl = 3,
					   .rbx = mini_gva(BAD_OFFSET),
					   .r8 = FLOOD,
					   .rdi = MINI_BLOCKS + i * MINI_BLOCK_LEN + MINI_AREA,
					   .pvpf_ctl = WITH_RECORDS};

		mini_start(vm, i, &start);
	}
	assert_true(hostile_goes_on(vm, 2));
	assert_true(hostile_goes_on(bystander, 0));
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(mini_wait(vm, i));
		assert_int_equal(mini_read64(vm, i, MINI_COUNT), FLOOD);
	}
	print_message("# %u faults on 2 vCPUs in %.1f s, %u lines\n", 2 * FLOOD, now_s() - began, count.lines);
	assert_int_equal(atomic_load(&vm->env.fault_count), 2 * FLOOD);
	assert_true(count.lines > 0);
	assert_true(count.lines <= 5 * (unsigned int)(now_s() - began + 2));
	/* what was not said is counted */
	assert_int_equal(count.lines + count.left_out + atomic_load(&vm->env.fault_lines.suppressed), 2 * FLOOD);
	assert_true(hostile_goes_on(vm, 2));
	mini_write64(vm, 2, MINI_STOP, 1);
	assert_true(mini_wait(vm, 2));
	hostile_bystander_free(bystander);
	mini_free(vm);
}

/* ---- areas where none should be ------------------------------------------------------------ */

/* The guest asks for records at the address, takes a fault, and lives with what that does to it. */
static void area_at(uint64_t area, const char *what)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_vm *bystander = hostile_bystander();
	uint64_t value = area | WITH_RECORDS;
	struct mini_start start = {.program = mini_wrmsr_read,
				   .rcx = MSR_CTL,
				   .rax = value & UINT32_MAX,
				   .rdx = value >> 32,
				   .rbx = mini_gva(BAD_OFFSET)};
	enum hostile_end end;

	mini_truncate(vm, BAD_PAGE);
	vm->on_exception = go_on_elsewhere;
	mini_start(vm, 0, &start);
	end = hostile_settle(vm, 0, 1500);
	print_message("# area over %s: end %u, %u faults\n", what, end, vm->faults);
	assert_true(vm->faults >= 1);
	if (end == HOSTILE_ENDED)
		assert_true(strlen(vm->diag[0].text) > 0);
	hostile_bystander_free(bystander);
	mini_free(vm);
}

static void test_area_over_what_the_guest_needs(void **state)
{
	(void)state;
	area_at(MINI_TABLES, "the page table's root");
	area_at(MINI_TABLES + 0x2000, "the page table of its RAM");
	area_at(MINI_CODE, "the handlers' code");
	area_at(MINI_IDT, "the first gates of the IDT");
	area_at(MINI_BLOCKS + MINI_TSS, "the TSS");
	area_at(MINI_BLOCKS + MINI_STACK_TOP - 0x100, "the stack of exceptions");
	area_at(MINI_RAM_LEN - PVPF_AREA_LEN, "the last bytes of RAM");
}

/* Two vCPUs get their records in the same place: some are mixed up, which is the guest's own doing. */
static void test_area_shared_by_two(void **state)
{
	struct mini_vm *vm = mini_new(2, reflect);
	struct mini_vm *bystander = hostile_bystander();

	(void)state;
	mini_truncate(vm, BAD_PAGE);
	hostile_gate(vm, 11, mini_lean_np);
	for (unsigned int i = 0; i < 2; i++) {
		struct mini_start start = {.program = mini_wrmsr_read,
					   .rcx = MSR_CTL,
					   .rax = (MINI_BLOCKS + MINI_AREA) | WITH_RECORDS,
					   .rbx = mini_gva(BAD_OFFSET),
					   .r8 = 1000,
					   .rdi = MINI_BLOCKS + MINI_AREA};

		mini_start(vm, i, &start);
	}
	for (unsigned int i = 0; i < 2; i++) {
		enum hostile_end end = hostile_settle(vm, i, 20000);

		print_message("# vCPU %u: end %u, %u exceptions\n", i, end,
			      (unsigned int)mini_read64(vm, i, MINI_COUNT));
		assert_true(end == HOSTILE_DONE || end == HOSTILE_ENDED);
		if (end == HOSTILE_ENDED)
			assert_non_null(strstr(vm->diag[i].text, "record"));
	}
	hostile_bystander_free(bystander);
	mini_free(vm);
}

/* Another vCPU writes all over the records while they are posted. */
static void test_area_rewritten_by_another(void **state)
{
	struct mini_vm *vm = mini_new(2, reflect);
	struct mini_vm *bystander = hostile_bystander();
	struct mini_start scribbler = {.program = mini_scribble, .rsi = MINI_BLOCKS + MINI_AREA};
	struct mini_start victim = {.program = mini_read,
				    .cpl = 3,
				    .rbx = mini_gva(BAD_OFFSET),
				    .r8 = 1000,
				    .rdi = MINI_BLOCKS + MINI_AREA,
				    .pvpf_ctl = WITH_RECORDS};
	enum hostile_end end;

	(void)state;
	mini_truncate(vm, BAD_PAGE);
	hostile_gate(vm, 11, mini_lean_np);
	mini_start(vm, 1, &scribbler);
	mini_start(vm, 0, &victim);
	end = hostile_settle(vm, 0, 20000);
	print_message("# end %u, %u faults\n", end, vm->faults);
	assert_true(end == HOSTILE_DONE || end == HOSTILE_ENDED);
	if (end == HOSTILE_ENDED)
		assert_non_null(strstr(vm->diag[0].text, "record"));
	assert_true(vm->faults > 0);
	mini_write64(vm, 1, MINI_STOP, 1);
	assert_true(mini_wait(vm, 1));
	hostile_bystander_free(bystander);
	mini_free(vm);
}

/* ---- a machine set up to fail --------------------------------------------------------------- */

static void no_idt(struct mini_vm *vm, unsigned int index)
{
	int fd = fl_vcpu_fd(vm->vcpus[index]);
	struct kvm_sregs sregs;

	assert_int_equal(ioctl(fd, KVM_GET_SREGS, &sregs), 0);
	sregs.idt.limit = 0;
	assert_int_equal(ioctl(fd, KVM_SET_SREGS, &sregs), 0);
}

static void test_fault_without_an_idt(void **state)
{
	(void)state;
	for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
		struct mini_vm *vm = mini_new(1, reflect);
		struct mini_start start = {.program = mini_read,
					   .cpl = cpl,
					   .rbx = mini_gva(BAD_OFFSET),
					   .pvpf_ctl = WITH_RECORDS,
					   .before_run = no_idt};

		mini_truncate(vm, BAD_PAGE);
		mini_start(vm, 0, &start);
		assert_false(mini_wait(vm, 0));
		assert_int_equal(vm->end[0], FL_VCPU_END_SHUTDOWN);
		assert_non_null(strstr(vm->diag[0].text, "triple fault"));
		mini_free(vm);
	}
}

static void set_place(struct mini_vm *vm, unsigned int index, uint64_t rip, uint64_t rsp)
{
	int fd = fl_vcpu_fd(vm->vcpus[index]);
	struct kvm_regs regs;

	assert_int_equal(ioctl(fd, KVM_GET_REGS, &regs), 0);
	regs.rip = rip;
	regs.rsp = rsp;
	assert_int_equal(ioctl(fd, KVM_SET_REGS, &regs), 0);
}

#define EDGE_PAGE  UINT64_C(0x7ffffffff000)
#define EDGE_FRAME UINT64_C(0x301000)

/* The last 3 bytes of the lower half: mov (%rbx),%rax; its next byte would not be canonical. */
static void run_at_the_edge(struct mini_vm *vm, unsigned int index)
{
	static const uint8_t load[] = {0x48, 0x8b, 0x03};

	hostile_table(vm, 0)[255] = (MINI_TABLES + 0x5000) | 7;
	hostile_table(vm, 5)[511] = (MINI_TABLES + 0x6000) | 7;
	hostile_table(vm, 6)[511] = (MINI_TABLES + 0x7000) | 7;
	hostile_table(vm, 7)[511] = EDGE_FRAME | 7;
	memcpy(vm->ram.hva + EDGE_FRAME + 0x1000 - sizeof(load), load, sizeof(load));
	set_place(vm, index, EDGE_PAGE + 0x1000 - sizeof(load), MINI_BLOCKS + MINI_USER_TOP);
}

static void test_instruction_at_the_edge_of_canonical_space(void **state)
{
	(void)state;
	for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
		struct mini_vm *vm = mini_new(1, reflect);
		struct mini_start start = {.program = mini_read,
					   .cpl = cpl,
					   .rbx = mini_gva(BAD_OFFSET),
					   .pvpf_ctl = WITH_RECORDS,
					   .before_run = run_at_the_edge};

		mini_truncate(vm, BAD_PAGE);
		vm->on_exception = go_on_elsewhere;
		mini_start(vm, 0, &start);
		assert_true(mini_wait(vm, 0));
		assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
		assert_int_equal(mini_entry(vm, 0, 0)->vector, 11);
		assert_int_equal(mini_entry(vm, 0, 0)->rip, EDGE_PAGE + 0xffd);
		assert_int_equal(mini_entry(vm, 0, 0)->record.gva, mini_gva(BAD_OFFSET));
		mini_free(vm);
	}
}

/* Code, stack and data in lost pages, all at once. */
static void all_in_the_window(struct mini_vm *vm, unsigned int index)
{
	set_place(vm, index, mini_gva(BAD_PAGE), mini_gva(BAD_PAGE + 0x1800));
}

static void test_everything_is_lost(void **state)
{
	(void)state;
	for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
		struct mini_vm *vm = mini_new(1, reflect);
		struct mini_start start = {.program = mini_read,
					   .cpl = cpl,
					   .rbx = mini_gva(BAD_OFFSET),
					   .pvpf_ctl = WITH_RECORDS,
					   .before_run = all_in_the_window};

		mini_truncate(vm, BAD_PAGE);
		vm->on_exception = go_on_elsewhere;
		mini_start(vm, 0, &start);
		if (cpl == 3) {
			/* the stack of CPL 0 is there: the guest hears of the first loss, which is the code's */
			assert_true(mini_wait(vm, 0));
			assert_int_equal(mini_entry(vm, 0, 0)->vector, 11);
			assert_int_equal(mini_entry(vm, 0, 0)->record.access, FL_ACCESS_FETCH);
			assert_int_equal(mini_entry(vm, 0, 0)->record.gva, mini_gva(BAD_PAGE));
		} else {
			assert_false(mini_wait(vm, 0));
			assert_true(strlen(vm->diag[0].text) > 0);
			assert_true(vm->end[0] == FL_VCPU_END_FAULT || vm->end[0] == FL_VCPU_END_SHUTDOWN);
		}
		mini_free(vm);
	}
}

/* ---- page tables in a window ----------------------------------------------------------------- */

/* What KVM makes of it differs (the CPU walks them, or KVM does); in any case it ends, or the guest hears of it. */
static void settle_tables(struct mini_vm *vm, const char *what)
{
	enum hostile_end end = hostile_settle(vm, 0, 5000);

	print_message("# %s: end %u, %u reports, %u exceptions (vector %u)\n", what, end, vm->faults,
		      (unsigned int)mini_read64(vm, 0, MINI_COUNT),
		      (unsigned int)mini_read64(vm, 0, MINI_LOG + 15 * 8));
	if (end == HOSTILE_ENDED)
		assert_true(strlen(vm->diag[0].text) > 0);
	else
		assert_int_equal(end, HOSTILE_DONE);
	mini_free(vm);
}

/* A linear address whose page directory lies in the file, at offset 0x5000. */
static void directory_in_file(struct mini_vm *vm)
{
	assert_int_equal(pwrite(vm->file, hostile_table(vm, 4), 0x1000, BAD_PAGE), 0x1000);
	hostile_table(vm, 1)[5] = (MINI_WINDOW_GPA + BAD_PAGE) | 7;
}

static void test_page_directory_in_a_window(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct mini_vm *vm = mini_new(1, reflect);
		struct mini_start start = {.program = i & 1 ? mini_write : mini_read,
					   .cpl = i & 2 ? 0 : 3,
					   .rbx = PD_LINEAR + 0x1000,
					   .pvpf_ctl = WITH_RECORDS};

		directory_in_file(vm);
		mini_truncate(vm, BAD_PAGE);
		vm->on_exception = go_on_elsewhere;
		mini_start(vm, 0, &start);
		settle_tables(vm, "a page directory");
	}
}

static void root_in_file(struct mini_vm *vm, unsigned int index)
{
	int fd = fl_vcpu_fd(vm->vcpus[index]);
	struct kvm_sregs sregs;

	assert_int_equal(ioctl(fd, KVM_GET_SREGS, &sregs), 0);
	sregs.cr3 = MINI_WINDOW_GPA + BAD_PAGE;
	assert_int_equal(ioctl(fd, KVM_SET_SREGS, &sregs), 0);
}

static void test_page_table_root_in_a_window(void **state)
{
	struct mini_vm *bystander = hostile_bystander();

	(void)state;
	for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
		struct mini_vm *vm = mini_new(1, reflect);
		struct mini_start start = {.program = mini_read,
					   .cpl = cpl,
					   .rbx = mini_gva(BAD_OFFSET),
					   .pvpf_ctl = WITH_RECORDS,
					   .before_run = root_in_file};

		mini_truncate(vm, BAD_PAGE);
		vm->on_exception = go_on_elsewhere;
		mini_start(vm, 0, &start);
		settle_tables(vm, "the root of the page tables");
	}
	hostile_bystander_free(bystander);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_fault_in_the_handler_of_faults),
	cmocka_unit_test(test_disabled_between_two_faults),
	cmocka_unit_test(test_flood),
	cmocka_unit_test(test_area_over_what_the_guest_needs),
	cmocka_unit_test(test_area_shared_by_two),
	cmocka_unit_test(test_area_rewritten_by_another),
	cmocka_unit_test(test_fault_without_an_idt),
	cmocka_unit_test(test_instruction_at_the_edge_of_canonical_space),
	cmocka_unit_test(test_everything_is_lost),
	cmocka_unit_test(test_page_directory_in_a_window),
	cmocka_unit_test(test_page_table_root_in_a_window),
};

FL_TEST_MAIN(110, tests)
