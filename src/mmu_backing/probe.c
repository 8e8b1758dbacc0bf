/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/fault_site.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

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

struct file_facts {
	int error; /* of fstat */
	uint64_t len;
};

static struct file_facts ask_file(const struct fl_backing *backing)
{
	struct stat st;

	if (!backing)
		return (struct file_facts){0};
	if (fstat(backing->fd, &st) < 0)
		return (struct file_facts){.error = errno};
	return (struct file_facts){.len = (uint64_t)st.st_size};
}

/* The whole page: it can consist of several blocks. A read that gets some of them ends before the bad one. */
static int read_error_of(const struct fl_backing *backing, uint64_t page_offset)
{
	char page[FL_PAGE_LEN];
	size_t done = 0;
	ssize_t result;

	do {
		result = pread(backing->fd, page, sizeof(page) - done, (off_t)(page_offset + done));
		if (result < 0)
			return errno;
		done += (size_t)result;
	} while (result > 0 && done < sizeof(page));
	return 0;
}

static bool is_full(const struct fl_backing *backing)
{
	struct statvfs vfs;

	return fstatvfs(backing->fd, &vfs) == 0 && vfs.f_blocks && !vfs.f_bfree;
}

/*
 * The file can be read and the page cannot be had: is it the room for it? fallocate(2) does what the
 * guest's store would have done, and says why not: no space, a quota, a file system that was shut down. A load
 * should leave no trace, so a look at the free space goes first there. EOPNOTSUPP: it cannot be told.
 */
static int space_error_of(const struct fl_backing *backing, uint64_t page_offset, bool write)
{
	bool full = is_full(backing);
	int result;

	if (full && !write)
		return ENOSPC;
	if (backing->writable) {
		do {
			result = fallocate(backing->fd, FALLOC_FL_KEEP_SIZE, (off_t)page_offset, (off_t)FL_PAGE_LEN);
		} while (result < 0 && errno == EINTR);
		if (result == 0)
			return 0;
		if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM && errno != ETXTBSY)
			return errno;
	}
	return full ? ENOSPC : EOPNOTSUPP;
}

/*
 * What the window has there; where it hides a page that the file has by now, after it was told. False: nothing can be
 * there.
 */
static bool look_up_to_date(struct fl_window *window, uint64_t offset, struct fl_window_view *view)
{
	struct file_facts file;

	if (!fl_window_look(window, offset, view))
		return false;
	if (!view->hidden)
		return true;
	file = ask_file(view->backing);
	if (file.error || file.len <= fl_align_down(view->file_offset, FL_PAGE_LEN))
		return true;
	fl_window_follow_file(window, view->backing->dev, view->backing->ino, file.len);
	fl_window_view_put(view);
	return fl_window_look(window, offset, view);
}

static void probe_memory(struct fl_probe *probe, uint8_t *page, bool write)
{
	probe->read_error = populate(page, MADV_POPULATE_READ);
	if (write)
		probe->write_error = populate(page, MADV_POPULATE_WRITE);
}

/* These two have no storage behind their pages, and keep a page of failed memory, at which read(2) fails as well. */
static bool lives_in_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC);
}

/*
 * Is the page one that storage cannot read? Before Linux 6.9 MADV_POPULATE_READ of such a page never returns: the
 * fault handler lets go of mmap_lock for the I/O and wants to be called again, whatever became of it, and it is
 * (mended by 631426ba1d45, "mm/madvise: make MADV_POPULATE_(READ|WRITE) handle VM_FAULT_RETRY properly"). read(2)
 * ends on all of them.
 */
static bool storage_fails(const struct fl_window_view *view)
{
	bool shows_file = (view->state == FL_RANGE_MAPPED_RO || view->state == FL_RANGE_MAPPED_RW) && !view->hidden &&
			  !view->substituted;
	int error;

	if (!shows_file || !view->backing)
		return false;
	error = read_error_of(view->backing, fl_align_down(view->file_offset, FL_PAGE_LEN));
	return error && error != EINTR && error != EAGAIN && error != ENOMEM && !lives_in_memory(view->backing->fd);
}

static void probe_window_page(struct fl_probe *probe, uint8_t *page, bool write)
{
	if (!storage_fails(&probe->view)) {
		probe_memory(probe, page, write);
		return;
	}
	probe->read_error = EFAULT; /* what populating says of it where it returns */
	probe->write_error = write ? EFAULT : 0;
}

/* Why could the page not be had? */
static void probe_file(struct fl_probe *probe, const struct file_facts *file, bool write)
{
	const struct fl_backing *backing = probe->view.backing;
	uint64_t page_offset = fl_align_down(probe->view.file_offset, FL_PAGE_LEN);

	probe->has_file = backing && !file->error;
	probe->file_len = file->len;
	probe->file_error = file->error;
	if (!probe->has_file || file->len <= page_offset)
		return;
	if (probe->read_error == EFAULT)
		probe->file_error = read_error_of(backing, page_offset);
	if ((probe->read_error == EFAULT && !probe->file_error) || (!probe->read_error && probe->write_error == EFAULT))
		probe->space_error = space_error_of(backing, page_offset, write);
}

/*
 * Fills *probe. False if the mapping or the file's length is known to have changed meanwhile, so
 * that the facts are of different moments.
 */
static bool gather(const struct fl_region *region, uint64_t offset, bool write, struct fl_probe *probe)
{
	uint8_t *page = region->hva + fl_align_down(offset, FL_PAGE_LEN);
	struct file_facts before, file;
	struct fl_window_view after;
	bool steady;

	*probe = (struct fl_probe){.region = region};
	if (region->kind != FL_REGION_WINDOW) {
		probe_memory(probe, page, write);
		return true;
	}
	if (!look_up_to_date(region->window, offset, &probe->view))
		probe->view.state = FL_RANGE_BROKEN; /* the region says more than there is */
	before = ask_file(probe->view.backing);
	probe_window_page(probe, page, write);
	file = ask_file(probe->view.backing);
	probe_file(probe, &file, write);
	fl_window_look(region->window, offset, &after);
	steady = after.seq == probe->view.seq && before.error == file.error && before.len == file.len;
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
	       a->file_error == b->file_error && a->space_error == b->space_error && a->has_file == b->has_file &&
	       a->file_len == b->file_len;
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
