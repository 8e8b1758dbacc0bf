/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system whose reads fail when told, and whose server falls silent when told: FUSE over a plain directory.
 *
 * The server is a process of its own. Threads of the runner wait for it, some while they hold the address space's lock
 * (a page that is faulted in a second time, mm/filemap.c), which a server in the same address space may need; and a
 * process that is killed must not wait for the answers of its own thread.
 *
 *	failing.c		the runner's side: mounts it, and tells the server
 *	failing_server.c	the server: requests, and what it is told
 *	failing_nodes.c		what the kernel knows of the directory
 *	failing_names.c		requests about names
 *	failing_files.c		requests about open files
 */
#ifndef FL_SCN_FAILING_H
#define FL_SCN_FAILING_H

#include "faultline/faultline.h"

struct fl_scn_failing;

/* Mounts it at path, backed by the directory behind. Needs root. 0 or -errno. */
FL_CHECKED int fl_scn_failing_new(const char *behind, const char *path, struct fl_scn_failing **failing);
/*
 * Whatever state it is in; who waits for an answer gets ECONNABORTED. sync: what was stored to mappings is brought to
 * the directory behind it first. NULL is allowed.
 */
void fl_scn_failing_free(struct fl_scn_failing *failing, bool sync);

/*
 * Reading the file at path fails with EIO from now on, and nothing of it is cached any more; or it does not fail any
 * more. Waits while the server is frozen. 0 or -errno.
 */
FL_CHECKED int fl_scn_failing_reads(struct fl_scn_failing *failing, const char *path, bool fail);
/* It answers nothing: what is asked waits. Not after fl_scn_failing_end(): -ECANCELED. */
FL_CHECKED int fl_scn_failing_freeze(struct fl_scn_failing *failing);
FL_CHECKED int fl_scn_failing_thaw(struct fl_scn_failing *failing);

/* A case begins; it ends: nothing is frozen any more, and nothing fails. 0 or -errno. */
FL_CHECKED int fl_scn_failing_begin(struct fl_scn_failing *failing);
FL_CHECKED int fl_scn_failing_end(struct fl_scn_failing *failing);

#endif
