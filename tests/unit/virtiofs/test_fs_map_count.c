/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that maps while the process has no mappings left gets an error, the host is told, and the rest goes on. */
#include "fs_rig.h"
#include "tests/lib/host_limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RANGE (UINT64_C(2) << 20)
#define PAGE  UINT64_C(4096)

static int setup(struct rig *rig, uint64_t node, uint64_t moffset, uint64_t flags)
{
	struct fuse_setupmapping_in in = {.fh = UINT64_MAX, .len = RANGE, .flags = flags, .moffset = moffset};

	rig_begin(rig, FUSE_SETUPMAPPING, node);
	rig_put(rig, &in, sizeof(in));
	return rig_send(rig, RIG_ROOM);
}

static int removal(struct rig *rig, uint64_t moffset)
{
	const struct fuse_removemapping_one one = {.moffset = moffset, .len = RANGE};
	const uint32_t count = 1;

	rig_begin(rig, FUSE_REMOVEMAPPING, FUSE_ROOT_ID);
	rig_put(rig, &count, sizeof(count));
	rig_put(rig, &one, sizeof(one));
	return rig_send(rig, RIG_ROOM);
}

/* Pages of alternating protection do not merge: each is a mapping. How many pages were made accessible comes back. */
static size_t use_up_mappings(uint8_t *filler, size_t most)
{
	size_t made = 0;

	while (made < most && mprotect(filler + 2 * made * PAGE, PAGE, PROT_READ) == 0)
		made++;
	assert_true(made < most);
	assert_int_equal(errno, ENOMEM);
	return made;
}

static void count_trouble(void *arg, enum fl_window_trouble trouble, const struct fl_window_stats *stats)
{
	unsigned int *told = arg;

	(void)stats;
	told[trouble]++;
}

static void no_mappings_left_is_enospc_and_told(void **state)
{
	struct rig *rig = rig_new(RIG_WINDOW);
	size_t limit = test_map_count_max();
	unsigned int told[3] = {0}, failures = 0;
	uint8_t *filler;
	struct fuse_attr attr;
	uint64_t node;
	size_t made;

	(void)state;
	if (!limit || limit > 200000) {
		rig_free(rig);
		SKIP_FOR("vm.max_map_count cannot be used up here");
	}
	fl_window_set_on_trouble(rig->window, count_trouble, told);
	host_file(rig, "f", "abc", 3);
	node = rig_node(rig, FUSE_ROOT_ID, "f");
	assert_int_equal(setup(rig, node, RANGE, FUSE_SETUPMAPPING_FLAG_READ), 0);
	filler = mmap(NULL, 2 * limit * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(filler, MAP_FAILED);
	made = use_up_mappings(filler, limit);
	/* a new mapping between two that are there needs two more; nothing may take a retry for an answer */
	for (unsigned int i = 0; i < 20; i++)
		failures += setup(rig, node, (4 + 2 * i % 20) * RANGE, FUSE_SETUPMAPPING_FLAG_READ) == -ENOSPC;
	assert_int_equal(failures, 20);
	assert_int_equal(told[FL_WINDOW_NO_MAPPINGS], 1);
	/* what is mapped stays so, and everything else is served */
	assert_memory_equal(fl_window_hva(rig->window) + RANGE, "abc", 3);
	assert_int_equal(rig_getattr(rig, node, &attr), 0);
	assert_int_equal(setup(rig, node, RANGE, FUSE_SETUPMAPPING_FLAG_READ | FUSE_SETUPMAPPING_FLAG_WRITE), 0);
	assert_int_equal(removal(rig, RANGE), 0);
	munmap(filler, 2 * made * PAGE);
	munmap(filler + 2 * made * PAGE, 2 * (limit - made) * PAGE);
	assert_int_equal(setup(rig, node, 4 * RANGE, FUSE_SETUPMAPPING_FLAG_READ), 0);
	assert_memory_equal(fl_window_hva(rig->window) + 4 * RANGE, "abc", 3);
	assert_false(fl_window_is_broken(rig->window));
	rig_free(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_mappings_left_is_enospc_and_told),
};

FL_TEST_MAIN(60, tests)
