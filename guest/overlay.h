/* SPDX-License-Identifier: Apache-2.0 */
/* A share that the guest may write to while nothing below its directory changes. Needs to be root, as mounts.h. */
#ifndef FL_OVERLAY_H
#define FL_OVERLAY_H

#include "guest/conf_parse.h"

/* What mounts the share `tag`: mount_virtiofs() of mounts.c. */
typedef int (*fl_mount_fn)(const char *tag, const char *options, const char *at, struct fl_diag *diag);

/*
 * Mounts the share (with its options, which say "ro") with its changes on top at `at`. stage: a directory that is made
 * for it and removed again; in a file system that can be written to.
 */
FL_CHECKED_RESULT int fl_overlay_mount(const struct fl_conf_mount *share, const char *stage, const char *at,
				       fl_mount_fn mount_share, struct fl_diag *diag);

#endif
