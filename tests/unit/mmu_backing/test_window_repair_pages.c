/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The invariant of window.h under a kernel that fails at the worst moment, where a range is not one piece: pages that
 * are hidden, substituted, or about to be.
 */
#include "mmap_fault.h"

#define WINDOW_LEN (4 * RANGE)
#define END	   (7 * PAGE) /* of the file, once it is cut */
#define SUBST	   (9 * PAGE) /* a substituted page among the hidden ones */
#define SUBST_2	   (3 * PAGE) /* and one among the file's */

struct fixture {
	struct fl_window *window;
	uint8_t *hva; /* of range 1, which maps the file's first */
	struct fl_backing *file, *other;
};

static void tell(const struct fixture *f, uint64_t len)
{
	fl_window_follow_file(f->window, f->file->dev, f->file->ino, len);
}

static void resize(const struct fixture *f, uint64_t len)
{
	assert_int_equal(ftruncate(f->file->fd, (off_t)len), 0);
	tell(f, len);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd = test_memfd(0);

	memset(&fault, 0, sizeof(fault));
	test_fill(fd, 0, RANGE);
	f->window = test_window(WINDOW_LEN);
	fl_window_set_watch(f->window, NULL, true);
	f->hva = fl_window_hva(f->window) + RANGE;
	f->file = test_backing(fd);
	f->other = test_backing(test_memfd(2 * RANGE));
	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->file, 0, true), 0);
	*state = f;
	return 0;
}

/* File up to END, then nothing, but for two substituted pages that hold 0x33. */
static int setup_pieces(void **state)
{
	struct fixture *f;

	setup(state);
	f = *state;
	resize(f, END);
	assert_int_equal(fl_window_substitute(f->window, RANGE + SUBST, &any_loss), 0);
	assert_int_equal(fl_window_substitute(f->window, RANGE + SUBST_2, &any_loss), 0);
	f->hva[SUBST] = 0x33;
	f->hva[SUBST_2] = 0x33;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	memset(&fault, 0, sizeof(fault));
	fl_window_free(f->window);
	assert_int_equal(f->file->refs, 1);
	assert_int_equal(f->other->refs, 1);
	fl_backing_unref(f->file);
	fl_backing_unref(f->other);
	free(f);
	return 0;
}

static uint64_t repairs(const struct fixture *f)
{
	struct fl_window_stats stats;

	fl_window_get_stats(f->window, &stats);
	return stats.repairs;
}

static void assert_sound(const struct fixture *f)
{
	assert_true(test_no_hole(fl_window_hva(f->window), WINDOW_LEN));
	assert_false(fl_window_is_broken(f->window));
}

static void assert_file_until(const struct fixture *f, uint64_t end)
{
	for (uint64_t at = 0; at < RANGE; at += PAGE)
		assert_int_equal(test_peek(f->hva + at), at < end ? test_byte(at) : -1);
	assert_sound(f);
}

/* As setup_pieces() made it; a repair costs what was written to the substitutes. */
static void assert_pieces(const struct fixture *f, int substituted)
{
	for (uint64_t at = 0; at < RANGE; at += PAGE) {
		bool is_substitute = at == SUBST || at == SUBST_2;

		assert_int_equal(test_peek(f->hva + at), is_substitute ? substituted : at < END ? test_byte(at) : -1);
	}
	assert_string_equal(test_mapping_at(f->hva + SUBST - PAGE).perms, "---s");
	assert_string_equal(test_mapping_at(f->hva + SUBST).perms, "rw-p");
	assert_string_equal(test_mapping_at(f->hva + SUBST_2).perms, "rw-p");
	assert_string_equal(test_mapping_at(f->hva + SUBST + PAGE).perms, "---s");
	assert_int_equal(test_mapping_at(f->hva + SUBST_2 + PAGE).ino, f->file->ino);
	assert_sound(f);
}

static void test_one_mmap_a_stretch(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 2 * RANGE, RANGE, f->other, 0, true), 0);
	arm(FAIL_NOT, 0, 0);
	resize(f, END);
	assert_int_equal(fault.replacing, 1);
	resize(f, END - 1);
	assert_int_equal(fault.replacing, 1);
	assert_int_equal(fl_window_substitute(f->window, RANGE + SUBST, &any_loss), 0);
	assert_int_equal(fault.replacing, 2);
	resize(f, 0); /* [0, END); what is beyond is gone already */
	assert_int_equal(fault.replacing, 3);
	test_fill(f->file->fd, 0, RANGE);
	tell(f, RANGE); /* all of it in one, the substitute included */
	assert_int_equal(fault.replacing, 4);
	assert_file_until(f, RANGE);
}

static void test_end_that_cannot_be_hidden_at_once(void **state)
{
	struct fixture *f = *state;
	static const enum failure how[] = {FAIL_EARLY, FAIL_SOCKET, FAIL_HOLE};

	for (size_t i = 0; i < FL_ARRAY_SIZE(how); i++) {
		arm(how[i], 0, 1);
		resize(f, END);
		assert_int_equal(fault.failed, 1);
		assert_string_equal(test_mapping_at(f->hva + END).perms, "rw-s");
		assert_file_until(f, END);
		tell(f, END); /* the same news: but something is still to be done */
		assert_string_equal(test_mapping_at(f->hva + END).perms, "---s");
		assert_file_until(f, END);
		test_fill(f->file->fd, 0, RANGE);
		tell(f, RANGE);
		assert_file_until(f, RANGE);
	}
	assert_true(repairs(f) > 0);
}

static void test_growth_that_cannot_be_shown_at_once(void **state)
{
	struct fixture *f = *state;
	static const enum failure how[] = {FAIL_EARLY, FAIL_SOCKET, FAIL_HOLE};

	for (size_t i = 0; i < FL_ARRAY_SIZE(how); i++) {
		resize(f, END);
		test_fill(f->file->fd, 0, RANGE);
		arm(how[i], 0, 1);
		tell(f, RANGE);
		assert_int_equal(fault.failed, 1);
		assert_file_until(f, END);
		tell(f, RANGE);
		assert_file_until(f, RANGE);
	}
}

static void test_map_that_cannot_hide(void **state)
{
	struct fixture *f = *state;

	resize(f, END);
	arm(FAIL_EARLY, 1, 1); /* the map itself passes */
	assert_int_equal(fl_window_map(f->window, 2 * RANGE, RANGE, f->file, 0, true), -ENOMEM);
	assert_int_equal(fault.failed, 1);
	assert_string_equal(test_mapping_at(f->hva + RANGE).perms, "---s");
	assert_file_until(f, END);
	assert_int_equal(fl_window_map(f->window, 2 * RANGE, RANGE, f->file, 0, true), 0);
	assert_int_equal(test_peek(f->hva + RANGE + END - 1), test_byte(END - 1));
	assert_int_equal(test_peek(f->hva + RANGE + END), -1);
}

static void test_failing_substitute(void **state)
{
	struct fixture *f = *state;

	arm(FAIL_EARLY, 0, 1);
	assert_int_equal(fl_window_substitute(f->window, RANGE + 4 * PAGE, &any_loss), -ENOMEM);
	assert_pieces(f, 0x33);
	arm(FAIL_HOLE, 0, 1);
	assert_int_equal(fl_window_substitute(f->window, RANGE + 4 * PAGE, &any_loss), -ENODEV);
	assert_true(fault.left_hole);
	assert_pieces(f, 0x33);
	arm(FAIL_HOLE, 0, 1);
	assert_int_equal(fl_window_substitute(f->window, RANGE + END, &any_loss), -ENODEV);
	assert_pieces(f, 0x33);
}

static void test_pieces_survive_an_early_failure(void **state)
{
	struct fixture *f = *state;

	arm(FAIL_EARLY, 0, 1);
	assert_int_equal(fl_window_map(f->window, RANGE, 2 * RANGE, f->other, 0, true), -ENOMEM);
	assert_int_equal(fault.failed, 1);
	assert_pieces(f, 0x33);
	arm(FAIL_EARLY, 0, 1);
	assert_int_equal(fl_window_unmap(f->window, 0, WINDOW_LEN), -ENOMEM);
	assert_pieces(f, 0x33);
	assert_int_equal(repairs(f), 0);
}

static void test_swallowed_pieces_come_back(void **state)
{
	struct fixture *f = *state;

	arm(FAIL_HOLE, 0, 1);
	assert_int_equal(fl_window_map(f->window, 0, WINDOW_LEN / 2, f->other, 0, true), -ENODEV);
	assert_int_equal(fault.failed, 1);
	assert_pieces(f, 0);
	assert_int_equal(repairs(f), 1);
	test_fill(f->file->fd, 0, RANGE);
	tell(f, RANGE); /* the one beyond the end is the file's again, the other one never was beyond it */
	assert_int_equal(test_peek(f->hva + SUBST), test_byte(SUBST));
	assert_int_equal(test_peek(f->hva + SUBST_2), 0);
}

/* Every one of the mappings that bring the pieces back fails in turn. */
static void test_pieces_that_do_not_come_back(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 4; i++) { /* file, substitute, file, substitute */
		struct fl_window_stats stats;

		arm(FAIL_HOLE, 0, 1);
		assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->other, 0, true), -ENODEV);
		arm(FAIL_HOLE, 0, 2);
		/* the map fails, i pieces come back, the next does not */
		fault.skip_after_first = i;
		assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->other, 0, true), -ENODEV);
		assert_int_equal(fault.failed, 2);
		assert_sound(f);
		fl_window_get_stats(f->window, &stats);
		assert_int_equal(stats.substitutes, i % 2 ? 1 : 2);
		tell(f, END);
		resize(f, END - 1);
		assert_int_equal(fl_window_substitute(f->window, RANGE + SUBST, &any_loss), 0);
		assert_int_equal(fl_window_substitute(f->window, RANGE + SUBST_2, &any_loss), 0);
		assert_pieces(f, 0);
	}
}

/* What lands in the hole that one failing page leaves is noticed, and left alone. */
static void lands(const struct fixture *f, uint64_t at, uint64_t len, int prot, int flags, int fd)
{
	arm_foreign(at, len, prot, flags, fd, 0);
	assert_int_equal(fl_window_substitute(f->window, RANGE + 4 * PAGE, &any_loss), -ENOTRECOVERABLE);
	assert_int_equal(fault.failed, 1);
	assert_true(fl_window_is_broken(f->window));
	memset(fault.foreign, 0x44, len);
	fl_window_follow_file(f->window, f->file->dev, f->file->ino, 0);
	fl_window_unmap_all(f->window);
	assert_int_equal(fault.foreign[0], 0x44);
	munmap(fault.foreign, len);
}

static void test_foreign_anonymous_page_is_noticed(void **state)
{
	lands(*state, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void test_foreign_private_page_of_a_memfd_is_noticed(void **state)
{
	int fd = test_memfd(PAGE);

	lands(*state, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	close(fd);
}

static void test_same_file_at_another_offset_is_noticed(void **state)
{
	const struct fixture *f = *state;

	lands(f, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->file->fd);
}

/* Whole ranges again, but of pieces: somebody's page lies where a substitute was. */
static void test_foreign_page_in_place_of_a_substitute_is_noticed(void **state)
{
	struct fixture *f = *state;

	arm_foreign(SUBST, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->other, 0, true), -ENOTRECOVERABLE);
	assert_true(fl_window_is_broken(f->window));
	munmap(fault.foreign, PAGE);
}

#define WHOLE_TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define PIECES_TEST(name) cmocka_unit_test_setup_teardown(name, setup_pieces, teardown)
static const struct CMUnitTest tests[] = {
	WHOLE_TEST(test_one_mmap_a_stretch),
	WHOLE_TEST(test_end_that_cannot_be_hidden_at_once),
	WHOLE_TEST(test_growth_that_cannot_be_shown_at_once),
	WHOLE_TEST(test_map_that_cannot_hide),
	PIECES_TEST(test_failing_substitute),
	PIECES_TEST(test_pieces_survive_an_early_failure),
	PIECES_TEST(test_swallowed_pieces_come_back),
	PIECES_TEST(test_pieces_that_do_not_come_back),
	PIECES_TEST(test_foreign_anonymous_page_is_noticed),
	PIECES_TEST(test_foreign_private_page_of_a_memfd_is_noticed),
	PIECES_TEST(test_same_file_at_another_offset_is_noticed),
	PIECES_TEST(test_foreign_page_in_place_of_a_substitute_is_noticed),
};

FL_TEST_MAIN(60, tests)
