/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is one thing slower than another, or is that noise? Both are measured in each of several rounds, next to each other
 * in time, so that what slows the machine down slows both down; what is compared is the ratio within a round. How far
 * such a ratio is from 1 without any reason is seen where a thing is measured against itself.
 */
#ifndef FL_PAIRED_H
#define FL_PAIRED_H

#include <stddef.h>

/* With fewer no two of the values enclose the median with 95 %: (1/2)^5 + (1/2)^5 is more than 5 %. */
#define PAIRED_ROUNDS_MIN 6

/* Noise above which a cost that would matter could hide: nothing is said then but that. */
#define PAIRED_NOISE_MAX 1.05

/* The median, and where the true one is with a probability of at least 95 %. */
struct interval {
	double low, mid, high;
};

double median_of(double *values, size_t count); /* sorts; count: at least 1 */

/*
 * Order statistics: of independent values each is above the true median with a probability of one half, whatever the
 * distribution, so that a binomial tail says how far out an order statistic has to be. Sorts. count: at least
 * PAIRED_ROUNDS_MIN, or the interval is from the least to the greatest and holds less than it says.
 */
struct interval interval_of(double *values, size_t count);

/* Of the ratios left[i] / right[i], all positive. Up to PAIRED_ROUNDS_MAX of them are looked at. */
#define PAIRED_ROUNDS_MAX 128
struct interval ratio_of(const double *left, const double *right, size_t count);

/* How far, as a factor of at least 1, ratios of things to themselves are from 1: the farthest end of all intervals. */
double noise_of(const struct interval *itself, size_t count);

enum verdict { WITHIN_NOISE, FASTER, SLOWER, TOO_NOISY };

/*
 * SLOWER or FASTER: the ratio is beyond the noise, and 1 is not in its interval. Neither, and the noise is more than
 * PAIRED_NOISE_MAX: TOO_NOISY.
 */
enum verdict verdict_of(const struct interval *ratio, double noise);
const char *verdict_text(enum verdict verdict);

#endif
