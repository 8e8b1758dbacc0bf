/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of the dirs of scenarios: WORK/dirs/NAME-KIND-LEN for each, kept for all scenarios that say the same
 * of a dir, so that a machine that shares it can be kept too. Each case has a subdirectory of its own in every dir,
 * which no guest has seen before: what a guest's kernel remembers of earlier cases is not met again. A dir that is
 * failing has its files in WORK/dirs/NAME-KIND-LEN.behind; what is below NAME-KIND-LEN is its server's answer.
 */
#ifndef FL_SCN_WORKDIR_H
#define FL_SCN_WORKDIR_H

#include <limits.h>

#include "cli/scenario/host/failing.h"
#include "cli/scenario/language/scenario.h"

struct fl_scn_workdir;

/* parent: where WORK is made; NULL: $TMPDIR or /var/tmp. 0, or -errno with a sentence. */
FL_CHECKED int fl_scn_workdir_new(const char *parent, struct fl_scn_workdir **workdir, struct fl_diag *diag);
/* keep: all that can be looked at stays; file systems are unmounted in either case. NULL is allowed. */
void fl_scn_workdir_free(struct fl_scn_workdir *workdir, bool keep);

const char *fl_scn_workdir_path(const struct fl_scn_workdir *workdir);

/* The host directory of a dir, made (and mounted) if it is not there yet. 0, or -errno with a sentence. */
FL_CHECKED int fl_scn_workdir_dir(struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir, char path[PATH_MAX],
				  struct fl_diag *diag);

/* Its server, if it is one that fails and has been made; else NULL. */
struct fl_scn_failing *fl_scn_workdir_failing(struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir);

/* What `fill` writes, in the case's subdirectory. */
#define FL_SCN_FILLER "faultline-filler"

/*
 * Makes the case's subdirectories and files. number: counts the cases of this run from 1. A dir that is a file system
 * of its own is one case's at a time, since a case may fill, freeze or remount it: waits until others have ended
 * theirs.
 */
FL_CHECKED int fl_scn_workdir_begin(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case,
				    unsigned int number, struct fl_diag *diag);
/*
 * A file of a case, and the directories that lead to it. path: where, and for the call's own use meanwhile; its first
 * top_len bytes are there already. 0 or -errno.
 */
FL_CHECKED int fl_scn_make_file(const struct fl_scn_file *file, char *path, size_t top_len);
/* Nothing of the case's dirs is frozen or fails any more, so that all that waits for them goes on. */
void fl_scn_workdir_let_go(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case,
			   unsigned int number);
/*
 * Takes them away again, unless keep. In either case the dirs are for the next one as if new: writable, with their
 * space, answering.
 */
void fl_scn_workdir_end(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int number,
			bool keep);

/* Where a path of the case is on the host: of `rest` below dir. -ENAMETOOLONG. */
FL_CHECKED int fl_scn_workdir_file(const struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir,
				   unsigned int number, const char *rest, char path[PATH_MAX]);
/* Its name below the dir, which is the same in the guest: "c0001/log". */
FL_CHECKED int fl_scn_case_path(unsigned int number, const char *rest, char path[PATH_MAX]);

#endif
