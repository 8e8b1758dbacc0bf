/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

static int set_files(posix_spawn_file_actions_t *actions, int channel)
{
	int ret = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);

	if (ret == 0)
		ret = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	if (ret == 0 && channel >= 0)
		ret = posix_spawn_file_actions_adddup2(actions, channel, FL_SCN_SPAWN_CHANNEL_FD);
	return ret;
}

/* The runner blocks signals and ignores SIGPIPE, and both would go on in what it starts. */
static int set_attributes(posix_spawnattr_t *attributes, bool own_group)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, ignored;
	int ret;

	sigemptyset(&none);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	ret = posix_spawnattr_setsigmask(attributes, &none);
	if (ret == 0)
		ret = posix_spawnattr_setsigdefault(attributes, &ignored);
	if (ret == 0 && own_group)
		ret = posix_spawnattr_setpgroup(attributes, 0);
	return ret == 0 ? posix_spawnattr_setflags(attributes,
						   own_group ? (short)(flags | POSIX_SPAWN_SETPGROUP) : flags)
			: ret;
}

int fl_scn_spawn(const struct fl_scn_spawn *what, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int ret = posix_spawn_file_actions_init(&actions);

	if (ret)
		return -ret;
	ret = posix_spawnattr_init(&attributes);
	if (ret == 0) {
		ret = set_files(&actions, what->channel);
		if (ret == 0)
			ret = set_attributes(&attributes, what->own_group);
		if (ret == 0)
			ret = posix_spawnp(pid, what->path, &actions, &attributes, what->argv, what->env);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}
