/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generated instructions of tests/native at CPL 3 of a guest: the record that the guest finds names the address
 * and the direction that the CPU named when the same instruction was run in this process, at the same linear addresses.
 *
 * "Refused": a KVM that emulates the instruction and does not know it makes it #UD for CPL 3 (or #PF, where reading the
 * operand fails) and does not return, see handle_emulation_failure(): there is nothing to locate.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tests/kvm/mini_vm.h"
#include "tests/native/native_world.h"

#define SEED		UINT64_C(20240229)
#define EVERY		14u		     /* of the cases that the guest can have */
#define GVA_LOW		UINT64_C(0x40000000) /* a second view of the window, below 2 GiB */
#define PAGE_LARGE	UINT64_C(0x87)	     /* present, writable, user, 2 MiB */
#define TABLE_LOW	5u		     /* the first page table that mini_vm leaves free */
#define CR4_XSAVE	(1u << 18)
#define XCR0		UINT64_C(0xe7)
#define SHOWN_MAX	30u
#define AREA_MAX	16384u
#define SELECTOR_KERNEL 0x10u
#define VECTOR_UD	6u
#define VECTOR_PF	14u
#define VECTOR_NP	11u
#define NOP		0x90
#define LEAD		8u /* NOPs between the handler's IRET, which software KVMs emulate, and the instruction */
#define XSAVE_BV	512u

/* What the handler of mini_guest.S has pushed, lowest address first. */
struct frame {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct expected {
	size_t number;
	enum insn_end end;
	enum fl_access access;
	uint64_t address;
};

struct tally {
	unsigned int cases, faults, within, quiet, refused, wrong;
};

struct comparison {
	struct insn_world world;
	struct insn_specs specs;
	struct expected *expected;
	size_t count, next;
	uint8_t *good; /* the file's pages */
	struct insn_case running;
	struct tally tally[CLASS_COUNT];
	unsigned int shown;
	bool failed;
};

/* ---- in this process ---- */

/* What would break the handler of the mini guest, or needs state that the guest has not got. */
static bool is_for_guest(const struct insn_spec *spec)
{
	const struct insn_form *form = insn_form_at(spec->form);

	/* software KVMs go on emulating behind the handler's IRET, and a fetch that fails there is #UD for the guest */
	if (spec->fetch)
		return false;
	/* a call lands in the NOPs and comes by again */
	if (form->flags & F_TARGET)
		return false;
	if (spec->bits != BITS_64 || spec->read_only || form->class == CLASS_AMX)
		return false;
	if (strstr(form->name, "gs") && (form->class == CLASS_STACK || form->class == CLASS_BRANCH))
		return false;
	/* all components: the guest has fewer */
	return !(form->flags & F_XSAVE) || spec->variant % 11 != 0;
}

static void run_native(struct comparison *c, struct native_run *run)
{
	size_t suitable = 0;

	for (size_t i = 0; i < c->specs.count; i++) {
		struct insn_outcome outcome;
		struct insn_case one;

		if (!is_for_guest(&c->specs.item[i]) || suitable++ % EVERY ||
		    !insn_case_make(&c->world, &c->specs.item[i], SEED, i, &one))
			continue;
		native_prepare(&c->world, &one);
		native_insn(run, &one.state, &outcome);
		c->expected[c->count++] = (struct expected){i, outcome.end, outcome.access, outcome.address};
	}
}

/* ---- in the guest ---- */

static struct frame *guest_frame(struct mini_vm *vm)
{
	struct kvm_regs regs;

	assert_int_equal(ioctl(fl_vcpu_fd(vm->vcpus[0]), KVM_GET_REGS, &regs), 0);
	assert_true(regs.rsp < MINI_RAM_LEN - sizeof(struct frame));
	return (struct frame *)(void *)(vm->ram.hva + regs.rsp);
}

static void put_registers(struct frame *f, const struct insn_state *s)
{
	const uint64_t *g = s->gpr;

	f->rax = g[RAX], f->rbx = g[RBX], f->rcx = g[RCX], f->rdx = g[RDX];
	f->rsi = g[RSI], f->rdi = g[RDI], f->rbp = g[RBP], f->rsp = g[RSP];
	f->r8 = g[R8], f->r9 = g[R9], f->r10 = g[R10], f->r11 = g[R11];
	f->r12 = g[R12], f->r13 = g[R13], f->r14 = g[R14], f->r15 = g[R15];
	f->rip = s->rip;
	f->rflags = s->rflags;
}

static void put_part(struct kvm_xsave *xsave, uint32_t at, const void *from, size_t len)
{
	if (at)
		memcpy((uint8_t *)xsave->region + at, from, len);
}

static void put_vectors(struct mini_vm *vm, const struct comparison *c, const struct insn_state *s)
{
	struct kvm_xsave xsave;
	uint64_t in_use = s->xinuse & XCR0;
	int fd = fl_vcpu_fd(vm->vcpus[0]);

	assert_int_equal(ioctl(fd, KVM_GET_XSAVE, &xsave), 0);
	put_part(&xsave, XSAVE_BV, &in_use, sizeof(in_use));
	for (unsigned int i = 0; i < 16; i++) {
		put_part(&xsave, 160 + i * 16, s->vectors.zmm[i], 16);
		put_part(&xsave, c->world.xsave.component[2].offset + i * 16, &s->vectors.zmm[i][16], 16);
		put_part(&xsave, c->world.xsave.component[6].offset + i * 32, &s->vectors.zmm[i][32], 32);
		put_part(&xsave, c->world.xsave.component[7].offset + i * 64, s->vectors.zmm[16 + i], 64);
	}
	put_part(&xsave, c->world.xsave.component[5].offset, s->vectors.k, sizeof(s->vectors.k));
	assert_int_equal(ioctl(fd, KVM_SET_XSAVE, &xsave), 0);
}

static void put_code(struct mini_vm *vm, const struct comparison *c, const struct insn_case *one)
{
	uint64_t good = c->world.arena[ARENA_LOW].start + NATIVE_LOST_LEN;

	/* not what earlier cases have left: bytes before the instruction could be taken for its prefixes */
	memset(vm->ram.hva + MINI_SCRATCH, NOP, FL_PAGE_LEN);
	for (size_t i = 0; i <= one->len; i++) {
		uint64_t at = one->state.rip + i;

		if (at - MINI_SCRATCH < FL_PAGE_LEN)
			vm->ram.hva[at] = one->bytes[i];
		else if (at - good < NATIVE_GOOD_LEN)
			c->good[at - good] = one->bytes[i];
	}
}

static void begin_next(struct mini_vm *vm, struct comparison *c, struct frame *frame)
{
	if (c->next == c->count || c->failed) {
		frame->rip = mini_code(mini_finish);
		frame->cs = SELECTOR_KERNEL;
		frame->ss = 0;
		frame->rsp = MINI_BLOCKS + MINI_STACK_TOP - 0x1000;
		return;
	}
	assert_true(insn_case_make(&c->world, &c->specs.item[c->expected[c->next].number], SEED,
				   c->expected[c->next].number, &c->running));
	memset(c->good, 0, NATIVE_GOOD_LEN);
	put_code(vm, c, &c->running);
	put_vectors(vm, c, &c->running.state);
	put_registers(frame, &c->running.state);
	frame->rip -= FL_MIN(frame->rip - MINI_SCRATCH, LEAD);
}

/* As in tests/native: where microcode checks an area, the CPU names a byte of its choice, the record the first one. */
static bool is_within(const struct comparison *c, const struct expected *want, const struct pvpf_record *record)
{
	return c->running.form->flags & F_AREA && record->gva < want->address &&
	       want->address - record->gva < AREA_MAX && native_is_lost(&c->world, record->gva, want->access);
}

/* Two reads that are both lost: an emulator need not begin with the one that the CPU begins with. */
static bool is_other_read(const struct comparison *c, const struct expected *want, const struct pvpf_record *record)
{
	return c->running.form->class == CLASS_STRING && c->running.form->len2 && want->access == FL_ACCESS_READ &&
	       native_is_lost(&c->world, record->gva, FL_ACCESS_READ);
}

static const char *judge(const struct comparison *c, const struct expected *want, const struct mini_log *log)
{
	const struct pvpf_record *record = &log->record;
	uint64_t window = record->gva >= MINI_WINDOW_GVA ? MINI_WINDOW_GVA : GVA_LOW;

	if (want->end != INSN_END_FAULT)
		return log->vector == VECTOR_NP && log->rip == c->running.state.rip ? "failed in the guest only" : NULL;
	if (log->vector != VECTOR_NP || log->rip != c->running.state.rip || !record->seq)
		return "no record";
	if (!(record->flags & 1))
		return "no linear address";
	if (record->gpa - MINI_WINDOW_GPA != record->gva - window)
		return "another physical address";
	if (record->gva != want->address && !is_within(c, want, record) && !is_other_read(c, want, record))
		return "another address";
	return record->access == want->access ? NULL : "another access";
}

static void show(const struct comparison *c, const struct expected *want, const struct mini_log *log,
		 const char *verdict)
{
	printf("# case %zu: %s %s: %s; CPU: end %u, %s at 0x%llx; guest: vector %llu, access %u at 0x%llx, rip 0x%llx of "
	       "0x%llx\n",
	       want->number, c->running.form->name, c->running.address->name, verdict, want->end,
	       fl_access_name(want->access), (unsigned long long)want->address, (unsigned long long)log->vector,
	       log->record.access, (unsigned long long)log->record.gva, (unsigned long long)log->rip,
	       (unsigned long long)c->running.state.rip);
}

static void finish(struct mini_vm *vm, struct comparison *c)
{
	unsigned int last = (unsigned int)mini_read64(vm, 0, MINI_COUNT) - 1;
	const struct mini_log *log = mini_entry(vm, 0, last % MINI_LOG_MAX);
	const struct expected *want = &c->expected[c->next];
	struct tally *tally = &c->tally[c->running.class];
	bool refused = (log->vector == VECTOR_UD || log->vector == VECTOR_PF) && log->rip == c->running.state.rip;
	const char *verdict = refused ? NULL : judge(c, want, log);

	tally->cases++;
	tally->refused += refused;
	tally->faults += want->end == INSN_END_FAULT;
	tally->quiet += want->end != INSN_END_FAULT;
	tally->within += !verdict && !refused && want->end == INSN_END_FAULT && log->record.gva != want->address;
	tally->wrong += verdict != NULL;
	if (verdict && c->shown++ < SHOWN_MAX)
		show(c, want, log, verdict);
	c->next++;
}

/* The first exception is that of the program that the guest was started with: now it gets what the process has. */
static void give_state(struct mini_vm *vm, struct comparison *c)
{
	int fd = fl_vcpu_fd(vm->vcpus[0]);
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = XCR0};
	struct kvm_sregs sregs;

	assert_int_equal(ioctl(fd, KVM_GET_SREGS, &sregs), 0);
	sregs.cr4 |= CR4_XSAVE;
	sregs.fs.base = c->world.fs_base;
	c->failed = ioctl(fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(fd, KVM_SET_XCRS, &xcrs) < 0;
	if (c->failed)
		printf("# the guest cannot have XCR0 0x%llx: %s\n", (unsigned long long)XCR0, strerror(errno));
}

static void on_exception(struct mini_vm *vm, unsigned int index)
{
	struct comparison *c = vm->arg;
	struct frame *frame = guest_frame(vm);

	(void)index;
	if (mini_read64(vm, 0, MINI_COUNT) == 1)
		give_state(vm, c);
	else
		finish(vm, c);
	begin_next(vm, c, frame);
}

/* Lost pages, then the file's first ones, then those behind its end; seen twice, below 2 GiB and above 4 GiB. */
static struct mini_vm *make_vm(struct comparison *c)
{
	static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};
	struct mini_vm *vm = mini_new(1, reflect);
	uint64_t *pdpt = (uint64_t *)(void *)(vm->ram.hva + MINI_TABLES + 0x1000);
	uint64_t *low = (uint64_t *)(void *)(vm->ram.hva + MINI_TABLES + TABLE_LOW * 0x1000);
	struct fl_backing *backing;

	pdpt[1] = (MINI_TABLES + TABLE_LOW * 0x1000) | 7;
	for (uint64_t i = 0; i < MINI_WINDOW_LEN / FL_RANGE_LEN; i++)
		low[i] = (MINI_WINDOW_GPA + i * FL_RANGE_LEN) | PAGE_LARGE;
	assert_int_equal(fl_backing_new(dup(vm->file), true, &backing), 0);
	assert_int_equal(fl_window_map(vm->window, FL_RANGE_LEN, FL_RANGE_LEN, backing, 0, true), 0);
	assert_int_equal(fl_window_unmap(vm->window, 0, FL_RANGE_LEN), 0);
	fl_backing_unref(backing);
	mini_truncate(vm, NATIVE_GOOD_LEN);
	c->good = mmap(NULL, NATIVE_GOOD_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, vm->file, 0);
	assert_ptr_not_equal(c->good, MAP_FAILED);
	/* #UD ends a program of mini_vm: here it is one more exception */
	memcpy(vm->ram.hva + MINI_IDT + VECTOR_UD * 16, vm->ram.hva + MINI_IDT + VECTOR_NP * 16, 16);
	*(uint16_t *)(void *)(vm->ram.hva + MINI_IDT + VECTOR_UD * 16) =
		(uint16_t)(mini_code(mini_stubs) + VECTOR_UD * MINI_STUB_LEN);
	vm->log.level = FL_LOG_ERROR;
	vm->on_exception = on_exception;
	vm->arg = c;
	return vm;
}

static unsigned int say_table(const struct comparison *c)
{
	struct tally sum = {0};

	printf("# %-26s %8s %8s %8s %8s %8s %8s\n", "class", "cases", "faults", "within", "quiet", "refused", "wrong");
	for (unsigned int i = 0; i < CLASS_COUNT; i++) {
		const struct tally *t = &c->tally[i];

		if (t->cases)
			printf("# %-26s %8u %8u %8u %8u %8u %8u\n", insn_class_name(i), t->cases, t->faults, t->within,
			       t->quiet, t->refused, t->wrong);
		sum.cases += t->cases;
		sum.faults += t->faults;
		sum.within += t->within;
		sum.quiet += t->quiet;
		sum.refused += t->refused;
		sum.wrong += t->wrong;
	}
	printf("# %-26s %8u %8u %8u %8u %8u %8u\n", "all", sum.cases, sum.faults, sum.within, sum.quiet, sum.refused,
	       sum.wrong);
	return sum.wrong;
}

/* A KVM that refuses everything has shown nothing. */
static unsigned int count_compared(const struct comparison *c)
{
	unsigned int compared = 0;

	for (unsigned int i = 0; i < CLASS_COUNT; i++)
		compared += c->tally[i].cases - c->tally[i].refused;
	return compared;
}

static void test_as_native(void **state)
{
	struct mini_start start = {
		.program = mini_read, .cpl = 3, .rbx = GVA_LOW, .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};
	struct comparison *c = calloc(1, sizeof(*c));
	struct native_run *run = native_new();
	struct mini_vm *vm;
	bool done;

	(void)state;
	assert_non_null(c);
	assert_non_null(run);
	assert_true(native_world_like(&c->world, MINI_SCRATCH, GVA_LOW + FL_RANGE_LEN, MINI_WINDOW_GVA + FL_RANGE_LEN,
				      MINI_BLOCKS));
	insn_specs_make(&c->world, &c->specs);
	c->expected = calloc(c->specs.count, sizeof(*c->expected));
	assert_non_null(c->expected);
	run_native(c, run);
	vm = make_vm(c);
	mini_start(vm, 0, &start);
	done = mini_wait(vm, 0);
	if (!done || c->next != c->count)
		printf("# it ended at case %zu (%zu of %zu): %s %s\n", c->expected[c->next].number, c->next, c->count,
		       c->running.form ? c->running.form->name : "", c->running.form ? c->running.address->name : "");
	assert_true(done);
	assert_int_equal(c->next, c->count);
	assert_int_equal(say_table(c), 0);
	assert_true(count_compared(c) > 500);
	munmap(c->good, NATIVE_GOOD_LEN);
	mini_free(vm);
	free(c->specs.item);
	free(c->expected);
	free(c);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_native)};

FL_TEST_MAIN(100, tests)
