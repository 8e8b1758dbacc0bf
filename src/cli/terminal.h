/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's own terminal, while it stands for one in the guest: raw, so that every key goes there (Ctrl-C too),
 * and as it was when the launcher ends, whatever ends it.
 *
 * A second process, which nobody waits for, holds the settings and puts them back when the launcher is gone: SIGKILL
 * and SIGSEGV leave no time for it. And it is what the keys go through, so that an escape sequence can be found:
 * Ctrl-] three times within a second asks for the end. One or two of them go to the guest when it is over.
 */
#ifndef FL_CLI_TERMINAL_H
#define FL_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "faultline/faultline.h"

#define FL_CLI_ESCAPE_BYTE  '\x1d' /* Ctrl-] */
#define FL_CLI_ESCAPE_COUNT 3
#define FL_CLI_ESCAPE_MS    1000

/* Finds the escape sequence in what is typed. Zero-filled at first. Pure. */
struct fl_cli_escape {
	unsigned int held; /* escape bytes that have been typed and not passed on */
	int64_t first_ms;  /* when the first of them was typed */
};
/*
 * Copies what is to go to the guest to out, which has room for len + FL_CLI_ESCAPE_COUNT bytes; *found: the sequence
 * was complete, and the rest of the bytes is dropped. Returns how many bytes.
 */
size_t fl_cli_escape_filter(struct fl_cli_escape *escape, const char *bytes, size_t len, int64_t now_ms, char *out,
			    bool *found);
/* What is held back for too long now, likewise. */
size_t fl_cli_escape_flush(struct fl_cli_escape *escape, int64_t now_ms, char *out);
/* Until fl_cli_escape_flush() has something to give; -1: nothing is held. */
int fl_cli_escape_timeout_ms(const struct fl_cli_escape *escape, int64_t now_ms);

struct fl_cli_terminal;

/* Are both a terminal, and this process in its foreground, so that the guest's command should have one? */
bool fl_cli_terminal_wanted(int in_fd, int out_fd);

/* Is it a terminal that another job has now? Who reads it then is stopped until it is brought to the foreground. */
bool fl_cli_terminal_is_others(int in_fd);

/*
 * Makes the terminal in_fd raw, for output as well: until it is closed, lines of the launcher's own end with "\r\n".
 * *keys: what is typed there, for the guest's standard input; the caller's to close. escape_signal: what the calling
 * process gets for the escape sequence. Before there are threads. 0, or -errno with nothing changed.
 */
FL_CHECKED int fl_cli_terminal_open(int in_fd, int escape_signal, struct fl_cli_terminal **terminal, int *keys,
				    struct fl_diag *diag);
/* A line for who has a guest's console there, where nobody may read what is typed and Ctrl-C does nothing. */
void fl_cli_terminal_say_escape(void);
/* As it was before. NULL allowed. */
void fl_cli_terminal_close(struct fl_cli_terminal *terminal);

/* How large it is now; zeros if it does not say. The kernel tells of changes by SIGWINCH. */
void fl_cli_terminal_size(int fd, uint16_t *rows, uint16_t *cols);

#endif
