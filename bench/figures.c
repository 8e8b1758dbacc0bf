/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/figures.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_LEN 96

static int compare(const void *left, const void *right)
{
	uint64_t a, b;

	memcpy(&a, left, sizeof(a));
	memcpy(&b, right, sizeof(b));
	return (a > b) - (a < b);
}

struct figures figures_of(uint64_t *samples, size_t count, double per_unit)
{
	qsort(samples, count, sizeof(*samples), compare);
	return (struct figures){
		.min = (double)samples[0] / per_unit,
		.median = (double)samples[count / 2] / per_unit,
		.p99 = (double)samples[count - 1 - count / 100] / per_unit,
		.max = (double)samples[count - 1] / per_unit,
	};
}

static unsigned int print_cells(const char *first, va_list args)
{
	unsigned int count = 0;

	for (const char *text = first; text; text = va_arg(args, const char *), count++)
		printf("| %s ", text);
	printf("|\n");
	return count;
}

void row(const char *first, ...)
{
	va_list args;

	va_start(args, first);
	print_cells(first, args);
	va_end(args);
	fflush(stdout);
}

void heading(const char *first, ...)
{
	va_list args;

	va_start(args, first);
	unsigned int count = print_cells(first, args);

	va_end(args);
	while (count--)
		printf("|---");
	printf("|\n");
}

const char *cell(const char *format, ...)
{
	static _Thread_local char ring[16][CELL_LEN];
	static _Thread_local unsigned int next;
	char *text = ring[next++ % 16];
	va_list args;

	va_start(args, format);
	vsnprintf(text, CELL_LEN, format, args);
	va_end(args);
	return text;
}

uint64_t option(int argc, char **argv, const char *name, uint64_t otherwise)
{
	for (int i = 1; i < argc; i++) {
		char *end = NULL;
		uint64_t value;

		if (strncmp(argv[i], "--", 2) != 0 || strcmp(argv[i] + 2, name) != 0)
			continue;
		value = i + 1 < argc ? strtoull(argv[i + 1], &end, 10) : 0;
		if (!end || *end || end == argv[i + 1]) {
			fprintf(stderr, "%s: --%s wants a number\n", argv[0], name);
			exit(2);
		}
		return value;
	}
	return otherwise;
}
