/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlayfs (Documentation/filesystems/overlayfs.rst) holds on to the mounts that it is made of (ovl_get_upper,
 * ovl_get_layers: clone_private_mount), so that they need no place of their own later, where somebody could change
 * them below it.
 */
#include "guest/overlay.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define STAGE_MAX 64

struct stage {
	char lower[STAGE_MAX + 16], changes[STAGE_MAX + 16];
	char upper[STAGE_MAX + 32], work[STAGE_MAX + 32];
};

static int make_stage(struct stage *stage, const char *dir, struct fl_diag *diag)
{
	if (strlen(dir) > STAGE_MAX)
		return fl_diag(diag, -ENAMETOOLONG, "%s is too long a path for an overlay", dir);
	snprintf(stage->lower, sizeof(stage->lower), "%s/lower", dir);
	snprintf(stage->changes, sizeof(stage->changes), "%s/changes", dir);
	snprintf(stage->upper, sizeof(stage->upper), "%s/upper", stage->changes);
	snprintf(stage->work, sizeof(stage->work), "%s/work", stage->changes);
	if (mkdir(dir, 0700) < 0 || mkdir(stage->lower, 0700) < 0 || mkdir(stage->changes, 0700) < 0)
		return fl_diag(diag, -errno, "%s cannot be made in the guest: %s", dir, strerror(errno));
	return 0;
}

static void remove_stage(const struct stage *stage, const char *dir)
{
	umount2(stage->lower, MNT_DETACH);
	umount2(stage->changes, MNT_DETACH);
	rmdir(stage->lower);
	rmdir(stage->changes);
	rmdir(dir);
}

/* What the root of the share looks like is what the root of its changes says. */
static int make_upper(const struct stage *stage, struct fl_diag *diag)
{
	struct stat st;

	if (mkdir(stage->work, 0700) < 0 && errno != EEXIST)
		return fl_diag(diag, -errno, "no directory for an overlay's changes: %s", strerror(errno));
	if (mkdir(stage->upper, 0755) < 0)
		return errno == EEXIST
			       ? 0
			       : fl_diag(diag, -errno, "no directory for an overlay's changes: %s", strerror(errno));
	if (stat(stage->lower, &st) < 0 || chmod(stage->upper, st.st_mode & 07777) < 0)
		return fl_diag(diag, -errno, "the root of an overlay cannot be set up: %s", strerror(errno));
	/* the host may not let the changes belong to somebody else */
	if (chown(stage->upper, st.st_uid, st.st_gid) < 0)
		return 0;
	return 0;
}

static int mount_layers(const struct fl_conf_mount *share, const struct stage *stage, fl_mount_fn mount_share,
			struct fl_diag *diag)
{
	int ret = mount_share(share->tag, share->options, stage->lower, diag);

	if (ret == 0 && *share->upper)
		ret = mount_share(share->upper, "rw", stage->changes, diag);
	else if (ret == 0 && mount("tmpfs", stage->changes, "tmpfs", 0, "mode=700") < 0)
		ret = fl_diag(diag, -errno, "no memory file system for the changes of %s: %s", share->path,
			      strerror(errno));
	return ret == 0 ? make_upper(stage, diag) : ret;
}

/*
 * In memory, directories can be renamed as anywhere else, which leaves a note in a trusted attribute (redirect_dir).
 * The host keeps no such ones for its guests: there they are user attributes, and to rename a directory of the share
 * gives EXDEV, upon which mv(1) copies.
 */
static int mount_overlay(const struct fl_conf_mount *share, const struct stage *stage, const char *at,
			 struct fl_diag *diag)
{
	char data[4 * STAGE_MAX + 200];

	snprintf(data, sizeof(data), "lowerdir=%s,upperdir=%s,workdir=%s,%s", stage->lower, stage->upper, stage->work,
		 *share->upper ? "userxattr" : "redirect_dir=on");
	if (mount("overlay", at, "overlay", 0, data) == 0)
		return 0;
	if (errno == ENODEV)
		return fl_diag(diag, -ENODEV,
			       "%s cannot be an overlay: the guest kernel has no overlayfs (CONFIG_OVERLAY_FS)",
			       share->path);
	return fl_diag(diag, -errno, "the overlay %s cannot be mounted in the guest: %s%s", share->path,
		       strerror(errno),
		       errno == EINVAL && *share->upper ? "; the directory for its changes must be on a file system "
							  "with extended attributes of users"
							: "");
}

int fl_overlay_mount(const struct fl_conf_mount *share, const char *dir, const char *at, fl_mount_fn mount_share,
		     struct fl_diag *diag)
{
	struct stage stage;
	int ret = make_stage(&stage, dir, diag);

	if (ret < 0)
		return ret;
	ret = mount_layers(share, &stage, mount_share, diag);
	if (ret == 0)
		ret = mount_overlay(share, &stage, at, diag);
	remove_stage(&stage, dir);
	return ret;
}
