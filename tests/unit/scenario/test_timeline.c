/* SPDX-License-Identifier: Apache-2.0 */
/* What was seen, as events: which fault a step is said to have met. */
#include "tests/lib/fl_test.h"

#include <signal.h>
#include <stdlib.h>

#include "cli/scenario/run/case_state.h"

#define PAGE_A UINT64_C(0x7f0000001000)
#define PAGE_B UINT64_C(0x7f0000002000)

static const char *const maps[] = {"m"};
static const struct fl_scn_machine machine = {.name = "vm", .vcpus = 2};

/* In this order, all of them while each step runs. */
static const struct fl_scn_fault faults[] = {
	{.fault = {.flags = FL_FAULT_GVA_VALID, .vcpu = 0, .gva = PAGE_A + 8}, .at_ns = 2000},
	{.fault = {.flags = FL_FAULT_GVA_VALID, .vcpu = 1, .gva = PAGE_B}, .at_ns = 3000},
	{.fault = {.flags = 0, .vcpu = 0}, .at_ns = 4000},
	{.fault = {.flags = FL_FAULT_GVA_VALID, .vcpu = 0, .gva = PAGE_A}, .at_ns = 9000},
};

/* The fault of the only step of an actor that is bound to that CPU; index + 1. */
static uint64_t fault_of(int32_t cpu, enum fl_scn_outcome_kind kind, uint64_t addr)
{
	const struct fl_scn_step step = {.row = fl_scn_op_row(FL_SCN_OP_READ), .operands = {{.n = 0}, {.n = 8}}};
	const struct fl_scn_actor actor = {
		.name = "reader", .cpu = cpu, .steps = &step, .steps_count = 1, .maps = maps, .maps_count = 1};
	const struct fl_scn_case made = {
		.machines = &machine, .machines_count = 1, .actors = &actor, .actors_count = 1};
	const struct fl_scn_case_opts opts = {.native = false};
	struct fl_scn_seen outcome = {.kind = kind,
				      .value = kind == FL_SCN_SIGNAL ? SIGBUS : 14,
				      .code = 2,
				      .addr = addr,
				      .begin_ns = 1000,
				      .end_ns = 5000,
				      .last_ns = 5000,
				      .count = 1};
	struct fl_scn_step_seen step_seen = {.all = &outcome, .count = 1};
	struct fl_scn_actor_seen seen = {.steps = &step_seen};
	struct fl_scn_fault copies[sizeof(faults) / sizeof(faults[0])];
	struct fl_scn_result *result = calloc(1, sizeof(*result));
	struct fl_scn_case_state state = {.opts = &opts, .scenario_case = &made, .result = result, .seen = &seen};
	uint64_t found = UINT64_MAX;

	assert_non_null(result);
	memcpy(copies, faults, sizeof(faults));
	result->faults = copies;
	result->faults_count = sizeof(faults) / sizeof(faults[0]);
	assert_int_equal(fl_scn_make_timeline(&state, result), 0);
	for (size_t i = 0; i < result->events_count; i++)
		if (result->events[i].kind == FL_SCN_EVENT_STEP)
			found = result->events[i].fault;
	result->faults = NULL;
	result->faults_count = 0;
	fl_scn_result_free(result);
	return found;
}

static void a_signal_is_of_the_fault_at_its_address(void **state)
{
	(void)state;
	assert_int_equal(fault_of(-1, FL_SCN_SIGNAL, PAGE_A + 8), 1);
	assert_int_equal(fault_of(0, FL_SCN_SIGNAL, PAGE_B), 2);
}

static void an_error_is_of_the_fault_on_its_cpu(void **state)
{
	(void)state;
	assert_int_equal(fault_of(1, FL_SCN_ERROR, 0), 2);
	assert_int_equal(fault_of(0, FL_SCN_ERROR, 0), 3);
	assert_int_equal(fault_of(-1, FL_SCN_ERROR, 0), 3); /* the last */
}

static void success_is_of_none(void **state)
{
	(void)state;
	assert_int_equal(fault_of(0, FL_SCN_DID, 0), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_signal_is_of_the_fault_at_its_address),
	cmocka_unit_test(an_error_is_of_the_fault_on_its_cpu),
	cmocka_unit_test(success_is_of_none),
};

FL_TEST_MAIN(20, tests)
