/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every cell of shape x cause x policy x mode that this host can produce (fault_cells.def): what KVM made of the
 * failed access, what is reported of it, what the guest sees, and that it goes on, or has stopped with a report.
 *
 * usage: test_kvm_cells [--table | --list | PATTERN]
 */
#include "tests/kvm/cell_trouble.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "mmu_backing/gmem.h"
#include "vcpu/watchdog.h"

#define STORED	       UINT64_C(0x1122334455667788)
#define NOWHERE	       UINT64_C(0x80000000) /* not in the guest's page tables */
#define MSR_SUBSTITUTE UINT64_C(0x50564602) /* docs/abi.md: first + 2 */
#define BAD_GPA	       (MINI_WINDOW_GPA + BAD_OFFSET)
#define HIDE_MS	       5000

struct rig;
struct cell {
	const struct fault_exit *exit;
	enum cell_mode mode;
	const char *way; /* NULL: not on this host */
	enum cell_host host;
	struct rig *rig; /* all cells' */
};

/* One run. */
struct rig {
	const struct cell *cell;
	const struct fault_policy *policy;
	enum fl_outcome wanted;
	struct trouble *trouble, *before; /* before: what is wrong at first, or NULL */
	struct mini_vm *vm;
	unsigned int asked;
	enum fl_cause asked_cause;
};

static bool is_request(const struct rig *rig)
{
	return rig->cell->way[0] == 'm';
}

static unsigned int cpl_of(const struct rig *rig)
{
	return (unsigned int)(rig->cell->way[1] - '0');
}

static enum fl_access access_of(const struct rig *rig)
{
	switch (rig->cell->way[0]) {
	case 'r':
		return FL_ACCESS_READ;
	case 'w':
		return FL_ACCESS_WRITE;
	case 'f':
		return FL_ACCESS_FETCH;
	}
	return FL_ACCESS_UNKNOWN;
}

static const uint8_t *program_of(const struct rig *rig)
{
	switch (rig->cell->way[0]) {
	case 'r':
		return mini_read;
	case 'w':
		return mini_write;
	case 'f':
		return mini_fetch;
	}
	return mini_wrmsr_read;
}

static uint64_t rip_of(const struct rig *rig)
{
	return access_of(rig) == FL_ACCESS_FETCH ? mini_gva(BAD_OFFSET) : mini_code(program_of(rig));
}

/* ---- the run ------------------------------------------------------------------------------ */

static enum fl_action on_ask(void *arg, const struct fl_fault *fault)
{
	struct mini_vm *vm = arg;
	struct rig *rig = vm->arg;

	rig->asked++;
	rig->asked_cause = fault->cause;
	if (rig->policy->answer == FL_ACTION_RETRY)
		trouble_heal(rig->trouble, vm);
	return rig->policy->answer;
}

/* The guest's handler goes on behind the program. */
static void leave_alone(struct mini_vm *vm, unsigned int index)
{
	mini_write64(vm, index, MINI_RESUME, mini_code(mini_done));
}

static void map_and_strike(void *arg)
{
	struct rig *rig = arg;

	trouble_map(rig->trouble, rig->vm);
	trouble_strike(rig->trouble, rig->vm);
}

/* As KVM stands still where inotify does not tell of a truncation: nothing follows the file. */
static struct mini_vm *new_unwatched(struct fl_policy policy)
{
	struct mini_vm *vm = mini_new_mode(1, policy, true);
	struct fl_diag diag = {0};

	if (fl_watchdog_new(vm->vcpus, vm->count, 0, &vm->log, &vm->watchdog, &diag) ||
	    fl_watchdog_start(vm->watchdog, &diag))
		fail_msg("%s", diag.text);
	return vm;
}

static struct mini_vm *new_vm(const struct rig *rig)
{
	if (rig->cell->mode == CELL_STRICT)
		return mini_new(1, rig->policy->policy);
	if (rig->cell->exit->shape == CELL_STALL)
		return new_unwatched(rig->policy->policy);
	return mini_new_watched(1, rig->policy->policy);
}

static void wait_until_hidden(struct mini_vm *vm, uint64_t hidden)
{
	struct fl_window_stats stats;

	for (unsigned int i = 0; i < HIDE_MS; i++) {
		fl_window_get_stats(vm->window, &stats);
		if (stats.hidden > hidden)
			return;
		usleep(1000);
	}
	fail_msg("the end of the file was not hidden in %d ms", HIDE_MS);
}

static void strike(struct rig *rig, struct trouble *trouble)
{
	struct fl_window_stats stats;

	trouble_map(trouble, rig->vm);
	fl_window_get_stats(rig->vm->window, &stats);
	trouble_strike(trouble, rig->vm);
	if (trouble->kind == TROUBLE_TRUNCATED && rig->vm->watch)
		wait_until_hidden(rig->vm, stats.hidden);
}

/* What makes KVM give this shape, whatever is found afterwards. */
static enum cell_trouble trouble_before(enum cell_shape shape)
{
	switch (shape) {
	case CELL_MCEERR:
		return TROUBLE_MEMORY_FAILURE;
	case CELL_STALL:
		return TROUBLE_TRUNCATED;
	default:
		return TROUBLE_UNMAPPED;
	}
}

static void set_up(struct rig *rig)
{
	const struct cell *cell = rig->cell;
	bool changes = strchr(cell->way, '~') != NULL;

	rig->wanted = cell_outcome(cell->exit, rig->policy);
	rig->trouble = trouble_new(cell->exit->trouble, access_of(rig) == FL_ACCESS_FETCH);
	if (changes)
		rig->before = trouble_new(trouble_before(cell->exit->shape), false);
	rig->vm = new_vm(rig);
	rig->vm->arg = rig;
	rig->vm->env.ops.ask = on_ask;
	rig->vm->on_exception = leave_alone;
	strike(rig, changes ? rig->before : rig->trouble);
	if (changes)
		bad_access_before_probe(map_and_strike, rig);
}

/* True: the guest went on to its end. */
static bool run(const struct rig *rig)
{
	const uint64_t pfn = (MINI_WINDOW_GPA + BAD_PAGE) / FL_PAGE_LEN;
	struct mini_start start = {.program = program_of(rig),
				   .cpl = cpl_of(rig),
				   .rax = STORED,
				   .rbx = mini_gva(BAD_OFFSET),
				   .interrupts_off = strchr(rig->cell->way, '-') != NULL};

	if (rig->policy->has_pvpf)
		start.pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0;
	if (access_of(rig) == FL_ACCESS_FETCH)
		start.rax = NOWHERE;
	if (is_request(rig)) {
		start.rcx = MSR_SUBSTITUTE;
		start.rax = pfn & UINT32_MAX;
		start.rdx = pfn >> 32;
	}
	mini_start(rig->vm, 0, &start);
	return mini_wait(rig->vm, 0);
}

/* Also of what a failed check has left. */
static void tear_down(struct rig *rig)
{
	bad_access_before_probe(NULL, NULL);
	if (rig->vm)
		mini_free(rig->vm);
	if (rig->trouble)
		trouble_free(rig->trouble);
	if (rig->before)
		trouble_free(rig->before);
	*rig = (struct rig){0};
}

/* ---- what must have come of it ------------------------------------------------------------- */

static void check_place(const struct rig *rig, const struct mini_seen *seen)
{
	const struct fl_fault *fault = &seen->fault;
	uint64_t at = is_request(rig) ? BAD_PAGE : BAD_OFFSET;
	uint32_t flags = FL_FAULT_GPA_VALID;

	assert_int_equal(fault->gpa, MINI_WINDOW_GPA + at);
	assert_string_equal(seen->share, "share0");
	if (!is_request(rig)) {
		flags |= FL_FAULT_GVA_VALID;
		assert_int_equal(fault->gva, mini_gva(BAD_OFFSET));
	}
	if (trouble_has_file(rig->trouble)) {
		flags |= FL_FAULT_FILE_VALID;
		assert_int_equal(fault->file_offset, at);
		assert_int_equal(fault->file_len, trouble_file_len(rig->trouble));
	}
	assert_int_equal(fault->flags, flags);
}

static void check_report(const struct rig *rig)
{
	const struct mini_seen *seen = &rig->vm->seen[0];
	const struct fl_fault *fault = &seen->fault;

	assert_int_equal(rig->vm->faults, 1);
	assert_string_equal(seen->shape, cell_shape_name(rig->cell->exit->shape));
	assert_int_equal(fault->id, 1);
	assert_int_equal(fault->cause, cell_cause(rig->cell->exit->trouble));
	assert_int_equal(fault->outcome, rig->wanted);
	assert_int_equal(fault->access, access_of(rig));
	assert_int_equal(fault->cpl, cpl_of(rig));
	assert_int_equal(fault->rip, rip_of(rig));
	assert_int_equal(fault->guest_seq, rig->wanted == FL_OUTCOME_RECORD ? 1 : 0);
	check_place(rig, seen);
}

static void check_exception(const struct rig *rig)
{
	const struct mini_log *log;
	const struct pvpf_record none = {0};

	assert_int_equal(mini_read64(rig->vm, 0, MINI_COUNT), 1);
	log = mini_entry(rig->vm, 0, 0);
	assert_int_equal(log->vector, 11);
	assert_int_equal(log->error, 0);
	assert_int_equal(log->rip, rip_of(rig));
	assert_int_equal(log->cs & 3, cpl_of(rig));
	if (rig->wanted == FL_OUTCOME_PLAIN) {
		assert_memory_equal(&log->record, &none, sizeof(none));
		return;
	}
	assert_int_equal(log->record.state, 1);
	assert_int_equal(log->record.cause, cell_cause(rig->cell->exit->trouble));
	assert_int_equal(log->record.access, access_of(rig));
	assert_int_equal(log->record.flags, 1);
	assert_int_equal(log->record.gpa, BAD_GPA);
	assert_int_equal(log->record.gva, mini_gva(BAD_OFFSET));
	assert_int_equal(log->record.size, FL_PAGE_LEN - BAD_OFFSET % FL_PAGE_LEN);
	assert_int_equal(log->record.seq, 1);
	assert_int_equal(log->record.rip, rip_of(rig));
}

/* Nothing of the instruction has happened. */
static void check_undone(const struct rig *rig)
{
	uint64_t in_file;

	check_exception(rig);
	if (access_of(rig) != FL_ACCESS_FETCH)
		assert_int_equal(mini_read64(rig->vm, 0, MINI_RESULT), STORED);
	if (access_of(rig) == FL_ACCESS_WRITE && rig->trouble->kind == TROUBLE_NOT_PERMITTED) {
		assert_int_equal(pread(rig->trouble->file, &in_file, 8, (off_t)BAD_OFFSET), 8);
		assert_int_equal(in_file, trouble_good64(rig->trouble));
	}
}

static uint64_t window64(const struct rig *rig)
{
	struct iovec iov[2];
	unsigned int count = 0;
	int ends[2];
	uint64_t value;

	/* by a system call, as everything that is read from a window */
	assert_int_equal(fl_gmem_iov(&rig->vm->map, BAD_GPA, 8, iov, 2, &count), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(writev(ends[1], iov, (int)count), 8);
	assert_int_equal(read(ends[0], &value, 8), 8);
	close(ends[0]);
	close(ends[1]);
	return value;
}

/* The access went through to a page of zeroes, which is not the file's. */
static void check_substituted(const struct rig *rig)
{
	uint64_t exceptions = mini_read64(rig->vm, 0, MINI_COUNT);

	if (access_of(rig) == FL_ACCESS_FETCH) {
		/* 00 00: add %al,(%rax), which leads nowhere */
		assert_int_equal(exceptions, 1);
		assert_int_equal(mini_entry(rig->vm, 0, 0)->vector, 14);
		assert_int_equal(mini_entry(rig->vm, 0, 0)->rip, mini_gva(BAD_OFFSET));
		return;
	}
	assert_int_equal(exceptions, 0);
	if (access_of(rig) == FL_ACCESS_WRITE) {
		assert_int_equal(window64(rig), STORED);
		return;
	}
	assert_int_equal(mini_read64(rig->vm, 0, MINI_RESULT), 0);
}

/* The access went through to the file. */
static void check_retried(const struct rig *rig)
{
	uint64_t in_file;

	assert_int_equal(mini_read64(rig->vm, 0, MINI_COUNT), 0);
	if (access_of(rig) == FL_ACCESS_READ)
		assert_int_equal(mini_read64(rig->vm, 0, MINI_RESULT), trouble_good64(rig->trouble));
	else if (access_of(rig) == FL_ACCESS_FETCH)
		assert_int_equal(mini_read64(rig->vm, 0, MINI_RESULT + 8), (uint32_t)mini_code(mini_done)); /* %rcx */
	else {
		assert_int_equal(pread(rig->trouble->file, &in_file, 8, (off_t)BAD_OFFSET), 8);
		assert_int_equal(in_file, STORED);
	}
}

static void check_stopped(const struct rig *rig)
{
	assert_int_equal(rig->vm->end[0], FL_VCPU_END_FAULT);
	assert_int_equal(mini_read64(rig->vm, 0, MINI_COUNT), 0);
	assert_non_null(strstr(rig->vm->diag[0].text, "\"share0\""));
	assert_non_null(strstr(rig->vm->diag[0].text, fl_cause_name(cell_cause(rig->cell->exit->trouble))));
}

/* #GP at the WRMSR, and nothing has changed. */
static void check_refused(const struct rig *rig)
{
	assert_int_equal(rig->vm->faults, 0);
	assert_int_equal(mini_read64(rig->vm, 0, MINI_COUNT), 1);
	assert_int_equal(mini_entry(rig->vm, 0, 0)->vector, 13);
	assert_int_equal(mini_entry(rig->vm, 0, 0)->error, 0);
	assert_int_equal(mini_entry(rig->vm, 0, 0)->rip, rip_of(rig));
}

static void check_asked(const struct rig *rig)
{
	bool asks = rig->policy->policy.action[0] == FL_ACTION_ASK && !is_request(rig);

	assert_int_equal(rig->asked, asks ? 1 : 0);
	if (asks)
		assert_int_equal(rig->asked_cause, cell_cause(rig->cell->exit->trouble));
}

static void check(const struct rig *rig, bool went_on)
{
	assert_int_equal(went_on, rig->wanted != FL_OUTCOME_STOPPED);
	check_asked(rig);
	if (rig->wanted == CELL_REFUSED) {
		check_refused(rig);
		return;
	}
	check_report(rig);
	switch (rig->wanted) {
	case FL_OUTCOME_RECORD:
	case FL_OUTCOME_PLAIN:
		check_undone(rig);
		break;
	case FL_OUTCOME_SUBSTITUTED:
		check_substituted(rig);
		break;
	case FL_OUTCOME_RETRIED:
		check_retried(rig);
		break;
	case FL_OUTCOME_STOPPED:
		check_stopped(rig);
		break;
	}
}

/* ---- one line of the table, under all policies --------------------------------------------- */

static void say_skipped(const struct cell *cell)
{
	char others[64] = "";

	for (size_t i = 0; i < fault_exit_count; i++) {
		const struct fault_exit *exit = &fault_exits[i];
		size_t used = strlen(others);

		if (exit->trouble == cell->exit->trouble && exit->shape != CELL_REQUEST &&
		    *exit->way[cell->mode][cell->host])
			snprintf(others + used, sizeof(others) - used, "%s%s", used ? ", " : "",
				 cell_shape_name(exit->shape));
	}
	printf("# skipped: %zu cells; a %s host shows it as %s\n", fault_policy_count, cell_host_name(cell->host),
	       others);
}

static void test_cell(void **state)
{
	const struct cell *cell = *state;

	if (!*cell->way) {
		say_skipped(cell);
		skip();
	}
	for (size_t i = 0; i < fault_policy_count; i++) {
		struct rig *rig = cell->rig;
		char name[96];

		*rig = (struct rig){.cell = cell, .policy = &fault_policies[i]};
		snprintf(name, sizeof(name), "%s %s %s %s %s", cell_host_name(cell->host), cell_mode_name(cell->mode),
			 cell_shape_name(cell->exit->shape), cell_trouble_name(cell->exit->trouble), rig->policy->name);
		printf("# now: %s (%s)\n", name, cell->way);
		set_up(rig);
		check(rig, run(rig));
		tear_down(rig);
		printf("# cell: %s\n", name);
	}
}

static int tear_down_cell(void **state)
{
	const struct cell *cell = *state;

	tear_down(cell->rig);
	return 0;
}

static enum cell_host find_host(void)
{
	const char *box = getenv("FAULTLINE_BOX_HOST_KERNEL");

	if (getenv("FAULTLINE_IN_BOX"))
		return box && strstr(box, "-patched") ? HOST_PATCHED : HOST_STOCK;
	return access("/sys/module/kvm_pvm", F_OK) == 0 ? HOST_SOFTWARE : HOST_STOCK;
}

/* pattern: of fnmatch(), for names such as "watch mceerr truncated"; NULL for all */
static int run_cells(const char *pattern)
{
	static struct cell cells[CELL_SHAPES * CELL_TROUBLES * CELL_MODES];
	static struct CMUnitTest tests[FL_ARRAY_SIZE(cells)];
	static struct rig rig;
	static char names[FL_ARRAY_SIZE(cells)][64];
	enum cell_host host = find_host();
	size_t count = 0, here = 0;

	for (unsigned int mode = 0; mode < CELL_MODES; mode++)
		for (size_t i = 0; i < fault_exit_count; i++) {
			const struct fault_exit *exit = &fault_exits[i];

			if (!cell_can_occur(exit, mode))
				continue;
			snprintf(names[count], sizeof(names[count]), "%s %s %s", cell_mode_name(mode),
				 cell_shape_name(exit->shape), cell_trouble_name(exit->trouble));
			if (pattern && fnmatch(pattern, names[count], 0) != 0)
				continue;
			cells[count] = (struct cell){exit, mode, exit->way[mode][host], host, &rig};
			tests[count] = (struct CMUnitTest){.name = names[count],
							   .test_func = test_cell,
							   .teardown_func = tear_down_cell,
							   .initial_state = &cells[count]};
			here += *cells[count++].way != '\0';
		}
	if (count == 0) {
		fprintf(stderr, "no test has the name %s\n", pattern);
		return 2;
	}
	printf("# cells: host %s, %zu of the %zu that can occur\n", cell_host_name(host), here * fault_policy_count,
	       count * fault_policy_count);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("cells", tests, count, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--table") == 0)
		cells_print_table();
	else if (argc == 2 && strcmp(argv[1], "--list") == 0)
		cells_print_list();
	else if (argc > 2)
		return 2;
	else {
		alarm(110);
		setvbuf(stdout, NULL, _IOLBF, 0);
		return run_cells(argc == 2 ? argv[1] : NULL);
	}
	return 0;
}
