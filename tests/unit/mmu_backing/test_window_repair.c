/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The invariant of window.h under a kernel that fails at the worst moment, whole ranges. Whether there is a hole is
 * asked with mincore(2), not of the window.
 */
#include "mmap_fault.h"
#include "tests/lib/host_limits.h"

#include <sys/socket.h>

#include "mmu_backing/fault_site.h"

#define WINDOW_LEN (8 * RANGE)

/* ---- a window with something in it ------------------------------------------------------ */

struct fixture {
	struct fl_window *window;
	uint8_t *hva;
	struct fl_backing *old, *new;
};

/* Range 2 maps old's second range read-only, range 3 its first, writable; all others nothing. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd = test_memfd(2 * RANGE);

	memset(&fault, 0, sizeof(fault));
	test_fill(fd, 0, 2 * RANGE);
	f->window = test_window(WINDOW_LEN);
	f->hva = fl_window_hva(f->window);
	f->old = test_backing(fd);
	f->new = test_backing(test_memfd(4 * RANGE));
	assert_int_equal(fl_window_map(f->window, 2 * RANGE, RANGE, f->old, RANGE, false), 0);
	assert_int_equal(fl_window_map(f->window, 3 * RANGE, RANGE, f->old, 0, true), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	memset(&fault, 0, sizeof(fault));
	fl_window_free(f->window);
	assert_int_equal(f->old->refs, 1);
	assert_int_equal(f->new->refs, 1);
	fl_backing_unref(f->old);
	fl_backing_unref(f->new);
	free(f);
	return 0;
}

static void assert_range(const struct fixture *f, uint64_t range, const char *perms, enum fl_range_state state,
			 const struct fl_backing *backing, uint64_t file_offset)
{
	struct test_mapping mapping = test_mapping_at(f->hva + range * RANGE);
	struct fl_window_view view;

	assert_string_equal(mapping.perms, perms);
	assert_true(fl_window_look(f->window, range * RANGE, &view));
	assert_int_equal(view.state, state);
	assert_ptr_equal(view.backing, backing);
	fl_window_view_put(&view);
	if (backing) {
		assert_int_equal(mapping.ino, backing->ino);
		assert_int_equal(mapping.offset, file_offset);
		assert_int_equal(view.file_offset, file_offset);
	}
}

/* All of the range is mapped as far as the window knows, and nothing there as far as the kernel does. */
static void assert_hidden(const struct fixture *f, uint64_t range)
{
	struct fl_window_view view;

	assert_string_equal(test_mapping_at(f->hva + range * RANGE).perms, "---s");
	assert_string_equal(test_mapping_at(f->hva + range * RANGE + RANGE - 1).perms, "---s");
	assert_true(fl_window_look(f->window, range * RANGE + RANGE - 1, &view));
	assert_true(view.hidden);
	assert_ptr_equal(view.backing, f->old);
	fl_window_view_put(&view);
}

static void assert_as_set_up(const struct fixture *f)
{
	for (uint64_t i = 0; i < 8; i++)
		if (i != 2 && i != 3)
			assert_range(f, i, "---s", FL_RANGE_RESERVED, NULL, 0);
	assert_range(f, 2, "r--s", FL_RANGE_MAPPED_RO, f->old, RANGE);
	assert_range(f, 3, "rw-s", FL_RANGE_MAPPED_RW, f->old, 0);
	assert_int_equal(f->hva[2 * RANGE + 99], test_byte(RANGE + 99));
	assert_int_equal(f->hva[3 * RANGE + 99], test_byte(99));
	assert_true(test_no_hole(f->hva, WINDOW_LEN));
	assert_false(fl_window_is_broken(f->window));
}

/* The danger itself: what anybody maps next must not be in the window. */
static void assert_nothing_lands_inside(const struct fixture *f)
{
	uint8_t *got[64];

	for (size_t i = 0; i < FL_ARRAY_SIZE(got); i++) {
		got[i] = mmap(NULL, RANGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(got[i], MAP_FAILED);
		assert_true(got[i] + RANGE <= f->hva || got[i] >= f->hva + WINDOW_LEN);
	}
	for (size_t i = 0; i < FL_ARRAY_SIZE(got); i++)
		munmap(got[i], RANGE);
}

static uint64_t repairs(const struct fixture *f)
{
	struct fl_window_stats stats;

	fl_window_get_stats(f->window, &stats);
	return stats.repairs;
}

/* ---- failures the window survives ------------------------------------------------------- */

static void test_unmappable_file_never_reaches_the_window(void **state)
{
	struct fixture *f = *state;
	struct fl_backing sock = {.refs = 1, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .writable = true};

	arm(FAIL_NOT, 0, 0);
	assert_int_equal(fl_window_map(f->window, 2 * RANGE, RANGE, &sock, 0, false), -ENODEV);
	assert_int_equal(fault.replacing, 0);
	assert_int_equal(sock.refs, 1);
	assert_as_set_up(f);
	close(sock.fd);
}

static void test_early_failure_leaves_the_old(void **state)
{
	struct fixture *f = *state;

	arm(FAIL_EARLY, 0, 1);
	assert_int_equal(fl_window_map(f->window, 2 * RANGE, 2 * RANGE, f->new, 0, true), -ENOMEM);
	assert_int_equal(fault.failed, 1);
	assert_int_equal(repairs(f), 0);
	assert_as_set_up(f);
	arm(FAIL_EARLY, 0, 1);
	assert_int_equal(fl_window_map(f->window, 0, 8 * RANGE, f->new, 0, true), -ENOMEM);
	assert_as_set_up(f);
}

static void test_hole_is_closed(void **state)
{
	struct fixture *f = *state;
	static const enum failure how[] = {FAIL_SOCKET, FAIL_HOLE};

	for (size_t i = 0; i < FL_ARRAY_SIZE(how); i++) {
		uint64_t before = repairs(f);

		arm(how[i], 0, 1);
		assert_int_equal(fl_window_map(f->window, 5 * RANGE, 2 * RANGE, f->new, 0, true), -ENODEV);
		assert_int_equal(fault.failed, 1);
		assert_true(fault.left_hole || how[i] == FAIL_SOCKET);
		assert_int_equal(repairs(f) - before, fault.left_hole);
		assert_as_set_up(f);
		assert_nothing_lands_inside(f);
	}
}

static void test_swallowed_mappings_come_back(void **state)
{
	struct fixture *f = *state;
	static const enum failure how[] = {FAIL_SOCKET, FAIL_HOLE};

	for (size_t i = 0; i < FL_ARRAY_SIZE(how); i++) {
		arm(how[i], 0, 1);
		assert_int_equal(fl_window_map(f->window, RANGE, 4 * RANGE, f->new, 0, true), -ENODEV);
		assert_int_equal(fault.failed, 1);
		assert_as_set_up(f);
		assert_nothing_lands_inside(f);
		arm(how[i], 0, 1);
		assert_int_equal(fl_window_map(f->window, 2 * RANGE, RANGE, f->old, RANGE, true),
				 -ENODEV); /* upgrade */
		assert_as_set_up(f);
	}
	assert_int_equal(fl_window_map(f->window, RANGE, 4 * RANGE, f->new, 0, true), 0);
	assert_range(f, 4, "rw-s", FL_RANGE_MAPPED_RW, f->new, 3 * RANGE);
}

/* Hidden, until somebody asks again. */
static void test_what_does_not_come_back_is_hidden(void **state)
{
	struct fixture *f = *state;

	arm(FAIL_HOLE, 0, 2); /* the map, and bringing back range 2 */
	assert_int_equal(fl_window_map(f->window, 2 * RANGE, 2 * RANGE, f->new, 0, true), -ENODEV);
	assert_int_equal(fault.failed, 2);
	assert_hidden(f, 2);
	assert_range(f, 3, "rw-s", FL_RANGE_MAPPED_RW, f->old, 0);
	assert_true(test_no_hole(f->hva, WINDOW_LEN));
	arm(FAIL_HOLE, 0, 1);
	assert_int_equal(fl_window_map(f->window, 3 * RANGE, RANGE, f->new, 0, true), -ENODEV);
	arm(FAIL_EARLY, 0, 1);
	assert_int_equal(fl_window_map(f->window, 3 * RANGE, RANGE, f->new, 0, true), -ENOMEM);
	assert_range(f, 3, "rw-s", FL_RANGE_MAPPED_RW, f->old, 0);
	assert_hidden(f, 2);
	assert_false(fl_window_is_broken(f->window));
	assert_nothing_lands_inside(f);
	fl_window_follow_file(f->window, f->old->dev, f->old->ino, 2 * RANGE);
	assert_as_set_up(f);
}

static void test_failing_unmap(void **state)
{
	struct fixture *f = *state;

	arm(FAIL_EARLY, 0, 1);
	assert_int_equal(fl_window_unmap(f->window, 2 * RANGE, RANGE), -ENOMEM);
	assert_as_set_up(f);
	arm(FAIL_HOLE, 0, 1);
	assert_int_equal(fl_window_unmap(f->window, 2 * RANGE, 2 * RANGE), -ENODEV);
	assert_as_set_up(f);
	/* all at once fails, so one by one */
	arm(FAIL_EARLY, 0, 1);
	fl_window_unmap_all(f->window);
	for (uint64_t i = 0; i < 8; i++)
		assert_range(f, i, "---s", FL_RANGE_RESERVED, NULL, 0);
}

/* ---- and the one it does not ------------------------------------------------------------ */

static void count_call(void *arg)
{
	(*(unsigned int *)arg)++;
}

static void test_foreign_mapping_breaks_the_window_and_is_left_alone(void **state)
{
	unsigned int told = 0;
	struct fixture *f = *state;
	struct fl_gpa_map map = {0};
	struct fl_region region = test_window_region(f->window, FL_GIB);
	const struct fl_possible possible = {true, true, true};
	struct fl_probe probe;
	struct fl_finding finding;
	struct stat st;
	unsigned int at = 0;
	int fd = test_memfd(PAGE);

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fl_gpa_map_add(&map, &region, NULL), 0);
	arm_foreign(PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	fl_window_set_on_broken(f->window, count_call, &told);
	assert_int_equal(fl_window_map(f->window, 2 * RANGE, 2 * RANGE, f->new, 0, true), -ENOTRECOVERABLE);
	assert_true(fl_window_is_broken(f->window));
	assert_int_equal(told, 1);
	assert_range(f, 3, "---s", FL_RANGE_RESERVED, NULL, 0); /* this half was still free */

	/* nothing that is done to the window now may touch what is somebody else's */
	assert_int_equal(fl_window_map(f->window, 2 * RANGE, RANGE, f->new, 0, true), -ENOTRECOVERABLE);
	assert_int_equal(fl_window_map(f->window, 6 * RANGE, RANGE, f->new, 0, true), -ENOTRECOVERABLE);
	assert_int_equal(fl_window_unmap(f->window, 2 * RANGE, RANGE), -ENOTRECOVERABLE);
	fl_window_unmap_all(f->window);
	assert_int_equal(test_mapping_at(fault.foreign).ino, st.st_ino);

	fl_probe_page(&map, FL_GIB + 2 * RANGE + PAGE, false, &probe);
	finding = fl_classify(&probe, FL_GIB + 2 * RANGE + PAGE, FL_ACCESS_READ);
	fl_probe_put(&probe);
	assert_int_equal(finding.verdict, FL_VERDICT_HOLE);
	assert_int_equal(fl_decide(&region, &finding, &possible, &at), FL_ACTION_STOP);

	fl_window_free(f->window);
	assert_int_equal(test_mapping_at(fault.foreign).ino, st.st_ino);
	munmap(fault.foreign, PAGE);
	close(fd);
	f->window = NULL;
}

/* Another's mapping that fills the whole hole and looks as ours did is still another's. */
static void breaks_under(const struct fixture *f, uint64_t range)
{
	assert_int_equal(fl_window_map(f->window, range * RANGE, RANGE, f->new, 0, true), -ENOTRECOVERABLE);
	assert_int_equal(fault.failed, 1);
	assert_true(fl_window_is_broken(f->window));
	munmap(fault.foreign, fault.lands.len);
}

static void test_foreign_reservation_is_noticed(void **state)
{
	/* as thread stacks and malloc's arenas begin, to be made accessible later */
	arm_foreign(0, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	breaks_under(*state, 5);
}

static void test_foreign_file_is_noticed(void **state)
{
	int fd = test_memfd(2 * RANGE);

	arm_foreign(0, RANGE, PROT_READ, MAP_SHARED, fd, RANGE); /* as range 2, but for the file */
	breaks_under(*state, 2);
	close(fd);
}

static void test_same_file_elsewhere_is_noticed(void **state)
{
	struct fixture *f = *state;

	arm_foreign(0, RANGE, PROT_READ, MAP_SHARED, f->old->fd, 0); /* as range 2, but for the offset */
	breaks_under(f, 2);
}

/* Only the end of the hole is taken, by what would be right there. */
static void test_rest_of_a_hole_is_noticed(void **state)
{
	struct fixture *f = *state;

	arm_foreign(PAGE, RANGE - PAGE, PROT_READ, MAP_SHARED, f->old->fd, RANGE + PAGE);
	breaks_under(f, 2);
	arm(FAIL_NOT, 0, 0);
}

/* ---- the real limit --------------------------------------------------------------------- */

/*
 * With vm.max_map_count used up but for 0, 1, 2... mappings, some calls fail in the first try and
 * some in the window itself. None may change anything. Alternating protections keep neighbours
 * from merging: every page of `filler` is one mapping.
 */
static void test_mappings_run_out(void **state)
{
	struct fixture *f = *state;
	size_t limit = test_map_count_max(), made = 0;
	bool failed_inside = false;
	uint8_t *filler;

	if (!limit || limit > 200000)
		skip();
	filler = mmap(NULL, 2 * limit * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(filler, MAP_FAILED);
	while (made < limit && mprotect(filler + 2 * made * PAGE, PAGE, PROT_READ) == 0)
		made++;
	assert_true(made < limit);
	assert_int_equal(errno, ENOMEM);
	for (size_t freed = 0; freed < 6; freed++) {
		int error;

		arm(FAIL_NOT, 0, 0);
		error = fl_window_map(f->window, 6 * RANGE, RANGE, f->new, 0, false);
		if (!error)
			break;
		assert_int_equal(error, -ENOMEM);
		failed_inside |= fault.replacing > 0;
		assert_int_equal(mprotect(filler + 2 * (made - 1 - freed) * PAGE, PAGE, PROT_NONE), 0);
	}
	munmap(filler, 2 * limit * PAGE);
	assert_true(failed_inside);
	assert_range(f, 6, "r--s", FL_RANGE_MAPPED_RO, f->new, 0);
	assert_int_equal(fl_window_unmap(f->window, 6 * RANGE, RANGE), 0);
	assert_as_set_up(f);
	assert_int_equal(repairs(f), 0);
}

#define REPAIR_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	REPAIR_TEST(test_unmappable_file_never_reaches_the_window),
	REPAIR_TEST(test_early_failure_leaves_the_old),
	REPAIR_TEST(test_hole_is_closed),
	REPAIR_TEST(test_swallowed_mappings_come_back),
	REPAIR_TEST(test_what_does_not_come_back_is_hidden),
	REPAIR_TEST(test_failing_unmap),
	REPAIR_TEST(test_foreign_mapping_breaks_the_window_and_is_left_alone),
	REPAIR_TEST(test_foreign_reservation_is_noticed),
	REPAIR_TEST(test_foreign_file_is_noticed),
	REPAIR_TEST(test_same_file_elsewhere_is_noticed),
	REPAIR_TEST(test_rest_of_a_hole_is_noticed),
	REPAIR_TEST(test_mappings_run_out),
};

FL_TEST_MAIN(60, tests)
