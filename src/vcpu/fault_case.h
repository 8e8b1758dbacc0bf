/* SPDX-License-Identifier: Apache-2.0 */
/* One fault on its way through fault_path.c: what each step has found out so far. */
#ifndef FL_FAULT_CASE_H
#define FL_FAULT_CASE_H

#include "mmu_backing/fault_site.h"
#include "vcpu/locate.h"
#include "vcpu/vcpu_priv.h"

/* Times in a row that one instruction may come back with nothing to deliver. */
#define FL_REPEATS_MAX 1000u
/* Times that somebody is asked about one fault that he says is repaired and is not. */
#define FL_ASKS_MAX 8u

struct fl_fault_case {
	struct fl_vcpu *vcpu;
	const struct fl_intake *in;
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint64_t mark_ns; /* CLOCK_MONOTONIC when the last step ended */
	struct fl_fault_times times;
	uint64_t id; /* 0: none given yet */

	/* the vCPU as it was before the instruction */
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	unsigned int cpl;
	bool nested; /* it ran a guest of its own */
	bool undone; /* false: half of the instruction has happened and could not be taken back */

	enum fl_locate_result located;
	struct fl_location location;
	int delivering; /* what failed is the delivery of this vector, not an instruction; -1: none */

	struct fl_probe probe; /* of location.gpa, or all zero */
	struct fl_finding finding;

	int slot; /* of the record; -1: none is wanted */

	enum fl_outcome outcome;
	uint64_t seq;
	/* for the report of a stop: why it was, or why what the policy names could not be done */
	const char *why_stopped;
	const char *no_reflect, *no_substitute, *no_ask;
};

/* fault_case.c */
void fl_fault_case_begin(struct fl_fault_case *c, struct fl_vcpu *vcpu, const struct fl_intake *in);
uint64_t fl_clock_ns(clockid_t clock);
/* Adds the time since the last step's end to *step_ns. */
void fl_step_end(struct fl_fault_case *c, uint32_t *step_ns);
/* Counts one more; what comes rarely is not a spin, so a second of peace is forgiven. */
unsigned int fl_repeat_count(struct fl_repeat *repeat, uint64_t rip);
/* Probes the located byte; release *probe. */
struct fl_finding fl_look(const struct fl_fault_case *c, struct fl_probe *probe);

/* cpu_access.c: the production side of struct fl_locate_ops; arg is the vCPU. */
struct fl_locate_ops fl_cpu_access(struct fl_vcpu *vcpu);

/* snapshot.c */
/* Reads registers and events; -errno of the ioctl. */
FL_CHECKED_RESULT int fl_snapshot(struct fl_fault_case *c);
/* MMIO and emulation shapes: lets KVM finish and puts everything back; sets c->undone and c->regs. */
FL_CHECKED_RESULT int fl_take_back(struct fl_fault_case *c);

/*
 * policy.c: does what the region's policy says. 0: c->outcome says what has become of the fault; FL_OUTCOME_STOPPED:
 * the caller ends the vCPU. -errno: KVM did not take the exception.
 */
FL_CHECKED_RESULT int fl_follow_policy(struct fl_fault_case *c);
/*
 * Puts a private zero page at the located byte, in place of what c->probe found. -errno, with c->no_substitute set;
 * -EAGAIN: it is no longer what was found.
 */
FL_CHECKED_RESULT int fl_substitute_page(struct fl_fault_case *c);
/* Why it was stopped, as part of a sentence; always NUL-terminated. */
void fl_describe_stop(const struct fl_fault_case *c, char *buf, size_t len);

/* deliver.c */
/* Is an exception, interrupt or NMI under way? Then nothing may be injected. */
bool fl_event_in_flight(const struct kvm_vcpu_events *events);
bool fl_can_deliver(struct fl_fault_case *c); /* chooses the record's place, too; if not, sets c->no_reflect */
FL_CHECKED_RESULT int fl_deliver(struct fl_fault_case *c);

/* account.c */
/* Fills *fault from what is known so far, its path in the vCPU's buffer. Gives the case its id. */
void fl_fill_report(struct fl_fault_case *c, struct fl_fault *fault);
/* Makes the report, once for a fault: counters, log, callback. *fault: as reported, valid until the next one. */
void fl_account(struct fl_fault_case *c, struct fl_fault *fault);

#endif
