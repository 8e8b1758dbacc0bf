/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fs_user.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool has_capabilities(const unsigned int *numbers, size_t count)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, sets))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!(sets[CAP_TO_INDEX(numbers[i])].effective & CAP_TO_MASK(numbers[i])))
			return false;
	return true;
}

int fl_user_check(const char *title, struct fl_diag *diag)
{
	static const unsigned int needed[] = {
		CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_SETUID, CAP_SETGID,
	};
	int bits = prctl(PR_GET_SECUREBITS);

	if (fl_user_current().uid != 0)
		return fl_diag(diag, -EPERM,
			       "share %s: only root can act as the guest's users; let files be this user's (map=self)",
			       title);
	if (!has_capabilities(needed, FL_ARRAY_SIZE(needed)))
		return fl_diag(
			diag, -EPERM,
			"share %s: acting as the guest's users needs CAP_CHOWN, CAP_DAC_OVERRIDE, "
			"CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_SETUID and CAP_SETGID; let files be this "
			"user's (map=self)",
			title);
	if (bits < 0 || bits & SECBIT_NO_SETUID_FIXUP)
		return fl_diag(
			diag, -EPERM,
			"share %s: with the secure bit no-setuid-fixup root's rights would stay when acting as the "
			"guest's users; let files be this user's (map=self)",
			title);
	return 0;
}

/* Neither call tells whether it worked; asked for an id that there is not, both tell the present one. */
static uint32_t current_id(long call)
{
	return (uint32_t)syscall(call, UINT32_MAX);
}

static int set_id(long call, uint32_t id)
{
	syscall(call, id);
	return current_id(call) == id && id != UINT32_MAX ? 0 : -EPERM;
}

struct fl_user fl_user_current(void)
{
	return (struct fl_user){.uid = current_id(SYS_setfsuid), .gid = current_id(SYS_setfsgid)};
}

int fl_user_become(const struct fl_user *user)
{
	int error;

	/* CAP_SETGID stays with the thread whoever it acts as */
	if (syscall(SYS_setgroups, user->group_count, user->groups))
		return -EPERM;
	error = set_id(SYS_setfsgid, user->gid);
	return error ? error : set_id(SYS_setfsuid, user->uid);
}

bool fl_user_add_group(struct fl_user *user, uint32_t gid)
{
	if (gid == user->gid || user->group_count == FL_USER_GROUPS_MAX)
		return false;
	for (unsigned int i = 0; i < user->group_count; i++)
		if (user->groups[i] == gid)
			return false;
	user->groups[user->group_count++] = gid;
	return true;
}
