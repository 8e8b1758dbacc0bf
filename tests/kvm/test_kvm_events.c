/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that meet other events: one that is being delivered waits for its turn and is never overwritten (SDM vol. 3,
 * 6.15 and 6.7: faults restart the instruction, each exception, interrupt and NMI is delivered once).
 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "tests/kvm/hostile.h"
#include "vcpu/host_probe.h"

#define IDT_OFFSET UINT64_C(0x1000)

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static void use_idt_in_window(struct mini_vm *vm, unsigned int index)
{
	int fd = fl_vcpu_fd(vm->vcpus[index]);
	struct kvm_sregs sregs;

	assert_int_equal(ioctl(fd, KVM_GET_SREGS, &sregs), 0);
	sregs.idt.base = mini_gva(IDT_OFFSET);
	assert_int_equal(ioctl(fd, KVM_SET_SREGS, &sregs), 0);
}

/* ---- an event whose delivery needs a lost page ---------------------------------------------- */

/* Software interrupts at CPL 3: software KVMs have none in their emulator, which runs their CPL 0. */
static void never_delivered(const uint8_t *program, unsigned int cpl)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {
		.program = program, .cpl = cpl, .r8 = 1, .pvpf_ctl = WITH_RECORDS, .before_run = use_idt_in_window};

	hostile_idt_in_file(vm, IDT_OFFSET);
	mini_truncate(vm, IDT_OFFSET);
	mini_start(vm, 0, &start);
	assert_false(mini_wait(vm, 0));
	assert_true(vm->end[0] == FL_VCPU_END_FAULT || vm->end[0] == FL_VCPU_END_SHUTDOWN);
	assert_true(strlen(vm->diag[0].text) > 0);
	if (vm->end[0] == FL_VCPU_END_FAULT)
		assert_int_equal(vm->seen[vm->faults - 1].fault.outcome, FL_OUTCOME_STOPPED);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 0);
	mini_free(vm);
}

static void test_lost_idt_ends_with_a_report(void **state)
{
	(void)state;
	never_delivered(mini_int3_loop, 3);
	never_delivered(mini_soft_interrupt_loop, 3);
	never_delivered(mini_self_ipi_loop, 0);
}

struct blinker {
	struct mini_vm *vm;
	struct fl_backing *backing;
	atomic_bool over;
	atomic_uint wrong;
};

/* The pages come and go, their contents stay. */
static void *blink(void *arg)
{
	struct blinker *blinker = arg;

	while (!atomic_load(&blinker->over)) {
		blinker->wrong += fl_window_unmap(blinker->vm->window, 0, FL_RANGE_LEN) != 0;
		blinker->wrong += fl_window_map(blinker->vm->window, 0, FL_RANGE_LEN, blinker->backing, 0, true) != 0;
		usleep(50);
	}
	return NULL;
}

/* The IDT is there only now and then: every event is delivered in the end, and once. */
static void delivered_in_the_end(const uint8_t *program, unsigned int cpl, uint64_t counter, unsigned int times)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {
		.program = program, .cpl = cpl, .r8 = times, .pvpf_ctl = WITH_RECORDS, .before_run = use_idt_in_window};
	struct blinker blinker = {.vm = vm};
	unsigned int reflected;
	pthread_t thread;

	hostile_idt_in_file(vm, IDT_OFFSET);
	assert_int_equal(fl_backing_new(fcntl(vm->file, F_DUPFD_CLOEXEC, 0), true, &blinker.backing), 0);
	assert_int_equal(pthread_create(&thread, NULL, blink, &blinker), 0);
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	atomic_store(&blinker.over, true);
	pthread_join(thread, NULL);
	fl_backing_unref(blinker.backing);
	assert_int_equal(blinker.wrong, 0);
	/* KVM takes INT3 and INT n back when they cannot be delivered; then it is the instruction that faults */
	reflected = hostile_count(vm, FL_OUTCOME_RECORD);
	print_message("# %u events, %u reports, %u of them reflected\n", times, vm->faults, reflected);
	assert_int_equal(mini_read64(vm, 0, counter), times + (counter == MINI_COUNT ? reflected : 0));
	mini_free(vm);
}

static void test_blinking_idt_loses_no_event(void **state)
{
	struct fl_host_report host = {.size = sizeof(host)};

	(void)state;
	assert_int_equal(fl_kvm_probe_host(&host, true), 0);
	if (strncmp(host.kvm, "PVM", 3) == 0) {
		/* seen as KVM_EXIT_SHUTDOWN in the test before */
		print_message("# skipped: this KVM reads the IDT itself and makes a triple fault of a lost one\n");
		skip();
	}
	delivered_in_the_end(mini_int3_loop, 3, MINI_COUNT, 300);
	delivered_in_the_end(mini_soft_interrupt_loop, 3, MINI_INTERRUPTS, 300);
	delivered_in_the_end(mini_self_ipi_loop, 0, MINI_INTERRUPTS, 300);
}

/* ---- NMI ------------------------------------------------------------------------------------ */

static void (*old_fault)(void *arg, const struct fl_fault *fault);

/* Between the decision and the entry: #NP is set to be injected, and now an NMI is pending too. */
static void nmi_after_delivery(void *arg, const struct fl_fault *fault)
{
	struct mini_vm *vm = arg;

	if (fault->id == 1)
		assert_int_equal(ioctl(fl_vcpu_fd(vm->vcpus[0]), KVM_NMI), 0);
	old_fault(arg, fault);
}

/*
 * The NMI can come into the handler of #NP, between its entry in the log and its port access, and be the last one then;
 * or before that entry is filled and counted, so that the one behind it is the only whole one.
 */
static void repair(struct mini_vm *vm, unsigned int index)
{
	(void)index;
	for (unsigned int i = 0; i < mini_read64(vm, 0, MINI_TAKEN) && i < MINI_LOG_MAX; i++)
		if (mini_read64(vm, 0, MINI_LOG + i * sizeof(struct mini_log) + offsetof(struct mini_log, vector)) ==
		    11) {
			mini_refill(vm);
			return;
		}
}

static struct mini_vm *vm_with_nmi(void)
{
	struct mini_vm *vm = mini_new(1, reflect);

	mini_truncate(vm, BAD_PAGE);
	vm->on_exception = repair;
	old_fault = vm->env.ops.fault;
	vm->env.ops.fault = nmi_after_delivery;
	return vm;
}

static void check_np(const struct mini_log *log, uint64_t rip, uint64_t offset, uint64_t seq)
{
	assert_int_equal(log->vector, 11);
	assert_int_equal(log->rip, rip);
	assert_int_equal(log->record.state, PVPF_RECORD_POSTED);
	assert_int_equal(log->record.rip, rip);
	assert_int_equal(log->record.gva, mini_gva(offset));
	assert_int_equal(log->record.seq, seq);
}

/* Not every KVM notices at once that NMIs are unmasked: one may come when the program is done, and the guest spins. */
static void wait_for_count(struct mini_vm *vm, uint64_t count)
{
	for (unsigned int i = 0; i < 5000 && mini_read64(vm, 0, MINI_COUNT) < count; i++)
		usleep(1000);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), count);
}

/* Both come, whichever is first. */
static void test_nmi_meets_a_fault(void **state)
{
	(void)state;
	for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
		struct mini_vm *vm = vm_with_nmi();
		struct mini_start start = {
			.program = mini_read, .cpl = cpl, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
		unsigned int nmi;

		mini_start(vm, 0, &start);
		assert_true(mini_wait(vm, 0));
		wait_for_count(vm, 2);
		nmi = mini_entry(vm, 0, 0)->vector == 2 ? 0 : 1;
		assert_int_equal(mini_entry(vm, 0, nmi)->vector, 2);
		check_np(mini_entry(vm, 0, 1 - nmi), mini_code(mini_read), BAD_OFFSET, 1);
		assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
		mini_free(vm);
	}
}

/* The NMI's handler touches a lost page before the first fault's record has been taken: that is what the stack is for.
 */
static void test_nmi_handler_that_faults_itself(void **state)
{
	struct mini_vm *vm = vm_with_nmi();
	struct mini_start start = {.program = mini_read,
				   .rbx = mini_gva(BAD_OFFSET),
				   .r8 = mini_gva(BAD_OFFSET + 0x1000),
				   .pvpf_ctl = WITH_RECORDS};

	(void)state;
	hostile_gate(vm, 2, mini_nmi_reads);
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	if (mini_read64(vm, 0, MINI_COUNT) == 2) {
		/* it came before the handler of #NP, or into it */
		unsigned int outer = mini_entry(vm, 0, 0)->rip == mini_code(mini_read) ? 0 : 1;

		check_np(mini_entry(vm, 0, 1 - outer), mini_code(mini_nmi_reads_insn), BAD_OFFSET + 0x1000, 2);
		check_np(mini_entry(vm, 0, outer), mini_code(mini_read), BAD_OFFSET, 1);
	} else {
		/* not every KVM lets the NMI in before the handler's first port access, which repairs */
		print_message("# the NMI came after the handler of #NP\n");
		assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
		check_np(mini_entry(vm, 0, 0), mini_code(mini_read), BAD_OFFSET, 1);
	}
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
	mini_free(vm);
}

static void wait_with_nmi(struct mini_vm *vm, unsigned int index)
{
	int fd = fl_vcpu_fd(vm->vcpus[index]);
	struct kvm_vcpu_events events;

	assert_int_equal(ioctl(fd, KVM_GET_VCPU_EVENTS, &events), 0);
	events.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
	events.nmi.masked = 1;
	events.nmi.pending = 1;
	assert_int_equal(ioctl(fd, KVM_SET_VCPU_EVENTS, &events), 0);
}

/*
 * In an NMI's handler, while another NMI waits for its end (SDM vol. 3A, 6.7.1): the exception does not have to wait
 * with it, which would be for ever. Its handler's IRET is what ends the masking.
 */
static void test_fault_while_a_masked_nmi_waits(void **state)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {.program = mini_read,
				   .rbx = mini_gva(BAD_OFFSET),
				   .pvpf_ctl = WITH_RECORDS,
				   .before_run = wait_with_nmi};

	(void)state;
	mini_truncate(vm, BAD_PAGE);
	vm->on_exception = repair;
	mini_start(vm, 0, &start);
	if (!mini_wait(vm, 0))
		fail_msg("%s", vm->diag[0].text);
	check_np(mini_entry(vm, 0, 0), mini_code(mini_read), BAD_OFFSET, 1);
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
	wait_for_count(vm, 2);
	assert_int_equal(mini_entry(vm, 0, 1)->vector, 2);
	mini_free(vm);
}

/* ---- traps and shadows ---------------------------------------------------------------------- */

static void repair_any(struct mini_vm *vm, unsigned int index)
{
	(void)index;
	mini_refill(vm);
}

static void set_trap_flag(struct mini_vm *vm, unsigned int index)
{
	int fd = fl_vcpu_fd(vm->vcpus[index]);
	struct kvm_regs regs;

	assert_int_equal(ioctl(fd, KVM_GET_REGS, &regs), 0);
	regs.rflags |= 0x100;
	assert_int_equal(ioctl(fd, KVM_SET_REGS, &regs), 0);
}

static void stop_stepping(struct mini_vm *vm, unsigned int index)
{
	if (mini_read64(vm, index, MINI_COUNT) == 2)
		fl_vcpu_request_stop(vm->vcpus[index]);
	else
		mini_refill(vm);
}

/* The fault comes before the instruction, the trap after it (SDM vol. 3, table 6-2). */
static void stepping_at(unsigned int cpl, const uint8_t *program, uint64_t rax)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {.program = program,
				   .cpl = cpl,
				   .rbx = mini_gva(BAD_OFFSET),
				   .rax = rax,
				   .pvpf_ctl = WITH_RECORDS,
				   .before_run = set_trap_flag};

	mini_truncate(vm, BAD_PAGE);
	vm->on_exception = stop_stepping;
	mini_start(vm, 0, &start);
	for (unsigned int i = 0; i < 2000 && mini_read64(vm, 0, MINI_COUNT) < 2; i++)
		usleep(10000);
	fl_vcpu_stop(vm->vcpus[0]);
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 2);
	check_np(mini_entry(vm, 0, 0), mini_code(program), BAD_OFFSET, 1);
	assert_true(mini_entry(vm, 0, 0)->rflags & 0x100);
	assert_int_equal(mini_entry(vm, 0, 1)->vector, 1);
	assert_int_equal(mini_entry(vm, 0, 1)->rip, mini_code(program) + 3);
	if (program == mini_read)
		assert_int_equal(mini_entry(vm, 0, 1)->rax, mini_pattern64(BAD_OFFSET));
	else
		assert_int_equal(mini_file64(vm, BAD_OFFSET), rax);
	mini_free(vm);
}

static void test_single_step(void **state)
{
	(void)state;
	stepping_at(3, mini_read, 5);
	stepping_at(0, mini_read, 5);
	stepping_at(3, mini_write, 0x998877);
	stepping_at(0, mini_write, 0x998877);
}

static void shadowed(const uint8_t *program, const uint8_t *insn, unsigned int cpl)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {
		.program = program, .cpl = cpl, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};

	mini_truncate(vm, BAD_PAGE);
	vm->on_exception = repair_any;
	mini_start(vm, 0, &start);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(mini_read64(vm, 0, MINI_COUNT), 1);
	check_np(mini_entry(vm, 0, 0), mini_code(insn), BAD_OFFSET, 1);
	assert_true(mini_entry(vm, 0, 0)->rflags & 0x200);
	assert_int_equal(mini_read64(vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
	mini_free(vm);
}

static void test_interrupt_shadows(void **state)
{
	(void)state;
	shadowed(mini_sti_read, mini_sti_read_insn, 0);
	shadowed(mini_mov_ss_read, mini_mov_ss_read_insn, 0);
	shadowed(mini_mov_ss_read, mini_mov_ss_read_insn, 3);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_lost_idt_ends_with_a_report),
	cmocka_unit_test(test_blinking_idt_loses_no_event),
	cmocka_unit_test(test_nmi_meets_a_fault),
	cmocka_unit_test(test_nmi_handler_that_faults_itself),
	cmocka_unit_test(test_fault_while_a_masked_nmi_waits),
	cmocka_unit_test(test_single_step),
	cmocka_unit_test(test_interrupt_shadows),
};

FL_TEST_MAIN(110, tests)
