/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/slot_table.h"

#define FL_SLOTS_FIRST_COUNT 64u

void fl_slot_table_init(struct fl_slot_table *table, uint32_t first, uint32_t max)
{
	*table = (struct fl_slot_table){.first = first, .end = first, .max = max};
}

void fl_slot_table_fini(struct fl_slot_table *table)
{
	free(table->slots);
	*table = (struct fl_slot_table){0};
}

static int grow(struct fl_slot_table *table)
{
	uint32_t count = table->allocated ? table->allocated * 2 : table->first + FL_SLOTS_FIRST_COUNT;
	struct fl_slot *slots;

	if (count <= table->allocated)
		return -ENFILE;
	slots = realloc(table->slots, count * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = table->allocated; i < count; i++)
		slots[i] = (struct fl_slot){0};
	table->slots = slots;
	table->allocated = count;
	return 0;
}

bool fl_slot_table_is_full(const struct fl_slot_table *table)
{
	return table->used >= table->max;
}

int fl_slot_add(struct fl_slot_table *table, void *item, uint64_t *number)
{
	uint32_t index = table->free_head;
	struct fl_slot *slot;

	if (fl_slot_table_is_full(table))
		return -ENFILE;
	if (!index) {
		if (table->end >= table->allocated) {
			int error = grow(table);

			if (error)
				return error;
		}
		index = table->end++;
	} else {
		table->free_head = table->slots[index].next_free;
	}
	slot = &table->slots[index];
	slot->item = item;
	slot->generation++;
	table->used++;
	*number = (uint64_t)slot->generation << 32 | index;
	return 0;
}

static struct fl_slot *slot_of(const struct fl_slot_table *table, uint64_t number)
{
	uint32_t index = (uint32_t)number;
	struct fl_slot *slot;

	if (index < table->first || index >= table->end)
		return NULL;
	slot = &table->slots[index];
	return slot->item && slot->generation == (uint32_t)(number >> 32) ? slot : NULL;
}

void *fl_slot_find(const struct fl_slot_table *table, uint64_t number)
{
	struct fl_slot *slot = slot_of(table, number);

	return slot ? slot->item : NULL;
}

void fl_slot_remove(struct fl_slot_table *table, uint64_t number)
{
	struct fl_slot *slot = slot_of(table, number);

	if (!slot)
		return;
	slot->item = NULL;
	slot->next_free = table->free_head;
	table->free_head = (uint32_t)number;
	table->used--;
}

void *fl_slot_next(const struct fl_slot_table *table, uint32_t *cursor)
{
	while (*cursor < table->end) {
		uint32_t index = (*cursor)++;

		if (index >= table->first && table->slots[index].item)
			return table->slots[index].item;
	}
	return NULL;
}
