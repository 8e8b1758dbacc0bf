/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a fault (ARCHITECTURE.md):
 *
 *	1 intake    intake.c				KVM_RUN came back: is this a backing fault?
 *	2 locate    locate.c operands.c undo.c		which byte, by which access?
 *	3 classify  mmu_backing/probe.c classify.c	what stands behind it, what is wrong with it?
 *	4 decide    mmu_backing/decide.c		what does the region's policy say?
 *	5 deliver   deliver.c pvpf.c			the guest takes it, or the vCPU stops
 *	6 account   account.c				one report
 *
 * No input makes it spin: every way back into the guest either delivers something there or is counted.
 */
#include <string.h>
#include <time.h>

#include "vcpu/fault_case.h"

/* Times in a row that one instruction may come back with nothing to deliver. */
#define REPEATS_MAX	 1000
#define LINE_ROOM	 400
#define REPEAT_FORGET_NS UINT64_C(1000000000)

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Counts one more; what comes rarely is not a spin, so a second of peace is forgiven. */
static unsigned int repeat(struct fl_repeat *repeat, uint64_t rip)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (repeat->rip != rip || now - repeat->last_ns > REPEAT_FORGET_NS)
		repeat->count = 0;
	repeat->rip = rip;
	repeat->last_ns = now;
	return ++repeat->count;
}

static enum fl_locate_result locate(struct fl_fault_case *c)
{
	struct fl_locate_ops ops = fl_cpu_access(c->vcpu);
	struct fl_cpu_view cpu = {.regs = &c->regs, .sregs = &c->sregs, .xsave_len = c->vcpu->xsave_len};
	struct fl_pieces pieces;

	fl_locate_pieces(&ops, &cpu, &pieces);
	return fl_locate(&ops, c->in, &pieces, &c->location);
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
	fl_probe_page(c->vcpu->env->map, c->location.gpa, c->location.access == FL_ACCESS_WRITE, &c->probe);
	c->finding = fl_classify(&c->probe, c->location.gpa, c->location.access);
}

/* A byte nobody could find lies in one of the windows: the guest may have it only if all of them would give it. */
static enum fl_action decide_unlocated(struct fl_fault_case *c, bool can_reflect)
{
	const struct fl_gpa_map *map = c->vcpu->env->map;
	enum fl_action action = FL_ACTION_STOP;

	for (unsigned int i = 0; i < map->count; i++) {
		if (map->regions[i].kind != FL_REGION_WINDOW)
			continue;
		action = fl_decide(&map->regions[i], &c->finding, can_reflect);
		if (action == FL_ACTION_STOP)
			break;
	}
	return action;
}

static void decide(struct fl_fault_case *c)
{
	bool can_reflect = fl_can_deliver(c);

	if (c->located == FL_LOCATE_UNKNOWN)
		c->action = decide_unlocated(c, can_reflect);
	else
		c->action = fl_decide(c->probe.region, &c->finding, can_reflect);
}

static enum fl_step stop(struct fl_fault_case *c, struct fl_ending *ending)
{
	char line[LINE_ROOM];

	c->outcome = FL_OUTCOME_STOPPED;
	fl_account(c, line, sizeof(line));
	return fl_ending(ending, FL_VCPU_END_FAULT, -EFAULT, "vCPU %u stopped, %s, \"%s\": %s", c->vcpu->index,
			 c->why_stopped ? c->why_stopped : "the policy does not let the guest have it",
			 c->probe.region ? c->probe.region->name : "?", line);
}

static enum fl_step host_error(struct fl_fault_case *c, struct fl_ending *ending, const char *step, int error)
{
	return fl_ending(ending, FL_VCPU_END_ERROR, error, "vCPU %u: cannot %s a fault at rip 0x%llx: %s",
			 c->vcpu->index, step, (unsigned long long)c->regs.rip, strerror(-error));
}

/* The page is there (again): the access is repeated. Only the first of a series makes a report. */
static enum fl_step retry(struct fl_fault_case *c, struct fl_ending *ending)
{
	unsigned int count = repeat(&c->vcpu->healthy, c->regs.rip);
	char line[LINE_ROOM];

	if (!c->undone) {
		c->why_stopped = "a store that KVM emulated could not be taken back";
		return stop(c, ending);
	}
	if (count > REPEATS_MAX) {
		c->why_stopped = "the access keeps failing although its page is healthy";
		return stop(c, ending);
	}
	c->outcome = FL_OUTCOME_RETRIED;
	if (count == 1)
		fl_account(c, line, sizeof(line));
	return FL_STEP_CONTINUE;
}

/* KVM goes on delivering the event when it is entered again; the fault comes back after it, or never. */
static enum fl_step let_event_finish(struct fl_fault_case *c, struct fl_ending *ending)
{
	if (repeat(&c->vcpu->busy, c->regs.rip) <= REPEATS_MAX)
		return FL_STEP_CONTINUE;
	c->why_stopped = "an exception or interrupt cannot be delivered";
	c->located = locate(c);
	classify(c);
	return stop(c, ending);
}

/*
 * Where the host's mapping itself forbids the access KVM fails at once (hva_to_pfn(), vma_is_valid()): the vCPU does not
 * hang on that page, whatever it hangs on. The guest may not even get that far, when its own tables forbid it, too.
 */
static bool can_stall(const struct fl_finding *finding)
{
	return finding->cause != FL_CAUSE_UNMAPPED && finding->cause != FL_CAUSE_NOT_PERMITTED;
}

static enum fl_step run_pipeline(struct fl_fault_case *c, struct fl_ending *ending)
{
	char line[LINE_ROOM];
	int result = fl_snapshot(c);

	if (!result)
		result = fl_take_back(c);
	if (result)
		return host_error(c, ending, "take back", result);
	if (c->in->shape != FL_SHAPE_EMULATION && fl_event_in_flight(&c->events))
		return let_event_finish(c, ending);

	c->located = locate(c);
	if (c->in->shape == FL_SHAPE_EMULATION && c->located != FL_LOCATE_BAD)
		return fl_run_end_on_error(c->vcpu, c->in, ending);
	/* the watchdog only suspects: a guest that spins by itself touches nothing that can be lost */
	if (c->in->shape == FL_SHAPE_STALL && c->located != FL_LOCATE_BAD)
		return FL_STEP_CONTINUE;
	classify(c);
	if (c->in->shape == FL_SHAPE_STALL && !can_stall(&c->finding))
		return FL_STEP_CONTINUE;
	if (c->finding.verdict == FL_VERDICT_RETRY)
		return retry(c, ending);
	decide(c);
	if (c->action == FL_ACTION_STOP)
		return stop(c, ending);
	result = fl_deliver(c);
	if (result)
		return host_error(c, ending, "deliver", result);
	c->vcpu->healthy.count = 0;
	fl_account(c, line, sizeof(line));
	return FL_STEP_CONTINUE;
}

enum fl_step fl_fault_path(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending)
{
	struct fl_fault_case c = {.vcpu = vcpu, .in = in, .time_ns = now_ns(CLOCK_REALTIME), .slot = -1};
	enum fl_step step = run_pipeline(&c, ending);

	fl_probe_put(&c.probe);
	return step;
}
