/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/language/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fl_scn_piece {
	_Alignas(max_align_t) struct fl_scn_piece *next;
};

void *fl_scn_alloc(struct fl_scn_arena *arena, size_t count, size_t size)
{
	size_t len;

	if (__builtin_mul_overflow(count, size, &len) || len > arena->budget - arena->used) {
		arena->over = true;
		return NULL;
	}
	struct fl_scn_piece *piece = calloc(1, sizeof(*piece) + len);

	if (!piece) {
		arena->no_memory = true;
		return NULL;
	}
	piece->next = arena->pieces;
	arena->pieces = piece;
	arena->used += len;
	return piece + 1;
}

char *fl_scn_copy(struct fl_scn_arena *arena, const char *text, size_t len)
{
	char *copy = fl_scn_alloc(arena, len + 1, 1);

	if (copy && len)
		memcpy(copy, text, len);
	return copy;
}

char *fl_scn_format(struct fl_scn_arena *arena, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = len < 0 ? NULL : fl_scn_alloc(arena, (size_t)len + 1, 1);

	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

void fl_scn_release(struct fl_scn_arena *arena)
{
	while (arena->pieces) {
		struct fl_scn_piece *next = arena->pieces->next;

		free(arena->pieces);
		arena->pieces = next;
	}
	arena->used = 0;
}
