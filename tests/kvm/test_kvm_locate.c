/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generated instructions of tests/native at CPL 3 of a guest: the record that the guest finds names the address
 * and the direction that the CPU named when the same instruction was run in this process, at the same linear addresses.
 *
 * It is done twice: with an RSP that user code can have, and with any (where it counts for nothing). PVM runs only the
 * former on the CPU and emulates the latter; for other KVMs there is no difference.
 *
 * Before each case its instruction is run on pages that are there. "Absent": that fails, too, with #UD or #PF: the
 * guest has not got the instruction, or KVM emulates and does not know it. "Refused": only the case itself does. A KVM
 * that emulates makes #UD of a fetch that fails at CPL 3, see handle_emulation_failure(), and does not return: there is
 * nothing to locate.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tests/kvm/insn_guest.h"

#define SEED  UINT64_C(20240229)
#define EVERY 7u /* of the cases that the guest can have */
/* two more views of the window, below 2 GiB and above 4 GiB: where sanitizers have nothing, too */
#define GVA_LOW	   UINT64_C(0x40000000)
#define GVA_HIGH   UINT64_C(0x7e9000000000)
#define PAGE_LARGE UINT64_C(0x87) /* present, writable, user, 2 MiB */
/* the first page tables that mini_vm leaves free */
#define TABLE_WINDOW	5u
#define TABLE_HIGH	6u
#define PAGE_TABLE	UINT64_C(0x07)
#define CR4_XSAVE	(1u << 18)
#define XCR0_WANTED	UINT64_C(0xe7)
#define SHOWN_MAX	30u
#define AREA_MAX	16384u
#define SELECTOR_KERNEL 0x10u
#define VECTOR_UD	6u
#define VECTOR_PF	14u
#define VECTOR_NP	11u
#define COMPARED_MIN	500u

struct expected {
	size_t number;
	bool healthy; /* the next one's instruction, where nothing is lost */
	unsigned int trap;
	enum insn_end end;
	enum fl_access access;
	uint64_t address;
};

struct tally {
	unsigned int cases, absent, refused, faults, within, quiet, wrong;
};

struct comparison {
	struct insn_world world;
	struct insn_guest guest;
	struct insn_specs specs;
	struct expected *expected;
	size_t count, next;
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

	/* QEMU reads elements that are not selected */
	if (form->class == CLASS_AVX_MASKED && insn_cpu_is_software())
		return false;
	if (spec->bits != BITS_64 || spec->read_only || form->class == CLASS_AMX)
		return false;
	if (strstr(form->name, "gs") && (form->class == CLASS_STACK || form->class == CLASS_BRANCH))
		return false;
	/* all components: the guest has fewer */
	return !(form->flags & F_XSAVE) || spec->variant % 11 != 0;
}

static bool make_case(const struct comparison *c, size_t number, bool healthy, struct insn_case *one)
{
	struct insn_spec spec = c->specs.item[number];

	if (healthy) {
		spec.place = spec.place2 = PLACE_GOOD;
		spec.fetch = false;
	}
	return insn_case_make(&c->world, &spec, SEED, number, one);
}

static bool expect(struct comparison *c, struct native_run *run, size_t number, bool healthy)
{
	struct insn_outcome outcome;
	struct insn_case one;

	if (!make_case(c, number, healthy, &one))
		return false;
	native_prepare(&c->world, &one);
	native_insn(run, &one.state, &outcome);
	c->expected[c->count++] = (struct expected){.number = number,
						    .healthy = healthy,
						    .trap = outcome.trap,
						    .end = outcome.end,
						    .access = outcome.access,
						    .address = outcome.address};
	return true;
}

static void run_native(struct comparison *c, struct native_run *run)
{
	size_t suitable = 0;

	for (size_t i = 0; i < c->specs.count; i++) {
		if (!is_for_guest(&c->specs.item[i]) || suitable++ % EVERY)
			continue;
		if (expect(c, run, i, true) && !expect(c, run, i, false))
			c->count--;
	}
}

/* ---- in the guest ---- */

static void begin_next(struct mini_vm *vm, struct comparison *c, struct insn_frame *frame)
{
	if (c->next == c->count || c->failed) {
		frame->rip = mini_code(mini_finish);
		frame->cs = SELECTOR_KERNEL;
		frame->ss = 0;
		frame->rsp = MINI_BLOCKS + MINI_STACK_TOP - 0x1000;
		return;
	}
	assert_true(make_case(c, c->expected[c->next].number, c->expected[c->next].healthy, &c->running));
	insn_guest_put(vm, &c->guest, &c->running, frame);
}

/*
 * As in tests/native: where microcode checks an area, the CPU names a byte of its choice, the record the first one.
 * QEMU moves the digits of FBLD and FBSTP beginning with the last.
 */
static bool is_within(const struct comparison *c, const struct expected *want, const struct pvpf_record *record)
{
	bool chooses = c->running.form->flags & F_AREA ||
		       (insn_cpu_is_software() && strncmp(c->running.form->name, "fb", 2) == 0);

	return chooses && record->gva < want->address && want->address - record->gva < AREA_MAX &&
	       native_is_lost(&c->world, record->gva, want->access);
}

/* Two reads that are both lost: an emulator need not begin with the one that the CPU begins with. */
static bool is_other_read(const struct comparison *c, const struct expected *want, const struct pvpf_record *record)
{
	return c->running.form->class == CLASS_STRING && c->running.form->len2 && want->access == FL_ACCESS_READ &&
	       native_is_lost(&c->world, record->gva, FL_ACCESS_READ);
}

/* QEMU loads what it modifies as a read, a CPU as a write. */
static bool is_same_access(const struct expected *want, const struct pvpf_record *record)
{
	return record->access == want->access ||
	       (record->access == FL_ACCESS_WRITE && want->access == FL_ACCESS_READ && insn_cpu_is_software());
}

/* KVM's emulator reads all of a selector's slot (em_ret_far()), the CPU its two bytes: the rest can be lost. */
static bool is_wide_slot(const struct comparison *c, const struct pvpf_record *record)
{
	return c->running.form->need == NEED_FAR && record->seq && record->access == FL_ACCESS_READ &&
	       native_is_lost(&c->world, record->gva, FL_ACCESS_READ);
}

static const char *judge(const struct comparison *c, const struct expected *want, const struct mini_log *log)
{
	const struct pvpf_record *record = &log->record;
	uint64_t window = record->gva >= GVA_HIGH ? GVA_HIGH : GVA_LOW;

	if (want->end != INSN_END_FAULT && is_wide_slot(c, record))
		return NULL;
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
	return is_same_access(want, record) ? NULL : "another access";
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

/* Only what both have done is counted as a fault or as quiet. */
static void count(const struct expected *want, const struct mini_log *log, const char *verdict, struct tally *tally)
{
	bool fault = want->end == INSN_END_FAULT;

	tally->faults += fault;
	tally->quiet += !fault;
	tally->within += fault && !verdict && log->record.gva != want->address;
	tally->wrong += verdict != NULL;
}

/* The case behind a healthy one is not tried. */
static void skip_absent(struct comparison *c)
{
	struct insn_case one;
	struct tally *tally;

	assert_true(make_case(c, c->expected[c->next++].number, false, &one));
	tally = &c->tally[one.class];
	tally->cases++;
	tally->absent++;
}

static void finish(struct mini_vm *vm, struct comparison *c)
{
	unsigned int last = (unsigned int)mini_read64(vm, 0, MINI_COUNT) - 1;
	const struct mini_log *log = mini_entry(vm, 0, last % MINI_LOG_MAX);
	const struct expected *want = &c->expected[c->next++];
	struct tally *tally = &c->tally[c->running.class];
	bool refused = (log->vector == VECTOR_UD || log->vector == VECTOR_PF) && log->rip == c->running.state.rip;
	const char *verdict;

	if (want->end == INSN_END_OTHER && log->vector == want->trap)
		refused = false;
	if (want->healthy) {
		if (refused)
			skip_absent(c);
		return;
	}
	tally->cases++;
	tally->refused += refused;
	if (refused)
		return;
	verdict = judge(c, want, log);
	count(want, log, verdict, tally);
	if (verdict && c->shown++ < SHOWN_MAX)
		show(c, want, log, verdict);
}

/* The first exception is that of the program that the guest was started with: now it gets what the process has. */
static void give_state(struct mini_vm *vm, struct comparison *c)
{
	int fd = fl_vcpu_fd(vm->vcpus[0]);
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = c->guest.xcr0};
	struct kvm_sregs sregs;

	assert_int_equal(ioctl(fd, KVM_GET_SREGS, &sregs), 0);
	sregs.cr4 |= CR4_XSAVE;
	sregs.fs.base = c->world.fs_base;
	c->failed = ioctl(fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(fd, KVM_SET_XCRS, &xcrs) < 0;
	if (c->failed)
		printf("# the guest cannot have XCR0 0x%llx: %s\n", (unsigned long long)c->guest.xcr0, strerror(errno));
}

static void on_exception(struct mini_vm *vm, unsigned int index)
{
	struct comparison *c = vm->arg;
	struct insn_frame *frame = insn_guest_frame(vm);

	(void)index;
	if (mini_read64(vm, 0, MINI_COUNT) == 1)
		give_state(vm, c);
	else
		finish(vm, c);
	begin_next(vm, c, frame);
}

static uint64_t *guest_table(struct mini_vm *vm, unsigned int number)
{
	return (uint64_t *)(void *)(vm->ram.hva + MINI_TABLES + number * 0x1000);
}

static void make_views(struct mini_vm *vm)
{
	uint64_t *pml4 = guest_table(vm, 0), *low = guest_table(vm, 1), *high = guest_table(vm, TABLE_HIGH);
	uint64_t *window = guest_table(vm, TABLE_WINDOW);

	pml4[GVA_HIGH >> 39 & 511] = (MINI_TABLES + TABLE_HIGH * 0x1000) | PAGE_TABLE;
	low[GVA_LOW >> 30 & 511] = (MINI_TABLES + TABLE_WINDOW * 0x1000) | PAGE_TABLE;
	high[GVA_HIGH >> 30 & 511] = (MINI_TABLES + TABLE_WINDOW * 0x1000) | PAGE_TABLE;
	for (uint64_t i = 0; i < MINI_WINDOW_LEN / FL_RANGE_LEN; i++)
		window[i] = (MINI_WINDOW_GPA + i * FL_RANGE_LEN) | PAGE_LARGE;
}

/* In the window: lost pages, then the file's first ones, then those behind its end. */
static struct mini_vm *make_vm(struct comparison *c)
{
	static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};
	struct mini_vm *vm = mini_new(1, reflect);
	struct fl_backing *backing;

	make_views(vm);
	assert_int_equal(fl_backing_new(dup(vm->file), true, &backing), 0);
	assert_int_equal(fl_window_map(vm->window, FL_RANGE_LEN, FL_RANGE_LEN, backing, 0, true), 0);
	assert_int_equal(fl_window_unmap(vm->window, 0, FL_RANGE_LEN), 0);
	fl_backing_unref(backing);
	mini_truncate(vm, NATIVE_GOOD_LEN);
	c->guest.good = mmap(NULL, NATIVE_GOOD_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, vm->file, 0);
	assert_ptr_not_equal(c->guest.good, MAP_FAILED);
	/* #UD ends a program of mini_vm: here it is one more exception */
	memcpy(vm->ram.hva + MINI_IDT + VECTOR_UD * 16, vm->ram.hva + MINI_IDT + VECTOR_NP * 16, 16);
	*(uint16_t *)(void *)(vm->ram.hva + MINI_IDT + VECTOR_UD * 16) =
		(uint16_t)(mini_code(mini_stubs) + VECTOR_UD * MINI_STUB_LEN);
	vm->log.level = FL_LOG_ERROR;
	vm->on_exception = on_exception;
	vm->arg = c;
	return vm;
}

static void say_line(const char *name, const struct tally *t)
{
	printf("# %-24s %6u %8u %8u %8u %8u %8u %8u\n", name, t->cases, t->absent, t->refused, t->faults, t->within,
	       t->quiet, t->wrong);
}

static struct tally say_table(const struct comparison *c)
{
	struct tally sum = {0};

	printf("# %-24s %6s %8s %8s %8s %8s %8s %8s\n", "class", "cases", "absent", "refused", "faults", "within",
	       "quiet", "wrong");
	for (unsigned int i = 0; i < CLASS_COUNT; i++) {
		const struct tally *t = &c->tally[i];

		if (t->cases)
			say_line(insn_class_name(i), t);
		sum.cases += t->cases;
		sum.absent += t->absent;
		sum.refused += t->refused;
		sum.faults += t->faults;
		sum.within += t->within;
		sum.quiet += t->quiet;
		sum.wrong += t->wrong;
	}
	say_line("all", &sum);
	return sum;
}

static void forget_last(struct comparison *c)
{
	c->count = c->next = 0;
	memset(c->tally, 0, sizeof(c->tally));
	free(c->specs.item);
	free(c->expected);
	c->specs = (struct insn_specs){0};
	c->expected = NULL;
}

static struct tally compare(struct comparison *c, struct native_run *run)
{
	struct mini_start start = {
		.program = mini_read, .cpl = 3, .rbx = GVA_LOW, .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};
	struct mini_vm *vm;
	struct tally sum;
	bool done;

	insn_specs_make(&c->world, &c->specs);
	c->expected = calloc(2 * c->specs.count, sizeof(*c->expected));
	assert_non_null(c->expected);
	run_native(c, run);
	assert_true(c->count > 0);
	vm = make_vm(c);
	mini_start(vm, 0, &start);
	done = mini_wait(vm, 0);
	if (!done || c->next != c->count)
		printf("# it ended at case %zu (%zu of %zu): %s %s\n", c->expected[c->next].number, c->next, c->count,
		       c->running.form ? c->running.form->name : "", c->running.form ? c->running.address->name : "");
	assert_true(done);
	assert_int_equal(c->next, c->count);
	sum = say_table(c);
	munmap(c->guest.good, NATIVE_GOOD_LEN);
	mini_free(vm);
	forget_last(c);
	assert_int_equal(sum.wrong, 0);
	/* a KVM that refuses everything has shown nothing */
	assert_true(sum.faults + sum.quiet > COMPARED_MIN);
	return sum;
}

static void test_as_native(void **state)
{
	struct comparison *c = calloc(1, sizeof(*c));
	struct native_run *run = native_new();
	struct tally sum;

	(void)state;
	assert_non_null(c);
	assert_non_null(run);
	assert_true(native_world_like(&c->world, MINI_SCRATCH, GVA_LOW + FL_RANGE_LEN, GVA_HIGH + FL_RANGE_LEN,
				      MINI_BLOCKS));
	c->guest.world = &c->world;
	c->guest.xcr0 = native_xcr0() & XCR0_WANTED;
	printf("# RSP that user code can have\n");
	c->world.user_stack = true;
	sum = compare(c, run);
	/* some KVMs hide some of what the CPU has; if most is not there, this test has not set the guest up as it
	 * should */
	assert_true((sum.absent + sum.refused) * 10 < sum.cases);
	printf("# any RSP\n");
	c->world.user_stack = false;
	compare(c, run);
	free(c);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_native)};

FL_TEST_MAIN(100, tests)
