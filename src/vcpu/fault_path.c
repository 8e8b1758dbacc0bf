/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a fault (ARCHITECTURE.md):
 *
 *	1 intake    intake.c				KVM_RUN came back: is this a backing fault?
 *	2 locate    locate.c operands.c delivery.c undo.c	which byte, by which access?
 *	3 classify  mmu_backing/probe.c classify.c	what stands behind it, what is wrong with it?
 *	4 decide    policy.c mmu_backing/decide.c	what does the region's policy say?
 *	5 deliver   deliver.c pvpf.c policy.c		the guest takes it, or gets a page, or the vCPU stops
 *	6 account   account.c				one report
 *
 * No input makes it spin: every way back into the guest either delivers something there or is counted.
 */
#include <stdio.h>
#include <string.h>

#include "vcpu/delivery.h"
#include "vcpu/fault_case.h"

/* The page may have come back since; an instruction that KVM cannot emulate from a healthy page it never can. */
#define EMULATIONS_MAX 10
#define UNLOCATED_MAX  10 /* times in a row that another CPU may have been faster */
#define LINE_ROOM      512
#define WHY_ROOM       256
#define PATH_SHOWN_LEN 160u /* of a path in the ending's text, which is short: its end says most */

static enum fl_locate_result locate(struct fl_fault_case *c)
{
	struct fl_locate_ops ops = fl_cpu_access(c->vcpu);
	struct fl_cpu_view cpu = {.regs = &c->regs, .sregs = &c->sregs, .amd = c->vcpu->amd};
	struct fl_pieces pieces = {0};

	/* a nested guest's addresses are not translated by the page tables that CR3 names alone */
	if (!c->nested)
		fl_locate_pieces(&ops, &cpu, &pieces);
	return fl_locate(&ops, c->in, &pieces, &c->location);
}

/* Does the delivery that is under way need a page that cannot be had? Then it will never finish by itself. */
static bool locate_delivery(struct fl_fault_case *c)
{
	struct fl_locate_ops ops = fl_cpu_access(c->vcpu);
	const struct fl_delivery delivery = {.regs = &c->regs, .sregs = &c->sregs, .events = &c->events, .cpl = c->cpl};
	struct fl_pieces pieces;

	if (c->nested || c->in->gpa_exact || !fl_delivery_pieces(&ops, &delivery, &pieces))
		return false;
	/* KVM may have named a page that has nothing to do with it */
	if (fl_locate(&ops, c->in, &pieces, &c->location) != FL_LOCATE_BAD || !c->location.gva_valid ||
	    c->location.unsettled)
		return false;
	c->located = FL_LOCATE_BAD;
	c->delivering = fl_delivery_vector(&c->events);
	return true;
}

static void classify(struct fl_fault_case *c)
{
	if (c->located == FL_LOCATE_HEALTHY) {
		c->finding = (struct fl_finding){.verdict = FL_VERDICT_RETRY};
		return;
	}
	if (!c->location.gpa_valid) {
		c->finding = (struct fl_finding){.verdict = FL_VERDICT_BAD, .cause = FL_CAUSE_UNKNOWN, .bad_len = 1};
		return;
	}
	c->finding = fl_look(c, &c->probe);
}

/* The text of an ending has room for some 500 bytes. */
static void format_short(struct fl_fault *fault, char *line, size_t len)
{
	size_t path_len = strlen(fault->path);
	char shown[PATH_SHOWN_LEN + 4];

	if (path_len > PATH_SHOWN_LEN) {
		snprintf(shown, sizeof(shown), "...%s", fault->path + (path_len - PATH_SHOWN_LEN));
		fault->path = shown;
	}
	fl_fault_format(fault, line, len);
}

static enum fl_step stop(struct fl_fault_case *c, struct fl_ending *ending)
{
	char line[LINE_ROOM], why[WHY_ROOM], during[64] = "";
	struct fl_fault fault;

	c->outcome = FL_OUTCOME_STOPPED;
	fl_account(c, &fault);
	format_short(&fault, line, sizeof(line));
	fl_describe_stop(c, why, sizeof(why));
	if (c->delivering >= 0)
		snprintf(during, sizeof(during), " in the delivery of vector %d", c->delivering);
	return fl_ending(ending, FL_VCPU_END_FAULT, -EFAULT, "vCPU %u stopped%s, %s, \"%s\": %s", c->vcpu->index,
			 during, why, c->probe.region ? c->probe.region->name : "?", line);
}

static enum fl_step host_error(struct fl_fault_case *c, struct fl_ending *ending, const char *step, int error)
{
	return fl_ending(ending, FL_VCPU_END_ERROR, error, "vCPU %u: cannot %s a fault at rip 0x%llx: %s",
			 c->vcpu->index, step, (unsigned long long)c->regs.rip, strerror(-error));
}

/*
 * Has KVM given the vCPU a page since this row of retries began, or does the instruction come with other registers?
 * Then it gets on, and it is the page that goes on vanishing. Asked only where a row begins or has become too
 * long: it costs a system call.
 */
static bool gets_on(const struct fl_fault_case *c, unsigned int count)
{
	struct fl_vcpu *vcpu = c->vcpu;
	uint64_t fixed = 0;
	bool different;

	if (count != 1 && count <= FL_REPEATS_MAX)
		return false;
	if (fl_kvm_stats_fixed(&vcpu->stats, &fixed))
		fixed = vcpu->healthy_fixed;
	different = fixed != vcpu->healthy_fixed || !fl_stall_same_place(&c->regs, &vcpu->healthy_regs);
	vcpu->healthy_fixed = fixed;
	vcpu->healthy_regs = c->regs;
	return different;
}

/* The page is there (again): the access is repeated. Only the first of a series makes a report. */
static enum fl_step retry(struct fl_fault_case *c, struct fl_ending *ending)
{
	unsigned int count = fl_repeat_count(&c->vcpu->healthy, c->regs.rip);
	bool progress = gets_on(c, count);
	struct fl_fault fault;

	if (!c->undone) {
		c->why_stopped = "a store that KVM emulated could not be taken back";
		return stop(c, ending);
	}
	if (c->in->shape == FL_SHAPE_EMULATION && count > EMULATIONS_MAX)
		return fl_run_end_on_error(c->vcpu, c->in, ending);
	if (progress)
		c->vcpu->healthy.count = count = 1;
	if (count > FL_REPEATS_MAX) {
		c->why_stopped = "the access keeps failing although its page is healthy";
		return stop(c, ending);
	}
	c->outcome = FL_OUTCOME_RETRIED;
	if (count == 1)
		fl_account(c, &fault);
	return FL_STEP_CONTINUE;
}

/* KVM did not take the exception: the report says that the vCPU stopped, the ending says why. */
static enum fl_step delivery_failed(struct fl_fault_case *c, struct fl_ending *ending, int error)
{
	struct fl_fault fault;

	c->outcome = FL_OUTCOME_STOPPED;
	c->seq = 0;
	fl_account(c, &fault);
	return host_error(c, ending, "deliver", error);
}

/*
 * Where the host's mapping itself forbids the access KVM fails at once (hva_to_pfn(), vma_is_valid()): the vCPU does
 * not hang on that page, whatever it hangs on. The guest may not even get that far, when its own tables forbid it, too.
 */
static bool can_stall(const struct fl_finding *finding)
{
	return finding->cause != FL_CAUSE_UNMAPPED && finding->cause != FL_CAUSE_NOT_PERMITTED;
}

/*
 * An exception must wait for the event whose delivery needs the page, and nothing else on the list helps: the page may
 * still come back while KVM tries again, which it does a bounded number of times. Not if somebody was asked: he knows;
 * nor if the watchdog found it, which has waited already.
 */
static bool better_wait(const struct fl_fault_case *c)
{
	return c->delivering >= 0 && !c->id && c->in->shape != FL_SHAPE_STALL && c->finding.verdict == FL_VERDICT_BAD &&
	       c->probe.region && c->probe.region->kind == FL_REGION_WINDOW &&
	       fl_policy_has(&c->probe.region->policy, FL_ACTION_REFLECT) && c->vcpu->busy.count <= FL_REPEATS_MAX;
}

/* Everything after step 2. */
static enum fl_step resolve(struct fl_fault_case *c, struct fl_ending *ending)
{
	struct fl_fault fault;
	int result;

	classify(c);
	fl_step_end(c, &c->times.classify_ns);
	if (c->in->shape == FL_SHAPE_STALL && !can_stall(&c->finding))
		return FL_STEP_CONTINUE;
	if (c->finding.verdict == FL_VERDICT_RETRY)
		return retry(c, ending);
	result = fl_follow_policy(c);
	if (result)
		return delivery_failed(c, ending, result);
	if (c->outcome == FL_OUTCOME_STOPPED)
		return better_wait(c) ? FL_STEP_CONTINUE : stop(c, ending);
	if (c->outcome == FL_OUTCOME_RECORD || c->outcome == FL_OUTCOME_PLAIN)
		c->vcpu->healthy.count = c->vcpu->unlocated.count = 0;
	fl_account(c, &fault);
	return FL_STEP_CONTINUE;
}

/* KVM goes on delivering the event when it is entered again; the fault comes back after it, or never. */
static enum fl_step let_event_finish(struct fl_fault_case *c, struct fl_ending *ending)
{
	unsigned int count = fl_repeat_count(&c->vcpu->busy, c->regs.rip);
	bool stuck = locate_delivery(c);

	fl_step_end(c, &c->times.locate_ns);
	if (stuck)
		return resolve(c, ending);
	if (count <= FL_REPEATS_MAX)
		return FL_STEP_CONTINUE;
	c->why_stopped = "an exception or interrupt cannot be delivered";
	c->located = locate(c);
	classify(c);
	return stop(c, ending);
}

/*
 * Nothing that the instruction leads to can fail, now. Another CPU may have changed the guest's page tables since the
 * access failed: it touched the same page and has its answer already. Then the guest finds out by itself, by running
 * the instruction again, what has become of the address. No report: nothing is known to be lost, nor to be healthy.
 */
static bool tables_may_have_changed(struct fl_fault_case *c)
{
	struct fl_vcpu *vcpu = c->vcpu;

	if (c->located != FL_LOCATE_UNKNOWN)
		return false;
	if (!fl_stall_same_place(&c->regs, &vcpu->unlocated_regs))
		vcpu->unlocated.count = 0;
	vcpu->unlocated_regs = c->regs;
	return fl_repeat_count(&vcpu->unlocated, c->regs.rip) <= UNLOCATED_MAX;
}

static enum fl_step run_pipeline(struct fl_fault_case *c, struct fl_ending *ending)
{
	int result = fl_snapshot(c);

	if (!result)
		result = fl_take_back(c);
	if (result)
		return host_error(c, ending, "take back", result);
	fl_step_end(c, &c->times.intake_ns);
	if (c->in->shape != FL_SHAPE_EMULATION && fl_event_in_flight(&c->events))
		return let_event_finish(c, ending);

	c->located = locate(c);
	fl_step_end(c, &c->times.locate_ns);
	/* the watchdog only suspects: a guest that spins by itself touches nothing that can be lost */
	if (c->in->shape == FL_SHAPE_STALL && c->located != FL_LOCATE_BAD)
		return FL_STEP_CONTINUE;
	if (tables_may_have_changed(c))
		return FL_STEP_CONTINUE;
	if (c->in->shape == FL_SHAPE_EMULATION && c->located == FL_LOCATE_UNKNOWN)
		return fl_run_end_on_error(c->vcpu, c->in, ending);
	return resolve(c, ending);
}

enum fl_step fl_fault_path(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending)
{
	struct fl_fault_case c;
	enum fl_step step;

	fl_fault_case_begin(&c, vcpu, in);
	step = run_pipeline(&c, ending);
	fl_probe_put(&c.probe);
	return step;
}
