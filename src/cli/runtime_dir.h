/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the control sockets of this user's guests are: $XDG_RUNTIME_DIR/faultline, or without that /run/faultline for
 * root and /tmp/faultline-UID for others. A guest's is NAME.sock; what nobody listens to is left over and is removed.
 */
#ifndef FL_CLI_RUNTIME_DIR_H
#define FL_CLI_RUNTIME_DIR_H

#include <limits.h>
#include <stddef.h>

#include "faultline/faultline.h"

/* The directory's path, for people. -ENAMETOOLONG. */
FL_CHECKED int fl_cli_runtime_path(char path[PATH_MAX], struct fl_diag *diag);

/*
 * Opens the directory, made if wanted; a descriptor, or -errno with a sentence: -ENOENT if it is not there, -EPERM if
 * it is another user's or others may write to it.
 */
FL_CHECKED int fl_cli_open_runtime_dir(bool make, struct fl_diag *diag);

/* A listening socket for that name, its mode 0600. -EADDRINUSE: a guest of that name runs. */
FL_CHECKED int fl_cli_listen(int dir_fd, const char *name, struct fl_diag *diag);

/* A connected socket. -ENOENT: no guest of that name runs; what was left of one has been removed. */
FL_CHECKED int fl_cli_connect(int dir_fd, const char *name);

void fl_cli_unlink_socket(int dir_fd, const char *name);

/* The names of what may be guests, sorted; to be freed with fl_cli_names_fini(). -errno. */
struct fl_cli_names {
	char **names;
	size_t count;
};
FL_CHECKED int fl_cli_list_names(int dir_fd, struct fl_cli_names *names);
void fl_cli_names_fini(struct fl_cli_names *names);

#endif
