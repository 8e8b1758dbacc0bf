/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot_table: numbers that a guest holds for objects of ours: generation << 32 | slot. A slot that
 * is used again gets the next generation, so a stale number names nothing. One thread.
 */
#ifndef FL_SLOT_TABLE_H
#define FL_SLOT_TABLE_H

#include "fl_base.h"

struct fl_slot {
	void *item; /* NULL: free */
	uint32_t generation;
	uint32_t next_free; /* 0: the last one */
};

struct fl_slot_table {
	struct fl_slot *slots;
	uint32_t first;	    /* lowest slot given out, at least 1 */
	uint32_t allocated; /* entries in slots */
	uint32_t end;	    /* slots at and above were never used */
	uint32_t free_head; /* 0: none */
	uint32_t used;
	uint32_t max; /* items at one time */
};

void fl_slot_table_init(struct fl_slot_table *table, uint32_t first, uint32_t max);
void fl_slot_table_fini(struct fl_slot_table *table); /* frees the table, not the items */

bool fl_slot_table_is_full(const struct fl_slot_table *table);
/* Stores item under a new number. -ENFILE: max are there; -ENOMEM. */
FL_CHECKED_RESULT int fl_slot_add(struct fl_slot_table *table, void *item, uint64_t *number);
void *fl_slot_find(const struct fl_slot_table *table, uint64_t number); /* NULL: names nothing */
void fl_slot_remove(struct fl_slot_table *table, uint64_t number);

/* Any one item, or NULL if there are none; *cursor starts at 0 and goes on from call to call. */
void *fl_slot_next(const struct fl_slot_table *table, uint32_t *cursor);

#endif
