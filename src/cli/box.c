/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/box.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/diag.h"

#define MIB UINT64_C(1048576)
/* What the box's kernel, the launcher and the caches of shared files take besides the guest's memory. */
#define BOX_OWN_MEMORY (1024 * MIB)

int fl_cli_find_box(const struct fl_cli_box_places *places, char path[PATH_MAX], struct fl_diag *diag)
{
	const char *slash = places->program ? strrchr(places->program, '/') : NULL;

	if (places->from_env && places->from_env[0]) {
		if (access(places->from_env, X_OK) < 0)
			return fl_cli_diag(diag, -ENOENT, "The box %s that FAULTLINE_BOX names cannot be run: %s.",
					   places->from_env, strerror(errno));
		if (snprintf(path, PATH_MAX, "%s", places->from_env) < PATH_MAX)
			return 0;
		return fl_cli_diag(diag, -ENAMETOOLONG, "The path in FAULTLINE_BOX is too long.");
	}
	if (slash &&
	    snprintf(path, PATH_MAX, "%.*s/../scripts/box", (int)(slash - places->program), places->program) <
		    PATH_MAX &&
	    access(path, X_OK) == 0)
		return 0;
	if (snprintf(path, PATH_MAX, "%s", places->system_script) < PATH_MAX && access(path, X_OK) == 0)
		return 0;
	return fl_cli_diag(
		diag, -ENOENT,
		"The box, an emulated host for Linux guests, was not found: it is scripts/box of a checkout, "
		"or what FAULTLINE_BOX names.");
}

struct words {
	char **word; /* NULL-terminated once there is one */
	size_t count;
	bool failed;
};

static void add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct words *words, const char *format, ...)
{
	char **grown = reallocarray(words->word, words->count + 2, sizeof(*grown));
	va_list args;

	if (!grown) {
		words->failed = true;
		return;
	}
	words->word = grown;
	grown[words->count] = NULL;
	grown[words->count + 1] = NULL;
	va_start(args, format);
	if (vasprintf(&grown[words->count], format, args) < 0) {
		grown[words->count] = NULL;
		words->failed = true;
	} else {
		words->count++;
	}
	va_end(args);
}

static void add_place(struct words *words, bool writable, const char *path)
{
	add(words, writable ? "--writable" : "--show");
	add(words, "%s", path);
}

static void add_output(struct words *words, int fd)
{
	if (fd < 0)
		return;
	add(words, "--output");
	add(words, "%d", fd);
}

/* The command in the box is root's, and has no XDG_RUNTIME_DIR (cli/runtime_dir.h). */
static void add_door(struct words *words, int fd, const char *name)
{
	if (fd < 0)
		return;
	add(words, "--door");
	add(words, "%d:/run/faultline/%s.sock", fd, name);
}

/*
 * A CPU of the box for each of the guest's, so that the guest's do not wait for each other, but not more than there
 * are to emulate them.
 */
static uint32_t box_cpus(const struct fl_cli_options *options, uint32_t cpus)
{
	return options->vcpus < cpus || cpus == 0 ? options->vcpus : cpus;
}

static void add_places(struct words *words, const struct fl_cli_options *options, const struct fl_cli_box_job *job)
{
	add_place(words, false, job->program);
	add_place(words, false, job->kernel);
	if (options->initrd)
		add_place(words, false, options->initrd);
	if (options->config)
		add_place(words, false, options->config);
	for (size_t i = 0; i < options->share_count; i++) {
		add_place(words, options->shares[i].writable, options->shares[i].dir);
		if (options->shares[i].overlay_dir)
			add_place(words, true, options->shares[i].overlay_dir);
	}
	for (size_t i = 0; i < options->window_count; i++)
		if (options->windows[i].file)
			add_place(words, !options->windows[i].read_only, options->windows[i].file);
}

/* A "--" is there before every command, and no option's value (fl_cli_take_options()); an initramfs has no command. */
static int end_of_options(const struct fl_cli_box_job *job)
{
	int end = 0;

	while (end < job->argc && strcmp(job->argv[end], "--") != 0)
		end++;
	return end;
}

/* Where they differ from what was said: the last word counts. */
static void add_differences(struct words *words, const struct fl_cli_options *options, const struct fl_cli_box_job *job)
{
	add(words, "--host=kvm");
	add(words, "--name=%s", options->name);
	if (job->events_fd >= 0)
		add(words, "--events=fd:%d", job->events_fd);
	if (job->report_fd >= 0)
		add(words, "--report=/dev/fd/%d", job->report_fd);
}

int fl_cli_box_command(const struct fl_cli_options *options, const struct fl_cli_box_job *job, char ***command,
		       struct fl_diag *diag)
{
	const int end = end_of_options(job);
	struct words words = {0};

	add(&words, "%s", job->box);
	add(&words, "--cpus");
	add(&words, "%" PRIu32, box_cpus(options, job->cpus));
	add(&words, "--memory");
	add(&words, "%" PRIu64 "M", (options->ram_len + BOX_OWN_MEMORY) / MIB);
	add_places(&words, options, job);
	add_output(&words, job->events_fd);
	add_output(&words, job->report_fd);
	add_door(&words, job->control_fd, options->name);
	add(&words, "--");
	add(&words, "%s", job->program);
	for (int i = 0; i < job->argc; i++) {
		if (i == end)
			add_differences(&words, options, job);
		add(&words, "%s", job->argv[i]);
	}
	if (end == job->argc)
		add_differences(&words, options, job);
	if (words.failed) {
		fl_cli_box_command_free(words.word);
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	}
	*command = words.word;
	return 0;
}

void fl_cli_box_command_free(char **command)
{
	for (char **word = command; word && *word; word++)
		free(*word);
	free(command);
}
