/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/verdict/words.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text that grows in a buffer, and is cut at its end. */
struct line {
	char *text;
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *line, const char *format, ...)
{
	size_t room = FL_SCN_WORDS_LEN - line->len;
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line->text + line->len, room, format, args);
	va_end(args);
	if (len > 0)
		line->len += (size_t)len < room ? (size_t)len : room - 1;
}

const char *fl_scn_signal_name(uint64_t number, char text[FL_SCN_WORDS_LEN])
{
	const char *name = number < 65 ? sigabbrev_np((int)number) : NULL;

	if (name)
		snprintf(text, FL_SCN_WORDS_LEN, "SIG%s", name);
	else
		snprintf(text, FL_SCN_WORDS_LEN, "signal %llu", (unsigned long long)number);
	return text;
}

const char *fl_scn_errno_name(uint64_t number, char text[FL_SCN_WORDS_LEN])
{
	const char *name = number > 0 && number < 4096 ? strerrorname_np((int)number) : NULL;

	if (name)
		snprintf(text, FL_SCN_WORDS_LEN, "%s", name);
	else
		snprintf(text, FL_SCN_WORDS_LEN, "error %llu", (unsigned long long)number);
	return text;
}

static const struct {
	uint64_t signal;
	int32_t code;
	const char *name;
} codes[] = {
	{SIGBUS, BUS_ADRALN, "BUS_ADRALN"},	  {SIGBUS, BUS_ADRERR, "BUS_ADRERR"},
	{SIGBUS, BUS_OBJERR, "BUS_OBJERR"},	  {SIGBUS, BUS_MCEERR_AR, "BUS_MCEERR_AR"},
	{SIGBUS, BUS_MCEERR_AO, "BUS_MCEERR_AO"}, {SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR"},
	{SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR"},
};

const char *fl_scn_code_name(uint64_t signal, int32_t code, char text[FL_SCN_WORDS_LEN])
{
	snprintf(text, FL_SCN_WORDS_LEN, code == SI_KERNEL ? "SI_KERNEL" : "code %d", code);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].signal == signal && codes[i].code == code)
			snprintf(text, FL_SCN_WORDS_LEN, "%s", codes[i].name);
	return text;
}

static void add_address(struct line *line, const struct fl_scn_actor *who, const struct fl_scn_seen *seen)
{
	if (seen->map < who->maps_count)
		add(line, "%s+%llu", who->maps[seen->map], (unsigned long long)seen->offset);
	else
		add(line, "%#llx", (unsigned long long)seen->addr);
}

static void add_record(struct line *line, enum fl_cause cause, enum fl_access access)
{
	add(line, " record %s ", fl_cause_name(cause));
	add(line, "%s", fl_access_name(access));
}

void fl_scn_say_seen(const struct fl_scn_case *scenario_case, uint32_t actor, const struct fl_scn_seen *seen,
		     char text[FL_SCN_WORDS_LEN])
{
	struct line line = {.text = text};
	char word[FL_SCN_WORDS_LEN];

	text[0] = '\0';
	switch (seen->kind) {
	case FL_SCN_DID:
		add(&line, seen->value ? "%llu" : "ok", (unsigned long long)seen->value);
		break;
	case FL_SCN_ERROR:
		add(&line, "%s", fl_scn_errno_name(seen->value, word));
		break;
	case FL_SCN_SIGNAL:
		add(&line, "%s ", fl_scn_signal_name(seen->value, word));
		add(&line, "%s at ", fl_scn_code_name(seen->value, seen->code, word));
		add_address(&line, &scenario_case->actors[actor], seen);
		if (seen->cause != FL_CAUSE_NONE)
			add_record(&line, seen->cause, seen->access);
		break;
	case FL_SCN_KILLED:
		add(&line, "killed %s", fl_scn_signal_name(seen->value, word));
		break;
	case FL_SCN_LATE:
		add(&line, "no end of the wait in the case's time");
		break;
	case FL_SCN_CANNOT:
	default:
		add(&line, "cannot be done: %s", fl_scn_errno_name(seen->value, word));
		break;
	}
}

static void add_wish(struct line *line, const struct fl_scn_actor *who, const struct fl_scn_wish *wish)
{
	char word[FL_SCN_WORDS_LEN];

	switch (wish->kind) {
	case FL_SCN_WISH_OK:
		add(line, wish->has_value ? "%llu" : "ok", (unsigned long long)wish->value);
		break;
	case FL_SCN_WISH_ERROR:
		add(line, "%s", fl_scn_errno_name(wish->value, word));
		break;
	case FL_SCN_WISH_SIGNAL:
		add(line, "%s", fl_scn_signal_name(wish->value, word));
		if (wish->has_code)
			add(line, " %s", fl_scn_code_name(wish->value, wish->code, word));
		break;
	case FL_SCN_WISH_LOST:
		add(line, "lost");
		break;
	case FL_SCN_WISH_KILLED:
		add(line, "killed %s", fl_scn_signal_name(wish->value, word));
		break;
	case FL_SCN_WISH_ANY:
	default:
		add(line, "any");
		break;
	}
	if (!wish->has_address || wish->map >= who->maps_count)
		return;
	add(line, " at %s+%llu", who->maps[wish->map], (unsigned long long)wish->offset);
	if (wish->offset_end != wish->offset)
		add(line, "..%s+%llu", who->maps[wish->map], (unsigned long long)wish->offset_end);
	if (wish->has_record)
		add_record(line, wish->cause, wish->access);
}

void fl_scn_say_wishes(const struct fl_scn_case *scenario_case, uint32_t actor, const struct fl_scn_step *step,
		       char text[FL_SCN_WORDS_LEN])
{
	struct line line = {.text = text};

	snprintf(text, FL_SCN_WORDS_LEN, "ok");
	for (uint32_t i = 0; i < step->wishes_count; i++) {
		add(&line, i ? " or " : "");
		add_wish(&line, &scenario_case->actors[actor], &step->wishes[i]);
	}
}

void fl_scn_say_wish(const struct fl_scn_case *scenario_case, uint32_t actor, const struct fl_scn_wish *wish,
		     char text[FL_SCN_WORDS_LEN])
{
	struct line line = {.text = text};

	text[0] = '\0';
	add_wish(&line, &scenario_case->actors[actor], wish);
}

static void add_time(struct line *line, uint64_t ns)
{
	if (ns % 1000)
		add(line, "%lluns", (unsigned long long)ns);
	else if (ns % 1000000)
		add(line, "%lluus", (unsigned long long)ns / 1000);
	else
		add(line, "%llums", (unsigned long long)ns / 1000000);
}

/* Is it in the flags, and none of its group that says more? */
static bool is_said(const struct fl_scn_op_row *row, const struct fl_scn_word *word, uint64_t flags)
{
	if ((flags & word->value) != word->value)
		return false;
	for (const struct fl_scn_word *other = row->words; word->group && other->word; other++)
		if (other != word && other->group == word->group && (flags & other->value) == other->value &&
		    (other->value & word->value) == word->value)
			return false;
	return word->value || word->group;
}

static void add_words(struct line *line, const struct fl_scn_op_row *row, uint64_t flags)
{
	for (const struct fl_scn_word *word = row->words; word && word->word; word++)
		if (is_said(row, word, flags))
			add(line, " %s", word->word);
}

static const char *name_in(const char *const *names, uint32_t count, uint64_t index)
{
	return index < count ? names[index] : "?";
}

static void add_operand(struct line *line, const struct fl_scn_case *of, const struct fl_scn_actor *who,
			const struct fl_scn_op_row *row, char kind, const struct fl_scn_operand *operand)
{
	switch (kind) {
	case 'F':
	case 'f':
		add(line, " %s", name_in(who->handles, who->handles_count, operand->n));
		break;
	case 'M':
	case 'u':
		add(line, " %s", name_in(who->maps, who->maps_count, operand->n));
		break;
	case 'm':
		add(line, " %s+%llu", name_in(who->maps, who->maps_count, operand->n),
		    (unsigned long long)operand->offset);
		break;
	case 'k':
		add(line, " %s", name_in(of->marks, of->marks_count, operand->n));
		break;
	case 'a':
		add(line, " %s", operand->n < of->actors_count ? of->actors[operand->n].name : "?");
		break;
	case 'v':
		add(line, " %s", operand->n < of->machines_count ? of->machines[operand->n].name : "?");
		break;
	case 'D':
		add(line, " %s", operand->n < of->dirs_count ? of->dirs[operand->n].name : "?");
		break;
	case 'P':
		add(line, " %s/%s", operand->dir < of->dirs_count ? of->dirs[operand->dir].name : "?", operand->text);
		break;
	case 's':
		add(line, " \"%s\"", operand->text);
		break;
	case 'A':
		for (const char *const *word = operand->words; word && *word; word++)
			add(line, " %s", *word);
		break;
	case 'L':
		if (operand->n)
			add(line, " %llu", (unsigned long long)operand->n);
		else
			add(line, " until %s", name_in(of->marks, of->marks_count, operand[1].n));
		break;
	case 'o':
		add(line, " %llo", (unsigned long long)operand->n);
		break;
	case 't':
		if (operand->time_kind == FL_SCN_TIME_FIXED && operand->n == 0 && operand->offset == 0)
			break;
		add(line, " ");
		add_time(line, operand->n);
		if (operand->offset > operand->n) {
			add(line, "..");
			add_time(line, operand->offset);
		}
		break;
	case 'w':
		add_words(line, row, operand->n);
		break;
	case 'n':
	case 'i':
	default:
		add(line, " %llu", (unsigned long long)operand->n);
		break;
	}
}

void fl_scn_say_step(const struct fl_scn_case *scenario_case, uint32_t actor, const struct fl_scn_step *step,
		     char text[FL_SCN_WORDS_LEN])
{
	struct line line = {.text = text};
	size_t operand = 0;

	add(&line, "%s", step->row->name);
	for (const char *kind = step->row->signature; *kind && operand < FL_SCN_OPERANDS_MAX; kind++) {
		if (*kind == '?')
			continue;
		add_operand(&line, scenario_case, &scenario_case->actors[actor], step->row, *kind,
			    &step->operands[operand]);
		operand += *kind == 'L' ? 2 : 1;
	}
}
