/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps 3 and 4 of the way of a fault (ARCHITECTURE.md): probe and classify a guest-physical byte,
 * and decide by the region's policy what to do. The hinge between vcpu/ and what stands behind memory.
 */
#ifndef FL_FAULT_SITE_H
#define FL_FAULT_SITE_H

#include "mmu_backing/gpa_map.h"
#include "mmu_backing/window.h"

/* Facts about one guest-physical page, gathered without signals. */
struct fl_probe {
	const struct fl_region *region; /* NULL: no memslot there */
	struct fl_window_view view;	/* windows; release with fl_probe_put() */
	int read_error;			/* MADV_POPULATE_READ on the page: 0 or errno (EAGAIN: host short of memory) */
	int write_error;		/* MADV_POPULATE_WRITE; only if write was asked for, else 0 */
	bool has_file;			/* file_len and file_error say something */
	uint64_t file_len;
	int file_error;	 /* why fstat fails, else pread of the page, tried if read_error is EFAULT: errno */
	int space_error; /* allocating the page, tried if the file itself can be read: 0, errno, EOPNOTSUPP */
};

enum fl_verdict {
	FL_VERDICT_RETRY = 0, /* the page is healthy (again) */
	FL_VERDICT_BAD = 1,   /* it is not: cause says why */
	FL_VERDICT_HOLE = 2,  /* our own address space has a hole there: fatal */
};

struct fl_finding {
	enum fl_verdict verdict;
	enum fl_cause cause;
	uint64_t bad_len; /* bytes from gpa to the end of its page */
};

/* Probes the page that holds gpa. write: the access stores. Touches the page like the guest would. */
void fl_probe_page(const struct fl_gpa_map *map, uint64_t gpa, bool write, struct fl_probe *probe);
void fl_probe_put(struct fl_probe *probe);

/* Pure: what the facts mean for this access. */
struct fl_finding fl_classify(const struct fl_probe *probe, uint64_t gpa, enum fl_access access);

/* What can be done about a fault at this moment; whoever asks has found out. */
struct fl_possible {
	bool reflect;	 /* the vCPU can take an exception now */
	bool substitute; /* the byte is known, and nothing of the instruction has happened yet */
	bool ask;	 /* there is somebody to ask, about a byte that is known */
};

/*
 * Pure: can this action be taken? What substitute cures is a page that stands for data which is lost or cannot be
 * had: truncated, no space, I/O error, memory failure. Not an access that is an error of the guest's own: where nothing is
 * mapped there is nothing to stand for, and what is read-only is so by intention; nor a cause that nobody knows.
 * RAM is never reflected: no file is behind it of which the guest could learn something.
 */
bool fl_action_is_possible(enum fl_action action, const struct fl_region *region, const struct fl_finding *finding,
			   const struct fl_possible *possible);

/*
 * Pure: the next action of the region's list that can be taken. *at: how many entries of the list have been
 * used up, 0 at first; moved on past the one returned. FL_ACTION_STOP ends every list, and is the answer for unknown places.
 */
enum fl_action fl_decide(const struct fl_region *region, const struct fl_finding *finding,
			 const struct fl_possible *possible, unsigned int *at);

/* Does the list name the action before it stops? */
bool fl_policy_has(const struct fl_policy *policy, enum fl_action action);

#endif
