/* SPDX-License-Identifier: Apache-2.0 */
/* What several steps of the way of a fault need. */
#include <time.h>

#include "vcpu/fault_case.h"

#define NS_IN_S UINT64_C(1000000000)

uint64_t fl_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_IN_S + (uint64_t)now.tv_nsec;
}

void fl_fault_case_begin(struct fl_fault_case *c, struct fl_vcpu *vcpu, const struct fl_intake *in)
{
	*c = (struct fl_fault_case){
		.vcpu = vcpu,
		.in = in,
		.time_ns = fl_clock_ns(CLOCK_REALTIME),
		.mark_ns = fl_clock_ns(CLOCK_MONOTONIC),
		.delivering = -1,
		.slot = -1,
	};
}

void fl_step_end(struct fl_fault_case *c, uint32_t *step_ns)
{
	uint64_t now = fl_clock_ns(CLOCK_MONOTONIC);
	uint64_t sum = *step_ns + (now - c->mark_ns);

	*step_ns = (uint32_t)FL_MIN(sum, (uint64_t)UINT32_MAX);
	c->mark_ns = now;
}

unsigned int fl_repeat_count(struct fl_repeat *repeat, uint64_t rip)
{
	uint64_t now = fl_clock_ns(CLOCK_MONOTONIC);

	if (repeat->rip != rip || now - repeat->last_ns > NS_IN_S)
		repeat->count = 0;
	repeat->rip = rip;
	repeat->last_ns = now;
	return ++repeat->count;
}

struct fl_finding fl_look(const struct fl_fault_case *c, struct fl_probe *probe)
{
	const struct fl_location *location = &c->location;

	fl_probe_page(c->vcpu->env->map, location->gpa, location->access == FL_ACCESS_WRITE, probe);
	return fl_classify(probe, location->gpa, location->access);
}
