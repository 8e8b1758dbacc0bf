/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/verdict/judge_expect.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/verdict/words.h"

/* ---- faults ------------------------------------------------------------------------------ */

static bool path_fits(const struct fl_scn_evidence *evidence, const struct fl_scn_expect *expect, const char *path)
{
	char wanted[PATH_MAX];
	size_t len;

	if (!path || evidence->host_path(evidence->arg, expect->dir, expect->path, wanted) < 0)
		return false;
	len = strlen(wanted);
	/* the host's kernel says so of a file that has lost its name */
	return strncmp(path, wanted, len) == 0 && (path[len] == '\0' || strcmp(path + len, " (deleted)") == 0);
}

static bool fault_fits(const struct fl_scn_evidence *evidence, const struct fl_scn_expect *expect,
		       const struct fl_scn_fault *record)
{
	const struct fl_fault *fault = &record->fault;
	uint32_t fields = expect->fields;
	bool has_file = fault->flags & FL_FAULT_FILE_VALID;

	if (record->machine != expect->machine)
		return false;
	if (!has_file && (fields & (FL_SCN_FIELD_PATH | FL_SCN_FIELD_OFFSET | FL_SCN_FIELD_LEN | FL_SCN_FIELD_MAPPED)))
		return false;
	return (!(fields & FL_SCN_FIELD_CAUSE) || fault->cause == expect->cause) &&
	       (!(fields & FL_SCN_FIELD_ACCESS) || fault->access == expect->access) &&
	       (!(fields & FL_SCN_FIELD_OUTCOME) || fault->outcome == expect->outcome) &&
	       (!(fields & FL_SCN_FIELD_SHAPE) || (fault->shape && strcmp(fault->shape, expect->shape) == 0)) &&
	       (!(fields & FL_SCN_FIELD_CPL) || fault->cpl == expect->cpl) &&
	       (!(fields & FL_SCN_FIELD_VCPU) || fault->vcpu == expect->vcpu) &&
	       (!(fields & FL_SCN_FIELD_OFFSET) ||
		(fault->file_offset >= expect->offset && fault->file_offset <= expect->offset_end)) &&
	       (!(fields & FL_SCN_FIELD_LEN) || fault->file_len == expect->len) &&
	       (!(fields & FL_SCN_FIELD_MAPPED) || fault->mapped_file_len == expect->mapped_len) &&
	       (!(fields & FL_SCN_FIELD_PATH) || path_fits(evidence, expect, fault->path));
}

/* "0", "1 to 3", "2 or more" */
static const char *say_range(uint64_t least, uint64_t most, char text[FL_SCN_WORDS_LEN])
{
	if (least == most)
		snprintf(text, FL_SCN_WORDS_LEN, "%llu", (unsigned long long)least);
	else if (most == UINT64_MAX)
		snprintf(text, FL_SCN_WORDS_LEN, "%llu or more", (unsigned long long)least);
	else
		snprintf(text, FL_SCN_WORDS_LEN, "%llu to %llu", (unsigned long long)least, (unsigned long long)most);
	return text;
}

static int judge_faults(const struct fl_scn_evidence *evidence, const struct fl_scn_expect *expect,
			struct fl_scn_result *result)
{
	char wanted[FL_SCN_WORDS_LEN];
	uint64_t count = 0;

	if (evidence->native)
		return 0;
	for (size_t i = 0; i < evidence->faults_count; i++)
		count += fault_fits(evidence, expect, &evidence->faults[i]);
	if (count >= expect->least && count <= expect->most) {
		result->checks++;
		return 0;
	}
	return fl_scn_fail(result, expect->pos, "Of %zu fault records %llu are like this one, expected were %s.",
			   evidence->faults_count, (unsigned long long)count,
			   say_range(expect->least, expect->most, wanted));
}

static bool is_expected(const struct fl_scn_evidence *evidence, const struct fl_scn_fault *fault)
{
	const struct fl_scn_case *of = evidence->scenario_case;

	for (uint32_t i = 0; i < of->expects_count; i++)
		if (of->expects[i].kind == FL_SCN_EXPECT_FAULT && of->expects[i].most > 0 &&
		    fault_fits(evidence, &of->expects[i], fault))
			return true;
	/* the page was there when it was looked at: nobody has lost anything */
	return fault->fault.cause == FL_CAUSE_NONE;
}

static int judge_unexpected_faults(const struct fl_scn_evidence *evidence, struct fl_scn_result *result)
{
	char text[512];
	size_t others = 0;
	const struct fl_scn_fault *first = NULL;

	for (size_t i = 0; i < evidence->faults_count; i++)
		if (!is_expected(evidence, &evidence->faults[i])) {
			first = first ? first : &evidence->faults[i];
			others++;
		}
	if (!first) {
		result->checks++;
		return 0;
	}
	(void)fl_fault_format(&first->fault, text, sizeof(text));
	return fl_scn_fail(result, (struct fl_scn_pos){0, 0},
			   "%zu fault record%s that no expectation is like; the "
			   "first: %s",
			   others, others == 1 ? "" : "s", text);
}

/* ---- machines ---------------------------------------------------------------------------- */

const char *fl_scn_find_oops(const char *console, size_t *len)
{
	static const char *const signs[] = {"BUG:",
					    "Oops:",
					    "WARNING:",
					    "general protection fault",
					    "Kernel panic",
					    "double fault",
					    "segment not present",
					    "rcu: INFO:",
					    "soft lockup",
					    "hard LOCKUP",
					    "blocked for more than",
					    "KASAN:",
					    "possible recursive locking",
					    "circular locking"};

	for (const char *line = console; *line;) {
		size_t line_len = strcspn(line, "\n");

		for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
			if (memmem(line, line_len, signs[i], strlen(signs[i]))) {
				*len = line_len;
				return line;
			}
		line += line_len + (line[line_len] == '\n');
	}
	return NULL;
}

static const char *say_end(enum fl_end end)
{
	static const char *const words[] = {
		"runs",	   "exited", "signaled",   "powered off", "reset", "crashed", "was stopped by a fault",
		"stopped", "failed", "did not run"};

	return (size_t)end < sizeof(words) / sizeof(words[0]) ? words[end] : "ended";
}

static const struct fl_scn_expect *end_wanted(const struct fl_scn_case *of, uint32_t machine)
{
	for (uint32_t i = 0; i < of->expects_count; i++)
		if (of->expects[i].kind == FL_SCN_EXPECT_ENDS && of->expects[i].machine == machine)
			return &of->expects[i];
	return NULL;
}

static int judge_machine(const struct fl_scn_evidence *evidence, uint32_t machine, struct fl_scn_result *result)
{
	const struct fl_scn_machine *of = &evidence->scenario_case->machines[machine];
	const struct fl_scn_machine_end *end = &evidence->ends[machine];
	const struct fl_scn_expect *wanted = end_wanted(evidence->scenario_case, machine);
	size_t oops_len;
	const char *oops = fl_scn_find_oops(end->console, &oops_len);

	if (wanted && !evidence->native && (end->lives || end->end != wanted->end || end->panic != wanted->panic))
		return fl_scn_fail(result, wanted->pos, "%s %s%s%s.", of->name, say_end(end->end),
				   end->why[0] ? ": " : "", end->why);
	if (!wanted && !end->lives)
		return fl_scn_fail(result, of->pos, "%s did not live to the end of the case: it %s%s%s.", of->name,
				   say_end(end->end), end->why[0] ? ": " : "", end->why);
	if (!wanted && oops)
		return fl_scn_fail_alike(result, of->pos, "The kernel of %s complained: %.*s", of->name,
					 (int)(oops_len < 400 ? oops_len : 400), oops);
	result->checks++;
	return 0;
}

static int judge_console(const struct fl_scn_evidence *evidence, const struct fl_scn_expect *expect,
			 struct fl_scn_result *result)
{
	bool has;

	if (evidence->native)
		return 0;
	has = strstr(evidence->ends[expect->machine].console, expect->text);
	if (has == expect->not )
		return fl_scn_fail(result, expect->pos, "The console of %s %s \"%s\".",
				   evidence->scenario_case->machines[expect->machine].name, has ? "has" : "has not",
				   expect->text);
	result->checks++;
	return 0;
}

/* ---- the rest ---------------------------------------------------------------------------- */

static int judge_file(const struct fl_scn_evidence *evidence, const struct fl_scn_expect *expect,
		      struct fl_scn_result *result)
{
	const char *dir = evidence->scenario_case->dirs[expect->dir].name;
	const char *where = expect->in_guest ? evidence->scenario_case->machines[expect->machine].name : "the host";
	struct fl_scn_look look = {0};
	int ret = evidence->look(evidence->arg, expect, &look);

	if (ret < 0)
		return fl_scn_fail(result, expect->pos, "%s/%s cannot be looked at by %s: %s.", dir, expect->path,
				   where, strerror(-ret));
	if (look.absent != expect->absent)
		return fl_scn_fail(result, expect->pos, "%s/%s is %sthere for %s.", dir, expect->path,
				   look.absent ? "not " : "", where);
	if (expect->has_len && look.len != expect->len)
		return fl_scn_fail(result, expect->pos, "%s/%s has %llu bytes for %s, expected were %llu.", dir,
				   expect->path, (unsigned long long)look.len, where, (unsigned long long)expect->len);
	if (expect->has_content && look.same != look.len)
		return fl_scn_fail(result, expect->pos, "%s/%s differs for %s from byte %llu on.", dir, expect->path,
				   where, (unsigned long long)look.same);
	result->checks++;
	return 0;
}

static int judge_time(const struct fl_scn_evidence *evidence, const struct fl_scn_expect *expect,
		      struct fl_scn_result *result)
{
	const char *const *names = evidence->scenario_case->marks;
	uint64_t begin = evidence->mark_times[expect->mark], end = evidence->mark_times[expect->mark_end];
	char why[FL_SCN_ALLOWED_LEN];

	if (!begin || !end)
		return fl_scn_fail(result, expect->pos, "The mark %s was never set.",
				   names[begin ? expect->mark_end : expect->mark]);
	/* a guest's clock is known with an error: what seems to have come before has come at the same time */
	uint64_t took = end > begin ? end - begin : 0, allowed_ns = fl_scn_allowed_ns(evidence, expect->most, why);

	if (took < expect->least)
		return fl_scn_fail_alike(result, expect->pos, "From %s to %s it took %.3f ms, less than %.3f ms.",
					 names[expect->mark], names[expect->mark_end], (double)took / 1e6,
					 (double)expect->least / 1e6);
	if (took > allowed_ns)
		return fl_scn_fail_alike(result, expect->pos, "From %s to %s it took %.3f ms, more than %.3f ms%s.",
					 names[expect->mark], names[expect->mark_end], (double)took / 1e6,
					 (double)allowed_ns / 1e6, why);
	result->checks++;
	return 0;
}

static int judge_turns(const struct fl_scn_evidence *evidence, const struct fl_scn_expect *expect,
		       struct fl_scn_result *result)
{
	uint64_t turns = evidence->seen[expect->actor].turns;
	char wanted[FL_SCN_WORDS_LEN];

	if (turns < expect->least || turns > expect->most)
		return fl_scn_fail(result, expect->pos, "The loops of %s turned %llu times, expected were %s.",
				   evidence->scenario_case->actors[expect->actor].name, (unsigned long long)turns,
				   say_range(expect->least, expect->most, wanted));
	result->checks++;
	return 0;
}

static int judge_expect(const struct fl_scn_evidence *evidence, const struct fl_scn_expect *expect,
			struct fl_scn_result *result)
{
	switch (expect->kind) {
	case FL_SCN_EXPECT_FAULT:
		return judge_faults(evidence, expect, result);
	case FL_SCN_EXPECT_FILE:
		return judge_file(evidence, expect, result);
	case FL_SCN_EXPECT_CONSOLE:
		return judge_console(evidence, expect, result);
	case FL_SCN_EXPECT_TIME:
		return judge_time(evidence, expect, result);
	case FL_SCN_EXPECT_TURNS:
		return judge_turns(evidence, expect, result);
	case FL_SCN_EXPECT_ENDS: /* with its machine */
	default:
		return 0;
	}
}

int fl_scn_judge_expectations(const struct fl_scn_evidence *evidence, struct fl_scn_result *result)
{
	const struct fl_scn_case *of = evidence->scenario_case;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < of->expects_count; i++)
		ret = judge_expect(evidence, &of->expects[i], result);
	for (uint32_t i = 0; ret == 0 && i < of->machines_count; i++)
		ret = judge_machine(evidence, i, result);
	return ret == 0 && !evidence->native ? judge_unexpected_faults(evidence, result) : ret;
}
