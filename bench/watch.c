/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_watch [--cuts N]
 *
 * How long a guest that keeps reading a page is left alone after the host has cut it off: from right before ftruncate()
 * until the first instruction of the guest's handler, a port exit, has come out. In strict mode and in watch mode, by
 * turns of 50 cuts; the pauses between cuts differ, so that nothing falls into step with anything.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <time.h>

#include "bench/figures.h"
#include "tests/kvm/load.h"

#define CUTS_MAX 5000u
#define CALM	 1000u /* accesses without a fault before the next cut */
#define WAIT_S	 20
#define BAD_PAGE UINT64_C(0x5000)
#define MODES	 2
#define TURN	 50u /* cuts in a VM */

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

struct victim {
	struct load load;
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t hit;
	bool armed;
	uint64_t hit_ns; /* of the first fault since it was armed */
	uint64_t samples[CUTS_MAX];
};

static void on_handler(struct load *load, unsigned int index)
{
	struct victim *victim = load->arg;

	(void)index;
	FL_LOCKED(&victim->lock);
	if (!victim->armed)
		return;
	victim->armed = false;
	victim->hit_ns = load_now_ns();
	pthread_cond_signal(&victim->hit);
}

static uint64_t counter(struct victim *victim, uint64_t offset)
{
	return __atomic_load_n((uint64_t *)(void *)(mini_block(victim->load.vm, 0) + offset), __ATOMIC_RELAXED);
}

static void nap(uint64_t ns)
{
	const struct timespec pause = {.tv_nsec = (long)ns};

	nanosleep(&pause, NULL);
}

/* The guest reads the page again, and no fault is under way. */
static void wait_for_calm(struct victim *victim)
{
	uint64_t deadline = load_now_ns() + WAIT_S * UINT64_C(1000000000);
	uint64_t faults, turns;

	do {
		faults = counter(victim, LOAD_FAULTS);
		turns = counter(victim, LOAD_TURNS);
		nap(200000);
		if (load_now_ns() > deadline)
			fail_msg("the guest does not read its page again");
	} while (counter(victim, LOAD_FAULTS) != faults || counter(victim, LOAD_TURNS) < turns + CALM);
}

static uint64_t cut(struct victim *victim)
{
	struct timespec limit;
	uint64_t began;
	int result = 0;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += WAIT_S;
	FL_LOCKED(&victim->lock);
	victim->armed = true;
	began = load_now_ns();
	mini_truncate(victim->load.vm, BAD_PAGE);
	while (victim->armed && result == 0)
		result = pthread_cond_timedwait(&victim->hit, &victim->lock, &limit);
	if (result)
		fail_msg("no fault came for %d s", WAIT_S);
	return victim->hit_ns - began;
}

static void victim_start(struct victim *victim, struct mini_vm *vm)
{
	struct mini_start start = {.program = load_faults, .cpl = 3, .rbx = mini_gva(BAD_PAGE)};

	pthread_mutex_init(&victim->lock, NULL);
	pthread_cond_init(&victim->hit, NULL);
	load_init(&victim->load, vm, load_say_and_skip);
	victim->load.on_handler = on_handler;
	victim->load.arg = victim;
	load_start(&victim->load, 0, start);
	mini_wait_ready(vm, 0);
}

static void victim_end(struct victim *victim)
{
	struct mini_vm *vm = victim->load.vm;

	load_stop(&victim->load, 0);
	mini_free(vm);
	pthread_cond_destroy(&victim->hit);
	pthread_mutex_destroy(&victim->lock);
}

static void measure(struct mini_vm *vm, struct victim *victim, unsigned int first, unsigned int end)
{
	victim_start(victim, vm);
	for (unsigned int i = first; i < end; i++) {
		wait_for_calm(victim);
		nap(i * 7919 % 1000 * 1000);
		victim->samples[i] = cut(victim);
		mini_truncate(vm, MINI_FILE_LEN);
	}
	victim_end(victim);
}

int main(int argc, char **argv)
{
	unsigned int cuts = (unsigned int)option(argc, argv, "cuts", 1000);
	struct victim *victims = calloc(MODES, sizeof(*victims));
	struct figures figures[MODES];

	if (!cuts || cuts > CUTS_MAX || !victims) {
		fprintf(stderr, "usage: %s [--cuts N], N from 1 to %u\n", argv[0], CUTS_MAX);
		return 2;
	}
	alarm(300);
	for (unsigned int i = 0; i < cuts; i += TURN) {
		measure(mini_new(1, reflect), &victims[0], i, FL_MIN(i + TURN, cuts));
		measure(mini_new_watched(1, reflect), &victims[1], i, FL_MIN(i + TURN, cuts));
	}
	heading("mode", "cuts", "min, us", "median, us", "99 %, us", "worst, us", "of strict", NULL);
	for (int i = 0; i < MODES; i++) {
		figures[i] = figures_of(victims[i].samples, cuts, 1000);
		row(i ? "watch" : "strict", cell("%u", cuts), cell("%.0f", figures[i].min),
		    cell("%.0f", figures[i].median), cell("%.0f", figures[i].p99), cell("%.0f", figures[i].max),
		    cell("%.2f", figures[i].median / figures[0].median), NULL);
	}
	free(victims);
	return 0;
}
