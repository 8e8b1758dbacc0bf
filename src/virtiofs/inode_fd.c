/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors behind inodes: held, closed when there are too many, opened again by handle. */
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "virtiofs/inode_table.h"

/* -EOPNOTSUPP: the file system has no handles. */
static int make_handle(int fd, struct file_handle **handle)
{
	struct file_handle *fresh = calloc(1, sizeof(*fresh) + MAX_HANDLE_SZ);
	int mount_id; /* not the one of statx */

	if (!fresh)
		return -ENOMEM;
	fresh->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, "", fresh, &mount_id, AT_EMPTY_PATH)) {
		int error = -errno;

		free(fresh);
		return error;
	}
	/* most are 8 to 40 bytes; if there is no memory for less, more will do */
	*handle = realloc(fresh, sizeof(*fresh) + fresh->handle_bytes);
	if (!*handle)
		*handle = fresh;
	return 0;
}

struct fl_mount *fl_inode_table_find_mount(const struct fl_inode_table *table, uint64_t mnt_id)
{
	struct fl_mount *mount = table->mounts;

	while (mount && mount->mnt_id != mnt_id)
		mount = mount->next;
	return mount;
}

static bool can_reopen(const struct fl_inode_table *table, const struct fl_inode *inode)
{
	const struct fl_mount *mount = fl_inode_table_find_mount(table, inode->key.mnt_id);

	return mount && mount->fd >= 0;
}

static void forget_fd(struct fl_inode_table *table, struct fl_inode *inode)
{
	if (inode->in_lru)
		TAILQ_REMOVE(&table->lru, inode, lru_link);
	inode->in_lru = false;
	inode->by_handle = false;
	table->open_count--;
}

void fl_inode_release_fd(struct fl_inode_table *table, struct fl_inode *inode)
{
	if (inode->fd < 0)
		return;
	forget_fd(table, inode);
	fl_close(&inode->fd);
}

/*
 * Closes one that nobody uses. What turns out to have no handle stays open for good. All are looked at, since the
 * first may all be mapped; those are put at the end of the list, so that this happens once for each time that so many
 * others were closed.
 */
static bool close_one(struct fl_inode_table *table)
{
	struct fl_inode *inode;

	for (uint32_t tries = table->open_count; tries && (inode = TAILQ_FIRST(&table->lru)); tries--) {
		/* in use; or mapped, and then its path is wanted for reports */
		if (inode->refs > 1 || inode->backing_ro || inode->backing_rw) {
			TAILQ_REMOVE(&table->lru, inode, lru_link);
			TAILQ_INSERT_TAIL(&table->lru, inode, lru_link);
			continue;
		}
		if (!inode->handle && make_handle(inode->fd, &inode->handle)) {
			TAILQ_REMOVE(&table->lru, inode, lru_link);
			inode->in_lru = false;
			continue;
		}
		fl_inode_release_fd(table, inode);
		return true;
	}
	return false;
}

int fl_inode_hold(struct fl_inode_table *table, struct fl_inode *inode, int fd, bool by_handle)
{
	FL_CLOSE int own_fd = fd;

	if (table->open_count >= table->open_max && !close_one(table))
		return -ENFILE;
	table->open_count++;
	inode->fd = fl_steal_fd(&own_fd);
	inode->by_handle = by_handle;
	if (can_reopen(table, inode)) {
		TAILQ_INSERT_TAIL(&table->lru, inode, lru_link);
		inode->in_lru = true;
	}
	return 0;
}

int fl_inode_open(struct fl_inode_table *table, struct fl_inode *inode)
{
	const struct fl_mount *mount;
	int fd;

	if (inode->fd >= 0) {
		if (inode->in_lru) {
			TAILQ_REMOVE(&table->lru, inode, lru_link);
			TAILQ_INSERT_TAIL(&table->lru, inode, lru_link);
		}
		return 0;
	}
	mount = fl_inode_table_find_mount(table, inode->key.mnt_id);
	if (!mount || !inode->handle)
		return -ESTALE;
	fd = open_by_handle_at(mount->fd, inode->handle, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	/* EPERM: this process has given up CAP_DAC_READ_SEARCH, which says nothing about the file */
	if (fd < 0)
		return errno == EPERM ? -EIO : -errno;
	return fl_inode_hold(table, inode, fd, true);
}

int fl_inode_open_on(struct fl_inode_table *table, struct fl_inode *inode, uint64_t mnt_id, int *fd)
{
	const struct fl_mount *mount = fl_inode_table_find_mount(table, mnt_id);

	if (!mount || mount->fd < 0 || (!inode->handle && make_handle(inode->fd, &inode->handle)))
		return -EXDEV;
	*fd = open_by_handle_at(mount->fd, inode->handle, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return *fd < 0 ? -EXDEV : 0;
}

bool fl_inode_is_same(const struct fl_inode *inode, int fd)
{
	struct file_handle *handle;
	bool same;

	if (!inode->handle || make_handle(fd, &handle))
		return false;
	same = handle->handle_type == inode->handle->handle_type &&
	       handle->handle_bytes == inode->handle->handle_bytes &&
	       !memcmp(handle->f_handle, inode->handle->f_handle, handle->handle_bytes);
	free(handle);
	return same;
}

/* Are handles of this mount accepted from us? Needs CAP_DAC_READ_SEARCH, and a file system that has them. */
static bool opens_by_handle(int mount_fd)
{
	struct file_handle *handle;
	int fd;

	if (mount_fd < 0 || make_handle(mount_fd, &handle))
		return false;
	fd = open_by_handle_at(mount_fd, handle, O_PATH | O_CLOEXEC);
	free(handle);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

enum fl_storage fl_inode_storage(const struct fl_inode_table *table, const struct fl_inode *inode)
{
	const struct fl_mount *mount = fl_inode_table_find_mount(table, inode->key.mnt_id);

	return mount ? mount->storage : FL_STORAGE_OTHER;
}

static enum fl_storage storage_of(int fd)
{
	struct statfs sfs;

	if (fd < 0 || fstatfs(fd, &sfs))
		return FL_STORAGE_OTHER;
	switch ((uint64_t)sfs.f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return FL_STORAGE_MEMORY;
	case EXT4_SUPER_MAGIC:
		return FL_STORAGE_DISK;
	default:
		return FL_STORAGE_OTHER;
	}
}

int fl_inode_table_add_mount(struct fl_inode_table *table, uint64_t mnt_id, int fd)
{
	FL_CLOSE int own_fd = fd;
	struct fl_mount *mount;

	if (fl_inode_table_find_mount(table, mnt_id))
		return 0;
	mount = malloc(sizeof(*mount));
	if (!mount)
		return -ENOMEM;
	*mount = (struct fl_mount){.mnt_id = mnt_id,
				   .files_by = mnt_id,
				   .fd = -1,
				   .storage = storage_of(own_fd),
				   .next = table->mounts};
	if (opens_by_handle(own_fd))
		mount->fd = fl_steal_fd(&own_fd);
	table->mounts = mount;
	return 0;
}

void fl_inode_table_drop_mounts(struct fl_inode_table *table, uint64_t keep_mnt_id)
{
	struct fl_mount **link = &table->mounts;

	while (*link) {
		struct fl_mount *mount = *link;

		if (mount->mnt_id == keep_mnt_id) {
			link = &mount->next;
			continue;
		}
		*link = mount->next;
		fl_close(&mount->fd);
		free(mount);
	}
}
