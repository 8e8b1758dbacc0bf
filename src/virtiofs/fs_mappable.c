/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fs_mappable.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>

/* Those whose regular files have an mmap operation that depends neither on a mount option nor on the file. */
static bool maps_all_files(int fd)
{
	static const uint32_t magics[] = {
		EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC,     RAMFS_MAGIC,
		HUGETLBFS_MAGIC,  SQUASHFS_MAGIC,  ISOFS_SUPER_MAGIC, NFS_SUPER_MAGIC,
	};
	struct statfs sfs;

	if (fstatfs(fd, &sfs))
		return false;
	for (size_t i = 0; i < FL_ARRAY_SIZE(magics); i++)
		if ((uint32_t)sfs.f_type == magics[i])
			return true;
	return false;
}

/* Linux maps beyond a file's end too: the first page will do for any file. */
static int try_to_map(const struct fl_export *fs_export, const struct fl_inode *inode)
{
	FL_CLOSE int fd = -1;
	int error = fl_export_reopen(fs_export, inode->fd, O_RDONLY, &fd);
	void *page;

	if (error)
		return error;
	page = mmap(NULL, FL_PAGE_LEN, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	munmap(page, FL_PAGE_LEN);
	return 0;
}

static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EAGAIN;
}

void fl_export_note_map_error(struct fl_export *fs_export, const struct fl_inode *inode, int error)
{
	struct fl_mount *mount = fl_inode_table_find_mount(&fs_export->inodes, inode->key.mnt_id);

	/* mmap(2) of what has no mmap operation; other errors are about this file and who we are */
	if (mount && error == -ENODEV)
		mount->refuses_maps = true;
}

bool fl_export_can_map(struct fl_export *fs_export, struct fl_inode *inode)
{
	struct fl_mount *mount;
	int error;

	if (inode->mappable != FL_MAPPABLE_UNKNOWN)
		return inode->mappable == FL_MAPPABLE_YES;
	mount = fl_inode_table_find_mount(&fs_export->inodes, inode->key.mnt_id);
	if (mount && mount->mappable == FL_MAPPABLE_UNKNOWN)
		mount->mappable = maps_all_files(inode->fd) ? FL_MAPPABLE_YES : FL_MAPPABLE_NO;
	error = mount && mount->mappable == FL_MAPPABLE_YES ? 0 : try_to_map(fs_export, inode);
	fl_export_note_map_error(fs_export, inode, error);
	if (!is_shortage(error))
		inode->mappable = error ? FL_MAPPABLE_NO : FL_MAPPABLE_YES;
	return !error;
}
