/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/workdir_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/diag.h"

#define OPEN_DIRS_MAX 16

static const char *parent_of(const char *parent)
{
	const char *from_env = getenv("TMPDIR");

	if (parent)
		return parent;
	if (from_env && from_env[0])
		return from_env;
	/* /tmp is often memory, and what is tested is the way of pages from a disk */
	return access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
}

int fl_scn_workdir_new(const char *parent, struct fl_scn_workdir **workdir, struct fl_diag *diag)
{
	struct fl_scn_workdir *made = calloc(1, sizeof(*made));
	char dirs[PATH_MAX + 8];

	if (!made)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	int len = snprintf(made->path, sizeof(made->path), "%s/faultline-scenario.XXXXXX", parent_of(parent));

	if (len < 0 || (size_t)len >= sizeof(made->path) - 256 || !mkdtemp(made->path)) {
		int error = len < 0 || (size_t)len >= sizeof(made->path) - 256 ? ENAMETOOLONG : errno;

		free(made);
		return fl_cli_diag(diag, -error,
				   "No directory for the scenarios' files can be made in %s: %s; set "
				   "TMPDIR to one that can be written to.",
				   parent_of(parent), strerror(error));
	}
	snprintf(dirs, sizeof(dirs), "%s/dirs", made->path);
	if (mkdir(dirs, 0700) < 0) {
		int error = errno;

		rmdir(made->path);
		free(made);
		return fl_cli_diag(diag, -error, "%s cannot be made: %s.", dirs, strerror(error));
	}
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->unused, NULL);
	*workdir = made;
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	(void)remove(path); /* what cannot be removed is left: there is nobody whom that would help */
	return 0;
}

/* Not into other file systems: what is mounted there is none of ours. */
void fl_scn_remove_tree(const char *path)
{
	(void)nftw(path, remove_one, OPEN_DIRS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

int fl_scn_dir_name(const struct fl_scn_dir *dir, char *name, size_t size)
{
	static const char *const kinds[] = {"plain", "tmpfs", "failing"};
	memset(name, 0, size);
	int len = snprintf(name, size, "%s-%s-%llu", dir->name, kinds[dir->kind], (unsigned long long)dir->len);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

int fl_scn_made_dir_path(const struct fl_scn_workdir *workdir, const char *name, char path[PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "%s/dirs/%s", workdir->path, name);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static void unmount(const struct fl_scn_made_dir *made, const char *path, bool keep)
{
	if (made->failing)
		fl_scn_failing_free(made->failing, keep);
	else if (made->mounted)
		(void)umount2(path, MNT_DETACH);
}

void fl_scn_workdir_free(struct fl_scn_workdir *workdir, bool keep)
{
	char path[PATH_MAX];

	if (!workdir)
		return;
	while (workdir->made) {
		struct fl_scn_made_dir *made = workdir->made;

		workdir->made = made->next;
		if (fl_scn_made_dir_path(workdir, made->name, path) == 0)
			unmount(made, path, keep);
		free(made);
	}
	if (!keep)
		fl_scn_remove_tree(workdir->path);
	pthread_cond_destroy(&workdir->unused);
	pthread_mutex_destroy(&workdir->lock);
	free(workdir);
}

const char *fl_scn_workdir_path(const struct fl_scn_workdir *workdir)
{
	return workdir->path;
}

static int mount_tmpfs(const struct fl_scn_dir *dir, const char *path, struct fl_diag *diag)
{
	char options[48];

	snprintf(options, sizeof(options), "size=%llu,mode=0700", (unsigned long long)dir->len);
	if (mount("faultline-scenario", path, "tmpfs", 0, options) == 0)
		return 0;
	return fl_cli_diag(diag, -errno, "dir %s: a tmpfs cannot be mounted: %s; run it as root, or with --host=box.",
			   dir->name, strerror(errno));
}

static int mount_failing(const struct fl_scn_dir *dir, const char *path, struct fl_scn_failing **failing,
			 struct fl_diag *diag)
{
	char behind[PATH_MAX];
	int len = snprintf(behind, sizeof(behind), "%s.behind", path);

	if (len < 0 || (size_t)len >= sizeof(behind))
		return fl_cli_diag(diag, -ENAMETOOLONG, "dir %s: choose a shorter name.", dir->name);
	if (mkdir(behind, 0700) < 0 && errno != EEXIST)
		return fl_cli_diag(diag, -errno, "%s cannot be made: %s.", behind, strerror(errno));
	int ret = fl_scn_failing_new(behind, path, failing);

	if (ret == -EACCES) /* to open /dev/fuse */
		ret = -EPERM;
	if (ret < 0)
		(void)rmdir(behind);
	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		return fl_cli_diag(diag, ret,
				   "dir %s: this host has no /dev/fuse: load the kernel's module (modprobe fuse), or "
				   "run it with --host=box.",
				   dir->name);
	if (ret < 0)
		return fl_cli_diag(diag, ret,
				   "dir %s: a file system that fails (FUSE) cannot be mounted: %s; run it as root, or "
				   "with --host=box.",
				   dir->name, strerror(-ret));
	return 0;
}

static int mount_dir(struct fl_scn_made_dir *made, const struct fl_scn_dir *dir, const char *path, struct fl_diag *diag)
{
	switch (dir->kind) {
	case FL_SCN_DIR_TMPFS:
		return mount_tmpfs(dir, path, diag);
	case FL_SCN_DIR_FAILING:
		return mount_failing(dir, path, &made->failing, diag);
	default:
		return 0;
	}
}

struct fl_scn_made_dir *fl_scn_find_made_dir(const struct fl_scn_workdir *workdir, const char *name)
{
	struct fl_scn_made_dir *made = workdir->made;

	while (made && strcmp(made->name, name) != 0)
		made = made->next;
	return made;
}

static int make_dir(struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir, const char *name, const char *path,
		    struct fl_diag *diag)
{
	struct fl_scn_made_dir *made = calloc(1, sizeof(*made));

	if (!made)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	memcpy(made->name, name, sizeof(made->name));
	int ret =
		mkdir(path, 0700) < 0 ? fl_cli_diag(diag, -errno, "%s cannot be made: %s.", path, strerror(errno)) : 0;

	if (ret == 0)
		ret = mount_dir(made, dir, path, diag);
	if (ret < 0) {
		(void)rmdir(path);
		free(made);
		return ret;
	}
	made->mounted = dir->kind != FL_SCN_DIR_PLAIN;
	made->next = workdir->made;
	workdir->made = made;
	return 0;
}

int fl_scn_workdir_dir(struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir, char path[PATH_MAX],
		       struct fl_diag *diag)
{
	char name[sizeof(((struct fl_scn_made_dir *)0)->name)];
	int ret = 0;

	if (fl_scn_dir_name(dir, name, sizeof(name)) < 0 || fl_scn_made_dir_path(workdir, name, path) < 0)
		return fl_cli_diag(diag, -ENAMETOOLONG, "dir %s: choose a shorter name.", dir->name);
	pthread_mutex_lock(&workdir->lock);
	if (!fl_scn_find_made_dir(workdir, name))
		ret = make_dir(workdir, dir, name, path, diag);
	pthread_mutex_unlock(&workdir->lock);
	return ret;
}

int fl_scn_case_path(unsigned int number, const char *rest, char path[PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "c%04u%s%s", number, rest[0] ? "/" : "", rest);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int fl_scn_workdir_file(const struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir, unsigned int number,
			const char *rest, char path[PATH_MAX])
{
	char name[sizeof(((struct fl_scn_made_dir *)0)->name)];
	char below[PATH_MAX], top[PATH_MAX];

	if (fl_scn_dir_name(dir, name, sizeof(name)) < 0 || fl_scn_made_dir_path(workdir, name, top) < 0 ||
	    fl_scn_case_path(number, rest, below) < 0)
		return -ENAMETOOLONG;
	int len = snprintf(path, PATH_MAX, "%s/%s", top, below);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}
