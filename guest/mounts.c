/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/mounts.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "guest/overlay.h"

#define NEW_ROOT "/newroot"

struct flag_name {
	const char *name;
	unsigned long set;
	unsigned long clear;
};

static const struct flag_name flag_names[] = {
	{"ro", MS_RDONLY, 0},	  {"rw", 0, MS_RDONLY},	      {"nosuid", MS_NOSUID, 0},	    {"nodev", MS_NODEV, 0},
	{"noexec", MS_NOEXEC, 0}, {"noatime", MS_NOATIME, 0}, {"relatime", MS_RELATIME, 0},
};

static const struct flag_name *find_flag(const char *name, size_t len)
{
	for (size_t i = 0; i < FL_ARRAY_SIZE(flag_names); i++)
		if (strlen(flag_names[i].name) == len && memcmp(flag_names[i].name, name, len) == 0)
			return &flag_names[i];
	return NULL;
}

int fl_mount_options_parse(const char *text, struct fl_mount_options *options)
{
	size_t used = 0;

	*options = (struct fl_mount_options){0};
	while (*text) {
		size_t len = strcspn(text, ",");
		const struct flag_name *flag = find_flag(text, len);

		if (flag) {
			options->flags = (options->flags & ~flag->clear) | flag->set;
		} else if (len > 0) {
			if (used + 1 + len >= sizeof(options->data))
				return -E2BIG;
			if (used > 0)
				options->data[used++] = ',';
			memcpy(options->data + used, text, len);
			used += len;
		}
		text += len + (text[len] == ',');
	}
	return 0;
}

static int mount_virtiofs(const char *tag, const char *text, const char *at, struct fl_diag *diag)
{
	struct fl_mount_options options;

	if (fl_mount_options_parse(text, &options) < 0)
		return fl_diag(diag, -E2BIG, "the mount options of the share \"%s\" are too long", tag);
	if (mount(tag, at, "virtiofs", options.flags, options.data) == 0)
		return 0;
	/* fs/fuse/virtio_fs.c: EINVAL both for an unknown tag and for dax=always without a window */
	return fl_diag(diag, -errno, "the share \"%s\" cannot be mounted at %s in the guest (options \"%s\"): %s%s",
		       tag, at, text, strerror(errno),
		       errno == ENODEV ? "; the guest kernel has no virtio-fs (CONFIG_VIRTIO_FS)" : "");
}

static int mount_share(const struct fl_conf_mount *share, const char *stage, const char *at, struct fl_diag *diag)
{
	return share->upper ? fl_overlay_mount(share, stage, at, mount_virtiofs, diag)
			    : mount_virtiofs(share->tag, share->options, at, diag);
}

static bool is_on(const char *path, unsigned int magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == (long)magic;
}

/* What an overlay lacks can be made: it is no directory of the host's that changes. */
static void make_missing(const char *root, const char *path)
{
	char whole[64];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	if (is_on(*root ? root : "/", OVERLAYFS_SUPER_MAGIC) && mkdir(whole, 0755) < 0)
		return;
}

static int mount_kernel_fs(const char *type, const char *at, const char *data, struct fl_diag *diag)
{
	unsigned long flags = MS_NOSUID | (strcmp(type, "devtmpfs") && strcmp(type, "devpts") ? MS_NODEV : 0);

	if (mount(type, at, type, flags, data) == 0)
		return 0;
	if (errno == ENOENT)
		return fl_diag(diag, -ENOENT,
			       "the guest's root has no directory %s: create it in the host directory given as root",
			       at);
	return fl_diag(diag, -errno, "%s cannot be mounted at %s in the guest: %s", type, at, strerror(errno));
}

int fl_mounts_early(struct fl_diag *diag)
{
	static const char *const places[][2] = {{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}};

	for (size_t i = 0; i < FL_ARRAY_SIZE(places); i++) {
		mkdir(places[i][1], 0755);
		int ret = mount_kernel_fs(places[i][0], places[i][1], NULL, diag);

		/* CONFIG_DEVTMPFS_MOUNT may have been quicker */
		if (ret < 0 && ret != -EBUSY)
			return ret;
	}
	return 0;
}

static int move_into_root(const char *path, struct fl_diag *diag)
{
	char target[64];

	make_missing(NEW_ROOT, path);
	snprintf(target, sizeof(target), NEW_ROOT "%s", path);
	if (mount(path, target, NULL, MS_MOVE, NULL) == 0)
		return 0;
	if (errno == ENOENT)
		return fl_diag(diag, -ENOENT,
			       "the guest's root has no directory %s: create it in the host directory given as root",
			       path);
	return fl_diag(diag, -errno, "%s cannot be moved to the guest's root: %s", path, strerror(errno));
}

int fl_mounts_enter_root(const struct fl_conf_mount *root, struct fl_diag *diag)
{
	static const char *const moved[] = {"/dev", "/proc", "/sys"};

	mkdir(NEW_ROOT, 0755);
	int ret = mount_share(root, "/overlay", NEW_ROOT, diag);

	for (size_t i = 0; ret == 0 && i < FL_ARRAY_SIZE(moved); i++)
		ret = move_into_root(moved[i], diag);
	if (ret < 0)
		return ret;
	/* An initramfs cannot be pivoted away (pivot_root(2), NOTES): the new root is moved over it. */
	if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return fl_diag(diag, -errno, "the guest's root cannot be entered: %s", strerror(errno));
	return 0;
}

/* What udev would do. Failing is no harm: a devtmpfs that has them already says EEXIST. */
static void make_dev_links(void)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	};

	for (size_t i = 0; i < FL_ARRAY_SIZE(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			continue;
}

/* Like mkdir -p, but only below a tmpfs or in an overlay: a share's mount point must not appear in a host directory. */
static int make_mount_point(const char *path, struct fl_diag *diag)
{
	char part[PATH_MAX];
	struct stat st;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode)
			       ? 0
			       : fl_diag(diag, -ENOTDIR, "%s cannot be a mount point: it is not a directory", path);
	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return fl_diag(diag, -ENAMETOOLONG, "the mount point %s is too long", path);
	for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (stat(part, &st) < 0) {
			char parent[PATH_MAX];
			const char *last = strrchr(part, '/');

			snprintf(parent, sizeof(parent), "%.*s/", (int)(last - part), part);
			if (!is_on(parent, TMPFS_MAGIC) && !is_on(parent, OVERLAYFS_SUPER_MAGIC))
				return fl_diag(diag, -ENOENT,
					       "the mount point %s does not exist in the guest's root: create the "
					       "directory on the host, or choose one below /tmp or /run",
					       path);
			if (mkdir(part, 0755) < 0)
				return fl_diag(diag, -errno, "%s cannot be created in the guest: %s", part,
					       strerror(errno));
		}
		if (!slash)
			return 0;
		*slash = '/';
	}
}

int fl_mounts_fill_root(const struct fl_conf *conf, struct fl_diag *diag)
{
	static const char *const places[][3] = {
		{"tmpfs", "/tmp", "mode=1777"},
		{"tmpfs", "/run", "mode=755"},
		{"tmpfs", "/dev/shm", "mode=1777"},
		{"devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666"},
	};
	int ret = 0;

	mkdir("/dev/shm", 01777);
	mkdir("/dev/pts", 0755);
	make_dev_links();
	for (size_t i = 0; ret == 0 && i < FL_ARRAY_SIZE(places); i++) {
		make_missing("", places[i][1]);
		ret = mount_kernel_fs(places[i][0], places[i][1], places[i][2], diag);
	}
	if (ret == 0 && mkdir("/run/lock", 01777) == 0)
		ret = chmod("/run/lock", 01777) < 0 ? -errno : 0; /* whatever the umask was */
	for (size_t i = 1; ret == 0 && i < conf->mount_count; i++) {
		ret = make_mount_point(conf->mounts[i].path, diag);
		if (ret == 0)
			ret = mount_share(&conf->mounts[i], "/run/faultline-overlay", conf->mounts[i].path, diag);
	}
	return ret;
}

void fl_mounts_leave(const struct fl_conf *conf)
{
	for (size_t i = conf->mount_count; i > 1; i--)
		if (umount2(conf->mounts[i - 1].path, 0) < 0)
			umount2(conf->mounts[i - 1].path, MNT_DETACH);
}
