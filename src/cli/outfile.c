/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int fl_cli_open_outfile(const char *path, int flags)
{
	/* open(2) would wait for a FIFO's reader, and this program has its signals blocked */
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC | flags, 0666);

	if (fd >= 0 && fcntl(fd, F_SETFL, flags) == 0)
		return fd;
	int error = -errno;

	if (fd >= 0)
		close(fd);
	return error;
}

const char *fl_cli_outfile_error(int error)
{
	return error == -ENXIO ? "nobody has opened it for reading, so start its reader first" : strerror(-error);
}
