/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings: files are put into the window by ranges of 2 MiB, which the CPU's tables show as they are. */
#include "guest/small/small.h"

#include <linux/fuse.h>

#define PRESENT	    0x07u /* writable, for CPL 3 too: what may be written is the host's mapping's to say */
#define LARGE	    0x80u
#define GIB_SHIFT   30
#define RANGE_SHIFT 21
#define PER_TABLE   512u

struct mapped {
	struct small_share *share; /* NULL: none */
	uint64_t first, ranges;
};

/* By actor's process and number: a mapping that is taken away is still looked at, where it was. */
#define MAPPED_MAX (FL_SCN_ACTORS_MAX * FL_SCN_HANDLES_MAX)
static struct mapped all[MAPPED_MAX];

void small_windows_init(struct small_share *share, uint64_t gpa, uint64_t len)
{
	struct small_window *window = small_window_of(share);

	if (gpa + len > SMALL_WINDOWS)
		small_die("a window at 0x%llx is beyond what is mapped here", (unsigned long long)gpa);
	*window = (struct small_window){.gpa = gpa, .ranges = len >> RANGE_SHIFT};
	window->taken = small_pages((window->ranges + 63) / 64 * 8);
	for (uint64_t at = gpa; at < gpa + len; at += FL_RANGE_LEN) {
		uint64_t *entry = &small_pdpt[(SMALL_WINDOWS + at) >> GIB_SHIFT];

		if (!*entry)
			*entry = (uintptr_t)small_pages(FL_PAGE_LEN) | PRESENT;
		uint64_t *table = (uint64_t *)(uintptr_t)(*entry & ~(FL_PAGE_LEN - 1));

		table[at >> RANGE_SHIFT & (PER_TABLE - 1)] = at | PRESENT | LARGE;
	}
}

/* ---- places in a window ------------------------------------------------------------------- */

static bool is_taken(const struct small_window *window, uint64_t range)
{
	return window->taken[range / 64] >> range % 64 & 1;
}

static void take(struct small_window *window, uint64_t first, uint64_t ranges)
{
	for (uint64_t i = first; i < first + ranges; i++)
		window->taken[i / 64] |= UINT64_C(1) << i % 64;
}

static void give(struct small_window *window, uint64_t first, uint64_t ranges)
{
	for (uint64_t i = first; i < first + ranges; i++)
		window->taken[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static bool are_free(const struct small_window *window, uint64_t first, uint64_t ranges)
{
	for (uint64_t i = first; i < first + ranges; i++)
		if (is_taken(window, i))
			return false;
	return true;
}

/* Upwards and around, so that a place that became free is the last to be used again. */
static bool find_place(struct small_window *window, uint64_t ranges, uint64_t *first)
{
	for (uint64_t i = 0; ranges <= window->ranges && i < window->ranges; i++) {
		*first = (window->next + i) % window->ranges;
		if (*first + ranges > window->ranges || !are_free(window, *first, ranges))
			continue;
		window->next = *first + ranges;
		return true;
	}
	return false;
}

/* ---- requests ----------------------------------------------------------------------------- */

static int set_up(const struct small_file *file, uint64_t offset, uint64_t first, uint64_t ranges, bool writable)
{
	struct fuse_setupmapping_in in = {
		.fh = UINT64_MAX,
		.foffset = offset,
		.len = ranges << RANGE_SHIFT,
		.flags = FUSE_SETUPMAPPING_FLAG_READ | (writable ? FUSE_SETUPMAPPING_FLAG_WRITE : 0),
		.moffset = first << RANGE_SHIFT,
	};
	struct small_request request = {.opcode = FUSE_SETUPMAPPING, .node = file->node, .in = {{&in, sizeof(in)}}};

	return small_fuse(file->share, &request);
}

static int remove_mapping(struct mapped *mapped)
{
	struct {
		struct fuse_removemapping_in head;
		struct fuse_removemapping_one one;
	} __attribute__((packed)) in = {
		.head = {.count = 1},
		.one = {.moffset = mapped->first << RANGE_SHIFT, .len = mapped->ranges << RANGE_SHIFT},
	};
	struct small_request request = {.opcode = FUSE_REMOVEMAPPING, .node = FUSE_ROOT_ID, .in = {{&in, sizeof(in)}}};
	struct mapped gone = *mapped;

	*mapped = (struct mapped){0};
	int error = small_fuse(gone.share, &request);

	give(small_window_of(gone.share), gone.first, gone.ranges);
	return error;
}

static int map(const struct small_file *file, uint64_t offset, uint64_t len, bool writable, struct mapped *mapped,
	       uint8_t **at)
{
	struct small_window *window = small_window_of(file->share);
	uint64_t begin = fl_align_down(offset, FL_RANGE_LEN);
	uint64_t first, ranges = (fl_align_up(offset + len, FL_RANGE_LEN) - begin) >> RANGE_SHIFT;

	if (!find_place(window, ranges, &first))
		return -ENOMEM;
	take(window, first, ranges);
	int error = set_up(file, begin, first, ranges, writable);

	if (error) {
		give(window, first, ranges);
		return error;
	}
	*mapped = (struct mapped){.share = file->share, .first = first, .ranges = ranges};
	*at = (uint8_t *)(uintptr_t)(SMALL_WINDOWS + window->gpa + (first << RANGE_SHIFT) + (offset - begin));
	return 0;
}

int small_map_own(int file, uint64_t len, uint8_t **at)
{
	static struct mapped own;

	return map(small_file_of(file), 0, len, true, &own, at);
}

void small_unmap_all(void)
{
	for (uint32_t i = 0; i < MAPPED_MAX; i++)
		if (all[i].share)
			(void)remove_mapping(&all[i]);
}

/* ---- steps -------------------------------------------------------------------------------- */

static struct mapped *mapped_of(const struct fl_actor_self *self, uint64_t number)
{
	return &all[small_process_number(self) * FL_SCN_HANDLES_MAX + number];
}

/* As mmap(2) permits: who has not opened it for reading, or wants to change it and has not for writing, may not. */
static int check(const struct small_file *file, const struct fl_actor_step *step)
{
	if (!file)
		return -EBADF;
	if (!step->n[3] || step->n[2] % FL_PAGE_LEN)
		return -EINVAL;
	if (!(file->how & FL_SCN_O_READ) || (step->n[4] & FL_SCN_MAP_WRITE && !(file->how & FL_SCN_O_WRITE)))
		return -EACCES;
	return 0;
}

struct fl_actor_result fl_actor_op_map(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const struct small_file *file = small_file(self, step->n[1]);
	struct mapped *mapped = mapped_of(self, step->n[0]);
	int error = check(file, step);
	uint8_t *at;

	if (mapped->share)
		return fl_actor_cannot(EEXIST);
	if (!error)
		error = map(file, step->n[2], step->n[3], step->n[4] & FL_SCN_MAP_WRITE, mapped, &at);
	if (error)
		return (struct fl_actor_result){.kind = FL_SCN_ERROR, .value = (uint64_t)-error};
	self->process->maps[step->n[0]] = (struct fl_actor_map){.at = at, .len = fl_align_up(step->n[3], FL_PAGE_LEN)};
	return fl_actor_did((uintptr_t)at);
}

struct fl_actor_result fl_actor_op_unmap(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct mapped *mapped = mapped_of(self, step->n[0]);
	int error = mapped->share ? remove_mapping(mapped) : 0;

	if (!self->process->maps[step->n[0]].at)
		return fl_actor_cannot(EBADF);
	return error ? (struct fl_actor_result){.kind = FL_SCN_ERROR, .value = (uint64_t)-error} : fl_actor_did(0);
}
