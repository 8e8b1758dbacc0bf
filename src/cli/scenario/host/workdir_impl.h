/* SPDX-License-Identifier: Apache-2.0 */
/* What workdir.c, which makes the directories, and workdir_case.c, which gives them to cases, share. */
#ifndef FL_SCN_WORKDIR_IMPL_H
#define FL_SCN_WORKDIR_IMPL_H

#include <pthread.h>

#include "cli/scenario/host/workdir.h"

struct fl_scn_made_dir {
	struct fl_scn_made_dir *next;
	char name[64]; /* below dirs/ */
	bool mounted;
	struct fl_scn_failing *failing; /* NULL: not of that kind */
	unsigned int user;		/* number of the case that has it, if it is mounted; 0: none */
};

struct fl_scn_workdir {
	char path[PATH_MAX];
	pthread_mutex_t lock;  /* guards made, the making, and who uses what */
	pthread_cond_t unused; /* some dir has lost its user */
	struct fl_scn_made_dir *made;
};

/* What a dir is called below dirs/, and where that is. 0; -ENAMETOOLONG. */
FL_CHECKED int fl_scn_dir_name(const struct fl_scn_dir *dir, char *name, size_t size);
FL_CHECKED int fl_scn_made_dir_path(const struct fl_scn_workdir *workdir, const char *name, char path[PATH_MAX]);
/* With the lock; NULL: it was not made yet. */
struct fl_scn_made_dir *fl_scn_find_made_dir(const struct fl_scn_workdir *workdir, const char *name);
void fl_scn_remove_tree(const char *path);

#endif
