/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_acl.h"

#include <linux/posix_acl.h>
#include <stddef.h>

#define NO_ID ((uint32_t)ACL_UNDEFINED_ID)

static void add(struct fs_acl *acl, uint16_t tag, uint32_t id, uint32_t *perms)
{
	struct posix_acl_xattr_entry entry = {.e_tag = tag, .e_perm = *perms & 7, .e_id = id};

	acl->entries[(acl->len - sizeof(acl->header)) / sizeof(entry)] = entry;
	acl->len += (uint32_t)sizeof(entry);
	*perms >>= 3;
}

/* In the order of the tags, which the kernel insists on (fs/posix_acl.c posix_acl_valid). */
void fs_acl_make(struct fs_acl *acl, uint8_t parts, uint32_t perms)
{
	*acl = (struct fs_acl){.header = {.a_version = parts & FS_ACL_OLD ? 1 : POSIX_ACL_XATTR_VERSION},
			       .len = sizeof(acl->header)};
	add(acl, ACL_USER_OBJ, NO_ID, &perms);
	if (parts & FS_ACL_USER)
		add(acl, ACL_USER, 1000, &perms);
	add(acl, ACL_GROUP_OBJ, NO_ID, &perms);
	if (parts & FS_ACL_GROUP)
		add(acl, ACL_GROUP, 1001, &perms);
	if (parts & FS_ACL_MASK)
		add(acl, ACL_MASK, NO_ID, &perms);
	add(acl, ACL_OTHER, NO_ID, &perms);
}
