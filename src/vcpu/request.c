/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PVPF_MSR_SUBSTITUTE (docs/abi.md): the guest was given a fault it cannot survive and asks for a private zero page in
 * place of the lost one. Goes through the same steps as a fault that has been located.
 */
#include <string.h>

#include "vcpu/fault_case.h"

/* What is found may have changed before it can be acted upon. */
#define LOOKS_MAX 4

static bool is_offered(const struct fl_region *region)
{
	return region && region->kind == FL_REGION_WINDOW && fl_policy_has(&region->policy, FL_ACTION_SUBSTITUTE);
}

/*
 * The page must be bad, in a way that a substitute cures, for an access of some kind: the guest says not which. A
 * guest cannot use this to cut healthy pages off their files.
 */
static bool look(struct fl_fault_case *c)
{
	const struct fl_possible possible = {.substitute = true};

	c->location.access = FL_ACCESS_WRITE;
	c->finding = fl_look(c, &c->probe);
	c->location.access = FL_ACCESS_UNKNOWN;
	fl_step_end(c, &c->times.classify_ns);
	return c->finding.verdict == FL_VERDICT_BAD && is_offered(c->probe.region) &&
	       fl_action_is_possible(FL_ACTION_SUBSTITUTE, c->probe.region, &c->finding, &possible);
}

/* 1: it is there. 0: it is not to be had. -errno: it could not be done. */
static int look_and_substitute(struct fl_fault_case *c)
{
	int result = -EAGAIN;

	for (unsigned int i = 0; i < LOOKS_MAX && result == -EAGAIN; i++) {
		fl_probe_put(&c->probe);
		if (!look(c))
			return 0;
		result = fl_substitute_page(c);
	}
	return result ? result : 1;
}

static bool serve(struct fl_fault_case *c, uint64_t pfn)
{
	struct fl_fault fault;
	int result;

	if (pfn > UINT64_MAX / FL_PAGE_LEN)
		return false;
	c->location = (struct fl_location){.gpa_valid = true, .gpa = pfn * FL_PAGE_LEN};
	if (!is_offered(fl_gpa_map_find(c->vcpu->env->map, c->location.gpa)))
		return false;
	result = look_and_substitute(c);
	if (result < 0)
		fl_log_limited(c->vcpu->env->log, &c->vcpu->odd_lines, FL_LOG_WARN,
			       "vCPU %u: no substitute for page 0x%llx: %s", c->vcpu->index, (unsigned long long)pfn,
			       c->no_substitute);
	if (result <= 0)
		return false;
	fl_step_end(c, &c->times.deliver_ns);
	c->outcome = FL_OUTCOME_SUBSTITUTED;
	fl_account(c, &fault);
	return true;
}

enum fl_step fl_substitute_request(struct fl_vcpu *vcpu, uint64_t pfn, struct fl_ending *ending)
{
	const struct fl_intake in = {.kind = FL_INTAKE_FAULT, .shape = FL_SHAPE_REQUEST};
	struct fl_fault_case c;
	int result;

	fl_fault_case_begin(&c, vcpu, &in);
	result = fl_snapshot(&c);
	if (result)
		return fl_ending(ending, FL_VCPU_END_ERROR, result, "vCPU %u: cannot read its registers: %s",
				 vcpu->index, strerror(-result));
	fl_step_end(&c, &c.times.intake_ns);
	vcpu->run->msr.error = !serve(&c, pfn);
	fl_probe_put(&c.probe);
	return FL_STEP_CONTINUE;
}
