/* SPDX-License-Identifier: Apache-2.0 */
/* Private pages in place of pages that a file has lost: what they hold, how long they stay, and that there is an end.
 */
#include "mmu_test.h"

#include "mmu_backing/fault_site.h"

#define WINDOW_LEN (16 * RANGE)

struct fixture {
	struct fl_window *window;
	uint8_t *hva;
	struct fl_backing *file; /* 2 ranges long */
};

static int setup_window(void **state, bool hide_ends)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd = test_memfd(0);

	test_fill(fd, 0, 2 * RANGE);
	f->window = test_window(WINDOW_LEN);
	fl_window_set_watch(f->window, NULL, hide_ends);
	f->hva = fl_window_hva(f->window);
	f->file = test_backing(fd);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_window(state, false);
}

static int setup_hiding(void **state)
{
	return setup_window(state, true);
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

static void resize(const struct fixture *f, uint64_t len)
{
	assert_int_equal(ftruncate(f->file->fd, (off_t)len), 0);
	fl_window_follow_file(f->window, f->file->dev, f->file->ino, len);
}

static void refill(const struct fixture *f)
{
	test_fill(f->file->fd, 0, 2 * RANGE);
	fl_window_follow_file(f->window, f->file->dev, f->file->ino, 2 * RANGE);
}

static uint64_t substitutes(const struct fixture *f)
{
	struct fl_window_stats stats;

	fl_window_get_stats(f->window, &stats);
	return stats.substitutes;
}

static bool is_substituted(const struct fixture *f, uint64_t offset)
{
	struct fl_window_view view;
	bool substituted;

	assert_true(fl_window_look(f->window, offset, &view));
	substituted = view.substituted;
	assert_false(view.substituted && view.hidden);
	fl_window_view_put(&view);
	return substituted;
}

static void test_truncated_page_is_replaced_until_the_file_is_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, RANGE, RANGE, f->file, 0, true), 0);
	resize(f, 2 * PAGE);
	assert_int_equal(fl_window_substitute(f->window, RANGE + 3 * PAGE, &any_loss), 0);
	assert_int_equal(test_peek(f->hva + RANGE + 3 * PAGE), 0);
	assert_int_equal(test_peek(f->hva + RANGE + 2 * PAGE), -1);
	assert_int_equal(test_peek(f->hva + RANGE + 4 * PAGE), -1);
	assert_int_equal(test_peek(f->hva + RANGE + PAGE), test_byte(PAGE));
	assert_string_equal(test_mapping_at(f->hva + RANGE + 3 * PAGE).perms, "rw-p");
	f->hva[RANGE + 3 * PAGE + 7] = 42;
	assert_int_equal(test_peek(f->hva + RANGE + 3 * PAGE + 7), 42);
	assert_int_equal(substitutes(f), 1);

	/* again: it is there already, with what was written */
	assert_int_equal(fl_window_substitute(f->window, RANGE + 3 * PAGE, &any_loss), 0);
	assert_int_equal(test_peek(f->hva + RANGE + 3 * PAGE + 7), 42);

	resize(f, 3 * PAGE); /* not over it */
	assert_true(is_substituted(f, RANGE + 3 * PAGE));
	resize(f, 3 * PAGE + 1);
	assert_false(is_substituted(f, RANGE + 3 * PAGE));
	assert_int_equal(test_peek(f->hva + RANGE + 3 * PAGE + 7), 0);
	assert_string_equal(test_mapping_at(f->hva + RANGE + 3 * PAGE).perms, "rw-s");
	refill(f);
	assert_int_equal(test_peek(f->hva + RANGE + 3 * PAGE + 7), test_byte(3 * PAGE + 7));
	assert_int_equal(substitutes(f), 0);
	assert_true(test_no_hole(f->hva, WINDOW_LEN));
}

/* What is written to one is seen in no other, nor in a later one. */
static void test_pages_are_private(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	resize(f, 0);
	assert_int_equal(fl_window_substitute(f->window, 0, &any_loss), 0);
	assert_int_equal(fl_window_substitute(f->window, PAGE, &any_loss), 0);
	memset(f->hva, 0x77, PAGE);
	assert_int_equal(f->hva[PAGE], 0);
	refill(f);
	resize(f, 0);
	assert_int_equal(fl_window_substitute(f->window, 0, &any_loss), 0);
	assert_int_equal(f->hva[0], 0);
}

/* A file whose length did not change (a bad disk) has not "grown over" the page. */
static void test_unreadable_page_stays_replaced(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	assert_int_equal(fl_window_substitute(f->window, 5 * PAGE, &any_loss), 0);
	assert_int_equal(test_peek(f->hva + 5 * PAGE + 1), 0);
	resize(f, RANGE);
	resize(f, 2 * RANGE);
	assert_true(is_substituted(f, 5 * PAGE));
	resize(f, 4 * PAGE); /* now it has ended before it */
	assert_true(is_substituted(f, 5 * PAGE));
	refill(f);
	assert_false(is_substituted(f, 5 * PAGE));
	assert_int_equal(test_peek(f->hva + 5 * PAGE + 1), test_byte(5 * PAGE + 1));
}

static void test_map_and_unmap_end_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 0, 2 * RANGE, f->file, 0, false), 0);
	assert_int_equal(fl_window_substitute(f->window, PAGE, &any_loss), 0);
	assert_int_equal(fl_window_substitute(f->window, RANGE + PAGE, &any_loss), 0);
	f->hva[PAGE] = 1; /* writable, though the file is mapped read-only */
	assert_int_equal(substitutes(f), 2);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0); /* an upgrade */
	assert_false(is_substituted(f, PAGE));
	assert_int_equal(test_peek(f->hva + PAGE), test_byte(PAGE));
	assert_int_equal(fl_window_unmap(f->window, RANGE, RANGE), 0);
	assert_int_equal(test_peek(f->hva + RANGE + PAGE), -1);
	assert_int_equal(substitutes(f), 0);
}

static void test_bad_places(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, false), 0);
	assert_int_equal(fl_window_substitute(f->window, RANGE, &any_loss), -EINVAL);
	assert_int_equal(fl_window_substitute(f->window, 1, &any_loss), -EINVAL);
	assert_int_equal(fl_window_substitute(f->window, WINDOW_LEN, &any_loss), -EINVAL);
	assert_int_equal(fl_window_substitute(f->window, UINT64_MAX - PAGE + 1, &any_loss), -EINVAL);
	assert_int_equal(substitutes(f), 0);
}

static void test_there_is_a_limit(void **state)
{
	struct fixture *f = *state;
	uint64_t made = 0;
	int error = 0;

	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(fl_window_map(f->window, 2 * i * RANGE, 2 * RANGE, f->file, 0, true), 0);
	resize(f, 0);
	for (uint64_t at = 0; at < WINDOW_LEN && !error; at += PAGE) {
		error = fl_window_substitute(f->window, at, &any_loss);
		made += error == 0;
	}
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(made, 4096);
	assert_int_equal(substitutes(f), 4096);
	assert_int_equal(test_peek(f->hva + 4095 * PAGE), 0);
	assert_int_equal(test_peek(f->hva + 4096 * PAGE), -1);
	refill(f);
	assert_int_equal(substitutes(f), 0);
	assert_int_equal(test_peek(f->hva + 4095 * PAGE), test_byte(4095 * PAGE % (2 * RANGE)));
}

static void test_among_hidden_pages(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	resize(f, PAGE);
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &any_loss), 0);
	assert_int_equal(fl_window_substitute(f->window, RANGE - PAGE, &any_loss), 0);
	f->hva[3 * PAGE] = 9;
	resize(f, 0);
	resize(f, 2 * PAGE);
	assert_int_equal(test_peek(f->hva + 3 * PAGE), 9);
	assert_int_equal(test_peek(f->hva + 2 * PAGE), -1);
	assert_string_equal(test_mapping_at(f->hva + 2 * PAGE).perms, "---s");
	assert_string_equal(test_mapping_at(f->hva + 4 * PAGE).perms, "---s");
	resize(f, 8 * PAGE);
	assert_int_equal(test_peek(f->hva + 3 * PAGE), 0);
	assert_true(is_substituted(f, RANGE - PAGE));
	refill(f);
	assert_int_equal(substitutes(f), 0);
	assert_int_equal(test_peek(f->hva + RANGE - PAGE), test_byte(RANGE - PAGE));
}

/* Between the fault and the substitution the file has come back: the guest should have the file. */
static void test_hidden_page_that_the_file_has_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	resize(f, PAGE);
	test_fill(f->file->fd, 0, RANGE);
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &any_loss), -EAGAIN);
	assert_false(is_substituted(f, 3 * PAGE));
	assert_int_equal(test_peek(f->hva + 3 * PAGE), test_byte(3 * PAGE));
}

static struct fl_window_loss loss_of(const struct fixture *f, uint64_t file_offset, bool ended)
{
	return (struct fl_window_loss){.backing = f->file, .file_offset = file_offset, .ended = ended};
}

/* The same where nothing is hidden; and with nobody who would tell of the growth afterwards. */
static void test_truncated_page_that_the_file_has_again(void **state)
{
	struct fixture *f = *state;
	const struct fl_window_loss ended = loss_of(f, 3 * PAGE + 5, true), bad_disk = loss_of(f, 3 * PAGE + 5, false);

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	resize(f, PAGE);
	test_fill(f->file->fd, 0, RANGE);
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &ended), -EAGAIN);
	assert_false(is_substituted(f, 3 * PAGE));
	assert_int_equal(test_peek(f->hva + 3 * PAGE), test_byte(3 * PAGE));
	assert_int_equal(ftruncate(f->file->fd, (off_t)(3 * PAGE)), 0);
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &ended), 0);
	assert_true(is_substituted(f, 3 * PAGE));
	refill(f);
	assert_false(is_substituted(f, 3 * PAGE));
	/* what the file's length has nothing to do with it does not cure */
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &bad_disk), 0);
	assert_true(is_substituted(f, 3 * PAGE));
}

/* Between the fault and the substitution something else was mapped there, of which nothing is lost. */
static void test_page_of_another_file(void **state)
{
	struct fixture *f = *state;
	struct fl_backing *other = test_backing(test_memfd(RANGE));
	const struct fl_window_loss loss = loss_of(f, 3 * PAGE, false);

	assert_int_equal(fl_window_map(f->window, 0, RANGE, other, 0, true), 0);
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &loss), -EAGAIN);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, RANGE, true), 0);
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &loss), -EAGAIN);
	assert_int_equal(fl_window_unmap(f->window, 0, RANGE), 0);
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &loss), -EAGAIN);
	assert_int_equal(substitutes(f), 0);
	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &loss), 0);
	assert_int_equal(substitutes(f), 1);
	fl_backing_unref(other);
}

/* The wrapped function has no argument to hang this on. */
static const struct fixture *grows_now;

void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	const struct fixture *f = grows_now;

	grows_now = NULL;
	if (f)
		test_fill(f->file->fd, 0, 2 * RANGE);
	return __real_mmap64(addr, len, prot, flags, fd, offset);
}

/* The length has been read, and the page is not there yet: nobody will tell of this growth any more. */
static void test_file_that_grows_meanwhile(void **state)
{
	struct fixture *f = *state;
	const struct fl_window_loss loss = loss_of(f, 3 * PAGE, true);

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, true), 0);
	resize(f, PAGE);
	grows_now = f;
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &loss), 0);
	assert_null(grows_now);
	assert_false(is_substituted(f, 3 * PAGE));
	assert_int_equal(test_peek(f->hva + 3 * PAGE), test_byte(3 * PAGE));
}

static void healthy(const struct fixture *f, enum fl_access access)
{
	struct fl_region region = test_window_region(f->window, FL_GIB);
	struct fl_gpa_map map = {0};
	struct fl_probe probe;

	assert_int_equal(fl_gpa_map_add(&map, &region, NULL), 0);
	fl_probe_page(&map, FL_GIB + 3 * PAGE, access == FL_ACCESS_WRITE, &probe);
	assert_true(probe.view.substituted);
	assert_int_equal(fl_classify(&probe, FL_GIB + 3 * PAGE, access).verdict, FL_VERDICT_RETRY);
	fl_probe_put(&probe);
}

static void test_probe_finds_it_healthy(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fl_window_map(f->window, 0, RANGE, f->file, 0, false), 0);
	resize(f, PAGE);
	assert_int_equal(fl_window_substitute(f->window, 3 * PAGE, &any_loss), 0);
	healthy(f, FL_ACCESS_READ);
	healthy(f, FL_ACCESS_WRITE);
}

#define PLAIN_TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define HIDING_TEST(name) cmocka_unit_test_setup_teardown(name, setup_hiding, teardown)
static const struct CMUnitTest tests[] = {
	PLAIN_TEST(test_truncated_page_is_replaced_until_the_file_is_back),
	HIDING_TEST(test_truncated_page_is_replaced_until_the_file_is_back),
	PLAIN_TEST(test_pages_are_private),
	PLAIN_TEST(test_unreadable_page_stays_replaced),
	HIDING_TEST(test_unreadable_page_stays_replaced),
	PLAIN_TEST(test_map_and_unmap_end_it),
	PLAIN_TEST(test_bad_places),
	PLAIN_TEST(test_there_is_a_limit),
	HIDING_TEST(test_there_is_a_limit),
	HIDING_TEST(test_among_hidden_pages),
	HIDING_TEST(test_hidden_page_that_the_file_has_again),
	PLAIN_TEST(test_truncated_page_that_the_file_has_again),
	HIDING_TEST(test_truncated_page_that_the_file_has_again),
	PLAIN_TEST(test_page_of_another_file),
	HIDING_TEST(test_page_of_another_file),
	PLAIN_TEST(test_file_that_grows_meanwhile),
	HIDING_TEST(test_file_that_grows_meanwhile),
	PLAIN_TEST(test_probe_finds_it_healthy),
	HIDING_TEST(test_probe_finds_it_healthy),
};

FL_TEST_MAIN(60, tests)
