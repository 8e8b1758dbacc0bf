/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a SIGBUS takes, from the access until the program has jumped out of its handler: for a page that this
 * kernel itself has taken away (a memfd, cut short), and for one that the host has cut off under it, touched for the
 * first time and again. And how many there are in a second, one right after the other; a first one needs a new loss
 * each time, so that its rate is that of the accesses alone, without what the host does in between.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

#define CYCLES	 300
#define SLICES	 20
#define SLICE_NS 50000000u

static void load(uint8_t *map)
{
	(void)*(volatile uint8_t *)map;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *left, const void *right)
{
	uint64_t a, b;

	memcpy(&a, left, sizeof(a));
	memcpy(&b, right, sizeof(b));
	return (a > b) - (a < b);
}

/* The time of one SIGBUS; 0 if none came. */
static uint64_t time_access(uint8_t *map)
{
	uint64_t began = now_ns();

	return try_access(load, map).signal == SIGBUS ? now_ns() - began : 0;
}

static void say_figures(const char *name, uint64_t *ns)
{
	size_t lost = 0;

	qsort(ns, CYCLES, sizeof(*ns), compare);
	while (lost < CYCLES && ns[lost] == 0)
		lost++;
	if (lost == CYCLES) {
		say("figure %s none", name);
		return;
	}
	say("figure %s %.1f %.1f %.1f of %zu", name, (double)ns[lost] / 1e3,
	    (double)ns[lost + (CYCLES - lost) / 2] / 1e3, (double)ns[CYCLES - 1 - (CYCLES - lost) / 100] / 1e3,
	    CYCLES - lost);
}

/* 0 if any did not come: a rate of something else would be no rate. */
static uint64_t count_slice(uint8_t *map, uint64_t *spent_ns)
{
	uint64_t began = now_ns(), count = 0, ns;

	do {
		if (try_access(load, map).signal != SIGBUS)
			return 0;
		count++;
		ns = now_ns() - began;
	} while (ns < SLICE_NS);
	*spent_ns += ns;
	return count;
}

/* In turn, so that what else the machine does slows both. */
static void say_rates(uint8_t *native, uint8_t *again)
{
	uint64_t native_count = 0, again_count = 0, native_ns = 0, again_ns = 0;

	for (size_t i = 0; i < SLICES; i++) {
		uint64_t some = count_slice(native, &native_ns), others = count_slice(again, &again_ns);

		if (!some || !others)
			return;
		native_count += some;
		again_count += others;
	}
	say("rate native %.1f", (double)native_count * 1e9 / (double)native_ns);
	say("rate again %.1f", (double)again_count * 1e9 / (double)again_ns);
}

static void say_access_rate(const char *name, const uint64_t *ns)
{
	uint64_t count = 0, sum_ns = 0;

	for (size_t i = 0; i < CYCLES; i++) {
		count += ns[i] != 0;
		sum_ns += ns[i];
	}
	if (sum_ns)
		say("rate %s %.1f", name, (double)count * 1e9 / (double)sum_ns);
}

static uint8_t *native_page(int *fd)
{
	uint8_t *map = MAP_FAILED;

	*fd = memfd_create("native", MFD_CLOEXEC);
	if (*fd >= 0 && ftruncate(*fd, (off_t)PAGE) == 0)
		map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (map == MAP_FAILED)
		exit(96);
	return map;
}

void run_figures(void)
{
	static uint64_t native[CYCLES], first[CYCLES], again[CYCLES];
	struct test_file file = open_file("figures", FILE_PAGES);
	int fd;
	uint8_t *page = native_page(&fd);

	for (size_t i = 0; i < CYCLES; i++) {
		ask("truncate", file.name, FILE_PAGES * PAGE);
		/* or the kernel would go on believing that the page is gone */
		fresh_size(&file);
		if (ftruncate(fd, (off_t)PAGE) < 0 || try_access(load, page).signal ||
		    try_access(load, file.map).signal)
			exit(95);
		ask("truncate", file.name, 0);
		if (ftruncate(fd, 0) < 0)
			exit(95);
		native[i] = time_access(page);
		first[i] = time_access(file.map);
		again[i] = time_access(file.map);
	}
	say_figures("native", native);
	say_figures("first", first);
	say_figures("again", again);
	say_access_rate("first", first);
	say_rates(page, file.map);
	munmap(page, PAGE);
	close(fd);
	close_file(&file);
}
