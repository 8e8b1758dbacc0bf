/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an instruction fails, says the CPU: each case is run in this process on pages that have been lost, and the
 * signal's address and direction are compared with what src/vcpu finds from the registers.
 *
 * usage: test_native_locate [CASE [SEED]]: one case in full; "all" for CASE shows every difference; without
 * arguments the first ones.
 */
#include "tests/lib/fl_test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/native/native_world.h"

#define SEED	  UINT64_C(20240229)
#define BATCH	  4000u
#define LIMIT_S	  20u
#define BATCH_S	  10u
#define SHOWN_MAX 60u
#define AREA_MAX  16384u
#define RFLAGS_RF UINT64_C(0x10000)

struct tally {
	unsigned int cases, faults, within, resumed, quiet, wrong;
};

/* Shared with the children. */
struct board {
	struct tally tally[CLASS_COUNT];
	size_t current;
	unsigned int shown, shown_max, unencodable;
};

struct bench {
	struct insn_world world;
	struct insn_specs specs;
	struct native_run *run;
	struct board *board;
	uint64_t seed;
};

static bool same_registers(const struct insn_state *a, const struct insn_state *b)
{
	return memcmp(a->gpr, b->gpr, sizeof(a->gpr)) == 0 && ((a->rflags ^ b->rflags) & ~RFLAGS_RF) == 0;
}

/* Instructions that stop half-way with their progress in registers: SDM vol. 1, 7.3.9.3; vol. 2C VGATHER; TILELOAD. */
static bool may_resume(const struct insn_form *form)
{
	return form->flags & (F_REP | F_VSIB | F_TILE | F_PARTIAL);
}

/*
 * Microcode that checks an area before it starts names a byte of its choice, the last one of a page for instance,
 * and may begin with the last page; located is always the first byte that cannot be had.
 */
static bool is_within(const struct bench *b, const struct insn_case *c, const struct insn_outcome *outcome,
		      const struct fl_location *location)
{
	return c->form->flags & F_AREA && location->gva < outcome->address &&
	       outcome->address - location->gva < AREA_MAX &&
	       native_is_lost(&b->world, outcome->address, outcome->access) &&
	       native_is_lost(&b->world, location->gva, location->access) && location->access == outcome->access;
}

static const char *judge_fault(const struct bench *b, const struct insn_case *c, const struct insn_outcome *outcome,
			       enum fl_locate_result result, const struct fl_location *location)
{
	if (!same_registers(&outcome->state, &c->state) && !may_resume(c->form))
		return "registers changed";
	if (result != FL_LOCATE_BAD)
		return result == FL_LOCATE_HEALTHY ? "not found (healthy)" : "not found (unknown)";
	if (!location->gva_valid || !location->gpa_valid || location->gva != location->gpa)
		return "not exact";
	if (location->gva != outcome->address && !is_within(b, c, outcome, location))
		return "another address";
	return location->access == outcome->access ? NULL : "another access";
}

/* NULL: as the CPU says. */
static const char *judge(const struct bench *b, const struct insn_case *c, const struct insn_outcome *outcome,
			 struct fl_location *location)
{
	switch (outcome->end) {
	case INSN_END_DONE:
		return native_locate(&b->world, &c->state, location) == FL_LOCATE_BAD ? "nothing failed" : NULL;
	case INSN_END_OTHER:
		return c->form->flags & F_RAISES ? NULL : "another exception";
	case INSN_END_FAULT:
		/* a scatter may store into its own bytes before it fails: then nobody can tell any more what failed */
		if (!native_is_intact(&b->world, c))
			return NULL;
		return judge_fault(b, c, outcome, native_locate(&b->world, &outcome->state, location), location);
	}
	return "?";
}

static void show(const struct bench *b, size_t number, const struct insn_case *c, const struct insn_outcome *outcome,
		 const struct fl_location *location, const char *verdict)
{
	static const char *const ends[] = {"done", "fault", "other"};
	uint64_t good = c->arena->start + c->arena->before_len, end = good + c->arena->good_len;
	const struct insn_spec *spec = &b->specs.item[number];

	printf("# case %zu: %s %s, place %u/%u variant %u step %d%s%s: %s\n", number, c->form->name, c->address->name,
	       spec->place, spec->place2, spec->variant, spec->step, spec->read_only ? " read-only" : "",
	       spec->fetch ? " fetch" : "", verdict);
	printf("#   operands at border%+lld/%+lld, border%+lld/%+lld; CPU: %s %s at border%+lld/%+lld, signal %d, trap %u\n",
	       (long long)(c->at - end), (long long)(c->at - good), (long long)(c->at2 - end),
	       (long long)(c->at2 - good), ends[outcome->end], fl_access_name(outcome->access),
	       (long long)(outcome->address - end), (long long)(outcome->address - good), outcome->signal,
	       outcome->trap);
	printf("#   located: %s at border%+lld/%+lld; bytes", fl_access_name(location->access),
	       (long long)(location->gva - end), (long long)(location->gva - good));
	for (size_t i = 0; i < c->len; i++)
		printf(" %02x", c->bytes[i]);
	printf("\n");
}

static void count(struct tally *tally, const struct insn_case *c, const struct insn_outcome *outcome,
		  const struct fl_location *location, bool wrong)
{
	tally->cases++;
	tally->wrong += wrong;
	tally->faults += outcome->end == INSN_END_FAULT;
	tally->within += !wrong && outcome->end == INSN_END_FAULT && location->gva != outcome->address;
	tally->quiet += outcome->end != INSN_END_FAULT;
	tally->resumed += outcome->end == INSN_END_FAULT && !same_registers(&outcome->state, &c->state);
}

static void run_case(struct bench *b, size_t number, bool verbose)
{
	struct fl_location location = {0};
	struct insn_outcome outcome = {0};
	struct insn_case c;
	const char *verdict;

	b->board->current = number;
	if (!insn_case_make(&b->world, &b->specs.item[number], b->seed, number, &c)) {
		b->board->unencodable++;
		if (verbose)
			printf("# case %zu cannot be encoded\n", number);
		return;
	}
	native_prepare(&b->world, &c);
	native_insn(b->run, &c.state, &outcome);
	verdict = judge(b, &c, &outcome, &location);
	count(&b->board->tally[c.class], &c, &outcome, &location, verdict != NULL);
	if (verbose || (verdict && b->board->shown++ < b->board->shown_max))
		show(b, number, &c, &outcome, &location, verdict ? verdict : "as the CPU says");
}

static void run_batch(struct bench *b, size_t first)
{
	size_t end = FL_MIN(first + BATCH, b->specs.count);

	alarm(BATCH_S);
	native_use_amx();
	for (size_t i = first; i < end; i++)
		run_case(b, i, false);
	fflush(stdout);
	_exit(0);
}

/* A crash is a failed case, and its name is known. */
static void run_all(struct bench *b)
{
	for (size_t first = 0; first < b->specs.count; first += BATCH) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (child == 0)
			run_batch(b, first);
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (status)
			fail_msg("case %zu (%s) ended the batch, status 0x%x; run it alone: test_native_locate %zu",
				 b->board->current, insn_form_at(b->specs.item[b->board->current].form)->name, status,
				 b->board->current);
	}
}

static void make_bench(struct bench *b, uint64_t seed)
{
	*b = (struct bench){.seed = seed, .run = native_new()};
	assert_non_null(b->run);
	b->board = mmap(NULL, sizeof(*b->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(b->board, MAP_FAILED);
	b->board->shown_max = SHOWN_MAX;
	assert_true(native_world_init(&b->world, b->run));
	insn_specs_make(&b->world, &b->specs);
}

static void say_cpu(void)
{
	char line[256];
	FILE *info = fopen("/proc/cpuinfo", "r");

	while (info && fgets(line, sizeof(line), info))
		if (strncmp(line, "model name", 10) == 0) {
			printf("# CPU %s", strchr(line, ':'));
			break;
		}
	if (info)
		fclose(info);
	for (unsigned int i = 1; i < NEED_COUNT; i++)
		if (!insn_cpu_has(i))
			printf("# not on this CPU: %s\n", insn_need_name(i));
}

static unsigned int say_table(const struct board *board)
{
	struct tally sum = {0};

	printf("# %-26s %8s %8s %8s %8s %8s %8s\n", "class", "cases", "faults", "within", "resumed", "quiet", "wrong");
	for (unsigned int i = 0; i < CLASS_COUNT; i++) {
		const struct tally *t = &board->tally[i];

		printf("# %-26s %8u %8u %8u %8u %8u %8u\n", insn_class_name(i), t->cases, t->faults, t->within,
		       t->resumed, t->quiet, t->wrong);
		sum.cases += t->cases;
		sum.faults += t->faults;
		sum.within += t->within;
		sum.resumed += t->resumed;
		sum.quiet += t->quiet;
		sum.wrong += t->wrong;
	}
	printf("# %-26s %8u %8u %8u %8u %8u %8u\n", "all", sum.cases, sum.faults, sum.within, sum.resumed, sum.quiet,
	       sum.wrong);
	return sum.wrong;
}

struct how {
	bool all; /* every difference is shown */
	uint64_t seed;
};

static void test_all(void **state)
{
	const struct how *how = *state;
	struct bench b;
	unsigned int wrong;

	make_bench(&b, how->seed);
	if (how->all)
		b.board->shown_max = UINT32_MAX;
	say_cpu();
	printf("# seed %llu, %zu cases\n", (unsigned long long)b.seed, b.specs.count);
	run_all(&b);
	wrong = say_table(b.board);
	free(b.specs.item);
	assert_int_equal(wrong, 0);
}

static int run_one(const char *number, const char *seed)
{
	size_t which = strtoul(number, NULL, 0);
	struct bench b;

	make_bench(&b, seed ? strtoull(seed, NULL, 0) : SEED);
	if (which >= b.specs.count) {
		printf("there are %zu cases\n", b.specs.count);
		return 1;
	}
	native_use_amx();
	run_case(&b, which, true);
	return 0;
}

int main(int argc, char **argv)
{
	bool all = argc > 1 && strcmp(argv[1], "all") == 0;
	struct how how = {.all = all, .seed = argc > 2 ? strtoull(argv[2], NULL, 0) : SEED};
	const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_all, &how)};

	alarm(LIMIT_S);
	if (argc > 1 && !all)
		return run_one(argv[1], argc > 2 ? argv[2] : NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
