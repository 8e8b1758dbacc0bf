/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/window_priv.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

/* 32768 ranges: below half of the default vm.max_map_count of 65530, should no two of them merge */
#define WINDOW_LEN_MAX (64 * FL_GIB)

/* ---- life ------------------------------------------------------------------------------- */

static int reserve(struct fl_window *window, uint64_t len)
{
	int error = fl_vma_make_zero(&window->zero);

	if (error)
		return error;
	/* 1 GiB congruence lets KVM use its largest pages wherever the window is put on such a boundary. */
	error = fl_vma_reserve(len, FL_GIB, &window->none, &window->hva);
	if (error)
		fl_close(&window->zero.fd);
	return error;
}

int fl_window_new(uint64_t len, struct fl_window **window, struct fl_diag *diag)
{
	struct fl_window *made;
	int error;

	if (!len || !fl_is_aligned(len, FL_RANGE_LEN) || len > WINDOW_LEN_MAX)
		return fl_diag(
			diag, -EINVAL,
			"a window of %" PRIu64 " bytes cannot be: it must be a multiple of 2 MiB, at most 64 GiB", len);
	made = calloc(1, sizeof(*made) + (len / FL_RANGE_LEN) * sizeof(made->ranges[0]));
	if (!made)
		return fl_diag(diag, -ENOMEM, "no memory for the table of a window of %" PRIu64 " bytes", len);
	error = reserve(made, len);
	if (error) {
		free(made);
		return fl_diag(diag, error, "cannot reserve address space for a window of %" PRIu64 " bytes: %s", len,
			       strerror(-error));
	}
	made->len = len;
	made->stats.ranges_total = len / FL_RANGE_LEN;
	made->maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	pthread_mutex_init(&made->lock, NULL);
	*window = made;
	return 0;
}

/* The end of the run of ranges from first on whose address space is known to be ours, in one piece. */
static size_t end_of_ours(const struct fl_window *window, size_t first)
{
	while (first < window->stats.ranges_total && window->ranges[first].state != FL_RANGE_BROKEN)
		first++;
	return first;
}

/* Address space is let go only where it is known to be ours, and then it is ours no longer. */
static void release_ranges(struct fl_window *window)
{
	FL_LOCKED(&window->lock);
	for (size_t i = 0, end; i < window->stats.ranges_total; i = end + 1) {
		end = end_of_ours(window, i);
		if (end > i)
			munmap(window->hva + i * FL_RANGE_LEN, (end - i) * FL_RANGE_LEN);
	}
	for (size_t i = 0; i < window->stats.ranges_total; i++)
		fl_range_set(window, &window->ranges[i], (struct fl_range){.state = FL_RANGE_BROKEN});
}

static struct fl_backing *take_unused(struct fl_window *window)
{
	struct fl_backing *unused;

	FL_LOCKED(&window->lock);
	unused = window->unused;
	window->unused = NULL;
	return unused;
}

static void close_unused(struct fl_window *window)
{
	fl_backing_close_all(take_unused(window));
}

void fl_window_free(struct fl_window *window)
{
	if (!window)
		return;
	release_ranges(window);
	close_unused(window);
	if (window->watch)
		fl_watch_detach(window->watch, window);
	pthread_mutex_destroy(&window->lock);
	fl_close(&window->maps_fd);
	fl_close(&window->none.fd);
	fl_close(&window->zero.fd);
	free(window);
}

void fl_window_set_watch(struct fl_window *window, struct fl_watch *watch, bool hide_ends)
{
	if (window->watch)
		fl_watch_detach(window->watch, window);
	window->watch = watch ? fl_watch_attach(watch) : NULL;
	window->hide_ends = hide_ends;
}

void fl_window_set_prefault(struct fl_window *window, bool prefault)
{
	window->prefault = prefault;
}

uint8_t *fl_window_hva(const struct fl_window *window)
{
	return window->hva;
}

uint64_t fl_window_len(const struct fl_window *window)
{
	return window->len;
}

/* ---- map and unmap ---------------------------------------------------------------------- */

static int check_span(const struct fl_window *window, uint64_t offset, uint64_t len, struct fl_span *span)
{
	if (!len || !fl_is_aligned(offset | len, FL_RANGE_LEN) || !fl_range_fits(offset, len, window->len))
		return -EINVAL;
	*span = (struct fl_span){offset / FL_PAGE_LEN, len / FL_PAGE_LEN};
	return 0;
}

static int unmap_locked(struct fl_window *window, struct fl_span span)
{
	int error = fl_vma_put_none(fl_span_hva(window, span), fl_span_len(span), &window->none);

	if (error) {
		fl_window_recover(window, span);
		return window->broken ? -ENOTRECOVERABLE : error;
	}
	fl_window_set_reserved(window, span);
	return 0;
}

/* What mapping needs to know of a file that does not tell its length is that it may be of any. */
static uint64_t file_len_of(const struct fl_backing *backing)
{
	uint64_t len;

	return fl_backing_get_len(backing, &len) ? INT64_MAX : len;
}

struct mapping {
	struct fl_span span;
	enum fl_range_state state;
	struct fl_backing *backing;
	uint64_t file_offset;
	uint64_t file_len; /* found when it was mapped */
};

/*
 * In this order: can it be mapped, follow the file, map it, look at its length. A file that shrinks in between is
 * either seen to be short or heard of.
 */
static int map_locked(struct fl_window *window, struct fl_window_file *file, struct mapping *mapping)
{
	struct fl_range *ranges = &window->ranges[mapping->span.first / FL_RANGE_PAGES];
	size_t count = mapping->span.count / FL_RANGE_PAGES;
	int prot = fl_range_prot(mapping->state);
	int error = fl_window_file_try(window, file, mapping->backing, fl_span_len(mapping->span), mapping->file_offset,
				       mapping->state);

	if (!error && window->hide_ends)
		error = fl_window_file_watch(window, file, mapping->backing);
	if (error)
		return error;
	error = fl_vma_put_file(fl_span_hva(window, mapping->span), fl_span_len(mapping->span), prot, mapping->backing,
				mapping->file_offset);
	if (error) {
		fl_window_recover(window, mapping->span);
		return window->broken ? -ENOTRECOVERABLE : error;
	}
	mapping->file_len = file_len_of(mapping->backing);
	for (size_t i = 0; i < count; i++)
		fl_range_set(window, &ranges[i],
			     (struct fl_range){
				     .state = mapping->state,
				     .backing = fl_backing_ref(mapping->backing),
				     .file_offset = mapping->file_offset + i * FL_RANGE_LEN,
				     .mapped_file_len = mapping->file_len,
				     .file = file,
			     });
	error = fl_window_file_follow(window, file, mapping->file_len, ranges, count);
	/* A tail that cannot be hidden must not be shown. */
	if (error && !window->broken)
		(void)!unmap_locked(window, mapping->span);
	return window->broken ? -ENOTRECOVERABLE : error;
}

static int map_file(struct fl_window *window, struct mapping *mapping)
{
	const struct fl_backing *backing = mapping->backing;
	struct fl_window_file *file;
	int error;

	if (window->broken)
		return -ENOTRECOVERABLE;
	file = fl_window_file_get(window, backing);
	if (!file)
		return -ENOMEM;
	error = map_locked(window, file, mapping);
	if (!error) {
		window->stats.maps++;
		return 0;
	}
	/* giving up or unmapping may have let go of it already */
	file = fl_window_file_find(window, backing->dev, backing->ino);
	if (file)
		fl_window_file_settle(window, file);
	return error;
}

static int map_and_note(struct fl_window *window, struct mapping *mapping, struct fl_window_note *note)
{
	int error;

	FL_LOCKED(&window->lock);
	error = map_file(window, mapping);
	*note = fl_window_note(window, error);
	return error;
}

/*
 * Without the lock, since pages may have to come from a disk. What is there by now may be something else, which does
 * not mind.
 */
static void prefault(const struct fl_window *window, const struct mapping *mapping)
{
	uint64_t in_file = mapping->file_len > mapping->file_offset ? mapping->file_len - mapping->file_offset : 0;
	uint64_t len = FL_MIN(FL_MIN(in_file, fl_span_len(mapping->span)), FL_WINDOW_PREFAULT_LEN);

	if (len)
		fl_vma_populate(fl_span_hva(window, mapping->span), fl_align_up(len, FL_PAGE_LEN));
}

int fl_window_map(struct fl_window *window, uint64_t offset, uint64_t len, struct fl_backing *backing,
		  uint64_t file_offset, bool writable)
{
	struct mapping mapping = {.state = writable ? FL_RANGE_MAPPED_RW : FL_RANGE_MAPPED_RO,
				  .backing = backing,
				  .file_offset = file_offset};
	struct fl_window_note note;
	int error = check_span(window, offset, len, &mapping.span);
	bool followed;

	if (error || !fl_is_aligned(file_offset, FL_RANGE_LEN) || !fl_range_fits(file_offset, len, INT64_MAX))
		return -EINVAL;
	if (writable && !backing->writable)
		return -EACCES;
	error = fl_window_file_watch_before(window, backing, &followed);
	if (error)
		return error;
	error = map_and_note(window, &mapping, &note);
	if (followed)
		fl_watch_remove(window->watch, window, backing->dev, backing->ino);
	fl_window_pass_on(window, &note);
	if (!error && window->prefault)
		prefault(window, &mapping);
	return error;
}

static int unmap_and_note(struct fl_window *window, struct fl_span span, struct fl_window_note *note)
{
	int error;

	FL_LOCKED(&window->lock);
	error = window->broken ? -ENOTRECOVERABLE : unmap_locked(window, span);
	window->stats.unmaps += error == 0;
	*note = fl_window_note(window, error);
	return error;
}

int fl_window_unmap(struct fl_window *window, uint64_t offset, uint64_t len)
{
	struct fl_window_note note;
	struct fl_span span;
	int error = check_span(window, offset, len, &span);

	if (error)
		return error;
	error = unmap_and_note(window, span, &note);
	fl_window_pass_on(window, &note);
	return error;
}

static void unmap_everything(struct fl_window *window)
{
	struct fl_span all = {0, window->len / FL_PAGE_LEN};

	FL_LOCKED(&window->lock);
	/* One call frees mappings and splits none, so it works where many small ones could not. */
	if (!window->broken && unmap_locked(window, all) == 0)
		return;
	for (size_t i = 0; i < window->stats.ranges_total; i++)
		if (fl_range_is_mapped(&window->ranges[i]))
			(void)!unmap_locked(window, (struct fl_span){i * FL_RANGE_PAGES, FL_RANGE_PAGES});
}

void fl_window_unmap_all(struct fl_window *window)
{
	unmap_everything(window);
	close_unused(window);
}

/* ---- files that change ------------------------------------------------------------------ */

/* Is what was found lost still what is there? The file's length is read where that can tell. */
static bool is_still_lost(struct fl_window *window, struct fl_range *range, unsigned int page,
			  const struct fl_window_loss *loss, uint64_t file_len)
{
	uint64_t page_offset = range->file_offset + page * FL_PAGE_LEN;

	if (loss->backing &&
	    (loss->backing != range->backing || fl_align_down(loss->file_offset, FL_PAGE_LEN) != page_offset))
		return false;
	if (!fl_page_set_has(&range->hidden, page))
		return !loss->ended || file_len <= page_offset;
	/* the file may have grown over it just now; if it stays hidden all the same, it cannot be brought back */
	(void)!fl_window_file_follow(window, range->file, file_len, NULL, 0);
	return window->broken || fl_page_set_has(&range->hidden, page);
}

static int substitute_locked(struct fl_window *window, struct fl_range *range, unsigned int page,
			     const struct fl_window_loss *loss)
{
	uint64_t file_len;
	int error;

	if (fl_page_set_has(&range->substituted, page))
		return 0;
	/*
	 * As in map_locked(), the watch first: what happens after the length was read is an event. Nobody to tell of
	 * growth is no reason to let the guest do without: the watch says so in the log.
	 */
	(void)!fl_window_file_watch(window, range->file, range->backing);
	file_len = file_len_of(range->backing);
	if (!is_still_lost(window, range, page, loss, file_len))
		return -EAGAIN;
	if (window->broken)
		return -ENOTRECOVERABLE;
	if (window->stats.substitutes >= FL_WINDOW_SUBSTITUTES_MAX)
		return -ENOSPC;
	error = fl_range_change(window, range, page, page + 1, FL_PAGE_SUBSTITUTE);
	if (error)
		return error;
	if (file_len <= range->file_offset + page * FL_PAGE_LEN)
		fl_page_set_add(&range->ended, page, page + 1);
	/* Has it grown by now? That another step fails is not this page's trouble. */
	(void)!fl_window_file_follow(window, range->file, file_len_of(range->backing), range, 1);
	return 0;
}

int fl_window_substitute(struct fl_window *window, uint64_t offset, const struct fl_window_loss *loss)
{
	struct fl_range *range;
	int error;

	if (offset >= window->len || !fl_is_aligned(offset, FL_PAGE_LEN))
		return -EINVAL;
	FL_LOCKED(&window->lock);
	if (window->broken)
		return -ENOTRECOVERABLE;
	range = &window->ranges[offset / FL_RANGE_LEN];
	if (!fl_range_is_mapped(range))
		return loss->backing ? -EAGAIN : -EINVAL;
	error = substitute_locked(window, range, (unsigned int)(offset % FL_RANGE_LEN / FL_PAGE_LEN), loss);
	if (range->file)
		fl_window_file_settle(window, range->file);
	return error;
}

void fl_window_follow_file(struct fl_window *window, dev_t dev, ino_t ino, uint64_t file_len)
{
	struct fl_window_file *file;

	FL_LOCKED(&window->lock);
	file = window->broken ? NULL : fl_window_file_find(window, dev, ino);
	if (!file || (file_len == file->len && !file->behind))
		return;
	if (!window->hide_ends && !file->substitutes && !file->behind)
		return;
	/* The caller's length may be of before the last change, of which others have told us already: look again. */
	(void)!fl_window_file_follow(window, file, file_len_of(file->ranges->backing), NULL, 0);
	file = fl_window_file_find(window, dev, ino);
	if (file)
		fl_window_file_settle(window, file);
}

/* ---- looking at it ---------------------------------------------------------------------- */

bool fl_window_look(struct fl_window *window, uint64_t offset, struct fl_window_view *view)
{
	const struct fl_range *range;
	unsigned int page;

	*view = (struct fl_window_view){0};
	if (offset >= window->len)
		return false;
	FL_LOCKED(&window->lock);
	range = &window->ranges[offset / FL_RANGE_LEN];
	view->state = range->state;
	view->seq = range->seq;
	view->run_len = FL_RANGE_LEN - offset % FL_RANGE_LEN;
	if (range->backing) {
		page = (unsigned int)(offset % FL_RANGE_LEN / FL_PAGE_LEN);
		view->backing = fl_backing_ref(range->backing);
		view->file_offset = range->file_offset + offset % FL_RANGE_LEN;
		view->mapped_file_len = range->mapped_file_len;
		view->hidden = fl_page_set_has(&range->hidden, page);
		view->substituted = fl_page_set_has(&range->substituted, page);
		view->run_len = fl_range_run_end(range, page) * FL_PAGE_LEN - offset % FL_RANGE_LEN;
	}
	return true;
}

void fl_window_view_put(struct fl_window_view *view)
{
	fl_backing_unref(view->backing);
	view->backing = NULL;
}

void fl_window_set_on_broken(struct fl_window *window, void (*fn)(void *arg), void *arg)
{
	FL_LOCKED(&window->lock);
	window->on_broken = fn;
	window->on_broken_arg = arg;
}

bool fl_window_is_broken(struct fl_window *window)
{
	FL_LOCKED(&window->lock);
	return window->broken;
}

void fl_window_get_stats(struct fl_window *window, struct fl_window_stats *stats)
{
	FL_LOCKED(&window->lock);
	*stats = window->stats;
}
