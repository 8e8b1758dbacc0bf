/* SPDX-License-Identifier: Apache-2.0 */
/* What madvise_populate() (mm/madvise.c) and the file's length mean together. */
#include "mmu_backing/fault_site.h"

static struct fl_finding bad(enum fl_cause cause)
{
	return (struct fl_finding){.verdict = FL_VERDICT_BAD, .cause = cause};
}

static const struct fl_finding hole = {.verdict = FL_VERDICT_HOLE, .cause = FL_CAUSE_UNKNOWN};
static const struct fl_finding retry = {.verdict = FL_VERDICT_RETRY, .cause = FL_CAUSE_NONE};

/* A file's last page is whole for a mapping, however little of it the file fills. */
static bool page_is_past_end(const struct fl_probe *probe)
{
	return probe->has_file && probe->file_len <= fl_align_down(probe->view.file_offset, FL_PAGE_LEN);
}

/*
 * EFAULT: the fault handler said SIGBUS. Space can be what lacks for a load too: tmpfs allocates a
 * hole's page then (shmem_fault), though read(2) of the hole succeeds.
 */
static enum fl_cause cause_of_sigbus(const struct fl_probe *probe)
{
	/* a file that cannot even be asked: its server is gone (ENOTCONN), or it is itself (ESTALE) */
	if (!probe->has_file || probe->file_error)
		return probe->file_error ? FL_CAUSE_IO_ERROR : FL_CAUSE_UNKNOWN;
	switch (probe->space_error) {
	case 0:
	case EOPNOTSUPP:
		return FL_CAUSE_UNKNOWN;
	case ENOSPC:
	case EDQUOT:
		return FL_CAUSE_NO_SPACE;
	default:
		return FL_CAUSE_IO_ERROR;
	}
}

static struct fl_finding classify_window(const struct fl_probe *probe, int error, bool page_was_readable)
{
	if (probe->view.state == FL_RANGE_RESERVED)
		return bad(FL_CAUSE_UNMAPPED);
	/* a page that is hidden though the file has it could not be brought back: waiting would not help */
	if (page_is_past_end(probe) || probe->view.hidden)
		return bad(FL_CAUSE_TRUNCATED);
	if (error == EINVAL && page_was_readable && probe->view.state == FL_RANGE_MAPPED_RO)
		return bad(FL_CAUSE_NOT_PERMITTED);
	if (error == EFAULT)
		return bad(cause_of_sigbus(probe));
	return bad(FL_CAUSE_UNKNOWN);
}

static struct fl_finding classify_region(const struct fl_probe *probe, bool store)
{
	int error = probe->read_error ? probe->read_error : store ? probe->write_error : 0;

	if (probe->region->kind == FL_REGION_WINDOW && probe->view.state == FL_RANGE_BROKEN)
		return hole;
	switch (error) {
	case 0:
	case EINTR:
	case EAGAIN:
		return retry;
	case ENOMEM:
		return hole;
	case EHWPOISON:
		return bad(FL_CAUSE_MEMORY_FAILURE);
	}
	if (probe->region->kind == FL_REGION_WINDOW)
		return classify_window(probe, error, probe->read_error == 0);
	/* No file can shrink under RAM and memfds have no size limit: what is left is a failed swap-in. */
	return bad(error == EFAULT ? FL_CAUSE_IO_ERROR : FL_CAUSE_UNKNOWN);
}

struct fl_finding fl_classify(const struct fl_probe *probe, uint64_t gpa, enum fl_access access)
{
	struct fl_finding finding =
		probe->region ? classify_region(probe, access == FL_ACCESS_WRITE) : bad(FL_CAUSE_UNMAPPED);

	finding.bad_len = FL_PAGE_LEN - (gpa & (FL_PAGE_LEN - 1));
	return finding;
}
