/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The box (scripts/box): an emulated host that runs Linux guests where this one does not. The launcher runs there again
 * with the same command line.
 */
#ifndef FL_CLI_BOX_H
#define FL_CLI_BOX_H

#include <limits.h>

#include "cli/box_words.h"

struct fl_cli_box_places {
	const char *from_env;	   /* $FAULTLINE_BOX, or NULL */
	const char *program;	   /* this program's own path, or NULL */
	const char *system_script; /* FL_BOX: where it is installed */
};

/*
 * The first box there is: from_env (which must exist if it is set), ../scripts/box from the program's directory (a
 * checkout), system_script. 0; -ENOENT or -ENAMETOOLONG with a sentence.
 */
FL_CHECKED int fl_cli_find_box(const struct fl_cli_box_places *places, char path[PATH_MAX], struct fl_diag *diag);

struct fl_cli_box_job {
	const char *box, *program;
	const char *kernel; /* is found there in the same way, if it can be seen */
	uint32_t cpus;	    /* that this host has */
	int argc;
	char *const *argv; /* what options were made of */
	int events_fd;	   /* where --events goes on this host, instead of the place that it names; -1: none */
	int report_fd;	   /* the same of --report */
	int control_fd;	   /* where this host listens for "faultline ps" and the rest; -1: nowhere */
};

/*
 * The command that runs these options in the box, NULL-terminated. What they name must be visible there, and what is
 * shared for writing writable. To be freed with fl_cli_box_command_free(). 0; -ENOMEM.
 */
FL_CHECKED int fl_cli_box_command(const struct fl_cli_options *options, const struct fl_cli_box_job *job,
				  char ***command, struct fl_diag *diag);

#endif
