/* SPDX-License-Identifier: Apache-2.0 */
/* A tmpfs of one's own that nobody else sees and that goes with its last descriptor; no mount point. */
#ifndef FL_SMALL_FS_H
#define FL_SMALL_FS_H

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

/* A new, empty file on a tmpfs that holds size ("64k"); -1: neither root nor user name spaces are to be had. */
static inline int small_fs_file(const char *size)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mount, file;

	/* not root: as root of a name space of its own; only before there are threads */
	if (fs < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
		fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		close(fs);
		return -1;
	}
	mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	if (mount < 0)
		return -1;
	file = openat(mount, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	close(mount);
	return file;
}

#endif
