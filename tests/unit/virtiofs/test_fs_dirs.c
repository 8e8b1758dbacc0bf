/* SPDX-License-Identifier: Apache-2.0 */
/* Directories: READDIR and READDIRPLUS, also while the directory changes; other mounts below the export. */
#include "fs_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define FILES 3000

struct listing {
	unsigned int dots;
	unsigned int strangers;
	unsigned int seen[FILES]; /* how often fNNNN came */
	uint64_t last_off;
	unsigned int replies;
};

static void count_name(struct listing *listing, const char *name, uint32_t len)
{
	char copy[256];
	unsigned int number;

	assert_in_range(len, 1, 255);
	memcpy(copy, name, len);
	copy[len] = 0;
	if (!strcmp(copy, ".") || !strcmp(copy, ".."))
		listing->dots++;
	else if (sscanf(copy, "f%u", &number) == 1 && number < FILES)
		listing->seen[number]++;
	else
		listing->strangers++;
}

/* One reply's entries as fs/fuse/readdir.c parse_dirfile() reads them. */
static void count_entries(struct rig *rig, bool plus, struct listing *listing)
{
	size_t at = 0;

	while (at + (plus ? 152 : 24) <= rig->body_len) {
		struct fuse_dirent dirent;
		size_t name_at = at + (plus ? 152 : 24);

		memcpy(&dirent, rig->body + name_at - 24, 24);
		assert_true(name_at + dirent.namelen <= rig->body_len);
		count_name(listing, (const char *)rig->body + name_at, dirent.namelen);
		assert_int_not_equal(dirent.off, 0);
		listing->last_off = dirent.off;
		at += (name_at - at + dirent.namelen + 7) & ~(size_t)7;
	}
	assert_int_equal(at, rig->body_len);
}

static int readdir_op(struct rig *rig, uint32_t opcode, uint64_t fh, uint64_t offset, uint32_t size)
{
	struct fuse_read_in in = {.fh = fh, .offset = offset, .size = size};

	rig_begin(rig, opcode, FUSE_ROOT_ID);
	rig_put(rig, &in, sizeof(in));
	return rig_send(rig, sizeof(struct fuse_out_header) + size);
}

/* Reads to the end; between replies `meddle` may change the directory. */
static void read_all(struct rig *rig, bool plus, uint64_t fh, struct listing *listing,
		     void (*meddle)(struct rig *rig, unsigned int reply))
{
	listing->last_off = 0;
	do {
		assert_int_equal(readdir_op(rig, plus ? FUSE_READDIRPLUS : FUSE_READDIR, fh, listing->last_off, 4096),
				 0);
		count_entries(rig, plus, listing);
		if (meddle)
			meddle(rig, listing->replies);
		assert_true(++listing->replies < 10000);
	} while (rig->body_len);
}

static struct rig *rig_with_files(unsigned int count)
{
	struct rig *rig = rig_new(0);
	char name[16];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		host_file(rig, name, "", 0);
	}
	return rig;
}

static void every_entry_comes_once(void **state)
{
	struct rig *rig = rig_with_files(FILES);

	(void)state;
	for (int plus = 0; plus < 2; plus++) {
		struct listing *listing = calloc(1, sizeof(*listing));
		uint64_t fh;

		assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &fh), 0);
		read_all(rig, plus, fh, listing, NULL);
		for (unsigned int i = 0; i < FILES; i++)
			assert_int_equal(listing->seen[i], 1);
		assert_int_equal(listing->dots, 2);
		assert_int_equal(listing->strangers, 0);
		free(listing);
	}
	/* READDIRPLUS has made the guest know them all, once */
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, FILES);
	rig_free(rig);
}

/* Odd numbers go, strangers come: what is there all the time must come exactly once (readdir(3)). */
static void change_directory(struct rig *rig, unsigned int reply)
{
	char name[16];

	for (unsigned int i = reply * 20 + 1; i < reply * 20 + 20 && i < FILES; i += 2) {
		snprintf(name, sizeof(name), "f%u", FILES - i);
		(void)unlinkat(rig->dir_fd, name, 0);
	}
	snprintf(name, sizeof(name), "new%u", reply);
	host_file(rig, name, "", 0);
}

static void lasting_entries_survive_changes(void **state)
{
	(void)state;
	for (int plus = 0; plus < 2; plus++) {
		struct rig *rig = rig_with_files(FILES);
		struct listing *listing = calloc(1, sizeof(*listing));
		uint64_t fh;

		assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &fh), 0);
		read_all(rig, plus, fh, listing, change_directory);
		for (unsigned int i = 0; i < FILES; i++) {
			if (i % 2)
				assert_true(listing->seen[i] <= 1);
			else
				assert_int_equal(listing->seen[i], 1);
		}
		free(listing);
		rig_free(rig);
	}
}

static void reading_goes_on_at_any_cookie(void **state)
{
	struct rig *rig = rig_with_files(200);
	struct listing *listing = calloc(1, sizeof(*listing));
	uint8_t second[4096];
	size_t second_len;
	uint64_t fh, middle;

	(void)state;
	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &fh), 0);
	assert_int_equal(readdir_op(rig, FUSE_READDIR, fh, 0, 1024), 0);
	count_entries(rig, false, listing);
	middle = listing->last_off;
	assert_int_equal(readdir_op(rig, FUSE_READDIR, fh, middle, 4096), 0);
	second_len = rig->body_len;
	memcpy(second, rig->body, second_len);
	assert_int_equal(readdir_op(rig, FUSE_READDIR, fh, 0, 4096), 0);
	assert_int_equal(readdir_op(rig, FUSE_READDIR, fh, middle, 4096), 0);
	assert_int_equal(rig->body_len, second_len);
	assert_memory_equal(rig->body, second, second_len);
	free(listing);
	rig_free(rig);
}

/* As many descriptors as this process may have, or as it needs. */
static bool may_open(unsigned int count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur >= count)
		return true;
	limit.rlim_cur = count;
	return limit.rlim_max >= count && setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* Others are read in between, so many that nothing is kept of what was read ahead: it comes all the same, once. */
static void so_many_are_read_that_none_is_kept(void **state)
{
	const unsigned int others = 4096;
	struct listing *listing = calloc(1, sizeof(*listing));
	struct rig *rig;
	uint64_t fh, other;

	(void)state;
	if (!may_open(others + 200))
		SKIP_FOR("too few descriptors");
	rig = rig_new_with(0, (struct fl_fs_opts){.handles_max = others + 1});
	for (unsigned int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		host_file(rig, name, "", 0);
	}
	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &fh), 0);
	assert_int_equal(readdir_op(rig, FUSE_READDIR, fh, 0, 1024), 0);
	count_entries(rig, false, listing);
	for (unsigned int i = 0; i < others; i++) {
		assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &other), 0);
		assert_int_equal(readdir_op(rig, FUSE_READDIR, other, 0, 64), 0);
	}
	do {
		assert_int_equal(readdir_op(rig, FUSE_READDIR, fh, listing->last_off, 1024), 0);
		count_entries(rig, false, listing);
	} while (rig->body_len);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(listing->seen[i], 1);
	assert_int_equal(listing->dots, 2);
	free(listing);
	rig_free(rig);
}

static void rewinding_shows_what_is_new(void **state)
{
	struct rig *rig = rig_with_files(1);
	struct listing *listing = calloc(1, sizeof(*listing));
	uint64_t fh;

	(void)state;
	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &fh), 0);
	read_all(rig, false, fh, listing, NULL);
	assert_int_equal(listing->seen[1], 0);
	host_file(rig, "f1", "", 0);
	read_all(rig, false, fh, listing, NULL);
	assert_int_equal(listing->seen[0], 2);
	assert_int_equal(listing->seen[1], 1);
	free(listing);
	rig_free(rig);
}

static void readdirplus_brings_whole_entries(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY);
	struct fuse_direntplus plus;
	unsigned int found = 0;
	struct stat st;
	uint64_t fh;

	(void)state;
	host_file(rig, "file", "12345", 5);
	st = host_stat(rig, "file");
	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &fh), 0);
	assert_int_equal(readdir_op(rig, FUSE_READDIRPLUS, fh, 0, 4096), 0);
	for (size_t at = 0; at < rig->body_len; at += (152 + plus.dirent.namelen + 7) & ~7u) {
		memcpy(&plus, rig->body + at, 152);
		if (rig->body[at + 152] == '.') {
			assert_int_equal(plus.entry_out.nodeid, 0); /* says nothing of them */
			continue;
		}
		found++;
		assert_int_equal(plus.dirent.type, S_IFREG >> 12);
		assert_int_equal(plus.dirent.ino, st.st_ino);
		assert_int_equal(plus.entry_out.attr.ino, st.st_ino);
		assert_int_equal(plus.entry_out.attr.size, 5);
		assert_int_equal(plus.entry_out.entry_valid, 2);
		assert_int_equal(rig_forget(rig, plus.entry_out.nodeid, 1), NO_REPLY);
		break;
	}
	assert_int_equal(found, 1);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 0);
	assert_int_equal(fl_fs_counters(rig->fs)->proto_errors, 0);
	rig_free(rig);
}

/* No more inodes can be held: the names still come, without their nodes. */
static void a_full_table_does_not_hide_names(void **state)
{
	struct rig *rig = rig_new_with(0, (struct fl_fs_opts){.inodes_max = 2});
	struct listing *listing = calloc(1, sizeof(*listing));
	char name[16];
	uint64_t fh;

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		host_file(rig, name, "", 0);
	}
	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &fh), 0);
	read_all(rig, true, fh, listing, NULL);
	for (int i = 0; i < 10; i++)
		assert_int_equal(listing->seen[i], 1);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 2);
	free(listing);
	rig_free(rig);
}

static void no_room_for_one_entry_is_not_the_end(void **state)
{
	struct rig *rig = rig_with_files(1);
	uint64_t fh;

	(void)state;
	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &fh), 0);
	assert_int_equal(readdir_op(rig, FUSE_READDIR, fh, 0, 24), -EINVAL);
	assert_int_equal(readdir_op(rig, FUSE_READDIR, fh, 0, 0), -EINVAL);
	assert_int_equal(readdir_op(rig, FUSE_READDIRPLUS, fh, 0, 152), -EINVAL);
	assert_int_equal(readdir_op(rig, FUSE_READDIR, fh, UINT64_MAX, 4096), -EINVAL);
	assert_int_equal(readdir_op(rig, FUSE_READDIR, fh + 1, 0, 4096), -EBADF);
	rig_free(rig);
}

/* ---- the host's own root, which has other mounts in it ---- */

static struct rig *rig_of_root(void)
{
	struct rig *rig = rig_new(RIG_READ_ONLY);
	struct fl_fs_opts opts = {.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};

	assert_true(opts.root_fd >= 0);
	fl_fs_free(rig->fs);
	assert_int_equal(fl_fs_new(&opts, &rig->fs, NULL), 0);
	close(opts.root_fd);
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL, NULL), 0);
	return rig;
}

static void proc_is_an_empty_directory(void **state)
{
	struct rig *rig = rig_of_root();
	struct fuse_entry_out entry = {0};
	struct fuse_read_in in = {.size = 4096};
	struct fuse_attr attr;
	uint64_t proc;

	(void)state;
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "proc", &entry), 0);
	proc = entry.nodeid;
	assert_true(S_ISDIR(entry.attr.mode));
	assert_int_equal(rig_lookup(rig, proc, "self", &entry), -ENOENT);
	assert_int_equal(rig_lookup(rig, proc, "1", &entry), -ENOENT);
	assert_int_equal(rig_opendir(rig, proc, &in.fh), 0);
	rig_begin(rig, FUSE_READDIR, proc);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	assert_int_equal(rig->body_len, 0);
	assert_int_equal(rig_getattr(rig, proc, &attr), 0);
	assert_int_equal(attr.nlink, 2);
	assert_int_equal(attr.blksize, 4096); /* the host says 1024 */
	rig_free(rig);
}

static void other_mounts_are_marked(void **state)
{
	struct rig *rig = rig_of_root();
	struct fuse_entry_out entry = {0};
	struct statx root, dev;

	(void)state;
	assert_int_equal(statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &root), 0);
	assert_int_equal(statx(AT_FDCWD, "/dev", 0, STATX_MNT_ID, &dev), 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "dev", &entry), 0);
	assert_int_equal(!!(entry.attr.flags & FUSE_ATTR_SUBMOUNT), root.stx_mnt_id != dev.stx_mnt_id);
	assert_int_equal(rig_lookup(rig, entry.nodeid, "null", &entry), 0);
	assert_true(S_ISCHR(entry.attr.mode));
	assert_int_equal(entry.attr.rdev, 0x103);
	rig_free(rig);
}

/* Whatever there is in the real root and its first level: it can be looked at. */
static void the_real_root_can_be_walked(void **state)
{
	struct rig *rig = rig_of_root();
	uint64_t offset = 0;
	unsigned int names = 0;
	uint64_t fh;

	(void)state;
	assert_int_equal(rig_opendir(rig, FUSE_ROOT_ID, &fh), 0);
	for (;;) {
		assert_int_equal(readdir_op(rig, FUSE_READDIRPLUS, fh, offset, 4096), 0);
		if (!rig->body_len)
			break;
		for (size_t at = 0; at < rig->body_len;) {
			struct fuse_direntplus plus;

			memcpy(&plus, rig->body + at, 152);
			offset = plus.dirent.off;
			at += (152 + plus.dirent.namelen + 7) & ~7u;
			names++;
		}
	}
	assert_true(names >= 5);
	rig_free(rig);
}

static void proc_itself_cannot_be_exported(void **state)
{
	struct fl_fs_opts opts = {.root_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
	struct fl_diag diag = {0};
	struct fl_fs *fs = NULL;

	(void)state;
	assert_int_equal(fl_fs_new(&opts, &fs, &diag), -EPERM);
	assert_null(fs);
	assert_int_equal(diag.error, -EPERM);
	assert_non_null(strstr(diag.text, "pseudo"));
	close(opts.root_fd);
}

static void a_file_cannot_be_exported(void **state)
{
	struct fl_fs_opts opts = {.root_fd = open("/dev/null", O_PATH | O_CLOEXEC)};
	struct fl_diag diag = {0};
	struct fl_fs *fs = NULL;

	(void)state;
	assert_int_equal(fl_fs_new(&opts, &fs, &diag), -ENOTDIR);
	assert_null(fs);
	close(opts.root_fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_entry_comes_once),	    cmocka_unit_test(lasting_entries_survive_changes),
	cmocka_unit_test(reading_goes_on_at_any_cookie),    cmocka_unit_test(so_many_are_read_that_none_is_kept),
	cmocka_unit_test(rewinding_shows_what_is_new),	    cmocka_unit_test(readdirplus_brings_whole_entries),
	cmocka_unit_test(a_full_table_does_not_hide_names), cmocka_unit_test(no_room_for_one_entry_is_not_the_end),
	cmocka_unit_test(proc_is_an_empty_directory),	    cmocka_unit_test(other_mounts_are_marked),
	cmocka_unit_test(the_real_root_can_be_walked),	    cmocka_unit_test(proc_itself_cannot_be_exported),
	cmocka_unit_test(a_file_cannot_be_exported),
};
FL_TEST_MAIN(60, tests)
