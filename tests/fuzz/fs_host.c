/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_host.h"

#include <errno.h>
#include <linux/capability.h>
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

/* fs_user.h: coming back leaves no supplementary groups, not even those that there were at first. */
static bool has_no_others_groups(void)
{
	static int at_first = -1;
	int now = getgroups(0, NULL);

	if (at_first < 0)
		at_first = now;
	return now == 0 || now == at_first;
}

static bool has_its_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

	return !syscall(SYS_capget, &header, sets) && sets[0].effective == sets[0].permitted &&
	       sets[1].effective == sets[1].permitted;
}

/* An id that does not exist changes nothing, and the kernel says which it is (setfsuid(2)). */
bool fs_host_acts_as_itself(void)
{
	return (uid_t)syscall(SYS_setfsuid, -1) == geteuid() && (gid_t)syscall(SYS_setfsgid, -1) == getegid() &&
	       has_no_others_groups() && has_its_capabilities();
}
