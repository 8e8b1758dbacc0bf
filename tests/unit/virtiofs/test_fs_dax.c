/* SPDX-License-Identifier: Apache-2.0 */
/* SETUPMAPPING and REMOVEMAPPING: what arrives in the window, and every number that must not. */
#include "fs_rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RANGE	   (UINT64_C(2) << 20)
#define WINDOW_LEN (UINT64_C(64) << 20)

/* fs/fuse/dax.c fuse_setup_one_mapping(): fh is -1, len always 2 MiB */
static int setup(struct rig *rig, uint64_t node, uint64_t foffset, uint64_t len, uint64_t flags, uint64_t moffset)
{
	struct fuse_setupmapping_in in = {
		.fh = UINT64_MAX, .foffset = foffset, .len = len, .flags = flags, .moffset = moffset};

	rig_begin(rig, FUSE_SETUPMAPPING, node);
	rig_put(rig, &in, sizeof(in));
	return rig_send(rig, RIG_ROOM);
}

static int removal(struct rig *rig, uint32_t count, const struct fuse_removemapping_one *ones, size_t sent)
{
	rig_begin(rig, FUSE_REMOVEMAPPING, FUSE_ROOT_ID);
	rig_put(rig, &count, sizeof(count));
	rig_put(rig, ones, sent * sizeof(*ones));
	return rig_send(rig, RIG_ROOM);
}

static enum fl_range_state range_state(struct rig *rig, uint64_t moffset)
{
	struct fl_window_view view;
	enum fl_range_state found;

	assert_true(fl_window_look(rig->window, moffset, &view));
	found = view.state;
	fl_window_view_put(&view);
	return found;
}

static uint64_t mapped_ranges(struct rig *rig)
{
	struct fl_window_stats stats;

	fl_window_get_stats(rig->window, &stats);
	return stats.ranges_mapped;
}

/* Whichever way the guest learns that the file goes on: no watch is needed for that, which may come late. */
static void what_the_guest_knows_to_be_there_is_the_files(void **state)
{
	struct rig *rig = rig_new(RIG_WINDOW);
	const struct fl_window_loss loss = {.ended = true};
	struct fuse_entry_out entry;
	struct fuse_attr attr;
	uint8_t *data = malloc(RANGE), *page = fl_window_hva(rig->window) + 5 * 4096;
	uint64_t node;

	(void)state;
	memset(data, 0x77, RANGE);
	host_file(rig, "f", data, RANGE);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_WRITE, 0), 0);
	for (int by_name = 0; by_name < 2; by_name++) {
		host_file(rig, "f", data, 4096);
		assert_int_equal(fl_window_substitute(rig->window, 5 * 4096, &loss), 0);
		assert_int_equal(rig_getattr(rig, node, &attr), 0);
		assert_int_equal(attr.size, 4096);
		assert_int_equal(page[1], 0); /* it still stands */
		host_file(rig, "f", data, RANGE);
		assert_int_equal(page[1], 0);
		if (by_name)
			assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "f", &entry), 0);
		else
			assert_int_equal(rig_getattr(rig, node, &attr), 0);
		assert_int_equal(page[1], 0x77);
	}
	free(data);
	rig_free(rig);
}

static void mapped_pages_are_the_files(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY | RIG_WINDOW);
	uint8_t *data = malloc(3 << 20);
	uint64_t node;

	(void)state;
	for (size_t i = 0; i < 3 << 20; i++)
		data[i] = (uint8_t)(i >> 12 ^ i);
	host_file(rig, "f", data, 3 << 20);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	/* the second range of the file first, elsewhere in the window */
	assert_int_equal(setup(rig, node, RANGE, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 5 * RANGE), 0);
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), 0);
	assert_memory_equal(fl_window_hva(rig->window), data, RANGE);
	assert_memory_equal(fl_window_hva(rig->window) + 5 * RANGE, data + RANGE, 1 << 20);
	assert_int_equal(range_state(rig, 0), FL_RANGE_MAPPED_RO);
	assert_int_equal(range_state(rig, RANGE), FL_RANGE_RESERVED);
	assert_int_equal(fl_fs_counters(rig->fs)->setup_mappings, 2);
	free(data);
	rig_free(rig);
}

static void a_range_grows_writable_in_place(void **state)
{
	struct rig *rig = rig_new(RIG_WINDOW);
	uint64_t node;
	char back[8];

	(void)state;
	host_file(rig, "f", "abcdef", 6);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, RANGE), 0);
	assert_int_equal(range_state(rig, RANGE), FL_RANGE_MAPPED_RO);
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ | FUSE_SETUPMAPPING_FLAG_WRITE, RANGE),
			 0);
	assert_int_equal(range_state(rig, RANGE), FL_RANGE_MAPPED_RW);
	fl_window_hva(rig->window)[RANGE + 1] = 'X';
	assert_int_equal(host_read(rig, "f", back, sizeof(back)), 6);
	assert_memory_equal(back, "aXcdef", 6);
	rig_free(rig);
}

/* Linux does not ask again when a file grows: all 2 MiB are mapped, also of an empty file. */
static void a_range_beyond_the_end_is_mapped_too(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY | RIG_WINDOW);
	uint8_t *at = fl_window_hva(rig->window);
	uint64_t node;

	(void)state;
	host_file(rig, "f", "", 0);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), 0);
	assert_int_equal(madvise(at, 4096, MADV_POPULATE_READ), -1);
	host_file(rig, "f", "grown", 5);
	assert_memory_equal(at, "grown", 5);
	rig_free(rig);
}

static void bad_setups_are_refused(void **state)
{
	const uint64_t r = FUSE_SETUPMAPPING_FLAG_READ;
	const struct {
		uint64_t foffset, len, flags, moffset;
		int error;
	} cases[] = {
		{0, 0, r, 0, -EINVAL},
		{0, 4096, r, 0, -EINVAL},
		{0, RANGE + 1, r, 0, -EINVAL},
		{4096, RANGE, r, 0, -EINVAL},
		{0, RANGE, r, 4096, -EINVAL},
		{0, RANGE, r, WINDOW_LEN, -EINVAL},
		{0, RANGE, r, WINDOW_LEN - RANGE + 1, -EINVAL},
		{0, 2 * RANGE, r, WINDOW_LEN - RANGE, -EINVAL},
		{0, WINDOW_LEN + RANGE, r, 0, -EINVAL},
		/* moffset + len wraps to something small */
		{0, RANGE, r, UINT64_MAX - RANGE + 1, -EINVAL},
		{0, 2 * RANGE, r, UINT64_MAX - RANGE + 1, -EINVAL},
		{0, UINT64_MAX - RANGE + 1, r, RANGE, -EINVAL},
		{0, UINT64_MAX - RANGE + 1, r, 2 * RANGE, -EINVAL},
		{0, UINT64_MAX, r, 0, -EINVAL},
		/* foffset + len wraps, or passes the largest offset */
		{UINT64_MAX - RANGE + 1, RANGE, r, 0, -EINVAL},
		{UINT64_MAX - RANGE + 1, 2 * RANGE, r, 0, -EINVAL},
		{UINT64_C(1) << 63, RANGE, r, 0, -EINVAL},
		{(UINT64_C(1) << 63) - RANGE, RANGE, r, 0, -EINVAL},
		{0, RANGE, 0, 0, -EINVAL},
		{0, RANGE, r | 4, 0, -EINVAL},
		{0, RANGE, UINT64_MAX, 0, -EINVAL},
	};
	struct rig *rig = rig_new(RIG_WINDOW);
	uint64_t node;

	(void)state;
	host_file(rig, "f", "x", 1);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	for (size_t i = 0; i < FL_ARRAY_SIZE(cases); i++)
		assert_int_equal(setup(rig, node, cases[i].foffset, cases[i].len, cases[i].flags, cases[i].moffset),
				 cases[i].error);
	assert_int_equal(mapped_ranges(rig), 0);
	rig_free(rig);
}

static void only_regular_files_are_mapped(void **state)
{
	struct rig *rig = rig_new(RIG_WINDOW);

	(void)state;
	assert_int_equal(mkfifoat(rig->dir_fd, "fifo", 0666), 0);
	assert_int_equal(symlinkat("/etc/passwd", rig->dir_fd, "link"), 0);
	assert_int_equal(setup(rig, FUSE_ROOT_ID, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), -EISDIR);
	assert_int_equal(setup(rig, rig_node(rig, FUSE_ROOT_ID, "fifo"), 0, RANGE, 2, 0), -EINVAL);
	assert_int_equal(setup(rig, rig_node(rig, FUSE_ROOT_ID, "link"), 0, RANGE, 2, 0), -EINVAL);
	assert_int_equal(setup(rig, 777, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), -ESTALE);
	assert_int_equal(mapped_ranges(rig), 0);
	rig_free(rig);
}

static void a_read_only_export_is_not_mapped_for_writing(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY | RIG_WINDOW);
	uint64_t node;

	(void)state;
	host_file(rig, "f", "x", 1);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), 0);
	assert_int_equal(setup(rig, node, 0, RANGE, 3, 0), -EROFS);
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_WRITE, 0), -EROFS);
	assert_int_equal(range_state(rig, 0), FL_RANGE_MAPPED_RO);
	rig_free(rig);
}

static void removal_takes_all_it_can(void **state)
{
	struct fuse_removemapping_one ones[3] = {{0, RANGE}, {WINDOW_LEN, RANGE}, {3 * RANGE, RANGE}};
	struct rig *rig = rig_new(RIG_READ_ONLY | RIG_WINDOW);
	uint64_t node;

	(void)state;
	host_file(rig, "f", "x", 1);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), 0);
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 3 * RANGE), 0);
	assert_int_equal(removal(rig, 3, ones, 3), -EINVAL); /* the second is none */
	assert_int_equal(mapped_ranges(rig), 0);
	assert_int_equal(removal(rig, 1, ones, 1), 0); /* again: nothing is there, which is fine */
	rig_free(rig);
}

static void lying_removals_are_refused(void **state)
{
	const struct fuse_removemapping_one bad[] = {
		{0, 0},
		{0, 4096},
		{4096, RANGE},
		{0, UINT64_MAX},
		{UINT64_MAX - RANGE + 1, RANGE},
		{UINT64_MAX - RANGE + 1, 2 * RANGE},
		{WINDOW_LEN - RANGE, 2 * RANGE},
		{RANGE, UINT64_MAX - RANGE + 1},
	};
	struct fuse_removemapping_one good = {0, RANGE};
	struct rig *rig = rig_new(RIG_READ_ONLY | RIG_WINDOW);
	uint64_t node;

	(void)state;
	host_file(rig, "f", "x", 1);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), 0);
	assert_int_equal(removal(rig, 0, NULL, 0), -EINVAL);
	assert_int_equal(removal(rig, 1, NULL, 0), -EINVAL);
	assert_int_equal(removal(rig, 2, &good, 1), -EINVAL);
	assert_int_equal(removal(rig, 0, &good, 1), -EINVAL);
	/* count * 16 wraps to 16 in 32 bits */
	assert_int_equal(removal(rig, 0x10000001, &good, 1), -EINVAL);
	assert_int_equal(removal(rig, UINT32_MAX, &good, 1), -EINVAL);
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++)
		assert_int_equal(removal(rig, 1, &bad[i], 1), -EINVAL);
	assert_int_equal(range_state(rig, 0), FL_RANGE_MAPPED_RO);
	rig_free(rig);
}

static void mappings_outlive_the_inode(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY | RIG_WINDOW);
	uint64_t node;

	(void)state;
	host_file(rig, "f", "still", 5);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), 0);
	rig_forget(rig, node, 1);
	assert_int_equal(fl_fs_counters(rig->fs)->inodes, 0);
	assert_memory_equal(fl_window_hva(rig->window), "still", 5);
	rig_free(rig);
}

static void destroy_init_and_reset_unmap_all(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY | RIG_WINDOW);

	(void)state;
	host_file(rig, "f", "x", 1);
	for (int how = 0; how < 3; how++) {
		uint64_t node = rig_node(rig, FUSE_ROOT_ID, "f");

		assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), 0);
		assert_int_equal(mapped_ranges(rig), 1);
		if (how == 0) {
			rig_begin(rig, FUSE_DESTROY, 0);
			assert_int_equal(rig_send(rig, RIG_ROOM), 0);
		} else if (how == 1) {
			fl_fs_reset(rig->fs);
		}
		assert_int_equal(rig_init(rig, RIG_OFFER_ALL, NULL), 0);
		assert_int_equal(mapped_ranges(rig), 0);
	}
	rig_free(rig);
}

static unsigned int open_descriptors(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Mapping for reading, then writing, then forgetting: no descriptor stays behind. */
static void descriptors_are_given_back(void **state)
{
	struct fuse_removemapping_one one = {0, RANGE};
	struct rig *rig = rig_new(RIG_WINDOW);
	unsigned int before = open_descriptors();

	(void)state;
	host_file(rig, "f", "x", 1);
	for (int i = 0; i < 50; i++) {
		uint64_t node = rig_node(rig, FUSE_ROOT_ID, "f");

		assert_int_equal(setup(rig, node, 0, RANGE, FUSE_SETUPMAPPING_FLAG_READ, 0), 0);
		assert_int_equal(setup(rig, node, 0, RANGE, 3, 0), 0);
		assert_int_equal(removal(rig, 1, &one, 1), 0);
		rig_forget(rig, node, 1);
	}
	assert_int_equal(open_descriptors(), before);
	rig_free(rig);
}

static void many_mapped_files_hold_few_descriptors(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY | RIG_WINDOW);
	unsigned int before = open_descriptors();

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		char name[2] = {(char)('0' + i % 64), 0};

		host_file(rig, name, "x", 1);
		assert_int_equal(setup(rig, rig_node(rig, FUSE_ROOT_ID, name), 0, RANGE, 2, 0), 0);
	}
	/* 64 inodes and their 64 files; the window's one range is among these */
	assert_in_range(open_descriptors() - before, 65, 128);
	rig_free(rig);
}

static void files_are_marked_for_dax(void **state)
{
	struct rig *rig = rig_new(RIG_READ_ONLY | RIG_WINDOW);
	struct fuse_open_in in = {.flags = O_RDONLY};
	struct fuse_open_out out;
	struct fuse_entry_out entry = {0};

	(void)state;
	host_file(rig, "f", "x", 1);
	assert_int_equal(mkdirat(rig->dir_fd, "d", 0755), 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "d", &entry), 0);
	assert_int_equal(entry.attr.flags & FUSE_ATTR_DAX, 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "f", &entry), 0);
	assert_int_equal(entry.attr.flags & FUSE_ATTR_DAX, FUSE_ATTR_DAX);
	rig_begin(rig, FUSE_OPEN, entry.nodeid);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	memcpy(&out, rig->body, sizeof(out));
	assert_true(out.open_flags & FOPEN_KEEP_CACHE);
	/* mounted with dax=never: neither is offered */
	assert_int_equal(rig_init(rig, RIG_OFFER_ALL & ~(FUSE_MAP_ALIGNMENT | FUSE_HAS_INODE_DAX), NULL), 0);
	assert_int_equal(rig_lookup(rig, FUSE_ROOT_ID, "f", &entry), 0);
	assert_int_equal(entry.attr.flags, 0);
	rig_begin(rig, FUSE_OPEN, entry.nodeid);
	rig_put(rig, &in, sizeof(in));
	assert_int_equal(rig_send(rig, RIG_ROOM), 0);
	memcpy(&out, rig->body, sizeof(out));
	assert_false(out.open_flags & FOPEN_KEEP_CACHE);
	rig_free(rig);
}

static void without_a_window_there_is_no_mapping(void **state)
{
	struct fuse_removemapping_one one = {0, RANGE};
	struct rig *rig = rig_new(RIG_READ_ONLY);

	(void)state;
	host_file(rig, "f", "x", 1);
	assert_int_equal(setup(rig, rig_node(rig, FUSE_ROOT_ID, "f"), 0, RANGE, 2, 0), -EOPNOTSUPP);
	assert_int_equal(removal(rig, 1, &one, 1), -EOPNOTSUPP);
	rig_free(rig);
}

/* A READ into, and a WRITE out of, window pages whose file has shrunk: an error, never a signal. */
static void dead_window_pages_as_buffers(void **state)
{
	struct rig *rig = rig_new(RIG_WINDOW);
	struct fuse_read_in read_in = {.size = 4096};
	struct fuse_write_in write_in = {.size = 10};
	uint64_t other, shrunk;

	(void)state;
	host_file(rig, "other", "0123456789", 10);
	host_file(rig, "shrunk", "will shrink", 11);
	other = rig_node(rig, FUSE_ROOT_ID, "other");
	shrunk = rig_node(rig, FUSE_ROOT_ID, "shrunk");
	assert_int_equal(setup(rig, shrunk, 0, RANGE, 3, 0), 0);
	assert_int_equal(rig_open(rig, other, O_RDWR, &read_in.fh), 0);
	write_in.fh = read_in.fh;
	host_file(rig, "shrunk", "", 0);
	rig->payload = fl_window_hva(rig->window);
	rig_begin(rig, FUSE_READ, other);
	rig_put(rig, &read_in, sizeof(read_in));
	assert_int_equal(rig_send(rig, 16 + 4096), -EFAULT);
	rig_begin(rig, FUSE_WRITE, other);
	rig_put(rig, &write_in, sizeof(write_in));
	rig_put(rig, "..........", 10);
	assert_int_equal(rig_send(rig, RIG_ROOM), -EFAULT);
	assert_int_equal(host_stat(rig, "other").st_size, 10);
	rig_free(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(mapped_pages_are_the_files),
	cmocka_unit_test(what_the_guest_knows_to_be_there_is_the_files),
	cmocka_unit_test(a_range_grows_writable_in_place),
	cmocka_unit_test(a_range_beyond_the_end_is_mapped_too),
	cmocka_unit_test(bad_setups_are_refused),
	cmocka_unit_test(only_regular_files_are_mapped),
	cmocka_unit_test(a_read_only_export_is_not_mapped_for_writing),
	cmocka_unit_test(removal_takes_all_it_can),
	cmocka_unit_test(lying_removals_are_refused),
	cmocka_unit_test(mappings_outlive_the_inode),
	cmocka_unit_test(destroy_init_and_reset_unmap_all),
	cmocka_unit_test(descriptors_are_given_back),
	cmocka_unit_test(many_mapped_files_hold_few_descriptors),
	cmocka_unit_test(files_are_marked_for_dax),
	cmocka_unit_test(without_a_window_there_is_no_mapping),
	cmocka_unit_test(dead_window_pages_as_buffers),
};
FL_TEST_MAIN(30, tests)
