/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locate: step 2 of the way of a fault. KVM said "an access failed": which byte? The instruction's
 * accesses are listed, cut at page boundaries, translated and probed, in the CPU's order.
 */
#ifndef FL_LOCATE_H
#define FL_LOCATE_H

#include "vcpu/intake.h"
#include "vcpu/operands.h"

/* How the world is asked; a unit test answers by itself. */
struct fl_locate_ops {
	/* guest page tables; false: nothing mapped there */
	bool (*translate)(void *arg, uint64_t linear, uint64_t *gpa);
	/* guest memory; 0 or -EFAULT; never crosses a page */
	int (*read)(void *arg, uint64_t gpa, void *buf, size_t len);
	/* does this access to the page of gpa fail? */
	bool (*is_bad)(void *arg, uint64_t gpa, enum fl_access access);
	/* can an access to this byte fail at all? (only file windows' can, as a rule) */
	bool (*is_window)(void *arg, uint64_t gpa);
	/* vector registers; false: cannot be had */
	bool (*vectors)(void *arg, struct fl_vectors *vectors);
	void *arg;
};

/* A stretch of an access inside one page. */
struct fl_piece {
	uint64_t linear;
	uint64_t gpa;
	uint32_t len;
	uint32_t offset; /* from the start of the access it is part of */
	enum fl_access access;
	bool mapped; /* gpa says something */
};

#define FL_PIECES_MAX (2 * FL_ACCESSES_MAX + 2)
struct fl_pieces {
	unsigned int count;
	bool repeats; /* a string instruction with REP */
	bool decoded; /* false: only the fetch is listed */
	struct fl_piece item[FL_PIECES_MAX];
};

enum fl_locate_result {
	FL_LOCATE_BAD,	   /* found: the first failing byte, or, unsettled, the one that KVM must mean */
	FL_LOCATE_HEALTHY, /* it touches a window, and all its pages are there (again) */
	FL_LOCATE_UNKNOWN, /* the instruction could not be followed to anything that can fail */
};

struct fl_location {
	bool gpa_valid, gva_valid;
	bool unsettled; /* KVM named the page, but nobody here has seen that it cannot be had */
	uint64_t gpa, gva;
	enum fl_access access;
};

/* All accesses of the instruction at RIP, the fetch first. Fetch bytes that cannot be read end the list. */
void fl_locate_pieces(const struct fl_locate_ops *ops, struct fl_cpu_view *cpu, struct fl_pieces *pieces);

/* Adds an access, cut at page boundaries and translated, to the list, as far as there is room. */
void fl_pieces_add(const struct fl_locate_ops *ops, const struct fl_operand_access *access, struct fl_pieces *pieces);

/* in: what the intake knows already; it decides what is looked for. */
enum fl_locate_result fl_locate(const struct fl_locate_ops *ops, const struct fl_intake *in,
				const struct fl_pieces *pieces, struct fl_location *location);

#endif
