/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/kernel.h"
#include "cli/output.h"

/* How the waiting thread tells the main thread; the library's own kick is a real-time signal. */
#define ENDED_SIGNAL SIGUSR2

struct run {
	const struct fl_cli_options *options;
	struct fl_cli_output output;
	struct fl_vm *vm;
	pthread_t main_thread;
	sigset_t signals; /* blocked in all threads, taken by sigtimedwait() */
	int wait_error;
	struct fl_result result;
};

int fl_cli_exit_status(const struct fl_result *result, char *text, size_t text_len)
{
	const char *why = "";
	int status = FL_CLI_EXIT_NO_STATUS;

	switch (result->end) {
	case FL_END_EXITED:
		status = result->code;
		break;
	case FL_END_SIGNALED:
		status = FL_CLI_EXIT_SIGNAL + result->code;
		break;
	case FL_END_NOT_RUN:
		status = result->code >= FL_CLI_EXIT_SETUP && result->code <= FL_CLI_EXIT_NOT_FOUND ? result->code
												    : FL_CLI_EXIT_SETUP;
		why = "the command could not be run in the guest";
		break;
	case FL_END_POWEROFF:
		why = "the guest powered off without saying how the command ended";
		break;
	case FL_END_RESET:
		why = "the guest asked for a reset, perhaps after a kernel panic, before the command ended";
		break;
	case FL_END_CRASHED:
		why = "the guest crashed (triple fault)";
		break;
	case FL_END_FAULT:
		why = "the guest was stopped: it needed a page that is lost, and the policy did not let it go on "
		      "(--on-fault)";
		break;
	case FL_END_STOPPED:
		why = "the guest was stopped";
		break;
	case FL_END_NONE:
	case FL_END_ERROR:
		why = "the guest could not go on because of trouble on the host";
		break;
	}
	/* the fault that stopped it has had its own line */
	const char *details = result->end == FL_END_FAULT && result->faults ? "" : result->text;

	snprintf(text, text_len, "%s%s%s", why, *why && *details ? ": " : "", *why ? details : "");
	return status;
}

static int add_shares(const struct run *run, struct fl_diag *diag)
{
	const struct fl_cli_options *options = run->options;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < options->share_count; i++) {
		const struct fl_cli_share *share = &options->shares[i];
		struct fl_share_opts opts = FL_SHARE_OPTS_INIT;
		char tag[36] = "root";

		if (i > 0)
			snprintf(tag, sizeof(tag), "share%zu", i);
		opts.flags = share->writable ? FL_SHARE_WRITABLE : 0;
		opts.tag = tag;
		opts.dir = share->dir;
		opts.mount = share->mount;
		opts.window_len = options->window_len;
		opts.policy = options->policy;
		ret = fl_vm_add_share(run->vm, &opts, diag);
	}
	return ret;
}

static int set_command(const struct run *run, struct fl_diag *diag)
{
	struct fl_command command = FL_COMMAND_INIT;

	command.argv = (const char *const *)run->options->command;
	command.envp = run->options->env;
	command.cwd = run->options->cwd;
	command.stdin_fd = STDIN_FILENO;
	command.stdout_fd = STDOUT_FILENO;
	command.stderr_fd = STDERR_FILENO;
	return fl_vm_set_command(run->vm, &command, diag);
}

/* A host that cannot run Linux would not fail but hang: its guest never gets as far as to say anything. */
static int check_host(struct fl_diag *diag)
{
	struct fl_host_report report = {.size = sizeof(report)};
	int ret = fl_host_probe(&report);

	if (ret < 0 || report.use == FL_HOST_LINUX)
		return 0; /* what is wrong then, fl_vm_new() says better */
	if (report.use == FL_HOST_NONE)
		return fl_cli_diag(diag, -ENODEV, "%s", report.text);
	return fl_cli_diag(
		diag, -ENOTSUP,
		"/dev/kvm here cannot run Linux guests (\"faultline doctor\" says why); "
		"in a checkout, \"scripts/box -- COMMAND\" runs this command line on an emulated host that can");
}

static int start(struct run *run, struct fl_diag *diag)
{
	const struct fl_cli_options *options = run->options;
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	char kernel[PATH_MAX];
	int ret = options->kernel ? 0 : fl_cli_default_kernel(kernel, diag);

	if (ret == 0)
		ret = check_host(diag);
	if (ret < 0)
		return ret;
	opts.flags = (options->unpatched ? FL_VM_NO_PVPF : 0) | (options->verbosity ? FL_VM_BOOT_MESSAGES : 0);
	opts.ram_len = options->ram_len;
	opts.vcpus = options->vcpus;
	opts.kernel = options->kernel ? options->kernel : kernel;
	opts.params = options->params;
	opts.log = fl_cli_on_log;
	opts.fault = fl_cli_on_fault;
	opts.console = fl_cli_on_console;
	opts.arg = &run->output;
	opts.log_level = options->verbosity == 0 ? FL_LOG_WARN : options->verbosity == 1 ? FL_LOG_INFO : FL_LOG_DEBUG;
	ret = fl_vm_new(&opts, &run->vm, diag);
	if (ret == 0)
		ret = add_shares(run, diag);
	if (ret == 0)
		ret = set_command(run, diag);
	if (ret == 0)
		ret = fl_vm_start(run->vm, diag);
	return ret;
}

static void *wait_for_end(void *arg)
{
	struct run *run = arg;

	run->result.size = sizeof(run->result);
	run->wait_error = fl_vm_wait(run->vm, -1, &run->result);
	pthread_kill(run->main_thread, ENDED_SIGNAL);
	return NULL;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The signal that came; 0 after the time limit. deadline_ms: 0 for none. */
static int next_signal(const sigset_t *signals, int64_t deadline_ms)
{
	for (;;) {
		int64_t left_ms = deadline_ms ? deadline_ms - now_ms() : 3600 * 1000;
		struct timespec left = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};

		if (left_ms <= 0)
			return 0;
		int signal_number = sigtimedwait(signals, NULL, &left);

		if (signal_number > 0)
			return signal_number;
	}
}

/* Stops the VM on a signal or at the time limit; returns the exit status that this gives, or 0. */
static int watch(struct run *run)
{
	int64_t deadline_ms = run->options->timeout_s ? now_ms() + (int64_t)run->options->timeout_s * 1000 : 0;
	int signal_number = next_signal(&run->signals, deadline_ms);

	if (signal_number == ENDED_SIGNAL)
		return 0;
	fl_vm_stop(run->vm);
	/* whoever signals again does not want to wait for that */
	sigset_t impatient = run->signals;

	sigdelset(&impatient, ENDED_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &impatient, NULL);
	if (signal_number)
		return FL_CLI_EXIT_SIGNAL + signal_number;
	fprintf(stderr, "faultline: the guest was stopped after the time limit of %u s (--timeout).\n",
		run->options->timeout_s);
	return FL_CLI_EXIT_TIMEOUT;
}

static int wait_and_judge(struct run *run)
{
	pthread_t waiter;
	char text[640];
	int error = pthread_create(&waiter, NULL, wait_for_end, run);

	if (error) {
		fprintf(stderr, "faultline: there is no thread to wait for the guest: %s.\n", strerror(error));
		return FL_CLI_EXIT_SETUP;
	}
	int interrupted = watch(run);

	pthread_join(waiter, NULL);
	/* a guest that had ended by itself at that moment has a status worth more than "interrupted" */
	if (interrupted && (run->wait_error || run->result.end == FL_END_STOPPED))
		return interrupted;
	if (run->wait_error) {
		fprintf(stderr, "faultline: waiting for the guest failed: %s.\n", strerror(-run->wait_error));
		return FL_CLI_EXIT_SETUP;
	}
	int status = fl_cli_exit_status(&run->result, text, sizeof(text));

	if (text[0])
		fprintf(stderr, "faultline: %s%s\n", text, text[strlen(text) - 1] == '.' ? "" : ".");
	if (status == FL_CLI_EXIT_NO_STATUS && run->result.end != FL_END_EXITED && run->result.end != FL_END_FAULT &&
	    !run->output.show_console)
		fl_cli_print_console_tail(&run->output);
	return status;
}

static void take_signals(struct run *run)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, ENDED_SIGNAL};

	/* the library writes to this program's streams: a reader that went away is an error there, not the end */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&run->signals);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&run->signals, taken[i]);
	pthread_sigmask(SIG_BLOCK, &run->signals, NULL);
	run->main_thread = pthread_self();
}

int fl_cli_run(const struct fl_cli_options *options)
{
	struct run run = {.options = options};
	struct fl_diag diag = {0};
	int status;

	fl_cli_output_init(&run.output, stderr, options->verbosity > 0);
	take_signals(&run);
	if (start(&run, &diag) < 0) {
		fprintf(stderr, "faultline: %s\n", diag.text);
		status = FL_CLI_EXIT_SETUP;
	} else {
		status = wait_and_judge(&run);
	}
	fl_vm_free(run.vm);
	fl_cli_output_fini(&run.output);
	return status;
}
