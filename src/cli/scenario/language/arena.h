/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is given back all at once. Each piece is one of malloc()'s, so that sanitizers see where it ends. A
 * budget bounds what a small text can be made to become by its variables. PURE.
 */
#ifndef FL_SCN_ARENA_H
#define FL_SCN_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_scn_piece;

struct fl_scn_arena {
	struct fl_scn_piece *pieces;
	size_t used, budget;
	bool over;	/* something did not fit into the budget */
	bool no_memory; /* the host had none */
};

/* Zeroed, for any type. NULL: over or no_memory is set, and stays so. */
void *fl_scn_alloc(struct fl_scn_arena *arena, size_t count, size_t size);
/* NUL-terminated. */
char *fl_scn_copy(struct fl_scn_arena *arena, const char *text, size_t len);
char *fl_scn_format(struct fl_scn_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Gives all back; the arena can be used again, with no_memory and over as they were. */
void fl_scn_release(struct fl_scn_arena *arena);

#endif
