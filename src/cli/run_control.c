/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_state.h"

#include <errno.h>
#include <string.h>

#include "cli/diag.h"

static int describe(void *arg, enum fl_cli_control_what what, bool json, FILE *out, struct fl_diag *diag)
{
	const struct fl_cli_run_state *run = arg;

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
	const struct fl_cli_run_state *run = arg;
	int ret = fl_vm_pause(run->vm);

	return ret < 0 ? explain(ret, "paused", diag) : 0;
}

static int resume_vm(void *arg, struct fl_diag *diag)
{
	const struct fl_cli_run_state *run = arg;
	int ret = fl_vm_resume(run->vm);

	return ret < 0 ? explain(ret, "resumed", diag) : 0;
}

static void stop_vm(void *arg, uint32_t timeout_s)
{
	struct fl_cli_run_state *run = arg;

	atomic_store(&run->stop_timeout_s, timeout_s);
	atomic_store(&run->stop_asked, true);
	pthread_kill(run->main_thread, FL_CLI_STOP_SIGNAL);
}

/* By the main thread, as for SIGWINCH, since the guest may not have been started yet. */
static int resize_terminal(void *arg, uint16_t rows, uint16_t columns, struct fl_diag *diag)
{
	struct fl_cli_run_state *run = arg;

	if (!run->options->command || !run->streams.tty)
		return fl_cli_diag(diag, -ENOTTY, "This guest's command has no terminal.");
	if (run->terminal)
		return fl_cli_diag(diag, -EBUSY, "This guest's terminal is as large as that of its launcher.");
	atomic_store(&run->told_size, (unsigned int)rows << 16 | columns);
	pthread_kill(run->main_thread, SIGWINCH);
	return 0;
}

int fl_cli_run_open_control(struct fl_cli_run_state *run, struct fl_diag *diag)
{
	struct fl_cli_control_ops ops = {
		.describe = describe,
		.pause = pause_vm,
		.resume = resume_vm,
		.stop = stop_vm,
		.resize = resize_terminal,
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
