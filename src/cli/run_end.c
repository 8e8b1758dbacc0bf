/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"
#include "cli/run_state.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define AGENT_PATIENCE_MS 10000
#define GRACE_S		  10 /* for a guest that is asked to end by a signal to this program */

/* Not what an initramfs of the user's own has done: it ends as machines do. */
static bool ended_as_machines_do(const struct fl_result *result)
{
	return (result->flags & FL_RESULT_OWN_INITRD) &&
	       (result->end == FL_END_POWEROFF || (result->end == FL_END_RESET && !(result->flags & FL_RESULT_PANIC)));
}

int fl_cli_exit_status(const struct fl_result *result, char *text, size_t text_len)
{
	const char *why = "";
	bool alone = false; /* the result's own text is the whole sentence */
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
		/* the agent says all of it */
		why = result->text[0] ? "" : "the command could not be run in the guest";
		alone = true;
		break;
	case FL_END_POWEROFF:
		why = "the guest powered off without saying how the command ended";
		break;
	case FL_END_RESET:
		why = result->flags & FL_RESULT_OWN_INITRD
			      ? "the guest asked for a reset, perhaps after a kernel panic"
			      : "the guest asked for a reset, perhaps after a kernel panic, before the command ended";
		break;
	case FL_END_CRASHED:
		why = "the guest crashed (triple fault)";
		break;
	case FL_END_FAULT:
		why = "the guest was stopped: it needed a page that is lost, and the policy did not let it go on; "
		      "--on-fault says what else can be done (man 7 faultline-faults)";
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

	snprintf(text, text_len, "%s%s%s", why, *why && *details ? ": " : "", *why || alone ? details : "");
	return status;
}

void fl_cli_say(const char *text)
{
	size_t len = strlen(text);

	fprintf(stderr, "faultline: %s%s\n", text, len && text[len - 1] == '.' ? "" : ".");
}

static void *wait_for_end(void *arg)
{
	struct fl_cli_run_state *run = arg;

	run->result.size = sizeof(run->result);
	run->wait_error = fl_vm_wait(run->vm, -1, &run->result);
	pthread_kill(run->main_thread, FL_CLI_ENDED_SIGNAL);
	return NULL;
}

int64_t fl_cli_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int fl_cli_run_next_signal(const sigset_t *signals, int64_t deadline_ms)
{
	for (;;) {
		int64_t left_ms = deadline_ms ? deadline_ms - fl_cli_now_ms() : 3600 * 1000;
		struct timespec left = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};

		if (left_ms <= 0)
			return 0;
		int signal_number = sigtimedwait(signals, NULL, &left);

		if (signal_number > 0)
			return signal_number;
	}
}

/* Whoever signals again from now on does not want to wait. */
static void stop_at_once(struct fl_cli_run_state *run)
{
	sigset_t impatient = run->signals;

	run->interrupted = true;
	fl_vm_stop(run->vm);
	sigdelset(&impatient, FL_CLI_ENDED_SIGNAL);
	sigdelset(&impatient, FL_CLI_STOP_SIGNAL);
	sigdelset(&impatient, SIGWINCH);
	pthread_sigmask(SIG_UNBLOCK, &impatient, NULL);
}

/* Asks the guest to power off, and has that end at *deadline_ms. False: it cannot be asked. */
static bool ask_to_end(struct fl_cli_run_state *run, uint32_t timeout_s, int64_t *deadline_ms)
{
	int64_t end_ms = fl_cli_now_ms() + (int64_t)timeout_s * 1000;

	/* nobody would power off who cannot run */
	if (timeout_s == 0 || fl_vm_resume(run->vm) < 0 || fl_vm_power_off(run->vm) < 0)
		return false;
	if (*deadline_ms == 0 || end_ms < *deadline_ms)
		*deadline_ms = end_ms;
	return true;
}

static int time_is_over(const struct fl_cli_run_state *run)
{
	fprintf(stderr, "faultline: the guest was stopped after the time limit of %u s (--timeout).\n",
		run->options->timeout_s);
	return FL_CLI_EXIT_TIMEOUT;
}

/*
 * Waits for the guest's end, which signals and the control socket can ask for and the time limit demands; returns the
 * exit status that these give, or 0.
 */
static int watch(struct fl_cli_run_state *run)
{
	int64_t deadline_ms = run->deadline_ms;
	bool asked = false;
	int status = 0;

	for (;;) {
		int signal_number = fl_cli_run_next_signal(&run->signals, deadline_ms);
		uint32_t timeout_s = GRACE_S;

		if (signal_number == FL_CLI_ENDED_SIGNAL)
			return status;
		if (signal_number == SIGWINCH) {
			fl_cli_run_resize(run);
			continue;
		}
		if (signal_number == FL_CLI_STOP_SIGNAL)
			timeout_s = atomic_load(&run->stop_timeout_s);
		else if (signal_number)
			status = FL_CLI_EXIT_SIGNAL + signal_number;
		else if (!asked)
			status = time_is_over(run);
		/* whoever asks twice by a signal, or has waited long enough */
		if (signal_number == 0 || (asked && signal_number != FL_CLI_STOP_SIGNAL) ||
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
static bool hint_at_kernel(struct fl_cli_run_state *run)
{
	if (!(run->result.flags & FL_RESULT_NO_AGENT) || run->result.end == FL_END_ERROR ||
	    run->result.end == FL_END_FAULT ||
	    (run->result.end == FL_END_STOPPED && fl_cli_now_ms() - run->started_ms < AGENT_PATIENCE_MS))
		return false;
	fl_cli_say(
		"the guest's kernel did not get as far as Faultline's agent, or has not found its devices; -v shows how far "
		"it got, and docs/kernels.md lists the options that a kernel must have been built with");
	return true;
}

int fl_cli_run_judge(struct fl_cli_run_state *run)
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
	fl_cli_run_leave_terminal(run);
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
	if (atomic_load(&run->stop_asked) && !text[0] && run->options->log_level >= FL_LOG_WARN)
		fl_cli_say("the guest has ended: \"faultline stop\" asked it to");
	if (text[0])
		fl_cli_say(text);
	(void)hint_at_kernel(run);
	if (status == FL_CLI_EXIT_NO_STATUS && run->result.end != FL_END_EXITED && run->result.end != FL_END_FAULT &&
	    !run->output.show_console)
		fl_cli_print_console_tail(&run->output);
	return status;
}
