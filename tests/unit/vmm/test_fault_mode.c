/* SPDX-License-Identifier: Apache-2.0 */
/* Which way a VM takes lost pages: by what was asked, what the host can, and what idle vCPUs would cost. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "vmm/fault_mode.h"

static void every_combination_has_its_mode_and_a_reason(void **state)
{
	static const struct {
		struct fl_fault_mode_facts facts;
		enum fl_fault_mode mode;
		const char *word;
	} cases[] = {
		/* asked, can be strict, idles politely, vCPUs, CPUs */
		{{FL_FAULT_MODE_AUTO, true, false, 1, 1}, FL_FAULT_MODE_STRICT, "CPU of its own"},
		{{FL_FAULT_MODE_AUTO, true, false, 2, 2}, FL_FAULT_MODE_STRICT, "(2 and 2)"},
		{{FL_FAULT_MODE_AUTO, true, false, 3, 2}, FL_FAULT_MODE_WATCH, "3 vCPUs share 2 CPUs"},
		{{FL_FAULT_MODE_AUTO, true, true, 3, 2}, FL_FAULT_MODE_STRICT, "idle"},
		{{FL_FAULT_MODE_AUTO, true, true, 1, 2}, FL_FAULT_MODE_STRICT, "idle"},
		{{FL_FAULT_MODE_AUTO, false, false, 1, 2}, FL_FAULT_MODE_WATCH, "cannot disable HLT exits"},
		{{FL_FAULT_MODE_AUTO, false, true, 64, 1}, FL_FAULT_MODE_WATCH, "cannot disable HLT exits"},
		{{FL_FAULT_MODE_STRICT, true, false, 64, 1}, FL_FAULT_MODE_STRICT, "asked for"},
		{{FL_FAULT_MODE_WATCH, true, true, 1, 64}, FL_FAULT_MODE_WATCH, "asked for"},
		{{FL_FAULT_MODE_WATCH, false, false, 1, 1}, FL_FAULT_MODE_WATCH, "asked for"},
	};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(cases); i++) {
		struct fl_fault_mode_choice choice = {0};

		assert_int_equal(fl_fault_mode_choose(&cases[i].facts, &choice, NULL), 0);
		assert_int_equal(choice.mode, cases[i].mode);
		assert_non_null(strstr(choice.why, cases[i].word));
	}
}

static void strict_where_it_cannot_be_is_refused_with_a_way_out(void **state)
{
	struct fl_fault_mode_facts facts = {.asked = FL_FAULT_MODE_STRICT, .vcpus = 1, .cpus = 1};
	struct fl_fault_mode_choice choice = {0};
	struct fl_diag diag = {0};

	(void)state;
	assert_int_equal(fl_fault_mode_choose(&facts, &choice, &diag), -ENOTSUP);
	assert_int_equal(diag.error, -ENOTSUP);
	assert_non_null(strstr(diag.text, "watch"));
}

static void the_largest_numbers_leave_a_whole_sentence(void **state)
{
	struct fl_fault_mode_facts facts = {
		.asked = FL_FAULT_MODE_AUTO, .can_be_strict = true, .vcpus = 4294967295u, .cpus = 4294967294u};
	struct fl_fault_mode_choice choice = {0};

	(void)state;
	assert_int_equal(fl_fault_mode_choose(&facts, &choice, NULL), 0);
	assert_true(strlen(choice.why) < sizeof(choice.why) - 1);
	assert_non_null(strstr(choice.why, "did not exit"));
}

/* The affinity mask counts, not how many CPUs the machine has. */
static void only_cpus_that_may_be_used_count(void **state)
{
	cpu_set_t before, one;
	unsigned int first = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(fl_usable_cpus(), CPU_COUNT(&before));
	while (!CPU_ISSET(first, &before))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(fl_usable_cpus(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_combination_has_its_mode_and_a_reason),
	cmocka_unit_test(strict_where_it_cannot_be_is_refused_with_a_way_out),
	cmocka_unit_test(the_largest_numbers_leave_a_whole_sentence),
	cmocka_unit_test(only_cpus_that_may_be_used_count),
};
FL_TEST_MAIN(10, tests)
