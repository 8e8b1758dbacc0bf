/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/verdict/judge.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/verdict/judge_expect.h"
#include "cli/scenario/verdict/words.h"

static int add_failure(struct fl_scn_result *result, struct fl_scn_pos pos, const char *kind, const char *format,
		       va_list args)
{
	struct fl_scn_failure *all = realloc(result->failures, (result->failures_count + 1) * sizeof(*all));

	result->verdict = FL_SCN_FAILED;
	if (!all)
		return -ENOMEM;
	result->failures = all;
	all += result->failures_count;
	all->pos = pos;
	all->kind = kind;
	if (vasprintf(&all->text, format, args) < 0)
		return -ENOMEM;
	result->failures_count++;
	return 0;
}

int fl_scn_fail(struct fl_scn_result *result, struct fl_scn_pos pos, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int ret = add_failure(result, pos, NULL, format, args);
	va_end(args);
	return ret;
}

int fl_scn_fail_alike(struct fl_scn_result *result, struct fl_scn_pos pos, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int ret = add_failure(result, pos, format, format, args);
	va_end(args);
	return ret;
}

static bool address_fits(const struct fl_scn_wish *wish, const struct fl_scn_seen *seen)
{
	return seen->map == wish->map && seen->offset >= wish->offset && seen->offset <= wish->offset_end;
}

/* Linux keeps its records to itself, and natively there are none. */
static bool record_fits(const struct fl_scn_wish *wish, const struct fl_scn_seen *seen)
{
	return !wish->has_record || !seen->has_records || (seen->cause == wish->cause && seen->access == wish->access);
}

static bool wish_fits(const struct fl_scn_wish *wish, const struct fl_scn_seen *seen)
{
	switch (wish->kind) {
	case FL_SCN_WISH_ANY:
		return seen->kind != FL_SCN_CANNOT && seen->kind != FL_SCN_LATE;
	case FL_SCN_WISH_OK:
		return seen->kind == FL_SCN_DID && (!wish->has_value || seen->value == wish->value);
	case FL_SCN_WISH_ERROR:
		return seen->kind == FL_SCN_ERROR && seen->value == wish->value;
	case FL_SCN_WISH_KILLED:
		return seen->kind == FL_SCN_KILLED && seen->value == wish->value;
	case FL_SCN_WISH_LOST:
		return seen->kind == FL_SCN_SIGNAL && seen->value == SIGBUS && seen->code == BUS_ADRERR &&
		       address_fits(wish, seen) && record_fits(wish, seen);
	case FL_SCN_WISH_SIGNAL:
		return seen->kind == FL_SCN_SIGNAL && seen->value == wish->value &&
		       (!wish->has_code || seen->code == wish->code) &&
		       (!wish->has_address || address_fits(wish, seen)) && record_fits(wish, seen);
	default:
		return false;
	}
}

const struct fl_scn_wish *fl_scn_fitting_wish(const struct fl_scn_step *step, const struct fl_scn_seen *seen)
{
	for (uint32_t i = 0; i < step->wishes_count; i++)
		if (wish_fits(&step->wishes[i], seen))
			return &step->wishes[i];
	return NULL;
}

bool fl_scn_step_fits(const struct fl_scn_step *step, const struct fl_scn_seen *seen)
{
	return step->wishes_count == 0 ? seen->kind == FL_SCN_DID : fl_scn_fitting_wish(step, seen) != NULL;
}

uint64_t fl_scn_allowed_ns(const struct fl_scn_evidence *evidence, uint64_t stated_ns, char why[FL_SCN_ALLOWED_LEN])
{
	uint64_t allowed_ns;

	why[0] = '\0';
	if (evidence->slowness <= 1)
		return stated_ns;
	if (__builtin_mul_overflow(stated_ns, evidence->slowness, &allowed_ns))
		return UINT64_MAX;
	snprintf(why, FL_SCN_ALLOWED_LEN, " (%.3f ms, %u times as long on this host)", (double)stated_ns / 1e6,
		 evidence->slowness);
	return allowed_ns;
}

static int judge_seen(const struct fl_scn_evidence *evidence, uint32_t actor, uint32_t index,
		      const struct fl_scn_seen *seen, struct fl_scn_result *result)
{
	const struct fl_scn_actor *who = &evidence->scenario_case->actors[actor];
	const struct fl_scn_step *step = &who->steps[index];
	char did[FL_SCN_WORDS_LEN], wanted[FL_SCN_WORDS_LEN], came[FL_SCN_WORDS_LEN], why[FL_SCN_ALLOWED_LEN];
	uint64_t allowed_ns;

	fl_scn_say_step(evidence->scenario_case, actor, step, did);
	if (!fl_scn_step_fits(step, seen)) {
		fl_scn_say_wishes(evidence->scenario_case, actor, step, wanted);
		fl_scn_say_seen(evidence->scenario_case, actor, seen, came);
		return fl_scn_fail(result, step->pos, "%s: %s: expected %s, got %s%s.", who->name, did, wanted, came,
				   seen->count > 1 ? " (more than once)" : "");
	}
	/* what holds a step up is taken away when its case is over */
	if (evidence->over_ns && !step->may_be_left_out &&
	    seen->last_ns > evidence->over_ns + evidence->seen[actor].clock_error_ns)
		return fl_scn_fail(result, step->pos, "%s: %s ended only because the case's time was over.", who->name,
				   did);
	allowed_ns = fl_scn_allowed_ns(evidence, step->within_ns, why);
	if (step->within_ns && seen->longest_ns > allowed_ns)
		return fl_scn_fail_alike(result, step->pos, "%s: %s took %.3f ms, more than %.3f ms%s.", who->name, did,
					 (double)seen->longest_ns / 1e6, (double)allowed_ns / 1e6, why);
	result->checks++;
	return 0;
}

/* Was the process of the actor ended in a way that somebody expected? */
static bool was_killed_as_expected(const struct fl_scn_evidence *evidence, uint32_t actor)
{
	const struct fl_scn_actor *who = &evidence->scenario_case->actors[actor];

	for (uint32_t i = 0; i < who->steps_count; i++)
		for (uint32_t j = 0; j < evidence->seen[actor].steps[i].count; j++)
			if (evidence->seen[actor].steps[i].all[j].kind == FL_SCN_KILLED &&
			    fl_scn_step_fits(&who->steps[i], &evidence->seen[actor].steps[i].all[j]))
				return true;
	return false;
}

static int judge_actor(const struct fl_scn_evidence *evidence, uint32_t actor, struct fl_scn_result *result)
{
	const struct fl_scn_actor *who = &evidence->scenario_case->actors[actor];
	const struct fl_scn_actor_seen *seen = &evidence->seen[actor];
	bool excused = was_killed_as_expected(evidence, actor);
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < who->steps_count; i++) {
		char did[FL_SCN_WORDS_LEN];

		for (uint32_t j = 0; ret == 0 && j < seen->steps[i].count; j++)
			ret = judge_seen(evidence, actor, i, &seen->steps[i].all[j], result);
		if (ret < 0 || seen->steps[i].count || who->steps[i].may_be_left_out || excused)
			continue;
		fl_scn_say_step(evidence->scenario_case, actor, &who->steps[i], did);
		/* one sentence is enough for all that follows */
		return fl_scn_fail(result, who->steps[i].pos, "%s: %s never ran%s.", who->name, did,
				   seen->done ? "" : ", since what comes before it did not end");
	}
	return ret;
}

int fl_scn_judge(const struct fl_scn_evidence *evidence, struct fl_scn_result *result)
{
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < evidence->scenario_case->actors_count; i++)
		ret = judge_actor(evidence, i, result);
	return ret == 0 ? fl_scn_judge_expectations(evidence, result) : ret;
}
