/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <math.h>

#include "bench/paired.h"

#define ROUNDS 15
#define TRIALS 1000

/* xorshift64: made-up noise that is the same each time */
static double uniform(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

static void assert_near(double got, double expected)
{
	assert_true(fabs(got - expected) < 1e-9);
}

static void test_the_median_needs_no_order(void **state)
{
	double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2}, one[] = {7};

	(void)state;
	assert_near(median_of(odd, 3), 5);
	assert_near(median_of(even, 4), 2.5);
	assert_near(median_of(one, 1), 7);
}

/* Critical values of the sign test, two-sided, 5 %, as tables of it give them: the interval goes from the rth to the
   rth-last value. */
static void test_the_interval_is_that_of_the_sign_test(void **state)
{
	static const struct {
		size_t count, r;
	} known[] = {{6, 1}, {7, 1}, {8, 1}, {9, 2}, {11, 2}, {12, 3}, {15, 4}, {17, 5}, {20, 6}, {25, 8}, {30, 10}};
	double values[30];

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		/* 1 to count, the last ones first */
		for (size_t j = 0; j < known[i].count; j++)
			values[j] = (double)(known[i].count - j);
		struct interval interval = interval_of(values, known[i].count);

		assert_near(interval.low, (double)known[i].r);
		assert_near(interval.high, (double)(known[i].count + 1 - known[i].r));
		assert_near(interval.mid, ((double)known[i].count + 1) / 2);
	}
}

static void test_too_few_values_give_all_of_them(void **state)
{
	double values[] = {3, 1, 2};
	struct interval interval = interval_of(values, 3);

	(void)state;
	assert_near(interval.low, 1);
	assert_near(interval.mid, 2);
	assert_near(interval.high, 3);
}

/* What slows a whole round down is not seen in the ratio, and one that was disturbed in the middle does not decide. */
static void test_a_ratio_is_within_its_round(void **state)
{
	double left[ROUNDS], right[ROUNDS];

	(void)state;
	for (size_t i = 0; i < ROUNDS; i++) {
		right[i] = 100 * pow(1.7, (double)(i % 5));
		left[i] = 1.25 * right[i];
	}
	left[3] *= 50;
	right[8] *= 1000;
	struct interval ratio = ratio_of(left, right, ROUNDS);

	assert_near(ratio.low, 1.25);
	assert_near(ratio.mid, 1.25);
	assert_near(ratio.high, 1.25);
}

static void test_noise_is_the_farthest_end_on_either_side(void **state)
{
	static const struct interval above[] = {{0.99, 1, 1.02}, {0.98, 1.01, 1.04}};
	static const struct interval below[] = {{0.8, 0.9, 0.95}, {0.98, 1.01, 1.04}};

	(void)state;
	assert_near(noise_of(above, 2), 1.04);
	assert_near(noise_of(below, 2), 1.25);
	assert_near(noise_of(above, 0), 1);
}

static void test_verdicts(void **state)
{
	static const struct {
		struct interval ratio;
		double noise;
		enum verdict verdict;
	} cases[] = {
		{{0.99, 1.00, 1.01}, 1.02, WITHIN_NOISE},
		{{1.005, 1.01, 1.03}, 1.02, WITHIN_NOISE}, /* not 1, but not more than the noise */
		{{1.02, 1.03, 1.04}, 1.02, SLOWER},
		{{0.99, 1.03, 1.04}, 1.02, WITHIN_NOISE}, /* it can be 1 */
		{{0.96, 0.97, 0.98}, 1.02, FASTER},
		{{0.96, 0.97, 1.01}, 1.02, WITHIN_NOISE},
		{{0.99, 1.00, 1.01}, 1.20, TOO_NOISY},
		{{1.05, 1.10, 1.15}, 1.20, TOO_NOISY},
		{{1.40, 1.50, 1.60}, 1.20, SLOWER}, /* even so */
		{{0.60, 0.65, 0.70}, 1.20, FASTER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(verdict_of(&cases[i].ratio, cases[i].noise), cases[i].verdict);
	assert_string_equal(verdict_text(WITHIN_NOISE), "within noise");
}

/*
 * A machine: every round of another speed, every measurement up to 1 % longer than it should be, one in thirty
 * interrupted for as long again.
 */
static double measured(double cost, double speed, uint64_t *seed)
{
	double disturbed = uniform(seed) < 0.03 ? 2 : 1;

	return cost * speed * (1 + 0.01 * uniform(seed)) * disturbed;
}

static enum verdict trial(double slower_by, uint64_t *seed)
{
	double left[2][ROUNDS], right[2][ROUNDS];
	struct interval itself[2];

	for (size_t i = 0; i < ROUNDS; i++) {
		double speed = 1 + uniform(seed);

		for (size_t j = 0; j < 2; j++) {
			left[j][i] = measured(slower_by, speed, seed);
			right[j][i] = measured(1, speed, seed);
		}
	}
	itself[0] = ratio_of(left[0], left[1], ROUNDS);
	itself[1] = ratio_of(right[0], right[1], ROUNDS);
	struct interval ratio = ratio_of(left[0], right[0], ROUNDS);

	return verdict_of(&ratio, noise_of(itself, 2));
}

static unsigned int alarms(double slower_by, enum verdict verdict)
{
	uint64_t seed = 0x9e3779b97f4a7c15u;
	unsigned int count = 0;

	for (unsigned int i = 0; i < TRIALS; i++)
		count += trial(slower_by, &seed) == verdict;
	return count;
}

static void test_equal_things_are_seldom_told_apart(void **state)
{
	(void)state;
	assert_in_range(alarms(1, SLOWER) + alarms(1, FASTER), 0, TRIALS / 20);
}

static void test_a_cost_of_five_percent_is_found(void **state)
{
	(void)state;
	assert_in_range(alarms(1.05, SLOWER), TRIALS * 98 / 100, TRIALS);
	assert_in_range(alarms(1 / 1.05, FASTER), TRIALS * 98 / 100, TRIALS);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_the_median_needs_no_order),
	cmocka_unit_test(test_the_interval_is_that_of_the_sign_test),
	cmocka_unit_test(test_too_few_values_give_all_of_them),
	cmocka_unit_test(test_a_ratio_is_within_its_round),
	cmocka_unit_test(test_noise_is_the_farthest_end_on_either_side),
	cmocka_unit_test(test_verdicts),
	cmocka_unit_test(test_equal_things_are_seldom_told_apart),
	cmocka_unit_test(test_a_cost_of_five_percent_is_found),
};

FL_TEST_MAIN(30, tests)
