/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fs_warn.h"

#include "virtiofs/fs_mounts.h"

/* Tables that are full say so themselves; EMFILE is only the kernel's. */
static enum fl_fs_shortage find_shortage(const struct fl_fs *fs, int error)
{
	const struct fl_inode_table *inodes = &fs->fs_export.inodes;

	if (error == -EMFILE)
		return FL_FS_NO_DESCRIPTORS;
	if (fl_slot_table_is_full(&inodes->slots))
		return FL_FS_INODES_FULL;
	if (fl_slot_table_is_full(&fs->handles.slots))
		return FL_FS_HANDLES_FULL;
	return inodes->open_count >= inodes->open_max ? FL_FS_NONE_TO_CLOSE : FL_FS_NO_DESCRIPTORS;
}

static bool may_tell(struct fl_fs *fs, enum fl_fs_shortage shortage)
{
	uint64_t now_ns = fl_now_ns(CLOCK_MONOTONIC);

	if (now_ns < fs->may_tell_from_ns[shortage])
		return false;
	fs->may_tell_from_ns[shortage] = now_ns + FL_FS_TELL_NS;
	return true;
}

static void tell(const struct fl_fs *fs, enum fl_fs_shortage shortage)
{
	const struct fl_inode_table *inodes = &fs->fs_export.inodes;
	static const char *const advice[] = {
		[FL_FS_INODES_FULL] =
			"files are known to the guest, which is the limit of this share; the guest forgets some "
			"when it drops its caches (/proc/sys/vm/drop_caches). With CAP_DAC_READ_SEARCH the limit is "
			"1048576, without it it follows the process's one of descriptors (RLIMIT_NOFILE): raise that",
		[FL_FS_HANDLES_FULL] =
			"files and directories are open in the guest, which is the limit of this share; it follows "
			"the process's one of descriptors: raise that (RLIMIT_NOFILE)",
		[FL_FS_NONE_TO_CLOSE] =
			"files are held open and none can be closed, which is the limit of this share; it "
			"follows the process's one of descriptors: raise that (RLIMIT_NOFILE)",
		[FL_FS_NO_DESCRIPTORS] =
			"files are open in the guest, and the process or the host has no descriptor left: "
			"raise RLIMIT_NOFILE, or fs.file-max of the host",
	};
	uint32_t count = shortage == FL_FS_INODES_FULL	   ? inodes->slots.used
			 : shortage == FL_FS_NONE_TO_CLOSE ? inodes->open_count
							   : fs->handles.slots.used;

	fl_log(fs->log, FL_LOG_WARN, "share %s: the guest gets ENFILE: %u %s", fs->title, count, advice[shortage]);
}

void fl_fs_warn_of_shortage(struct fl_fs *fs, int error)
{
	enum fl_fs_shortage shortage;

	if (error != -ENFILE && error != -EMFILE)
		return;
	shortage = find_shortage(fs, error);
	if (may_tell(fs, shortage))
		tell(fs, shortage);
}

void fl_fs_warn_of_unmappable(struct fl_fs *fs, const struct fl_inode *inode)
{
	struct fl_mount *mount = fl_inode_table_find_mount(&fs->fs_export.inodes, inode->key.mnt_id);
	bool by_file = fs->flags & FUSE_HAS_INODE_DAX;
	char path[FL_MOUNT_PATH_LEN];

	if (!mount || !mount->refuses_maps || mount->refusal_told)
		return;
	mount->refusal_told = true;
	fl_export_mount_path(mount->mnt_id, path);
	/* limited, since a guest that resets its device meets its mounts anew */
	fl_log_limited(fs->log, &fs->warn_limit, FL_LOG_WARN, "share %s: the host cannot map files of its mount %s: %s",
		       fs->title, path,
		       by_file ? "the guest reads and writes copies of them, and where one is truncated its processes "
				 "get no SIGBUS with an address"
			       : "the guest, which maps all files (dax=always), cannot read them");
}
