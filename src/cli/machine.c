/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/host.h"
#include "cli/kernel_check.h"
#include "cli/window.h"

const char *fl_cli_make_tag(char tag[FL_CLI_TAG_ROOM], size_t index)
{
	snprintf(tag, FL_CLI_TAG_ROOM, index ? "share%zu" : "root", index);
	return tag;
}

const char *fl_cli_mount_of(const struct fl_cli_options *options, const char *tag)
{
	char known[FL_CLI_TAG_ROOM];

	for (size_t i = 0; i < options->share_count; i++)
		if (strcmp(fl_cli_make_tag(known, i), tag) == 0)
			return options->shares[i].mount;
	return tag;
}

static int add_shares(const struct fl_cli_options *options, struct fl_vm *vm, struct fl_diag *diag)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < options->share_count; i++) {
		const struct fl_cli_share *share = &options->shares[i];
		struct fl_share_opts opts = FL_SHARE_OPTS_INIT;
		char tag[FL_CLI_TAG_ROOM];

		opts.flags = (share->writable ? FL_SHARE_WRITABLE : 0) | (options->prefault ? FL_SHARE_PREFAULT : 0) |
			     (share->one_mount ? FL_SHARE_ONE_MOUNT : 0) | (share->overlay ? FL_SHARE_OVERLAY : 0);
		opts.overlay_dir = share->overlay_dir;
		opts.tag = fl_cli_make_tag(tag, i);
		opts.dir = share->dir;
		opts.mount = share->mount;
		opts.window_len = share->dax == FL_CLI_DAX_NEVER ? 0 : options->window_len;
		opts.dax = share->dax == FL_CLI_DAX_ALWAYS ? FL_DAX_ALWAYS : FL_DAX_INODE;
		opts.attr_timeout_ms = options->attr_timeout_ms;
		opts.entry_timeout_ms = options->entry_timeout_ms;
		opts.users = share->users;
		opts.policy = share->policy;
		ret = fl_vm_add_share(vm, &opts, diag);
	}
	return ret;
}

static int add_windows(const struct fl_cli_options *options, struct fl_vm *vm, struct fl_diag *diag)
{
	int ret = 0;

	for (size_t i = 0; ret >= 0 && i < options->window_count; i++) {
		const struct fl_cli_window *window = &options->windows[i];
		struct fl_window_opts opts = FL_WINDOW_OPTS_INIT;
		char name[32];

		snprintf(name, sizeof(name), "window%zu", i);
		opts.flags = window->read_only ? FL_WINDOW_READ_ONLY : 0;
		opts.name = name;
		opts.gpa = window->gpa;
		opts.policy = window->policy;
		opts.fd = fl_cli_open_window(window, &opts.len, diag);
		if (opts.fd < 0)
			return opts.fd;
		ret = fl_vm_add_window(vm, &opts, diag);
		close(opts.fd);
	}
	return ret;
}

static bool has_term(const struct fl_cli_options *options)
{
	for (size_t i = 0; i < options->env_count; i++)
		if (strncmp(options->env[i], "TERM=", 5) == 0)
			return true;
	return false;
}

int fl_cli_command_env(const struct fl_cli_options *options, bool tty, const char ***env, char **term)
{
	const char *here = tty && !has_term(options) ? getenv("TERM") : NULL;
	size_t count = options->env_count;

	*env = NULL;
	*term = NULL;
	if (count == 0 && !here)
		return 0;
	*env = calloc(count + 2, sizeof(**env));
	if (!*env || (here && asprintf(term, "TERM=%s", here) < 0)) {
		free(*env);
		*env = NULL;
		*term = NULL;
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		(*env)[i] = options->env[i];
	(*env)[count] = *term;
	return 0;
}

static int set_command(const struct fl_cli_options *options, const struct fl_cli_streams *streams, struct fl_vm *vm,
		       struct fl_diag *diag)
{
	struct fl_command command = FL_COMMAND_INIT;
	const char **env;
	char *term;
	int ret = fl_cli_command_env(options, streams->tty, &env, &term);

	if (ret < 0)
		return fl_cli_diag(diag, ret, "Out of memory.");
	command.flags = streams->tty ? FL_COMMAND_TTY : 0;
	command.rows = streams->rows;
	command.cols = streams->cols;
	command.argv = (const char *const *)options->command;
	command.envp = env;
	command.cwd = options->cwd;
	command.user = options->user;
	command.stdin_fd = streams->in_fd;
	command.stdout_fd = STDOUT_FILENO;
	command.stderr_fd = STDERR_FILENO;
	ret = fl_vm_set_command(vm, &command, diag);
	free(env);
	free(term);
	return ret;
}

static uint32_t vm_flags(const struct fl_cli_options *options, bool patched)
{
	return (options->unpatched ? FL_VM_NO_PVPF : 0) | (options->verbosity ? FL_VM_BOOT_MESSAGES : 0) |
	       (patched && !options->unpatched ? FL_VM_IDLES_POLITELY : 0);
}

int fl_cli_make_vm(const struct fl_cli_options *options, const struct fl_cli_kernel *kernel,
		   const struct fl_cli_streams *streams, struct fl_cli_output *output, struct fl_vm **vm,
		   struct fl_diag *diag)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	bool patched;
	int ret = fl_cli_check_kernel(kernel, options, output, &patched, diag);

	if (ret == 0 && !options->host_checked)
		ret = fl_cli_check_host(diag);
	if (ret < 0)
		return ret;
	opts.flags = vm_flags(options, patched);
	opts.name = options->name;
	opts.ram_len = options->ram_len;
	opts.vcpus = options->vcpus;
	opts.kernel = kernel->path;
	opts.initrd = options->initrd;
	opts.params = options->params;
	opts.hostname = options->hostname;
	opts.log = fl_cli_on_log;
	opts.fault = fl_cli_on_fault;
	opts.console = fl_cli_on_console;
	opts.window = fl_cli_on_window;
	opts.arg = output;
	opts.log_level = options->log_level;
	opts.fault_mode = options->fault_mode;
	opts.ram_policy = options->ram_policy;
	ret = fl_vm_new(&opts, vm, diag);
	if (ret == 0)
		ret = add_windows(options, *vm, diag);
	if (ret == 0)
		ret = add_shares(options, *vm, diag);
	if (ret < 0)
		return ret;
	return options->command ? set_command(options, streams, *vm, diag)
				: fl_vm_set_console_input(*vm, streams->in_fd, diag);
}
