/* SPDX-License-Identifier: Apache-2.0 */
/* fuse_ops: what the operations (op_*.c) and the dispatcher share. Not for the rest of the tree. */
#ifndef FL_FUSE_OPS_H
#define FL_FUSE_OPS_H

#include "virtiofs/fs_user.h"
#include "virtiofs/fuse_dispatch.h"

/* SETXATTR's value of 64 KiB (XATTR_SIZE_MAX) with its name, and any other arguments. */
#define FL_FUSE_ARGS_MAX ((64u << 10) + 4096u)
/* GETXATTR's and READDIR's largest reply; READ's goes straight to the guest's memory. */
#define FL_FUSE_BODY_MAX (64u << 10)
/* One of READ and WRITE. FUSE_MAX_PAGES: 256 pages (fs/fuse/fuse_i.h FUSE_MAX_MAX_PAGES) */
#define FL_FUSE_DATA_MAX (1u << 20)
#define FL_FUSE_IOV_MAX	 1024u

/* Most that one request names: LINK's file and directory, RENAME's directories. */
#define FL_CALL_NODES_MAX 2u

/* What a guest can have used up; see fs_warn.h. */
enum fl_fs_shortage {
	FL_FS_INODES_FULL,
	FL_FS_HANDLES_FULL,
	FL_FS_NONE_TO_CLOSE,
	FL_FS_NO_DESCRIPTORS,
	FL_FS_SHORTAGES
};

struct fl_fs {
	struct fl_export fs_export;
	struct fl_handle_table handles;
	struct fl_window *window;
	struct fl_loop *loop;	/* NULL: nothing is ever in flight */
	unsigned int in_flight; /* see fuse_flight.h */
	uint64_t quick_ns;	/* a write that lasts longer was not quick, see op_data.c */
	const struct fl_log *log;
	const char *title; /* for the log */
	struct fl_log_limit log_limit, warn_limit;
	uint64_t may_tell_from_ns[FL_FS_SHORTAGES];
	uint32_t attr_timeout_ms, entry_timeout_ms;
	bool as_users;
	bool keeps_changes, below_overlay;
	struct fl_user self; /* who the VMM is */
	bool stranded;	     /* see fuse_user.h */
	bool initialized;    /* between INIT and DESTROY */
	uint64_t flags;	     /* FUSE_* of INIT, agreed on */
	uint32_t backings_max;
	struct fl_fs_counters counters;
	struct iovec iov[FL_FUSE_IOV_MAX];
	uint8_t args[FL_FUSE_ARGS_MAX] __attribute__((aligned(8)));
	uint8_t body[FL_FUSE_BODY_MAX] __attribute__((aligned(8)));
};

/* One request while it is served. */
struct fl_fs_call {
	struct fl_fs *fs;
	const struct fl_fuse_request *request;
	struct fuse_in_header header;
	struct fl_fuse_cursor args; /* without WRITE's data */
	uint64_t args_len;	    /* with it */
	uint64_t room;		    /* bytes that a reply's body may have */
	uint64_t body_len;	    /* of the reply; in fs->body, or written in place */
	bool body_in_place;
	/* With as_users: who asks, whether the thread acts as that user now, and what the request is about. */
	struct fl_user user;
	bool as_user;
	uint64_t nodes[FL_CALL_NODES_MAX];
	unsigned int node_count;
};

/* 0, -errno, or FL_FS_LATER from fl_fs_start() */
typedef int (*fl_fs_op_fn)(struct fl_fs_call *call);

/* The end of every request that has a reply: bytes written, as fl_fs_handle() returns them. */
FL_CHECKED_RESULT int64_t fl_fs_answer(struct fl_fs_call *call, int error);

/* The reply's body; what does not fit (which the dispatcher's min_out excludes for fixed sizes) is -EINVAL. */
FL_CHECKED_RESULT int fl_fs_reply(struct fl_fs_call *call, const void *body, size_t len);

/* A reference to the inode, with its descriptor; release with fl_fs_put(). -ESTALE: unknown (counted), or gone. */
FL_CHECKED_RESULT int fl_fs_get(struct fl_fs_call *call, uint64_t nodeid, struct fl_inode **inode);
void fl_fs_put(struct fl_fs *fs, struct fl_inode *inode);

/* The same for a directory in which names are looked up or changed: 0, -ESTALE, -ENOTDIR, -EPERM (sealed). */
FL_CHECKED_RESULT int fl_fs_get_dir(struct fl_fs_call *call, uint64_t nodeid, struct fl_inode **dir);

/* A file handle of the request's inode: 0 or -EBADF. */
FL_CHECKED_RESULT int fl_fs_file(struct fl_fs_call *call, uint64_t fh, struct fl_handle **handle);
/*
 * The arguments of an operation on an open file or directory and the handle that they name, which is always their first
 * field (linux/fuse.h). in: gets in_len bytes. 0, -EINVAL (there are not as many), or -EBADF.
 */
FL_CHECKED_RESULT int fl_fs_take_file(struct fl_fs_call *call, void *in, size_t in_len, struct fl_handle **handle);
FL_CHECKED_RESULT int fl_fs_take_dir(struct fl_fs_call *call, void *in, size_t in_len, struct fl_handle **handle);
FL_CHECKED_RESULT int fl_fs_add_handle(struct fl_fs *fs, const struct fl_handle *handle, uint64_t *fh);

/*
 * fuse_user.c. In a request that is served as a user: the rest of it, what the server does on its own account, is done
 * as the VMM. Nothing elsewhere.
 */
FL_CHECKED_RESULT int fl_fs_act_as_self(struct fl_fs_call *call);
/* The guest's kernel has checked that the user is of this group. */
FL_CHECKED_RESULT int fl_fs_join_group(struct fl_fs_call *call, uint32_t gid);
/*
 * The mode that something is made with. With ACLs the umask is the host's to apply, as it is where a directory has no
 * default ACL: it is the thread's until fl_fs_end_make(), which leaves errno alone. Without, the guest has applied it.
 */
mode_t fl_fs_begin_make(struct fl_fs_call *call, uint32_t mode, uint32_t mask);
void fl_fs_end_make(struct fl_fs_call *call);
/* fl_inode_open() as the VMM. */
FL_CHECKED_RESULT int fl_fs_open_inode(struct fl_fs_call *call, struct fl_inode *inode);

/* fl_inode_open_on() as the VMM. */
FL_CHECKED_RESULT int fl_fs_open_on(struct fl_fs_call *call, struct fl_inode *inode, uint64_t mnt_id, int *fd);

/* op_name.c. fd: O_PATH, taken over in every case; the guest's nlookup goes up. */
FL_CHECKED_RESULT int fl_fs_make_entry(struct fl_fs *fs, const struct fl_inode *parent, int fd,
				       struct fuse_entry_out *entry);
/* With what fl_export_stat() says of fd. */
FL_CHECKED_RESULT int fl_fs_make_entry_stat(struct fl_fs *fs, const struct fl_inode *parent, int fd,
					    const struct statx *stx, struct fuse_entry_out *entry);
/* Of a name, without a descriptor. False: only those know (fl_export_learn_again()). */
bool fl_fs_make_entry_again(struct fl_fs *fs, const struct fl_inode *parent, const char *name,
			    struct fuse_entry_out *entry);
FL_CHECKED_RESULT int fl_fs_lookup(struct fl_fs *fs, const struct fl_inode *parent, const char *name,
				   struct fuse_entry_out *entry);
/* op_attr.c */
/*
 * What the guest is told of the inode, stx. Before it knows how long a file is, what it has mapped of it is in step
 * with that: where it finds the file to go on, no substitute of before stands any more.
 */
void fl_fs_attr(struct fl_fs *fs, struct fl_inode *inode, const struct statx *stx, bool submount,
		struct fuse_attr *attr);
/* Does the guest map it instead of sending READs and WRITEs? */
bool fl_fs_is_dax(struct fl_fs *fs, struct fl_inode *inode);
void fl_fs_timeout(uint32_t timeout_ms, uint64_t *seconds, uint32_t *nanoseconds);

int fl_op_init(struct fl_fs_call *call);
int fl_op_destroy(struct fl_fs_call *call);
int fl_op_lookup(struct fl_fs_call *call);
int fl_op_forget(struct fl_fs_call *call);
int fl_op_batch_forget(struct fl_fs_call *call);
int fl_op_readlink(struct fl_fs_call *call);
int fl_op_symlink(struct fl_fs_call *call);
int fl_op_mknod(struct fl_fs_call *call);
int fl_op_mkdir(struct fl_fs_call *call);
int fl_op_unlink(struct fl_fs_call *call);
int fl_op_rmdir(struct fl_fs_call *call);
int fl_op_rename(struct fl_fs_call *call);
int fl_op_rename2(struct fl_fs_call *call);
int fl_op_link(struct fl_fs_call *call);
int fl_op_getattr(struct fl_fs_call *call);
int fl_op_setattr(struct fl_fs_call *call);
int fl_op_statx(struct fl_fs_call *call);
int fl_op_statfs(struct fl_fs_call *call);
int fl_op_access(struct fl_fs_call *call);
int fl_op_open(struct fl_fs_call *call);
int fl_op_create(struct fl_fs_call *call);
int fl_op_tmpfile(struct fl_fs_call *call);
int fl_op_release(struct fl_fs_call *call);
int fl_op_flush(struct fl_fs_call *call);
int fl_op_fsync(struct fl_fs_call *call);
int fl_op_syncfs(struct fl_fs_call *call);
int fl_op_fallocate(struct fl_fs_call *call);
int fl_op_lseek(struct fl_fs_call *call);
int fl_op_copy_file_range(struct fl_fs_call *call);
int fl_op_ioctl(struct fl_fs_call *call);
int fl_op_read(struct fl_fs_call *call);
int fl_op_write(struct fl_fs_call *call);
int fl_op_opendir(struct fl_fs_call *call);
int fl_op_readdir(struct fl_fs_call *call);
int fl_op_readdirplus(struct fl_fs_call *call);
int fl_op_releasedir(struct fl_fs_call *call);
int fl_op_fsyncdir(struct fl_fs_call *call);
int fl_op_getxattr(struct fl_fs_call *call);
int fl_op_setxattr(struct fl_fs_call *call);
int fl_op_listxattr(struct fl_fs_call *call);
int fl_op_removexattr(struct fl_fs_call *call);
int fl_op_setupmapping(struct fl_fs_call *call);
int fl_op_removemapping(struct fl_fs_call *call);

#endif
