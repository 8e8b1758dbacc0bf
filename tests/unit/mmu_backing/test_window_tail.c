/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window that hides ends, told of each change by the test itself: what lies beyond the end of a file is PROT_NONE
 * (which KVM, unlike a page past the end of a file, never waits for), and the file's again when it grows.
 */
#include "mmu_test.h"

#include "mmu_backing/fault_site.h"

#define WINDOW_LEN (8 * RANGE)

struct fixture {
	struct fl_window *window;
	uint8_t *hva;
	struct fl_backing *file; /* 2 ranges long */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd = test_memfd(0);

	test_fill(fd, 0, 2 * RANGE);
	f->window = test_window(WINDOW_LEN);
	fl_window_set_watch(f->window, NULL, true);
	f->hva = fl_window_hva(f->window);
	f->file = test_backing(fd);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fl_window_free(f->window);
	assert_int_equal(f->file->refs, 1);
	fl_backing_unref(f->file);
	free(f);
	return 0;
}

static void follow(const struct fixture *f, uint64_t len)
{
	fl_window_follow_file(f->window, f->file->dev, f->file->ino, len);
}

static void resize(const struct fixture *f, uint64_t len)
{
	assert_int_equal(ftruncate(f->file->fd, (off_t)len), 0);
	follow(f, len);
}

static bool is_hidden(const struct fixture *f, uint64_t offset)
{
	struct fl_window_view view;
	bool hidden;

	assert_true(fl_window_look(f->window, offset, &view));
	hidden = view.hidden;
	fl_window_view_put(&view);
	return hidden;
}

/* [offset, offset + len) shows the file from file_offset on up to file_len, and nothing beyond the last page. */
static void assert_shows(const struct fixture *f, uint64_t offset, uint64_t len, uint64_t file_offset,
			 uint64_t file_len, const char *perms)
{
	for (uint64_t at = 0; at < len; at += PAGE) {
		bool beyond = file_offset + at >= file_len;
		struct test_mapping mapping = {0};

		assert_int_equal(test_peek(f->hva + offset + at), beyond ? -1 : test_byte(file_offset + at));
		assert_int_equal(is_hidden(f, offset + at), beyond);
		/* reading all of maps for each page would take long */
		if (at % (RANGE / 8) && !(beyond && file_offset + at < file_len + PAGE))
			continue;
		mapping = test_mapping_at(f->hva + offset + at);
		assert_string_equal(mapping.perms, beyond ? "---s" : perms);
		if (!beyond) {
			assert_int_equal(mapping.ino, f->file->ino);
			assert_int_equal(mapping.offset, file_offset + at);
		}
	}
	assert_true(test_no_hole(f->hva, WINDOW_LEN));
}

static void test_short_file_is_mapped_without_its_tail(void **state)
{
	struct fixture *f = *state;
	struct fl_window_stats stats;

	assert_int_equal(ftruncate(f->file->fd, (off_t)(RANGE + 5 * PAGE + 1)), 0);
	assert_int_equal(fl_window_map(f->window, RANGE, 2 * RANGE, f->file, 0, false), 0);
	assert_shows(f, RANGE, 2 * RANGE, 0, RANGE + 6 * PAGE, "r--s");
	fl_window_get_stats(f->window, &stats);
	assert_int_equal(stats.hidden, 512 - 6);
	assert_int_equal(stats.ranges_mapped, 2);
}

static void test_empty_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ftruncate(f->file->fd, 0), 0);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	assert_shows(f, 0, RANGE, 0, 0, "rw-s");
	test_fill(f->file->fd, 0, PAGE);
	follow(f, PAGE);
	assert_shows(f, 0, RANGE, 0, PAGE, "rw-s");
}

static void test_shrink_and_grow(void **state)
{
	static const uint64_t lens[] = {RANGE + 1, RANGE, RANGE - PAGE + 1, 3 * PAGE, 1, 0};
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->file, 0, true), 0);
	assert_int_equal(fl_window_map(f->window, 4 * RANGE, RANGE, f->file, RANGE, false), 0);
	for (size_t i = 0; i < FL_ARRAY_SIZE(lens); i++) {
		resize(f, lens[i]);
		assert_shows(f, RANGE, RANGE, 0, lens[i], "rw-s");
		assert_shows(f, 4 * RANGE, RANGE, RANGE, lens[i], "r--s");
		test_fill(f->file->fd, 0, 2 * RANGE);
		follow(f, 2 * RANGE);
		assert_shows(f, RANGE, RANGE, 0, 2 * RANGE, "rw-s");
		assert_shows(f, 4 * RANGE, RANGE, RANGE, 2 * RANGE, "r--s");
	}
}

/* One that looked before the last change and speaks after it must not undo what the last change made necessary. */
static void test_late_news_changes_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	resize(f, PAGE);
	follow(f, 2 * RANGE);
	assert_shows(f, 0, RANGE, 0, PAGE, "rw-s");
	test_fill(f->file->fd, 0, RANGE);
	follow(f, RANGE);
	follow(f, PAGE);
	assert_shows(f, 0, RANGE, 0, RANGE, "rw-s");
}

static void test_no_news_costs_nothing(void **state)
{
	struct fixture *f = *state;
	struct fl_window_view before, after;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	resize(f, PAGE);
	fl_window_look(f->window, 0, &before);
	follow(f, PAGE);
	resize(f, 1); /* the same pages */
	fl_window_follow_file(f->window, f->file->dev, f->file->ino + 1, 0);
	fl_window_look(f->window, 0, &after);
	assert_int_equal(before.seq, after.seq);
	assert_int_equal(before.mapped_file_len, 2 * RANGE);
	fl_window_view_put(&before);
	fl_window_view_put(&after);
}

/* The two are one file; each range has its own protection, and all of them follow. */
static void test_two_backings_of_one_file(void **state)
{
	struct fixture *f = *state;
	struct fl_backing *other = test_backing(dup(f->file->fd));

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, other, 0, false), 0);
	resize(f, PAGE);
	assert_true(is_hidden(f, PAGE) && is_hidden(f, RANGE + PAGE));
	assert_int_equal(fl_window_unmap(f->window, 0, RANGE), 0);
	test_fill(f->file->fd, 0, RANGE);
	follow(f, RANGE);
	assert_int_equal(test_peek(f->hva + RANGE + PAGE), test_byte(PAGE));
	assert_int_equal(test_peek(f->hva + PAGE), -1);
	fl_window_unmap_all(f->window);
	assert_int_equal(other->refs, 1);
	fl_backing_unref(other);
}

/* Mapping one range looks at the file, and what it sees holds for the others. */
static void test_map_brings_the_others_in_step(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	assert_int_equal(ftruncate(f->file->fd, PAGE), 0);
	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->file, RANGE, true), 0);
	assert_shows(f, 0, RANGE, 0, PAGE, "rw-s");
	assert_shows(f, RANGE, RANGE, RANGE, PAGE, "rw-s");
}

static void test_remap_and_unmap_of_a_hidden_tail(void **state)
{
	struct fixture *f = *state;
	struct fl_backing *whole = test_backing(test_memfd(RANGE));

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	resize(f, PAGE);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, whole, 0, true), 0);
	assert_false(is_hidden(f, PAGE));
	assert_int_equal(test_peek(f->hva + RANGE - 1), 0);
	follow(f, 0); /* not here any more */
	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, false), 0);
	assert_shows(f, 0, RANGE, 0, PAGE, "r--s");
	assert_int_equal(fl_window_unmap(f->window, 0, RANGE), 0);
	assert_false(is_hidden(f, PAGE));
	assert_int_equal(test_peek(f->hva), -1);
	fl_backing_unref(whole);
}

static struct fl_finding find(const struct fl_gpa_map *map, uint64_t gpa, enum fl_access access)
{
	struct fl_finding finding;
	struct fl_probe probe;

	fl_probe_page(map, gpa, access == FL_ACCESS_WRITE, &probe);
	finding = fl_classify(&probe, gpa, access);
	fl_probe_put(&probe);
	return finding;
}

/* A probe of a hidden page need not wait for anybody to hear of the growth. */
static void test_probe(void **state)
{
	struct fixture *f = *state;
	struct fl_region region = test_window_region(f->window, FL_GIB);
	struct fl_gpa_map map = {0};
	uint64_t gpa = FL_GIB + 3 * PAGE + 8;

	assert_int_equal(fl_gpa_map_add(&map, &region, NULL), 0);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	resize(f, 3 * PAGE);
	assert_int_equal(find(&map, gpa - PAGE, FL_ACCESS_WRITE).verdict, FL_VERDICT_RETRY);
	assert_int_equal(find(&map, gpa, FL_ACCESS_READ).cause, FL_CAUSE_TRUNCATED);
	assert_int_equal(find(&map, gpa, FL_ACCESS_WRITE).cause, FL_CAUSE_TRUNCATED);
	assert_int_equal(find(&map, FL_GIB + RANGE, FL_ACCESS_READ).cause, FL_CAUSE_UNMAPPED);
	assert_int_equal(ftruncate(f->file->fd, (off_t)(3 * PAGE + 1)), 0);
	assert_true(is_hidden(f, 3 * PAGE));
	assert_int_equal(find(&map, gpa, FL_ACCESS_READ).verdict, FL_VERDICT_RETRY);
	assert_false(is_hidden(f, 3 * PAGE));
	assert_true(is_hidden(f, 4 * PAGE));
	assert_int_equal(find(&map, gpa + PAGE, FL_ACCESS_READ).cause, FL_CAUSE_TRUNCATED);
}

static void test_without_hiding_nothing_is_hidden(void **state)
{
	struct fixture *f = *state;
	struct fl_window *plain = test_window(RANGE);

	assert_int_equal(fl_window_map(plain, 0, RANGE, f->file, 0, true), 0);
	assert_int_equal(ftruncate(f->file->fd, PAGE), 0);
	fl_window_follow_file(plain, f->file->dev, f->file->ino, PAGE);
	assert_string_equal(test_mapping_at(fl_window_hva(plain) + PAGE).perms, "rw-s");
	fl_window_free(plain);
}

#define TAIL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	TAIL_TEST(test_short_file_is_mapped_without_its_tail),
	TAIL_TEST(test_empty_file),
	TAIL_TEST(test_shrink_and_grow),
	TAIL_TEST(test_late_news_changes_nothing),
	TAIL_TEST(test_no_news_costs_nothing),
	TAIL_TEST(test_two_backings_of_one_file),
	TAIL_TEST(test_map_brings_the_others_in_step),
	TAIL_TEST(test_remap_and_unmap_of_a_hidden_tail),
	TAIL_TEST(test_probe),
	TAIL_TEST(test_without_hiding_nothing_is_hidden),
};

FL_TEST_MAIN(60, tests)
