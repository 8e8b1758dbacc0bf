/* SPDX-License-Identifier: Apache-2.0 */
/* What a case has of the work directory: its files, and dirs that nobody else uses meanwhile. */
#include "cli/scenario/host/workdir_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/diag.h"

static int make_case_dirs(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int number,
			  struct fl_diag *diag)
{
	char path[PATH_MAX];

	for (uint32_t i = 0; i < scenario_case->dirs_count; i++)
		if (fl_scn_workdir_file(workdir, &scenario_case->dirs[i], number, "", path) < 0 ||
		    mkdir(path, 0777) < 0)
			return fl_cli_diag(diag, -errno, "%s cannot be made: %s.", path, strerror(errno));
	return 0;
}

static int make_files(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int number,
		      struct fl_diag *diag)
{
	char path[PATH_MAX];

	for (uint32_t i = 0; i < scenario_case->files_count; i++) {
		const struct fl_scn_file *file = &scenario_case->files[i];
		const struct fl_scn_dir *dir = &scenario_case->dirs[file->dir];

		if (fl_scn_workdir_file(workdir, dir, number, "", path) < 0)
			return fl_cli_diag(diag, -ENAMETOOLONG, "%s/%s: choose a shorter name.", dir->name, file->path);
		size_t top_len = strlen(path) + 1;

		if (fl_scn_workdir_file(workdir, dir, number, file->path, path) < 0)
			return fl_cli_diag(diag, -ENAMETOOLONG, "%s/%s: choose a shorter name.", dir->name, file->path);
		int ret = fl_scn_make_file(file, path, top_len);

		if (ret < 0)
			return fl_cli_diag(diag, ret, "file %s/%s of line %u cannot be made: %s.", dir->name,
					   file->path, file->pos.line, strerror(-ret));
	}
	return 0;
}

/* ---- whose a dir is ---------------------------------------------------------------------- */

/* The dir, if it is a file system and `user` has it. With the lock. */
static struct fl_scn_made_dir *find_used(const struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir,
					 unsigned int user)
{
	char name[sizeof(((struct fl_scn_made_dir *)0)->name)];
	struct fl_scn_made_dir *made =
		fl_scn_dir_name(dir, name, sizeof(name)) < 0 ? NULL : fl_scn_find_made_dir(workdir, name);

	return made && made->mounted && made->user == user ? made : NULL;
}

static struct fl_scn_made_dir *find_own(struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir,
					unsigned int number)
{
	pthread_mutex_lock(&workdir->lock);
	struct fl_scn_made_dir *made = find_used(workdir, dir, number);

	pthread_mutex_unlock(&workdir->lock);
	return made;
}

static bool can_be_taken(const struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case)
{
	for (uint32_t i = 0; i < scenario_case->dirs_count; i++)
		if (scenario_case->dirs[i].kind != FL_SCN_DIR_PLAIN && !find_used(workdir, &scenario_case->dirs[i], 0))
			return false;
	return true;
}

static void set_user(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int from,
		     unsigned int to)
{
	for (uint32_t i = 0; i < scenario_case->dirs_count; i++) {
		struct fl_scn_made_dir *made = find_used(workdir, &scenario_case->dirs[i], from);

		if (made)
			made->user = to;
	}
}

/* All at once: nobody has one and waits for another. */
static int take_dirs(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int number,
		     struct fl_diag *diag)
{
	pthread_mutex_lock(&workdir->lock);
	while (!can_be_taken(workdir, scenario_case))
		pthread_cond_wait(&workdir->unused, &workdir->lock);
	set_user(workdir, scenario_case, 0, number);
	pthread_mutex_unlock(&workdir->lock);
	for (uint32_t i = 0; i < scenario_case->dirs_count; i++) {
		const struct fl_scn_dir *dir = &scenario_case->dirs[i];
		struct fl_scn_failing *failing = fl_scn_workdir_failing(workdir, dir);

		if (failing && fl_scn_failing_begin(failing) < 0)
			return fl_cli_diag(diag, -EIO, "dir %s: the server of its file system is gone.", dir->name);
	}
	return 0;
}

struct fl_scn_failing *fl_scn_workdir_failing(struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir)
{
	char name[sizeof(((struct fl_scn_made_dir *)0)->name)];

	if (fl_scn_dir_name(dir, name, sizeof(name)) < 0)
		return NULL;
	pthread_mutex_lock(&workdir->lock);
	struct fl_scn_made_dir *made = fl_scn_find_made_dir(workdir, name);

	pthread_mutex_unlock(&workdir->lock);
	return made ? made->failing : NULL;
}

int fl_scn_workdir_begin(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int number,
			 struct fl_diag *diag)
{
	char path[PATH_MAX];
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < scenario_case->dirs_count; i++)
		ret = fl_scn_workdir_dir(workdir, &scenario_case->dirs[i], path, diag);
	if (ret == 0)
		ret = take_dirs(workdir, scenario_case, number, diag);
	if (ret == 0)
		ret = make_case_dirs(workdir, scenario_case, number, diag);
	return ret < 0 ? ret : make_files(workdir, scenario_case, number, diag);
}

void fl_scn_workdir_let_go(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int number)
{
	for (uint32_t i = 0; i < scenario_case->dirs_count; i++) {
		const struct fl_scn_made_dir *made = find_own(workdir, &scenario_case->dirs[i], number);

		/* a server that does not answer fails what comes next, too */
		if (made && made->failing)
			(void)!fl_scn_failing_end(made->failing);
	}
}

static void make_writable(const struct fl_scn_workdir *workdir, const struct fl_scn_made_dir *made)
{
	struct statvfs status;
	char path[PATH_MAX];

	if (fl_scn_made_dir_path(workdir, made->name, path) == 0 && statvfs(path, &status) == 0 &&
	    (status.f_flag & ST_RDONLY))
		(void)mount(NULL, path, NULL, MS_REMOUNT, NULL);
}

void fl_scn_workdir_end(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int number,
			bool keep)
{
	char path[PATH_MAX];

	fl_scn_workdir_let_go(workdir, scenario_case, number);
	for (uint32_t i = 0; i < scenario_case->dirs_count; i++) {
		const struct fl_scn_dir *dir = &scenario_case->dirs[i];
		const struct fl_scn_made_dir *made = find_own(workdir, dir, number);

		if (made)
			make_writable(workdir, made);
		if (fl_scn_workdir_file(workdir, dir, number, FL_SCN_FILLER, path) == 0)
			(void)unlink(path);
		if (!keep && fl_scn_workdir_file(workdir, dir, number, "", path) == 0)
			fl_scn_remove_tree(path);
	}
	pthread_mutex_lock(&workdir->lock);
	set_user(workdir, scenario_case, number, 0);
	pthread_cond_broadcast(&workdir->unused);
	pthread_mutex_unlock(&workdir->lock);
}
