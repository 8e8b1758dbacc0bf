/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor_impl.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/parse.h"

void fl_cli_state(struct fl_cli_finding *finding, enum fl_cli_state state, const char *format, ...)
{
	va_list args;

	finding->state = state;
	va_start(args, format);
	vsnprintf(finding->why, sizeof(finding->why), format, args);
	va_end(args);
}

void fl_cli_fix(struct fl_cli_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->fix, sizeof(finding->fix), format, args);
	va_end(args);
}

bool fl_cli_exists(const struct fl_cli_facts *facts, const char *path)
{
	char whole[PATH_MAX];

	return snprintf(whole, sizeof(whole), "%s%s", facts->root, path) < (int)sizeof(whole) &&
	       access(whole, F_OK) == 0;
}

bool fl_cli_read_line(const struct fl_cli_facts *facts, const char *path, char *line, size_t line_len)
{
	char whole[PATH_MAX];
	FILE *file = NULL;

	if (snprintf(whole, sizeof(whole), "%s%s", facts->root, path) < (int)sizeof(whole))
		file = fopen(whole, "re");
	if (!file)
		return false;
	bool found = fgets(line, (int)line_len, file);

	fclose(file);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

bool fl_cli_read_number(const struct fl_cli_facts *facts, const char *path, uint64_t *number)
{
	char line[64];

	return fl_cli_read_line(facts, path, line, sizeof(line)) && sscanf(line, "%" SCNu64, number) == 1;
}

static void look(const struct fl_cli_facts *facts, const struct fl_cli_check *check, struct fl_cli_verdict *verdict)
{
	for (; check->key && verdict->count < FL_CLI_FINDINGS_MAX; check++) {
		struct fl_cli_finding *finding = &verdict->findings[verdict->count++];

		*finding = (struct fl_cli_finding){.key = check->key, .label = check->label};
		check->look(facts, finding);
	}
}

static void conclude(struct fl_cli_verdict *verdict, int status, const char *runs_in, const char *text)
{
	static const char *const words[] = {"usable", "limited", "unusable"};

	verdict->status = status;
	verdict->word = words[status];
	verdict->runs_in = runs_in;
	snprintf(verdict->text, sizeof(verdict->text), "%s", text);
}

static void judge(const struct fl_cli_facts *facts, struct fl_cli_verdict *verdict)
{
	static const char *const guests[] = {
		[FL_HOST_LINUX] = "linux", [FL_HOST_SMALL] = "small", [FL_HOST_NONE] = "none"};
	bool has_kernel = facts->guest_kernel[0];
	bool runs_linux = facts->host.use == FL_HOST_LINUX;

	verdict->guests = guests[facts->host.use];
	if (runs_linux && has_kernel && (facts->host.strict || facts->host.watch))
		conclude(verdict, 0, "kvm", "Usable: Linux guests run here.");
	else if (runs_linux && has_kernel)
		conclude(verdict, 1, "kvm",
			 "Usable with limits: Linux guests run here, but a lost page would hang them. Use run "
			 "--dax-window 0.");
	else if (runs_linux)
		conclude(verdict, 1, "none",
			 "Usable with limits: Linux guests could run here, but there is no kernel for them.");
	else if (facts->box_usable && has_kernel)
		conclude(verdict, 1, "box",
			 "Usable with limits: Linux guests run in the box, an emulated host, and slowly.");
	else if (facts->box_usable)
		conclude(
			verdict, 1, "none",
			"Usable with limits: Linux guests could run in the box, an emulated host, but there is no kernel "
			"for them.");
	else if (facts->host.use == FL_HOST_SMALL)
		conclude(
			verdict, 1, "none",
			"Usable with limits: faultline run has nowhere to run, but programs that use the library can run small guests of their own.");
	else
		conclude(verdict, 2, "none", "Not usable: no guest runs here.");
}

void fl_cli_examine(const struct fl_cli_facts *facts, struct fl_cli_verdict *verdict)
{
	verdict->count = 0;
	look(facts, fl_cli_kvm_checks, verdict);
	look(facts, fl_cli_system_checks, verdict);
	judge(facts, verdict);
}

/* https://no-color.org: any value but an empty one */
static bool wants_color(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && terminal && strcmp(terminal, "dumb") != 0;
}

static int show(const struct fl_cli_verdict *verdict, bool json)
{
	int ret = 0;

	if (json)
		ret = fl_cli_show_json(verdict, stdout);
	else
		fl_cli_show_text(verdict, wants_color(), stdout);
	if (ret < 0)
		fprintf(stderr, "faultline: what was found cannot be written: %s.\n", strerror(-ret));
	return ret;
}

static int report(bool json)
{
	struct fl_cli_facts *facts = calloc(1, sizeof(*facts));
	struct fl_cli_verdict *verdict = calloc(1, sizeof(*verdict));
	int ret = -ENOMEM;
	int status = 2;

	if (facts && verdict) {
		facts->root = "";
		ret = fl_cli_gather_facts(facts);
	}
	if (ret < 0) {
		fprintf(stderr, "faultline: this host could not be examined: %s.\n", strerror(-ret));
	} else {
		fl_cli_examine(facts, verdict);
		status = show(verdict, json) < 0 ? 2 : verdict->status;
	}
	free(facts);
	free(verdict);
	return status;
}

struct wishes {
	bool help, json;
};

static int take(void *target, int value, const char *text, const char *next, bool *took_next, struct fl_diag *diag)
{
	struct wishes *wishes = target;

	(void)text, (void)next, (void)took_next, (void)diag;
	wishes->help = wishes->help || value == 'h';
	wishes->json = wishes->json || value == FL_CLI_OPTION_JSON;
	return 0;
}

int fl_cli_doctor_main(int argc, char **argv)
{
	const struct fl_cli_verb *verb = fl_cli_find_verb("doctor");
	struct wishes wishes = {false, false};
	struct fl_diag diag = {0};
	bool separated;
	int used;

	if (fl_cli_take_options(verb, argc, argv, take, &wishes, &used, &separated, &diag) < 0) {
		fprintf(stderr, "faultline: %s\n", diag.text);
		return FL_CLI_EXIT_USAGE;
	}
	if (wishes.help) {
		fl_cli_print_verb_help(stdout, verb, false);
		return 0;
	}
	if (used < argc) {
		fputs("faultline: faultline doctor takes no arguments.\n", stderr);
		return FL_CLI_EXIT_USAGE;
	}
	return report(wishes.json);
}
