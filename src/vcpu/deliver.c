/* SPDX-License-Identifier: Apache-2.0 */
/* Step 5 of the way of a fault: the guest takes it as #NP, with a record or without. */
#include <string.h>

#include "vcpu/fault_case.h"

bool fl_event_in_flight(const struct kvm_vcpu_events *events)
{
	/* an NMI that waits for the end of another one's handler is not under way: the fault comes first */
	bool nmi = events->nmi.injected || (events->nmi.pending && !events->nmi.masked);

	return events->exception.injected || events->exception.pending || events->interrupt.injected || nmi;
}

static const char *why_not(struct fl_fault_case *c)
{
	const struct fl_pvpf *pvpf = &c->vcpu->pvpf;

	if (!c->undone)
		return "a store that KVM emulated could not be taken back";
	if (c->delivering >= 0)
		return "another exception or interrupt was being delivered";
	if (c->events.smi.smm)
		return "the vCPU was in system management mode";
	if (c->nested)
		return "the vCPU was running a guest of its own";
	if (!fl_pvpf_wants_record(pvpf, c->cpl))
		return NULL;
	c->slot = fl_pvpf_free_slot(pvpf);
	return c->slot < 0 ? "all records of the vCPU were posted" : NULL;
}

bool fl_can_deliver(struct fl_fault_case *c)
{
	c->slot = -1;
	c->no_reflect = why_not(c);
	return !c->no_reflect;
}

static int inject(struct fl_fault_case *c)
{
	struct kvm_vcpu_events events = c->events;

	events.exception.injected = 1;
	events.exception.nr = PVPF_HOST_VECTOR;
	events.exception.has_error_code = 1;
	events.exception.error_code = 0;
	/* STI's shadow ends with the instruction that takes the exception */
	events.interrupt.shadow = 0;
	events.flags |= KVM_VCPUEVENT_VALID_SHADOW;
	return fl_sync_regs_set_events(c->vcpu, &events);
}

int fl_deliver(struct fl_fault_case *c)
{
	const struct fl_pvpf_content content = {
		.cause = c->finding.cause,
		.access = c->location.access,
		.gpa = c->location.gpa,
		.gva = c->location.gva,
		.gva_valid = c->location.gva_valid,
		.bad_len = c->finding.bad_len,
		.rip = c->regs.rip,
	};
	int result;

	c->outcome = FL_OUTCOME_PLAIN;
	if (c->slot >= 0) {
		c->outcome = FL_OUTCOME_RECORD;
		c->seq = fl_pvpf_post(&c->vcpu->pvpf, c->slot, &content);
	}
	result = inject(c);
	if (result && c->slot >= 0)
		fl_pvpf_unpost(&c->vcpu->pvpf, c->slot);
	return result;
}
