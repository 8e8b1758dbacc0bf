/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/stretch.h"
#include "vmm/vm.h"

#define MAPPING_LEN_MIN sizeof(struct fl_mapping) /* of the first header that has it */

/* All but the size, with which both begin; the caller's is of another length if its header is older or newer. */
static void copy_out(void *to, size_t to_len, const void *from, size_t from_len)
{
	memset((uint8_t *)to + sizeof(uint32_t), 0, to_len - sizeof(uint32_t));
	memcpy((uint8_t *)to + sizeof(uint32_t), (const uint8_t *)from + sizeof(uint32_t),
	       FL_MIN(to_len, from_len) - sizeof(uint32_t));
}

/* Afterwards the caller's size says how much is filled. */
static int give(void *to, const void *from, size_t from_len)
{
	uint32_t size;

	memcpy(&size, to, sizeof(size));
	if (size < sizeof(size))
		return -EINVAL;
	size = (uint32_t)FL_MIN((size_t)size, from_len);
	copy_out(to, size, from, from_len);
	memcpy(to, &size, sizeof(size));
	return 0;
}

static void take_times(struct fl_vm *vm, struct fl_vm_info *info)
{
	uint64_t now_ns = fl_now_ns(CLOCK_MONOTONIC);
	FL_LOCKED(&vm->lock);

	now_ns = vm->end_ns ? vm->end_ns : now_ns;
	info->start_time_ns = vm->start_time_ns;
	info->uptime_ns = now_ns - vm->start_ns;
	info->paused_ns = vm->paused_ns;
	if (vm->paused_at_ns && now_ns > vm->paused_at_ns)
		info->paused_ns += now_ns - vm->paused_at_ns;
}

static uint64_t ram_host_len(const struct fl_vm *vm)
{
	struct stat st;

	return fstat(vm->ram.fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

int fl_vm_get_info(struct fl_vm *vm, struct fl_vm_info *info)
{
	struct fl_vm_info now = {
		.state = fl_vm_state(vm),
		.name = vm->config.name,
		.ram_len = vm->config.opts.ram_len,
		.mode = vm->mode.mode,
	};

	if (now.state != FL_VM_NOT_STARTED) {
		take_times(vm, &now);
		now.ram_host_len = ram_host_len(vm);
		now.faults = atomic_load(&vm->env.fault_count);
		now.vcpus = vm->config.opts.vcpus;
		now.regions = vm->map.count;
		now.shares = vm->share_count;
	}
	return give(info, &now, sizeof(now));
}

int fl_vm_get_vcpu(struct fl_vm *vm, uint32_t index, struct fl_vcpu_info *info)
{
	struct fl_vcpu_info now = {0};

	if (!vm->started)
		return -EINVAL;
	if (index >= vm->config.opts.vcpus)
		return -ENOENT;
	fl_vcpu_get_info(vm->vcpus[index], &now);
	return give(info, &now, sizeof(now));
}

static const struct fl_vm_share *share_of(const struct fl_vm *vm, const struct fl_region *region)
{
	for (unsigned int i = 0; i < vm->share_count; i++)
		if (vm->shares[i].window && vm->shares[i].window == region->window)
			return &vm->shares[i];
	return NULL;
}

static enum fl_region_type type_of(const struct fl_region *region, const struct fl_vm_share *share)
{
	if (region->kind == FL_REGION_RAM)
		return FL_REGION_TYPE_RAM;
	return share ? FL_REGION_TYPE_SHARE : FL_REGION_TYPE_WINDOW;
}

/* NULL, and why. */
static const struct fl_region *region_at(const struct fl_vm *vm, uint32_t index, int *error)
{
	*error = !vm->started ? -EINVAL : index >= vm->map.count ? -ENOENT : 0;
	return *error ? NULL : &vm->map.regions[index];
}

int fl_vm_get_region(struct fl_vm *vm, uint32_t index, struct fl_region_info *info)
{
	struct fl_window_stats stats = {0};
	struct fl_region_info now;
	int error;
	const struct fl_region *region = region_at(vm, index, &error);
	const struct fl_vm_share *share;

	if (error)
		return error;
	share = share_of(vm, region);
	if (region->window)
		fl_window_get_stats(region->window, &stats);
	now = (struct fl_region_info){
		.type = type_of(region, share),
		.name = region->name,
		.dir = share ? share->config.dir : NULL,
		.gpa = region->gpa,
		.len = region->len,
		.policy = region->policy,
		.ranges = stats.ranges_total,
		.ranges_mapped = stats.ranges_mapped,
		.ranges_most = stats.ranges_most,
		.substitutes = stats.substitutes,
	};
	return give(info, &now, sizeof(now));
}

int fl_vm_get_share(struct fl_vm *vm, uint32_t index, struct fl_share_info *info)
{
	const struct fl_vm_share *share;
	const struct fl_share_opts *opts;
	struct fl_fs_stats stats;
	struct fl_share_info now;

	if (!vm->started)
		return -EINVAL;
	if (index >= vm->share_count)
		return -ENOENT;
	share = &vm->shares[index];
	opts = &share->config.opts;
	fl_fs_device_get_stats(share->device, &stats);
	now = (struct fl_share_info){
		.flags = opts->flags,
		.tag = share->config.tag,
		.dir = share->config.dir,
		.mount = share->config.mount ? share->config.mount : "",
		.window_gpa = share->window_gpa,
		.window_len = opts->window_len,
		.dax = opts->dax,
		.users = opts->users,
		.requests = stats.requests,
		.errors = stats.errors,
		.malformed = stats.proto_errors,
		.lost = stats.lost,
	};
	return give(info, &now, sizeof(now));
}

static uint32_t mapping_flags(const struct fl_window_view *view)
{
	return (view->state == FL_RANGE_MAPPED_RW ? FL_MAPPING_WRITABLE : 0) |
	       (view->state == FL_RANGE_BROKEN ? FL_MAPPING_BROKEN : 0) | (view->hidden ? FL_MAPPING_BEYOND_END : 0) |
	       (view->substituted ? FL_MAPPING_SUBSTITUTED : 0);
}

static void fill_mapping(const struct fl_stretch *stretch, struct fl_mapping *mapping)
{
	const struct fl_window_view *view = &stretch->view;

	*mapping = (struct fl_mapping){
		.flags = mapping_flags(view),
		.window_offset = stretch->start,
		.len = stretch->end - stretch->start,
	};
	if (!view->backing)
		return;
	mapping->file_offset = view->file_offset;
	mapping->mapped_file_len = view->mapped_file_len;
	mapping->dev = view->backing->dev;
	mapping->ino = view->backing->ino;
	if (fl_backing_get_len(view->backing, &mapping->file_len))
		mapping->file_len = view->mapped_file_len;
	fl_backing_path(view->backing, mapping->path, sizeof(mapping->path));
}

/* each: the length of the caller's structures. */
static int read_window(struct fl_window *window, uint64_t *cursor, uint8_t *mappings, uint32_t each, size_t count)
{
	struct fl_stretch stretch;
	size_t done = 0;

	for (; done < count && fl_stretch_next(window, cursor, &stretch); done++) {
		uint8_t *at = mappings + done * each;
		struct fl_mapping mapping;

		fill_mapping(&stretch, &mapping);
		fl_window_view_put(&stretch.view);
		memcpy(at, &each, sizeof(each));
		copy_out(at, each, &mapping, sizeof(mapping));
	}
	return (int)done;
}

int fl_vm_read_mappings(struct fl_vm *vm, uint32_t index, uint64_t *cursor, struct fl_mapping *mappings, size_t count)
{
	int error;
	const struct fl_region *region = region_at(vm, index, &error);
	uint32_t each;

	if (error)
		return error;
	if (!count || !fl_is_aligned(*cursor, FL_PAGE_LEN))
		return -EINVAL;
	each = mappings[0].size;
	if (each < MAPPING_LEN_MIN || !fl_is_aligned(each, _Alignof(struct fl_mapping)))
		return -EINVAL;
	if (!region->window)
		return 0;
	return read_window(region->window, cursor, (uint8_t *)mappings, each, FL_MIN(count, (size_t)INT_MAX));
}
