/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/fault_site.h"

#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MADV_POPULATE_READ /* Linux 5.14 */
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

/* A page whose facts change this often while they are gathered is somebody's work in progress. */
#define PROBE_ROUNDS 4

/*
 * ENOMEM says "nothing mapped" or "no memory for it just now"; mincore() says it only for the
 * former. The latter passes or ends in the OOM killer, so it becomes EAGAIN.
 */
static int populate(uint8_t *page, int advice)
{
	unsigned char resident;
	int error;

	if (madvise(page, FL_PAGE_LEN, advice) == 0)
		return 0;
	error = errno;
	if (error == ENOMEM && mincore(page, FL_PAGE_LEN, &resident) == 0)
		return EAGAIN;
	return error;
}

static bool file_len_of(const struct fl_backing *backing, uint64_t *len)
{
	struct stat st;

	if (!backing || fstat(backing->fd, &st) < 0)
		return false;
	*len = (uint64_t)st.st_size;
	return true;
}

static void probe_memory(struct fl_probe *probe, uint8_t *page, bool write)
{
	off_t page_offset = (off_t)fl_align_down(probe->view.file_offset, FL_PAGE_LEN);
	char byte;

	probe->read_error = populate(page, MADV_POPULATE_READ);
	if (write)
		probe->write_error = populate(page, MADV_POPULATE_WRITE);
	if (probe->read_error == EFAULT && probe->view.backing &&
	    pread(probe->view.backing->fd, &byte, 1, page_offset) < 0)
		probe->file_error = errno;
}

/*
 * Fills *probe. False if the mapping or the file's length is known to have changed meanwhile, so
 * that the facts are of different moments.
 */
static bool gather(const struct fl_region *region, uint64_t offset, bool write, struct fl_probe *probe)
{
	uint8_t *page = region->hva + fl_align_down(offset, FL_PAGE_LEN);
	struct fl_window_view after;
	uint64_t len_before = 0;
	bool steady;

	*probe = (struct fl_probe){.region = region};
	if (region->kind != FL_REGION_WINDOW) {
		probe_memory(probe, page, write);
		return true;
	}
	if (!fl_window_look(region->window, offset, &probe->view))
		probe->view.state = FL_RANGE_BROKEN; /* the region says more than there is */
	steady = file_len_of(probe->view.backing, &len_before) || !probe->view.backing;
	probe_memory(probe, page, write);
	probe->has_file = file_len_of(probe->view.backing, &probe->file_len);
	fl_window_look(region->window, offset, &after);
	steady = steady && after.seq == probe->view.seq && len_before == probe->file_len;
	fl_window_view_put(&after);
	return steady;
}

static bool is_trouble(const struct fl_probe *probe)
{
	return probe->read_error || probe->write_error || probe->view.state == FL_RANGE_BROKEN;
}

static bool same_facts(const struct fl_probe *a, const struct fl_probe *b)
{
	return a->view.seq == b->view.seq && a->read_error == b->read_error && a->write_error == b->write_error &&
	       a->file_error == b->file_error && a->has_file == b->has_file && a->file_len == b->file_len;
}

/*
 * The facts come from several system calls, between which the range can be mapped anew and the file
 * can change. Bad news is therefore believed only when two steady rounds agree; news that never
 * settles is no news, and the access is repeated.
 */
void fl_probe_page(const struct fl_gpa_map *map, uint64_t gpa, bool write, struct fl_probe *probe)
{
	const struct fl_region *region = fl_gpa_map_find(map, gpa);
	bool steady;

	*probe = (struct fl_probe){0};
	if (!region)
		return;
	steady = gather(region, gpa - region->gpa, write, probe);
	for (int round = 1; round < PROBE_ROUNDS && is_trouble(probe); round++) {
		struct fl_probe before = *probe;
		bool was_steady = steady;

		steady = gather(region, gpa - region->gpa, write, probe);
		fl_probe_put(&before);
		if (steady && was_steady && same_facts(&before, probe))
			return;
	}
	probe->read_error = 0;
	probe->write_error = 0;
}

void fl_probe_put(struct fl_probe *probe)
{
	fl_window_view_put(&probe->view);
}
