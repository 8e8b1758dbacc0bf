/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpa_map: which guest-physical addresses are RAM and which are a file window.
 *
 * Filled before the first vCPU runs and read-only from then on, so lookups take no lock.
 */
#ifndef FL_GPA_MAP_H
#define FL_GPA_MAP_H

#include "fl_diag.h"

struct fl_window;

enum fl_region_kind { FL_REGION_RAM, FL_REGION_WINDOW };

struct fl_region {
	enum fl_region_kind kind;
	uint64_t gpa;
	uint64_t len;
	uint8_t *hva;
	const char *name;	  /* share tag or name of a window, "ram"; outlives the map */
	struct fl_window *window; /* FL_REGION_WINDOW only */
	struct fl_policy policy;  /* RAM passes FL_ACTION_REFLECT over */
};

#define FL_GPA_REGIONS_MAX 32
struct fl_gpa_map {
	unsigned int count;
	struct fl_region regions[FL_GPA_REGIONS_MAX]; /* sorted by gpa, disjoint */
};

/* Adds a region: page-aligned, not empty, overlapping none. -EINVAL, -EEXIST (overlap), -ENOSPC. */
FL_CHECKED_RESULT int fl_gpa_map_add(struct fl_gpa_map *map, const struct fl_region *region, struct fl_diag *diag);

/* The region that holds gpa, or NULL. */
const struct fl_region *fl_gpa_map_find(const struct fl_gpa_map *map, uint64_t gpa);

/*
 * Gives every region of the map to KVM as a memslot (slot number = index), KVM_SET_USER_MEMORY_REGION.
 * vm_fd: a KVM VM. -errno of the ioctl, with the region named in diag.
 */
FL_CHECKED_RESULT int fl_gpa_map_install(const struct fl_gpa_map *map, int vm_fd, struct fl_diag *diag);

#endif
