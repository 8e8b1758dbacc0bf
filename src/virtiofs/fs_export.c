/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fs_export.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "virtiofs/fs_mounts.h"

#define FL_OPENAT2_TRIES 3
/* Some 320 bytes each, when they can be held without a descriptor (bench/run memory). */
#define FL_INODES_MAX (1u << 20)

/*
 * File systems that are interfaces of the host's kernel and not storage. /proc/self/mem is a regular
 * file: a guest that could open it there would own this process.
 */
static bool is_pseudo_fs(uint64_t magic)
{
	static const uint64_t sealed[] = {
		PROC_SUPER_MAGIC,
		SYSFS_MAGIC,
		DEBUGFS_MAGIC,
		TRACEFS_MAGIC,
		SECURITYFS_MAGIC,
		SELINUX_MAGIC,
		SMACK_MAGIC,
		BPF_FS_MAGIC,
		CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,
		DEVPTS_SUPER_MAGIC,
		BINFMTFS_MAGIC,
		NSFS_MAGIC,
		PSTOREFS_MAGIC,
		EFIVARFS_MAGIC,
		AUTOFS_SUPER_MAGIC,
		RDTGROUP_SUPER_MAGIC,
		AAFS_MAGIC,
		BINDERFS_SUPER_MAGIC,
		XENFS_SUPER_MAGIC,
		OPENPROM_SUPER_MAGIC,
		USBDEVICE_SUPER_MAGIC,
		0x62656570 /* configfs */,
		0x65735543 /* fusectl */,
		0x19800202 /* mqueue */,
		0x6e667364 /* nfsd */,
		0x67596969 /* rpc_pipefs */,
		0x0a647361 /* functionfs */,
		0xaee71ee7 /* gadgetfs */,
		0x76a9f425 /* ocfs2_dlmfs */,
		0x66726f67 /* ibmasmfs */,
		0x00726a77 /* ipathfs */,
		0x23c9b64e /* spufs */,
		0x00687970 /* s390_hypfs */,
	};

	for (size_t i = 0; i < FL_ARRAY_SIZE(sealed); i++)
		if (magic == sealed[i])
			return true;
	return false;
}

static int fd_is_pseudo(int fd, bool *pseudo)
{
	struct statfs sfs;

	*pseudo = false;
	if (fstatfs(fd, &sfs))
		/* a FUSE server need not know FUSE_STATFS; the kernel's own file systems all answer */
		return errno == ENOSYS ? 0 : -errno;
	*pseudo = is_pseudo_fs((uint64_t)sfs.f_type);
	return 0;
}

static struct fl_inode_key key_of(const struct statx *stx)
{
	return (struct fl_inode_key){
		.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
		.ino = stx->stx_ino,
		.mnt_id = stx->stx_mnt_id,
	};
}

/* STATX_BTIME for FUSE_STATX; mnt_id tells mounts of one file system apart (5.8) */
static int stat_at(int fd, const char *name, int flags, struct statx *stx)
{
	return statx(fd, name, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW | flags,
		     STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, stx)
		       ? -errno
		       : 0;
}

int fl_export_stat(int fd, struct statx *stx)
{
	return stat_at(fd, "", AT_EMPTY_PATH, stx);
}

int fl_export_open_child(int dir_fd, const char *name, int *fd)
{
	/* The name is checked already; the kernel's own walls stand behind that check. */
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	long opened = -1;

	for (int i = 0; i < FL_OPENAT2_TRIES; i++) {
		opened = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
		if (opened >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (opened < 0)
		return -errno;
	*fd = (int)opened;
	return 0;
}

void fl_export_proc_name(int fd, char name[FL_PROC_NAME_LEN])
{
	snprintf(name, FL_PROC_NAME_LEN, "%d", fd);
}

void fl_export_proc_path(int fd, char path[FL_PROC_PATH_LEN])
{
	snprintf(path, FL_PROC_PATH_LEN, "/proc/self/fd/%d", fd);
}

int fl_export_reopen(const struct fl_export *fs_export, int path_fd, int flags, int *fd)
{
	char name[FL_PROC_NAME_LEN];
	int opened;

	fl_export_proc_name(path_fd, name);
	/* O_NONBLOCK: a lease held by somebody is an error, not a wait */
	do {
		opened = openat(fs_export->proc_fd, name, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	} while (opened < 0 && errno == EINTR);
	if (opened < 0)
		return -errno;
	*fd = opened;
	return 0;
}

uint32_t fl_export_share_of_descriptors(uint32_t exports, unsigned int divisor)
{
	struct rlimit limit;
	uint64_t descriptors = 1024;

	if (!getrlimit(RLIMIT_NOFILE, &limit))
		descriptors = FL_MIN((uint64_t)limit.rlim_cur, UINT64_C(1) << 22);
	return (uint32_t)FL_MAX(descriptors / divisor / FL_MAX(exports, 1u), 16);
}

static int open_proc(int *proc_fd, struct fl_diag *diag)
{
	FL_CLOSE int fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs sfs;

	if (fd < 0)
		return fl_diag(diag, -errno,
			       "/proc/self/fd cannot be opened; files are shared by way of it: mount /proc");
	if (fstatfs(fd, &sfs) || (uint64_t)sfs.f_type != PROC_SUPER_MAGIC)
		return fl_diag(diag, -ENOENT, "/proc is not the proc file system; files are shared by way of it");
	*proc_fd = fl_steal_fd(&fd);
	return 0;
}

static int check_root(int fd, struct statx *stx, struct fl_diag *diag)
{
	bool pseudo = false;
	int error = fl_export_stat(fd, stx);

	if (!error)
		error = fd_is_pseudo(fd, &pseudo);
	if (error)
		return fl_diag(diag, error, "the shared directory cannot be examined");
	if (!S_ISDIR(stx->stx_mode))
		return fl_diag(diag, -ENOTDIR, "what is to be shared is not a directory");
	if (pseudo)
		return fl_diag(diag, -EPERM, "a pseudo file system such as /proc or /sys cannot be shared");
	return 0;
}

/* Where inodes can be closed and opened again a small part of the descriptors does; else half of them are for inodes.
 */
static void choose_limits(struct fl_inode_table *inodes, const struct fl_export_limits *limits)
{
	bool by_handle = inodes->mounts && inodes->mounts->fd >= 0;
	uint32_t part = fl_export_share_of_descriptors(limits->exports, by_handle ? 8 : 2);

	inodes->open_max = limits->open_max ? limits->open_max : part;
	inodes->slots.max = limits->inodes_max ? limits->inodes_max : by_handle ? FL_INODES_MAX : part;
}

int fl_export_init(struct fl_export *fs_export, int root_fd, bool writable, const struct fl_export_limits *limits,
		   struct fl_diag *diag)
{
	FL_CLOSE int proc_fd = -1;
	FL_CLOSE int path_fd = -1;
	struct fl_inode_key key;
	struct statx stx;
	int error = open_proc(&proc_fd, diag);

	if (error)
		return error;
	*fs_export = (struct fl_export){.proc_fd = proc_fd, .writable = writable};
	error = check_root(root_fd, &stx, diag);
	if (error)
		return error;
	error = fl_export_reopen(fs_export, root_fd, O_PATH | O_DIRECTORY, &path_fd);
	if (error)
		return fl_diag(diag, error, "the shared directory cannot be opened");
	key = key_of(&stx);
	error = fl_inode_table_init(&fs_export->inodes, limits->inodes_max, limits->open_max, fl_steal_fd(&path_fd),
				    &key);
	if (error)
		return fl_diag(diag, error, "no memory for a share's table of files");
	fl_steal_fd(&proc_fd);
	error = fl_export_note_mount(fs_export, &key, S_IFDIR, fs_export->inodes.root->fd);
	if (error) {
		fl_export_fini(fs_export);
		return fl_diag(diag, error, "no memory for a share's table of mounts");
	}
	choose_limits(&fs_export->inodes, limits);
	return 0;
}

void fl_export_fini(struct fl_export *fs_export)
{
	if (!fs_export->inodes.root)
		return;
	fl_inode_table_fini(&fs_export->inodes);
	fl_close(&fs_export->proc_fd);
}

/* Of one that lies below the directory; fd: its root. */
static int mount_is_sealed(const struct fl_export *fs_export, int fd, bool *sealed)
{
	*sealed = true;
	return fs_export->one_mount ? 0 : fd_is_pseudo(fd, sealed);
}

static void set_file_mount(const struct fl_export *fs_export, struct fl_inode_key *key, bool is_dir)
{
	if (!is_dir)
		key->mnt_id = fl_export_file_mount(fs_export, key->mnt_id);
}

int fl_export_learn(struct fl_export *fs_export, const struct fl_inode *parent, int fd, const struct statx *stx,
		    struct fl_inode **inode, bool *submount)
{
	FL_CLOSE int own_fd = fd;
	struct fl_inode_key key = key_of(stx);
	bool sealed = false;
	int error = 0;

	if (key.mnt_id != parent->key.mnt_id)
		error = mount_is_sealed(fs_export, own_fd, &sealed);
	if (error)
		return error;
	if (sealed && !S_ISDIR(stx->stx_mode))
		return -EACCES;
	if (!sealed)
		error = fl_export_note_mount(fs_export, &key, stx->stx_mode & S_IFMT, own_fd);
	if (error)
		return error;
	set_file_mount(fs_export, &key, S_ISDIR(stx->stx_mode));
	error = fl_inode_learn(&fs_export->inodes, &key, stx->stx_mode & S_IFMT, fl_steal_fd(&own_fd), inode);
	if (error)
		return error;
	(*inode)->sealed = sealed;
	/*
	 * Where st_dev changes on the host: other file systems, and btrfs subvolumes, which number their inodes from
	 * the start again. Not a bind mount of the same one: its files would be other inodes in the guest.
	 */
	*submount = S_ISDIR(stx->stx_mode) && !sealed && key.dev != parent->key.dev;
	return 0;
}

/*
 * No way out of the shared directory that opening it would not be: a single name is looked up in an open directory,
 * what is mounted there has another mnt_id, and where a symbolic link leads is not asked.
 */
bool fl_export_learn_again(struct fl_export *fs_export, const struct fl_inode *parent, const char *name,
			   struct statx *stx, struct fl_inode **inode)
{
	struct fl_inode_key key;

	if (stat_at(parent->fd, name, 0, stx))
		return false;
	key = key_of(stx);
	/* the roots of mounts and subvolumes have more to them */
	if (key.mnt_id != parent->key.mnt_id || key.dev != parent->key.dev)
		return false;
	set_file_mount(fs_export, &key, S_ISDIR(stx->stx_mode));
	*inode = fl_inode_learn_held(&fs_export->inodes, &key, stx->stx_mode & S_IFMT);
	return *inode;
}

bool fl_export_knows(const struct fl_export *fs_export, const struct fl_inode *parent, uint64_t ino, bool is_dir)
{
	struct fl_inode_key key = {.dev = parent->key.dev, .ino = ino, .mnt_id = parent->key.mnt_id};

	set_file_mount(fs_export, &key, is_dir);
	return fl_inode_is_held(&fs_export->inodes, &key);
}

bool fl_export_has_seen(struct fl_export *fs_export, uint64_t nodeid, const char *name, struct fl_seen_name **place)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ nodeid; /* FNV-1a */
	bool seen;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	*place = &fs_export->seen[hash & (FL_SEEN_NAMES - 1)];
	seen = (*place)->tag == hash >> 32 && fl_inode_node_is_held(&fs_export->inodes, (*place)->nodeid);
	(*place)->tag = (uint32_t)(hash >> 32);
	return seen;
}

/* fs/fuse/inode.c takes new_encode_dev()'s form, include/linux/kdev_t.h */
static uint32_t encode_dev(uint32_t major_number, uint32_t minor_number)
{
	return (minor_number & 0xff) | major_number << 8 | (minor_number & ~0xffu) << 12;
}

void fl_export_attr(const struct fl_inode *inode, const struct statx *stx, uint32_t flags, struct fuse_attr *attr)
{
	*attr = (struct fuse_attr){
		.ino = stx->stx_ino,
		.size = stx->stx_size,
		.blocks = stx->stx_blocks,
		.atime = (uint64_t)stx->stx_atime.tv_sec,
		.mtime = (uint64_t)stx->stx_mtime.tv_sec,
		.ctime = (uint64_t)stx->stx_ctime.tv_sec,
		.atimensec = stx->stx_atime.tv_nsec,
		.mtimensec = stx->stx_mtime.tv_nsec,
		.ctimensec = stx->stx_ctime.tv_nsec,
		.mode = stx->stx_mode,
		.nlink = stx->stx_nlink,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.rdev = encode_dev(stx->stx_rdev_major, stx->stx_rdev_minor),
		/* fs/dax.c dax_writeback_mapping_range() fails, and fsync with it, for anything else */
		.blksize = FL_PAGE_LEN,
		.flags = flags,
	};
	if (inode->sealed) {
		attr->nlink = 2;
		attr->size = 0;
		attr->blocks = 0;
		/* the number is another file system's, and could be one that the guest meets on the way there */
		attr->ino = UINT64_C(1) << 63 | inode->nodeid;
	}
}
