/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a SIGBUS takes, from the access until the program has jumped out of its handler: for a page that this
 * kernel itself has taken away (a memfd, cut short), and for one that the host has cut off under it, touched for the
 * first time and again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

#define CYCLES 300

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
	munmap(page, PAGE);
	close(fd);
	close_file(&file);
}
