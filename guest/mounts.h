/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted where in the guest. Needs to be root in a mount namespace of its own (or PID 1). */
#ifndef FL_MOUNTS_H
#define FL_MOUNTS_H

#include <limits.h>

#include "guest/conf_parse.h"

struct fl_mount_options {
	unsigned long flags; /* MS_* */
	char data[256];	     /* what the file system itself gets */
};

/* "ro,dax" -> MS_RDONLY and "dax". -E2BIG. Pure. */
FL_CHECKED_RESULT int fl_mount_options_parse(const char *text, struct fl_mount_options *options);

/* devtmpfs, proc and sysfs in the initramfs. */
FL_CHECKED_RESULT int fl_mounts_early(struct fl_diag *diag);

/* Mounts the root share, moves /dev, /proc and /sys there and makes it "/". */
FL_CHECKED_RESULT int fl_mounts_enter_root(const struct fl_conf_mount *root, struct fl_diag *diag);

/* Inside the new root: fresh /tmp, /run, /dev/shm, /dev/pts; then the shares but the first. */
FL_CHECKED_RESULT int fl_mounts_fill_root(const struct fl_conf *conf, struct fl_diag *diag);

/* Unmounts the shares but the first, last one first; what is busy is detached. */
void fl_mounts_leave(const struct fl_conf *conf);

#endif
