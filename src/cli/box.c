/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/box.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/box_words.h"
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

/* The command in the box is root's, and has no XDG_RUNTIME_DIR (cli/runtime_dir.h). */
static void add_door(struct fl_cli_box_words *words, int fd, const char *name)
{
	if (fd < 0)
		return;
	fl_cli_box_add(words, "--door");
	fl_cli_box_add(words, "%d:/run/faultline/%s.sock", fd, name);
}

/*
 * A CPU of the box for each of the guest's, so that the guest's do not wait for each other, but not more than there
 * are to emulate them.
 */
static uint32_t box_cpus(const struct fl_cli_options *options, uint32_t cpus)
{
	return options->vcpus < cpus || cpus == 0 ? options->vcpus : cpus;
}

static void add_places(struct fl_cli_box_words *words, const struct fl_cli_options *options,
		       const struct fl_cli_box_job *job)
{
	fl_cli_box_add_place(words, false, job->program);
	fl_cli_box_add_place(words, false, job->kernel);
	if (options->initrd)
		fl_cli_box_add_place(words, false, options->initrd);
	if (options->config)
		fl_cli_box_add_place(words, false, options->config);
	for (size_t i = 0; i < options->share_count; i++) {
		fl_cli_box_add_place(words, options->shares[i].writable, options->shares[i].dir);
		if (options->shares[i].overlay_dir)
			fl_cli_box_add_place(words, true, options->shares[i].overlay_dir);
	}
	for (size_t i = 0; i < options->window_count; i++)
		if (options->windows[i].file)
			fl_cli_box_add_place(words, !options->windows[i].read_only, options->windows[i].file);
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
static void add_differences(struct fl_cli_box_words *words, const struct fl_cli_options *options,
			    const struct fl_cli_box_job *job)
{
	fl_cli_box_add(words, "--host=kvm");
	fl_cli_box_add(words, "--name=%s", options->name);
	if (job->events_fd >= 0)
		fl_cli_box_add(words, "--events=fd:%d", job->events_fd);
	if (job->report_fd >= 0)
		fl_cli_box_add(words, "--report=/dev/fd/%d", job->report_fd);
}

int fl_cli_box_command(const struct fl_cli_options *options, const struct fl_cli_box_job *job, char ***command,
		       struct fl_diag *diag)
{
	const int end = end_of_options(job);
	struct fl_cli_box_words words = {0};
	const struct fl_cli_box_machine machine = {
		.box = job->box,
		.cpus = box_cpus(options, job->cpus),
		.memory_mib = (options->ram_len + BOX_OWN_MEMORY) / MIB,
	};

	fl_cli_box_add_machine(&words, &machine);
	add_places(&words, options, job);
	fl_cli_box_add_output(&words, job->events_fd);
	fl_cli_box_add_output(&words, job->report_fd);
	add_door(&words, job->control_fd, options->name);
	fl_cli_box_add_program(&words, job->program);
	for (int i = 0; i < job->argc; i++) {
		if (i == end)
			add_differences(&words, options, job);
		fl_cli_box_add(&words, "%s", job->argv[i]);
	}
	if (end == job->argc)
		add_differences(&words, options, job);
	return fl_cli_box_take(&words, command, diag);
}
