/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inode_table: nodeid <-> host inode.
 *
 * One key, a host inode on one mount or on several alike (fs_mounts.h), has one nodeid. Two counters that must not be
 * confused: nlookup is the guest's, what it knows and forgets, and can be any lie; refs is ours. All of nlookup
 * together holds one ref; operations in flight hold their own, so a FORGET never frees what is in use.
 *
 * An inode is held by an O_PATH descriptor, which pins it and its mount. Linux cannot be asked to
 * forget, and a guest's `find /` knows more inodes than a process may have descriptors: where the kernel lets us
 * open files by handle (CAP_DAC_READ_SEARCH), those not used for longest are closed, and opened again when needed.
 * Owned by the device's loop thread: no lock.
 */
#ifndef FL_INODE_TABLE_H
#define FL_INODE_TABLE_H

#include <sys/queue.h>

#include "mmu_backing/backing.h"
#include "virtiofs/slot_table.h"

struct fl_inode_key {
	uint64_t dev;
	uint64_t ino;
	uint64_t mnt_id;
};

/* Can files be mapped? */
enum fl_mappable { FL_MAPPABLE_UNKNOWN, FL_MAPPABLE_YES, FL_MAPPABLE_NO };

struct fl_inode {
	struct fl_inode_key key;
	uint64_t nodeid;
	uint64_t nlookup;
	uint32_t refs;
	uint32_t type;	/* S_IFMT bits; an inode never changes them */
	bool sealed;	/* root of a mount that is not shown: an empty directory */
	int fd;		/* O_PATH; -1: closed for now, see fl_inode_open() */
	bool by_handle; /* fd was opened by handle: the kernel may not know its path */
	bool in_lru;
	enum fl_mappable mappable;  /* of a regular file; see fs_mappable.h */
	struct file_handle *handle; /* NULL until it was closed for the first time */
	struct fl_inode *hash_next;
	TAILQ_ENTRY(fl_inode) lru_link;
	/* What DAX mappings are made of, opened when first needed; see op_dax.c. */
	struct fl_backing *backing_ro;
	struct fl_backing *backing_rw;
	TAILQ_ENTRY(fl_inode) backing_link;
};
TAILQ_HEAD(fl_inode_list, fl_inode);

/* What a file system keeps its files in, as far as it says how long a write to one may last. */
enum fl_storage {
	FL_STORAGE_OTHER,
	FL_STORAGE_MEMORY, /* nothing else, as tmpfs */
	FL_STORAGE_DISK,   /* behind a page cache, and of RWF_NOWAIT for writes it knows nothing: ext2, ext3, ext4 */
};

/* A mount that inodes are known on; its descriptor pins it, so that mnt_id cannot come to mean another. */
struct fl_mount {
	uint64_t mnt_id;
	uint64_t dev, flags;	   /* fs_mounts.c */
	uint64_t files_by;	   /* the mount that its files are known by; mnt_id: itself */
	int fd;			   /* of a file or directory on it, not O_PATH; -1: cannot open by handle there */
	enum fl_mappable mappable; /* all files on it; FL_MAPPABLE_NO: some may be */
	bool refuses_maps;	   /* of a file at least */
	bool refusal_told;	   /* fs_warn.c */
	enum fl_storage storage;
	struct fl_mount *next;
};

struct fl_inode_table {
	struct fl_slot_table slots;
	struct fl_inode **buckets;
	uint32_t bucket_count; /* power of two */
	struct fl_inode *root; /* nodeid FUSE_ROOT_ID; in no slot, never forgotten */
	struct fl_inode_list with_backing;
	uint32_t with_backing_count;
	struct fl_inode_list lru; /* those that can be closed, longest unused first */
	uint32_t open_count;	  /* O_PATH descriptors, without the root's */
	uint32_t open_max;
	struct fl_mount *mounts;
};

/* max: inodes known, open_max: of them held open, besides the root. root_fd (O_PATH) is taken over, also on failure. */
FL_CHECKED_RESULT int fl_inode_table_init(struct fl_inode_table *table, uint32_t max, uint32_t open_max, int root_fd,
					  const struct fl_inode_key *root_key);
void fl_inode_table_fini(struct fl_inode_table *table); /* of a zeroed or initialised one */

/* A reference of the caller's, or NULL. Its fd may be closed. */
struct fl_inode *fl_inode_get(struct fl_inode_table *table, uint64_t nodeid);
void fl_inode_put(struct fl_inode_table *table, struct fl_inode *inode); /* NULL allowed */

/*
 * The guest is told of an inode: nlookup goes up by one, for a known key in place. fd is taken over
 * in every case. *inode is valid until the guest's next FORGET. -ENFILE (too many), -ENOMEM.
 */
FL_CHECKED_RESULT int fl_inode_learn(struct fl_inode_table *table, const struct fl_inode_key *key, uint32_t type,
				     int fd, struct fl_inode **inode);

/* Is one with this key known, and held by a descriptor that came by a name? Then its number stands for nothing else. */
bool fl_inode_is_held(const struct fl_inode_table *table, const struct fl_inode_key *key);
bool fl_inode_node_is_held(const struct fl_inode_table *table, uint64_t nodeid);
/* fl_inode_learn() of such a one, which takes no descriptor. NULL: it is none. */
struct fl_inode *fl_inode_learn_held(struct fl_inode_table *table, const struct fl_inode_key *key, uint32_t type);

/* False: the guest forgets more than it knew, or what it never knew. */
bool fl_inode_forget(struct fl_inode_table *table, uint64_t nodeid, uint64_t nlookup);
void fl_inode_forget_all(struct fl_inode_table *table);

/*
 * inode_fd.c. Makes inode->fd valid for as long as the caller's reference holds. -ESTALE: the inode
 * is gone from the host. -EIO: it was closed, and may not be opened by handle any more. Never -EPERM.
 */
FL_CHECKED_RESULT int fl_inode_open(struct fl_inode_table *table, struct fl_inode *inode);
/* The inode, which is open, as it is seen by way of another mount of the same file system: O_PATH. -EXDEV: it cannot.
 */
FL_CHECKED_RESULT int fl_inode_open_on(struct fl_inode_table *table, struct fl_inode *inode, uint64_t mnt_id, int *fd);
/* A descriptor for an inode that was not open before (at learning). -ENFILE: open_max are open and none can be closed.
 */
FL_CHECKED_RESULT int fl_inode_hold(struct fl_inode_table *table, struct fl_inode *inode, int fd, bool by_handle);
void fl_inode_release_fd(struct fl_inode_table *table, struct fl_inode *inode);
/* Does fd stand for the very inode that was closed? Numbers are given out again after deletion, handles are not. */
bool fl_inode_is_same(const struct fl_inode *inode, int fd);
/*
 * Inodes of mount mnt_id are about to be learnt. fd: not O_PATH, any file or directory on it, or -1; taken over.
 * With a known mount fd is closed.
 */
FL_CHECKED_RESULT int fl_inode_table_add_mount(struct fl_inode_table *table, uint64_t mnt_id, int fd);
/* NULL: not known. */
struct fl_mount *fl_inode_table_find_mount(const struct fl_inode_table *table, uint64_t mnt_id);
enum fl_storage fl_inode_storage(const struct fl_inode_table *table, const struct fl_inode *inode);
/* All but one; 0: all. No inode of them may be known any more. */
void fl_inode_table_drop_mounts(struct fl_inode_table *table, uint64_t keep_mnt_id);

/* Gives back the inode's hold on its backings (mappings in the window keep theirs). */
void fl_inode_drop_backing(struct fl_inode_table *table, struct fl_inode *inode);

#endif
