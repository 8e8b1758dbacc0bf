/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_host.h"

#include <errno.h>
#include <grp.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "virtiofs/fs_user.h"

#ifndef XFS_SUPER_MAGIC /* Linux 5.19's headers */
#define XFS_SUPER_MAGIC 0x58465342
#endif

static bool is_slow;

void fs_host_set_slow(bool slow)
{
	is_slow = slow;
}

int __real_fstatfs64(int fd, struct statfs *sfs);
int __wrap_fstatfs64(int fd, struct statfs *sfs);

/* Only what can be shared anyway gets another name: proc and its like stay what they are. */
int __wrap_fstatfs64(int fd, struct statfs *sfs)
{
	int result = __real_fstatfs64(fd, sfs);

	if (!result && sfs->f_type != PROC_SUPER_MAGIC)
		sfs->f_type = is_slow ? XFS_SUPER_MAGIC : TMPFS_MAGIC;
	return result;
}

ssize_t __real_preadv64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t __wrap_preadv64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags);

ssize_t __wrap_preadv64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	if (is_slow && flags & RWF_NOWAIT) {
		errno = EAGAIN;
		return -1;
	}
	return __real_preadv64v2(fd, iov, count, offset, flags & ~RWF_NOWAIT);
}

ssize_t __real_pwritev64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t __wrap_pwritev64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags);

ssize_t __wrap_pwritev64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	if (is_slow && flags & RWF_NOWAIT) {
		errno = EAGAIN;
		return -1;
	}
	return __real_pwritev64v2(fd, iov, count, offset, flags & ~RWF_NOWAIT);
}

bool fs_host_has_users(void)
{
	return fl_user_check("share", NULL) == 0;
}

/* An id that does not exist changes nothing, and the kernel says which it is (setfsuid(2)). */
bool fs_host_acts_as_itself(void)
{
	return (uid_t)syscall(SYS_setfsuid, -1) == geteuid() && (gid_t)syscall(SYS_setfsgid, -1) == getegid();
}
