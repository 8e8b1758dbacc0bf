/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/window.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "mmu_backing/window_vma.h"

/* 32768 ranges: below half of the default vm.max_map_count of 65530, should no two of them merge */
#define WINDOW_LEN_MAX (64 * FL_GIB)

struct range {
	enum fl_range_state state;
	struct fl_backing *backing; /* our reference; NULL unless mapped */
	uint64_t file_offset;	    /* of the range's first byte */
	uint64_t seq;		    /* changes of the range so far */
};

struct fl_window {
	uint8_t *hva;
	uint64_t len;
	struct fl_vma_none none;
	int maps_fd; /* /proc/self/maps, opened beforehand: in trouble there may be no descriptor left */

	pthread_mutex_t lock; /* guards all below, and the address space at hva */
	bool broken;
	void (*on_broken)(void *arg);
	void *on_broken_arg;
	struct fl_window_stats stats;
	struct range ranges[];
};

/* A run of ranges. */
struct span {
	size_t first, count;
};

static uint8_t *span_hva(const struct fl_window *window, struct span span)
{
	return window->hva + span.first * FL_RANGE_LEN;
}

static bool is_mapped(const struct range *range)
{
	return range->state == FL_RANGE_MAPPED_RO || range->state == FL_RANGE_MAPPED_RW;
}

/* Gives the range its new entry, which takes over backing's reference. */
static void set_range(struct fl_window *window, size_t index, struct range entry)
{
	struct range *range = &window->ranges[index];
	struct fl_backing *old = range->backing;

	window->stats.ranges_mapped -= is_mapped(range);
	entry.seq = range->seq + 1;
	*range = entry;
	window->stats.ranges_mapped += is_mapped(range);
	fl_backing_unref(old);
}

static void set_span_state(struct fl_window *window, struct span span, enum fl_range_state state)
{
	for (size_t i = 0; i < span.count; i++)
		set_range(window, span.first + i, (struct range){.state = state});
}

/* ---- after a failed mmap --------------------------------------------------------------- */

struct intact_walk {
	const struct fl_window *window;
	uint64_t next; /* up to here all is as the table says */
	uint64_t end;
};

/* No device number: for btrfs and overlayfs stat(2) and /proc/self/maps differ in it. */
static bool is_file(const struct fl_vma *vma, const char *perms, uint64_t ino, uint64_t start, uint64_t file_offset)
{
	return strcmp(vma->perms, perms) == 0 && vma->ino == ino &&
	       vma->file_offset + (start - vma->start) == file_offset;
}

/* Is what the kernel has at this range, part of vma, what the table says? */
static bool range_matches(const struct fl_window *window, size_t index, const struct fl_vma *vma)
{
	const struct range *range = &window->ranges[index];
	uint64_t start = (uintptr_t)window->hva + index * FL_RANGE_LEN;

	switch (range->state) {
	case FL_RANGE_RESERVED:
		return is_file(vma, "---s", window->none.ino, start, start - (uintptr_t)window->none.origin);
	case FL_RANGE_MAPPED_RO:
		return is_file(vma, "r--s", range->backing->ino, start, range->file_offset);
	case FL_RANGE_MAPPED_RW:
		return is_file(vma, "rw-s", range->backing->ino, start, range->file_offset);
	case FL_RANGE_BROKEN:
		break;
	}
	return false;
}

static bool check_vma(void *arg, const struct fl_vma *vma)
{
	struct intact_walk *walk = arg;
	const struct fl_window *window = walk->window;

	if (vma->start > walk->next)
		return false;
	while (walk->next < vma->end && walk->next < walk->end) {
		size_t index = (walk->next - (uintptr_t)window->hva) / FL_RANGE_LEN;

		if (!range_matches(window, index, vma))
			return false;
		walk->next = FL_MIN(vma->end, (uintptr_t)window->hva + (index + 1) * FL_RANGE_LEN);
	}
	return walk->next < walk->end;
}

static bool is_intact(const struct fl_window *window, struct span span)
{
	uint64_t start = (uintptr_t)span_hva(window, span);
	struct intact_walk walk = {.window = window, .next = start, .end = start + span.count * FL_RANGE_LEN};

	return fl_vma_walk(window->maps_fd, walk.next, walk.end, check_vma, &walk) == 0 && walk.next == walk.end;
}

/*
 * Something that is not ours is in the window. It is left alone (it is somebody's memory), what is
 * still free is closed, and the owner must stop the VM.
 */
static void give_up(struct fl_window *window, struct span span)
{
	window->broken = true;
	for (size_t i = 0; i < span.count; i++) {
		struct span one = {span.first + i, 1};
		bool closed = fl_vma_fill_none(span_hva(window, one), FL_RANGE_LEN, &window->none) == 0;

		set_span_state(window, one, closed ? FL_RANGE_RESERVED : FL_RANGE_BROKEN);
	}
	if (window->on_broken)
		window->on_broken(window->on_broken_arg);
}

/* Brings back the mapping that a hole swallowed, so that the failure costs the guest nothing. */
static void restore(struct fl_window *window, size_t index)
{
	const struct range *range = &window->ranges[index];
	struct span one = {index, 1};
	int prot = range->state == FL_RANGE_MAPPED_RW ? PROT_READ | PROT_WRITE : PROT_READ;
	int error;

	if (!is_mapped(range) ||
	    fl_vma_put_file(span_hva(window, one), FL_RANGE_LEN, prot, range->backing->fd, range->file_offset) == 0)
		return;
	set_span_state(window, one, FL_RANGE_RESERVED);
	error = fl_vma_fill_none(span_hva(window, one), FL_RANGE_LEN, &window->none);
	if (error && !(error == -EEXIST && is_intact(window, one)))
		give_up(window, one);
}

/*
 * A replacing mmap failed. Early failures leave the old mapping; one from the file's own ->mmap
 * leaves a hole (mm/vma.h vms_abort_munmap_vmas), which must be closed before anything else is
 * done: no allocation, no other system call.
 */
static void recover(struct fl_window *window, struct span span)
{
	int error = fl_vma_fill_none(span_hva(window, span), span.count * FL_RANGE_LEN, &window->none);

	if (!error) {
		window->stats.repairs++;
		for (size_t i = 0; i < span.count; i++) {
			window->ranges[span.first + i].seq++; /* who looked on has seen it empty */
			restore(window, span.first + i);
		}
	} else if (error != -EEXIST || !is_intact(window, span)) {
		give_up(window, span);
	}
}

/* ---- the interface ---------------------------------------------------------------------- */

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
	/* 1 GiB congruence lets KVM use its largest pages wherever the window is put on such a boundary. */
	error = fl_vma_reserve(len, FL_GIB, &made->none, &made->hva);
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

void fl_window_free(struct fl_window *window)
{
	if (!window)
		return;
	for (size_t i = 0; i < window->stats.ranges_total; i++) {
		struct span one = {i, 1};

		/* Address space is let go only where it is known to be ours. */
		if (window->ranges[i].state != FL_RANGE_BROKEN)
			munmap(span_hva(window, one), FL_RANGE_LEN);
		fl_backing_unref(window->ranges[i].backing);
	}
	pthread_mutex_destroy(&window->lock);
	fl_close(&window->maps_fd);
	fl_close(&window->none.fd);
	free(window);
}

uint8_t *fl_window_hva(const struct fl_window *window)
{
	return window->hva;
}

uint64_t fl_window_len(const struct fl_window *window)
{
	return window->len;
}

static int check_span(const struct fl_window *window, uint64_t offset, uint64_t len, struct span *span)
{
	if (!len || !fl_is_aligned(offset | len, FL_RANGE_LEN) || !fl_range_fits(offset, len, window->len))
		return -EINVAL;
	*span = (struct span){offset / FL_RANGE_LEN, len / FL_RANGE_LEN};
	return 0;
}

int fl_window_map(struct fl_window *window, uint64_t offset, uint64_t len, struct fl_backing *backing,
		  uint64_t file_offset, bool writable)
{
	enum fl_range_state state = writable ? FL_RANGE_MAPPED_RW : FL_RANGE_MAPPED_RO;
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	struct span span;
	int error = check_span(window, offset, len, &span);

	if (error || !fl_is_aligned(file_offset, FL_RANGE_LEN) || !fl_range_fits(file_offset, len, INT64_MAX))
		return -EINVAL;
	if (writable && !backing->writable)
		return -EACCES;
	error = fl_vma_try_file(len, prot, backing->fd, file_offset);
	if (error)
		return error;

	FL_LOCKED(&window->lock);
	if (window->broken)
		return -ENOTRECOVERABLE;
	error = fl_vma_put_file(window->hva + offset, len, prot, backing->fd, file_offset);
	if (error) {
		recover(window, span);
		return window->broken ? -ENOTRECOVERABLE : error;
	}
	for (size_t i = 0; i < span.count; i++)
		set_range(window, span.first + i,
			  (struct range){state, fl_backing_ref(backing), file_offset + i * FL_RANGE_LEN, 0});
	window->stats.maps++;
	return 0;
}

static int unmap_locked(struct fl_window *window, struct span span)
{
	int error = fl_vma_put_none(span_hva(window, span), span.count * FL_RANGE_LEN, &window->none);

	if (error) {
		recover(window, span);
		return window->broken ? -ENOTRECOVERABLE : error;
	}
	set_span_state(window, span, FL_RANGE_RESERVED);
	return 0;
}

int fl_window_unmap(struct fl_window *window, uint64_t offset, uint64_t len)
{
	struct span span;
	int error = check_span(window, offset, len, &span);

	if (error)
		return error;
	FL_LOCKED(&window->lock);
	if (window->broken)
		return -ENOTRECOVERABLE;
	error = unmap_locked(window, span);
	window->stats.unmaps += error == 0;
	return error;
}

void fl_window_unmap_all(struct fl_window *window)
{
	FL_LOCKED(&window->lock);
	/* One call frees mappings and splits none, so it works where many small ones could not. */
	if (!window->broken && unmap_locked(window, (struct span){0, window->stats.ranges_total}) == 0)
		return;
	for (size_t i = 0; i < window->stats.ranges_total; i++)
		if (is_mapped(&window->ranges[i]))
			(void)!unmap_locked(window, (struct span){i, 1});
}

bool fl_window_look(struct fl_window *window, uint64_t offset, struct fl_window_view *view)
{
	const struct range *range;

	*view = (struct fl_window_view){0};
	if (offset >= window->len)
		return false;
	FL_LOCKED(&window->lock);
	range = &window->ranges[offset / FL_RANGE_LEN];
	view->state = range->state;
	view->seq = range->seq;
	if (range->backing) {
		view->backing = fl_backing_ref(range->backing);
		view->file_offset = range->file_offset + offset % FL_RANGE_LEN;
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
