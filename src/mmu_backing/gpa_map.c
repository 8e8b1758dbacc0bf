/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/gpa_map.h"

#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

static int check_region(const struct fl_region *region, struct fl_diag *diag)
{
	uint64_t end;

	if (!region->len || !fl_is_aligned(region->gpa | region->len | (uintptr_t)region->hva, FL_PAGE_LEN) ||
	    fl_add_overflows(region->gpa, region->len, &end))
		return fl_diag(diag, -EINVAL,
			       "guest memory region %s (0x%" PRIx64 " bytes at 0x%" PRIx64
			       ") must be whole pages of 4096 bytes, not empty, and end below 2^64",
			       region->name, region->len, region->gpa);
	if (!region->hva || (region->kind == FL_REGION_WINDOW) != (region->window != NULL))
		return fl_diag(diag, -EINVAL, "guest memory region %s has nothing behind it", region->name);
	return 0;
}

int fl_gpa_map_add(struct fl_gpa_map *map, const struct fl_region *region, struct fl_diag *diag)
{
	unsigned int at = 0;
	int error = check_region(region, diag);

	if (error)
		return error;
	if (map->count == FL_GPA_REGIONS_MAX)
		return fl_diag(diag, -ENOSPC,
			       "no room for guest memory region %s: there are %u already; use fewer shares",
			       region->name, map->count);
	while (at < map->count && map->regions[at].gpa + (map->regions[at].len - 1) < region->gpa)
		at++;
	if (at < map->count && map->regions[at].gpa <= region->gpa + (region->len - 1))
		return fl_diag(diag, -EEXIST, "guest memory region %s at 0x%" PRIx64 " overlaps %s at 0x%" PRIx64,
			       region->name, region->gpa, map->regions[at].name, map->regions[at].gpa);
	memmove(&map->regions[at + 1], &map->regions[at], (map->count - at) * sizeof(map->regions[0]));
	map->regions[at] = *region;
	map->count++;
	return 0;
}

const struct fl_region *fl_gpa_map_find(const struct fl_gpa_map *map, uint64_t gpa)
{
	for (unsigned int i = 0; i < map->count && map->regions[i].gpa <= gpa; i++)
		if (gpa - map->regions[i].gpa < map->regions[i].len)
			return &map->regions[i];
	return NULL;
}

int fl_gpa_map_install(const struct fl_gpa_map *map, int vm_fd, struct fl_diag *diag)
{
	for (unsigned int i = 0; i < map->count; i++) {
		const struct fl_region *region = &map->regions[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = region->gpa,
			.memory_size = region->len,
			.userspace_addr = (uintptr_t)region->hva,
		};

		if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0) {
			int error = errno;

			return fl_diag(diag, -error,
				       "KVM refused guest memory region %s (0x%" PRIx64 " bytes at 0x%" PRIx64 "): %s",
				       region->name, region->len, region->gpa, strerror(error));
		}
	}
	return 0;
}
