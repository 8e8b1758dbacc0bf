/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cli/control_server.h"
#include "cli/describe.h"
#include "cli/diag.h"
#include "cli/dry_run.h"
#include "cli/help.h"
#include "cli/inspect.h"
#include "cli/json.h"
#include "cli/machine.h"
#include "cli/output.h"
#include "cli/passt.h"

/* How the waiting thread tells the main thread; the library's own kick is a real-time signal. */
#define ENDED_SIGNAL	    SIGUSR2
#define STOP_SIGNAL	    SIGUSR1 /* of the control socket's thread: "faultline stop" */
#define EVENT_LINE_LEN	    4096    /* the texts in it are below 512 bytes, each escaped to 5 at most */
#define EVENTS_PATIENCE_MS  2000
#define CONTROL_PATIENCE_MS 500
#define AGENT_PATIENCE_MS   10000
#define GRACE_S		    10 /* for a guest that is asked to end by a signal to this program */

struct run {
	const struct fl_cli_options *options;
	struct fl_cli_output output;
	struct fl_cli_passt passt;
	struct fl_vm *vm;
	pthread_t main_thread;
	sigset_t signals; /* blocked in all threads, taken by sigtimedwait() */
	int64_t started_ms;
	int64_t deadline_ms; /* of --timeout; 0: none */
	bool interrupted;    /* by a signal or that limit, whose handling is the default's from then on */
	int wait_error;
	struct fl_result result;
	struct fl_cli_control *control; /* NULL: there is none */
	struct fl_cli_described described;
	char kernel[PATH_MAX];
	atomic_uint stop_timeout_s; /* of "faultline stop" */
};

/* Not what an initramfs of the user's own has done: it ends as machines do. */
static bool ended_as_machines_do(const struct fl_result *result)
{
	return (result->flags & FL_RESULT_OWN_INITRD) &&
	       (result->end == FL_END_POWEROFF || (result->end == FL_END_RESET && !(result->flags & FL_RESULT_PANIC)));
}

int fl_cli_exit_status(const struct fl_result *result, char *text, size_t text_len)
{
	const char *why = "";
	int status = FL_CLI_EXIT_NO_STATUS;

	if (ended_as_machines_do(result)) {
		*text = '\0';
		return 0;
	}
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

/* The library's sentences have no full stop, the launcher's own have one. */
static void say(const char *text)
{
	size_t len = strlen(text);

	fprintf(stderr, "faultline: %s%s\n", text, len && text[len - 1] == '.' ? "" : ".");
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

/* Whoever signals again from now on does not want to wait. */
static void stop_at_once(struct run *run)
{
	sigset_t impatient = run->signals;

	run->interrupted = true;
	fl_vm_stop(run->vm);
	sigdelset(&impatient, ENDED_SIGNAL);
	sigdelset(&impatient, STOP_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &impatient, NULL);
}

/* Asks the guest to power off, and has that end at *deadline_ms. False: it cannot be asked. */
static bool ask_to_end(struct run *run, uint32_t timeout_s, int64_t *deadline_ms)
{
	int64_t end_ms = now_ms() + (int64_t)timeout_s * 1000;

	/* nobody would power off who cannot run */
	if (timeout_s == 0 || fl_vm_resume(run->vm) < 0 || fl_vm_power_off(run->vm) < 0)
		return false;
	if (*deadline_ms == 0 || end_ms < *deadline_ms)
		*deadline_ms = end_ms;
	return true;
}

static int time_is_over(const struct run *run)
{
	fprintf(stderr, "faultline: the guest was stopped after the time limit of %u s (--timeout).\n",
		run->options->timeout_s);
	return FL_CLI_EXIT_TIMEOUT;
}

/*
 * Waits for the guest's end, which signals and the control socket can ask for and the time limit demands; returns the
 * exit status that these give, or 0.
 */
static int watch(struct run *run)
{
	int64_t deadline_ms = run->deadline_ms;
	bool asked = false;
	int status = 0;

	for (;;) {
		int signal_number = next_signal(&run->signals, deadline_ms);
		uint32_t timeout_s = GRACE_S;

		if (signal_number == ENDED_SIGNAL)
			return status;
		if (signal_number == STOP_SIGNAL)
			timeout_s = atomic_load(&run->stop_timeout_s);
		else if (signal_number)
			status = FL_CLI_EXIT_SIGNAL + signal_number;
		else if (!asked)
			status = time_is_over(run);
		/* whoever asks twice by a signal, or has waited long enough */
		if (signal_number == 0 || (asked && signal_number != STOP_SIGNAL) ||
		    !ask_to_end(run, timeout_s, &deadline_ms)) {
			stop_at_once(run);
			return status;
		}
		asked = true;
	}
}

/*
 * For a guest that ended before its agent was heard, or was stopped when that had been due for long; emulated hosts
 * take some seconds.
 */
static bool hint_at_kernel(struct run *run)
{
	if (!(run->result.flags & FL_RESULT_NO_AGENT) || run->result.end == FL_END_ERROR ||
	    run->result.end == FL_END_FAULT ||
	    (run->result.end == FL_END_STOPPED && now_ms() - run->started_ms < AGENT_PATIENCE_MS))
		return false;
	say("the guest's kernel did not get as far as Faultline's agent, or has not found its devices; -v shows how far "
	    "it got, and docs/kernels.md lists the options that a kernel must have been built with");
	return true;
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
	/*
	 * a guest that had ended by itself at that moment has a status worth more than "interrupted"; one that was
	 * asked ends by the agent's SIGTERM
	 */
	if (interrupted &&
	    (run->wait_error || run->result.end == FL_END_STOPPED || run->result.end == FL_END_SIGNALED)) {
		if (hint_at_kernel(run) && !run->output.show_console)
			fl_cli_print_console_tail(&run->output);
		return interrupted;
	}
	if (run->wait_error) {
		fprintf(stderr, "faultline: waiting for the guest failed: %s.\n", strerror(-run->wait_error));
		return FL_CLI_EXIT_SETUP;
	}
	int status = fl_cli_exit_status(&run->result, text, sizeof(text));

	fl_cli_print_left_out(&run->output);
	if (text[0])
		say(text);
	(void)hint_at_kernel(run);
	if (status == FL_CLI_EXIT_NO_STATUS && run->result.end != FL_END_EXITED && run->result.end != FL_END_FAULT &&
	    !run->output.show_console)
		fl_cli_print_console_tail(&run->output);
	return status;
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Before the start, so that it comes before the first fault. */
static void tell_start(struct run *run)
{
	struct fl_vm_status vm_status = {.size = sizeof(vm_status)};
	struct fl_cli_start_event event = {
		.time_ns = realtime_ns(),
		.pid = (uint32_t)getpid(),
		.name = run->options->name,
		.vcpus = run->options->vcpus,
		.ram_len = run->options->ram_len,
		.status = &vm_status,
	};
	char line[EVENT_LINE_LEN];

	if (fl_vm_get_status(run->vm, &vm_status) < 0)
		return;
	int len = fl_cli_json_start(&event, line, sizeof(line));

	fl_cli_events_put(&run->output.events, line, (size_t)len, false);
}

static void tell_end(struct run *run, int status, const char *text)
{
	struct fl_counters counters = {.size = sizeof(counters)};
	struct fl_cli_end_event event = {
		.time_ns = realtime_ns(),
		.end = run->result.end,
		.code = run->result.code,
		.status = status,
		.text = text,
		.counters = &counters,
		.lost_events = fl_cli_events_lost(&run->output.events),
	};
	char line[EVENT_LINE_LEN];

	/* a VM that never started has counted nothing */
	if (!run->vm || fl_vm_get_counters(run->vm, NULL, &counters) < 0)
		counters = (struct fl_counters){.size = sizeof(counters)};
	int len = fl_cli_json_end(&event, line, sizeof(line));

	fl_cli_events_put(&run->output.events, line, (size_t)len, true);
}

/* What is left when the guest has ended: the end's event, the report, and perhaps somebody who wants to look. */
static void finish(struct run *run, int status)
{
	bool wait = run->options->wait_on_stop && run->result.end == FL_END_FAULT && !run->interrupted;
	sigset_t enders = run->signals;

	tell_end(run, status, run->result.text);
	if (run->options->report || wait)
		(void)fl_cli_write_report(run->vm, run->options->report);
	if (!wait)
		return;
	fl_cli_invite_inspection(run->options->report);
	sigdelset(&enders, ENDED_SIGNAL); /* "faultline stop" is one of those that end the waiting */
	(void)next_signal(&enders, run->deadline_ms);
}

static int describe(void *arg, enum fl_cli_control_what what, bool json, FILE *out, struct fl_diag *diag)
{
	const struct run *run = arg;

	return json ? fl_cli_describe_json(&run->described, what, out, diag)
		    : fl_cli_describe_text(&run->described, what, out, diag);
}

static int explain(int error, const char *what, struct fl_diag *diag)
{
	switch (error) {
	case -ETIMEDOUT:
		return fl_cli_diag(diag, error, "The guest cannot be %s: a virtual CPU waits for the host.", what);
	case -ESHUTDOWN:
	case -EINVAL:
		return fl_cli_diag(diag, error, "The guest cannot be %s: it does not run, or ends just now.", what);
	default:
		return fl_cli_diag(diag, error, "The guest cannot be %s: %s.", what, strerror(-error));
	}
}

static int pause_vm(void *arg, struct fl_diag *diag)
{
	const struct run *run = arg;
	int ret = fl_vm_pause(run->vm);

	return ret < 0 ? explain(ret, "paused", diag) : 0;
}

static int resume_vm(void *arg, struct fl_diag *diag)
{
	const struct run *run = arg;
	int ret = fl_vm_resume(run->vm);

	return ret < 0 ? explain(ret, "resumed", diag) : 0;
}

static void stop_vm(void *arg, uint32_t timeout_s)
{
	struct run *run = arg;

	atomic_store(&run->stop_timeout_s, timeout_s);
	pthread_kill(run->main_thread, STOP_SIGNAL);
}

/* A guest can do without, so only a name that somebody chose is worth an error. */
static int open_control(struct run *run, struct fl_diag *diag)
{
	struct fl_cli_control_ops ops = {
		.describe = describe,
		.pause = pause_vm,
		.resume = resume_vm,
		.stop = stop_vm,
		.arg = run,
		.console = &run->output.console,
		.faults_text = &run->output.faults_text,
		.faults_json = &run->output.faults_json,
	};
	struct fl_diag own = {0};

	if (fl_cli_control_open(run->options->name, &ops, &run->control, &own) == 0)
		return 0;
	if (run->options->is_named) {
		*diag = own;
		return own.error;
	}
	if (run->options->log_level >= FL_LOG_INFO)
		fprintf(stderr, "faultline: this guest has no control socket: %s\n", own.text);
	return 0;
}

static int add_network(struct run *run, struct fl_diag *diag)
{
	int ret = fl_cli_passt_start(&run->passt, diag);

	return ret == 0 ? fl_cli_passt_add(&run->passt, run->vm, diag) : ret;
}

static int start(struct run *run, struct fl_diag *diag)
{
	int ret = 0;

	if (run->options->events)
		ret = fl_cli_events_open(&run->output.events, run->options->events, stderr, diag);
	if (ret == 0)
		ret = fl_cli_make_vm(run->options, &run->output, &run->vm, run->kernel, diag);
	if (ret < 0)
		return ret;
	run->described = (struct fl_cli_described){
		.vm = run->vm, .options = run->options, .kernel = run->kernel, .pid = (uint32_t)getpid()};
	ret = open_control(run, diag);
	if (ret == 0 && run->options->net)
		ret = add_network(run, diag);
	if (ret < 0)
		return ret;
	tell_start(run);
	return fl_vm_start(run->vm, diag);
}

static void take_signals(struct run *run)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, ENDED_SIGNAL, STOP_SIGNAL};

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
	run.output.options = options;
	if (options->initrd) {
		/* its only output */
		run.output.console_out = stdout;
		run.output.show_console = true;
	}
	take_signals(&run);
	run.started_ms = now_ms();
	run.deadline_ms = options->timeout_s ? run.started_ms + (int64_t)options->timeout_s * 1000 : 0;
	if (start(&run, &diag) < 0) {
		say(diag.text);
		status = FL_CLI_EXIT_SETUP;
		run.result.end = FL_END_ERROR;
		tell_end(&run, status, diag.text);
	} else {
		status = wait_and_judge(&run);
		finish(&run, status);
	}
	fl_cli_control_close(run.control, CONTROL_PATIENCE_MS);
	fl_vm_free(run.vm);
	fl_cli_passt_stop(&run.passt);
	fl_cli_events_close(&run.output.events, EVENTS_PATIENCE_MS);
	fl_cli_output_fini(&run.output);
	return status;
}

/* The FUSE server keeps a descriptor for each file that the guest knows: take what this process may have. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/*
 * With vm.memory_failure_early_kill the kernel sends SIGBUS to whoever maps memory that has failed, whether it is used
 * or not: to a thread that did not choose, which would end all of us. The guest is told when it touches the page.
 * Threads inherit this, so it comes before there are any (memory_failure(), find_early_kill_thread()).
 */
static void hear_late_of_failed_memory(void)
{
	/* fails where the kernel has no CONFIG_MEMORY_FAILURE, and then has nothing to tell */
	(void)prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0);
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

static int do_run(const struct fl_cli_options *options)
{
	if (options->help) {
		fl_cli_print_verb_help(stdout, fl_cli_find_verb("run"), options->help == FL_CLI_ALL_HELP);
		return 0;
	}
	if (options->dry_run) {
		struct fl_diag diag = {0};

		if (fl_cli_dry_run(options, stdout, &diag) == 0)
			return 0;
		say(diag.text);
		return FL_CLI_EXIT_SETUP;
	}
	raise_descriptor_limit();
	hear_late_of_failed_memory();
	return fl_cli_run(options);
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
		status = do_run(&options);
	}
	fl_cli_options_fini(&options);
	return status;
}
