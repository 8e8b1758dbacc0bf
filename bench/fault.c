/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_fault [--turns N]
 *
 * A reflected fault, end to end, against a plain port exit in the same loop of the same guest: the guest stamps the
 * TSC before and after each, turn by turn. The fault includes the exit, all of the fault's way, the injection,
 * the guest's handler (which frees the record and steps over the instruction) and its iret; the port exit includes
 * an embedder that does nothing. Then what the monitor's steps took of it.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>

#include "bench/figures.h"
#include "tests/kvm/load.h"

#define TURNS_MAX  10000u
#define WARM_TURNS 200u
#define LOST_PAGE  UINT64_C(0x5000)

enum { STEP_INTAKE, STEP_LOCATE, STEP_CLASSIFY, STEP_DECIDE, STEP_DELIVER, STEPS };

/* What the reports say, in the order they came. */
struct steps {
	unsigned int count;
	uint64_t ns[STEPS][TURNS_MAX];
	char shape[16];
};

struct samples {
	uint64_t exit[TURNS_MAX], fault[TURNS_MAX], nothing[TURNS_MAX];
};

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static void on_fault(struct load *load, const struct fl_fault *fault)
{
	struct steps *steps = load->arg;
	unsigned int at = steps->count++;

	if (at < WARM_TURNS || at - WARM_TURNS >= TURNS_MAX)
		return;
	at -= WARM_TURNS;
	snprintf(steps->shape, sizeof(steps->shape), "%s", fault->shape);
	steps->ns[STEP_INTAKE][at] = fault->times.intake_ns;
	steps->ns[STEP_LOCATE][at] = fault->times.locate_ns;
	steps->ns[STEP_CLASSIFY][at] = fault->times.classify_ns;
	steps->ns[STEP_DECIDE][at] = fault->times.decide_ns;
	steps->ns[STEP_DELIVER][at] = fault->times.deliver_ns;
}

static void take_samples(const struct load *load, struct samples *samples, unsigned int turns)
{
	const uint8_t *at = load->vm->ram.hva + LOAD_SAMPLES + WARM_TURNS * 24;

	for (unsigned int i = 0; i < turns; i++, at += 24) {
		memcpy(&samples->exit[i], at, 8);
		memcpy(&samples->fault[i], at + 8, 8);
		memcpy(&samples->nothing[i], at + 16, 8);
	}
}

static void figures_row(unsigned int cpl, const char *shape, const char *what, struct figures f, double of)
{
	row(cell("%u", cpl), shape, what, cell("%.1f", f.min), cell("%.1f", f.median), cell("%.1f", f.p99),
	    of > 0 ? cell("%.2f", f.median / of) : "", NULL);
}

static void print_pair(unsigned int cpl, const struct steps *steps, struct samples *samples, unsigned int turns,
		       double ticks_per_us)
{
	struct figures out = figures_of(samples->exit, turns, ticks_per_us);

	figures_row(cpl, "", "port exit", out, 0);
	figures_row(cpl, steps->shape, "reflected fault", figures_of(samples->fault, turns, ticks_per_us), out.median);
	figures_row(cpl, "", "two reads of the TSC", figures_of(samples->nothing, turns, ticks_per_us), 0);
}

static void print_steps(unsigned int cpl, struct steps *steps, unsigned int turns)
{
	static const char *const names[STEPS] = {"intake", "locate", "classify", "decide", "deliver"};

	for (unsigned int i = 0; i < STEPS; i++) {
		struct figures f = figures_of(steps->ns[i], turns, 1000);

		row(cell("%u", cpl), steps->shape, names[i], cell("%.1f", f.min), cell("%.1f", f.median),
		    cell("%.1f", f.p99), NULL);
	}
}

static void measure(unsigned int cpl, unsigned int turns, struct steps *steps, struct samples *samples,
		    double *ticks_per_us)
{
	struct mini_vm *vm = mini_new(1, reflect);
	struct mini_start start = {
		.program = load_pair,
		.cpl = cpl,
		.rbx = mini_gva(LOST_PAGE),
		.rcx = WARM_TURNS + turns,
		.rdi = LOAD_SAMPLES,
	};
	struct load load;

	memset(steps, 0, sizeof(*steps));
	mini_truncate(vm, LOST_PAGE);
	load_init(&load, vm, load_skip);
	load.on_fault = on_fault;
	load.arg = steps;
	*ticks_per_us = (double)load_tsc_khz(&load) / 1000;
	load_start(&load, 0, start);
	assert_true(mini_wait(vm, 0));
	assert_int_equal(steps->count, WARM_TURNS + turns);
	assert_int_equal(load.seen[0].outcome[FL_OUTCOME_RECORD], WARM_TURNS + turns);
	take_samples(&load, samples, turns);
	mini_free(vm);
}

int main(int argc, char **argv)
{
	unsigned int turns = (unsigned int)option(argc, argv, "turns", 5000);
	struct steps *steps = calloc(2, sizeof(*steps));
	struct samples *samples = calloc(2, sizeof(*samples));
	static const unsigned int cpls[2] = {3, 0};
	double ticks_per_us[2];

	if (!turns || turns > TURNS_MAX || !steps || !samples) {
		fprintf(stderr, "usage: %s [--turns N], N from 1 to %u\n", argv[0], TURNS_MAX);
		return 2;
	}
	alarm(60);
	for (int i = 0; i < 2; i++)
		measure(cpls[i], turns, &steps[i], &samples[i], &ticks_per_us[i]);
	heading("CPL", "shape", "", "min, us", "median, us", "99 %, us", "of a port exit", NULL);
	for (int i = 0; i < 2; i++)
		print_pair(cpls[i], &steps[i], &samples[i], turns, ticks_per_us[i]);
	if (steps[0].ns[STEP_INTAKE][0]) { /* this library measures itself */
		printf("\n");
		heading("CPL", "shape", "step", "min, us", "median, us", "99 %, us", NULL);
		for (int i = 0; i < 2; i++)
			print_steps(cpls[i], &steps[i], turns);
	}
	free(steps);
	free(samples);
	return 0;
}
