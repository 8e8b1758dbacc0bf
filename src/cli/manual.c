/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/manual.h"

#include <errno.h>
#include <string.h>

#include "cli/diag.h"
#include "cli/manual_steps.h"
#include "cli/mdoc.h"

#define OPTIONS_MAX  64
#define LINE_MAX_LEN 512

struct page {
	FILE *out;
	const struct fl_cli_verb *verb; /* whose options it has; NULL: none yet */
	bool shown[OPTIONS_MAX];
	struct fl_cli_steps_shown steps;
	unsigned int line;
	struct fl_diag *diag;
};

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static const char *const with_own_page[] = {"run", "scenario", "doctor", NULL};
static const char *const without_page[] = {"help", "version", NULL};

bool fl_cli_shares_page(const struct fl_cli_verb *verb)
{
	return !is_one_of(verb->name, with_own_page) && !is_one_of(verb->name, without_page);
}

static void put_verbs(struct page *page)
{
	fputs(".Bl -tag -width inspect\n", page->out);
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++) {
		fprintf(page->out, ".It Cm %s\n", verb->name);
		fl_cli_mdoc_text(page->out, verb->brief, NULL, true);
		if (!is_one_of(verb->name, without_page))
			fprintf(page->out, ".Pq Xr faultline-%s 1\n", verb->name);
	}
	fputs(".El\n", page->out);
}

static int put_option(struct page *page, const char *name)
{
	const struct fl_cli_option *option = page->verb->options;

	for (size_t i = 0; option[i].name && i < OPTIONS_MAX; i++) {
		if (strcmp(option[i].name, name) != 0)
			continue;
		if (page->shown[i])
			return fl_cli_diag(page->diag, -EINVAL, "Line %u has --%s for the second time.", page->line,
					   name);
		page->shown[i] = true;
		fl_cli_mdoc_option(page->out, &option[i]);
		return 0;
	}
	return fl_cli_diag(page->diag, -EINVAL, "Line %u: faultline %s has no option --%s.", page->line,
			   page->verb->name, name);
}

static int put_named_options(struct page *page, char *names)
{
	for (char *name; (name = strsep(&names, " "));) {
		int ret = put_option(page, name);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static void put_other_options(struct page *page)
{
	const struct fl_cli_option *option = page->verb->options;

	for (size_t i = 0; option[i].name && i < OPTIONS_MAX; i++) {
		if (!page->shown[i])
			fl_cli_mdoc_option(page->out, &option[i]);
		page->shown[i] = true;
	}
}

/* The one that the order is about; NULL, with a sentence. */
static const struct fl_cli_verb *find_verb(struct page *page, const char *name)
{
	const struct fl_cli_verb *verb = name ? fl_cli_find_verb(name) : NULL;

	if (!verb)
		(void)fl_cli_diag(page->diag, -EINVAL, "Line %u needs a verb, and \"%s\" is none.", page->line,
				  name ? name : "");
	return verb;
}

static int put_options(struct page *page, char *rest)
{
	const char *name = strsep(&rest, " ");
	const struct fl_cli_verb *verb = find_verb(page, name);
	int ret = 0;

	if (!verb)
		return -EINVAL;
	if (page->verb && page->verb != verb)
		return fl_cli_diag(page->diag, -EINVAL, "Line %u: the page has options of faultline %s already.",
				   page->line, page->verb->name);
	page->verb = verb;
	fputs(".Bl -tag -width Ds\n", page->out);
	if (rest)
		ret = put_named_options(page, rest);
	else
		put_other_options(page);
	fputs(".El\n", page->out);
	return ret;
}

static int put_exits(struct page *page, char *rest)
{
	const struct fl_cli_verb *verb = find_verb(page, rest);

	if (!verb)
		return -EINVAL;
	fl_cli_mdoc_exits(page->out, verb->exits);
	return 0;
}

static int put_steps(struct page *page, char *rest)
{
	return fl_cli_mdoc_steps(page->out, rest, &page->steps, page->line, page->diag);
}

static void put_settings(struct page *page)
{
	fputs(".Bl -tag -width Ds\n", page->out);
	for (const struct fl_cli_option *option = fl_cli_run_options; option->name; option++) {
		if (option->flags & FL_CLI_NOT_IN_FILE)
			continue;
		fprintf(page->out, ".It Cm %s No \\&= ", option->name);
		if (option->argument)
			fl_cli_mdoc_argument(page->out, option->argument);
		else
			fputs("Cm yes | no", page->out);
		fputc('\n', page->out);
		fl_cli_mdoc_brief(page->out, option);
		fl_cli_mdoc_default(page->out, option);
	}
	fputs(".El\n", page->out);
}

static void put_vm_names(struct page *page)
{
	const char *between = "";

	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++) {
		if (!fl_cli_shares_page(verb))
			continue;
		fprintf(page->out, "%s.Nm faultline-%s", between, verb->name);
		between = " ,\n";
	}
	fputc('\n', page->out);
}

/* The words of usage: those in capitals are the reader's to choose. */
static void put_call(FILE *out, const char *macro, const struct fl_cli_verb *verb)
{
	fprintf(out, "%s faultline %s\n.Op Ar OPTION ...\n", macro, verb->name);
	if (!verb->arguments[0])
		return;
	fputc('.', out);
	fl_cli_mdoc_argument(out, verb->arguments);
	fputc('\n', out);
}

static void put_vm_synopsis(struct page *page)
{
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++)
		if (fl_cli_shares_page(verb))
			put_call(page->out, ".Nm", verb);
}

/* --help is the same for all: the template has it. */
static void put_vm_options(FILE *out, const struct fl_cli_verb *verb)
{
	const char *begin = ".Bl -tag -width Ds\n";

	for (const struct fl_cli_option *option = verb->options; option->name; option++) {
		if (option->value == 'h')
			continue;
		fputs(begin, out);
		begin = "";
		fl_cli_mdoc_option(out, option);
	}
	if (!begin[0])
		fputs(".El\n", out);
}

/* Most of them have the same: it is said once. */
static const struct fl_cli_exit_row *vm_exits(void)
{
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++)
		if (fl_cli_shares_page(verb))
			return verb->exits;
	return NULL;
}

static void put_vm_exits(struct page *page)
{
	if (vm_exits())
		fl_cli_mdoc_exits(page->out, vm_exits());
}

static void put_vm_sections(struct page *page)
{
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++) {
		char brief[128];

		if (!fl_cli_shares_page(verb))
			continue;
		fprintf(page->out, ".Ss faultline %s %s\n", verb->name, verb->arguments);
		snprintf(brief, sizeof(brief), "%s.", verb->brief);
		fl_cli_mdoc_text(page->out, brief, NULL, true);
		if (verb->about[0])
			fl_cli_mdoc_text(page->out, verb->about, verb->arguments, false);
		put_vm_options(page->out, verb);
		if (verb->exits == vm_exits())
			continue;
		fputs(".Pp\nExit status:\n", page->out);
		fl_cli_mdoc_exits(page->out, verb->exits);
	}
}

static const struct {
	const char *word;
	void (*put)(struct page *page);
	int (*put_with)(struct page *page, char *rest);
} orders[] = {
	{"verbs", put_verbs, NULL},
	{"options", NULL, put_options},
	{"exits", NULL, put_exits},
	{"settings", put_settings, NULL},
	{"steps", NULL, put_steps},
	{"vm-names", put_vm_names, NULL},
	{"vm-synopsis", put_vm_synopsis, NULL},
	{"vm-sections", put_vm_sections, NULL},
	{"vm-exits", put_vm_exits, NULL},
};

static int follow(struct page *page, char *order)
{
	const char *word = strsep(&order, " ");

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (strcmp(orders[i].word, word) != 0)
			continue;
		if (orders[i].put_with)
			return orders[i].put_with(page, order);
		orders[i].put(page);
		return 0;
	}
	return fl_cli_diag(page->diag, -EINVAL, "Line %u: there is no order @%s.", page->line, word);
}

static void copy_line(FILE *out, const char *line)
{
	static const char mark[] = "@VERSION@";

	for (const char *at; (at = strstr(line, mark)); line = at + strlen(mark))
		fprintf(out, "%.*s%s", (int)(at - line), line, FL_VERSION);
	fprintf(out, "%s\n", line);
}

static int take_line(struct page *page, const char *text, size_t len)
{
	char line[LINE_MAX_LEN];

	page->line++;
	if (len >= sizeof(line))
		return fl_cli_diag(page->diag, -EINVAL, "Line %u is too long.", page->line);
	memcpy(line, text, len);
	line[len] = '\0';
	if (line[0] == '@' && strncmp(line, "@VERSION@", 9) != 0)
		return follow(page, line + 1);
	copy_line(page->out, line);
	return 0;
}

static int look_for_left_out(const struct page *page)
{
	if (!page->verb)
		return fl_cli_check_steps(&page->steps, page->diag);
	for (size_t i = 0; page->verb->options[i].name && i < OPTIONS_MAX; i++)
		if (!page->shown[i])
			return fl_cli_diag(page->diag, -EINVAL, "The page leaves out --%s of faultline %s.",
					   page->verb->options[i].name, page->verb->name);
	return fl_cli_check_steps(&page->steps, page->diag);
}

int fl_cli_write_manual(const char *template, FILE *out, struct fl_diag *diag)
{
	struct page page = {.out = out, .diag = diag};

	while (*template) {
		size_t len = strcspn(template, "\n");
		int ret = take_line(&page, template, len);

		if (ret < 0)
			return ret;
		template += len + (template[len] == '\n');
	}
	return look_for_left_out(&page);
}
