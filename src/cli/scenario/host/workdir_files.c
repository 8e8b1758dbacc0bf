/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/scenario/host/content.h"
#include "cli/scenario/host/workdir.h"

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

int fl_scn_make_file(const struct fl_scn_file *file, char *path, size_t top_len)
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
