/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps 4 and 5 of the way of a fault: goes through the region's list until something can be done. Each round uses
 * up an entry of the list, so it ends, and it ends with a stop.
 */
#include <stdio.h>
#include <string.h>

#include "vcpu/fault_case.h"

static struct fl_possible find_possible(struct fl_fault_case *c)
{
	bool known = c->located == FL_LOCATE_BAD && c->location.gpa_valid;

	if (!c->undone)
		c->no_substitute = c->no_ask = "a store that KVM emulated could not be taken back";
	else if (!known)
		c->no_substitute = c->no_ask = "the byte that failed could not be found";
	else if (!c->vcpu->env->ops.ask)
		c->no_ask = "there is nobody to ask";
	if (c->probe.region && c->probe.region->kind == FL_REGION_RAM)
		c->no_reflect = "RAM is never reflected";
	return (struct fl_possible){
		.reflect = !c->no_reflect && fl_can_deliver(c),
		.substitute = c->no_substitute == NULL,
		.ask = c->no_ask == NULL,
	};
}

static int substitute_ram(struct fl_guest_ram *ram, const struct fl_region *region, uint64_t gpa)
{
	uint64_t offset;

	if (!ram || region->hva < ram->hva)
		return -ENOTSUP;
	offset = (uint64_t)(region->hva - ram->hva) + (gpa - region->gpa);
	return fl_guest_ram_substitute(ram, fl_align_down(offset, FL_PAGE_LEN));
}

/* A substitute that does not help (its own memory went bad, say) would come back for ever. */
static bool page_is_healthy(const struct fl_fault_case *c)
{
	struct fl_probe probe;
	struct fl_finding finding = fl_look(c, &probe);

	fl_probe_put(&probe);
	return finding.verdict == FL_VERDICT_RETRY;
}

static int substitute_window(const struct fl_fault_case *c, uint64_t offset)
{
	const struct fl_window_loss loss = {
		.backing = c->probe.view.backing,
		.file_offset = c->probe.view.file_offset,
		.ended = c->finding.cause == FL_CAUSE_TRUNCATED,
	};

	return fl_window_substitute(c->probe.region->window, fl_align_down(offset, FL_PAGE_LEN), &loss);
}

int fl_substitute_page(struct fl_fault_case *c)
{
	const struct fl_region *region = c->probe.region;
	int result;

	if (region->kind == FL_REGION_WINDOW)
		result = substitute_window(c, c->location.gpa - region->gpa);
	else
		result = substitute_ram(c->vcpu->env->ram, region, c->location.gpa);
	if (!result && !page_is_healthy(c)) {
		c->no_substitute = "the page is bad all the same";
		return -EIO;
	}
	if (result)
		c->no_substitute = strerror(-result);
	if (result == -ENOTRECOVERABLE)
		c->finding.verdict = FL_VERDICT_HOLE;
	return result;
}

static bool substitute(struct fl_fault_case *c)
{
	int result;

	if (fl_repeat_count(&c->vcpu->substituted, c->regs.rip) > FL_REPEATS_MAX) {
		c->no_substitute = "the access keeps failing";
		return false;
	}
	result = fl_substitute_page(c);
	if (result && result != -EAGAIN)
		return false;
	c->outcome = result ? FL_OUTCOME_RETRIED : FL_OUTCOME_SUBSTITUTED;
	return true;
}

/* After a repair. What is found now counts from here on, unless all is well: the report is of what was wrong. */
static bool look_again(struct fl_fault_case *c)
{
	struct fl_probe probe;
	struct fl_finding finding = fl_look(c, &probe);

	if (finding.verdict == FL_VERDICT_RETRY) {
		fl_probe_put(&probe);
		return true;
	}
	fl_probe_put(&c->probe);
	c->probe = probe;
	c->finding = finding;
	return false;
}

/* What is no sensible answer, and what cannot be done, is the same as FL_ACTION_NEXT. */
static enum fl_action take_answer(struct fl_fault_case *c, enum fl_action answer, const struct fl_possible *possible)
{
	if (answer == FL_ACTION_ASK || !fl_action_is_possible(answer, c->probe.region, &c->finding, possible)) {
		c->no_ask = "the answer was nothing that can be done";
		return FL_ACTION_NEXT;
	}
	if (answer == FL_ACTION_STOP)
		c->why_stopped = "the answer was to stop";
	return answer;
}

/* FL_ACTION_RETRY: the page is healthy again. FL_ACTION_NEXT: the rest of the list. */
static enum fl_action ask(struct fl_fault_case *c, const struct fl_possible *possible)
{
	const struct fl_vcpu_ops *ops = &c->vcpu->env->ops;

	for (unsigned int i = 0; i < FL_ASKS_MAX; i++) {
		struct fl_fault fault;
		enum fl_action answer;

		fl_fill_report(c, &fault);
		answer = ops->ask(ops->arg, &fault);
		if (answer != FL_ACTION_RETRY)
			return take_answer(c, answer, possible);
		if (fl_repeat_count(&c->vcpu->asked, c->regs.rip) > FL_REPEATS_MAX)
			break;
		if (look_again(c))
			return FL_ACTION_RETRY;
	}
	c->no_ask = "repairs did not help";
	return FL_ACTION_NEXT;
}

/* 1: the fault has its outcome. 0: it could not be done after all. -errno: trouble with KVM. */
static int act(struct fl_fault_case *c, enum fl_action action)
{
	int result = 0;

	switch (action) {
	case FL_ACTION_STOP:
		c->outcome = FL_OUTCOME_STOPPED;
		return 1;
	case FL_ACTION_REFLECT:
		result = fl_deliver(c);
		result = result ? result : 1;
		break;
	case FL_ACTION_SUBSTITUTE:
		result = substitute(c);
		break;
	case FL_ACTION_RETRY:
		c->outcome = FL_OUTCOME_RETRIED;
		return 1;
	case FL_ACTION_ASK:
	case FL_ACTION_NEXT:
		return 0;
	}
	fl_step_end(c, &c->times.deliver_ns);
	return result;
}

/* A byte nobody could find lies in one of the windows: the guest may have it only if all of them would give it. */
static enum fl_action decide_unlocated(const struct fl_fault_case *c, const struct fl_possible *possible)
{
	const struct fl_gpa_map *map = c->vcpu->env->map;
	enum fl_action action = FL_ACTION_STOP;

	for (unsigned int i = 0; i < map->count; i++) {
		unsigned int at = 0;

		if (map->regions[i].kind != FL_REGION_WINDOW)
			continue;
		action = fl_decide(&map->regions[i], &c->finding, possible, &at);
		if (action == FL_ACTION_STOP)
			break;
	}
	return action;
}

int fl_follow_policy(struct fl_fault_case *c)
{
	struct fl_possible possible = find_possible(c);
	unsigned int at = 0;
	int result;

	do {
		enum fl_action action;

		if (c->located == FL_LOCATE_UNKNOWN)
			action = decide_unlocated(c, &possible);
		else
			action = fl_decide(c->probe.region, &c->finding, &possible, &at);
		if (action == FL_ACTION_ASK)
			action = ask(c, &possible);
		fl_step_end(c, &c->times.decide_ns);
		result = act(c, action);
	} while (result == 0);
	return result < 0 ? result : 0;
}

/* What no list of actions had a say in. */
static const char *why_whatever_the_policy(const struct fl_fault_case *c)
{
	if (!c->why_stopped && c->finding.verdict == FL_VERDICT_HOLE)
		return "the mapping behind the page is broken or gone";
	return c->why_stopped;
}

void fl_describe_stop(const struct fl_fault_case *c, char *buf, size_t len)
{
	const struct fl_policy *policy = c->probe.region ? &c->probe.region->policy : NULL;
	const struct {
		enum fl_action action;
		const char *why;
	} passed[] = {
		{FL_ACTION_REFLECT, c->no_reflect},
		{FL_ACTION_SUBSTITUTE, c->no_substitute ? c->no_substitute : "it does not cure this cause"},
		{FL_ACTION_ASK, c->no_ask},
	};
	const char *why = why_whatever_the_policy(c);
	size_t used = 0;

	snprintf(buf, len, "%s", why ? why : "the policy says stop");
	for (size_t i = 0; !why && policy && i < FL_ARRAY_SIZE(passed) && used < len; i++)
		if (passed[i].why && fl_policy_has(policy, passed[i].action))
			used += (size_t)snprintf(buf + used, len - used, "%s%s was not possible: %s", used ? "; " : "",
						 fl_action_name(passed[i].action), passed[i].why);
}
