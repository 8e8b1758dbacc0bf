/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a program of a case: nothing on its input, and what it says goes where people look. */
#ifndef FL_SCN_SPAWN_H
#define FL_SCN_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "faultline/faultline.h"

#define FL_SCN_SPAWN_CHANNEL_FD 3 /* what the program has a channel at */

struct fl_scn_spawn {
	const char *path; /* without a slash: looked up in PATH */
	char *const *argv, *const *env;
	int channel;	/* -1: none */
	bool own_group; /* that all it starts can be killed with it */
};

/* 0; -errno of posix_spawn(3). Any thread. */
FL_CHECKED int fl_scn_spawn(const struct fl_scn_spawn *what, pid_t *pid);

#endif
