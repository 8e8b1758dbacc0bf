/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"
#include "cli/run_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/box_terminal.h"
#include "cli/dry_run.h"
#include "cli/help.h"
#include "cli/host.h"
#include "cli/initrd.h"
#include "cli/inspect.h"
#include "cli/machine.h"
#include "cli/process.h"

#define EVENTS_PATIENCE_MS  2000
#define CONTROL_PATIENCE_MS 500

/* What is left when the guest has ended: the end's event, the report, and perhaps somebody who wants to look. */
static void finish(struct fl_cli_run_state *run, int status)
{
	bool wait = run->options->wait_on_stop && run->result.end == FL_END_FAULT && !run->interrupted;
	sigset_t enders = run->signals;

	fl_cli_run_tell_end(run, status, run->result.text);
	if (run->options->report || wait)
		(void)fl_cli_write_report(run->vm, run->options->report);
	if (!wait)
		return;
	fl_cli_invite_inspection(run->options->report);
	sigdelset(&enders, SIGWINCH);
	sigdelset(&enders, FL_CLI_ENDED_SIGNAL); /* "faultline stop" is one of those that end the waiting */
	(void)fl_cli_run_next_signal(&enders, run->deadline_ms);
}

static int add_network(struct fl_cli_run_state *run, struct fl_diag *diag)
{
	int ret = fl_cli_passt_start(&run->passt, diag);

	return ret == 0 ? fl_cli_passt_add(&run->passt, run->vm, diag) : ret;
}

void fl_cli_run_resize(struct fl_cli_run_state *run)
{
	unsigned int told = atomic_load(&run->told_size);
	uint16_t rows = (uint16_t)(told >> 16), cols = (uint16_t)told;

	if (run->terminal)
		fl_cli_terminal_size(STDIN_FILENO, &rows, &cols);
	else if (!run->streams.tty)
		return;
	/* a guest that has just ended has no terminal */
	(void)!fl_vm_resize_terminal(run->vm, rows, cols);
}

void fl_cli_run_leave_terminal(struct fl_cli_run_state *run)
{
	fl_cli_terminal_close(run->terminal);
	run->terminal = NULL;
	run->output.line_end = "\n";
}

/*
 * The command, or an initramfs' console, gets a terminal if this program has one. While that is raw, Ctrl-C is the
 * guest's, and Ctrl-] three times is for this program what SIGTERM is.
 */
static int open_streams(struct fl_cli_run_state *run, struct fl_diag *diag)
{
	struct fl_cli_streams *streams = &run->streams;
	bool has_terminal = fl_cli_terminal_wanted(STDIN_FILENO, STDOUT_FILENO);
	enum fl_cli_tty tty = run->options->tty;

	*streams = (struct fl_cli_streams){.in_fd = fl_cli_terminal_is_others(STDIN_FILENO) ? -1 : STDIN_FILENO};
	if (tty == FL_CLI_TTY_NEVER)
		return 0;
	if (fl_cli_box_terminal(&streams->rows, &streams->cols)) {
		/* raw already, by the launcher outside */
		run->output.line_end = "\r\n";
		streams->tty = true;
		return 0;
	}
	streams->tty = has_terminal || tty == FL_CLI_TTY_ALWAYS;
	if (!has_terminal)
		return 0;
	if (run->options->initrd && run->options->log_level > FL_LOG_ERROR)
		fl_cli_terminal_say_escape();
	fl_cli_terminal_size(STDIN_FILENO, &streams->rows, &streams->cols);
	int ret = fl_cli_terminal_open(STDIN_FILENO, SIGTERM, &run->terminal, &streams->in_fd, diag);

	run->output.line_end = ret == 0 ? "\r\n" : "\n";
	return ret;
}

static int start(struct fl_cli_run_state *run, struct fl_diag *diag)
{
	int ret = open_streams(run, diag);

	if (ret == 0 && run->options->events)
		ret = fl_cli_events_open(&run->output.events, run->options->events, stderr, diag);
	if (ret == 0)
		ret = fl_cli_make_vm(run->options, run->kernel, &run->streams, &run->output, &run->vm, diag);
	if (ret < 0)
		return ret;
	run->described = (struct fl_cli_described){
		.vm = run->vm, .options = run->options, .kernel = run->kernel->path, .pid = (uint32_t)getpid()};
	ret = fl_cli_run_open_control(run, diag);
	if (ret == 0 && run->options->net)
		ret = add_network(run, diag);
	if (ret < 0)
		return ret;
	fl_cli_run_tell_start(run);
	return fl_vm_start(run->vm, diag);
}

static void take_signals(struct fl_cli_run_state *run)
{
	static const int taken[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, FL_CLI_ENDED_SIGNAL, FL_CLI_STOP_SIGNAL};

	/* the library writes to this program's streams: a reader that went away is an error there, not the end */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&run->signals);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&run->signals, taken[i]);
	pthread_sigmask(SIG_BLOCK, &run->signals, NULL);
	run->main_thread = pthread_self();
}

int fl_cli_run(const struct fl_cli_options *options, const struct fl_cli_kernel *kernel)
{
	struct fl_cli_run_state run = {.options = options, .kernel = kernel, .streams = {.in_fd = STDIN_FILENO}};
	struct fl_diag diag = {0};
	int status;

	fl_cli_output_init(&run.output, stderr, options->verbosity > 0);
	run.output.options = options;
	if (options->initrd) {
		/* its only output */
		run.output.console_out = stdout;
		run.output.show_console = true;
	}
	take_signals(&run);
	run.started_ms = fl_cli_now_ms();
	run.deadline_ms = options->timeout_s ? run.started_ms + (int64_t)options->timeout_s * 1000 : 0;
	if (start(&run, &diag) < 0) {
		fl_cli_run_leave_terminal(&run);
		fl_cli_say(diag.text);
		status = FL_CLI_EXIT_SETUP;
		run.result.end = FL_END_ERROR;
		fl_cli_run_tell_end(&run, status, diag.text);
	} else {
		status = fl_cli_run_judge(&run);
		finish(&run, status);
	}
	fl_cli_control_close(run.control, CONTROL_PATIENCE_MS);
	fl_vm_free(run.vm);
	if (run.streams.in_fd > STDIN_FILENO)
		close(run.streams.in_fd);
	fl_cli_passt_stop(&run.passt);
	fl_cli_events_close(&run.output.events, EVENTS_PATIENCE_MS);
	fl_cli_output_fini(&run.output);
	return status;
}

/* As the XDG Base Directory Specification has it. NULL, or path. */
static const char *user_config(char path[PATH_MAX])
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	int len = -1;

	if (config && config[0] == '/')
		len = snprintf(path, PATH_MAX, "%s/faultline/faultline.conf", config);
	else if (home && home[0] == '/')
		len = snprintf(path, PATH_MAX, "%s/.config/faultline/faultline.conf", home);
	return len > 0 && len < PATH_MAX ? path : NULL;
}

/* What can be seen to be wrong before anything is started, here or in the box. */
static int look_for_files(const struct fl_cli_options *options, struct fl_cli_kernel *kernel, struct fl_diag *diag)
{
	int ret = fl_cli_default_kernel(options->kernel, kernel, diag);

	return ret == 0 && options->initrd ? fl_cli_check_initrd(options->initrd, diag) : ret;
}

/* argv: what the options were made of. */
static int do_run(struct fl_cli_options *options, int argc, char **argv)
{
	struct fl_cli_kernel kernel;
	struct fl_diag diag = {0};

	if (options->help) {
		fl_cli_print_verb_help(stdout, fl_cli_find_verb("run"), options->help == FL_CLI_ALL_HELP);
		return 0;
	}
	int ret = look_for_files(options, &kernel, &diag);

	if (ret == 0 && options->dry_run) {
		fl_cli_dry_run(options, &kernel, stdout);
		return 0;
	}
	if (ret == 0)
		ret = fl_cli_enter_box(options, &kernel, argc, argv, &options->host_checked, &diag);
	if (ret < 0) {
		fl_cli_say(diag.text);
		return FL_CLI_EXIT_SETUP;
	}
	fl_cli_prepare_process();
	return fl_cli_run(options, &kernel);
}

int fl_cli_run_main(int argc, char **argv)
{
	struct fl_cli_config_places places = {.system = "/etc/faultline.conf"};
	struct fl_cli_options options;
	struct fl_diag diag = {0};
	char user[PATH_MAX], name[32];
	int status = FL_CLI_EXIT_USAGE;

	places.user = user_config(user);
	if (fl_cli_options_parse(argc, argv, &places, &options, &diag) < 0) {
		fprintf(stderr, "faultline: %s\n", diag.text);
	} else {
		options.is_named = options.name;
		if (!options.name) {
			snprintf(name, sizeof(name), "guest-%d", (int)getpid());
			options.name = name;
		}
		status = do_run(&options, argc, argv);
	}
	fl_cli_options_fini(&options);
	return status;
}
