/* SPDX-License-Identifier: Apache-2.0 */
/* A program that a scenario runs on the host. */
#ifndef FL_SCN_HOST_RUN_H
#define FL_SCN_HOST_RUN_H

#include "cli/scenario/host/host_files.h"

/*
 * Runs it to its end, with its output on this program's standard error. A word
 * "DIR/..." that names a dir of the case is its path on the host. Killed, with all that it started in its process
 * group, at deadline_ns: -ETIMEDOUT. *status: its exit status, or 128 and the number of the signal that ended it. 0 or
 * -errno.
 */
FL_CHECKED int fl_scn_host_run(const struct fl_scn_host_place *place, const char *const *words, uint64_t deadline_ns,
			       uint64_t *status);

#endif
