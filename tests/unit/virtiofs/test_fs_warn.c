/* SPDX-License-Identifier: Apache-2.0 */
/* What the log says of a share: which one it is about, what is used up, and not too often. */
#include "fs_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "unmappable.h"

#define RANGE	  (2u << 20)
#define MINUTE_NS UINT64_C(60000000000)

/* What the wrapped functions do; they have no argument to hang it on. */
static uint64_t later_ns;
static bool window_breaks;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_fl_window_map(struct fl_window *window, uint64_t offset, uint64_t len, struct fl_backing *backing,
			 uint64_t file_offset, bool writable);
int __wrap_fl_window_map(struct fl_window *window, uint64_t offset, uint64_t len, struct fl_backing *backing,
			 uint64_t file_offset, bool writable);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret = __real_clock_gettime(clock, now);

	now->tv_sec += (time_t)(later_ns / 1000000000);
	return ret;
}

int __wrap_fl_window_map(struct fl_window *window, uint64_t offset, uint64_t len, struct fl_backing *backing,
			 uint64_t file_offset, bool writable)
{
	if (window_breaks)
		return -ENOTRECOVERABLE;
	return __real_fl_window_map(window, offset, len, backing, file_offset, writable);
}

struct heard {
	const char *about; /* lines without it are not counted */
	unsigned int lines;
	char last[512];
	enum fl_log_level level;
};

static void hear(void *arg, enum fl_log_level level, const char *line)
{
	struct heard *heard = arg;

	assert_non_null(strstr(line, "share data: "));
	if (!strstr(line, heard->about))
		return;
	heard->lines++;
	heard->level = level;
	snprintf(heard->last, sizeof(heard->last), "%s", line);
}

/* opts.log and tag are filled in; *log lives as long as the rig. */
static struct rig *rig_heard(struct heard *heard, struct fl_log *log, uint32_t flags, struct fl_fs_opts opts)
{
	later_ns = 0;
	window_breaks = false;
	*log = (struct fl_log){.sink = hear, .arg = heard, .level = FL_LOG_DEBUG};
	opts.log = log;
	opts.title = "data";
	return rig_new_with(flags, opts);
}

static void a_malformed_request_names_the_share(void **state)
{
	struct heard heard = {.about = "malformed"};
	struct fl_log log;
	struct rig *rig = rig_heard(&heard, &log, 0, (struct fl_fs_opts){0});

	(void)state;
	rig_begin(rig, FUSE_MKDIR, FUSE_ROOT_ID);
	assert_int_equal(rig_send(rig, RIG_ROOM), -EINVAL);
	assert_int_equal(heard.lines, 1);
	assert_non_null(strstr(heard.last, "MKDIR"));
	assert_int_equal(fl_fs_counters(rig->fs)->proto_errors, 1);
	rig_free(rig);
}

static int setup_mapping(struct rig *rig, uint64_t nodeid, uint64_t moffset)
{
	struct fuse_setupmapping_in in = {
		.fh = UINT64_MAX, .len = RANGE, .moffset = moffset, .flags = FUSE_SETUPMAPPING_FLAG_READ};

	rig_begin(rig, FUSE_SETUPMAPPING, nodeid);
	rig_put(rig, &in, sizeof(in));
	return rig_send(rig, RIG_ROOM);
}

static void a_broken_window_names_the_share(void **state)
{
	struct heard heard = {.about = "window is broken"};
	struct fl_log log;
	struct rig *rig = rig_heard(&heard, &log, RIG_WINDOW, (struct fl_fs_opts){0});

	(void)state;
	host_file(rig, "f", "x", 1);
	window_breaks = true;
	assert_int_equal(setup_mapping(rig, rig_node(rig, FUSE_ROOT_ID, "f"), RANGE), -EIO);
	assert_int_equal(heard.lines, 1);
	assert_int_equal(heard.level, FL_LOG_ERROR);
	assert_non_null(strstr(heard.last, "0x200000"));
	rig_free(rig);
}

static void many_known_files_are_told_of_once_a_minute(void **state)
{
	struct heard heard = {.about = "ENFILE"};
	struct fl_log log;
	struct rig *rig = rig_heard(&heard, &log, 0, (struct fl_fs_opts){.inodes_max = 2});
	struct fuse_mkdir_in dir = {.mode = 0755};
	struct fuse_entry_out entry;

	(void)state;
	for (int i = 0; i < 3; i++)
		host_file(rig, (char[]){(char)('a' + i), 0}, "", 0);
	rig_node(rig, FUSE_ROOT_ID, "a");
	rig_node(rig, FUSE_ROOT_ID, "b");
	assert_int_equal(heard.lines, 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "c", &entry), -ENFILE);
	assert_int_equal(heard.lines, 1);
	assert_int_equal(heard.level, FL_LOG_WARN);
	assert_non_null(strstr(heard.last, " 2 files are known"));
	assert_non_null(strstr(heard.last, "RLIMIT_NOFILE"));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rig_name(rig, FUSE_MKDIR, FUSE_ROOT_ID, &dir, sizeof(dir), "d"), -ENFILE);
	assert_int_equal(heard.lines, 1);
	later_ns = MINUTE_NS;
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "c", &entry), -ENFILE);
	assert_int_equal(heard.lines, 2);
	rig_free(rig);
}

/* Each shortage by itself: that one was told of does not hide another. */
static void many_open_files_are_told_of(void **state)
{
	struct heard heard = {.about = "ENFILE"};
	struct fl_log log;
	struct rig *rig = rig_heard(&heard, &log, 0, (struct fl_fs_opts){.inodes_max = 2, .handles_max = 2});
	struct fuse_entry_out entry;
	uint64_t a, b, fh;

	(void)state;
	for (int i = 0; i < 3; i++)
		host_file(rig, (char[]){(char)('a' + i), 0}, "", 0);
	a = rig_node(rig, FUSE_ROOT_ID, "a");
	assert_int_equal(rig_open(rig, a, O_RDONLY, &fh), 0);
	assert_int_equal(rig_open(rig, a, O_RDONLY, &fh), 0);
	assert_int_equal(rig_open(rig, a, O_RDONLY, &fh), -ENFILE);
	assert_int_equal(heard.lines, 1);
	assert_non_null(strstr(heard.last, " 2 files and directories are open"));
	b = rig_node(rig, FUSE_ROOT_ID, "b");
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "c", &entry), -ENFILE);
	assert_int_equal(heard.lines, 2);
	rig_forget(rig, b, 1);
	assert_int_equal(rig_open(rig, a, O_RDONLY, &fh), -ENFILE);
	assert_int_equal(heard.lines, 2);
	rig_free(rig);
}

static void files_that_cannot_be_closed_are_told_of(void **state)
{
	struct heard heard = {.about = "ENFILE"};
	struct fl_log log;
	struct rig *rig = rig_heard(&heard, &log, RIG_WINDOW, (struct fl_fs_opts){.open_max = 2});
	struct fuse_entry_out entry;

	(void)state;
	for (int i = 0; i < 3; i++)
		host_file(rig, (char[]){(char)('a' + i), 0}, "x", 1);
	/* what is mapped is not closed */
	assert_int_equal(setup_mapping(rig, rig_node(rig, FUSE_ROOT_ID, "a"), 0), 0);
	assert_int_equal(setup_mapping(rig, rig_node(rig, FUSE_ROOT_ID, "b"), RANGE), 0);
	assert_int_equal(heard.lines, 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "c", &entry), -ENFILE);
	assert_int_equal(heard.lines, 1);
	assert_non_null(strstr(heard.last, " 2 files are held open"));
	rig_free(rig);
}

/* Also where the guest is not told ENFILE, which a page fault does not take: SETUPMAPPING. */
static void a_process_without_descriptors_is_told_of(void **state)
{
	struct heard heard = {.about = "no descriptor left"};
	struct fl_log log;
	struct rig *rig = rig_heard(&heard, &log, RIG_WINDOW, (struct fl_fs_opts){0});
	struct rlimit limit, few;
	uint64_t node, fh;
	int opened, mapped;
	int next;

	(void)state;
	host_file(rig, "f", "x", 1);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	next = open("/", O_PATH | O_CLOEXEC);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){.rlim_cur = (rlim_t)next + 1, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	mapped = setup_mapping(rig, node, 0);
	assert_int_equal(heard.lines, 1);
	later_ns = MINUTE_NS;
	opened = rig_open(rig, node, O_RDONLY, &fh);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(mapped, -ENOSPC);
	assert_int_equal(opened, -ENFILE);
	assert_int_equal(heard.lines, 2);
	close(next);
	rig_free(rig);
}

/* Once for each mount, and again for the next guest. */
static void what_is_copied_is_told_of_once_a_mount(void **state)
{
	struct heard heard = {.about = "cannot map"};
	struct fl_log log;
	struct rig *rig = rig_heard(&heard, &log, RIG_WINDOW, (struct fl_fs_opts){0});
	static const char *const names[] = {"m", "n"};
	struct fuse_attr attr;
	char mounts[2][96];
	pid_t servers[2];
	unsigned int i;

	(void)state;
	host_file(rig, "f", "x", 1);
	for (i = 0; i < 2; i++) {
		snprintf(mounts[i], sizeof(mounts[i]), "%s/%s", rig->dir, names[i]);
		assert_int_equal(mkdir(mounts[i], 0755), 0);
		if (!unmappable_mount(mounts[i], &servers[i])) {
			rig_free(rig);
			SKIP_FOR("no FUSE mounts here");
		}
	}
	rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(heard.lines, 0);
	for (i = 0; i < 2; i++) {
		uint64_t dir = rig_node(rig, FUSE_ROOT_ID, names[i]);

		for (unsigned int again = 0; again < 3; again++)
			assert_int_equal(rig_getattr(rig, rig_node(rig, dir, UNMAPPABLE_NAME), &attr), 0);
		assert_int_equal(heard.lines, i + 1);
		assert_int_equal(heard.level, FL_LOG_WARN);
		assert_non_null(strstr(heard.last, mounts[i]));
		assert_non_null(strstr(heard.last, "SIGBUS"));
	}
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL, NULL), 0);
	rig_node(rig, rig_node(rig, FUSE_ROOT_ID, "m"), UNMAPPABLE_NAME);
	assert_int_equal(heard.lines, 3);
	fl_fs_reset(rig->fs); /* holds descriptors on the mounts */
	for (i = 0; i < 2; i++)
		unmappable_unmount(mounts[i], servers[i]);
	rig_free(rig);
}

/* A guest that maps all files (dax=always) cannot read those; what else goes wrong with a mapping is something else. */
static void what_cannot_be_read_is_told_of(void **state)
{
	struct heard heard = {.about = "cannot map"};
	struct fl_log log;
	struct rig *rig = rig_heard(&heard, &log, RIG_WINDOW, (struct fl_fs_opts){0});
	char mount[96];
	pid_t server;
	uint64_t node;

	(void)state;
	snprintf(mount, sizeof(mount), "%s/m", rig->dir);
	assert_int_equal(mkdir(mount, 0755), 0);
	if (!unmappable_mount(mount, &server)) {
		rig_free(rig);
		SKIP_FOR("no FUSE mounts here");
	}
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL & ~FUSE_HAS_INODE_DAX, NULL), 0);
	host_file(rig, "f", "x", 1);
	window_breaks = true;
	assert_int_equal(setup_mapping(rig, rig_node(rig, FUSE_ROOT_ID, "f"), 0), -EIO);
	window_breaks = false;
	node = rig_node(rig, rig_node(rig, FUSE_ROOT_ID, "m"), UNMAPPABLE_NAME);
	assert_int_equal(heard.lines, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(setup_mapping(rig, node, 0), -ENODEV);
	assert_int_equal(heard.lines, 1);
	assert_non_null(strstr(heard.last, mount));
	assert_non_null(strstr(heard.last, "dax=always"));
	fl_fs_reset(rig->fs);
	unmappable_unmount(mount, server);
	rig_free(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_malformed_request_names_the_share),
	cmocka_unit_test(a_broken_window_names_the_share),
	cmocka_unit_test(many_known_files_are_told_of_once_a_minute),
	cmocka_unit_test(many_open_files_are_told_of),
	cmocka_unit_test(files_that_cannot_be_closed_are_told_of),
	cmocka_unit_test(a_process_without_descriptors_is_told_of),
	cmocka_unit_test(what_is_copied_is_told_of_once_a_mount),
	cmocka_unit_test(what_cannot_be_read_is_told_of),
};
FL_TEST_MAIN(30, tests)
