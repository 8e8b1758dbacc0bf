/* SPDX-License-Identifier: Apache-2.0 */
/* A region's list of actions, followed by real faults: reflect, substitute, ask and its answers, stop. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/kvm/mini_vm.h"

#define BAD_OFFSET   UINT64_C(0x5123)
#define BAD_PAGE     UINT64_C(0x5000)
#define WITH_RECORDS (PVPF_CTL_ENABLE | PVPF_CTL_CPL0)
#define ASKS_MAX     8 /* in a row about one fault: policy.c */
#define GARBAGE	     ((enum fl_action)99)

#define STOP	   FL_ACTION_STOP
#define REFLECT	   FL_ACTION_REFLECT
#define SUBSTITUTE FL_ACTION_SUBSTITUTE
#define ASK	   FL_ACTION_ASK

/* ---- somebody who is asked ------------------------------------------------------------- */

struct asked {
	struct mini_vm *vm;
	enum fl_action answer;
	atomic_uint repair_at; /* the file is put back at this call, from 1; 0: never */
	atomic_uint calls;
	struct fl_fault fault; /* of the last call */
	char path[256];
};

static enum fl_action answer(struct asked *asked, const struct fl_fault *fault)
{
	unsigned int call = atomic_fetch_add(&asked->calls, 1) + 1;

	asked->fault = *fault;
	snprintf(asked->path, sizeof(asked->path), "%s", fault->path);
	if (call == atomic_load(&asked->repair_at))
		mini_refill(asked->vm);
	return asked->answer;
}

/* The callbacks' argument is the mini_vm: what is asked hangs on it by the test's own table. */
struct test_vm {
	struct mini_vm *vm;
	struct asked asked;
	struct fl_vcpu_ops mini_ops;
};

static enum fl_action on_ask(void *arg, const struct fl_fault *fault)
{
	struct test_vm *t = arg;

	return answer(&t->asked, fault);
}

static void on_pio(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count)
{
	struct test_vm *t = arg;

	t->mini_ops.pio(t->vm, port, write, data, size, count);
}

static void on_mmio(void *arg, uint64_t gpa, bool write, void *data, uint32_t len)
{
	struct test_vm *t = arg;

	t->mini_ops.mmio(t->vm, gpa, write, data, len);
}

static void on_fault(void *arg, const struct fl_fault *fault)
{
	struct test_vm *t = arg;

	t->mini_ops.fault(t->vm, fault);
}

static void on_ended(void *arg, unsigned int index, enum fl_vcpu_end end, const struct fl_diag *diag)
{
	struct test_vm *t = arg;

	t->mini_ops.ended(t->vm, index, end, diag);
}

/* A VM with a truncated file; the answer, if the policy has ASK in it, and at which call the file is put back. */
static void set_up(struct test_vm *t, unsigned int vcpus, struct fl_policy policy, enum fl_action ask_answer,
		   unsigned int repair_at)
{
	*t = (struct test_vm){.vm = mini_new(vcpus, policy)};
	t->asked.vm = t->vm;
	t->asked.answer = ask_answer;
	atomic_store(&t->asked.repair_at, repair_at);
	t->mini_ops = t->vm->env.ops;
	t->vm->env.ops = (struct fl_vcpu_ops){
		.pio = on_pio, .mmio = on_mmio, .ask = on_ask, .fault = on_fault, .ended = on_ended, .arg = t};
	t->vm->env.ram = &t->vm->ram;
	mini_truncate(t->vm, BAD_PAGE);
}

/* ---- what is checked again and again ---------------------------------------------------- */

static void start_read(struct mini_vm *vm, unsigned int index, unsigned int cpl, uint64_t offset)
{
	const struct mini_start start = {
		.program = mini_read, .cpl = cpl, .rbx = mini_gva(offset), .rax = 77, .pvpf_ctl = WITH_RECORDS};

	mini_start(vm, index, &start);
}

/* The guest's handler goes on behind the program. */
static void skip_program(struct mini_vm *vm, unsigned int index)
{
	mini_write64(vm, index, MINI_RESUME, mini_code(mini_done));
}

static const struct fl_fault *only_fault(struct mini_vm *vm)
{
	assert_int_equal(vm->faults, 1);
	assert_int_equal(vm->seen[0].fault.id, 1);
	assert_int_equal(vm->seen[0].fault.size, sizeof(struct fl_fault));
	return &vm->seen[0].fault;
}

static void check_counters(struct mini_vm *vm, const char *region, uint64_t faults, enum fl_outcome outcome,
			   enum fl_cause cause)
{
	struct fl_counters sum = {0};

	for (unsigned int i = 0; i < vm->count; i++)
		assert_true(fl_vcpu_add_counters(vm->vcpus[i], region, &sum));
	assert_int_equal(sum.faults, faults);
	assert_int_equal(sum.outcome[outcome], faults);
	assert_int_equal(sum.cause[cause], faults);
}

static void check_outcome(struct mini_vm *vm, enum fl_outcome outcome)
{
	assert_int_equal(only_fault(vm)->outcome, outcome);
	assert_int_equal(only_fault(vm)->cause, FL_CAUSE_TRUNCATED);
	assert_int_equal(only_fault(vm)->gva, mini_gva(BAD_OFFSET));
	assert_int_equal(only_fault(vm)->file_offset, BAD_OFFSET);
	assert_int_equal(only_fault(vm)->mapped_file_len, MINI_FILE_LEN);
	assert_non_null(strstr(vm->seen[0].path, "(deleted)"));
	check_counters(vm, NULL, 1, outcome, FL_CAUSE_TRUNCATED);
	check_counters(vm, "share0", 1, outcome, FL_CAUSE_TRUNCATED);
	check_counters(vm, "ram", 0, outcome, FL_CAUSE_TRUNCATED);
}

static void check_times(const struct fl_fault *fault, uint64_t cost_ns)
{
	const struct fl_fault_times *times = &fault->times;
	uint64_t sum = (uint64_t)times->intake_ns + times->locate_ns + times->classify_ns + times->decide_ns +
		       times->deliver_ns;

	assert_true(times->intake_ns && times->locate_ns && times->classify_ns && times->decide_ns);
	/* the steps lie within the whole, but for the two clocks' difference */
	assert_true(sum <= cost_ns + 1000000);
}

/* ---- reflect, substitute, stop ---------------------------------------------------------- */

static void test_reflect(void **state)
{
	struct test_vm t;

	(void)state;
	for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
		set_up(&t, 1, (struct fl_policy){{REFLECT, SUBSTITUTE, STOP}}, STOP, 0);
		t.vm->on_exception = skip_program;
		start_read(t.vm, 0, cpl, BAD_OFFSET);
		assert_true(mini_wait(t.vm, 0));
		assert_int_equal(mini_read64(t.vm, 0, MINI_COUNT), 1);
		assert_int_equal(mini_entry(t.vm, 0, 0)->vector, 11);
		check_outcome(t.vm, FL_OUTCOME_RECORD);
		check_times(only_fault(t.vm), t.vm->seen[0].cost_ns);
		assert_true(only_fault(t.vm)->times.deliver_ns > 0);
		assert_int_equal(t.asked.calls, 0);
		mini_free(t.vm);
	}
}

static void check_substituted(struct test_vm *t)
{
	assert_true(mini_wait(t->vm, 0));
	assert_int_equal(mini_read64(t->vm, 0, MINI_COUNT), 0);
	assert_int_equal(mini_read64(t->vm, 0, MINI_RESULT), 0);
	check_outcome(t->vm, FL_OUTCOME_SUBSTITUTED);
	check_times(only_fault(t->vm), t->vm->seen[0].cost_ns);
	assert_true(only_fault(t->vm)->times.deliver_ns > 0);
}

static void test_substitute(void **state)
{
	struct test_vm t;

	(void)state;
	for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
		set_up(&t, 1, (struct fl_policy){{SUBSTITUTE, STOP}}, STOP, 0);
		start_read(t.vm, 0, cpl, BAD_OFFSET);
		check_substituted(&t);
		mini_free(t.vm);
	}
}

/* The page is the guest's own from now on: what it stores there is not stored in the file. */
static void test_store_to_substitute(void **state)
{
	const struct mini_start start = {.program = mini_atomic, .rbx = mini_gva(BAD_PAGE + 0x120), .cpl = 3};
	struct test_vm t;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{SUBSTITUTE, STOP}}, STOP, 0);
	mini_start(t.vm, 0, &start);
	assert_true(mini_wait(t.vm, 0));
	assert_int_equal(only_fault(t.vm)->outcome, FL_OUTCOME_SUBSTITUTED);
	assert_int_equal(lseek(t.vm->file, 0, SEEK_END), BAD_PAGE);
	mini_free(t.vm);
}

static void post_all_records(struct mini_vm *vm)
{
	struct pvpf_record *records = (struct pvpf_record *)(void *)(mini_block(vm, 0) + MINI_AREA);

	for (unsigned int i = 0; i < PVPF_RECORDS; i++)
		records[i].state = PVPF_RECORD_POSTED;
}

static void test_next_if_reflect_is_impossible(void **state)
{
	struct test_vm t;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{REFLECT, SUBSTITUTE, STOP}}, STOP, 0);
	post_all_records(t.vm);
	start_read(t.vm, 0, 3, BAD_OFFSET);
	check_substituted(&t);
	mini_free(t.vm);
}

static void check_stopped(struct test_vm *t, const char *words)
{
	assert_false(mini_wait(t->vm, 0));
	assert_int_equal(t->vm->end[0], FL_VCPU_END_FAULT);
	assert_int_equal(mini_read64(t->vm, 0, MINI_COUNT), 0);
	check_outcome(t->vm, FL_OUTCOME_STOPPED);
	assert_non_null(strstr(t->vm->diag[0].text, words));
	assert_non_null(strstr(t->vm->diag[0].text, "share0"));
	assert_non_null(strstr(t->vm->diag[0].text, t->vm->seen[0].path));
	assert_non_null(strstr(t->vm->diag[0].text, "offset 20771, file is 20480 bytes now"));
}

static void test_stop(void **state)
{
	struct test_vm t;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{STOP, REFLECT, SUBSTITUTE, ASK}}, SUBSTITUTE, 0);
	start_read(t.vm, 0, 3, BAD_OFFSET);
	check_stopped(&t, "the policy says stop");
	assert_int_equal(t.asked.calls, 0);
	mini_free(t.vm);

	set_up(&t, 1, (struct fl_policy){{REFLECT}}, STOP, 0);
	post_all_records(t.vm);
	start_read(t.vm, 0, 3, BAD_OFFSET);
	check_stopped(&t, "reflect was not possible: all records of the vCPU were posted");
	mini_free(t.vm);
}

/* Where nothing is mapped there is nothing that a page could stand for; what is read-only is so by intention. */
static void not_cured(uint64_t offset, const uint8_t *program, enum fl_cause cause)
{
	const struct mini_start start = {.program = program, .cpl = 3, .rbx = mini_gva(offset), .pvpf_ctl = 1};
	struct test_vm t;

	set_up(&t, 1, (struct fl_policy){{SUBSTITUTE, REFLECT}}, STOP, 0);
	t.vm->on_exception = skip_program;
	if (cause == FL_CAUSE_NOT_PERMITTED) {
		struct fl_backing *backing;

		assert_int_equal(fl_backing_new(dup(t.vm->file), false, &backing), 0);
		assert_int_equal(fl_window_map(t.vm->window, 0, FL_RANGE_LEN, backing, 0, false), 0);
		fl_backing_unref(backing);
	}
	mini_start(t.vm, 0, &start);
	assert_true(mini_wait(t.vm, 0));
	assert_int_equal(only_fault(t.vm)->outcome, FL_OUTCOME_RECORD);
	assert_int_equal(only_fault(t.vm)->cause, cause);
	check_counters(t.vm, NULL, 1, FL_OUTCOME_RECORD, cause);
	mini_free(t.vm);
}

/* A hole in this process' own memory is nothing for the guest, whatever the policy; and the sentence does not blame it.
 */
static void test_hole(void **state)
{
	struct test_vm t;
	uint8_t *page;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{SUBSTITUTE, REFLECT, STOP}}, STOP, 0);
	page = fl_window_hva(t.vm->window) + BAD_PAGE;
	assert_int_equal(munmap(page, FL_PAGE_LEN), 0);
	start_read(t.vm, 0, 3, BAD_OFFSET);
	assert_false(mini_wait(t.vm, 0));
	assert_ptr_equal(mmap(page, FL_PAGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 page);
	assert_int_equal(only_fault(t.vm)->outcome, FL_OUTCOME_STOPPED);
	assert_int_equal(only_fault(t.vm)->cause, FL_CAUSE_UNKNOWN);
	assert_non_null(strstr(t.vm->diag[0].text, "the mapping behind the page is broken or gone"));
	assert_null(strstr(t.vm->diag[0].text, "policy"));
	assert_null(strstr(t.vm->diag[0].text, "not possible"));
	mini_free(t.vm);
}

static void test_what_substitute_does_not_cure(void **state)
{
	(void)state;
	not_cured(0x300010, mini_read, FL_CAUSE_UNMAPPED);
	not_cured(0x1010, mini_write, FL_CAUSE_NOT_PERMITTED);
}

/* ---- ask ------------------------------------------------------------------------------- */

static void check_asked(struct test_vm *t, unsigned int calls)
{
	const struct fl_fault *asked = &t->asked.fault, *reported = only_fault(t->vm);

	assert_int_equal(t->asked.calls, calls);
	assert_int_equal(asked->id, reported->id);
	assert_int_equal(asked->gva, reported->gva);
	assert_int_equal(asked->rip, reported->rip);
	assert_int_equal(asked->cause, FL_CAUSE_TRUNCATED);
	assert_int_equal(asked->file_offset, BAD_OFFSET);
	assert_int_equal(asked->file_len, BAD_PAGE);
	assert_int_equal(asked->guest_seq, 0);
	assert_string_equal(t->asked.path, t->vm->seen[0].path);
}

/* Repaired by whoever is asked, at once or only at the third time: the guest sees its data and no exception. */
static void test_ask_and_repair(void **state)
{
	static const unsigned int repair_at[] = {1, 3, ASKS_MAX};
	struct test_vm t;

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(repair_at); i++) {
		for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
			set_up(&t, 1, (struct fl_policy){{ASK, STOP}}, FL_ACTION_RETRY, repair_at[i]);
			start_read(t.vm, 0, cpl, BAD_OFFSET);
			assert_true(mini_wait(t.vm, 0));
			assert_int_equal(mini_read64(t.vm, 0, MINI_COUNT), 0);
			assert_int_equal(mini_read64(t.vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
			check_outcome(t.vm, FL_OUTCOME_RETRIED);
			check_asked(&t, repair_at[i]);
			mini_free(t.vm);
		}
	}
}

static void test_ask_and_retry_in_vain(void **state)
{
	struct test_vm t;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{ASK, STOP}}, FL_ACTION_RETRY, 0);
	start_read(t.vm, 0, 3, BAD_OFFSET);
	check_stopped(&t, "ask was not possible: repairs did not help");
	check_asked(&t, ASKS_MAX);
	mini_free(t.vm);

	set_up(&t, 1, (struct fl_policy){{ASK, SUBSTITUTE, STOP}}, FL_ACTION_RETRY, 0);
	start_read(t.vm, 0, 3, BAD_OFFSET);
	check_substituted(&t);
	check_asked(&t, ASKS_MAX);
	mini_free(t.vm);
}

/* An answer that is an action is taken, also if the list does not have it. */
static void test_ask_and_act(void **state)
{
	struct test_vm t;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{ASK, STOP}}, SUBSTITUTE, 0);
	start_read(t.vm, 0, 3, BAD_OFFSET);
	check_substituted(&t);
	check_asked(&t, 1);
	mini_free(t.vm);

	set_up(&t, 1, (struct fl_policy){{ASK, STOP}}, REFLECT, 0);
	t.vm->on_exception = skip_program;
	start_read(t.vm, 0, 3, BAD_OFFSET);
	assert_true(mini_wait(t.vm, 0));
	check_outcome(t.vm, FL_OUTCOME_RECORD);
	check_asked(&t, 1);
	mini_free(t.vm);

	set_up(&t, 1, (struct fl_policy){{ASK, REFLECT, SUBSTITUTE}}, STOP, 0);
	start_read(t.vm, 0, 3, BAD_OFFSET);
	check_stopped(&t, "the answer was to stop");
	check_asked(&t, 1);
	mini_free(t.vm);
}

/* "Next", nonsense, and what cannot be done now: the rest of the list. */
static void test_ask_and_go_on(void **state)
{
	static const enum fl_action answers[] = {FL_ACTION_NEXT, ASK, GARBAGE, (enum fl_action) - 1, REFLECT};
	struct test_vm t;

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(answers); i++) {
		set_up(&t, 1, (struct fl_policy){{ASK, SUBSTITUTE, STOP}}, answers[i], 0);
		if (answers[i] == REFLECT)
			post_all_records(t.vm);
		start_read(t.vm, 0, 3, BAD_OFFSET);
		check_substituted(&t);
		check_asked(&t, 1);
		mini_free(t.vm);
	}
}

static void test_nobody_to_ask(void **state)
{
	struct test_vm t;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{ASK, STOP}}, STOP, 0);
	t.vm->env.ops.ask = NULL;
	start_read(t.vm, 0, 3, BAD_OFFSET);
	check_stopped(&t, "ask was not possible: there is nobody to ask");
	mini_free(t.vm);
}

/* A repaired page is lost again and again under a running guest: every time it is repaired, and nothing is given up. */
static void test_repair_again_and_again(void **state)
{
	const struct mini_start start = {.program = mini_read_loop, .cpl = 3, .rbx = mini_gva(BAD_OFFSET)};
	struct test_vm t;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{ASK, STOP}}, FL_ACTION_RETRY, 1);
	mini_start(t.vm, 0, &start);
	for (unsigned int lost = 1; lost <= 3 * ASKS_MAX; lost++) {
		for (unsigned int i = 0; i < 5000 && atomic_load(&t.asked.calls) < lost; i++)
			usleep(1000);
		assert_int_equal(atomic_load(&t.asked.calls), lost);
		/* the file is put back before it is lost again: the call that repaired it has ended by then */
		for (unsigned int i = 0; i < 5000; i++) {
			pthread_mutex_lock(&t.vm->lock);
			unsigned int reported = t.vm->faults;
			pthread_mutex_unlock(&t.vm->lock);
			if (reported >= lost)
				break;
			usleep(1000);
		}
		if (lost == 3 * ASKS_MAX)
			break;
		atomic_store(&t.asked.repair_at, lost + 1);
		mini_truncate(t.vm, BAD_PAGE);
	}
	mini_write64(t.vm, 0, MINI_STOP, 1);
	assert_true(mini_wait(t.vm, 0));
	assert_int_equal(mini_read64(t.vm, 0, MINI_COUNT), 0);
	check_counters(t.vm, "share0", 3 * ASKS_MAX, FL_OUTCOME_RETRIED, FL_CAUSE_TRUNCATED);
	mini_free(t.vm);
}

/* ---- RAM ----------------------------------------------------------------------------------- */

#define RAM_OFFSET (MINI_SCRATCH + UINT64_C(0x1123))

/* The page of the memory file is marked as bad, by another process: this one must not be told before it looks. */
static bool poison_ram(struct mini_vm *vm)
{
	int status;
	pid_t pid;

	vm->ram.hva[RAM_OFFSET] = 1;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		off_t offset = (off_t)(RAM_OFFSET & ~UINT64_C(0xfff));
		volatile uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vm->ram.fd, offset);

		if (page == MAP_FAILED)
			_exit(1);
		page[0] = 1;
		_exit(madvise((void *)(uintptr_t)page, 4096, MADV_HWPOISON) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* False: this kernel does not mark memory as bad. */
static bool run_on_bad_ram(struct test_vm *t, struct fl_policy policy)
{
	const struct mini_start start = {.program = mini_read, .cpl = 3, .rbx = RAM_OFFSET, .rax = 77, .pvpf_ctl = 1};

	set_up(t, 1, (struct fl_policy){{STOP}}, STOP, 0);
	t->vm->map.regions[0].policy = policy;
	if (!poison_ram(t->vm)) {
		mini_free(t->vm);
		return false;
	}
	mini_start(t->vm, 0, &start);
	return true;
}

static void check_ram_fault(struct mini_vm *vm, enum fl_outcome outcome)
{
	assert_int_equal(only_fault(vm)->outcome, outcome);
	assert_int_equal(only_fault(vm)->cause, FL_CAUSE_MEMORY_FAILURE);
	assert_int_equal(only_fault(vm)->gpa, RAM_OFFSET);
	assert_int_equal(only_fault(vm)->flags & FL_FAULT_FILE_VALID, 0);
	assert_string_equal(vm->seen[0].share, "ram");
	check_counters(vm, "ram", 1, outcome, FL_CAUSE_MEMORY_FAILURE);
	check_counters(vm, "share0", 0, outcome, FL_CAUSE_MEMORY_FAILURE);
}

static void test_bad_ram(void **state)
{
	struct test_vm t;

	(void)state;
	if (!run_on_bad_ram(&t, (struct fl_policy){{REFLECT, SUBSTITUTE}})) {
		printf("# this kernel cannot poison memory (CONFIG_MEMORY_FAILURE, root)\n");
		skip();
	}
	assert_true(mini_wait(t.vm, 0));
	assert_int_equal(mini_read64(t.vm, 0, MINI_RESULT), 0);
	assert_int_equal(mini_read64(t.vm, 0, MINI_COUNT), 0);
	check_ram_fault(t.vm, FL_OUTCOME_SUBSTITUTED);
	mini_free(t.vm);

	assert_true(run_on_bad_ram(&t, (struct fl_policy){{REFLECT}}));
	assert_false(mini_wait(t.vm, 0));
	assert_int_equal(t.vm->end[0], FL_VCPU_END_FAULT);
	assert_non_null(strstr(t.vm->diag[0].text, "reflect was not possible: RAM is never reflected, \"ram\""));
	check_ram_fault(t.vm, FL_OUTCOME_STOPPED);
	mini_free(t.vm);
}

/* ---- exceptions whose delivery needs the page -------------------------------------------- */

/* A software KVM may end the guest with a triple fault instead: nothing comes out for us to treat. */
static bool is_triple_fault(struct mini_vm *vm)
{
	if (!vm->ended[0] || vm->end[0] != FL_VCPU_END_SHUTDOWN)
		return false;
	printf("# this KVM gives a triple fault when a frame cannot be pushed\n");
	assert_int_equal(vm->faults, 0);
	return true;
}

static void test_lost_stack(void **state)
{
	const struct mini_start start = {
		.program = mini_bad_stack, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
	struct test_vm t;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{REFLECT, SUBSTITUTE, STOP}}, STOP, 0);
	mini_start(t.vm, 0, &start);
	if (mini_wait(t.vm, 0) || !is_triple_fault(t.vm)) {
		assert_int_equal(only_fault(t.vm)->outcome, FL_OUTCOME_SUBSTITUTED);
		/* the first word pushed, below RSP aligned to 16 */
		assert_int_equal(only_fault(t.vm)->gva, (mini_gva(BAD_OFFSET) & ~0xfull) - 8);
		assert_int_equal(only_fault(t.vm)->access, FL_ACCESS_WRITE);
	}
	mini_free(t.vm);

	set_up(&t, 1, (struct fl_policy){{REFLECT, STOP}}, STOP, 0);
	mini_start(t.vm, 0, &start);
	assert_false(mini_wait(t.vm, 0));
	if (!is_triple_fault(t.vm)) {
		assert_int_equal(t.vm->end[0], FL_VCPU_END_FAULT);
		assert_int_equal(only_fault(t.vm)->outcome, FL_OUTCOME_STOPPED);
		assert_non_null(strstr(t.vm->diag[0].text, "in the delivery of vector 6"));
		assert_non_null(strstr(t.vm->diag[0].text, "reflect was not possible: another exception"));
	}
	mini_free(t.vm);
}

/* Where only an exception is allowed, KVM is given time: the page may come back. */
static void *refill_later(void *arg)
{
	usleep(2000);
	mini_refill(arg);
	return NULL;
}

static void test_lost_stack_comes_back(void **state)
{
	const struct mini_start start = {
		.program = mini_bad_stack, .rbx = mini_gva(BAD_OFFSET), .pvpf_ctl = WITH_RECORDS};
	struct test_vm t;
	pthread_t thread;

	(void)state;
	set_up(&t, 1, (struct fl_policy){{REFLECT, STOP}}, STOP, 0);
	mini_start(t.vm, 0, &start);
	assert_int_equal(pthread_create(&thread, NULL, refill_later, t.vm), 0);
	if (!mini_wait(t.vm, 0))
		assert_true(is_triple_fault(t.vm));
	else
		assert_int_equal(mini_read64(t.vm, 0, MINI_COUNT), 0);
	pthread_join(thread, NULL);
	mini_free(t.vm);
}

/* ---- several vCPUs ------------------------------------------------------------------------ */

struct reader {
	struct mini_vm *vm;
	atomic_bool end;
	uint64_t reads;
};

/* Reads the counters of running vCPUs: they never go back. */
static void *read_counters(void *arg)
{
	struct reader *reader = arg;
	uint64_t last = 0;

	while (!atomic_load(&reader->end)) {
		struct fl_counters sum = {0};

		for (unsigned int i = 0; i < reader->vm->count; i++)
			if (!fl_vcpu_add_counters(reader->vm->vcpus[i], NULL, &sum))
				return arg;
		if (sum.faults < last)
			return arg;
		last = sum.faults;
		reader->reads++;
		usleep(100);
	}
	return NULL;
}

static void four_vcpus(struct fl_policy policy, enum fl_action ask_answer, enum fl_outcome outcome)
{
	struct fl_counters sum = {0};
	struct test_vm t;
	struct reader reader = {0};
	pthread_t thread;
	void *result;

	set_up(&t, MINI_VCPUS_MAX, policy, ask_answer, 0);
	reader.vm = t.vm;
	t.vm->on_exception = skip_program;
	assert_int_equal(pthread_create(&thread, NULL, read_counters, &reader), 0);
	for (unsigned int i = 0; i < MINI_VCPUS_MAX; i++)
		start_read(t.vm, i, i % 2 ? 3 : 0, BAD_PAGE + i * 4096);
	for (unsigned int i = 0; i < MINI_VCPUS_MAX; i++)
		assert_true(mini_wait(t.vm, i));
	atomic_store(&reader.end, true);
	pthread_join(thread, &result);
	assert_null(result);
	for (unsigned int i = 0; i < MINI_VCPUS_MAX; i++)
		assert_true(fl_vcpu_add_counters(t.vm->vcpus[i], "share0", &sum));
	assert_int_equal(sum.faults, MINI_VCPUS_MAX);
	assert_int_equal(sum.outcome[outcome], MINI_VCPUS_MAX);
	assert_false(fl_vcpu_add_counters(t.vm->vcpus[0], "nosuch", &sum));
	mini_free(t.vm);
}

static void test_four_vcpus(void **state)
{
	(void)state;
	four_vcpus((struct fl_policy){{REFLECT, STOP}}, STOP, FL_OUTCOME_RECORD);
	four_vcpus((struct fl_policy){{SUBSTITUTE, STOP}}, STOP, FL_OUTCOME_SUBSTITUTED);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_reflect),
	cmocka_unit_test(test_substitute),
	cmocka_unit_test(test_store_to_substitute),
	cmocka_unit_test(test_next_if_reflect_is_impossible),
	cmocka_unit_test(test_stop),
	cmocka_unit_test(test_hole),
	cmocka_unit_test(test_what_substitute_does_not_cure),
	cmocka_unit_test(test_ask_and_repair),
	cmocka_unit_test(test_ask_and_retry_in_vain),
	cmocka_unit_test(test_ask_and_act),
	cmocka_unit_test(test_ask_and_go_on),
	cmocka_unit_test(test_nobody_to_ask),
	cmocka_unit_test(test_repair_again_and_again),
	cmocka_unit_test(test_bad_ram),
	cmocka_unit_test(test_lost_stack),
	cmocka_unit_test(test_lost_stack_comes_back),
	cmocka_unit_test(test_four_vcpus),
};

FL_TEST_MAIN(110, tests)
