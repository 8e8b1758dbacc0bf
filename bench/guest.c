/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_guest LAUNCHER GUEST_OPS [--rounds N] [--seconds N] [--instructions 1]
 *
 * What PVPF costs a Linux guest where nothing is lost: small operations (guest_ops.h) in a guest with it, in one whose
 * kernel has it and was told pvpf=off, and in one whose kernel was built from the same source without the patches.
 * Two guests of each, all there at once and asked in turn, operation by operation; where the two of one kind differ,
 * that is noise. The rounds end after so many seconds, but not before there are PAIRED_ROUNDS_MIN.
 *
 * With --instructions the TSC is taken for a counter of instructions, which it is in scripts/box --count-instructions.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/figures.h"
#include "bench/kept_guest.h"
#include "bench/paired.h"
#include "tests/box/guest_run.h"

#define BATCHES	     7u
#define OPS_MAX	     40
#define QUESTION_LEN 64

enum kind { WITHOUT, OFF, ON, KINDS };
/* the last one is asked for the way out of idle alone: with HLT exits, as where nothing is lost or watch mode is used
 */
enum { PER_KIND = 2, GUESTS = KINDS * PER_KIND + 1, WATCHING = GUESTS - 1 };

static const char *const kind_names[] = {[WITHOUT] = "without the patches", [OFF] = "pvpf=off", [ON] = "on"};

struct run {
	struct bench bench;
	struct kept_guest guests[GUESTS];
	double ticks_per_us;
	bool instructions;
	char *ops; /* the names, apart by NULs */
	const char *names[OPS_MAX];
	size_t op_count;
	size_t rounds;
	/* The fastest batch of each round, in ticks: interruptions from outside only ever add. */
	double samples[OPS_MAX][GUESTS][PAIRED_ROUNDS_MAX];
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Not of the counted ones: how late a timer is there is told by the clock of the machine that emulates. */
static bool is_idle(const char *op)
{
	return strcmp(op, "idle") == 0;
}

static bool start_guest(struct run *run, unsigned int number)
{
	/* a watchdog would find that the guest stood still, which it did */
	const char *params = "nowatchdog rcupdate.rcu_cpu_stall_suppress=1";
	const char *params_off = "nowatchdog rcupdate.rcu_cpu_stall_suppress=1 pvpf=off";
	enum kind kind = number == WATCHING ? ON : (enum kind)(number / PER_KIND);
	const char *options[] = {"-m",
				 "192M",
				 "-p",
				 kind == OFF ? params_off : params,
				 "--fault-mode",
				 number == WATCHING ? "watch" : "strict",
				 kind == WITHOUT ? "-k" : NULL,
				 run->bench.stock_kernel,
				 NULL};

	return kept_start(&run->guests[number], &run->bench, number, options);
}

/* "ready HZ NAME..." */
static bool read_names(struct run *run, const char *line)
{
	double hz;
	int used;
	char *rest = NULL;

	if (sscanf(line, "ready %lf%n", &hz, &used) != 1 || hz <= 0)
		return false;
	run->ticks_per_us = hz / 1e6;
	run->ops = strdup(line + used);
	for (char *name = strtok_r(run->ops, " ", &rest); name && run->op_count < OPS_MAX;
	     name = strtok_r(NULL, " ", &rest))
		run->names[run->op_count++] = name;
	return run->op_count > 0;
}

static bool start_all(struct run *run)
{
	for (unsigned int i = 0; i < GUESTS; i++) {
		if (start_guest(run, i)) {
			fprintf(stderr, "guest %u of %d is up\n", i + 1, GUESTS);
			continue;
		}
		fprintf(stderr, "the guest \"%s\" did not start\n",
			i == WATCHING ? "watch mode" : kind_names[i / PER_KIND]);
		return false;
	}
	return read_names(run, run->guests[0].line);
}

/* The least of "NAME TICKS...", 0 if that is not what the line is. */
static double read_answer(const char *line, const char *name)
{
	double least = 0;
	size_t len = strlen(name);
	const char *at = line + len;

	if (strncmp(line, name, len) != 0)
		return 0;
	for (unsigned int i = 0; i < BATCHES; i++) {
		char *end;
		double ticks = strtod(at, &end);

		if (end == at)
			return 0;
		at = end;
		if (i == 0 || ticks < least)
			least = ticks;
	}
	return least;
}

static bool ask_for(struct run *run, size_t op, unsigned int number)
{
	struct kept_guest *guest = &run->guests[number];
	char question[QUESTION_LEN];
	double least = 0;

	snprintf(question, sizeof(question), "%s %u", run->names[op], BATCHES);
	if (kept_ask(guest, question))
		least = read_answer(guest->line, run->names[op]);
	if (least <= 0)
		fprintf(stderr, "guest %u did not answer to %s\n", number, run->names[op]);
	run->samples[op][number][run->rounds] = least;
	return least > 0;
}

static bool run_round(struct run *run)
{
	for (size_t op = 0; op < run->op_count; op++) {
		if (run->instructions && is_idle(run->names[op]))
			continue;
		for (unsigned int i = 0; i < GUESTS; i++) {
			/* each guest is first as often as any other */
			unsigned int number = (unsigned int)(i + run->rounds) % GUESTS;

			if (number == WATCHING && !is_idle(run->names[op]))
				continue;
			if (!ask_for(run, op, number))
				return false;
		}
	}
	run->rounds++;
	fprintf(stderr, "round %zu is done\n", run->rounds);
	return true;
}

static bool run_rounds(struct run *run, size_t rounds, double seconds)
{
	double began = now_s();

	while (run->rounds < rounds && (run->rounds < PAIRED_ROUNDS_MIN || now_s() - began < seconds))
		if (!run_round(run))
			return false;
	return true;
}

static void kind_samples(const struct run *run, size_t op, enum kind kind, double *samples)
{
	const double *first = run->samples[op][kind * PER_KIND], *second = run->samples[op][kind * PER_KIND + 1];

	for (size_t i = 0; i < run->rounds; i++)
		samples[i] = (first[i] + second[i]) / 2;
}

static double op_noise(const struct run *run, size_t op)
{
	struct interval itself[KINDS];

	for (unsigned int kind = 0; kind < KINDS; kind++)
		itself[kind] =
			ratio_of(run->samples[op][kind * PER_KIND], run->samples[op][kind * PER_KIND + 1], run->rounds);
	return noise_of(itself, KINDS);
}

static struct interval op_ratio(const struct run *run, size_t op, enum kind kind)
{
	double samples[PAIRED_ROUNDS_MAX], without[PAIRED_ROUNDS_MAX];

	kind_samples(run, op, kind, samples);
	kind_samples(run, op, WITHOUT, without);
	return ratio_of(samples, without, run->rounds);
}

static const char *interval_cell(const struct interval *interval)
{
	return cell("%.3f (%.3f to %.3f)", interval->mid, interval->low, interval->high);
}

static double kind_us(const struct run *run, size_t op, enum kind kind)
{
	double samples[PAIRED_ROUNDS_MAX];

	kind_samples(run, op, kind, samples);
	return median_of(samples, run->rounds) / run->ticks_per_us;
}

static void times_table(const struct run *run)
{
	unsigned int verdicts[TOO_NOISY + 1] = {0};

	heading("operation", "without the patches, us", "pvpf=off: ratio", "on: ratio", "two of a kind", "pvpf=off is",
		"on is", NULL);
	for (size_t op = 0; op < run->op_count; op++) {
		if (is_idle(run->names[op]))
			continue;
		struct interval off = op_ratio(run, op, OFF), on = op_ratio(run, op, ON);
		double noise = op_noise(run, op);
		enum verdict off_verdict = verdict_of(&off, noise), on_verdict = verdict_of(&on, noise);

		verdicts[off_verdict]++;
		verdicts[on_verdict]++;
		row(run->names[op], cell("%.2f", kind_us(run, op, WITHOUT)), interval_cell(&off), interval_cell(&on),
		    cell("%.3f", noise), verdict_text(off_verdict), verdict_text(on_verdict), NULL);
	}
	printf("\n");
	heading("rounds", "comparisons within noise", "slower", "faster", "too noisy to tell", NULL);
	row(cell("%zu", run->rounds), cell("%u", verdicts[WITHIN_NOISE]), cell("%u", verdicts[SLOWER]),
	    cell("%u", verdicts[FASTER]), cell("%u", verdicts[TOO_NOISY]), NULL);
}

/* Of all rounds: no interrupt came into that batch, and what a kernel does now and then it did not do in it. */
static double guest_least(const struct run *run, size_t op, unsigned int number)
{
	double least = run->samples[op][number][0];

	for (size_t i = 1; i < run->rounds; i++)
		if (run->samples[op][number][i] < least)
			least = run->samples[op][number][i];
	return least;
}

static double guest_median(const struct run *run, size_t op, unsigned int number)
{
	double samples[PAIRED_ROUNDS_MAX];

	memcpy(samples, run->samples[op][number], run->rounds * sizeof(*samples));
	return median_of(samples, run->rounds);
}

static const char *more_cell(double more, double apart)
{
	/* ticks are given with three digits */
	if (more > -0.002 && more < 0.002)
		return "none";
	return cell("%+.1f%s", more, more <= apart && more >= -apart ? " (noise)" : "");
}

static void instructions_table(const struct run *run)
{
	heading("operation", "without the patches", "pvpf=off: more", "on: more", "two of a kind differ by", NULL);
	for (size_t op = 0; op < run->op_count; op++) {
		double count[KINDS], apart = 0;

		if (is_idle(run->names[op]))
			continue;
		for (unsigned int kind = 0; kind < KINDS; kind++) {
			double first = guest_least(run, op, kind * PER_KIND);
			double second = guest_least(run, op, kind * PER_KIND + 1);

			count[kind] = first < second ? first : second;
			if (fabs(first - second) > apart)
				apart = fabs(first - second);
		}
		row(run->names[op], cell("%.1f", count[WITHOUT]), more_cell(count[OFF] - count[WITHOUT], apart),
		    more_cell(count[ON] - count[WITHOUT], apart), apart < 0.002 ? "none" : cell("%.1f", apart), NULL);
	}
}

static void idle_row(const struct run *run, size_t op, const char *what, unsigned int number, double of)
{
	double median = guest_median(run, op, number) / run->ticks_per_us;

	row(what, cell("%.2f", guest_least(run, op, number) / run->ticks_per_us), cell("%.2f", median),
	    cell("%.2f", median / of), NULL);
}

static void idle_table(const struct run *run)
{
	for (size_t op = 0; op < run->op_count; op++) {
		if (!is_idle(run->names[op]))
			continue;
		double of = guest_median(run, op, WATCHING) / run->ticks_per_us;

		printf("\n");
		heading("woken by a timer out of", "min, us", "median, us", "of HLT with an exit", NULL);
		idle_row(run, op, "HLT with an exit (watch mode)", WATCHING, of);
		idle_row(run, op, "the idle MSR", ON * PER_KIND, of);
		idle_row(run, op, "the idle MSR, another guest", ON * PER_KIND + 1, of);
		idle_row(run, op, "HLT without an exit (pvpf=off)", OFF * PER_KIND, of);
		idle_row(run, op, "HLT without an exit (without the patches)", WITHOUT * PER_KIND, of);
	}
}

static bool measure(struct run *run, size_t rounds, double seconds)
{
	bool good = start_all(run) && run_rounds(run, rounds, seconds);

	for (unsigned int i = 0; i < GUESTS; i++) {
		int status = kept_end(&run->guests[i]);

		if (good && status != 0) {
			fprintf(stderr, "guest %u ended with status %d\n", i, status);
			good = false;
		}
	}
	return good;
}

int main(int argc, char **argv)
{
	static struct run run;
	char reason[512];
	bool instructions = run.instructions = option(argc, argv, "instructions", 0) != 0;
	/* what is counted needs no more than a few that nothing interrupts, and what is timed takes all there is time
	 * for */
	size_t rounds = option(argc, argv, "rounds", instructions ? 3 : 60);
	double seconds = (double)option(argc, argv, "seconds", 200);

	if (argc < 3 || rounds < (instructions ? 1 : PAIRED_ROUNDS_MIN) || rounds > PAIRED_ROUNDS_MAX ||
	    !bench_open(&run.bench, argv[1], argv[2])) {
		fprintf(stderr, "usage: %s LAUNCHER GUEST_OPS [--rounds %d to %d] [--seconds N] [--instructions 1]\n",
			argv[0], PAIRED_ROUNDS_MIN, PAIRED_ROUNDS_MAX);
		return 2;
	}
	bool good = bench_runs_linux(&run.bench, reason, sizeof(reason));

	if (!good)
		fprintf(stderr, "no Linux guest can run here: %s\n", reason);
	good = good && measure(&run, rounds, seconds);
	if (good && instructions) {
		instructions_table(&run);
	} else if (good) {
		times_table(&run);
		idle_table(&run);
	}
	free(run.ops);
	bench_close(&run.bench);
	return good ? 0 : 1;
}
