/* SPDX-License-Identifier: Apache-2.0 */
/*
 * initramfs: the built-in one, made in memory: the agent as /init, its configuration, and the few
 * nodes it needs to speak. Format: Documentation/driver-api/early-userspace/buffer-format.rst (newc).
 */
#ifndef FL_INITRAMFS_H
#define FL_INITRAMFS_H

#include "fl_diag.h"

/* A growing byte string; error sticks, so that many appends need one check. */
struct fl_blob {
	uint8_t *bytes;
	size_t len, cap;
	int error; /* 0 or -ENOMEM */
};
void fl_blob_put(struct fl_blob *blob, const void *bytes, size_t len);
void fl_blob_put_string(struct fl_blob *blob, const char *text); /* with its NUL */
void fl_blob_fini(struct fl_blob *blob);

/* agent: the program; conf: the records of guest/agent_conf.h. Appends the archive to out. */
FL_CHECKED_RESULT int fl_initramfs_build(const void *agent, size_t agent_len, const struct fl_blob *conf,
					 struct fl_blob *out);

#endif
