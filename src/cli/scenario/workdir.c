/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/workdir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/scenario/content.h"

#define OPEN_DIRS_MAX 16

struct made_dir {
	struct made_dir *next;
	char name[64]; /* below dirs/ */
	bool mounted;
};

struct fl_scn_workdir {
	char path[PATH_MAX];
	pthread_mutex_t lock; /* guards made, and the making */
	struct made_dir *made;
};

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
static void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, OPEN_DIRS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int name_of(const struct fl_scn_dir *dir, char *name, size_t size)
{
	static const char *const kinds[] = {"plain", "tmpfs", "failing"};
	memset(name, 0, size);
	int len = snprintf(name, size, "%s-%s-%llu", dir->name, kinds[dir->kind], (unsigned long long)dir->len);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static int path_of(const struct fl_scn_workdir *workdir, const char *name, char path[PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "%s/dirs/%s", workdir->path, name);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

void fl_scn_workdir_free(struct fl_scn_workdir *workdir, bool keep)
{
	char path[PATH_MAX];

	if (!workdir)
		return;
	while (workdir->made) {
		struct made_dir *made = workdir->made;

		workdir->made = made->next;
		if (made->mounted && path_of(workdir, made->name, path) == 0)
			(void)umount2(path, MNT_DETACH);
		free(made);
	}
	if (!keep)
		remove_tree(workdir->path);
	pthread_mutex_destroy(&workdir->lock);
	free(workdir);
}

const char *fl_scn_workdir_path(const struct fl_scn_workdir *workdir)
{
	return workdir->path;
}

static int mount_dir(const struct fl_scn_dir *dir, const char *path, struct fl_diag *diag)
{
	char options[48];

	if (dir->kind == FL_SCN_DIR_PLAIN)
		return 0;
	if (dir->kind == FL_SCN_DIR_FAILING)
		return fl_cli_diag(diag, -ENOTSUP, "dir %s: file systems that fail are not supported yet.", dir->name);
	snprintf(options, sizeof(options), "size=%llu,mode=0700", (unsigned long long)dir->len);
	if (mount("faultline-scenario", path, "tmpfs", 0, options) == 0)
		return 0;
	return fl_cli_diag(diag, -errno, "dir %s: a tmpfs cannot be mounted: %s; run it as root, or with --host=box.",
			   dir->name, strerror(errno));
}

static struct made_dir *find_made(const struct fl_scn_workdir *workdir, const char *name)
{
	struct made_dir *made = workdir->made;

	while (made && strcmp(made->name, name) != 0)
		made = made->next;
	return made;
}

static int make_dir(struct fl_scn_workdir *workdir, const struct fl_scn_dir *dir, const char *name, const char *path,
		    struct fl_diag *diag)
{
	struct made_dir *made = calloc(1, sizeof(*made));

	if (!made)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	memcpy(made->name, name, sizeof(made->name));
	int ret =
		mkdir(path, 0700) < 0 ? fl_cli_diag(diag, -errno, "%s cannot be made: %s.", path, strerror(errno)) : 0;

	if (ret == 0)
		ret = mount_dir(dir, path, diag);
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
	char name[sizeof(((struct made_dir *)0)->name)];
	int ret = 0;

	if (name_of(dir, name, sizeof(name)) < 0 || path_of(workdir, name, path) < 0)
		return fl_cli_diag(diag, -ENAMETOOLONG, "dir %s: choose a shorter name.", dir->name);
	pthread_mutex_lock(&workdir->lock);
	if (!find_made(workdir, name))
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
	char name[sizeof(((struct made_dir *)0)->name)];
	char below[PATH_MAX], top[PATH_MAX];

	if (name_of(dir, name, sizeof(name)) < 0 || path_of(workdir, name, top) < 0 ||
	    fl_scn_case_path(number, rest, below) < 0)
		return -ENAMETOOLONG;
	int len = snprintf(path, PATH_MAX, "%s/%s", top, below);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* The directories on the way to a file. */
static int make_parents(char *path, size_t top_len)
{
	for (char *slash = strchr(path + top_len, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int failed = mkdir(path, 0777) < 0 && errno != EEXIST;

		*slash = '/';
		if (failed)
			return -errno;
	}
	return 0;
}

static int fill_file(const char *path, const struct fl_scn_file *file)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (file->content == FL_SCN_FILE_TEXT)
		ret = pwrite(fd, file->text, file->len, 0) == (ssize_t)file->len ? 0 : -EIO;
	else if (file->content == FL_SCN_FILE_ZEROS)
		ret = ftruncate(fd, (off_t)file->len) < 0 ? -errno : 0;
	else
		ret = fl_scn_content_write(fd, file->content, 0, file->len);
	/* whatever the umask is */
	if (ret == 0 && fchmod(fd, file->mode) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int make_file(const struct fl_scn_file *file, char *path, size_t top_len)
{
	int ret = make_parents(path, top_len);

	if (ret < 0)
		return ret;
	if (file->content == FL_SCN_FILE_DIR)
		return mkdir(path, 0777) < 0 || chmod(path, file->mode) < 0 ? -errno : 0;
	if (file->content == FL_SCN_FILE_LINK)
		return symlink(file->text, path) < 0 ? -errno : 0;
	return fill_file(path, file);
}

int fl_scn_workdir_begin(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int number,
			 struct fl_diag *diag)
{
	char path[PATH_MAX];

	for (uint32_t i = 0; i < scenario_case->dirs_count; i++) {
		const struct fl_scn_dir *dir = &scenario_case->dirs[i];
		int ret = fl_scn_workdir_dir(workdir, dir, path, diag);

		if (ret < 0)
			return ret;
		if (fl_scn_workdir_file(workdir, dir, number, "", path) < 0 || mkdir(path, 0777) < 0)
			return fl_cli_diag(diag, -errno, "%s cannot be made: %s.", path, strerror(errno));
	}
	for (uint32_t i = 0; i < scenario_case->files_count; i++) {
		const struct fl_scn_file *file = &scenario_case->files[i];
		const struct fl_scn_dir *dir = &scenario_case->dirs[file->dir];

		if (fl_scn_workdir_file(workdir, dir, number, "", path) < 0)
			return fl_cli_diag(diag, -ENAMETOOLONG, "%s/%s: choose a shorter name.", dir->name, file->path);
		size_t top_len = strlen(path) + 1;

		if (fl_scn_workdir_file(workdir, dir, number, file->path, path) < 0)
			return fl_cli_diag(diag, -ENAMETOOLONG, "%s/%s: choose a shorter name.", dir->name, file->path);
		int ret = make_file(file, path, top_len);

		if (ret < 0)
			return fl_cli_diag(diag, ret, "file %s/%s of line %u cannot be made: %s.", dir->name,
					   file->path, file->pos.line, strerror(-ret));
	}
	return 0;
}

void fl_scn_workdir_end(struct fl_scn_workdir *workdir, const struct fl_scn_case *scenario_case, unsigned int number,
			bool keep)
{
	char path[PATH_MAX];

	for (uint32_t i = 0; !keep && i < scenario_case->dirs_count; i++)
		if (fl_scn_workdir_file(workdir, &scenario_case->dirs[i], number, "", path) == 0)
			remove_tree(path);
}
