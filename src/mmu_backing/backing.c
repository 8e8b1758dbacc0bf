/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/backing.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* mmap needs a descriptor that reads, also for PROT_WRITE alone; an O_PATH one cannot be mapped at all. */
static bool can_be_mapped(int fd, bool writable)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_PATH))
		return false;
	return (flags & O_ACCMODE) == O_RDWR || (!writable && (flags & O_ACCMODE) == O_RDONLY);
}

static bool is_steady(uint64_t fs_type)
{
	/*
	 * ext4_file_mmap, xfs_file_mmap, btrfs_file_mmap and shmem_mmap allocate nothing and look at nothing that lies
	 * outside this machine. Not so those of network file systems and FUSE, which ask a server, hugetlbfs, which
	 * reserves pages for each part of a file, and overlayfs, which can stand on any of these.
	 */
	switch (fs_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}

static bool is_remote(uint64_t fs_type)
{
	switch (fs_type) {
	case FUSE_SUPER_MAGIC:
	case NFS_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
	case V9FS_MAGIC:
	case AFS_FS_MAGIC:
	case OCFS2_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

int fl_backing_new(int fd, bool writable, struct fl_backing **backing)
{
	struct fl_backing *made;
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !can_be_mapped(fd, writable))
		return -EINVAL;
	if (fstatfs(fd, &fs) < 0)
		fs.f_type = FUSE_SUPER_MAGIC; /* only a server can say no */
	made = malloc(sizeof(*made));
	if (!made)
		return -ENOMEM;
	*made = (struct fl_backing){.fd = fd,
				    .writable = writable,
				    .dev = st.st_dev,
				    .ino = st.st_ino,
				    .named = st.st_nlink > 0,
				    .steady = is_steady((uint64_t)fs.f_type),
				    .remote = is_remote((uint64_t)fs.f_type)};
	atomic_init(&made->refs, 1);
	*backing = made;
	return 0;
}

struct fl_backing *fl_backing_ref(struct fl_backing *backing)
{
	atomic_fetch_add_explicit(&backing->refs, 1, memory_order_relaxed);
	return backing;
}

void fl_backing_unref_later(struct fl_backing *backing, struct fl_backing **unused)
{
	/* acq_rel: whoever frees it sees all that other holders did before they let go */
	if (!backing || atomic_fetch_sub_explicit(&backing->refs, 1, memory_order_acq_rel) != 1)
		return;
	backing->next_unused = *unused;
	*unused = backing;
}

void fl_backing_close_all(struct fl_backing *unused)
{
	while (unused) {
		struct fl_backing *backing = unused;

		unused = backing->next_unused;
		close(backing->fd);
		free(backing);
	}
}

void fl_backing_unref(struct fl_backing *backing)
{
	struct fl_backing *unused = NULL;

	fl_backing_unref_later(backing, &unused);
	fl_backing_close_all(unused);
}

int fl_backing_get_len(const struct fl_backing *backing, uint64_t *len)
{
	struct statx stx;

	if (statx(backing->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE, &stx))
		return -errno;
	*len = stx.stx_size;
	return 0;
}

void fl_backing_path(const struct fl_backing *backing, char *buf, size_t buf_len)
{
	char link[32];
	ssize_t length;

	if (!buf_len)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", backing->fd);
	length = readlink(link, buf, buf_len - 1);
	if (length > 0)
		buf[length] = '\0';
	else
		snprintf(buf, buf_len, "?");
}
