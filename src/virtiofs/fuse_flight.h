/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse_flight: requests whose work goes on after fl_fs_handle() has returned, so that a file that does not answer holds
 * up nobody else. What may wait for a disk or a network without an end in sight is started here: data, syncs,
 * allocation, copies. Everything else is served in the order of the queue, at once.
 *
 * What is promised of the order, all of it by the order of requests and answers alone:
 * - A request that comes after an answer finds what that answer says done: by then its work was finished. So data of a
 *   WRITE that was answered is what a READ, an FSYNC, a GETATTR or a copy that comes later works on.
 * - Requests that are in flight together are done in any order, also those of one file. A guest that wants an order
 *   waits for the answer first; Linux does (writeback, inode locks).
 * - What is asked for by a handle is done with the file of that handle, even if RELEASE comes meanwhile; RELEASE,
 *   FORGET, UNLINK and truncation wait for nothing.
 * - DESTROY, a second INIT, a reset of the device and the disabling of a queue wait until nothing is in flight: after
 *   them no buffer of the guest is touched. That can last as long as the host's file system likes, and is said in the
 *   log (fl_loop_on_stall()).
 *
 * All functions on the server's thread.
 */
#ifndef FL_FUSE_FLIGHT_H
#define FL_FUSE_FLIGHT_H

#include "virtiofs/fuse_ops.h"

/* A guest cannot have more requests in one queue than that; who makes it look like more is served in line. */
#define FL_FLIGHTS_MAX 512u

/* Copying the largest WRITE takes a tenth of this; a process in the guest that waits that long for another's notices. */
#define FL_QUICK_NS UINT64_C(5000000)

struct fl_fs_work {
	struct fl_loop_io io;	  /* without fn and arg; iov may be the server's own, it is copied */
	struct fl_handle *handle; /* whose descriptors io uses: they stay open until it is done. NULL: none */
	struct fl_handle *other;
	int own_fd;	/* closed when it is done; -1: none */
	uint64_t moved; /* bytes that were moved before, to which io's are added */
	/* The reply, from the bytes moved or -errno. 0 or -errno. */
	int (*finish)(struct fl_fs_call *call, int64_t result);
};

/* May work go on after the handler has returned? */
bool fl_fs_can_fly(const struct fl_fs_call *call);
/*
 * Does the work, in flight if it can, else at once. The handler's result: FL_FS_LATER or what finish says. own_fd is
 * taken over.
 */
FL_CHECKED_RESULT int fl_fs_start(struct fl_fs_call *call, const struct fl_fs_work *work);
/* For work without data in its reply. */
FL_CHECKED_RESULT int fl_fs_finish_plain(struct fl_fs_call *call, int64_t result);

#endif
