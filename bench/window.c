/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_window [--passes N]
 *
 * What the machinery costs a guest that never faults: it reads 2 MiB of a window, the same pages of the same file
 * through a memslot over a plain mmap, and as much RAM before each of the two (else the second would find in the
 * cache what the first has read), in turn, warm, at CPL 3, one word every so many bytes.
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/mman.h>

#include "bench/figures.h"
#include "tests/kvm/load.h"

#define PASSES_MAX  4000u
#define WARM_PASSES 20u
#define PLACES	    4u
#define LEN	    FL_RANGE_LEN
#define PLAIN_GPA   UINT64_C(0x140000000)
#define RAM_GPA	    UINT64_C(0x140400000)
#define TABLE	    0x30e000 /* of the three places */

enum { PLACE_WINDOW, PLACE_RAM, PLACE_PLAIN, PLACE_RAM_AGAIN };

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

struct passes {
	uint64_t ticks[PLACES][PASSES_MAX];
	struct figures figures[PLACES];
};

static void take_passes(const struct load *load, struct passes *passes, unsigned int count, uint64_t words)
{
	double ticks_per_ns = (double)load_tsc_khz(load) / 1e6;
	const uint8_t *at = load->vm->ram.hva + LOAD_SAMPLES + (size_t)WARM_PASSES * PLACES * 8;

	for (unsigned int i = 0; i < count; i++)
		for (unsigned int place = 0; place < PLACES; place++, at += 8)
			memcpy(&passes->ticks[place][i], at, 8);
	for (unsigned int place = 0; place < PLACES; place++)
		passes->figures[place] = figures_of(passes->ticks[place], count, ticks_per_ns * (double)words);
}

/* Ordinary memory; returned for munmap. */
static void *add_places(struct load *load, void **plain)
{
	struct mini_vm *vm = load->vm;
	const uint64_t places[PLACES] = {MINI_WINDOW_GVA, RAM_GPA, PLAIN_GPA, RAM_GPA};
	uint8_t *ram = mmap(NULL, 2 * LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*plain = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, vm->file, 0);
	assert_true(ram != MAP_FAILED && *plain != MAP_FAILED);
	memset(ram, 1, 2 * LEN);
	load_add_plain(load, 30, PLAIN_GPA, *plain, LEN);
	load_add_plain(load, 31, RAM_GPA, ram, LEN);
	memcpy(vm->ram.hva + TABLE, places, sizeof(places));
	return ram;
}

static void measure(bool watch_mode, uint64_t stride, unsigned int count, struct passes *passes)
{
	struct mini_vm *vm = watch_mode ? mini_new_watched(1, reflect) : mini_new(1, reflect);
	struct mini_start start = {
		.program = load_reads,
		.cpl = 3,
		.rbx = TABLE,
		.rsi = LEN,
		.rdx = stride,
		.r8 = WARM_PASSES + count,
		.rdi = LOAD_SAMPLES,
	};
	struct load load;
	void *plain, *ram;

	load_init(&load, vm, load_skip);
	ram = add_places(&load, &plain);
	load_start(&load, 0, start);
	assert_true(mini_wait(vm, 0));
	fl_vcpu_stop(vm->vcpus[0]);
	take_passes(&load, passes, count, LEN / stride);
	assert_int_equal(load.seen[0].outcome[FL_OUTCOME_RECORD], 0);
	mini_free(vm);
	munmap(plain, LEN);
	munmap(ram, 2 * LEN);
}

int main(int argc, char **argv)
{
	unsigned int count = (unsigned int)option(argc, argv, "passes", 2000);
	static const uint64_t strides[] = {64, 4096 + 64};
	struct passes *passes = calloc(1, sizeof(*passes));

	if (!count || count > PASSES_MAX || !passes) {
		fprintf(stderr, "usage: %s [--passes N], N from 1 to %u\n", argv[0], PASSES_MAX);
		return 2;
	}
	alarm(120);
	heading("mode", "stride", "window, ns a word", "plain mapping, ns", "RAM, ns", "of the plain mapping's",
		"of RAM's", NULL);
	for (int watch_mode = 0; watch_mode < 2; watch_mode++) {
		for (size_t i = 0; i < FL_ARRAY_SIZE(strides); i++) {
			const struct figures *f = passes->figures;

			measure(watch_mode, strides[i], count, passes);
			row(watch_mode ? "watch" : "strict", cell("%u", (unsigned int)strides[i]),
			    cell("%.3f", f[PLACE_WINDOW].median), cell("%.3f", f[PLACE_PLAIN].median),
			    cell("%.3f", f[PLACE_RAM].median),
			    cell("%.3f", f[PLACE_WINDOW].median / f[PLACE_PLAIN].median),
			    cell("%.3f", f[PLACE_WINDOW].median / f[PLACE_RAM].median), NULL);
		}
	}
	free(passes);
	return 0;
}
