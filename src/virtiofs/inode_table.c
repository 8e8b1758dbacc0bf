/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/inode_table.h"

#include <linux/fuse.h>
#include <sys/stat.h>

#define FL_INODE_BUCKETS_FIRST 256u

/* Slots begin above FUSE_ROOT_ID, so that no generation can make a nodeid of 0 or 1. */
#define FL_INODE_SLOT_FIRST 2u

static uint32_t bucket_of(const struct fl_inode_table *table, const struct fl_inode_key *key)
{
	uint64_t hash = (key->ino ^ key->dev << 40 ^ key->mnt_id << 52) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(hash >> 32) & (table->bucket_count - 1);
}

static bool same_key(const struct fl_inode_key *a, const struct fl_inode_key *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->mnt_id == b->mnt_id;
}

static struct fl_inode *find_key(const struct fl_inode_table *table, const struct fl_inode_key *key)
{
	struct fl_inode *inode = table->buckets[bucket_of(table, key)];

	while (inode && !same_key(&inode->key, key))
		inode = inode->hash_next;
	return inode;
}

static void hash_insert(struct fl_inode_table *table, struct fl_inode *inode)
{
	struct fl_inode **bucket = &table->buckets[bucket_of(table, &inode->key)];

	inode->hash_next = *bucket;
	*bucket = inode;
}

static void hash_remove(struct fl_inode_table *table, struct fl_inode *inode)
{
	struct fl_inode **link = &table->buckets[bucket_of(table, &inode->key)];

	while (*link && *link != inode)
		link = &(*link)->hash_next;
	if (*link)
		*link = inode->hash_next;
}

/* Longer chains are the worst that happens if there is no memory for more buckets. */
static void rehash_if_full(struct fl_inode_table *table)
{
	struct fl_inode **old = table->buckets;
	uint32_t old_count = table->bucket_count;
	struct fl_inode **buckets;

	if (table->slots.used < old_count || old_count > UINT32_MAX / 4)
		return;
	buckets = calloc((size_t)old_count * 2, sizeof(struct fl_inode *));
	if (!buckets)
		return;
	table->buckets = buckets;
	table->bucket_count = old_count * 2;
	for (uint32_t i = 0; i < old_count; i++) {
		struct fl_inode *next;

		for (struct fl_inode *inode = old[i]; inode; inode = next) {
			next = inode->hash_next;
			hash_insert(table, inode);
		}
	}
	free(old);
}

static struct fl_inode *inode_new(const struct fl_inode_key *key, uint32_t type)
{
	struct fl_inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->key = *key;
	inode->type = type;
	inode->fd = -1;
	inode->nlookup = 1;
	inode->refs = 1;
	return inode;
}

static void inode_free(struct fl_inode_table *table, struct fl_inode *inode)
{
	fl_inode_drop_backing(table, inode);
	fl_inode_release_fd(table, inode);
	free(inode->handle);
	free(inode);
}

int fl_inode_table_init(struct fl_inode_table *table, uint32_t max, uint32_t open_max, int root_fd,
			const struct fl_inode_key *root_key)
{
	FL_CLOSE int fd = root_fd;

	*table = (struct fl_inode_table){.bucket_count = FL_INODE_BUCKETS_FIRST, .open_max = open_max};
	TAILQ_INIT(&table->with_backing);
	TAILQ_INIT(&table->lru);
	fl_slot_table_init(&table->slots, FL_INODE_SLOT_FIRST, max);
	table->buckets = calloc(table->bucket_count, sizeof(struct fl_inode *));
	table->root = inode_new(root_key, S_IFDIR);
	if (!table->buckets || !table->root) {
		free(table->buckets);
		free(table->root);
		*table = (struct fl_inode_table){0};
		return -ENOMEM;
	}
	table->root->fd = fl_steal_fd(&fd);
	table->root->nodeid = FUSE_ROOT_ID;
	hash_insert(table, table->root);
	return 0;
}

void fl_inode_table_fini(struct fl_inode_table *table)
{
	if (!table->root)
		return;
	fl_inode_forget_all(table);
	fl_inode_table_drop_mounts(table, 0);
	fl_close(&table->root->fd);
	free(table->root);
	free(table->buckets);
	fl_slot_table_fini(&table->slots);
	*table = (struct fl_inode_table){0};
}

struct fl_inode *fl_inode_get(struct fl_inode_table *table, uint64_t nodeid)
{
	struct fl_inode *inode = nodeid == FUSE_ROOT_ID ? table->root : fl_slot_find(&table->slots, nodeid);

	if (inode)
		inode->refs++;
	return inode;
}

void fl_inode_put(struct fl_inode_table *table, struct fl_inode *inode)
{
	if (inode && --inode->refs == 0)
		inode_free(table, inode);
}

/* Another name of a known inode; or a new file with an old one's number, which ends the old one. */
static bool is_still_known(struct fl_inode_table *table, struct fl_inode *known, int fd)
{
	if (known->fd >= 0 || fl_inode_is_same(known, fd))
		return true;
	hash_remove(table, known);
	return false;
}

static int relearn(struct fl_inode_table *table, struct fl_inode *known, int fd)
{
	FL_CLOSE int own_fd = fd;
	int error = 0;

	/* a descriptor that came by a name knows its path, which fault reports tell */
	if (known->by_handle && known->refs == 1)
		fl_inode_release_fd(table, known);
	if (known->fd < 0)
		error = fl_inode_hold(table, known, fl_steal_fd(&own_fd), false);
	if (!error && known->nlookup < UINT64_MAX)
		known->nlookup++;
	return error;
}

int fl_inode_learn(struct fl_inode_table *table, const struct fl_inode_key *key, uint32_t type, int fd,
		   struct fl_inode **inode)
{
	FL_CLOSE int own_fd = fd;
	struct fl_inode *known = find_key(table, key);
	struct fl_inode *fresh;
	int error;

	if (known && is_still_known(table, known, own_fd)) {
		*inode = known;
		return relearn(table, known, fl_steal_fd(&own_fd));
	}
	fresh = inode_new(key, type);
	if (!fresh)
		return -ENOMEM;
	error = fl_inode_hold(table, fresh, fl_steal_fd(&own_fd), false);
	if (!error)
		error = fl_slot_add(&table->slots, fresh, &fresh->nodeid);
	if (error) {
		inode_free(table, fresh);
		return error;
	}
	rehash_if_full(table);
	hash_insert(table, fresh);
	*inode = fresh;
	return 0;
}

static bool is_held(const struct fl_inode *inode)
{
	return inode && inode->fd >= 0 && !inode->by_handle && !inode->sealed;
}

bool fl_inode_is_held(const struct fl_inode_table *table, const struct fl_inode_key *key)
{
	return is_held(find_key(table, key));
}

bool fl_inode_node_is_held(const struct fl_inode_table *table, uint64_t nodeid)
{
	return is_held(fl_slot_find(&table->slots, nodeid));
}

struct fl_inode *fl_inode_learn_held(struct fl_inode_table *table, const struct fl_inode_key *key, uint32_t type)
{
	struct fl_inode *known = find_key(table, key);

	if (!is_held(known) || known->type != type)
		return NULL;
	if (known->nlookup < UINT64_MAX)
		known->nlookup++;
	return known;
}

/* The guest knows the inode no more: number and key are free at once, the rest when the last ref goes. */
static void unhash(struct fl_inode_table *table, struct fl_inode *inode)
{
	hash_remove(table, inode);
	fl_slot_remove(&table->slots, inode->nodeid);
	inode->nlookup = 0;
	fl_inode_put(table, inode);
}

bool fl_inode_forget(struct fl_inode_table *table, uint64_t nodeid, uint64_t nlookup)
{
	struct fl_inode *inode;
	bool honest;

	if (nodeid == FUSE_ROOT_ID)
		return true;
	inode = fl_slot_find(&table->slots, nodeid);
	if (!inode)
		return false;
	honest = nlookup <= inode->nlookup;
	inode->nlookup -= honest ? nlookup : inode->nlookup;
	if (!inode->nlookup)
		unhash(table, inode);
	return honest;
}

void fl_inode_forget_all(struct fl_inode_table *table)
{
	struct fl_inode *inode;
	uint32_t cursor = 0;

	while ((inode = fl_slot_next(&table->slots, &cursor)))
		unhash(table, inode);
	fl_inode_drop_backing(table, table->root);
	fl_inode_table_drop_mounts(table, table->root->key.mnt_id);
}

void fl_inode_drop_backing(struct fl_inode_table *table, struct fl_inode *inode)
{
	if (!inode->backing_ro && !inode->backing_rw)
		return;
	TAILQ_REMOVE(&table->with_backing, inode, backing_link);
	table->with_backing_count--;
	fl_backing_unref(inode->backing_ro);
	fl_backing_unref(inode->backing_rw);
	inode->backing_ro = NULL;
	inode->backing_rw = NULL;
}
