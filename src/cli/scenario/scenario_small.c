/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/scenario_small.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/diag.h"

/* make_blob.py */
extern const uint8_t fl_small_kernel_start[], fl_small_kernel_end[];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int kernel_fd; /* or -errno */

static void make_file(void)
{
	size_t len = (size_t)(fl_small_kernel_end - fl_small_kernel_start);

	kernel_fd = memfd_create("faultline-small", MFD_CLOEXEC);
	if (kernel_fd < 0)
		kernel_fd = -errno;
	else if (write(kernel_fd, fl_small_kernel_start, len) != (ssize_t)len)
		kernel_fd = -EIO;
}

int fl_scn_small_kernel(char path[PATH_MAX], struct fl_diag *diag)
{
	pthread_once(&once, make_file);
	if (kernel_fd < 0)
		return fl_cli_diag(diag, kernel_fd, "The small kernel cannot be put into memory: %s.",
				   strerror(-kernel_fd));
	snprintf(path, PATH_MAX, "/proc/self/fd/%d", kernel_fd);
	return 0;
}
