/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/wire/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/diag.h"

_Static_assert(sizeof(struct fl_scn_page) <= FL_SCN_PAGE_LEN, "the page holds it all");
_Static_assert(offsetof(struct fl_scn_page, marks) % 8 == 0 && sizeof(struct fl_scn_mark) % 8 == 0,
	       "no number lies across two words");

static int write_at(const struct fl_scn_page_file *page, size_t offset, const void *bytes, size_t len)
{
	ssize_t n = pwrite(page->fd, bytes, len, (off_t)offset);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int read_at(const struct fl_scn_page_file *page, size_t offset, void *bytes, size_t len)
{
	ssize_t n = pread(page->fd, bytes, len, (off_t)offset);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static size_t mark_offset(uint32_t mark)
{
	return offsetof(struct fl_scn_page, marks) + mark * sizeof(struct fl_scn_mark);
}

static int write_whole(struct fl_scn_page_file *page, uint64_t deadline_ns)
{
	struct fl_scn_page *whole = calloc(1, FL_SCN_PAGE_LEN);
	int ret;

	if (!whole)
		return -ENOMEM;
	whole->magic = FL_SCN_PAGE_MAGIC;
	whole->version = FL_SCN_VERSION;
	whole->guest_minus_host_ns = page->guest_minus_host_ns;
	whole->deadline_host_ns = deadline_ns;
	ret = write_at(page, 0, whole, FL_SCN_PAGE_LEN);
	free(whole);
	return ret;
}

int fl_scn_page_new(const char *dir, struct fl_scn_page_file *page, struct fl_diag *diag)
{
	int ret;

	*page = (struct fl_scn_page_file){.fd = -1};
	if (asprintf(&page->path, "%s/" FL_SCN_PAGE_NAME, dir) < 0) {
		page->path = NULL;
		return fl_cli_diag(diag, -ENOMEM, "out of memory");
	}
	page->fd = open(page->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (page->fd < 0) {
		ret = fl_cli_diag(diag, -errno, "cannot make %s: %m", page->path);
		free(page->path);
		page->path = NULL;
		return ret;
	}
	ret = write_whole(page, 0);
	if (ret) {
		fl_cli_diag(diag, ret, "cannot write %s: %s", page->path, strerror(-ret));
		fl_scn_page_free(page);
	}
	return ret;
}

void fl_scn_page_free(struct fl_scn_page_file *page)
{
	if (page->path)
		unlink(page->path);
	if (page->fd >= 0)
		close(page->fd);
	free(page->path);
	*page = (struct fl_scn_page_file){.fd = -1};
}

int fl_scn_page_begin(struct fl_scn_page_file *page, uint64_t deadline_ns)
{
	return write_whole(page, deadline_ns);
}

int fl_scn_page_set_clock(struct fl_scn_page_file *page, uint64_t guest_minus_host_ns)
{
	page->guest_minus_host_ns = guest_minus_host_ns;
	return write_at(page, offsetof(struct fl_scn_page, guest_minus_host_ns), &guest_minus_host_ns,
			sizeof(guest_minus_host_ns));
}

int fl_scn_page_stop(struct fl_scn_page_file *page)
{
	const uint32_t one = 1;

	return write_at(page, offsetof(struct fl_scn_page, stop), &one, sizeof(one));
}

/*
 * The time is there before who waits can see that the mark is set: each write takes and gives back the inode's lock.
 */
static int set_mark(struct fl_scn_page_file *page, uint32_t mark, uint64_t ns)
{
	const uint32_t one = 1;
	size_t at = mark_offset(mark);
	int ret = write_at(page, at + offsetof(struct fl_scn_mark, ns), &ns, sizeof(ns));

	if (!ret)
		ret = write_at(page, at + offsetof(struct fl_scn_mark, by_host), &one, sizeof(one));
	return ret ? ret : write_at(page, at + offsetof(struct fl_scn_mark, set), &one, sizeof(one));
}

static int read_mark(const struct fl_scn_page_file *page, uint32_t mark, struct fl_scn_mark *read)
{
	return mark < FL_SCN_MARKS_MAX ? read_at(page, mark_offset(mark), read, sizeof(*read)) : -EINVAL;
}

int fl_scn_page_set_mark(struct fl_scn_page_file *page, uint32_t mark, uint64_t ns)
{
	struct fl_scn_mark now;
	int ret = read_mark(page, mark, &now);

	if (ret || now.set)
		return ret;
	return set_mark(page, mark, ns);
}

int fl_scn_page_read_mark(const struct fl_scn_page_file *page, uint32_t mark, uint64_t *ns)
{
	struct fl_scn_mark now;
	int ret = read_mark(page, mark, &now);

	if (ret || !now.set)
		return ret;
	/* what stood beside `set` may have been read before it was */
	ret = read_mark(page, mark, &now);
	if (ret)
		return ret;
	*ns = now.by_host ? now.ns : now.ns - page->guest_minus_host_ns;
	return 1;
}

int fl_scn_page_arrive(struct fl_scn_page_file *page, uint32_t mark, uint32_t host_arrived, uint32_t parties,
		       uint64_t ns)
{
	struct fl_scn_mark now;
	int ret = mark < FL_SCN_MARKS_MAX
			  ? write_at(page, mark_offset(mark) + offsetof(struct fl_scn_mark, host_arrived),
				     &host_arrived, sizeof(host_arrived))
			  : -EINVAL;

	if (!ret)
		ret = read_mark(page, mark, &now);
	if (ret || (uint64_t)now.arrived + host_arrived < parties)
		return ret;
	if (!now.set)
		ret = set_mark(page, mark, ns);
	return ret ? ret : 1;
}

uint32_t fl_scn_page_read_arrived(const struct fl_scn_page_file *page, uint32_t mark)
{
	struct fl_scn_mark now;

	return read_mark(page, mark, &now) == 0 ? now.arrived : 0;
}

int fl_scn_page_read_progress(const struct fl_scn_page_file *page, uint32_t actor, struct fl_scn_progress *progress)
{
	size_t at = offsetof(struct fl_scn_page, progress) + actor * sizeof(*progress);

	return actor < FL_SCN_ACTORS_MAX ? read_at(page, at, progress, sizeof(*progress)) : -EINVAL;
}
