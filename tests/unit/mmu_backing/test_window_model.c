/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random sequences of all that can happen to a window, against a model that is told nothing but what was asked for: for
 * every page of the window, the byte that must be read there, or that nothing may be.
 */
#include "mmu_test.h"

#define RANGES	     6
#define FILES	     3
#define FILE_RANGES  3
#define RANGE_PAGES  (RANGE / PAGE)
#define FILE_PAGES   (FILE_RANGES * RANGE_PAGES)
#define WINDOW_PAGES (RANGES * RANGE_PAGES)
#define STEPS	     1500

struct model_page {
	int file;      /* -1: nothing mapped */
	uint64_t page; /* of the file */
	bool substituted, ended;
	uint8_t byte; /* of the substitute */
};

struct model {
	struct fl_window *window;
	uint64_t random;
	struct fl_backing *files[FILES];
	uint64_t len[FILES];
	uint8_t bytes[FILES][FILE_PAGES]; /* the first of each page */
	struct model_page pages[WINDOW_PAGES];
	uint64_t substitutes;
};

/* xorshift64*: the same sequence for the same seed, so that a failure can be had again */
static uint64_t any(struct model *model, uint64_t limit)
{
	model->random ^= model->random >> 12;
	model->random ^= model->random << 25;
	model->random ^= model->random >> 27;
	return (model->random * UINT64_C(0x2545f4914f6cdd1d) >> 33) % limit;
}

static uint64_t pages_of(uint64_t len)
{
	return (len + PAGE - 1) / PAGE;
}

static void unmap_in_model(struct model *model, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++)
		model->pages[i] = (struct model_page){.file = -1};
}

static void step_map(struct model *model)
{
	uint64_t at = any(model, RANGES), count = 1 + any(model, FL_MIN(RANGES - at, FILE_RANGES)),
		 file = any(model, FILES);
	uint64_t from = any(model, FILE_RANGES - count + 1);

	assert_int_equal(fl_window_map(model->window, at * RANGE, count * RANGE, model->files[file], from * RANGE,
				       any(model, 2)),
			 0);
	for (uint64_t i = 0; i < count * RANGE_PAGES; i++)
		model->pages[at * RANGE_PAGES + i] =
			(struct model_page){.file = (int)file, .page = from * RANGE_PAGES + i};
}

static void step_unmap(struct model *model)
{
	uint64_t at = any(model, RANGES), count = 1 + any(model, RANGES - at);

	assert_int_equal(fl_window_unmap(model->window, at * RANGE, count * RANGE), 0);
	unmap_in_model(model, at * RANGE_PAGES, count * RANGE_PAGES);
}

/* What somebody says was lost at a page: something, the page as it is, that it ended, or what was there before. */
static struct fl_window_loss any_claim(struct model *model, const struct model_page *page)
{
	uint64_t kind = any(model, 4), file = page->file < 0 ? 0 : (uint64_t)page->file;

	if (kind == 0)
		return any_loss;
	return (struct fl_window_loss){
		.backing = model->files[file],
		.file_offset = (page->page + (kind == 3)) * PAGE + any(model, PAGE),
		.ended = kind == 2,
	};
}

static int expected_result(const struct model *model, const struct model_page *page, const struct fl_window_loss *loss)
{
	bool in_file;

	if (page->file < 0)
		return loss->backing ? -EAGAIN : -EINVAL;
	if (page->substituted)
		return 0;
	in_file = page->page < pages_of(model->len[page->file]);
	if ((loss->backing && loss->file_offset / PAGE != page->page) || (loss->ended && in_file))
		return -EAGAIN;
	return 0;
}

static void step_substitute(struct model *model)
{
	uint64_t at = any(model, WINDOW_PAGES);
	struct model_page *page = &model->pages[at];
	const struct fl_window_loss loss = any_claim(model, page);
	int result = expected_result(model, page, &loss);
	uint8_t byte = (uint8_t)any(model, 256);

	assert_int_equal(fl_window_substitute(model->window, at * PAGE, &loss), result);
	if (result)
		return;
	if (!page->substituted)
		page->ended = page->page >= pages_of(model->len[page->file]);
	page->substituted = true;
	page->byte = byte;
	fl_window_hva(model->window)[at * PAGE] = byte;
}

static void set_len(struct model *model, uint64_t file, uint64_t len)
{
	uint64_t whole = pages_of(len);

	assert_int_equal(ftruncate(model->files[file]->fd, (off_t)len), 0);
	if (whole < FILE_PAGES)
		memset(&model->bytes[file][whole], 0, FILE_PAGES - whole);
	model->len[file] = len;
}

/* Any length, ends of pages and ranges among them, or a byte written to a page of the file or behind it. */
static void change_file(struct model *model, uint64_t file)
{
	uint64_t page = any(model, FILE_PAGES);
	uint8_t byte = (uint8_t)any(model, 256);

	switch (any(model, 5)) {
	case 0:
		set_len(model, file, page * PAGE);
		break;
	case 1:
		set_len(model, file, page * PAGE + 1 + any(model, PAGE - 1));
		break;
	case 2:
		set_len(model, file, any(model, FILE_RANGES + 1) * RANGE);
		break;
	case 3:
		set_len(model, file, 0);
		break;
	default:
		assert_int_equal(pwrite(model->files[file]->fd, &byte, 1, (off_t)(page * PAGE)), 1);
		model->bytes[file][page] = byte;
		model->len[file] = FL_MAX(model->len[file], page * PAGE + 1);
	}
}

/* Several changes can be seen as one: only the last length counts then. */
static void step_file(struct model *model)
{
	uint64_t file = any(model, FILES);

	for (uint64_t i = 1 + any(model, 3); i > 0; i--)
		change_file(model, file);
	fl_window_follow_file(model->window, model->files[file]->dev, model->files[file]->ino, model->len[file]);
	for (uint64_t i = 0; i < WINDOW_PAGES; i++) {
		struct model_page *page = &model->pages[i];
		bool beyond = page->page >= pages_of(model->len[file]);

		if (page->file != (int)file || !page->substituted)
			continue;
		page->substituted = beyond || !page->ended;
		page->ended = page->substituted && (page->ended || beyond);
	}
}

static int expected(const struct model *model, const struct model_page *page)
{
	if (page->file < 0)
		return -1;
	if (page->substituted)
		return page->byte;
	return page->page < pages_of(model->len[page->file]) ? model->bytes[page->file][page->page] : -1;
}

static void compare_page(const struct model *model, uint64_t at, uint64_t seed, unsigned int step)
{
	int is = test_peek(fl_window_hva(model->window) + at * PAGE);

	if (is != expected(model, &model->pages[at]))
		fail_msg("seed %" PRIu64 " step %u: page %" PRIu64 " is %d, should be %d", seed, step, at, is,
			 expected(model, &model->pages[at]));
}

/* What is said of a page, and what the kernel has there. */
static void compare_view(const struct model *model, uint64_t at, bool hide_ends)
{
	const struct model_page *page = &model->pages[at];
	bool hidden = hide_ends && page->file >= 0 && expected(model, page) < 0;
	struct test_mapping mapping = test_mapping_at(fl_window_hva(model->window) + at * PAGE);
	struct fl_window_view view;

	assert_true(fl_window_look(model->window, at * PAGE, &view));
	assert_ptr_equal(view.backing, page->file < 0 ? NULL : model->files[page->file]);
	assert_int_equal(view.substituted, page->substituted);
	assert_int_equal(view.hidden, hidden);
	if (page->file < 0 || hidden) {
		assert_string_equal(mapping.perms, "---s");
	} else if (page->substituted) {
		assert_string_equal(mapping.perms, "rw-p");
	} else {
		assert_string_equal(mapping.perms, view.state == FL_RANGE_MAPPED_RW ? "rw-s" : "r--s");
		assert_int_equal(mapping.ino, model->files[page->file]->ino);
		assert_int_equal(mapping.offset, page->page * PAGE);
	}
	fl_window_view_put(&view);
}

static void compare(struct model *model, uint64_t seed, unsigned int step, bool hide_ends)
{
	struct fl_window_stats stats;
	uint64_t substitutes = 0;

	/* all of them now and then, else those at edges and some others */
	for (uint64_t i = 0; i < WINDOW_PAGES; i += step % 16 ? 1 + any(model, 64) : 1)
		compare_page(model, i, seed, step);
	for (uint64_t i = 0; i < WINDOW_PAGES; i++)
		substitutes += model->pages[i].substituted;
	compare_view(model, any(model, WINDOW_PAGES), hide_ends);
	fl_window_get_stats(model->window, &stats);
	assert_int_equal(stats.substitutes, substitutes);
	assert_int_equal(stats.repairs, 0);
}

static void run(uint64_t seed, bool hide_ends)
{
	struct model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	model->random = seed * UINT64_C(0x9e3779b97f4a7c15);
	model->window = test_window(RANGES * RANGE);
	fl_window_set_watch(model->window, NULL, hide_ends);
	unmap_in_model(model, 0, WINDOW_PAGES);
	for (unsigned int i = 0; i < FILES; i++)
		model->files[i] = test_backing(test_memfd(0));
	for (unsigned int step = 0; step < STEPS; step++) {
		uint64_t what = any(model, 12);

		if (what < 2)
			step_map(model);
		else if (what == 2)
			step_unmap(model);
		else if (what < 8)
			step_substitute(model);
		else
			step_file(model);
		compare(model, seed, step, hide_ends);
	}
	assert_true(test_no_hole(fl_window_hva(model->window), RANGES * RANGE));
	fl_window_free(model->window);
	for (unsigned int i = 0; i < FILES; i++) {
		assert_int_equal(model->files[i]->refs, 1);
		fl_backing_unref(model->files[i]);
	}
	free(model);
}

static uint64_t first_seed(void)
{
	const char *seed = getenv("FL_TEST_SEED");

	return seed ? strtoull(seed, NULL, 0) : 1;
}

static void test_plain_window(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed(); seed < first_seed() + 4; seed++)
		run(seed, false);
}

static void test_window_that_hides_ends(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed(); seed < first_seed() + 4; seed++)
		run(seed, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_plain_window),
	cmocka_unit_test(test_window_that_hides_ends),
};

FL_TEST_MAIN(60, tests)
