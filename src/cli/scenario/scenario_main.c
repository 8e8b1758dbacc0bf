/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_main.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/help.h"
#include "cli/host.h"
#include "cli/process.h"
#include "cli/scenario/run/explore.h"
#include "cli/scenario/run/runner.h"
#include "cli/scenario/scenario_box.h"
#include "cli/scenario/scenario_kernel.h"
#include "cli/scenario/scenario_outputs.h"
#include "cli/scenario/scenario_read.h"
#include "cli/scenario/scenario_signals.h"

#define EXIT_FAILED  1
#define EXIT_SKIPPED 3
#define EXIT_SIGNAL  128 /* and its number */

#define PATIENCE_MS	30000u
#define BOX_PATIENCE_MS 180000u
#define BOX_SLOWNESS	50u
#define PROGRESS_LEN	160
#define BOX_OPTIONS_LEN 80

struct session {
	const struct fl_scn_options *options;
	struct fl_scn_signals signals;
	bool shows_progress;
	struct fl_diag no_linux; /* why Linux cannot run here; no error: it can */
	size_t count, failed, skipped;
};

/* ---- what is told ------------------------------------------------------------------------ */

static void clear_progress(const struct session *session)
{
	if (session->shows_progress)
		fputs("\r\033[K", stderr);
}

static void on_begin(void *arg, size_t number, const struct fl_scn_case *scenario_case)
{
	struct session *session = arg;

	if (!session->shows_progress)
		return;
	fprintf(stderr, "\r\033[K[%zu/%zu] %.*s", number, session->count, PROGRESS_LEN, scenario_case->name);
	if (session->failed)
		fprintf(stderr, "  (%zu failed)", session->failed);
}

static void on_end(void *arg, size_t number, const struct fl_scn_result *result)
{
	struct session *session = arg;

	session->failed += result->verdict == FL_SCN_FAILED;
	session->skipped += result->verdict == FL_SCN_SKIPPED;
	clear_progress(session);
	fl_scn_tap_result(stdout, number, result);
	fflush(stdout);
}

static bool is_cancelled(void *arg)
{
	struct session *session = arg;

	return atomic_load(&session->signals.first) != 0;
}

/* A word that a shell takes as it is; to be freed. */
static char *quote(const char *word)
{
	size_t len = strlen(word);
	char *out = malloc(4 * len + 3), *at = out;

	if (!out)
		return NULL;
	if (len && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:") == len)
		return strcpy(out, word);
	*at++ = '\'';
	for (; *word; word++)
		at = *word == '\'' ? stpcpy(at, "'\\''") : (*at = *word, at + 1);
	*at++ = '\'';
	*at = '\0';
	return out;
}

/* By which the same box is chosen again; a case that says its host kernel chooses it itself. */
static void write_box_options(const struct fl_scn_options *options, char text[BOX_OPTIONS_LEN])
{
	bool by_instructions = options->by == FL_SCN_BY_INSTRUCTIONS;

	text[0] = '\0';
	if (fl_cli_in_box())
		snprintf(text, BOX_OPTIONS_LEN, " --host=box%s%s%s", options->host_kernel ? " --host-kernel " : "",
			 options->host_kernel ? options->host_kernel : "", by_instructions ? " --by instructions" : "");
}

/* The name is given whole and as a part: brackets in it are no pattern. */
static char *repeat_command(void *arg, const struct fl_scn_text *text, const struct fl_scn_case *scenario_case,
			    uint64_t seed, const uint64_t *moment_ns)
{
	const struct session *session = arg;
	char *path = quote(text->path), *name = quote(scenario_case->name), *command = NULL;
	char moment[48] = "", box[BOX_OPTIONS_LEN];

	write_box_options(session->options, box);

	if (moment_ns)
		snprintf(moment, sizeof(moment), " --moment %llu", (unsigned long long)*moment_ns);
	if (path && name &&
	    asprintf(&command, "faultline scenario%s%s --seed %llu%s --filter %s %s",
		     session->options->native ? " --native" : "", box, (unsigned long long)seed, moment, name,
		     path) < 0)
		command = NULL;
	free(path);
	free(name);
	return command;
}

static int find_kernel(void *arg, const struct fl_scn_machine *machine, char path[PATH_MAX], bool *idles_politely,
		       struct fl_diag *diag)
{
	const struct session *session = arg;

	if (session->no_linux.error && machine->kernel != FL_SCN_KERNEL_SMALL) {
		*diag = session->no_linux;
		return diag->error;
	}
	return fl_scn_find_kernel(session->options->kernel, machine, path, idles_politely, diag);
}

/* ---- the run ----------------------------------------------------------------------------- */

static int fail(const struct fl_diag *diag, int status)
{
	fprintf(stderr, "faultline: %s\n", diag->text);
	return status;
}

/* What the cases mount is seen by nobody else then, and is gone with this process, however that ends. */
static void hide_mounts(void)
{
	if (unshare(CLONE_NEWNS) == 0)
		(void)mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

static const char *name_host(const struct fl_scn_options *options)
{
	if (options->native)
		return "this host, without a guest";
	return fl_cli_in_box() ? "an emulated host, the box" : "local /dev/kvm";
}

static int list(const struct fl_scn_options *options, const struct fl_scn_readings *readings)
{
	for (size_t i = 0; i < readings->count; i++)
		for (uint32_t j = 0; j < readings->texts[i]->cases_count; j++)
			if (fl_scn_is_chosen(options->filter, &readings->texts[i]->cases[j]))
				printf("%s\n", readings->texts[i]->cases[j].name);
	return 0;
}

/* What the verdicts come to. */
static int status_of(struct session *session, const struct fl_scn_results *results)
{
	int ender = atomic_load(&session->signals.first);
	bool nothing_ran = results->count <= session->skipped;

	if (ender) {
		fprintf(stderr, "faultline: ended by a signal: %zu of %zu cases have run.\n",
			results->count - results->not_run, session->count);
		return EXIT_SIGNAL + ender;
	}
	if (nothing_ran)
		fprintf(stderr, "faultline: nothing was tried: all cases were skipped, for the reasons above.\n");
	if (session->failed || nothing_ran)
		return EXIT_FAILED;
	if (session->skipped == 0 || session->options->allow_skipped)
		return 0;
	fprintf(stderr,
		"faultline: not all was tried: %zu of %zu cases were skipped, for the reasons above; --allow-skipped "
		"where that is known.\n",
		session->skipped, session->count);
	return EXIT_SKIPPED;
}

static int conclude(struct session *session, struct fl_scn_results *results, struct fl_scn_outputs *outputs,
		    const char *work)
{
	struct fl_diag diag;
	int status;

	if (!session->options->explore)
		printf("# %zu passed, %zu failed, %zu skipped\n", results->count - session->failed - session->skipped,
		       session->failed, session->skipped);
	if (work)
		fprintf(stderr, "faultline: the files are in %s\n", work);
	status = status_of(session, results);
	if (fl_scn_outputs_write(outputs, session->options, results, &diag) < 0)
		status = fail(&diag, FL_CLI_EXIT_SETUP);
	if (fflush(stdout) != 0)
		status = FL_CLI_EXIT_SETUP;
	return status;
}

/* With its unit, or without where another follows. */
static void print_time(const struct session *session, uint64_t ns, bool unit)
{
	if (session->options->by == FL_SCN_BY_INSTRUCTIONS)
		printf("%llu%s", (unsigned long long)ns, unit ? " instructions" : "");
	else
		printf("%llu.%03llu%s", (unsigned long long)ns / 1000, (unsigned long long)ns % 1000,
		       unit ? " us" : "");
}

/* Is the line, up to its end, in all outcomes? It says nothing about their difference then. */
static bool is_common(const struct fl_scn_explored *explored, const char *line, size_t len)
{
	bool common = explored->outcomes_count > 1;

	for (size_t i = 0; common && i < explored->outcomes_count; i++) {
		const char *at = explored->outcomes[i].text;

		while (*at && (strncmp(at, line, len) != 0 || at[len] != '\n')) {
			at += strcspn(at, "\n");
			at += *at == '\n';
		}
		common = *at;
	}
	return common;
}

static void print_outcome(const struct session *session, const struct fl_scn_explored *explored, size_t number,
			  const struct fl_scn_outcome *outcome)
{
	printf("# outcome %zu: %llu run%s, moments ", number, (unsigned long long)outcome->runs,
	       outcome->runs == 1 ? "" : "s");
	print_time(session, outcome->from_ns, false);
	printf(" to ");
	print_time(session, outcome->to_ns, true);
	printf("%s\n", outcome->failed ? ", NOT as expected" : "");
	for (const char *line = outcome->text; *line;) {
		size_t len = strcspn(line, "\n");

		if (!is_common(explored, line, len))
			printf("#   %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	if (outcome->failed)
		printf("#   again: %s\n", outcome->example->repeat);
}

static void on_explored(void *arg, size_t number, const struct fl_scn_explored *explored)
{
	struct session *session = arg;
	bool failed = explored->runs == 0; /* nothing was tried */

	for (size_t i = 0; i < explored->outcomes_count; i++)
		failed |= explored->outcomes[i].failed;
	session->failed += failed;
	clear_progress(session);
	printf("%s %zu - %s\n", failed ? "not ok" : "ok", number, explored->scenario_case->name);
	printf("# %llu runs, %zu outcome%s; no moment was later than asked by more than ",
	       (unsigned long long)explored->runs, explored->outcomes_count, explored->outcomes_count == 1 ? "" : "s");
	print_time(session, explored->late_ns, true);
	putchar('\n');
	for (size_t i = 0; i < explored->outcomes_count; i++)
		print_outcome(session, explored, i + 1, &explored->outcomes[i]);
	fflush(stdout);
}

/* Stated, and not measured: a verdict is not to hang on how busy the host was when that was done. */
static unsigned int slowness_of(const struct fl_scn_options *options)
{
	if (options->slowness)
		return options->slowness;
	return fl_cli_in_box() ? BOX_SLOWNESS : 1;
}

static int run(struct session *session, const struct fl_scn_readings *readings)
{
	const struct fl_scn_options *options = session->options;
	struct fl_scn_runner_opts opts = {
		.texts = readings->texts,
		.texts_count = readings->count,
		.filter = options->filter,
		.seed = options->seed,
		.repeat = options->repeat,
		.jobs = options->jobs,
		.native = options->native,
		.by_instructions = options->by == FL_SCN_BY_INSTRUCTIONS,
		.keep = options->keep,
		.has_moment = options->has_moment,
		.moment_ns = options->moment_ns,
		.slowness = slowness_of(options),
		.patience_ms = fl_cli_in_box() ? BOX_PATIENCE_MS : PATIENCE_MS,
		.host_kernel = fl_scn_box_kernel(),
		.host = name_host(options),
		.kernel = find_kernel,
		.repeat_command = repeat_command,
		.began = on_begin,
		.ended = on_end,
		.cancelled = is_cancelled,
		.arg = session,
	};
	struct fl_scn_results results;
	struct fl_scn_outputs outputs;
	struct fl_diag diag;
	char *work = NULL;
	int ret;

	session->count = fl_scn_count_runs(&opts);
	if (session->count == 0) {
		fprintf(stderr, "faultline: no case has \"%s\" in its name; --list shows them.\n", options->filter);
		return FL_CLI_EXIT_USAGE;
	}
	if (fl_scn_outputs_open(options, &outputs, &diag) < 0)
		return fail(&diag, FL_CLI_EXIT_SETUP);
	hide_mounts();
	fl_scn_signals_start(&session->signals);
	fl_scn_tap_begin(stdout, session->count);
	printf("# seed %llu\n", (unsigned long long)options->seed);
	fflush(stdout);
	ret = options->explore ? fl_scn_explore(&opts, options->explore, on_explored, session, &results, &diag)
			       : fl_scn_run(&opts, &results, &work, &diag);
	if (ret < 0) {
		fl_scn_signals_stop(&session->signals);
		fl_scn_outputs_close(&outputs);
		return fail(&diag, FL_CLI_EXIT_SETUP);
	}
	int status = conclude(session, &results, &outputs, work);

	fl_scn_signals_stop(&session->signals);
	fl_scn_results_free(&results);
	free(work);
	return status;
}

static bool needs_linux(const struct fl_scn_options *options, const struct fl_scn_readings *readings)
{
	return fl_scn_need_linux(readings->texts, readings->count, options->filter);
}

/* Told to stay on a host that runs small guests alone, we run those, and say of the others that they were skipped. */
static void look_at_host(struct session *session, const struct fl_scn_readings *readings)
{
	const struct fl_scn_options *options = session->options;

	if (!options->native && !fl_cli_in_box() && needs_linux(options, readings) &&
	    fl_cli_check_host(&session->no_linux) != -ENOTSUP)
		session->no_linux.error = 0;
}

static int do_scenario(struct fl_scn_options *options, char **argv)
{
	struct session session = {
		.options = options,
		.shows_progress = !options->quiet && isatty(STDERR_FILENO),
	};
	struct fl_scn_readings readings;
	struct fl_diag diag;
	int status;

	if (!options->has_seed && getrandom(&options->seed, sizeof(options->seed), 0) != sizeof(options->seed))
		options->seed = (uint64_t)getpid();
	/* fewer digits are easier to take along; there are more of them than anybody will try */
	if (!options->has_seed)
		options->seed &= 0xffffffff;
	if (fl_scn_read_paths(options->paths, &readings, &diag) < 0) {
		status = diag.text[0] ? fail(&diag, FL_CLI_EXIT_USAGE) : FL_CLI_EXIT_USAGE;
	} else if (options->list) {
		status = list(options, &readings);
	} else if (fl_scn_enter_box(options, &readings, argv, &diag) < 0) {
		status = fail(&diag, diag.error == -EINVAL ? FL_CLI_EXIT_USAGE : FL_CLI_EXIT_SETUP);
	} else {
		look_at_host(&session, &readings);
		fl_cli_prepare_process();
		status = run(&session, &readings);
	}
	fl_scn_readings_fini(&readings);
	return status;
}

int fl_scn_main(int argc, char **argv)
{
	struct fl_scn_options options;
	struct fl_diag diag;

	if (fl_scn_options_parse(argc, argv, &options, &diag) < 0)
		return fail(&diag, FL_CLI_EXIT_USAGE);
	if (options.help) {
		fl_cli_print_verb_help(stdout, fl_cli_find_verb("scenario"), options.help == FL_CLI_ALL_HELP);
		return 0;
	}
	return do_scenario(&options, argv);
}
