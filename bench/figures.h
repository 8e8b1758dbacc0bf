/* SPDX-License-Identifier: Apache-2.0 */
/* Figures from samples, and tables of them in Markdown on standard output. */
#ifndef FL_FIGURES_H
#define FL_FIGURES_H

#include <stddef.h>
#include <stdint.h>

struct figures {
	double min, median, p99, max;
};

/* Sorts the samples, which are in units of 1/per_unit. count: at least 1. */
struct figures figures_of(uint64_t *samples, size_t count, double per_unit);

/* A table's row from cells, the last one NULL; the first row of a table is its heading. */
void row(const char *cell, ...) __attribute__((sentinel));
void heading(const char *cell, ...) __attribute__((sentinel));

/* A cell's text, from a small ring of buffers: good for one row. */
const char *cell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The number after "--name", or otherwise; ends the program with a sentence if it is no number. */
uint64_t option(int argc, char **argv, const char *name, uint64_t otherwise);

#endif
