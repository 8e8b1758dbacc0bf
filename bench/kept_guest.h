/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several guests at a time of which only one runs: the others' launchers are stopped (SIGSTOP), so that a guest which
 * does not sleep when it is idle takes nothing from the one that is measured.
 */
#ifndef FL_KEPT_GUEST_H
#define FL_KEPT_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct bench;

struct kept_guest {
	pid_t pid;
	FILE *in, *out;
	char *line; /* what it said last, without the newline */
	size_t line_size;
};

/*
 * launcher run OPTION... -- guest_ops in a directory of its own; options end with NULL. Comes back when it has said its
 * first line, stopped; false, with nothing left behind, if it did not.
 */
bool kept_start(struct kept_guest *guest, const struct bench *bench, unsigned int number, const char *const *options);

/* Lets it go on, asks, takes the line that answers, stops it. False if it ended. */
bool kept_ask(struct kept_guest *guest, const char *question);

/* Lets it end. Its exit status as a shell tells it. */
int kept_end(struct kept_guest *guest);

#endif
