/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the box (scripts/box), word by word. What has no memory is told at the end. */
#ifndef FL_CLI_BOX_WORDS_H
#define FL_CLI_BOX_WORDS_H

#include <stddef.h>

#include "cli/options.h"

/* What the box can pass on has a number in this range; scripts take some from 10 on for themselves. */
#define FL_CLI_BOX_FD_MIN   20
#define FL_CLI_BOX_FD_LIMIT 64

struct fl_cli_box_words {
	char **word; /* NULL-terminated once there is one */
	size_t count;
	bool failed;
};

struct fl_cli_box_machine {
	const char *box; /* the script */
	uint32_t cpus;
	uint64_t memory_mib;
	const char *host_kernel; /* NULL: its default */
	bool counts_instructions;
};

void fl_cli_box_add(struct fl_cli_box_words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The first words. */
void fl_cli_box_add_machine(struct fl_cli_box_words *words, const struct fl_cli_box_machine *machine);
void fl_cli_box_add_place(struct fl_cli_box_words *words, bool writable, const char *path);
void fl_cli_box_add_output(struct fl_cli_box_words *words, int fd); /* -1: none */
/* Ends the box's own words; those of the program follow. */
void fl_cli_box_add_program(struct fl_cli_box_words *words, const char *program);
/* *command, for fl_cli_box_command_free(). 0; -ENOMEM. Nothing is left in words. */
FL_CHECKED int fl_cli_box_take(struct fl_cli_box_words *words, char ***command, struct fl_diag *diag);
void fl_cli_box_command_free(char **command); /* NULL is allowed */

#endif
