/* SPDX-License-Identifier: Apache-2.0 */
/* One fault on its way through fault_path.c: what each step has found out so far. */
#ifndef FL_FAULT_CASE_H
#define FL_FAULT_CASE_H

#include "mmu_backing/fault_site.h"
#include "vcpu/locate.h"
#include "vcpu/vcpu_priv.h"

struct fl_fault_case {
	struct fl_vcpu *vcpu;
	const struct fl_intake *in;
	uint64_t time_ns; /* CLOCK_REALTIME */

	/* the vCPU as it was before the instruction */
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	unsigned int cpl;
	bool undone; /* false: half of the instruction has happened and could not be taken back */

	enum fl_locate_result located;
	struct fl_location location;

	struct fl_probe probe; /* of location.gpa, or all zero */
	struct fl_finding finding;

	enum fl_action action;
	int slot; /* of the record; -1: none is wanted */

	enum fl_outcome outcome;
	uint64_t seq;
	const char *why_stopped;
};

/* cpu_access.c: the production side of struct fl_locate_ops; arg is the vCPU. */
struct fl_locate_ops fl_cpu_access(struct fl_vcpu *vcpu);

/* snapshot.c */
/* Reads registers and events; -errno of the ioctl. */
FL_CHECKED_RESULT int fl_snapshot(struct fl_fault_case *c);
/* MMIO and emulation shapes: lets KVM finish and puts everything back; sets c->undone and c->regs. */
FL_CHECKED_RESULT int fl_take_back(struct fl_fault_case *c);

/* deliver.c */
/* Is an exception, interrupt or NMI under way, or the vCPU in SMM? Then nothing may be injected. */
bool fl_event_in_flight(const struct kvm_vcpu_events *events);
bool fl_can_deliver(struct fl_fault_case *c); /* chooses the record's place, too */
FL_CHECKED_RESULT int fl_deliver(struct fl_fault_case *c);

/* account.c: makes the report. */
void fl_account(struct fl_fault_case *c, char *line, size_t line_len);

#endif
