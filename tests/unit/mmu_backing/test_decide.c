/* SPDX-License-Identifier: Apache-2.0 */
/* What a region's list comes to, for every list, cause and state of affairs. */
#include "tests/lib/fl_test.h"

#include "mmu_backing/fault_site.h"

#define STOP	   FL_ACTION_STOP
#define REFLECT	   FL_ACTION_REFLECT
#define SUBSTITUTE FL_ACTION_SUBSTITUTE
#define ASK	   FL_ACTION_ASK
#define RETRY	   FL_ACTION_RETRY
#define NEXT	   FL_ACTION_NEXT
#define GARBAGE	   ((enum fl_action)77)

static const struct fl_possible all = {true, true, true}, none;

static const struct {
	struct fl_policy policy;
	enum fl_region_kind kind;
	enum fl_verdict verdict;
	enum fl_cause cause;
	struct fl_possible possible;
	enum fl_action actions[FL_POLICY_MAX + 1]; /* one after the other */
} decisions[] = {
	{{{REFLECT, STOP}}, FL_REGION_WINDOW, FL_VERDICT_BAD, FL_CAUSE_TRUNCATED, {true, true, true}, {REFLECT, STOP}},
	{{{REFLECT, STOP}}, FL_REGION_WINDOW, FL_VERDICT_BAD, FL_CAUSE_TRUNCATED, {false, true, true}, {STOP}},
	{{{0}}, FL_REGION_WINDOW, FL_VERDICT_BAD, FL_CAUSE_TRUNCATED, {true, true, true}, {STOP}},
	{{{STOP, REFLECT}}, FL_REGION_WINDOW, FL_VERDICT_BAD, FL_CAUSE_TRUNCATED, {true, true, true}, {STOP}},
	{{{GARBAGE, RETRY, NEXT, REFLECT}},
	 FL_REGION_WINDOW,
	 FL_VERDICT_BAD,
	 FL_CAUSE_TRUNCATED,
	 {true, true, true},
	 {REFLECT}},
	{{{ASK, REFLECT, SUBSTITUTE}},
	 FL_REGION_WINDOW,
	 FL_VERDICT_BAD,
	 FL_CAUSE_NO_SPACE,
	 {true, true, true},
	 {ASK, REFLECT, SUBSTITUTE, STOP}},
	{{{ASK, REFLECT, SUBSTITUTE}},
	 FL_REGION_WINDOW,
	 FL_VERDICT_BAD,
	 FL_CAUSE_NO_SPACE,
	 {false, true, false},
	 {SUBSTITUTE, STOP}},
	/* a hole of our own is never the guest's to survive */
	{{{ASK, REFLECT, SUBSTITUTE}}, FL_REGION_WINDOW, FL_VERDICT_HOLE, FL_CAUSE_UNKNOWN, {true, true, true}, {STOP}},
	{{{REFLECT, SUBSTITUTE}},
	 FL_REGION_RAM,
	 FL_VERDICT_BAD,
	 FL_CAUSE_MEMORY_FAILURE,
	 {true, true, true},
	 {SUBSTITUTE, STOP}},
	{{{REFLECT}}, FL_REGION_RAM, FL_VERDICT_BAD, FL_CAUSE_MEMORY_FAILURE, {true, true, true}, {STOP}},
	{{{ASK, SUBSTITUTE}},
	 FL_REGION_RAM,
	 FL_VERDICT_BAD,
	 FL_CAUSE_IO_ERROR,
	 {true, true, true},
	 {ASK, SUBSTITUTE, STOP}},
};

static void test_decisions(void **state)
{
	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(decisions); i++) {
		const struct fl_region region = {.kind = decisions[i].kind, .policy = decisions[i].policy};
		const struct fl_finding finding = {decisions[i].verdict, decisions[i].cause, 1};
		unsigned int at = 0, step = 0;
		enum fl_action action;

		do {
			action = fl_decide(&region, &finding, &decisions[i].possible, &at);
			if (action != decisions[i].actions[step])
				fail_msg("decision %zu, step %u: %s", i, step, fl_action_name(action));
			step++;
		} while (action != STOP && step <= FL_POLICY_MAX && decisions[i].actions[step] != STOP);
		/* REFLECT as the last entry: the end of the list is a stop as well */
		if (action != STOP)
			assert_int_equal(fl_decide(&region, &finding, &decisions[i].possible, &at), STOP);
	}
}

/* faultline.h, enum fl_action: which causes a zero page can stand in for. */
static void test_what_substitute_cures(void **state)
{
	static const bool cured[] = {
		[FL_CAUSE_NONE] = false,    [FL_CAUSE_TRUNCATED] = true,      [FL_CAUSE_NO_SPACE] = true,
		[FL_CAUSE_IO_ERROR] = true, [FL_CAUSE_MEMORY_FAILURE] = true, [FL_CAUSE_UNMAPPED] = false,
		[FL_CAUSE_UNKNOWN] = false, [FL_CAUSE_NOT_PERMITTED] = false,
	};
	const struct fl_region region = {.kind = FL_REGION_WINDOW, .policy = {{SUBSTITUTE}}};

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(cured); i++) {
		const struct fl_finding finding = {FL_VERDICT_BAD, (enum fl_cause)i, 1};
		unsigned int at = 0;

		assert_int_equal(fl_decide(&region, &finding, &all, &at), cured[i] ? SUBSTITUTE : STOP);
	}
}

static const enum fl_action alphabet[] = {STOP, REFLECT, SUBSTITUTE, ASK, RETRY, NEXT, GARBAGE};

/*
 * An independent model: what fl_decide() says until it says stop is the list, cut at its first stop, without the
 * entries that cannot be taken; and it ends within as many steps as the list has entries, whatever the list.
 */
static void check_list(const struct fl_policy *policy, const struct fl_possible *possible)
{
	const struct fl_region region = {.kind = FL_REGION_WINDOW, .policy = *policy};
	const struct fl_finding finding = {FL_VERDICT_BAD, FL_CAUSE_TRUNCATED, 1};
	unsigned int at = 0;

	for (unsigned int i = 0; i < FL_POLICY_MAX && policy->action[i] != STOP; i++) {
		enum fl_action want = policy->action[i];
		bool can = (want == REFLECT && possible->reflect) || (want == SUBSTITUTE && possible->substitute) ||
			   (want == ASK && possible->ask);

		if (can)
			assert_int_equal(fl_decide(&region, &finding, possible, &at), want);
	}
	assert_int_equal(fl_decide(&region, &finding, possible, &at), STOP);
	assert_true(at <= FL_POLICY_MAX);
}

static void test_every_list(void **state)
{
	size_t n = FL_ARRAY_SIZE(alphabet);

	(void)state;
	for (size_t list = 0; list < n * n * n * n; list++) {
		const struct fl_policy policy = {{alphabet[list % n], alphabet[list / n % n],
						  alphabet[list / n / n % n], alphabet[list / n / n / n]}};

		for (unsigned int bits = 0; bits < 8; bits++) {
			const struct fl_possible possible = {bits & 1, bits & 2, bits & 4};

			check_list(&policy, &possible);
		}
	}
}

static void test_nowhere(void **state)
{
	const struct fl_finding finding = {FL_VERDICT_BAD, FL_CAUSE_UNMAPPED, 1};
	unsigned int at = 0;

	(void)state;
	assert_int_equal(fl_decide(NULL, &finding, &all, &at), STOP);
}

/* What an embedder may answer, and what counts as nothing. */
static void test_possible(void **state)
{
	const struct fl_region window = {.kind = FL_REGION_WINDOW}, ram = {.kind = FL_REGION_RAM};
	const struct fl_finding finding = {FL_VERDICT_BAD, FL_CAUSE_TRUNCATED, 1};

	(void)state;
	assert_true(fl_action_is_possible(STOP, &window, &finding, &none));
	assert_true(fl_action_is_possible(REFLECT, &window, &finding, &all));
	assert_false(fl_action_is_possible(REFLECT, &window, &finding, &none));
	assert_false(fl_action_is_possible(REFLECT, &ram, &finding, &all));
	assert_true(fl_action_is_possible(SUBSTITUTE, &ram, &finding, &all));
	assert_false(fl_action_is_possible(SUBSTITUTE, &ram, &finding, &none));
	assert_false(fl_action_is_possible(RETRY, &window, &finding, &all));
	assert_false(fl_action_is_possible(NEXT, &window, &finding, &all));
	assert_false(fl_action_is_possible(GARBAGE, &window, &finding, &all));
	assert_false(fl_action_is_possible((enum fl_action) - 1, &window, &finding, &all));
}

static void test_policy_has(void **state)
{
	const struct fl_policy policy = {{REFLECT, ASK, STOP, SUBSTITUTE}}, full = {{ASK, ASK, ASK, SUBSTITUTE}};

	(void)state;
	assert_true(fl_policy_has(&policy, REFLECT));
	assert_true(fl_policy_has(&policy, ASK));
	assert_false(fl_policy_has(&policy, SUBSTITUTE)); /* behind the stop */
	assert_true(fl_policy_has(&full, SUBSTITUTE));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_decisions),  cmocka_unit_test(test_what_substitute_cures),
	cmocka_unit_test(test_every_list), cmocka_unit_test(test_nowhere),
	cmocka_unit_test(test_possible),   cmocka_unit_test(test_policy_has),
};

FL_TEST_MAIN(30, tests)
