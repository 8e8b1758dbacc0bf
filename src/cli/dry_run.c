/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dry_run.h"

#include <inttypes.h>
#include <string.h>

#include "cli/choices.h"

static void print_size(FILE *out, const char *name, uint64_t len)
{
	static const char letters[] = "TGMK";

	for (unsigned int i = 0; len && letters[i]; i++) {
		unsigned int shift = 10 * (4 - i);

		if (len % (UINT64_C(1) << shift) == 0) {
			fprintf(out, "%s%" PRIu64 "%c", name, len >> shift, letters[i]);
			return;
		}
	}
	fprintf(out, "%s%" PRIu64, name, len);
}

static void print_policy(FILE *out, const struct fl_policy *policy)
{
	for (size_t i = 0; i < FL_POLICY_MAX; i++) {
		fprintf(out, "%s%s", i ? "," : "", fl_cli_choice_word(FL_CLI_OPTION_ON_FAULT, policy->action[i]));
		if (policy->action[i] == FL_ACTION_STOP)
			break;
	}
	fputc('\n', out);
}

static void print_text(FILE *out, const char *name, const char *value)
{
	if (value)
		fprintf(out, "%s = %s\n", name, value);
}

static void print_switch(FILE *out, const char *name, bool on)
{
	fprintf(out, "%s = %s\n", name, on ? "yes" : "no");
}

/* mount: of the share that it is said of; "": said of none */
static void print_choice(FILE *out, int option, const char *mount, unsigned int value)
{
	fprintf(out, "%s = %s%s%s\n", fl_cli_find_option(fl_cli_find_verb("run"), option)->name, mount,
		mount[0] ? "=" : "", fl_cli_choice_word(option, value));
}

static void print_machine(FILE *out, const struct fl_cli_options *options, const char *kernel)
{
	print_text(out, "kernel", kernel);
	print_text(out, "params", options->params);
	fprintf(out, "cpus = %" PRIu32 "\n", options->vcpus);
	print_size(out, "memory = ", options->ram_len);
	fputc('\n', out);
	print_choice(out, FL_CLI_OPTION_HOST, "", options->host);
	print_switch(out, "unpatched", options->unpatched);
	print_switch(out, "net", options->net);
}

static void print_share(FILE *out, const struct fl_cli_share *share, bool is_root)
{
	if (is_root)
		fprintf(out, "root = %s%s", share->dir, share->writable ? ":rw" : "");
	else
		fprintf(out, "%s = %s=%s", share->writable ? "rwdir" : "rodir", share->mount, share->dir);
	fprintf(out, "%s%s%s\n", share->overlay ? ":overlay" : "", share->overlay_dir ? "=" : "",
		share->overlay_dir ? share->overlay_dir : "");
	print_choice(out, FL_CLI_OPTION_DAX, share->mount, share->dax);
	print_choice(out, FL_CLI_OPTION_MAP, share->mount, share->users);
	print_choice(out, FL_CLI_OPTION_MOUNTS, share->mount, share->one_mount);
}

static void print_window(FILE *out, const struct fl_cli_window *window)
{
	if (window->file)
		fprintf(out, "window = %s", window->file);
	else
		print_size(out, "window = memfd:", window->memory_len);
	fprintf(out, "@0x%" PRIx64 "%s", window->gpa, window->read_only ? ",ro" : "");
	if (window->len)
		print_size(out, ",size=", window->len);
	fputs(",on-fault=", out);
	print_policy(out, &window->policy);
}

static void print_files(FILE *out, const struct fl_cli_options *options)
{
	for (size_t i = 0; i < options->share_count; i++)
		print_share(out, &options->shares[i], i == 0);
	print_size(out, "dax-window = ", options->window_len);
	fputc('\n', out);
	print_switch(out, "prefault", options->prefault);
	fprintf(out, "attr-timeout = %" PRIu32 "\nentry-timeout = %" PRIu32 "\n", options->attr_timeout_ms,
		options->entry_timeout_ms);
	for (size_t i = 0; i < options->window_count; i++)
		print_window(out, &options->windows[i]);
}

static void print_command_options(FILE *out, const struct fl_cli_options *options)
{
	print_text(out, "cwd", options->cwd);
	print_text(out, "user", options->user);
	print_text(out, "hostname", options->hostname);
	print_choice(out, FL_CLI_OPTION_TTY, "", options->tty);
	for (size_t i = 0; i < options->env_count; i++)
		print_text(out, "env", options->env[i]);
}

static void print_on_fault(FILE *out, const char *where, const struct fl_policy *policy)
{
	fprintf(out, "on-fault = %s=", where);
	print_policy(out, policy);
}

static void print_faults(FILE *out, const struct fl_cli_options *options)
{
	for (size_t i = 0; i < options->share_count; i++)
		print_on_fault(out, options->shares[i].mount, &options->shares[i].policy);
	print_on_fault(out, "ram", &options->ram_policy);
	print_choice(out, FL_CLI_OPTION_ON_STOP, "", options->wait_on_stop);
	print_choice(out, FL_CLI_OPTION_FAULT_MODE, "", options->fault_mode);
	print_text(out, "events", options->events);
	print_text(out, "report", options->report);
}

static void print_rest(FILE *out, const struct fl_cli_options *options)
{
	if (options->timeout_s)
		fprintf(out, "timeout = %" PRIu32 "\n", options->timeout_s);
	print_choice(out, FL_CLI_OPTION_LOG_LEVEL, "", options->log_level);
}

/* As a shell would need it; a comment has one line. */
static void print_word(FILE *out, const char *word)
{
	fputs(" '", out);
	for (const char *c = word; *c; c++) {
		if (*c == '\'')
			fputs("'\\''", out);
		else
			fputc(*c == '\n' ? ' ' : *c, out);
	}
	fputc('\'', out);
}

static void print_command(FILE *out, const struct fl_cli_options *options)
{
	fputs("# faultline run", out);
	if (options->is_named)
		fprintf(out, " --name %s", options->name);
	fputs(options->initrd ? " --initrd" : " --", out);
	if (options->initrd)
		print_word(out, options->initrd);
	for (char *const *word = options->command; word && *word; word++)
		print_word(out, *word);
	fputc('\n', out);
}

void fl_cli_dry_run(const struct fl_cli_options *options, const struct fl_cli_kernel *kernel, FILE *out)
{
	static void (*const groups[])(FILE * out, const struct fl_cli_options *options) = {
		print_files, print_command_options, print_faults, print_rest, print_command};

	print_machine(out, options, kernel->path);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		fputc('\n', out);
		groups[i](out, options);
	}
}
