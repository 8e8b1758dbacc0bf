/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/handle_table.h"

void fl_handle_table_init(struct fl_handle_table *table, uint32_t max)
{
	fl_slot_table_init(&table->slots, 1, max);
	TAILQ_INIT(&table->streams);
	table->stream_count = 0;
}

void fl_handle_get(struct fl_handle *handle)
{
	if (handle)
		handle->refs++;
}

void fl_handle_put(struct fl_handle *handle)
{
	if (!handle || --handle->refs)
		return;
	fl_close(&handle->fd);
	free(handle);
}

static void drop_stream(struct fl_handle_table *table, struct fl_handle *handle)
{
	if (!handle->dir)
		return;
	TAILQ_REMOVE(&table->streams, handle, stream_link);
	table->stream_count--;
	free(handle->dir);
	handle->dir = NULL;
}

int fl_handle_use_stream(struct fl_handle_table *table, struct fl_handle *handle)
{
	if (handle->dir) {
		TAILQ_REMOVE(&table->streams, handle, stream_link);
		TAILQ_INSERT_TAIL(&table->streams, handle, stream_link);
		return 0;
	}
	if (table->stream_count >= FL_DIR_STREAMS_MAX)
		drop_stream(table, TAILQ_FIRST(&table->streams));
	handle->dir = malloc(sizeof(*handle->dir));
	if (!handle->dir)
		return -ENOMEM;
	*handle->dir = (struct fl_dir_stream){0};
	TAILQ_INSERT_TAIL(&table->streams, handle, stream_link);
	table->stream_count++;
	return 0;
}

void fl_handle_close_all(struct fl_handle_table *table)
{
	for (uint32_t i = table->slots.first; i < table->slots.end; i++) {
		struct fl_slot *slot = &table->slots.slots[i];

		if (slot->item)
			fl_handle_close(table, (uint64_t)slot->generation << 32 | i);
	}
}

void fl_handle_table_fini(struct fl_handle_table *table)
{
	fl_handle_close_all(table);
	fl_slot_table_fini(&table->slots);
}

int fl_handle_add(struct fl_handle_table *table, const struct fl_handle *handle, uint64_t *fh)
{
	FL_CLOSE int fd = handle->fd;
	struct fl_handle *fresh = malloc(sizeof(*fresh));
	int error;

	if (!fresh)
		return -ENOMEM;
	*fresh = *handle;
	fresh->refs = 1;
	error = fl_slot_add(&table->slots, fresh, fh);
	if (error) {
		free(fresh);
		return error;
	}
	fl_steal_fd(&fd);
	return 0;
}

struct fl_handle *fl_handle_find(const struct fl_handle_table *table, uint64_t fh, uint64_t nodeid,
				 enum fl_handle_kind kind)
{
	struct fl_handle *handle = fl_slot_find(&table->slots, fh);

	return handle && handle->nodeid == nodeid && handle->kind == kind ? handle : NULL;
}

void fl_handle_close(struct fl_handle_table *table, uint64_t fh)
{
	struct fl_handle *handle = fl_slot_find(&table->slots, fh);

	if (!handle)
		return;
	fl_slot_remove(&table->slots, fh);
	drop_stream(table, handle);
	fl_handle_put(handle);
}
