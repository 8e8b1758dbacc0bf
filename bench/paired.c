/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/paired.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAIL 0.025

static int compare(const void *left, const void *right)
{
	double a, b;

	memcpy(&a, left, sizeof(a));
	memcpy(&b, right, sizeof(b));
	return (a > b) - (a < b);
}

static double middle(const double *sorted, size_t count)
{
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

double median_of(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return middle(values, count);
}

/* How many values can be left out at each end: the most for which P(Bin(count, 1/2) <= that) is at most TAIL. */
static size_t left_out(size_t count)
{
	double term = pow(0.5, (double)count), tail = 0;
	size_t k = 0;

	/* term is P(Bin = k), tail is P(Bin < k) */
	while (tail + term <= TAIL && 2 * k < count) {
		tail += term;
		term *= (double)(count - k) / (double)(k + 1);
		k++;
	}
	return k ? k - 1 : 0;
}

struct interval interval_of(double *values, size_t count)
{
	size_t k = left_out(count);
	double mid = median_of(values, count);

	return (struct interval){.low = values[k], .mid = mid, .high = values[count - 1 - k]};
}

struct interval ratio_of(const double *left, const double *right, size_t count)
{
	double logs[PAIRED_ROUNDS_MAX];

	if (count > PAIRED_ROUNDS_MAX)
		count = PAIRED_ROUNDS_MAX;
	for (size_t i = 0; i < count; i++)
		logs[i] = log(left[i] / right[i]);
	struct interval interval = interval_of(logs, count);

	return (struct interval){.low = exp(interval.low), .mid = exp(interval.mid), .high = exp(interval.high)};
}

double noise_of(const struct interval *itself, size_t count)
{
	double noise = 1;

	for (size_t i = 0; i < count; i++)
		noise = fmax(noise, fmax(itself[i].high, 1 / itself[i].low));
	return noise;
}

enum verdict verdict_of(const struct interval *ratio, double noise)
{
	if (ratio->mid > noise && ratio->low > 1)
		return SLOWER;
	if (ratio->mid < 1 / noise && ratio->high < 1)
		return FASTER;
	return noise > PAIRED_NOISE_MAX ? TOO_NOISY : WITHIN_NOISE;
}

const char *verdict_text(enum verdict verdict)
{
	static const char *const texts[] = {
		[WITHIN_NOISE] = "within noise",
		[FASTER] = "faster",
		[SLOWER] = "slower",
		[TOO_NOISY] = "too noisy to tell",
	};

	return texts[verdict];
}
