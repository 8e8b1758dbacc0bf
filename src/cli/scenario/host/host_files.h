/* SPDX-License-Identifier: Apache-2.0 */
/* What the host does to files in a scenario. */
#ifndef FL_SCN_HOST_FILES_H
#define FL_SCN_HOST_FILES_H

#include "cli/scenario/host/workdir.h"

struct fl_scn_host_place {
	struct fl_scn_workdir *workdir;
	const struct fl_scn_case *scenario_case;
	unsigned int number;	    /* of the case: fl_scn_workdir_begin() */
	bool (*is_over)(void *arg); /* what is started is killed; NULL: at the deadline only */
	void *arg;
};

/*
 * Does a step of enum fl_scn_host_op that is about files. *value: what the language says it returns (0; of `run` the
 * exit status, 128 and the number for a signal). 0, or -errno of what failed; -ENOSYS for steps that are not about
 * files. deadline_ns: CLOCK_MONOTONIC; what is started is killed then. Any thread.
 */
FL_CHECKED int fl_scn_host_file_step(const struct fl_scn_host_place *place, const struct fl_scn_step *step,
				     uint64_t deadline_ns, uint64_t *value);

#endif
