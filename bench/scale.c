/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_scale [--seconds N]
 *
 * Reflected faults per second with 1, 2 and 4 vCPUs at CPL 3, each on a lost page of its own, and port exits of as many
 * vCPUs right before for comparison. Where vCPUs outnumber CPUs, faults per second of CPU time are what
 * counts: they fall if vCPUs spin for each other, and threads wait (voluntary switches) if they sleep for each other.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <time.h>

#include "bench/figures.h"
#include "tests/kvm/load.h"

#define LOST_PAGE UINT64_C(0x5000)

struct rate {
	double per_s, per_cpu_s;
	double waits; /* per 1,000 turns */
	double least; /* the slowest vCPU's share of an equal one */
};

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static double seconds_of(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static double cpu_s(const struct rusage *usage)
{
	return seconds_of(usage->ru_utime) + seconds_of(usage->ru_stime);
}

static struct rate rate_of(struct load *load, unsigned int vcpus, double wall_s)
{
	double turns = 0, cpu = 0, waits = 0, least = 1e300;

	for (unsigned int i = 0; i < vcpus; i++) {
		const struct load_seen *seen = &load->seen[i];
		double mine = (double)mini_read64(load->vm, i, LOAD_TURNS);

		turns += mine;
		least = mine < least ? mine : least;
		cpu += cpu_s(&seen->usage_done) - cpu_s(&seen->usage_ready);
		waits += (double)(seen->usage_done.ru_nvcsw - seen->usage_ready.ru_nvcsw);
	}
	return (struct rate){
		.per_s = turns / wall_s,
		.per_cpu_s = turns / cpu,
		.waits = 1000 * waits / turns,
		.least = least * vcpus / turns,
	};
}

static struct rate measure(const uint8_t *program, unsigned int vcpus, double seconds)
{
	const struct timespec pause = {.tv_sec = (time_t)seconds,
				       .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
	struct mini_vm *vm = mini_new(vcpus, reflect);
	struct rate rate;
	struct load load;
	uint64_t began;

	mini_truncate(vm, LOST_PAGE);
	load_init(&load, vm, load_skip);
	for (unsigned int i = 0; i < vcpus; i++) {
		struct mini_start start = {.program = program, .cpl = 3, .rbx = mini_gva(LOST_PAGE + i * FL_PAGE_LEN)};

		load_start(&load, i, start);
	}
	for (unsigned int i = 0; i < vcpus; i++)
		mini_wait_ready(vm, i);
	began = load_now_ns();
	nanosleep(&pause, NULL);
	for (unsigned int i = 0; i < vcpus; i++)
		mini_write64(vm, i, MINI_STOP, 1);
	for (unsigned int i = 0; i < vcpus; i++)
		load_stop(&load, i);
	rate = rate_of(&load, vcpus, (double)(load_now_ns() - began) / 1e9);
	mini_free(vm);
	return rate;
}

static void rate_row(unsigned int vcpus, const char *what, const struct rate *rate, const struct rate *first)
{
	row(cell("%u", vcpus), what, cell("%.0f", rate->per_s), cell("%.0f", rate->per_cpu_s),
	    cell("%.2f", rate->per_cpu_s / first->per_cpu_s), cell("%.2f", rate->waits), cell("%.2f", rate->least),
	    NULL);
}

int main(int argc, char **argv)
{
	double seconds = (double)option(argc, argv, "seconds", 3);
	static const unsigned int counts[] = {1, 2, 4};
	struct rate first_exits = {0}, first_faults = {0};

	alarm((unsigned int)(6 * seconds) + 60);
	heading("vCPUs", "what", "per s", "per CPU second", "of 1 vCPU's", "waits per 1,000", "slowest vCPU's share",
		NULL);
	for (size_t i = 0; i < FL_ARRAY_SIZE(counts); i++) {
		struct rate exits = measure(load_exits, counts[i], seconds);
		struct rate faults = measure(load_faults, counts[i], seconds);

		if (i == 0)
			first_exits = exits, first_faults = faults;
		rate_row(counts[i], "port exits", &exits, &first_exits);
		rate_row(counts[i], "faults", &faults, &first_faults);
	}
	return 0;
}
