/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/initrd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/kernel_config.h"

static bool is_cpio(int fd)
{
	char magic[6];

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       (memcmp(magic, "070701", 6) == 0 || memcmp(magic, "070702", 6) == 0);
}

int fl_cli_check_initrd(const char *path, struct fl_diag *diag)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	bool good;

	if (fd < 0)
		return fl_cli_diag(diag, -errno, "The initramfs %s (--initrd) cannot be read: %s.", path,
				   strerror(errno));
	good = fstat(fd, &st) == 0 &&
	       (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) || is_cpio(fd) || fl_cli_initrd_unpacker(path));
	close(fd);
	if (good)
		return 0;
	return fl_cli_diag(
		diag, -EINVAL,
		"%s (--initrd) is no initramfs: that is a cpio archive, as \"find . | cpio -o -H newc\" makes "
		"it, packed or not.",
		path);
}
