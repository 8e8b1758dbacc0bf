/* SPDX-License-Identifier: Apache-2.0 */
/* Per-file DAX: what the host cannot map is told from what it can, and is read with requests. */
#include "fs_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "unmappable.h"

#define RANGE		    (2u << 20)
#define FUSE_STATX	    52
#define STATX_REPLY_MASK_AT 32 /* in fuse_statx_out, include/uapi/linux/fuse.h 7.39 */

struct place {
	struct rig *rig;
	char mount[96];
	pid_t server;
	uint64_t dir;
};

static bool open_place(struct place *place)
{
	place->rig = rig_new(RIG_WINDOW);
	snprintf(place->mount, sizeof(place->mount), "%s/m", place->rig->dir);
	assert_int_equal(mkdir(place->mount, 0755), 0);
	if (!unmappable_mount(place->mount, &place->server)) {
		rig_free(place->rig);
		return false;
	}
	place->dir = rig_node(place->rig, FUSE_ROOT_ID, "m");
	return true;
}

static void close_place(struct place *place)
{
	fl_fs_reset(place->rig->fs); /* holds descriptors on the mount */
	unmappable_unmount(place->mount, place->server);
	rig_free(place->rig);
}

static uint32_t dax_mark(struct rig *rig, uint64_t dir, const char *name)
{
	struct fuse_entry_out entry = {0};

	assert_int_equal(rig_lookup(rig, dir, name, &entry), 0);
	return entry.attr.flags & FUSE_ATTR_DAX;
}

static uint32_t open_flags(struct rig *rig, uint64_t nodeid)
{
	struct fuse_open_in in = {.flags = O_RDONLY};
	struct fuse_open_out out;

	rig_begin(rig, FUSE_OPEN, nodeid);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	memcpy(&out, rig->body, sizeof(out));
	return out.open_flags;
}

/* What this host says of a mapping by itself. */
static int host_map_error(struct place *place)
{
	char path[128];
	void *page;
	int fd;

	snprintf(path, sizeof(path), "%s/" UNMAPPABLE_NAME, place->mount);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return page == MAP_FAILED ? -errno : 0;
}

static int setup(struct rig *rig, uint64_t nodeid)
{
	struct fuse_setupmapping_in in = {.fh = UINT64_MAX, .len = RANGE, .flags = FUSE_SETUPMAPPING_FLAG_READ};

	rig_begin(rig, FUSE_SETUPMAPPING, nodeid);
	rig_put(rig, &in, sizeof(in));
	return rig_send(rig, RIG_ROOM);
}

static void what_cannot_be_mapped_is_read(void **state)
{
	struct fuse_attr attr;
	struct place place;
	uint64_t nodeid, fh;

	(void)state;
	if (!open_place(&place))
		SKIP_FOR("no FUSE mounts here");
	assert_int_equal(host_map_error(&place), -ENODEV);
	assert_int_equal(dax_mark(place.rig, place.dir, UNMAPPABLE_NAME), 0);
	nodeid = rig_node(place.rig, place.dir, UNMAPPABLE_NAME);
	assert_int_equal(rig_getattr(place.rig, nodeid, &attr), 0);
	assert_int_equal(attr.flags & FUSE_ATTR_DAX, 0);
	assert_int_equal(rig_open(place.rig, nodeid, O_RDONLY, &fh), 0);
	assert_int_equal(rig_read(place.rig, nodeid, fh, 0, 100), 0);
	assert_int_equal(place.rig->body_len, strlen(UNMAPPABLE_TEXT));
	assert_memory_equal(place.rig->body, UNMAPPABLE_TEXT, strlen(UNMAPPABLE_TEXT));
	/* its pages are copies, which the next open must not find again */
	assert_int_equal(open_flags(place.rig, nodeid) & FOPEN_KEEP_CACHE, 0);
	assert_int_equal(setup(place.rig, nodeid), -ENODEV);
	close_place(&place);
}

static void its_neighbours_are_mapped(void **state)
{
	struct place place;
	uint64_t nodeid;

	(void)state;
	if (!open_place(&place))
		SKIP_FOR("no FUSE mounts here");
	host_file(place.rig, "f", "x", 1);
	assert_int_equal(dax_mark(place.rig, place.dir, UNMAPPABLE_NAME), 0);
	assert_int_equal(dax_mark(place.rig, FUSE_ROOT_ID, "f"), FUSE_ATTR_DAX);
	nodeid = rig_node(place.rig, FUSE_ROOT_ID, "f");
	assert_int_equal(open_flags(place.rig, nodeid) & FOPEN_KEEP_CACHE, FOPEN_KEEP_CACHE);
	assert_int_equal(setup(place.rig, nodeid), 0);
	close_place(&place);
}

static void count_warnings(void *arg, enum fl_log_level level, const char *line)
{
	unsigned int *warnings = arg;

	if (level == FL_LOG_WARN && strstr(line, "share data: ") && strstr(line, "dax=never"))
		++*warnings;
}

/* Nobody is to believe that a guest maps files which it copies. */
static void a_guest_that_maps_nothing_is_told_of(void **state)
{
	unsigned int warnings = 0;
	struct fl_log log = {.sink = count_warnings, .arg = &warnings, .level = FL_LOG_WARN};
	struct rig *rig = rig_new_with(RIG_WINDOW, (struct fl_fs_opts){.log = &log, .title = "data"});
	const uint64_t no_window = RIG_OFFER_ALL & ~(FUSE_MAP_ALIGNMENT | FUSE_HAS_INODE_DAX);

	(void)state;
	assert_int_equal(warnings, 0);
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL & ~FUSE_HAS_INODE_DAX, NULL), 0);
	assert_int_equal(warnings, 0);
	assert_int_equal(rig_init(rig, no_window, NULL), 0);
	assert_int_equal(warnings, 1);
	rig_free(rig);
	rig = rig_new_with(0, (struct fl_fs_opts){.log = &log, .title = "data"});
	assert_int_equal(rig_init(rig, no_window, NULL), 0);
	assert_int_equal(warnings, 1);
	rig_free(rig);
}

static uint32_t statx_mask(struct rig *rig, uint64_t nodeid)
{
	const uint64_t in[3] = {0};
	uint32_t mask;

	rig_begin(rig, FUSE_STATX, nodeid);
	rig_put(rig, in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	memcpy(&mask, rig->body + STATX_REPLY_MASK_AT, sizeof(mask));
	return mask;
}

/*
 * fs/fuse/dir.c fuse_do_statx() takes attributes over only if all basic ones are there, and then takes the file for one
 * without DAX. Where nothing is marked, all are there.
 */
static void statx_does_not_take_the_mark_away(void **state)
{
	struct rig *rig = rig_new(RIG_WINDOW);
	uint32_t mask;

	(void)state;
	host_file(rig, "f", "x", 1);
	mask = statx_mask(rig, rig_node(rig, FUSE_ROOT_ID, "f"));
	assert_int_not_equal(mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	assert_int_equal(mask | STATX_BLOCKS | STATX_BTIME, STATX_BASIC_STATS | STATX_BTIME);
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL & ~FUSE_HAS_INODE_DAX, NULL), 0);
	mask = statx_mask(rig, rig_node(rig, FUSE_ROOT_ID, "f"));
	assert_int_equal(mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	rig_free(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_cannot_be_mapped_is_read),
	cmocka_unit_test(its_neighbours_are_mapped),
	cmocka_unit_test(a_guest_that_maps_nothing_is_told_of),
	cmocka_unit_test(statx_does_not_take_the_mark_away),
};
FL_TEST_MAIN(30, tests)
