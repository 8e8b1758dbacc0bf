/* SPDX-License-Identifier: Apache-2.0 */
/* Files in a storm under four vCPUs: no VM is lost, no fault is lost, and no byte is wrong. bench_storm is the long
 * one. */
#include "tests/lib/fl_test.h"

#include <stdio.h>

#include "tests/kvm/storm.h"

#define SECONDS	    5.0
#define PAUSE_MAX_S 10.0 /* four vCPUs and the storm on as little as one CPU */

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

static void check(const struct storm_result *result)
{
	for (unsigned int i = 0; i < MINI_VCPUS_MAX; i++) {
		printf("# vCPU %u: %llu accesses, %llu faults, %llu zeros\n", i, (unsigned long long)result->turns[i],
		       (unsigned long long)result->faults[i], (unsigned long long)result->zeros[i]);
		assert_true(result->faults[i] > 0 && result->zeros[i] > 0);
		assert_true(result->turns[i] > result->faults[i] + result->zeros[i]);
		assert_int_equal(result->faults[i], result->reported[i]);
	}
	printf("# %llu retried; %llu cuts, %llu growths, %llu punches, %llu swaps, of them %llu after nothing "
	       "was mapped and %llu after only loads were permitted\n",
	       (unsigned long long)result->retried, (unsigned long long)result->cuts,
	       (unsigned long long)result->growths, (unsigned long long)result->punches,
	       (unsigned long long)result->swaps, (unsigned long long)result->unmaps,
	       (unsigned long long)result->upgrades);
	assert_true(result->cuts && result->growths && result->punches && result->swaps && result->unmaps &&
		    result->upgrades);
	assert_int_equal(result->wrong, 0);
}

static void storm(struct mini_vm *vm)
{
	struct storm_result result;

	storm_run(vm, SECONDS, PAUSE_MAX_S, &result);
	mini_free(vm);
	check(&result);
}

static void test_strict(void **state)
{
	(void)state;
	storm(mini_new(MINI_VCPUS_MAX, reflect));
}

static void test_watch(void **state)
{
	(void)state;
	storm(mini_new_watched(MINI_VCPUS_MAX, reflect));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_strict),
	cmocka_unit_test(test_watch),
};

FL_TEST_MAIN(100, tests)
