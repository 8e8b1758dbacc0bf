/* SPDX-License-Identifier: Apache-2.0 */
/* Name operations and attributes, compared with what the host's own system calls say. */
#include "fs_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static void same_as_host(const struct fuse_attr *attr, const struct stat *st)
{
	assert_int_equal(attr->ino, st->st_ino);
	assert_int_equal(attr->mode, st->st_mode);
	assert_int_equal(attr->size, st->st_size);
	assert_int_equal(attr->blocks, st->st_blocks);
	assert_int_equal(attr->nlink, st->st_nlink);
	assert_int_equal(attr->uid, st->st_uid);
	assert_int_equal(attr->gid, st->st_gid);
	assert_int_equal(attr->mtime, st->st_mtim.tv_sec);
	assert_int_equal(attr->mtimensec, st->st_mtim.tv_nsec);
	assert_int_equal(attr->ctime, st->st_ctim.tv_sec);
	assert_int_equal(attr->ctimensec, st->st_ctim.tv_nsec);
	assert_int_equal(attr->atime, st->st_atim.tv_sec);
	assert_int_equal(attr->rdev, st->st_rdev);
	/* fs/dax.c dax_writeback_mapping_range() */
	assert_int_equal(attr->blksize, 4096);
}

static void lookup_shows_what_stat_shows(void **state)
{
	static const char *const names[] = {"file", "dir", "link", "fifo", "sock"};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct rig *rig = rig_new(RIG_READ_ONLY);
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	host_file(rig, "file", "hello", 5);
	assert_int_equal(mkdirat(rig->dir_fd, "dir", 01777), 0);
	assert_int_equal(symlinkat("/etc/passwd", rig->dir_fd, "link"), 0);
	assert_int_equal(mkfifoat(rig->dir_fd, "fifo", 0600), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", rig->dir);
	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	for (size_t i = 0; i < FL_ARRAY_SIZE(names); i++) {
		struct stat st = host_stat(rig, names[i]);
		struct fuse_entry_out entry = {0};
		struct fuse_attr attr;

		assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, names[i], &entry), 0);
		same_as_host(&entry.attr, &st);
		/* 2250 ms and 1500 ms */
		assert_int_equal(entry.entry_valid, 2);
		assert_int_equal(entry.entry_valid_nsec, 250000000);
		assert_int_equal(entry.attr_valid, 1);
		assert_int_equal(entry.attr_valid_nsec, 500000000);
		assert_int_equal(rig_getattr(rig, entry.nodeid, &attr), 0);
		same_as_host(&attr, &st);
	}
	close(sock);
	rig_free(rig);
}

static void the_root_is_the_directory(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY);
	struct stat st = host_stat(rig, ".");
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(rig_getattr(rig, FUSE_ROOT_ID, &attr), 0);
	same_as_host(&attr, &st);
	rig_free(rig);
}

static void absent_names_are_negative_entries(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY);
	struct fuse_entry_out entry;

	(void)state;
	assert_int_equal(rig_name(rig, FUSE_LOOKUP, FUSE_ROOT_ID, NULL, 0, "absent"), 0);
	memcpy(&entry, rig->body, sizeof(entry));
	assert_int_equal(entry.nodeid, 0);
	assert_int_equal(entry.entry_valid, 2);
	rig_free(rig);
	rig = rig_new_with(RIG_READ_ONLY, (struct fl_fs_opts){.attr_timeout_ms = 1000, .entry_timeout_ms = 0});
	assert_int_equal(rig_name(rig, FUSE_LOOKUP, FUSE_ROOT_ID, NULL, 0, "absent"), -ENOENT);
	rig_free(rig);
}

static void hard_links_are_one_node(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_entry_out entry;
	uint64_t node;

	(void)state;
	host_file(rig, "a", "x", 1);
	node = rig_node(rig, FUSE_ROOT_ID, "a");
	assert_int_equal(rig_name(rig, FUSE_LINK, FUSE_ROOT_ID, &node, sizeof(node), "b"), 0);
	memcpy(&entry, rig->body, sizeof(entry));
	assert_int_equal(entry.nodeid, node);
	assert_int_equal(entry.attr.nlink, 2);
	assert_int_equal(host_stat(rig, "b").st_ino, host_stat(rig, "a").st_ino);
	assert_int_equal(rig_node(rig, FUSE_ROOT_ID, "b"), node);
	/* known three times: by a, by LINK, by b */
	rig_forget(rig, node, 2);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 1);
	rig_forget(rig, node, 1);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 0);
	assert_int_equal(fl_fs_counters(rig->fs)->proto_errors, 0);
	rig_forget(rig, node, 1);
	assert_int_equal(fl_fs_counters(rig->fs)->proto_errors, 1);
	rig_free(rig);
}

static void a_symlink_can_be_linked(void **state)
{
	struct rig *rig = rig_new(0);
	uint64_t node;

	(void)state;
	assert_int_equal(symlinkat("nowhere", rig->dir_fd, "s"), 0);
	node = rig_node(rig, FUSE_ROOT_ID, "s");
	assert_int_equal(rig_name(rig, FUSE_LINK, FUSE_ROOT_ID, &node, sizeof(node), "t"), 0);
	assert_true(S_ISLNK(host_stat(rig, "t").st_mode));
	rig_free(rig);
}

static void batch_forget_believes_the_bytes_not_the_count(void **state)
{
	struct fuse_batch_forget_in in = {.count = UINT32_MAX};
	struct fuse_forget_one ones[2] = {{.nlookup = 1}, {.nlookup = 1}};
	struct rig *rig = rig_new(0);

	(void)state;
	host_file(rig, "a", "", 0);
	host_file(rig, "b", "", 0);
	ones[0].nodeid = rig_node(rig, FUSE_ROOT_ID, "a");
	ones[1].nodeid = rig_node(rig, FUSE_ROOT_ID, "b");
	rig_begin(rig, FUSE_BATCH_FORGET, 0);
	rig_put(rig, &in, sizeof(in));
	rig_put(rig, ones, sizeof(ones));
	assert_int_equal(rig_send(rig, 0), NO_REPLY);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 0);
	rig_free(rig);
}

/* The guest resolves links; the host must not, neither at the end nor on the way. */
static void symlinks_are_never_followed(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_entry_out entry = {0};
	struct fuse_attr attr;
	uint64_t link, fh;

	(void)state;
	assert_int_equal(symlinkat("/etc", rig->dir_fd, "absolute"), 0);
	assert_int_equal(symlinkat("..", rig->dir_fd, "up"), 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "absolute", &entry), 0);
	link = entry.nodeid;
	assert_true(S_ISLNK(entry.attr.mode));
	assert_int_equal(rig_lookup(rig, link, "passwd", &entry), -ENOTDIR);
	assert_int_equal(rig_open(rig, link, O_RDONLY, &fh), -ELOOP);
	assert_int_equal(rig_opendir(rig, link, &fh), -ENOTDIR);
	assert_int_equal(rig_getattr(rig, link, &attr), 0);
	assert_int_equal(attr.ino, host_stat(rig, "absolute").st_ino);
	rig_begin(rig, FUSE_READLINK, link);
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_int_equal(rig->body_len, 4);
	assert_memory_equal(rig->body, "/etc", 4);
	assert_int_equal(rig_lookup(rig, rig_node(rig, FUSE_ROOT_ID, "up"), "etc", &entry), -ENOTDIR);
	rig_free(rig);
}

/* The host swaps a directory for a link while the guest holds the directory's nodeid. */
static void a_swapped_directory_leads_nowhere(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_entry_out entry;
	uint64_t dir;

	(void)state;
	assert_int_equal(mkdirat(rig->dir_fd, "d", 0755), 0);
	dir = rig_node(rig, FUSE_ROOT_ID, "d");
	assert_int_equal(renameat(rig->dir_fd, "d", rig->dir_fd, "moved"), 0);
	assert_int_equal(symlinkat("/etc", rig->dir_fd, "d"), 0);
	assert_int_equal(rig_lookup(rig, dir, "passwd", &entry), -ENOENT);
	assert_int_equal(rig_name(rig, FUSE_MKDIR, dir, "\xed\1\0\0\0\0\0\0", 8, "sub"), 0);
	assert_true(S_ISDIR(host_stat(rig, "moved/sub").st_mode));
	rig_free(rig);
}

static void symlink_keeps_its_target_as_it_is(void **state)
{
	struct rig *rig = rig_new(0);
	char target[64];
	ssize_t len;

	(void)state;
	rig_begin(rig, FUSE_SYMLINK, FUSE_ROOT_ID);
	rig_put_string(rig, "name");
	rig_put_string(rig, "../../etc/shadow");
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	len = readlinkat(rig->dir_fd, "name", target, sizeof(target));
	assert_int_equal(len, 16);
	assert_memory_equal(target, "../../etc/shadow", 16);
	rig_begin(rig, FUSE_SYMLINK, FUSE_ROOT_ID);
	rig_put_string(rig, "empty");
	rig_put_string(rig, "");
	assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	rig_free(rig);
}

static void readlink_of_something_else_is_refused(void **state)
{
	struct rig *rig = rig_new(0);

	(void)state;
	host_file(rig, "f", "", 0);
	rig_begin(rig, FUSE_READLINK, rig_node(rig, FUSE_ROOT_ID, "f"));
	assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	rig_free(rig);
}

/* Modes come out as asked for whatever the process's umask was. */
static void made_things_have_the_mode_asked_for(void **state)
{
	struct fuse_mkdir_in dir = {.mode = 0777 | S_ISVTX, .umask = 022};
	struct fuse_mknod_in fifo = {.mode = S_IFIFO | 0666, .umask = 0};
	struct fuse_mknod_in file = {.mode = S_IFREG | 0777, .umask = 0027};
	struct rig *rig = rig_new(0);

	(void)state;
	assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &dir, sizeof(dir), "dir"), 0);
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &fifo, sizeof(fifo), "fifo"), 0);
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &file, sizeof(file), "file"), 0);
	assert_int_equal(host_stat(rig, "dir").st_mode, S_IFDIR | S_ISVTX | 0755);
	assert_int_equal(host_stat(rig, "fifo").st_mode, S_IFIFO | 0666);
	assert_int_equal(host_stat(rig, "file").st_mode, S_IFREG | 0750);
	assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &dir, sizeof(dir), "dir"), -EEXIST);
	rig_free(rig);
}

static void devices_are_not_made(void **state)
{
	struct fuse_mknod_in null_device = {.mode = S_IFCHR | 0666, .rdev = 1 << 8 | 3};
	struct fuse_mknod_in disk = {.mode = S_IFBLK | 0666, .rdev = 8 << 8};
	struct fuse_mknod_in dir = {.mode = S_IFDIR | 0755};
	struct rig *rig = rig_new(0);

	(void)state;
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &null_device, 16, "null"), -EPERM);
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &disk, 16, "disk"), -EPERM);
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &dir, 16, "dir"), -EINVAL);
	rig_free(rig);
}

/* A FIFO without a writer would block for ever; a device could do anything. */
static void special_files_are_never_opened(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_entry_out entry = {0};
	uint64_t fifo, fh;

	(void)state;
	assert_int_equal(mkfifoat(rig->dir_fd, "fifo", 0666), 0);
	fifo = rig_node(rig, FUSE_ROOT_ID, "fifo");
	assert_int_equal(rig_open(rig, fifo, O_RDONLY, &fh), -ENXIO);
	assert_int_equal(rig_open(rig, fifo, O_RDWR, &fh), -ENXIO);
	assert_int_equal(rig_open(rig, FUSE_ROOT_ID, O_RDONLY, &fh), -EISDIR);
	if (geteuid() == 0 && mknodat(rig->dir_fd, "null", S_IFCHR | 0666, makedev(1, 3)) == 0) {
		assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "null", &entry), 0);
		assert_int_equal(entry.attr.rdev, 0x103);
		assert_int_equal(rig_open(rig, entry.nodeid, O_RDWR, &fh), -ENXIO);
	}
	rig_free(rig);
}

static void unlink_and_rmdir(void **state)
{
	struct rig *rig = rig_new(0);
	struct stat st;

	(void)state;
	host_file(rig, "f", "", 0);
	assert_int_equal(mkdirat(rig->dir_fd, "d", 0755), 0);
	assert_int_equal(rig_name(rig, FUSE_RMDIR, FUSE_ROOT_ID, NULL, 0, "f"), -ENOTDIR);
	assert_int_equal(rig_name(rig, FUSE_UNLINK, FUSE_ROOT_ID, NULL, 0, "d"), -EISDIR);
	assert_int_equal(rig_name(rig, FUSE_UNLINK, FUSE_ROOT_ID, NULL, 0, "f"), 0);
	assert_int_equal(rig_name(rig, FUSE_RMDIR, FUSE_ROOT_ID, NULL, 0, "d"), 0);
	assert_int_equal(fstatat(rig->dir_fd, "f", &st, 0), -1);
	assert_int_equal(fstatat(rig->dir_fd, "d", &st, 0), -1);
	assert_int_equal(rig_name(rig, FUSE_UNLINK, FUSE_ROOT_ID, NULL, 0, "f"), -ENOENT);
	rig_free(rig);
}

static int do_rename(struct rig *rig, uint64_t from, const char *old_name, uint64_t to, const char *new_name,
		     uint32_t flags)
{
	struct fuse_rename2_in in = {.newdir = to, .flags = flags};

	rig_begin(rig, FUSE_RENAME2, from);
	rig_put(rig, &in, sizeof(in));
	rig_put_string(rig, old_name);
	rig_put_string(rig, new_name);
	return rig_send(rig, RIG_ROOM);
}

static void rename_and_its_flags(void **state)
{
	struct fuse_rename_in in = {.newdir = FUSE_ROOT_ID};
	struct rig *rig = rig_new(0);
	ino_t a, b;
	uint64_t dir;

	(void)state;
	host_file(rig, "a", "a", 1);
	host_file(rig, "b", "b", 1);
	assert_int_equal(mkdirat(rig->dir_fd, "d", 0755), 0);
	dir = rig_node(rig, FUSE_ROOT_ID, "d");
	a = host_stat(rig, "a").st_ino;
	b = host_stat(rig, "b").st_ino;
	assert_int_equal(do_rename(rig, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "b", 1 /* NOREPLACE */), -EEXIST);
	assert_int_equal(do_rename(rig, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "b", 2 /* EXCHANGE */), 0);
	assert_int_equal(host_stat(rig, "a").st_ino, b);
	assert_int_equal(host_stat(rig, "b").st_ino, a);
	assert_int_equal(do_rename(rig, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "c", 4 /* WHITEOUT */), -EINVAL);
	assert_int_equal(do_rename(rig, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "c", 8), -EINVAL);
	assert_int_equal(do_rename(rig, FUSE_ROOT_ID, "a", dir, "c", 0), 0);
	assert_int_equal(host_stat(rig, "d/c").st_ino, b);
	assert_int_equal(do_rename(rig, FUSE_ROOT_ID, "b", 12345, "c", 0), -ESTALE);
	rig_begin(rig, FUSE_RENAME, dir);
	rig_put(rig, &in, sizeof(in));
	rig_put(rig, "c\0b", 4);
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_int_equal(host_stat(rig, "b").st_ino, b);
	rig_free(rig);
}

static int setattr(struct rig *rig, uint64_t nodeid, const struct fuse_setattr_in *in, struct fuse_attr *attr)
{
	struct fuse_attr_out out;
	int error;

	rig_begin(rig, FUSE_SETATTR, nodeid);
	rig_put(rig, in, sizeof(*in));
	error = rig_send(rig, RIG_ROOM);
	if (!error) {
		assert_int_equal(rig->body_len, sizeof(out));
		memcpy(&out, rig->body, sizeof(out));
		*attr = out.attr;
	}
	return error;
}

static void setattr_changes_the_host(void **state)
{
	struct fuse_setattr_in in = {
		.valid = FATTR_MODE | FATTR_SIZE | FATTR_ATIME | FATTR_MTIME | FATTR_CTIME,
		.mode = S_IFREG | 04751,
		.size = 3,
		.atime = 1000000000,
		.atimensec = 1,
		.mtime = 1100000000,
		.mtimensec = 999999999,
	};
	struct rig *rig = rig_new(0);
	struct fuse_attr attr;
	struct stat st;
	uint64_t node;

	(void)state;
	host_file(rig, "f", "0123456789", 10);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(setattr(rig, node, &in, &attr), 0);
	st = host_stat(rig, "f");
	same_as_host(&attr, &st);
	assert_int_equal(st.st_mode, S_IFREG | 04751);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(st.st_atim.tv_sec, 1000000000);
	assert_int_equal(st.st_atim.tv_nsec, 1);
	assert_int_equal(st.st_mtim.tv_sec, 1100000000);
	assert_int_equal(st.st_mtim.tv_nsec, 999999999);
	in = (struct fuse_setattr_in){.valid = FATTR_MTIME | FATTR_MTIME_NOW};
	assert_int_equal(setattr(rig, node, &in, &attr), 0);
	assert_true(host_stat(rig, "f").st_mtim.tv_sec > 1700000000);
	assert_int_equal(host_stat(rig, "f").st_atim.tv_sec, 1000000000);
	rig_free(rig);
}

static void setattr_refuses_nonsense(void **state)
{
	static const struct {
		struct fuse_setattr_in in;
		int error;
	} cases[] = {
		{{.valid = FATTR_SIZE, .size = UINT64_C(1) << 63}, -EFBIG},
		{{.valid = FATTR_SIZE, .size = UINT64_MAX}, -EFBIG},
		{{.valid = FATTR_SIZE | FATTR_FH, .fh = 99}, -EBADF},
		{{.valid = FATTR_MTIME, .mtimensec = 1000000000}, -EINVAL},
		{{.valid = FATTR_ATIME, .atimensec = UINT32_MAX}, -EINVAL},
		{{.valid = 1 << 12}, -EINVAL},
		{{.valid = UINT32_MAX}, -EINVAL},
	};
	struct fuse_setattr_in truncate = {.valid = FATTR_SIZE};
	struct fuse_setattr_in chmod_link = {.valid = FATTR_MODE, .mode = 0600};
	struct rig *rig = rig_new(0);
	struct fuse_attr attr;
	uint64_t node, fh;

	(void)state;
	host_file(rig, "f", "0123456789", 10);
	assert_int_equal(symlinkat("f", rig->dir_fd, "link"), 0);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	for (size_t i = 0; i < FL_ARRAY_SIZE(cases); i++)
		assert_int_equal(setattr(rig, node, &cases[i].in, &attr), cases[i].error);
	assert_int_equal(rig_open(rig, node, O_RDONLY, &fh), 0);
	truncate.fh = fh;
	truncate.valid |= FATTR_FH;
	assert_int_equal(setattr(rig, node, &truncate, &attr), -EBADF); /* not open for writing */
	truncate.valid = FATTR_SIZE;
	assert_int_equal(setattr(rig, FUSE_ROOT_ID, &truncate, &attr), -EISDIR);
	assert_int_equal(setattr(rig, rig_node(rig, FUSE_ROOT_ID, "link"), &truncate, &attr), -EINVAL);
	assert_int_equal(setattr(rig, rig_node(rig, FUSE_ROOT_ID, "link"), &chmod_link, &attr), -EOPNOTSUPP);
	assert_int_equal(host_stat(rig, "f").st_size, 10);
	assert_int_equal(host_stat(rig, "f").st_mode & 07777, 0644);
	rig_free(rig);
}

static void chown_as_root(void **state)
{
	struct fuse_setattr_in in = {.valid = FATTR_UID, .uid = 1234, .gid = 99};
	struct rig *rig;
	struct fuse_attr attr;

	(void)state;
	if (geteuid())
		SKIP_FOR("not root");
	rig = rig_new(0);
	assert_int_equal(symlinkat("/etc/passwd", rig->dir_fd, "link"), 0);
	assert_int_equal(setattr(rig, rig_node(rig, FUSE_ROOT_ID, "link"), &in, &attr), 0);
	assert_int_equal(host_stat(rig, "link").st_uid, 1234);
	assert_int_equal(host_stat(rig, "link").st_gid, getegid());
	assert_int_equal(attr.uid, 1234);
	rig_free(rig);
}

struct statx_out { /* include/uapi/linux/fuse.h 7.39, as bytes */
	uint64_t attr_valid;
	uint32_t attr_valid_nsec, flags;
	uint64_t spare[2];
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare0;
	uint64_t ino, size, blocks, attributes_mask;
	struct {
		int64_t sec;
		uint32_t nsec;
		int32_t pad;
	} atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare2[14];
};

static void statx_shows_the_birth_time(void **state)
{
	const uint64_t in[3] = {0};
	struct rig *rig = rig_new(0);
	struct statx_out out;
	struct statx stx;

	(void)state;
	host_file(rig, "f", "0123456789", 10);
	rig_begin(rig, 52, rig_node(rig, FUSE_ROOT_ID, "f"));
	rig_put(rig, in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_int_equal(rig->body_len, 288);
	memcpy(&out, rig->body, sizeof(out));
	assert_int_equal(statx(rig->dir_fd, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &stx), 0);
	assert_int_equal(out.mask, stx.stx_mask & 0xfff);
	assert_int_equal(out.blksize, 4096);
	assert_int_equal(out.size, 10);
	assert_int_equal(out.ino, stx.stx_ino);
	assert_int_equal(out.mode, stx.stx_mode);
	assert_int_equal(out.btime.sec, stx.stx_btime.tv_sec);
	assert_int_equal(out.btime.nsec, stx.stx_btime.tv_nsec);
	assert_int_equal(out.mtime.nsec, stx.stx_mtime.tv_nsec);
	rig_free(rig);
}

static void statfs_is_the_hosts(void **state)
{
	struct rig *rig = rig_new(0);
	struct fuse_kstatfs out;
	struct statfs sfs;

	(void)state;
	rig_begin(rig, FUSE_STATFS, FUSE_ROOT_ID);
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_int_equal(rig->body_len, sizeof(out));
	memcpy(&out, rig->body, sizeof(out));
	assert_int_equal(fstatfs(rig->dir_fd, &sfs), 0);
	assert_int_equal(out.blocks, sfs.f_blocks);
	assert_int_equal(out.bsize, sfs.f_bsize);
	assert_int_equal(out.frsize, sfs.f_frsize);
	assert_int_equal(out.files, sfs.f_files);
	assert_int_equal(out.namelen, 255);
	rig_free(rig);
}

static void access_asks_the_host(void **state)
{
	struct fuse_access_in in = {.mask = X_OK};
	struct rig *rig = rig_new(0);
	uint64_t node;

	(void)state;
	host_file(rig, "f", "", 0);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	rig_begin(rig, FUSE_ACCESS, node);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), -EACCES); /* nobody may execute it, root neither */
	in.mask = R_OK | W_OK;
	rig_begin(rig, FUSE_ACCESS, node);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	rig_free(rig);
}

/* A deleted file lives on for the guest that knows it. */
static void an_unlinked_file_can_still_be_opened(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY);
	struct fuse_attr attr;
	uint64_t node, fh;

	(void)state;
	host_file(rig, "f", "still here", 10);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(unlinkat(rig->dir_fd, "f", 0), 0);
	assert_int_equal(rig_getattr(rig, node, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(rig_open(rig, node, O_RDONLY, &fh), 0);
	assert_int_equal(rig_read(rig, node, fh, 0, 100), 0);
	assert_memory_equal(rig->body, "still here", 10);
	rig_free(rig);
}

static void too_many_inodes_are_enfile(void **state)
{
	struct rig *rig = rig_new_with(0, (struct fl_fs_opts){.inodes_max = 3, .handles_max = 2});
	struct fuse_mkdir_in dir = {.mode = 0755};
	struct fuse_entry_out entry;
	uint64_t node, fh;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &dir, sizeof(dir), (char[]){(char)('a' + i), 0}), 0);
	host_file(rig, "one-more", "", 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "one-more", &entry), -ENFILE);
	node = rig_node(rig, FUSE_ROOT_ID, "a");
	assert_int_equal(rig_opendir(rig, node, &fh), 0);
	assert_int_equal(rig_opendir(rig, node, &fh), 0);
	assert_int_equal(rig_opendir(rig, node, &fh), -ENFILE);
	rig_forget(rig, node, 2);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "one-more", &entry), 0);
	rig_free(rig);
}

/* Who tries again would be told that it is there. */
static void what_has_no_room_is_not_made(void **state)
{
	struct rig *rig = rig_new_with(0, (struct fl_fs_opts){.inodes_max = 1, .handles_max = 2});
	struct fuse_mkdir_in dir = {.mode = 0755};
	struct fuse_mknod_in file = {.mode = S_IFREG | 0644};

	(void)state;
	assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &dir, sizeof(dir), "the-only-one"), 0);
	assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &dir, sizeof(dir), "d"), -ENFILE);
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &file, sizeof(file), "f"), -ENFILE);
	/* a symbolic link "l" to "target" */
	assert_int_equal(rig_name(rig, FUSE_SYMLINK, FUSE_ROOT_ID, "l", 2, "target"), -ENFILE);
	assert_int_equal(faccessat(rig->dir_fd, "d", F_OK, 0), -1);
	assert_int_equal(faccessat(rig->dir_fd, "f", F_OK, 0), -1);
	assert_int_equal(faccessat(rig->dir_fd, "l", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	rig_free(rig);
}

/* fs/overlayfs/super.c ovl_make_workdir: what a file system of FUSE must have to be an upper layer. */
static void whiteouts_are_made_where_an_overlay_keeps_its_changes(void **state)
{
	struct fuse_mknod_in whiteout = {.mode = S_IFCHR};
	struct fuse_mknod_in null_device = {.mode = S_IFCHR | 0666, .rdev = 1 << 8 | 3};
	struct fuse_mknod_in disk = {.mode = S_IFBLK};
	struct rig *rig = rig_new(0);

	(void)state;
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &whiteout, 16, "w"), -EPERM);
	rig_free(rig);
	rig = rig_new_with(0, (struct fl_fs_opts){.keeps_changes = true});
	host_file(rig, "a", "a", 1);
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &whiteout, 16, "w"), 0);
	assert_true(S_ISCHR(host_stat(rig, "w").st_mode));
	assert_int_equal(host_stat(rig, "w").st_rdev, 0);
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &null_device, 16, "null"), -EPERM);
	assert_int_equal(rig_name(rig, FUSE_MKNOD, FUSE_ROOT_ID, &disk, 16, "disk"), -EPERM);
	assert_int_equal(do_rename(rig, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "b", 4 /* WHITEOUT */), 0);
	assert_true(S_ISREG(host_stat(rig, "b").st_mode));
	assert_true(S_ISCHR(host_stat(rig, "a").st_mode));
	assert_int_equal(host_stat(rig, "a").st_rdev, 0);
	assert_int_equal(do_rename(rig, FUSE_ROOT_ID, "b", FUSE_ROOT_ID, "c", 8), -EINVAL);
	rig_free(rig);
}

/* Copying a file up copies its owner, whom only root may give it. */
static void an_owner_that_changes_cannot_have_is_no_error(void **state)
{
	struct fuse_setattr_in in = {.valid = FATTR_UID, .uid = 54321};
	uid_t self = geteuid();

	(void)state;
	for (int keeps = 0; keeps < 2; keeps++) {
		struct rig *rig = rig_new_with(0, (struct fl_fs_opts){.keeps_changes = keeps});

		host_file(rig, "a", "a", 1);
		assert_int_equal(chmod(rig->dir, 0777), 0);
		assert_int_equal(fchownat(rig->dir_fd, "a", 12345, (gid_t)-1, 0), self ? -1 : 0);
		uint64_t node = rig_node(rig, FUSE_ROOT_ID, "a");

		/* for this thread alone, and CAP_CHOWN goes with it */
		setfsuid(12345);
		rig_begin(rig, FUSE_SETATTR, node);
		rig_put(rig, &in, sizeof(in));
		int error = rig_send(rig, 4096);

		setfsuid(self);
		assert_int_equal(error, keeps ? 0 : -EPERM);
		assert_int_not_equal(host_stat(rig, "a").st_uid, 54321);
		rig_free(rig);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lookup_shows_what_stat_shows),
	cmocka_unit_test(the_root_is_the_directory),
	cmocka_unit_test(absent_names_are_negative_entries),
	cmocka_unit_test(hard_links_are_one_node),
	cmocka_unit_test(a_symlink_can_be_linked),
	cmocka_unit_test(batch_forget_believes_the_bytes_not_the_count),
	cmocka_unit_test(symlinks_are_never_followed),
	cmocka_unit_test(a_swapped_directory_leads_nowhere),
	cmocka_unit_test(symlink_keeps_its_target_as_it_is),
	cmocka_unit_test(readlink_of_something_else_is_refused),
	cmocka_unit_test(made_things_have_the_mode_asked_for),
	cmocka_unit_test(devices_are_not_made),
	cmocka_unit_test(whiteouts_are_made_where_an_overlay_keeps_its_changes),
	cmocka_unit_test(an_owner_that_changes_cannot_have_is_no_error),
	cmocka_unit_test(special_files_are_never_opened),
	cmocka_unit_test(unlink_and_rmdir),
	cmocka_unit_test(rename_and_its_flags),
	cmocka_unit_test(setattr_changes_the_host),
	cmocka_unit_test(setattr_refuses_nonsense),
	cmocka_unit_test(chown_as_root),
	cmocka_unit_test(statx_shows_the_birth_time),
	cmocka_unit_test(statfs_is_the_hosts),
	cmocka_unit_test(access_asks_the_host),
	cmocka_unit_test(an_unlinked_file_can_still_be_opened),
	cmocka_unit_test(too_many_inodes_are_enfile),
	cmocka_unit_test(what_has_no_room_is_not_made),
};
FL_TEST_MAIN(30, tests)
