/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kvm/fault_cells.h"

#include <stdio.h>

#include "fl_base.h"

/* clang-format off */
#define FAULT_EXIT(shape_, trouble_, s0, s1, s2, w0, w1, w2, why_) \
	{ .shape = CELL_##shape_, .trouble = TROUBLE_##trouble_, .way = {{s0, s1, s2}, {w0, w1, w2}}, .why = why_ },
#define FAULT_POLICY(...)
const struct fault_exit fault_exits[] = {
#include "tests/kvm/fault_cells.def"
};

#define ACTION_LIST_2(a, b)    {{FL_ACTION_##a, FL_ACTION_##b}}
#define ACTION_LIST_3(a, b, c) {{FL_ACTION_##a, FL_ACTION_##b, FL_ACTION_##c}}
#define ACTION_LIST_PICK(a, b, c, macro, ...) macro
#define ACTION_LIST(...) ACTION_LIST_PICK(__VA_ARGS__, ACTION_LIST_3, ACTION_LIST_2, )(__VA_ARGS__)
#define FL_OUTCOME_REFUSED CELL_REFUSED
#define FAULT_EXIT(...)
#define FAULT_POLICY(name_, list_, answer_, pvpf_, lost_, unmapped_, not_permitted_, request_, other_) \
	{ .name = name_, .policy = ACTION_LIST list_, .answer = FL_ACTION_##answer_, \
	  .has_pvpf = pvpf_, .lost = FL_OUTCOME_##lost_, .unmapped = FL_OUTCOME_##unmapped_, \
	  .not_permitted = FL_OUTCOME_##not_permitted_, .request = FL_OUTCOME_##request_, \
	  .request_other = FL_OUTCOME_##other_ },
const struct fault_policy fault_policies[] = {
#include "tests/kvm/fault_cells.def"
};
/* clang-format on */

const size_t fault_exit_count = FL_ARRAY_SIZE(fault_exits);
const size_t fault_policy_count = FL_ARRAY_SIZE(fault_policies);

const char *cell_shape_name(enum cell_shape shape)
{
	static const char *const names[] = {"efault", "annotated", "mmio", "emulation", "mceerr", "stall", "request"};

	return names[shape];
}

const char *cell_trouble_name(enum cell_trouble trouble)
{
	return trouble == TROUBLE_REVOKED ? "revoked" : fl_cause_name(cell_cause(trouble));
}

const char *cell_mode_name(enum cell_mode mode)
{
	return mode == CELL_STRICT ? "strict" : "watch";
}

const char *cell_host_name(enum cell_host host)
{
	static const char *const names[] = {"software", "stock", "patched"};

	return names[host];
}

enum fl_cause cell_cause(enum cell_trouble trouble)
{
	static const enum fl_cause causes[] = {
		[TROUBLE_TRUNCATED] = FL_CAUSE_TRUNCATED, [TROUBLE_NO_SPACE] = FL_CAUSE_NO_SPACE,
		[TROUBLE_IO_ERROR] = FL_CAUSE_IO_ERROR,	  [TROUBLE_MEMORY_FAILURE] = FL_CAUSE_MEMORY_FAILURE,
		[TROUBLE_UNMAPPED] = FL_CAUSE_UNMAPPED,	  [TROUBLE_NOT_PERMITTED] = FL_CAUSE_NOT_PERMITTED,
		[TROUBLE_REVOKED] = FL_CAUSE_IO_ERROR,
	};

	return causes[trouble];
}

enum fl_outcome cell_outcome(const struct fault_exit *exit, const struct fault_policy *policy)
{
	bool other = exit->trouble == TROUBLE_UNMAPPED || exit->trouble == TROUBLE_NOT_PERMITTED;

	if (exit->shape == CELL_REQUEST)
		return other ? policy->request_other : policy->request;
	if (exit->trouble == TROUBLE_UNMAPPED)
		return policy->unmapped;
	return exit->trouble == TROUBLE_NOT_PERMITTED ? policy->not_permitted : policy->lost;
}

bool cell_can_occur(const struct fault_exit *exit, enum cell_mode mode)
{
	for (unsigned int host = 0; host < CELL_HOSTS; host++)
		if (*exit->way[mode][host])
			return true;
	return false;
}

static const char *outcome_name(enum fl_outcome outcome)
{
	return outcome == CELL_REFUSED ? "refused" : fl_outcome_name(outcome);
}

static void print_exits(void)
{
	printf("| shape | cause | strict: software | stock | patched | watch: software | stock | patched | cannot occur |\n"
	       "|---|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < fault_exit_count; i++) {
		const struct fault_exit *exit = &fault_exits[i];

		printf("| %s | %s |", cell_shape_name(exit->shape), cell_trouble_name(exit->trouble));
		for (unsigned int mode = 0; mode < CELL_MODES; mode++)
			for (unsigned int host = 0; host < CELL_HOSTS; host++)
				printf(" %s |", exit->way[mode][host]);
		for (unsigned int mode = 0; mode < CELL_MODES; mode++) {
			/* the same reason for both: said once */
			if (cell_can_occur(exit, mode) || (mode == CELL_WATCH && !cell_can_occur(exit, CELL_STRICT)))
				continue;
			printf(" %s: %s", cell_can_occur(exit, CELL_WATCH) ? cell_mode_name(mode) : "either mode",
			       exit->why);
		}
		printf(" |\n");
	}
}

static void print_policies(void)
{
	printf("| policy | list | guest has PVPF | answer | lost | unmapped | not-permitted | request: lost | request: "
	       "other |\n|---|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < fault_policy_count; i++) {
		const struct fault_policy *policy = &fault_policies[i];
		bool asks = policy->policy.action[0] == FL_ACTION_ASK;

		printf("| %s |", policy->name);
		for (size_t a = 0; a < FL_POLICY_MAX && (a == 0 || policy->policy.action[a - 1] != FL_ACTION_STOP); a++)
			printf("%s%s", a ? ", " : " ", fl_action_name(policy->policy.action[a]));
		printf(" | %s | %s | %s | %s | %s | %s | %s |\n", policy->has_pvpf ? "yes" : "no",
		       asks ? fl_action_name(policy->answer) : "", outcome_name(policy->lost),
		       outcome_name(policy->unmapped), outcome_name(policy->not_permitted),
		       outcome_name(policy->request), outcome_name(policy->request_other));
	}
}

static size_t count_exits(void)
{
	size_t count = 0;

	for (size_t i = 0; i < fault_exit_count; i++)
		for (unsigned int mode = 0; mode < CELL_MODES; mode++)
			count += cell_can_occur(&fault_exits[i], mode);
	return count;
}

void cells_print_table(void)
{
	size_t all = fault_exit_count * CELL_MODES, can = count_exits();

	print_exits();
	printf("\n");
	print_policies();
	printf("\n%d shapes, %d causes, %zu policies and %d modes are %zu cells; %zu of them can occur.\n", CELL_SHAPES,
	       CELL_TROUBLES, fault_policy_count, CELL_MODES, all * fault_policy_count, can * fault_policy_count);
}

void cells_print_list(void)
{
	for (unsigned int host = 0; host < CELL_HOSTS; host++)
		for (unsigned int mode = 0; mode < CELL_MODES; mode++)
			for (size_t i = 0; i < fault_exit_count; i++)
				for (size_t p = 0; *fault_exits[i].way[mode][host] && p < fault_policy_count; p++)
					printf("%s %s %s %s %s\n", cell_host_name(host), cell_mode_name(mode),
					       cell_shape_name(fault_exits[i].shape),
					       cell_trouble_name(fault_exits[i].trouble), fault_policies[p].name);
}
