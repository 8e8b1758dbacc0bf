/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/box_terminal.h"
#include "cli/diag.h"
#include "cli/events.h"
#include "cli/outfile.h"
#include "cli/runtime_dir.h"
#include "cli/terminal.h"

bool fl_cli_in_box(void)
{
	const char *inside = getenv("FAULTLINE_IN_BOX");

	return inside && inside[0];
}

int fl_cli_own_path(char path[PATH_MAX], struct fl_diag *diag)
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (len < 0)
		return fl_cli_diag(diag, -errno, "/proc/self/exe cannot be read: %s.", strerror(errno));
	path[len] = '\0';
	return 0;
}

int fl_cli_default_box(char path[PATH_MAX], struct fl_diag *diag)
{
	char program[PATH_MAX];
	struct fl_diag ignored;
	struct fl_cli_box_places places = {
		.from_env = getenv("FAULTLINE_BOX"),
		.program = fl_cli_own_path(program, &ignored) == 0 ? program : NULL,
		.system_script = FL_BOX,
	};

	return fl_cli_find_box(&places, path, diag);
}

int fl_cli_check_host(struct fl_diag *diag)
{
	struct fl_host_report report = {.size = sizeof(report)};
	int ret = fl_host_probe_use(&report);

	if (ret < 0 || report.use == FL_HOST_LINUX)
		return 0; /* what is wrong then, fl_vm_new() says better */
	if (report.use == FL_HOST_NONE)
		return fl_cli_diag(diag, -ENODEV, "%s", report.text);
	return fl_cli_diag(
		diag, -ENOTSUP,
		"/dev/kvm here cannot run Linux guests (\"faultline doctor\" says why); with --host=box they "
		"run on an emulated host that can");
}

/* False: nothing speaks against this host. An error of the probe is fl_vm_new()'s to explain. */
static bool host_is_unfit(struct fl_host_report *report)
{
	*report = (struct fl_host_report){.size = sizeof(*report)};
	return fl_host_probe_use(report) == 0 && report->use != FL_HOST_LINUX;
}

static void say_why(const struct fl_host_report *report)
{
	fprintf(stderr,
		"faultline: %s (\"faultline doctor\" says why), so this one runs on an emulated host, the box, which "
		"takes some seconds to start.\n",
		report->use == FL_HOST_NONE ? "there is no usable /dev/kvm here for Linux guests"
					    : "/dev/kvm here cannot run Linux guests");
}

/* For the box to inherit: a number in the range that it can pass on. Takes fd, or its negative error. */
static int make_output(int fd, const char *option, struct fl_diag *diag)
{
	int moved;

	if (fd < 0)
		return fd;
	moved = fcntl(fd, F_DUPFD, FL_CLI_BOX_FD_MIN);
	close(fd);
	if (moved >= 0 && moved < FL_CLI_BOX_FD_LIMIT)
		return moved;
	if (moved >= 0)
		close(moved);
	return fl_cli_diag(diag, -EMFILE,
			   "%s: too many descriptors are open: the box wants one from %d to %d to be free.", option,
			   FL_CLI_BOX_FD_MIN, FL_CLI_BOX_FD_LIMIT - 1);
}

/* The box cannot write to files, and a FIFO or a descriptor of this host would not be the same inside. */
static int open_outputs(const struct fl_cli_options *options, struct fl_cli_box_job *job, struct fl_diag *diag)
{
	if (options->events) {
		job->events_fd = make_output(fl_cli_open_events(options->events, diag), "--events", diag);
		if (job->events_fd < 0)
			return job->events_fd;
	}
	if (options->report) {
		int fd = fl_cli_open_outfile(options->report, 0);

		if (fd < 0)
			return fl_cli_diag(diag, fd, "--report: %s cannot be written: %s.", options->report,
					   fl_cli_outfile_error(fd));
		job->report_fd = make_output(fd, "--report", diag);
		if (job->report_fd < 0)
			return job->report_fd;
	}
	return 0;
}

/* A guest can do without, unless somebody chose its name (fl_cli_run_open_control()). */
static int open_control(const struct fl_cli_options *options, struct fl_cli_box_job *job, struct fl_diag *diag)
{
	int dir_fd = fl_cli_open_runtime_dir(true, diag);
	int fd = dir_fd < 0 ? dir_fd : fl_cli_listen(dir_fd, options->name, diag);

	if (dir_fd >= 0)
		close(dir_fd);
	job->control_fd = make_output(fd, "--name", diag);
	return job->control_fd < 0 && options->is_named ? job->control_fd : 0;
}

static int refuse_what_differs(const struct fl_cli_options *options, struct fl_diag *diag)
{
	for (size_t i = 0; i < options->share_count; i++)
		if (options->shares[i].users == FL_USERS_HOST && geteuid() != 0)
			return fl_cli_diag(diag, -EPERM, "--map host: only root can act as other users.");
	return 0;
}

/* The box takes what there is, whether the guest reads it or not. */
static void read_nothing(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		dup2(fd, STDIN_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* With a terminal this process stays, since somebody must put that back before the shell goes on. */
static int become(const struct fl_cli_options *options, char **command, struct fl_diag *diag)
{
	int status;

	if (options->tty == FL_CLI_TTY_NEVER || !fl_cli_terminal_wanted(STDIN_FILENO, STDOUT_FILENO)) {
		fl_cli_forget_box_terminal();
		if (fl_cli_terminal_is_others(STDIN_FILENO))
			read_nothing();
		execv(command[0], command);
		return fl_cli_diag(diag, -errno, "The box %s cannot be run: %s.", command[0], strerror(errno));
	}
	if (options->initrd && options->log_level > FL_LOG_ERROR)
		fl_cli_terminal_say_escape();
	int ret = fl_cli_run_box_at_terminal(command, options->name, &status, diag);

	if (ret == 0)
		exit(status);
	return ret;
}

/* The box has no network device: this host's services would have to be let in one by one. */
static void say_what_differs(const struct fl_cli_options *options)
{
	if (options->net && options->log_level > FL_LOG_ERROR)
		fputs("faultline: --net reaches nothing of this host and nothing outside from the box, only what the box "
		      "itself serves.\n",
		      stderr);
}

static int become_box(const struct fl_cli_options *options, const struct fl_cli_kernel *kernel, const char *box,
		      int argc, char **argv, struct fl_diag *diag)
{
	char program[PATH_MAX];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct fl_cli_box_job job = {
		.box = box,
		.program = program,
		.kernel = kernel->path,
		.cpus = cpus > 0 ? (uint32_t)cpus : 1,
		.argc = argc,
		.argv = argv,
		.events_fd = -1,
		.report_fd = -1,
		.control_fd = -1,
	};
	char **command;
	int ret = refuse_what_differs(options, diag);

	if (ret == 0)
		ret = fl_cli_own_path(program, diag);
	if (ret == 0)
		ret = open_outputs(options, &job, diag);
	if (ret == 0)
		ret = open_control(options, &job, diag);
	if (ret == 0)
		ret = fl_cli_box_command(options, &job, &command, diag);
	if (ret < 0)
		return ret;
	say_what_differs(options);
	ret = become(options, command, diag);
	fl_cli_box_command_free(command);
	return ret;
}

int fl_cli_enter_box(const struct fl_cli_options *options, const struct fl_cli_kernel *kernel, int argc, char **argv,
		     bool *checked, struct fl_diag *diag)
{
	struct fl_host_report report;
	char box[PATH_MAX];
	int ret;

	*checked = false;
	if (options->host == FL_CLI_HOST_KVM || fl_cli_in_box())
		return 0;
	if (options->host == FL_CLI_HOST_AUTO) {
		*checked = !host_is_unfit(&report);
		if (*checked)
			return 0;
	}
	ret = fl_cli_default_box(box, diag);
	/* without a box this host is to say what is wrong with it */
	if (ret < 0)
		return options->host == FL_CLI_HOST_AUTO ? 0 : ret;
	if (options->host == FL_CLI_HOST_AUTO && options->log_level > FL_LOG_ERROR)
		say_why(&report);
	return become_box(options, kernel, box, argc, argv, diag);
}
