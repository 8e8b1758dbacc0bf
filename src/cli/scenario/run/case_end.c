/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a case when nobody acts any more, and what it comes to. */
#include "cli/scenario/run/case_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/scenario/guests/guests_impl.h"
#include "cli/scenario/host/content.h"
#include "cli/scenario/run/guest_look.h"
#include "cli/scenario/verdict/judge.h"

bool fl_scn_case_is_cancelled(const struct fl_scn_case_state *state)
{
	return state->opts->cancelled(state->opts->cancelled_arg);
}

static int host_path(void *arg, uint32_t dir, const char *rest, char path[PATH_MAX])
{
	const struct fl_scn_case_state *state = arg;

	return fl_scn_workdir_file(state->opts->workdir, &state->scenario_case->dirs[dir], state->opts->number, rest,
				   path);
}

static int look_here(const char *path, const struct fl_scn_expect *expect, struct fl_scn_look *look)
{
	struct stat status;
	int ret = 0;

	if (lstat(path, &status) < 0) {
		look->absent = errno == ENOENT;
		return look->absent ? 0 : -errno;
	}
	look->len = (uint64_t)status.st_size;
	if (!expect->has_content)
		return 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	/* a text says how long it is */
	if (expect->content != FL_SCN_FILE_TEXT || look->len <= strlen(expect->text))
		ret = fl_scn_content_compare(fd, expect->content, expect->text, look->len, &look->same);
	close(fd);
	return ret;
}

static int look(void *arg, const struct fl_scn_expect *expect, struct fl_scn_look *look)
{
	struct fl_scn_case_state *state = arg;
	char path[PATH_MAX];
	int ret = host_path(arg, expect->dir, expect->path, path);

	if (ret == 0 && expect->in_guest && !state->opts->native)
		return fl_scn_guest_look(state, expect, look);
	return ret == 0 ? look_here(path, expect, look) : ret;
}

static int collect_faults(struct fl_scn_case_state *state)
{
	struct fl_scn_result *result = state->result;

	for (uint32_t i = 0; i < state->scenario_case->machines_count; i++) {
		struct fl_scn_fault *faults, *all;
		size_t count;
		int ret = fl_scn_guests_take_faults(state->opts->guests[i], &faults, &count);

		if (ret < 0)
			return ret;
		all = realloc(result->faults, (result->faults_count + count + 1) * sizeof(*all));
		if (!all) {
			free(faults);
			return -ENOMEM;
		}
		result->faults = all;
		for (size_t j = 0; j < count; j++)
			all[result->faults_count + j] = faults[j];
		result->faults_count += count;
		free(faults);
	}
	return 0;
}

static int collect_consoles(struct fl_scn_case_state *state)
{
	struct fl_scn_result *result = state->result;
	uint32_t count = state->scenario_case->machines_count;

	result->consoles = calloc(count + 1, sizeof(*result->consoles));
	if (!result->consoles)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct fl_scn_console *console = &result->consoles[i];

		console->machine = strdup(state->scenario_case->machines[i].name);
		console->text = fl_scn_guests_take_console(state->opts->guests[i]);
		result->consoles_count++;
		if (!console->machine || !console->text)
			return -ENOMEM;
		console->len = strlen(console->text);
	}
	return 0;
}

static int judge(struct fl_scn_case_state *state)
{
	uint32_t count = state->scenario_case->machines_count;
	struct fl_scn_machine_end *ends = calloc(count + 1, sizeof(*ends));
	char(*whys)[512] = calloc(count + 1, sizeof(*whys));
	struct fl_scn_evidence evidence = {
		.scenario_case = state->scenario_case,
		.seen = state->seen,
		.faults = state->result->faults,
		.faults_count = state->result->faults_count,
		.ends = ends,
		.native = state->opts->native,
		.mark_times = state->mark_times,
		.over_ns = state->over_ns,
		.slowness = state->opts->slowness,
		.host_path = host_path,
		.look = look,
		.arg = state,
	};
	int ret = ends && whys ? 0 : -ENOMEM;

	for (uint32_t i = 0; ret == 0 && i < count; i++) {
		ends[i].lives = fl_scn_guests_live(state->opts->guests[i]);
		ends[i].console = state->result->consoles[i].text;
		ends[i].why = whys[i];
		if (!ends[i].lives)
			ends[i].end = fl_scn_guests_end(state->opts->guests[i], &ends[i].panic, whys[i]);
	}
	if (ret == 0)
		ret = fl_scn_judge(&evidence, state->result);
	free(ends);
	free(whys);
	return ret;
}

int fl_scn_case_say_cancelled(struct fl_scn_result *result)
{
	result->verdict = FL_SCN_SKIPPED;
	free(result->reason);
	result->reason = strdup("It was ended by a signal before it was over.");
	return result->reason ? 0 : -ENOMEM;
}

int fl_scn_case_conclude(struct fl_scn_case_state *state)
{
	int ret = collect_faults(state);

	if (ret == 0)
		ret = collect_consoles(state);
	if (ret == 0)
		ret = fl_scn_case_is_cancelled(state) ? fl_scn_case_say_cancelled(state->result) : judge(state);
	if (ret == 0)
		ret = fl_scn_make_timeline(state, state->result);
	for (size_t i = 0; i < state->result->faults_count; i++) {
		uint64_t *at_ns = &state->result->faults[i].at_ns;

		*at_ns = *at_ns > state->begin_ns ? *at_ns - state->begin_ns : 0;
	}
	return ret;
}
