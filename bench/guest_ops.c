/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/guest_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BATCHES_MAX    1000
#define CALIBRATION_NS 50000000
#define LINE_LEN       256
#define FILE_LEN_MAX   ((size_t)1 << 20)

static const struct op *const tables[] = {call_ops, memory_ops, file_ops};
uint64_t ticks_per_s;

uint64_t tsc(void)
{
	uint32_t low, high;

	/* waits for what comes before; what comes after cannot matter to batches of this length */
	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "guest_ops: %s: %s\n", what, strerror(errno));
	exit(99);
}

/* In as few requests to the share's server as there can be. */
static void fill(int fd, size_t len)
{
	static char block[FILE_LEN_MAX];

	memset(block, 'x', len);
	need(pwrite(fd, block, len, 0) == (ssize_t)len, "filling a file");
}

int dax_file(size_t len)
{
	int fd = open("ops", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	need(fd >= 0 && unlink("ops") == 0, "a file in the share");
	fill(fd, len);
	return fd;
}

int tmpfs_file(size_t len)
{
	int fd = memfd_create("ops", MFD_CLOEXEC);

	need(fd >= 0, "memfd");
	fill(fd, len);
	return fd;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t calibrate(void)
{
	uint64_t began_ns = monotonic_ns(), began = tsc(), ns;

	do
		ns = monotonic_ns() - began_ns;
	while (ns < CALIBRATION_NS);
	return (uint64_t)((double)(tsc() - began) * 1e9 / (double)ns);
}

static const struct op *find(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct op *op = tables[i]; op->name; op++)
			if (strcmp(op->name, name) == 0)
				return op;
	return NULL;
}

static uint64_t batch(const struct op *op)
{
	uint64_t began = tsc();

	if (op->ticks)
		return op->ticks(op->per_batch);
	op->run(op->per_batch);
	return tsc() - began;
}

static void measure(const struct op *op, unsigned int batches)
{
	static uint64_t ticks[BATCHES_MAX];

	if (op->prepare)
		op->prepare();
	/* what only the first one pays: caches, mappings of the window, lazily made tables */
	batch(op);
	for (unsigned int i = 0; i < batches; i++)
		ticks[i] = batch(op);
	if (op->finish)
		op->finish();
	printf("%s", op->name);
	for (unsigned int i = 0; i < batches; i++)
		printf(" %.3f", (double)ticks[i] / op->per_batch);
	printf("\n");
	fflush(stdout);
}

static void introduce(void)
{
	printf("ready %llu", (unsigned long long)ticks_per_s);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct op *op = tables[i]; op->name; op++)
			printf(" %s", op->name);
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[LINE_LEN], name[LINE_LEN];
	unsigned int batches;

	need(argc == 2 && chdir(argv[1]) == 0, "usage: guest_ops DIR");
	/* faults of this program's own are no part of what is measured */
	mlockall(MCL_CURRENT);
	ticks_per_s = calibrate();
	introduce();
	while (fgets(line, sizeof(line), stdin)) {
		const struct op *op;

		if (sscanf(line, "%255s %u", name, &batches) != 2 || batches == 0 || batches > BATCHES_MAX)
			break;
		op = find(name);
		errno = ENOENT;
		need(!!op, name);
		measure(op, batches);
	}
	return 0;
}
