/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_device: one virtio-fs device (virtio 1.2, 5.11): queue 0 hiprio, queue 1 requests, and the FUSE server
 * behind it, all on the device's own loop thread.
 */
#ifndef FL_FS_DEVICE_H
#define FL_FS_DEVICE_H

#include "mmu_backing/window.h"
#include "virtio/virtio_mmio.h"

struct fl_fs_device;

struct fl_fs_device_opts {
	struct fl_virtio_mmio_opts transport; /* gpa, gsi, vm_fd, map, loop, log, name, shm_* are the caller's */
	const char *tag;		      /* 1..35 bytes */
	const char *title;		      /* what messages call the share, outlives the device; NULL: its tag */
	int root_fd;			      /* the directory, O_PATH or O_RDONLY; duplicated */
	bool writable;
	bool one_mount, as_users, keeps_changes, below_overlay; /* see struct fl_fs_opts */
	uint32_t attr_timeout_ms, entry_timeout_ms;
	uint32_t shares;	  /* in this process; 0: 1 */
	struct fl_window *window; /* NULL: no DAX; outlives the device */
};

FL_CHECKED_RESULT int fl_fs_device_new(const struct fl_fs_device_opts *opts, struct fl_fs_device **dev,
				       struct fl_diag *diag);
struct fl_virtio_mmio *fl_fs_device_transport(struct fl_fs_device *dev);
void fl_fs_device_free(struct fl_fs_device *dev); /* loop stopped; NULL allowed */

struct fl_fs_stats {
	uint64_t requests, errors, setup_mappings, remove_mappings, inodes, handles;
	uint64_t proto_errors; /* what an honest guest never does */
	uint64_t lost;	       /* requests or replies whose own memory had vanished */
};
void fl_fs_device_get_stats(const struct fl_fs_device *dev, struct fl_fs_stats *stats); /* any thread */

#endif
