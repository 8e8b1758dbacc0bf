/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/options.h"

#define SUFFIX	  ".sock"
#define LOCK_NAME ".lock"
#define NAMES_MAX 4096u
#define BACKLOG	  16

int fl_cli_runtime_path(char path[PATH_MAX], struct fl_diag *diag)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int len;

	if (runtime && runtime[0] == '/')
		len = snprintf(path, PATH_MAX, "%s/faultline", runtime);
	else if (geteuid() == 0)
		len = snprintf(path, PATH_MAX, "/run/faultline");
	else
		len = snprintf(path, PATH_MAX, "/tmp/faultline-%u", (unsigned int)geteuid());
	if (len < 0 || len >= PATH_MAX)
		return fl_cli_diag(diag, -ENAMETOOLONG, "The path in XDG_RUNTIME_DIR is too long.");
	return 0;
}

/* In /tmp others could have been there first: what they made is not trusted. */
static int check_dir(int fd, const char *path, struct fl_diag *diag)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fl_cli_diag(diag, -errno, "The directory %s cannot be used: %s.", path, strerror(errno));
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return fl_cli_diag(diag, -EPERM,
				   "The directory %s is another user's, or others may write to it: remove it, or set "
				   "XDG_RUNTIME_DIR.",
				   path);
	return 0;
}

int fl_cli_open_runtime_dir(bool make, struct fl_diag *diag)
{
	char path[PATH_MAX];
	int ret = fl_cli_runtime_path(path, diag);

	if (ret < 0)
		return ret;
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return fl_cli_diag(diag, -errno, "The directory %s cannot be made: %s.", path, strerror(errno));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fl_cli_diag(diag, -errno, "The directory %s cannot be used: %s.", path, strerror(errno));
	ret = check_dir(fd, path, diag);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

/* Through /proc, so that the length of the directory's path does not matter: sun_path is short. */
static int make_address(int dir_fd, const char *name, struct sockaddr_un *address)
{
	int len;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	len = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s" SUFFIX, dir_fd, name);
	return len > 0 && (size_t)len < sizeof(address->sun_path) ? 0 : -ENAMETOOLONG;
}

static int try_connect(int dir_fd, const char *name)
{
	struct sockaddr_un address;
	int ret = make_address(dir_fd, name, &address);
	int fd = ret < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (ret < 0)
		return ret;
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* Held while a socket that nobody listens to is found and removed, so that nobody's new one is. */
static int lock_dir(int dir_fd)
{
	int fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	int ret = -errno;

	if (fd >= 0)
		close(fd);
	return ret;
}

void fl_cli_unlink_socket(int dir_fd, const char *name)
{
	char file[FL_CLI_NAME_LEN_MAX + sizeof(SUFFIX)];

	if (snprintf(file, sizeof(file), "%s" SUFFIX, name) < (int)sizeof(file))
		(void)unlinkat(dir_fd, file, 0);
}

int fl_cli_connect(int dir_fd, const char *name)
{
	int fd = try_connect(dir_fd, name);

	if (fd != -ECONNREFUSED)
		return fd;
	int lock = lock_dir(dir_fd);

	if (lock < 0)
		return -ENOENT;
	fd = try_connect(dir_fd, name);
	if (fd == -ECONNREFUSED) {
		fl_cli_unlink_socket(dir_fd, name);
		fd = -ENOENT;
	}
	close(lock);
	return fd;
}

static int bind_socket(int dir_fd, const char *name)
{
	struct sockaddr_un address;
	int ret = make_address(dir_fd, name, &address);
	int fd = ret < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (ret < 0)
		return ret;
	/* the mode that the file gets: nobody can connect in between, since nobody listens yet */
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    chmod(address.sun_path, 0600) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

int fl_cli_listen(int dir_fd, const char *name, struct fl_diag *diag)
{
	int lock = lock_dir(dir_fd);

	if (lock < 0)
		return fl_cli_diag(diag, lock, "The directory of control sockets cannot be locked: %s.",
				   strerror(-lock));
	int fd = try_connect(dir_fd, name);

	/* -EAGAIN: it listens, and is busy */
	if (fd >= 0 || fd == -EAGAIN) {
		if (fd >= 0)
			close(fd);
		close(lock);
		return fl_cli_diag(diag, -EADDRINUSE, "A guest with the name %s runs already: choose another --name.",
				   name);
	}
	fl_cli_unlink_socket(dir_fd, name);
	fd = bind_socket(dir_fd, name);
	close(lock);
	return fd >= 0 ? fd
		       : fl_cli_diag(diag, fd, "The control socket of %s cannot be made: %s.", name, strerror(-fd));
}

static int add_name(struct fl_cli_names *names, const char *file)
{
	size_t len = strlen(file);
	size_t suffix_len = strlen(SUFFIX);

	if (file[0] == '.' || len <= suffix_len || len > FL_CLI_NAME_LEN_MAX + suffix_len ||
	    strcmp(file + len - suffix_len, SUFFIX) != 0 || names->count == NAMES_MAX)
		return 0;
	char **grown = reallocarray(names->names, names->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	names->names = grown;
	grown[names->count] = strndup(file, len - suffix_len);
	if (!grown[names->count])
		return -ENOMEM;
	names->count++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int fl_cli_list_names(int dir_fd, struct fl_cli_names *names)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int ret = 0;

	*names = (struct fl_cli_names){0};
	if (!dir) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (ret == 0 && (entry = readdir(dir)))
		ret = add_name(names, entry->d_name);
	closedir(dir);
	if (ret < 0)
		fl_cli_names_fini(names);
	else if (names->count)
		qsort(names->names, names->count, sizeof(*names->names), by_name);
	return ret;
}

void fl_cli_names_fini(struct fl_cli_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct fl_cli_names){0};
}
