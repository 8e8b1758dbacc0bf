/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fuse_wire.h"

#include <string.h>

/* The numbers that both sides count by; a header that differs must not compile. */
_Static_assert(sizeof(struct fuse_in_header) == FL_FUSE_IN_HEADER_LEN, "fuse_in_header");
_Static_assert(sizeof(struct fuse_out_header) == FL_FUSE_OUT_HEADER_LEN, "fuse_out_header");
_Static_assert(sizeof(struct fuse_attr) == 88, "fuse_attr");
_Static_assert(sizeof(struct fuse_forget_in) == 8, "FORGET");
_Static_assert(sizeof(struct fuse_batch_forget_in) == 8, "BATCH_FORGET");
_Static_assert(sizeof(struct fuse_forget_one) == 16, "BATCH_FORGET's entries");
_Static_assert(sizeof(struct fuse_getattr_in) == 16, "GETATTR");
_Static_assert(sizeof(struct fuse_setattr_in) == 88, "SETATTR");
_Static_assert(sizeof(struct fuse_mknod_in) == 16, "MKNOD");
_Static_assert(sizeof(struct fuse_mkdir_in) == 8, "MKDIR");
_Static_assert(sizeof(struct fuse_rename_in) == 8, "RENAME");
_Static_assert(sizeof(struct fuse_rename2_in) == 16, "RENAME2");
_Static_assert(sizeof(struct fuse_link_in) == 8, "LINK");
_Static_assert(sizeof(struct fuse_open_in) == 8, "OPEN, OPENDIR");
_Static_assert(sizeof(struct fuse_create_in) == 16, "CREATE, TMPFILE");
_Static_assert(sizeof(struct fuse_read_in) == 40, "READ, READDIR, READDIRPLUS");
_Static_assert(sizeof(struct fuse_write_in) == 40, "WRITE");
_Static_assert(sizeof(struct fuse_release_in) == 24, "RELEASE, RELEASEDIR");
_Static_assert(sizeof(struct fuse_flush_in) == 24, "FLUSH");
_Static_assert(sizeof(struct fuse_fsync_in) == 16, "FSYNC, FSYNCDIR");
_Static_assert(sizeof(struct fuse_setxattr_in) == 16, "SETXATTR with FUSE_SETXATTR_EXT");
_Static_assert(sizeof(struct fuse_getxattr_in) == 8, "GETXATTR, LISTXATTR");
_Static_assert(sizeof(struct fuse_init_in) == 64, "INIT with FUSE_INIT_EXT");
_Static_assert(sizeof(struct fuse_fallocate_in) == 32, "FALLOCATE");
_Static_assert(sizeof(struct fuse_lseek_in) == 24, "LSEEK");
_Static_assert(sizeof(struct fuse_copy_file_range_in) == 56, "COPY_FILE_RANGE");
_Static_assert(sizeof(struct fuse_setupmapping_in) == 40, "SETUPMAPPING");
_Static_assert(sizeof(struct fuse_removemapping_in) == 4, "REMOVEMAPPING");
_Static_assert(sizeof(struct fuse_removemapping_one) == 16, "REMOVEMAPPING's entries");
_Static_assert(sizeof(struct fuse_syncfs_in) == 8, "SYNCFS");
_Static_assert(sizeof(struct fl_fuse_statx_in) == 24, "STATX");
_Static_assert(sizeof(struct fuse_access_in) == 8, "ACCESS");
_Static_assert(sizeof(struct fuse_ioctl_in) == 32, "IOCTL");
_Static_assert(sizeof(struct fuse_ext_header) == 8, "extensions");
_Static_assert(sizeof(struct fl_fuse_supp_groups) == 4, "FUSE_EXT_GROUPS");
_Static_assert(sizeof(struct fuse_entry_out) == 128, "entry");
_Static_assert(sizeof(struct fuse_attr_out) == 104, "attr");
_Static_assert(sizeof(struct fuse_open_out) == 16, "open");
_Static_assert(sizeof(struct fuse_write_out) == 8, "write");
_Static_assert(sizeof(struct fuse_statfs_out) == 80, "statfs");
_Static_assert(sizeof(struct fuse_getxattr_out) == 8, "getxattr");
_Static_assert(sizeof(struct fuse_lseek_out) == 8, "lseek");
_Static_assert(sizeof(struct fuse_init_out) == 64, "init");
_Static_assert(sizeof(struct fl_fuse_statx_out) == 288, "statx");
_Static_assert(FUSE_NAME_OFFSET == 24, "dirent");
_Static_assert(FUSE_NAME_OFFSET_DIRENTPLUS == 152, "direntplus");

bool fl_fuse_take(struct fl_fuse_cursor *cursor, void *out, size_t len)
{
	if (len > cursor->left)
		return false;
	memcpy(out, cursor->pos, len);
	cursor->pos += len;
	cursor->left -= len;
	return true;
}

const char *fl_fuse_take_string(struct fl_fuse_cursor *cursor, size_t *len)
{
	const char *string = (const char *)cursor->pos;
	size_t length = cursor->left ? strnlen(string, cursor->left) : 0;

	if (length == cursor->left)
		return NULL;
	cursor->pos += length + 1;
	cursor->left -= length + 1;
	*len = length;
	return string;
}

int fl_fuse_take_name(struct fl_fuse_cursor *cursor, const char **name)
{
	size_t len;
	const char *string = fl_fuse_take_string(cursor, &len);

	if (!string || !len)
		return -EINVAL;
	if (len > FL_FUSE_NAME_MAX)
		return -ENAMETOOLONG;
	if (strchr(string, '/') || !strcmp(string, ".") || !strcmp(string, ".."))
		return -EINVAL;
	*name = string;
	return 0;
}

int fl_fuse_error(int error)
{
	switch (error) {
	case -EMFILE:
		return -ENFILE;
	case -EAGAIN:
		return -EBUSY;
	case -ENOSYS:
		return -EOPNOTSUPP;
	case -EUCLEAN:
	case -EBADMSG:
		return -EIO;
	default:
		/* fs/fuse/dev.c takes -511..0; above are the kernel's own, such as ERESTARTSYS */
		return error > 0 || error <= -511 ? -EIO : error;
	}
}
