/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/box_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/diag.h"

void fl_cli_box_add(struct fl_cli_box_words *words, const char *format, ...)
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

void fl_cli_box_add_machine(struct fl_cli_box_words *words, const struct fl_cli_box_machine *machine)
{
	fl_cli_box_add(words, "%s", machine->box);
	fl_cli_box_add(words, "--cpus");
	fl_cli_box_add(words, "%" PRIu32, machine->cpus);
	fl_cli_box_add(words, "--memory");
	fl_cli_box_add(words, "%" PRIu64 "M", machine->memory_mib);
	if (machine->host_kernel) {
		fl_cli_box_add(words, "--host-kernel");
		fl_cli_box_add(words, "%s", machine->host_kernel);
	}
	if (machine->counts_instructions)
		fl_cli_box_add(words, "--count-instructions");
}

void fl_cli_box_add_place(struct fl_cli_box_words *words, bool writable, const char *path)
{
	fl_cli_box_add(words, writable ? "--writable" : "--show");
	fl_cli_box_add(words, "%s", path);
}

void fl_cli_box_add_output(struct fl_cli_box_words *words, int fd)
{
	if (fd < 0)
		return;
	fl_cli_box_add(words, "--output");
	fl_cli_box_add(words, "%d", fd);
}

void fl_cli_box_add_program(struct fl_cli_box_words *words, const char *program)
{
	fl_cli_box_add(words, "--");
	fl_cli_box_add(words, "%s", program);
}

int fl_cli_box_take(struct fl_cli_box_words *words, char ***command, struct fl_diag *diag)
{
	char **word = words->word;
	bool failed = words->failed;

	*words = (struct fl_cli_box_words){0};
	if (failed) {
		fl_cli_box_command_free(word);
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	}
	*command = word;
	return 0;
}

void fl_cli_box_command_free(char **command)
{
	for (char **word = command; word && *word; word++)
		free(*word);
	free(command);
}
