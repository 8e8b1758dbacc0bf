/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/watch_table.h"

static size_t bucket_of_id(dev_t dev, ino_t ino)
{
	return (size_t)(fl_file_hash(dev, ino) >> 32) % FL_WATCH_BUCKETS;
}

static size_t bucket_of_wd(int wd)
{
	return (unsigned int)wd % FL_WATCH_BUCKETS;
}

struct fl_watched *fl_watch_table_find(const struct fl_watch_table *table, dev_t dev, ino_t ino)
{
	struct fl_watched *file = table->by_id[bucket_of_id(dev, ino)];

	while (file && (file->backing->dev != dev || file->backing->ino != ino))
		file = file->next_by_id;
	return file;
}

static struct fl_watched *first_with(struct fl_watched *file, int wd)
{
	while (file && file->wd != wd)
		file = file->next_by_wd;
	return file;
}

struct fl_watched *fl_watch_table_find_wd(const struct fl_watch_table *table, int wd)
{
	return first_with(table->by_wd[bucket_of_wd(wd)], wd);
}

struct fl_watched *fl_watch_table_next_wd(const struct fl_watched *file)
{
	return first_with(file->next_by_wd, file->wd);
}

static void link_wd(struct fl_watch_table *table, struct fl_watched *file)
{
	struct fl_watched **bucket = &table->by_wd[bucket_of_wd(file->wd)];

	file->next_by_wd = *bucket;
	*bucket = file;
}

static void unlink_wd(struct fl_watch_table *table, const struct fl_watched *file)
{
	struct fl_watched **at = &table->by_wd[bucket_of_wd(file->wd)];

	while (*at != file)
		at = &(*at)->next_by_wd;
	*at = file->next_by_wd;
}

struct fl_watched *fl_watch_table_add(struct fl_watch_table *table, struct fl_backing *backing, int wd)
{
	struct fl_watched **bucket = &table->by_id[bucket_of_id(backing->dev, backing->ino)];
	struct fl_watched *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	*file = (struct fl_watched){
		.backing = fl_backing_ref(backing), .wd = wd, .stays = backing->remote, .next_by_id = *bucket};
	*bucket = file;
	link_wd(table, file);
	table->count++;
	return file;
}

struct fl_backing *fl_watch_table_remove(struct fl_watch_table *table, struct fl_watched *file)
{
	struct fl_backing *backing = file->backing;
	struct fl_watched **at = &table->by_id[bucket_of_id(file->backing->dev, file->backing->ino)];

	while (*at != file)
		at = &(*at)->next_by_id;
	*at = file->next_by_id;
	unlink_wd(table, file);
	table->count--;
	free(file);
	return backing;
}

void fl_watch_table_set_wd(struct fl_watch_table *table, struct fl_watched *file, int wd)
{
	unlink_wd(table, file);
	file->wd = wd;
	link_wd(table, file);
}
