/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/manual_steps.h"

#include <errno.h>
#include <string.h>

#include "cli/diag.h"
#include "cli/mdoc.h"
#include "cli/scenario/language/scenario.h"

static const char *who_of(const struct fl_scn_op_row *row)
{
	if (row->by == (FL_SCN_BY_GUEST | FL_SCN_BY_HOST))
		return "both";
	return row->by == FL_SCN_BY_GUEST ? "guest" : "host";
}

/* "PLACE [SIZE]": each word is a macro's argument of its own */
static void put_operands(FILE *out, const char *operands)
{
	char word[64];

	while (*operands) {
		size_t len = strcspn(operands, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, operands);
		fputc(' ', out);
		fl_cli_mdoc_argument(out, word);
		operands += len + (operands[len] == ' ');
	}
}

/* The words that say how, or nothing. */
static void put_words(FILE *out, const struct fl_scn_op_row *row)
{
	const char *before = "Words:";

	if (!row->words)
		return;
	for (const struct fl_scn_word *word = row->words; word->word; word++) {
		fprintf(out, "%s\n.Cm %s", before, word->word);
		before = " ,";
	}
	fputs(" .\n", out);
}

/* What can come of it but that it is done: what to put behind "=>". */
static void put_outcomes(FILE *out, const struct fl_scn_op_row *row)
{
	static const struct {
		uint32_t can;
		const char *text;
	} outcomes[] = {
		{FL_SCN_CAN_RETURN, "a value"},
		{FL_SCN_CAN_FAIL, "an errno"},
		{FL_SCN_CAN_FAULT, "a signal"},
		{FL_SCN_CAN_DIE, "killed"},
	};
	const char *before = "It can come to";

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		if (!(row->can & outcomes[i].can))
			continue;
		fprintf(out, "%s %s", before, outcomes[i].text);
		before = ",";
	}
	if (row->can)
		fputs(".\n", out);
}

static void put_example(FILE *out, const char *example)
{
	fputs(".Dl ", out);
	for (; *example; example++) {
		if (*example == '"')
			fputs("\\(dq", out); /* else it would quote the macro's argument */
		else
			fputc(*example, out);
	}
	fputc('\n', out);
}

static void put_step(FILE *out, const struct fl_scn_op_row *row)
{
	fprintf(out, ".It Cm %s", row->name);
	put_operands(out, row->operands);
	fputc('\n', out);
	fl_cli_mdoc_text(out, row->brief, row->operands, false);
	put_words(out, row);
	put_outcomes(out, row);
	put_example(out, row->example);
}

static int put_named(FILE *out, const char *who, const char *name, struct fl_cli_steps_shown *shown, unsigned int line,
		     struct fl_diag *diag)
{
	for (size_t i = 0; fl_scn_ops[i].name && i < FL_CLI_STEPS_MAX; i++) {
		if (strcmp(who_of(&fl_scn_ops[i]), who) != 0 || strcmp(fl_scn_ops[i].name, name) != 0)
			continue;
		if (shown->shown[i])
			return fl_cli_diag(diag, -EINVAL, "Line %u has the step %s for the second time.", line, name);
		shown->shown[i] = true;
		put_step(out, &fl_scn_ops[i]);
		return 0;
	}
	return fl_cli_diag(diag, -EINVAL, "Line %u: there is no step %s of %s.", line, name, who);
}

static void put_rest(FILE *out, const char *who, struct fl_cli_steps_shown *shown)
{
	for (size_t i = 0; fl_scn_ops[i].name && i < FL_CLI_STEPS_MAX; i++) {
		if (strcmp(who_of(&fl_scn_ops[i]), who) != 0 || shown->shown[i])
			continue;
		shown->shown[i] = true;
		put_step(out, &fl_scn_ops[i]);
	}
}

int fl_cli_mdoc_steps(FILE *out, char *rest, struct fl_cli_steps_shown *shown, unsigned int line, struct fl_diag *diag)
{
	const char *who = strsep(&rest, " "), *name;
	int ret = 0;

	shown->any = true;
	if (!who || (strcmp(who, "both") != 0 && strcmp(who, "guest") != 0 && strcmp(who, "host") != 0))
		return fl_cli_diag(diag, -EINVAL, "Line %u needs both, guest or host, and \"%s\" is neither.", line,
				   who ? who : "");
	fputs(".Bl -tag -width Ds\n", out);
	if (!rest)
		put_rest(out, who, shown);
	while (ret == 0 && (name = strsep(&rest, " ")))
		ret = put_named(out, who, name, shown, line, diag);
	fputs(".El\n", out);
	return ret;
}

int fl_cli_check_steps(const struct fl_cli_steps_shown *shown, struct fl_diag *diag)
{
	for (size_t i = 0; shown->any && fl_scn_ops[i].name; i++)
		if (i >= FL_CLI_STEPS_MAX || !shown->shown[i])
			return fl_cli_diag(diag, -EINVAL, "The page leaves out the step %s of %s.", fl_scn_ops[i].name,
					   who_of(&fl_scn_ops[i]));
	return 0;
}
