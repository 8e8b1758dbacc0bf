/* SPDX-License-Identifier: Apache-2.0 */
/* A POSIX ACL as the value of an attribute, right or wrong. */
#ifndef FS_ACL_H
#define FS_ACL_H

#include <linux/posix_acl_xattr.h>
#include <stdint.h>

#define FS_ACL_ENTRIES_MAX 6u

/* As on the wire (linux/posix_acl_xattr.h; little-endian, as x86 is): the value is its first len bytes. */
struct fs_acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[FS_ACL_ENTRIES_MAX];
	uint32_t len;
};

#define FS_ACL_USER  1u
#define FS_ACL_GROUP 2u
#define FS_ACL_MASK  4u /* must be there if one of those is (acl(5)) */
#define FS_ACL_OLD   8u /* a version that no kernel takes */

/* What is in it besides the three that stand for the mode; perms: three bits for each entry, from the lowest on. */
void fs_acl_make(struct fs_acl *acl, uint8_t parts, uint32_t perms);

#endif
