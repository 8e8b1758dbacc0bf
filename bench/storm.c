/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_storm [--seconds N]
 *
 * Two files cut, grown, punched and swapped under four vCPUs at full speed, in both fault modes: storm.h. It fails if a
 * VM ends, a vCPU stands still, a fault is delivered and not taken, or a word is read that nobody wrote there.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>

#include "bench/figures.h"
#include "tests/kvm/storm.h"

#define PAUSE_MAX_S 10.0

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static uint64_t sum(const uint64_t *each)
{
	return each[0] + each[1] + each[2] + each[3];
}

static uint64_t unanswered(const struct storm_result *result)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < MINI_VCPUS_MAX; i++)
		count += result->reported[i] > result->faults[i] ? result->reported[i] - result->faults[i]
								 : result->faults[i] - result->reported[i];
	return count;
}

static uint64_t storm(const char *mode, struct mini_vm *vm, uint64_t seconds)
{
	struct storm_result result;
	uint64_t lost;

	storm_run(vm, (double)seconds, PAUSE_MAX_S, &result);
	mini_free(vm);
	lost = unanswered(&result);
	row(mode, cell("%u", (unsigned int)seconds),
	    cell("%llu", (unsigned long long)(result.cuts + result.growths + result.punches + result.swaps)),
	    cell("%llu", (unsigned long long)sum(result.turns)), cell("%llu", (unsigned long long)sum(result.faults)),
	    cell("%llu", (unsigned long long)lost), cell("%llu", (unsigned long long)result.wrong),
	    cell("%.0f", (double)result.longest_pause_ns / 1e6), NULL);
	return lost + result.wrong;
}

int main(int argc, char **argv)
{
	uint64_t seconds = option(argc, argv, "seconds", 60);
	uint64_t trouble;

	alarm((unsigned int)(2 * seconds) + 120);
	heading("mode", "seconds", "changes by the host", "accesses", "faults", "not answered", "wrong words",
		"longest pause of a vCPU, ms", NULL);
	trouble = storm("strict", mini_new(MINI_VCPUS_MAX, reflect), seconds);
	trouble += storm("watch", mini_new_watched(MINI_VCPUS_MAX, reflect), seconds);
	return trouble ? 1 : 0;
}
