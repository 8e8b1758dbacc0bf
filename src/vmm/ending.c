/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vmm/vm.h"

#define POWEROFF_GRACE_MS 10000 /* between the agent's status and the guest's poweroff */
#define DRAIN_STEP_MS	  200

void fl_vm_wake(const struct fl_vm *vm)
{
	uint64_t one = 1;

	/* A full eventfd counter means that it is awake already. */
	if (write(vm->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* The first cause wins: what follows from tearing the machine down is not why it ended. */
void fl_vm_end(struct fl_vm *vm, enum fl_end end, int code, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&vm->lock);
	if (!vm->ending) {
		vm->ending = true;
		vm->result.end = end;
		vm->result.code = code;
		va_start(args, format);
		vsnprintf(vm->result.text, sizeof(vm->result.text), format, args);
		va_end(args);
	}
	pthread_mutex_unlock(&vm->lock);
	fl_vm_wake(vm);
}

/* What the agent said of the command is worth more than how the machine then went down. */
static bool end_with_command_result(struct fl_vm *vm)
{
	bool had;

	pthread_mutex_lock(&vm->lock);
	had = vm->command_ended;
	if (had && !vm->ending) {
		vm->ending = true;
		vm->result = vm->command_result;
	}
	pthread_mutex_unlock(&vm->lock);
	fl_vm_wake(vm);
	return had;
}

static const char *unsaid(const struct fl_vm *vm)
{
	return vm->config.initrd ? "" : " without saying how the command ended";
}

void fl_vm_guest_poweroff(struct fl_vm *vm)
{
	if (!end_with_command_result(vm))
		fl_vm_end(vm, FL_END_POWEROFF, 0, "the guest powered off%s", unsaid(vm));
}

/* The kernel's own last word, if it panicked: the line after "Kernel panic". */
static bool find_panic(struct fl_vm *vm, char *line, size_t line_len)
{
	char tail[FL_SERIAL_TAIL_LEN + 1];
	const char *found;

	fl_serial_tail(&vm->serial, tail, sizeof(tail));
	found = strstr(tail, "Kernel panic");
	if (!found)
		return false;
	snprintf(line, line_len, "%.*s", (int)strcspn(found, "\r\n"), found);
	return true;
}

void fl_vm_guest_reset(struct fl_vm *vm)
{
	char line[200];

	if (find_panic(vm, line, sizeof(line))) {
		pthread_mutex_lock(&vm->lock);
		vm->panicked = true;
		pthread_mutex_unlock(&vm->lock);
		fl_vm_end(vm, FL_END_RESET, 0, "the guest kernel gave up: %s; run with -v for its messages", line);
	} else if (!end_with_command_result(vm)) {
		fl_vm_end(vm, FL_END_RESET, 0, "the guest reset itself%s", unsaid(vm));
	}
}

void fl_vm_vcpu_ended(void *arg, unsigned int index, enum fl_vcpu_end end, const struct fl_diag *diag)
{
	struct fl_vm *vm = arg;

	switch (end) {
	case FL_VCPU_END_SHUTDOWN:
		fl_vm_end(vm, FL_END_CRASHED, 0,
			  "vCPU %u shut down (triple fault); run with -v for the guest's messages", index);
		break;
	case FL_VCPU_END_FAULT:
		fl_vm_end(vm, FL_END_FAULT, 0, "%s", diag ? diag->text : "a page of guest memory is gone");
		break;
	case FL_VCPU_END_ERROR:
	default:
		fl_vm_end(vm, FL_END_ERROR, 0, "vCPU %u: %s", index, diag ? diag->text : "unknown trouble");
		break;
	}
}

static void command_ended(struct fl_vm *vm, enum fl_end end, int code, const char *text)
{
	pthread_mutex_lock(&vm->lock);
	if (!vm->command_ended) {
		vm->command_ended = true;
		vm->command_result = (struct fl_result){.size = sizeof(struct fl_result), .end = end, .code = code};
		snprintf(vm->command_result.text, sizeof(vm->command_result.text), "%s", text);
	}
	pthread_mutex_unlock(&vm->lock);
	fl_vm_wake(vm);
}

/* guest/agent_conf.h says what lines there are; a guest may say anything. */
static void take_status_line(struct fl_vm *vm, const char *line)
{
	unsigned int code;
	int text_at = 0;

	pthread_mutex_lock(&vm->lock);
	vm->agent_heard = true;
	pthread_mutex_unlock(&vm->lock);
	if (sscanf(line, "exit %3u", &code) == 1 && code <= 255)
		command_ended(vm, FL_END_EXITED, (int)code, "");
	else if (sscanf(line, "signal %3u", &code) == 1 && code >= 1 && code <= 64)
		command_ended(vm, FL_END_SIGNALED, (int)code, "");
	else if (sscanf(line, "failed %3u %n", &code, &text_at) == 1 && code <= 255 && text_at)
		command_ended(vm, FL_END_NOT_RUN, (int)code, line + text_at);
	else if (strcmp(line, "start") == 0)
		fl_log(&vm->log, FL_LOG_INFO, "the guest is up and runs the command");
	else
		fl_log_limited(&vm->log, &vm->guest_limit, FL_LOG_WARN, "the guest's agent said something unknown");
}

void fl_vm_status_received(void *arg, const void *bytes, size_t len)
{
	struct fl_vm *vm = arg;
	const char *chars = bytes;

	for (size_t i = 0; i < len; i++) {
		if (chars[i] == '\n') {
			vm->status_line[vm->status_line_len] = 0;
			vm->status_line_len = 0;
			take_status_line(vm, vm->status_line);
		} else if (vm->status_line_len < sizeof(vm->status_line) - 1) {
			/* control characters could do things to the terminal that shows them */
			vm->status_line[vm->status_line_len++] = (unsigned char)chars[i] < ' ' ? '?' : chars[i];
		}
	}
}

static void wait_for_wake(struct fl_vm *vm, int timeout_ms)
{
	struct pollfd pfd = {.fd = vm->wake_fd, .events = POLLIN};
	uint64_t count;

	if (poll(&pfd, 1, timeout_ms) > 0 && read(vm->wake_fd, &count, sizeof(count)) < 0)
		return;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Blocks until the VM has a reason to end. */
static void wait_for_end(struct fl_vm *vm)
{
	int64_t deadline_ms = -1;

	for (;;) {
		bool ending, command_done;

		pthread_mutex_lock(&vm->lock);
		ending = vm->ending;
		command_done = vm->command_ended;
		pthread_mutex_unlock(&vm->lock);
		if (ending)
			return;
		if (atomic_load(&vm->stop_asked)) {
			fl_vm_end(vm, FL_END_STOPPED, 0, "stopped on request");
			return;
		}
		if (atomic_load(&vm->paused)) /* it cannot power off: the time is given again when it goes on */
			deadline_ms = -1;
		else if (command_done && deadline_ms < 0)
			deadline_ms = now_ms() + POWEROFF_GRACE_MS;
		if (deadline_ms >= 0 && now_ms() >= deadline_ms) {
			fl_log(&vm->log, FL_LOG_WARN,
			       "the command has ended but the guest did not power off; stopping it");
			(void)end_with_command_result(vm);
			return;
		}
		wait_for_wake(vm, deadline_ms < 0 ? -1 : (int)FL_MAX(deadline_ms - now_ms(), (int64_t)0));
	}
}

static void stop_vcpus(struct fl_vm *vm)
{
	for (unsigned int i = 0; i < vm->config.opts.vcpus; i++)
		if (vm->vcpus[i])
			fl_vcpu_request_stop(vm->vcpus[i]);
	for (unsigned int i = 0; i < vm->config.opts.vcpus; i++)
		if (vm->vcpus[i])
			fl_vcpu_stop(vm->vcpus[i]);
}

struct drain_job {
	struct fl_vm *vm;
	bool finished; /* all output is out */
	bool ran;
};

static void drain_on_loop(void *arg)
{
	struct drain_job *job = arg;

	job->finished = fl_console_drain(job->vm->console, DRAIN_STEP_MS);
	pthread_mutex_lock(&job->vm->lock);
	job->ran = true;
	pthread_cond_broadcast(&job->vm->done_cond);
	pthread_mutex_unlock(&job->vm->lock);
}

/* What the guest has written must reach the caller, however slow it reads; only a stop request cuts it short. */
static void drain_console(struct fl_vm *vm)
{
	struct drain_job job = {.vm = vm};

	while (!job.finished && !atomic_load(&vm->stop_asked)) {
		job.ran = false;
		if (fl_loop_post(vm->console_loop, drain_on_loop, &job))
			return;
		pthread_mutex_lock(&vm->lock);
		while (!job.ran)
			pthread_cond_wait(&vm->done_cond, &vm->lock);
		pthread_mutex_unlock(&vm->lock);
	}
}

/* Under the lock, when the end is known. */
static uint32_t result_flags(const struct fl_vm *vm)
{
	uint32_t flags = vm->config.initrd ? FL_RESULT_OWN_INITRD : vm->agent_heard ? 0 : FL_RESULT_NO_AGENT;

	return flags | (vm->panicked && vm->result.end == FL_END_RESET ? FL_RESULT_PANIC : 0);
}

static void *supervise(void *arg)
{
	struct fl_vm *vm = arg;

	wait_for_end(vm);
	fl_vm_watchdog_stop(vm);
	stop_vcpus(vm);
	drain_console(vm);
	fl_vm_devices_stop(vm);
	fl_vm_watch_stop(vm);
	fl_vm_devices_report(vm);
	pthread_mutex_lock(&vm->lock);
	/* A status may have come in with the last of the output. */
	if (vm->command_ended && (vm->result.end == FL_END_POWEROFF || vm->result.end == FL_END_RESET))
		vm->result = vm->command_result;
	vm->result.size = sizeof(vm->result);
	vm->result.flags = result_flags(vm);
	vm->result.faults = atomic_load(&vm->env.fault_count);
	vm->done = true;
	vm->end_ns = fl_now_ns(CLOCK_MONOTONIC);
	pthread_cond_broadcast(&vm->done_cond);
	pthread_mutex_unlock(&vm->lock);
	return NULL;
}

int fl_vm_supervisor_start(struct fl_vm *vm, struct fl_diag *diag)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old); /* inherited: the embedder's signals are not ours to take */
	ret = pthread_create(&vm->supervisor, NULL, supervise, vm);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return fl_diag(diag, -ret, "cannot start a thread: %s", strerror(ret));
	pthread_setname_np(vm->supervisor, "fl-supervisor");
	vm->started = true;
	return 0;
}
