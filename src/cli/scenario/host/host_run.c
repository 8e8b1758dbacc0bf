/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/host_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/scenario/host/spawn.h"

#define WORDS_MAX 64
#define LOOK_MS	  50 /* whether the case is over */

static char *translate(const struct fl_scn_host_place *place, const char *word)
{
	uint32_t count = place->scenario_case->dirs_count;
	uint32_t dir = fl_scn_dir_of_word(place->scenario_case->dirs, count, word);
	char path[PATH_MAX];

	if (dir == count)
		return strdup(word);
	const struct fl_scn_dir *of = &place->scenario_case->dirs[dir];

	if (fl_scn_workdir_file(place->workdir, of, place->number, word + strlen(of->name) + 1, path) < 0)
		return NULL;
	return strdup(path);
}

static void free_words(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

static char **translate_all(const struct fl_scn_host_place *place, const char *const *words)
{
	char **all = calloc(WORDS_MAX + 1, sizeof(*all));

	for (size_t i = 0; all && words[i]; i++) {
		all[i] = i < WORDS_MAX ? translate(place, words[i]) : NULL;
		if (!all[i]) {
			free_words(all);
			return NULL;
		}
	}
	return all;
}

static int64_t left_ms(uint64_t deadline_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((int64_t)deadline_ns - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec)) / 1000000;
}

/* Until it has ended; not beyond the deadline or the case's end. */
static int wait_for(const struct fl_scn_host_place *place, pid_t pid, uint64_t deadline_ns)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int64_t left;
	int ret;

	if (fd < 0)
		return -errno;
	do {
		struct pollfd ended = {.fd = fd, .events = POLLIN};

		left = place->is_over && place->is_over(place->arg) ? 0 : left_ms(deadline_ns);
		ret = poll(&ended, 1, left > 0 ? (int)(left < LOOK_MS ? left : LOOK_MS) : 0);
	} while ((ret < 0 && errno == EINTR) || (ret == 0 && left > 0));
	close(fd);
	return ret > 0 ? 0 : -ETIMEDOUT;
}

int fl_scn_host_run(const struct fl_scn_host_place *place, const char *const *words, uint64_t deadline_ns,
		    uint64_t *status)
{
	char **all = translate_all(place, words);
	int state = 0;
	pid_t pid;

	if (!all)
		return -ENOMEM;
	const struct fl_scn_spawn what = {
		.path = all[0], .argv = all, .env = environ, .channel = -1, .own_group = true};
	int ret = fl_scn_spawn(&what, &pid);

	free_words(all);
	if (ret < 0)
		return ret;
	ret = wait_for(place, pid, deadline_ns);
	if (ret < 0)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
		;
	*status = WIFSIGNALED(state) ? 128u + (uint64_t)WTERMSIG(state) : (uint64_t)WEXITSTATUS(state);
	return ret;
}
