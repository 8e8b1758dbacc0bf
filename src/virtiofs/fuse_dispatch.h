/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse_dispatch: the FUSE server of one share, fed with requests from wherever they come (a
 * virtqueue, a test). One thread.
 */
#ifndef FL_FUSE_DISPATCH_H
#define FL_FUSE_DISPATCH_H

#include <stdatomic.h>
#include <sys/uio.h>

#include "fl_log.h"
#include "fl_loop.h"
#include "mmu_backing/window.h"
#include "virtiofs/fs_export.h"
#include "virtiofs/handle_table.h"

struct fl_fs;

/*
 * One request: bytes to be read, room to be written. Both are byte streams without framing. The
 * functions have the contracts of fl_chain_read(), fl_chain_write() and fl_chain_iov().
 *
 * Whoever can have several requests in flight sets the last three. keep: makes the request outlive fl_fs_handle() and
 * returns what `arg` is from now on, or NULL if there is no memory. Of each that was kept one of the others is called
 * once: done, when it has been answered with so many bytes (written as fl_fs_handle()'s result), or drop, if it is
 * served at once after all.
 */
struct fl_fuse_io {
	int64_t (*read)(void *arg, uint64_t offset, void *buf, size_t len);
	int64_t (*write)(void *arg, uint64_t offset, const void *buf, size_t len);
	int (*iov)(void *arg, bool writable, uint64_t offset, uint64_t len, struct iovec *iov, unsigned int cap,
		   unsigned int *count);
	void *(*keep)(void *arg);
	void (*done)(void *arg, int64_t written);
	void (*drop)(void *arg);
};

struct fl_fuse_request {
	const struct fl_fuse_io *io;
	void *arg;
	uint64_t readable_len;
	uint64_t writable_len;
};

struct fl_fs_opts {
	int root_fd; /* duplicated */
	bool writable;
	bool one_mount; /* others below it are shown as empty directories */
	bool as_users;	/* requests are served as the guest's users that make them; -EPERM if this thread may not */
	/*
	 * what an overlayfs keeps its changes in: whiteouts can be made, and unless as_users, an owner that the host
	 * does not let a file have is no error
	 */
	bool keeps_changes;
	/*
	 * it lies below an overlayfs, which does not enter submounts (fs/overlayfs/namei.c, ovl_dentry_weird): what
	 * else is mounted below the directory is told as if it belonged there
	 */
	bool below_overlay;
	uint32_t attr_timeout_ms, entry_timeout_ms;
	struct fl_window *window; /* NULL: no DAX */
	struct fl_loop *loop;	  /* that serves; NULL: nothing is in flight when fl_fs_handle() returns */
	const struct fl_log *log;
	const char *title;   /* what messages call the share; outlives the server */
	uint32_t inodes_max; /* known at a time; this and the next two: 0 for by the process's limit of descriptors */
	uint32_t open_max;   /* of them held open */
	uint32_t handles_max;
	uint32_t shares; /* servers in this process, which divide its descriptors among them; 0: 1 */
};

FL_CHECKED_RESULT int fl_fs_new(const struct fl_fs_opts *opts, struct fl_fs **fs, struct fl_diag *diag);
void fl_fs_free(struct fl_fs *fs); /* NULL allowed */

/*
 * Makes the calling thread fit to serve: its umask becomes 0 and its own (unshare(CLONE_FS)), since the guest has
 * applied its processes' umask already. Without it the process's umask is applied on top. -errno of unshare(2).
 */
FL_CHECKED_RESULT int fl_fs_prepare_thread(void);

/*
 * Serves one request. Returns the bytes written (0 for those that get no reply, or whose memory has vanished),
 * FL_FS_LATER if it is in flight, or -EPROTO if it has not even a whole header: the device then needs a reset.
 */
#define FL_FS_LATER (-4096) /* no errno */
int64_t fl_fs_handle(struct fl_fs *fs, const struct fl_fuse_request *request);

/* Waits for what is in flight, which is answered. */
void fl_fs_quiesce(struct fl_fs *fs);
/*
 * As if freshly made: nothing is in flight, the guest's inodes, handles and mappings are gone. DESTROY, second INIT,
 * device reset.
 */
void fl_fs_reset(struct fl_fs *fs);

/* Any thread. */
struct fl_fs_counters {
	_Atomic uint64_t requests;
	_Atomic uint64_t errors;
	_Atomic uint64_t setup_mappings;
	_Atomic uint64_t remove_mappings;
	_Atomic uint64_t proto_errors; /* what an honest guest never does */
	_Atomic uint64_t lost_replies; /* the memory of the reply's header was gone, or of the request's */
	_Atomic uint64_t inodes;
	_Atomic uint64_t handles;
};
const struct fl_fs_counters *fl_fs_counters(const struct fl_fs *fs);

#endif
